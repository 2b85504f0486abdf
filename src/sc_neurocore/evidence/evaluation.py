"""How well a network classifies on bitstreams, beside the same network on real numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore.evidence._intervals import paired_difference, wilson
from sc_neurocore.networks.fixed_point import FixedPoint
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.simulation import simulate, simulate_float
from sc_neurocore.streams.low_discrepancy import (
    Halton,
    Hammersley,
    Sobol,
    VanDerCorput,
)
from sc_neurocore.streams.periods import Permutation
from sc_neurocore.streams.registers import LFSR
from sc_neurocore.streams.source import Bernoulli, Source, Sources

SourceByLength = Sources | Callable[[int], Sources]

# Those that have sequences for any number of layers, as functions of the length.
SOURCES: dict[str, Callable[[int], Source]] = {
    kind.__name__.lower(): kind.for_length
    for kind in (Bernoulli, LFSR, Sobol, Hammersley, Halton, VanDerCorput, Permutation)
}


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Which images a network classifies right at one stream length, for each seed.

    Two errors are in the mean. Other random numbers give another accuracy: `std` is its spread. Other
    images do too: `standard_error` and the intervals tell by how much. These take the images as drawn
    from all that there are and the seeds as given, and are too wide rather than too narrow where
    several seeds are averaged.

    Attributes
    ----------
    length : int
    right : ndarray of bool, shape (n_seeds, n_images)
        On bitstreams.
    float_right : ndarray of bool, shape (n_images,)
        On real numbers, by `simulate_float`.
    """

    length: int
    right: NDArray[np.bool_]
    float_right: NDArray[np.bool_]

    @property
    def by_seed(self) -> NDArray[np.float64]:
        """Share of right classes for each seed, shape (n_seeds,)."""
        return np.asarray(self.right.mean(axis=1))

    @property
    def of_float(self) -> float:
        """Share of right classes on real numbers."""
        return float(self.float_right.mean())

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(self.right.mean())

    @property
    def std(self) -> float:
        """Standard deviation over the seeds (of the sample); NaN for one seed."""
        return float(self.by_seed.std(ddof=1)) if len(self.right) > 1 else float("nan")

    @property
    def standard_error(self) -> float:
        """That of the mean by the finite number of images: sqrt(mean (1 - mean) / n_images)."""
        return float(np.sqrt(self.mean * (1 - self.mean) / self.right.shape[1]))

    @property
    def loss(self) -> float:
        """Share that real numbers classify right, less that of bitstreams."""
        return self.of_float - self.mean

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the mean over other images, by Wilson's score test."""
        n = self.right.shape[1]
        return wilson(n * self.mean, n, _checks.below_one("confidence", confidence))

    def loss_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the loss over other images.

        Both are compared image by image, as in McNemar's test (by T. Tango's score test, Statistics in
        Medicine 17, 1998): it is far narrower than two intervals of the accuracies.
        """
        differences = self.float_right - self.right.mean(axis=0)
        lost, won = np.maximum(differences, 0).sum(), np.maximum(-differences, 0).sum()
        confidence = _checks.below_one("confidence", confidence)
        return paired_difference(float(lost), float(won), differences.size, confidence)


def evaluate(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    lengths: Sequence[int],
    *,
    seeds: Sequence[int] = range(5),
    source: SourceByLength = Bernoulli(),
    fixed_point: FixedPoint | None = None,
    progress: bool = False,
) -> list[Accuracy]:
    """Return the accuracy of a network at several stream lengths.

    The class is `Simulation.classes`. Equal seeds meet the same random numbers, so that lengths and
    sources are compared on equal terms.

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
    fixed_point : FixedPoint, optional
        Compute in fixed point, see `simulate`. Real numbers stay as they are.
    progress : bool
        Show a bar (extra: progress).

    Returns
    -------
    list of Accuracy
        In the order of lengths. Real numbers get as many time steps as the streams have bits.

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
    inputs, classes = labeled(images, labels)
    steps, seeds = lengths_and_seeds(lengths, seeds)
    rows = []
    with progress_bar(sum(steps) * len(seeds), "evaluate", "step", show=progress) as bar:
        for length in steps:
            right = right_by_seed(network, inputs, classes, length, seeds, source, bar, fixed_point)
            reference = simulate_float(network, inputs, length).classes
            rows.append(Accuracy(length, right, reference == classes))
    return rows


def right_by_seed(
    network: Network,
    inputs: NDArray[np.float64],
    classes: NDArray[np.integer],
    length: int,
    seeds: Sequence[int],
    source: SourceByLength,
    bar: Bar,
    fixed_point: FixedPoint | None = None,
) -> NDArray[np.bool_]:
    """Return which images are classified right, shape (n_seeds, n_images), at a checked length."""
    at_length = source(length) if callable(source) else source
    right = []
    for seed in seeds:
        result = simulate(network, inputs, length, seed=seed, source=at_length, fixed_point=fixed_point)
        right.append(result.classes == classes)
        bar.update(length)
    return np.array(right)


def labeled(images: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Return images and as many integer labels, checked."""
    inputs = _checks.array("images", images, [2])
    classes = np.asarray(labels)
    if classes.shape != (len(inputs),) or classes.dtype.kind not in "iu":
        _checks.fail(
            "labels",
            f"hold an integer for each of the {len(inputs)} images",
            f"{classes.dtype} of shape {classes.shape}",
        )
    return inputs, classes


def lengths_and_seeds(lengths: Sequence[int], seeds: Sequence[int]) -> tuple[list[int], Sequence[int]]:
    """Return both, checked: at least one each."""
    for name, values in (("lengths", lengths), ("seeds", seeds)):
        _checks.instance(name, values, Sequence)
    steps = [_checks.length_of_stream("lengths", length) for length in lengths]
    if len(seeds) == 0 or len(steps) == 0:
        _checks.fail("lengths and seeds", "hold at least one value each", "none")
    return steps, seeds
