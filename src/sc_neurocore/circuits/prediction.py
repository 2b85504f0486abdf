"""Predicted densities and errors of the nets of a circuit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf, exp, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._tables import html_table
from sc_neurocore.circuits._laws import Law, Laws, Leaf
from sc_neurocore.circuits._nets import Call, Net
from sc_neurocore.circuits._wires import Part, Wiring, wire_names
from sc_neurocore.operators.decorrelation import decorrelate, regenerate
from sc_neurocore.operators.machines import addie, gaines_divide, gaines_sqrt
from sc_neurocore.operators.products import umul

__all__ = ["Prediction"]

Floats = NDArray[np.float64]

# Densities that a table in a notebook shows.
_MOST_ROWS = 16


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted density of a net at a stream length.

    Attributes
    ----------
    value : ndarray of float64
        Density in the limit of long streams, if every operand of an operator were independent of the
        others, or had the SCC that the operator requires.
    mean : ndarray of float64
        Expected density at this length, with the correlation of the operands as it is.
    variance : ndarray of float64
        Variance of the density.
    low, high : ndarray of float64
        Bounds of the mean, equal to it if that is exact.
    method : ndarray of str
        "exact": from the joint law of all generators, flip-flops and machines that the net depends on.
        "settled": the same, but delays of many steps are not part of the state, and the steps before
        they hold bits of a stream do not count.
        "law": as "exact", but the result of `addie` and other operators with random numbers of their
        own is an independent stream with the law of the operator.
        "bounded": too many outcomes or states, so that operands were taken as independent; `low` and
        `high` hold for any correlation.
        "sampled": mean and variance of simulations with 64 seeds.
    """

    value: Floats
    mean: Floats
    variance: Floats
    low: Floats
    high: Floats
    method: NDArray[np.str_]

    @property
    def bias(self) -> Floats:
        """Expected error, ``mean - value``."""
        return np.asarray(self.mean - self.value)

    @property
    def standard_error(self) -> Floats:
        """Standard deviation of the density."""
        return np.asarray(np.sqrt(self.variance))

    def __repr__(self) -> str:
        if self.mean.ndim:
            return f"Prediction(shape={self.mean.shape}, method={'/'.join(np.unique(self.method))})"
        error = f"{self.standard_error:.2g}, bias {self.bias:.2g}"
        return f"Prediction({self.mean:.4g} +- {error}, {self.method})"

    def _repr_html_(self) -> str:
        columns = (self.value, self.mean, self.bias, self.standard_error, self.low, self.high)
        flat = [np.ravel(column) for column in (*columns, self.method)]
        rows = [
            (*map(int, index), *(f"{x[i]:.4g}" for x in flat[:-1]), str(flat[-1][i]))
            for i, index in enumerate(np.ndindex(np.shape(self.value)))
            if i < _MOST_ROWS
        ]
        if np.size(self.value) > _MOST_ROWS:
            rows.append(("...",) * len(rows[0]))
        axes = (f"axis {k}" for k in range(np.ndim(self.value)))
        names = ("value", "mean", "bias", "standard error", "low", "high", "method")
        return html_table((*axes, *names), rows)


def leaves_of(
    wiring: Wiring,
    values: Mapping[str, float],
    numbers: Mapping[str, tuple[int, bool]],
) -> dict[int, Leaf]:
    """Return the laws of all wires that are no gates, flip-flops or machines, except black boxes."""
    leaves: dict[int, Leaf] = {}
    for part in wiring.parts:
        (wire, *_) = part.results
        if part.kind == "input":
            number, inverted = numbers[part.detail]
            leaves[wire] = Leaf(values[part.detail], ("input", number), inverted)
        elif part.kind == "encode":
            p, generator = part.detail
            leaves[wire] = Leaf(p, ("encode", *generator))
        elif part.kind == "constant":
            stream, index = part.detail
            p = float(stream[index].probability() if index else stream.probability())
            # The bits are given, so that the density does not vary, but they are used as random ones.
            leaves[wire] = Leaf(p, ("constant", wire), variance=0.0)
        elif part.kind == "black box":
            leaves[wire] = Leaf(0.5, ("black box", wire), method="law")
    return leaves


def laws_of(
    wiring: Wiring,
    values: Mapping[str, float],
    numbers: Mapping[str, tuple[int, bool]],
    length: int,
) -> Laws:
    """Return the laws of all wires."""
    leaves = leaves_of(wiring, values, numbers)
    laws = Laws(wiring.parts, leaves, length)
    for part in wiring.parts:
        if part.kind == "black box":
            before = Laws(wiring.parts, leaves, length)  # boxes in order, so that operands are known
            operands = [before.law(wire) for wire in part.operands]
            leaves[part.results[0]] = _box_leaf(part, operands, length)
            laws = Laws(wiring.parts, leaves, length)
    return laws


def _box_leaf(part: Part, operands: list[Law], length: int) -> Leaf:
    call = part.detail[0]
    law = BOXES.get(call.function)
    if law is None:
        return Leaf(0.5, ("black box", part.results[0]), method="bounded")
    mean, variance = law(operands, call, length)
    mean = min(max(mean, 0.0), 1.0)
    return Leaf(mean, ("black box", part.results[0]), False, "law", max(variance, 0.0))


def _settled(start: float, end: float, rate: float, length: int) -> float:
    """Return the mean over time of a value that approaches its end exponentially."""
    if rate <= 0:
        return start
    return end + (start - end) * (1 - (1 - rate) ** length) / (rate * length)


