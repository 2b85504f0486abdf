"""Accuracy of a network on bitstreams, compared with the same network on real numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore._tables import html_table
from sc_neurocore.evidence._executors import opened
from sc_neurocore.evidence._intervals import paired_difference, wilson
from sc_neurocore.evidence._runs import Outcome, Run, outcomes
from sc_neurocore.evidence._sources import SourceByLength, source_at
from sc_neurocore.networks import (
    FixedPoint,
    Network,
)
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.layers import check_fixed
from sc_neurocore.networks.network import check_network
from sc_neurocore.networks.simulation import (
    in_fixed_point,
)
from sc_neurocore.streams import (
    LFSR,
    Bernoulli,
    Faults,
    Halton,
    Hammersley,
    Permutation,
    Sobol,
    Source,
    VanDerCorput,
)
from sc_neurocore.streams.keys import checked_seed

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Accuracy", "evaluate"]


# Sources with sequences for any number of layers, by name, as functions of the stream length.
SOURCES: dict[str, Callable[[int], Source]] = {
    kind.__name__.lower(): kind.for_length
    for kind in (Bernoulli, LFSR, Sobol, Hammersley, Halton, VanDerCorput, Permutation)
}


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Accuracy of a network at one stream length, image by image and seed by seed.

    The mean has two sources of error. It varies with the random numbers: `std` is that spread. It also
    varies with the images: `standard_error` and the intervals quantify this, for images that are a
    random sample and given seeds. Averaging over several seeds makes them wider than necessary, never
    narrower.

    Attributes
    ----------
    length : int
        Number of time steps.
    bits_per_step : int
        Bits of each product per time step.
    right : ndarray of bool, shape (n_seeds, n_images)
        Images that are classified correctly on bitstreams.
    float_right : ndarray of bool, shape (n_images,)
        Images that are classified correctly on real numbers, by `simulate_float`.
    same : ndarray of bool, shape (n_seeds, n_images), or None
        Images that have the same class on bitstreams as on real numbers.
    spike_ratios : ndarray of float64, shape (n_seeds,), or None
        Spikes of all outputs and images divided by those on real numbers after as many time steps; NaN
        without such spikes.
    """

    length: int
    right: NDArray[np.bool_]
    float_right: NDArray[np.bool_]
    bits_per_step: int = 1
    same: NDArray[np.bool_] | None = None
    spike_ratios: NDArray[np.float64] | None = None

    @property
    def cost(self) -> int:
        """Bits of a stream of weights: ``length * bits_per_step``."""
        return self.length * self.bits_per_step

    @property
    def by_seed(self) -> NDArray[np.float64]:
        """Accuracy of each seed, in [0, 1], shape (n_seeds,)."""
        return np.asarray(self.right.mean(axis=1))

    @property
    def of_float(self) -> float:
        """Accuracy on real numbers, in [0, 1]."""
        return float(self.float_right.mean())

    @property
    def mean(self) -> float:
        """Mean accuracy over the seeds, in [0, 1]."""
        return float(self.right.mean())

    @property
    def std(self) -> float:
        """Sample standard deviation of the accuracy over the seeds; NaN for one seed."""
        return float(self.by_seed.std(ddof=1)) if len(self.right) > 1 else float("nan")

    @property
    def standard_error(self) -> float:
        """Standard error from the finite number of images, ``sqrt(mean * (1 - mean) / n_images)``."""
        return float(np.sqrt(self.mean * (1 - self.mean) / self.right.shape[1]))

    @property
    def loss(self) -> float:
        """Accuracy on real numbers minus the mean accuracy on bitstreams."""
        return self.of_float - self.mean

    @property
    def agreement(self) -> float:
        """Mean proportion of images with the same class as on real numbers; NaN if `same` is None."""
        return math.nan if self.same is None else float(self.same.mean())

    @property
    def spike_ratio(self) -> float:
        """Mean of `spike_ratios` over the seeds; NaN if these are None."""
        return math.nan if self.spike_ratios is None else float(self.spike_ratios.mean())

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the mean for other images, by Wilson's score test.

        Raises
        ------
        ValueError
            If `confidence` is not in (0, 1).
        """
        n = self.right.shape[1]
        return wilson(n * self.mean, n, _checks.below_one("confidence", confidence))

    def loss_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the loss for other images.

        Bitstreams and real numbers are compared image by image, as in McNemar's test, by T. Tango's
        score test (Statistics in Medicine 17, 1998). This is far narrower than the difference of two
        intervals of the accuracies.

        Raises
        ------
        ValueError
            If `confidence` is not in (0, 1).
        """
        differences = self.float_right - self.right.mean(axis=0)
        lost, won = np.maximum(differences, 0).sum(), np.maximum(-differences, 0).sum()
        confidence = _checks.below_one("confidence", confidence)
        return paired_difference(float(lost), float(won), differences.size, confidence)

    def __repr__(self) -> str:
        n_seeds, n_images = self.right.shape
        k = "" if self.bits_per_step == 1 else f"bits_per_step={self.bits_per_step}, "
        return (
            f"Accuracy(length={self.length}, {k}mean={self.mean:.4f}, of_float={self.of_float:.4f}, "
            f"seeds={n_seeds}, images={n_images})"
        )

    def _repr_html_(self) -> str:
        low, high = self.interval()
        cells = {
            "length": self.length,
            "bits per step": self.bits_per_step,
            "accuracy": f"{self.mean:.2%}",
            "95% interval": f"{low:.2%} to {high:.2%}",
            "std over seeds": f"{self.std:.2%}" if len(self.right) > 1 else "one seed",
            "float": f"{self.of_float:.2%}",
            "loss": f"{self.loss:.2%}",
            "agreement with float": f"{self.agreement:.2%}",
            "spikes / float": f"{self.spike_ratio:.3f}",
        }
        return html_table(tuple(cells), [tuple(cells.values())])


