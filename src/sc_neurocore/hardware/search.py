"""Search for the bits, time steps, inputs and neurons per clock cycle of a design."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore.evidence._intervals import wilson
from sc_neurocore.evidence.evaluation import labeled
from sc_neurocore.hardware.design import Design
from sc_neurocore.networks import FixedPoint, Network
from sc_neurocore.networks.network import numbers_first

__all__ = ["OperatingPoint", "cheapest", "operating_points", "pareto_front"]


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """A folded design and its accuracy on images.

    Attributes
    ----------
    design : Design
    n_right, n_images : int
        Number of images with the right class, and of all images.
    """

    design: Design
    n_right: int
    n_images: int

    @property
    def accuracy(self) -> float:
        """Fraction of the images with the right class."""
        return self.n_right / self.n_images

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the score interval of the accuracy over images; it does not know of a selection."""
        return wilson(self.n_right, self.n_images, confidence)

    @property
    def numbers(self) -> bool:
        """Whether a layer takes the inputs as numbers."""
        return not all(layer.sampled for layer in self.design.network)

    @property
    def width(self) -> int:
        """Number of weight bits, with signs, that are read per clock cycle to be compared.

        If a layer takes numbers, the bits of the inputs that are multiplied count as well.
        """
        bits = self.design.fixed_point.bits
        return self.design.simd * self.design.pe * (bits + 1 + (bits if self.numbers else 0))

    @property
    def cost(self) -> int:
        """Width times clock cycles per image: an estimate of area times time."""
        return self.width * self.design.clocks

    def __repr__(self) -> str:
        low, high = (100 * end for end in self.interval())
        d = self.design
        return (
            f"OperatingPoint({'numbers first, ' if self.numbers else ''}{d.fixed_point.bits} bits, "
            f"{d.length} steps, simd={d.simd}, pe={d.pe}: "
            f"{100 * self.accuracy:.2f} % ({low:.2f} to {high:.2f}), {d.clocks:,} clock cycles)"
        )


def operating_points(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    bits: Sequence[int] = (2, 3, 4, 6, 8),
    lengths: Sequence[int] = (4, 8, 16, 32),
    simd: Sequence[int] = (8,),
    pe: Sequence[int] = (1,),
    numbers: Sequence[bool] = (False,),
    fixed_point: FixedPoint = FixedPoint(),
    name: str = "network",
) -> list[OperatingPoint]:
    """Measure the accuracy of folded designs over all combinations of their parameters.

    Inputs and neurons per clock cycle change no bit, so the accuracy of each number of bits and steps
    is measured once.

    Parameters
    ----------
    network : Network
    images : array_like, shape (n, n_in)
        Densities in [0, 1].
    labels : array_like of int, shape (n,)
    bits : sequence of int
        Bits of weights and inputs.
    lengths : sequence of int
        Time steps per image.
    simd, pe : sequence of int
        As for `Design`. Combinations that a design does not allow are left out.
    numbers : sequence of bool
        Whether the layers that receive only inputs of the network take them as numbers, with
        ``sampled=False``. True is left out for layers that cannot.
    fixed_point : FixedPoint
        The other word lengths.
    name : str
        Name of the top modules.

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import cheapest, operating_points
    >>> digits = load_digits()
    >>> points = operating_points(digits.network, digits.images, digits.labels, bits=(3, 8))
    >>> cheapest(points, 0.975)
    OperatingPoint(3 bits, 4 steps, simd=8, pe=1: 97.56 % (95.68 to 98.63), 3,813 clock cycles)
    """
    x = _checks.array("images", images, [2])
    wanted = labeled(network, x, labels)[1]
    found = []
    for made, n, length in product(_networks(network, numbers, fixed_point), bits, lengths):
        format_ = FixedPoint(n, fixed_point.word, fixed_point.fraction, fixed_point.leak_bits)
        right = None
        for lanes, neurons in product(simd, pe):
            if neurons > lanes or any(layer.n_out % neurons for layer in network.layers[:-1]):
                continue
            design = Design(
                made,
                length,
                fixed_point=format_,
                architecture="folded",
                simd=lanes,
                pe=neurons,
                name=name,
            )
            if right is None:
                right = int(np.count_nonzero(design.simulate(x).classes == wanted))
            found.append(OperatingPoint(design, right, len(wanted)))
    if not found:
        _checks.fail("pe", "divide the neurons of all layers but the last", tuple(pe))
    return found


def _networks(network: Network, numbers: Sequence[bool], fixed_point: FixedPoint) -> list[Network]:
    """Return the network as it is, and if wanted and possible with inputs as numbers."""
    found = [network] if False in numbers else []
    if True in numbers:
        # Layers with recurrent weights, delays or plasticity cannot, and some not in hardware.
        with contextlib.suppress(ValueError):
            made = numbers_first(network)
            Design(made, 1, fixed_point=fixed_point, architecture="folded")
            found.append(made)
    return found


def pareto_front(points: Sequence[OperatingPoint]) -> list[OperatingPoint]:
    """Return the points of which none is at least as accurate at less cost, by increasing cost."""
    front: list[OperatingPoint] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.n_right)):
        if not front or point.n_right > front[-1].n_right:
            front.append(point)
    return front


def cheapest(points: Sequence[OperatingPoint], accuracy: float) -> OperatingPoint:
    """Return the point of least cost that has an accuracy on its images.

    Raises
    ------
    ValueError
        If no point has the accuracy.
    """
    wanted = _checks.finite("accuracy", accuracy)
    good = [point for point in points if point.accuracy >= wanted]
    if not good:
        best = max(points, key=lambda point: point.n_right)
        _checks.fail(
            "accuracy",
            f"be at most {best.accuracy:.4f}, the best of the points",
            wanted,
            "search more bits or steps",
        )
    return min(good, key=lambda point: (point.cost, -point.n_right))