def _umul(x: list[Law], call: Call, length: int) -> tuple[float, float]:
    p, q = x[0].mean, x[1].mean
    d = call.kwargs.get("window")
    # A register holds its first bits, as many ones as zeros, in (d + 1) / 2 of the first d steps.
    seen = q if d is None else q + (0.5 - q) * _filling(d, length)
    own = 0.0 if d is None else x[1].variance * (1 - 1 / d)
    if not call.kwargs.get("bipolar", False):
        return p * seen, q**2 * x[0].variance + p * q * (1 - q) / length + p**2 * own
    sampled = _mean_magnitude(2 * p - 1, 4 * x[0].variance) * q * (1 - q) / length
    if d is not None:
        sampled += _moved(p, q, d, length) / length
    mean = p * seen + (1 - p) * (1 - seen)
    return mean, (2 * q - 1) ** 2 * x[0].variance + sampled + (2 * p - 1) ** 2 * own


def _filling(d: int, length: int) -> float:
    """Return the share of the first bits of a shift register of d bits, over the steps."""
    steps = min(d, length)
    return steps * (2 * d - steps + 1) / (2 * d * length)


def _moved(p: float, q: float, d: int, length: int) -> float:
    """Return the share of steps whose number, drawn twice, lies between two contents of a register.

    One and zero number k of x meet the same number, but not the same d bits of y.
    """
    share = min(p, 1 - p)
    if share <= 0:
        return 0.0
    k = np.linspace(0.0, share * length, 65)
    late = k * abs(1 / p - 1 / (1 - p))
    spread = np.sqrt(k * ((1 - p) / p**2 + p / (1 - p) ** 2))
    steps = np.array([_mean_magnitude(m, v**2) for m, v in zip(late, spread, strict=True)])
    differing = 2 * q * (1 - q) * np.minimum(steps, d)
    return float(share * np.sqrt(2 * differing / np.pi).mean() / d)


def _mean_magnitude(mean: float, variance: float) -> float:
    """Return the mean magnitude of a normal variable."""
    if variance <= 0:
        return abs(mean)
    width = (2 * variance) ** 0.5
    return float(width / pi**0.5 * exp(-((mean / width) ** 2)) + mean * erf(mean / width))


def _levels(call: Call) -> float:
    """Return the number of levels of the counter of an operator."""
    n_bits = call.kwargs.get("n_bits", next((a for a in call.args if isinstance(a, int)), 0))
    return float(2.0**n_bits)


def _addie(x: list[Law], call: Call, length: int) -> tuple[float, float]:
    p = x[0].mean
    # Ones of z are those of x, less the growth of the counter.
    variance = x[0].variance - p * (1 - p) * _levels(call) / length**2
    return _settled(0.5, p, 1 / _levels(call), length), variance


def _gaines_divide(x: list[Law], call: Call, length: int) -> tuple[float, float]:
    p, q = x[0].mean, max(x[1].mean, 1e-300)
    z = min(p / q, 1.0)
    # Ones of y & z are those of x, less the growth of the counter; z is also sampled where y is 0.
    matched = x[0].variance - p * (1 - p) * _levels(call) / (q * length**2)
    variance = matched / q**2 + z * (1 - q) / (q * length)
    return _settled(0.5, z, q / _levels(call), length), variance


def _gaines_sqrt(x: list[Law], call: Call, length: int) -> tuple[float, float]:
    p = x[0].mean
    root = np.sqrt(p)
    end = root - (1 - p) / (4 * _levels(call))
    return _settled(0.5, end, 2 * root / _levels(call), length), (1 - p) / (2 * length)


def _kept(x: list[Law], call: Call, length: int) -> tuple[float, float]:
    return x[0].mean, x[0].variance


def _regenerated(x: list[Law], call: Call, length: int) -> tuple[float, float]:
    p = x[0].mean
    return p, x[0].variance + p * (1 - p) / length


_BOX_LAWS: list[tuple[Any, Callable[[list[Law], Call, int], tuple[float, float]]]] = [
    (umul, _umul),
    (addie, _addie),
    (gaines_divide, _gaines_divide),
    (gaines_sqrt, _gaines_sqrt),
    (decorrelate, _kept),
    (regenerate, _regenerated),
]
BOXES = {function.__wrapped__: law for function, law in _BOX_LAWS}


def predicted(nets: Mapping[str, Net], wiring: Wiring, laws: Laws) -> list[dict[str, NDArray[Any]]]:
    """Return mean, variance, bounds and method of nets."""
    found = []
    for net in nets.values():
        wires = wiring.wires(net)
        rows = [laws.law(int(wire)) for wire in wires.flat]
        found.append(
            {
                field: np.array([getattr(row, field) for row in rows]).reshape(wires.shape)
                for field in Law._fields
            }
        )
    return found


def sampled(densities: Callable[[int], list[Floats]]) -> list[tuple[Any, ...]]:
    """Return the fields of predictions after the value, from the densities of nets under 64 seeds."""
    samples = [np.array(found) for found in zip(*(densities(seed) for seed in range(64)), strict=True)]
    fields = []
    for sample in samples:
        mean = sample.mean(axis=0)
        fields.append((mean, sample.var(axis=0, ddof=1), mean, mean, np.full(mean.shape, "sampled")))
    return fields


def input_values(values: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Return the probability of each wire of the inputs."""
    return {
        wire: float(p)
        for name, array in values.items()
        for wire, p in zip(wire_names(name, array.shape), array.flat, strict=True)
    }