def evaluate(
    network: Network,
    images: InputLike,
    labels: ArrayLike,
    lengths: Sequence[int] | None = None,
    *,
    seeds: Sequence[int] = range(5),
    source: SourceByLength = Bernoulli(),
    bits_per_step: int | Sequence[int] = 1,
    fixed_point: FixedPoint | None = None,
    faults: Faults | None = None,
    executor: int | Executor | None = None,
    progress: bool = False,
) -> list[Accuracy]:
    """Return the accuracy of a network at several stream lengths and numbers of bits per step.

    Images are classified by `Simulation.classes`. Equal seeds give the same random numbers, which makes
    lengths and sources comparable.

    Parameters
    ----------
    network : Network
    images : array_like, Bitstream or Events
        Densities in [0, 1] of shape (n_images, n_in) or, changing in time, (n_images, n_in, steps); or
        spike trains, as in `simulate`.
    labels : array_like of int, shape (n_images,)
        Correct class of each image.
    lengths : sequence of int, optional
        Stream lengths in time steps. Inputs with a length of their own are cut to these, and used as a
        whole by default.
    seeds : sequence of int
        All images are classified once for each seed.
    source : Source, tuple of Source, or function of the length
        Sources of the numbers for inputs and weights, as in `simulate`. For a source whose period must
        match the length, pass its `for_length`; the length is ``length * bits_per_step``.
    bits_per_step : int or sequence of int
        As in `simulate`; with several, all are evaluated at each length.
    fixed_point : FixedPoint, optional
        Compute in fixed point, as in `simulate`. The reference on real numbers stays the same.
    faults : Faults, optional
        Faults of hardware, as in `simulate`: other ones for each seed. The reference has none.
    executor : int or concurrent.futures.Executor, optional
        Where the simulations run, as in `sweep`: by default in this process, or on a number of local
        processes, or on an executor, such as Dask's. A call has one seed, one length and up to 1024
        images. The result does not depend on it.
    progress : bool
        Show a progress bar (requires the extra `progress`).

    Returns
    -------
    list of Accuracy
        In the order of `lengths`, and at each length in that of `bits_per_step`. The reference on real
        numbers runs for as many time steps.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes do not match, densities are outside [0, 1], or `lengths`, `bits_per_step` or `seeds`
        is empty.

    Examples
    --------
    >>> from sc_neurocore import evaluate, load_digits
    >>> digits = load_digits()
    >>> for row in evaluate(digits.network, digits.images, digits.labels, [16, 64]):
    ...     low, high = row.interval()
    ...     print(f"{row.length:3d} bits: {row.mean:.1%} ({low:.1%} to {high:.1%})")
     16 bits: 97.6% (95.7% to 98.6%)
     64 bits: 98.2% (96.5% to 99.1%)
    """
    rows = evaluate_each(
        network, images, labels, lengths, seeds=seeds, sources=[source], bits_per_step=bits_per_step,
        fixed_point=fixed_point, faults=faults, executor=executor, progress=progress,
    )  # fmt: skip
    return [row for _, row in rows]


