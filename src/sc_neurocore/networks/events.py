"""Spike events: times and unit numbers, as event cameras and recordings give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams._bits import pack

__all__ = ["Events"]

# Bits that are unpacked at a time.
_BITS = 2**26


@dataclass(frozen=True, eq=False)
class Events:
    """Spikes as events, each with a time and the number of the unit that fired.

    Functions that take the inputs of a network accept events in place of spike trains. An event at time
    t belongs to time step ``floor((t - start) / dt)``; a quotient within rounding of an integer is that
    integer, so that the division does not move times on the grid of the steps. A unit has at most one
    spike per step: further events of the unit in the same step are dropped, and `merged` counts them.
    Events before `start` or after the last step are an error, so that none is lost unnoticed.

    Parameters
    ----------
    times : array_like, shape (n_events,), or sequence of such arrays
        Times in the unit of `dt`, in any order. A sequence has one array for each row of a batch.
    units : array_like of int, shape (n_events,), or sequence of such arrays
        Numbers of the units in [0, n_units), one for each time.
    shape : (int, int)
        Number of units and number of time steps.
    dt : float
        Duration of a time step, greater than 0.
    start : float
        Time at which the first step begins.

    Attributes
    ----------
    merged : int
        Number of events that were dropped because the unit had fired in the same step already.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If times and units differ in number, a unit is out of range, or a time is outside the steps.

    Warns
    -----
    UserWarning
        If events were merged and all lie in the first hundredth of the steps, as times in seconds do in
        steps of milliseconds.

    Examples
    --------
    >>> from sc_neurocore import Events
    >>> events = Events([0.2, 2.7, 2.9], [1, 0, 0], shape=(2, 4))
    >>> events.bitstream().bits()
    array([[0, 0, 1, 0],
           [1, 0, 0, 0]], dtype=uint8)
    >>> events.merged
    1
    """

    times: ArrayLike | Sequence[ArrayLike]
    units: ArrayLike | Sequence[ArrayLike]
    shape: tuple[int, int]
    dt: float = 1.0
    start: float = 0.0
    merged: int = field(init=False)
    _batched: bool = field(init=False)
    _addresses: tuple[NDArray[np.int64], ...] = field(init=False)

    def __post_init__(self) -> None:
        shape = self.shape
        if not isinstance(shape, Sequence) or len(shape) != 2:
            _checks.wrong_type("shape", "be a pair, the number of units and of time steps", shape)
        n_units = _checks.integer("shape[0]", shape[0], 1)
        steps = _checks.length_of_stream("shape[1]", shape[1])
        dt, start = _checks.positive("dt", self.dt), _checks.finite("start", self.start)
        batched = _is_batch(self.times)
        if batched != _is_batch(self.units):
            _checks.wrong_type("units", "be a sequence of arrays exactly if times is", self.units)
        rows_of_times: Any = self.times if batched else [self.times]
        rows_of_units: Any = self.units if batched else [self.units]
        if len(rows_of_times) != len(rows_of_units):
            contract = f"have one array for each of the {len(rows_of_times)} arrays of times"
            _checks.fail("units", contract, len(rows_of_units))
        given = [
            _addresses(times, units, n_units, steps, dt, start)
            for times, units in zip(rows_of_times, rows_of_units, strict=True)
        ]
        kept = tuple(np.unique(addresses) for addresses in given)
        merged = sum(map(len, given)) - sum(map(len, kept))
        if merged:
            _warn_of_units(given, steps, merged)
        checked = {
            "shape": (n_units, steps),
            "dt": dt,
            "start": start,
            "merged": merged,
            "_batched": batched,
            "_addresses": kept,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def bitstream(self) -> Bitstream:
        """Return the spike trains, of batch shape (n_units,) or (batch, n_units)."""
        steps = self.shape[1]
        rows = [self._packed(addresses) for addresses in self._addresses]
        words = np.stack(rows) if self._batched else rows[0]
        return Bitstream(words, steps)

    def _packed(self, addresses: NDArray[np.int64]) -> NDArray[np.uint64]:
        n_units, steps = self.shape
        some = max(_BITS // steps, 1)
        parts = []
        for first in range(0, n_units, some):
            n = min(some, n_units - first)
            low, high = np.searchsorted(addresses, [first * steps, (first + n) * steps])
            bits = np.zeros(n * steps, np.uint8)
            bits[addresses[low:high] - first * steps] = 1
            parts.append(pack(bits.reshape(n, steps)))
        return np.concatenate(parts)

    def __repr__(self) -> str:
        n = sum(map(len, self._addresses))
        return f"Events({n} spikes, {self.shape[0]} units, {self.shape[1]} steps, merged={self.merged})"


def _warn_of_units(given: list[NDArray[np.int64]], steps: int, merged: int) -> None:
    """Warn of times in another unit than `dt`, whose events all fall into the first few steps."""
    last = max(int((addresses % steps).max(initial=0)) for addresses in given)
    if steps >= 10 and last * 100 < steps:
        n, few = sum(map(len, given)), "step" if last == 0 else f"{last + 1} steps"
        message = (
            f"all {n} events lie in the first {few} of {steps}, and {merged} of them were merged; give "
            "dt in the unit of times, such as dt=0.001 for times in seconds and steps of 1 ms"
        )
        _checks.warn(message, UserWarning)


def _is_batch(values: Any) -> bool:
    """Return whether values are a sequence of arrays rather than one array."""
    if isinstance(values, np.ndarray):
        return bool(values.dtype == object)
    return isinstance(values, Sequence) and len(values) > 0 and np.ndim(values[0]) > 0


def _addresses(
    times: Any, units: Any, n_units: int, steps: int, dt: float, start: float
) -> NDArray[np.int64]:
    """Return unit * steps + step of each event."""
    t = _checks.array("times", times, [1], borrow=True)
    empty = np.zeros(0, np.uint64)
    unit = empty if np.size(units) == 0 else _checks.counting("units", units, borrow=True)
    if unit.shape != t.shape:
        _checks.fail("units", f"hold one unit for each of the {len(t)} times", f"shape {unit.shape}")
    if unit.size and unit.max() >= n_units:
        remedy = "units are counted from 0, and shape is (units, steps)"
        _checks.fail("units", f"lie in [0, {n_units})", unit.max(), remedy)
    exact = (t - start) / dt
    nearest = np.rint(exact)
    rounding = 8 * np.finfo(np.float64).eps * (np.abs(t) + abs(start)) / dt
    step = np.where(np.abs(exact - nearest) <= rounding, nearest, np.floor(exact))
    outside = (step < 0) | (step >= steps)
    if outside.any():
        end = start + steps * dt
        _checks.fail("times", f"lie in [{start}, {end}), within the steps", t[outside][0],
                     "select the events, change start or the number of steps, or give dt in the "
                     "unit of times")  # fmt: skip
    return unit.astype(np.int64) * steps + step.astype(np.int64)
