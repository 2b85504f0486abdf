"""How well a network classifies on bitstreams, beside the same network on real numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore.network import Network
from sc_neurocore.random import Bernoulli, Sources
from sc_neurocore.simulation import simulate, simulate_float


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Accuracy at one stream length.

    Attributes
    ----------
    length : int
    by_seed : ndarray of float64, shape (n_seeds,)
        Share of right classes on bitstreams, for each seed.
    of_float : float
        That of `simulate_float` after as many time steps.
    """

    length: int
    by_seed: NDArray[np.float64]
    of_float: float

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(self.by_seed.mean())

    @property
    def std(self) -> float:
        """Standard deviation over the seeds (of the sample); NaN for one seed."""
        return float(self.by_seed.std(ddof=1)) if len(self.by_seed) > 1 else float("nan")


def evaluate(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    lengths: Sequence[int],
    *,
    seeds: Sequence[int] = range(5),
    source: Sources | Callable[[int], Sources] = Bernoulli(),
    progress: bool = False,
) -> list[Accuracy]:
    """Return the accuracy of a network at several stream lengths.

    The class is that of `Simulation.classes`.

    Parameters
    ----------
    network : Network
    images : array_like, shape (n_images, n_in)
        Densities in [0, 1].
    labels : array_like of int, shape (n_images,)
    lengths : sequence of int
    seeds : sequence of int
        All images are classified once for each.
    source : Source, tuple, or function of the length
        Where the numbers of inputs and weights come from, see `simulate`; a source whose period should
        follow the length is given as its `for_length`.
    progress : bool
        Show a bar (extra: progress).

    Returns
    -------
    list of Accuracy
        In the order of lengths.

    Examples
    --------
    >>> from sc_neurocore import evaluate, load_digits
    >>> digits = load_digits()
    >>> for row in evaluate(digits.network, digits.images, digits.labels, [16, 64]):
    ...     print(f"{row.length:3d} bits: {row.mean:.1%}, float {row.of_float:.1%}")
     16 bits: 97.6%, float 98.2%
     64 bits: 98.2%, float 98.4%
    """
    inputs = _checks.array("images", images, [2])
    classes = np.asarray(labels)
    if classes.shape != (len(inputs),) or classes.dtype.kind not in "iu":
        _checks.fail(
            "labels",
            f"hold an integer for each of the {len(inputs)} images",
            f"{classes.dtype} of shape {classes.shape}",
        )
    for name, values in (("lengths", lengths), ("seeds", seeds)):
        _checks.instance(name, values, Sequence)
    steps = [_checks.length_of_stream("lengths", length) for length in lengths]
    if len(seeds) == 0 or len(steps) == 0:
        _checks.fail("lengths and seeds", "hold at least one value each", "none")
    rows = []
    with progress_bar(sum(steps) * len(seeds), "evaluate", "step", show=progress) as bar:
        for length in steps:
            by_seed = []
            at_length = source(length) if callable(source) else source
            for seed in seeds:
                result = simulate(network, inputs, length, seed=seed, source=at_length)
                by_seed.append(float((result.classes() == classes).mean()))
                bar.update(length)
            reference = simulate_float(network, inputs, length).classes()
            rows.append(Accuracy(length, np.array(by_seed), float((reference == classes).mean())))
    return rows