def evaluate_each(
    network: Network,
    images: InputLike,
    labels: ArrayLike,
    lengths: Sequence[int] | None,
    *,
    seeds: Sequence[int],
    sources: Sequence[SourceByLength],
    bits_per_step: int | Sequence[int] = 1,
    fixed_point: FixedPoint | None = None,
    faults: Faults | None = None,
    executor: int | Executor | None = None,
    progress: bool = False,
) -> Generator[tuple[int, Accuracy], None, None]:
    """Yield the rows of `evaluate` as they are finished, each with the number of its source.

    Rows are in the order of the sources. The reference runs once for all.
    """
    inputs, classes = labeled(network, images, labels)
    steps, seeds = lengths_and_seeds(lengths, seeds, inputs)
    several = isinstance(bits_per_step, Sequence | np.ndarray)
    ks = numbers_of_bits(bits_per_step if several else [bits_per_step])
    networks = [network if fixed_point is None else in_fixed_point(network, fixed_point, k) for k in ks]
    cases = [(i, length, number) for i in range(len(sources)) for length in steps
             for number in range(len(ks))]  # fmt: skip
    first = {length: i for i, (_, length, _) in reversed(list(enumerate(cases)))}

    def runs() -> Iterator[Run]:
        for i, (source, length, number) in enumerate(cases):
            if first[length] == i:
                yield Run(network, length)
            k = ks[number]
            at_length = source_at(sources[source], length * k)
            for seed in seeds:
                yield Run(networks[number], length, k, seed, at_length, faults)

    references: dict[int, Outcome] = {}
    total = len(cases) // len(steps) * sum(steps) * len(seeds)
    with opened(executor) as pool, progress_bar(total, "evaluate", "step", show=progress) as bar:
        found = outcomes(pool, runs(), inputs)
        for i, (source, length, number) in enumerate(cases):
            if first[length] == i:
                references[length] = next(found)
            row = accuracy(found, classes, length, ks[number], references[length], len(seeds), bar)
            yield source, row


def accuracy(
    found: Iterator[Outcome],
    labels: NDArray[np.integer],
    length: int,
    bits_per_step: int,
    reference: Outcome,
    n_seeds: int,
    bar: Bar,
    classes: NDArray[np.integer] | None = None,
) -> Accuracy:
    """Return the accuracy at one length from the next outcomes, one per seed.

    `reference` is the outcome on real numbers at this length; `classes`, if given, replace its classes.
    """
    of_float = reference[1]
    classes = reference[0] if classes is None else classes
    own: list[NDArray[np.int64]] = []
    spikes: list[int] = []
    for seen, n_spikes in itertools.islice(found, n_seeds):
        own.append(seen)
        spikes.append(n_spikes)
        bar.update(length)
    return Accuracy(
        length,
        np.array(own) == labels,
        classes == labels,
        bits_per_step,
        np.array(own) == classes,
        np.array(spikes) / of_float if of_float else np.full(len(spikes), np.nan),
    )


def numbers_of_bits(bits_per_step: Any) -> list[int]:
    """Return several numbers of bits per step, checked."""
    if isinstance(bits_per_step, np.ndarray) and bits_per_step.ndim == 1:
        bits_per_step = bits_per_step.tolist()
    _checks.instance("bits_per_step", bits_per_step, Sequence)
    ks = [_checks.integer("bits_per_step", k, 1, 2**20) for k in bits_per_step]
    if not ks:
        _checks.fail("bits_per_step", "hold at least one value", "none")
    return ks


def images_of(name: str, network: Network, images: InputLike) -> Inputs:
    """Return a batch of inputs of a network, checked."""
    check_network(network)
    for layer in network:
        check_fixed("network", layer)
    return Inputs.of(name, images, network, batched=True)


def labeled(
    network: Network, images: InputLike, labels: ArrayLike
) -> tuple[Inputs, NDArray[np.integer]]:
    """Return the images of a network, and as many integer labels, checked."""
    inputs = images_of("images", network, images)
    _checks.unmasked("labels", labels)
    classes = np.asarray(labels)
    if classes.shape != (len(inputs),) or classes.dtype.kind not in "iu":
        _checks.fail(
            "labels",
            f"hold an integer for each of the {len(inputs)} images",
            f"{classes.dtype} of shape {classes.shape}",
        )
    largest = network.n_out - 1
    remedy = "count classes from 0" if largest > 0 else ""
    _checks.within("labels", classes, 0, largest, remedy)
    return inputs, classes


def lengths_and_seeds(
    lengths: Sequence[int] | None, seeds: Sequence[int], inputs: Inputs
) -> tuple[list[int], Sequence[int]]:
    """Return both, checked: at least one value each, and no length beyond that of the inputs."""
    if lengths is None:
        lengths = [inputs.steps(None, "images")]
    lists = []
    for name, values in (("lengths", lengths), ("seeds", seeds)):
        if isinstance(values, np.ndarray) and values.ndim == 1:
            values = values.tolist()
        remedy = "write range(5) for five seeds" if name == "seeds" else "write [64] for one length"
        _checks.instance(name, values, Sequence, remedy)
        if len(values) == 0:
            _checks.fail(name, "hold at least one value", "none")
        lists.append(list(values))
    lengths, seeds = lists
    seeds = [checked_seed("seeds", _checks.integer("seeds", seed, -math.inf)) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        remedy = "equal seeds give equal results, so their spread would be too small"
        _checks.fail("seeds", "differ from one another", seeds, remedy)
    lengths = [_checks.length_of_stream("lengths", length) for length in lengths]
    if inputs.length is not None and max(lengths) > inputs.length:
        _checks.fail("lengths", f"be at most that of the images, {inputs.length}", max(lengths))
    return lengths, seeds
