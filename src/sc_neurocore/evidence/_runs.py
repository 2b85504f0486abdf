"""Runs of networks on images, in this process or in parts on an executor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence._executors import Pool, finished
from sc_neurocore.networks import Network, simulate_float
from sc_neurocore.networks._inputs import Inputs
from sc_neurocore.networks.fixed_point import FixedNetwork
from sc_neurocore.networks.prepared import PreparedNetwork
from sc_neurocore.neurons import SilentLayerWarning
from sc_neurocore.streams import Faults
from sc_neurocore.streams.source import Sources

# Images that a call on an executor classifies, and bytes of them that are sent. Each call makes the
# bits of the weights anew, which takes as long as several hundred images.
_IMAGES, _BYTES = 1024, 2**22

# Classes, shape (n_images,), and the number of spikes of all outputs.
Outcome = tuple[NDArray[np.int64], int]


@dataclass(frozen=True, eq=False)
class Run:
    """A network on bitstreams, or on real numbers if `seed` is None."""

    network: Network | FixedNetwork
    length: int
    bits_per_step: int = 1
    seed: int | None = None
    source: Sources | None = None
    faults: Faults | None = None

    def outcome(self, inputs: Inputs) -> Outcome:
        """Return the outcome for inputs, of which the first steps are used."""
        given = inputs.until(self.length)
        if self.source is None:
            assert isinstance(self.network, Network)
            result = simulate_float(self.network, given, self.length)
        else:
            prepared = PreparedNetwork.of(
                self.network,
                seed=self.seed,
                source=self.source,
                bits_per_step=self.bits_per_step,
                faults=self.faults,
            )
            result = prepared.run(given, self.length)
        return result.classes, int(result.counts.sum())


def outcomes(pool: Pool | None, runs: Iterable[Run], inputs: Inputs) -> Iterator[Outcome]:
    """Yield the outcome of each run, in their order.

    An executor gets the runs in parts of some images, which do not depend on the number of its workers.
    The outcomes are the same, as an image does not depend on the others.
    """
    if pool is None:
        for run in runs:
            yield run.outcome(inputs)
        return
    parts = _parts(inputs)
    calls = ((run, inputs[rows].until(run.length)) for run in runs for rows in parts)
    done: dict[int, _Part] = {}
    following = 0
    for i, future in finished(pool, _part, enumerate(calls)):
        done[i] = future.result()
        while all(part in done for part in range(following, following + len(parts))):
            yield _joined([done.pop(following + part) for part in range(len(parts))])
            following += len(parts)


def _parts(inputs: Inputs) -> list[slice]:
    """Return the rows of each part."""
    values = inputs.values
    nbytes = values.nbytes if isinstance(values, np.ndarray) else values.words.nbytes
    rows = max(min(_IMAGES, _BYTES * len(inputs) // nbytes), 1)
    return [slice(first, first + rows) for first in range(0, len(inputs), rows)]


# The outcome of a part, and its warnings.
_Part = tuple[Outcome, list[tuple[str, type[Warning]]]]


def _part(run: Run, inputs: Inputs) -> _Part:
    with _checks.kept_warnings() as kept:
        return run.outcome(inputs), kept


def _joined(parts: list[_Part]) -> Outcome:
    """Return the outcome of a run, and issue its warnings: a layer is silent if it is in all parts."""
    silent = [any(kind is SilentLayerWarning for _, kind in kept) for _, kept in parts]
    for message, kind in parts[0][1]:
        if kind is not SilentLayerWarning or all(silent):
            _checks.warn(message, kind)
    classes, spikes = zip(*(outcome for outcome, _ in parts), strict=True)
    return np.concatenate(classes), sum(spikes)
