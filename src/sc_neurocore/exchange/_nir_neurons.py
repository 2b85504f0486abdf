"""Conversion between `LIF` and the neurons of NIR: units, and factors folded into weights.

NIR measures time in seconds. Its neurons, integrated by Euler's rule, are::

    LIF      v <- v + (dt/tau) ((v_leak - v) + r I)    tau_mem = 1000 tau, resistance = r / tau_mem
    IF       v <- v + dt r I                           resistance = r / 1000
    CubaLIF  i <- i + (dt/tau_syn) (w_in S - i)        before the equation of LIF
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import DAMAGED
from sc_neurocore.neurons import (
    LIF,
)

Reals = NDArray[np.float64]

# Fields of each kind. Kinds that do not fire are readouts.
FIELDS: dict[str, tuple[str, ...]] = {
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "IF": ("r", "v_threshold", "v_reset"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    "LI": ("tau", "r", "v_leak"),
    "I": ("r",),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
}
READOUTS = ("LI", "I", "CubaLI")

METADATA = "sc_neurocore"

# Relative tolerance for equal numbers: NIR files are often rounded to float32.
_ROUNDING = 1e-6


# Shortest time in s that looks like a number of time steps, and largest r of an IF per s that looks
# like an r per time step.
_LONG, _SLOW = 1.0, 10.0


class UnsupportedError(Exception):
    """A `Network` cannot represent a node; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Described:
    """A LIF neuron in NIR: kind, fields, and the NIR weight for a current of 1 per spike."""

    kind: str
    fields: dict[str, float]
    factor: float


@dataclass(frozen=True, eq=False)
class Recalled:
    """Metadata that `to_nir` wrote: neuron, gain, whether the form is canonical, and peak.

    The gain belongs to weights whose largest magnitude is ``peak * gain``. `peak` is None for files of
    older versions.
    """

    neuron: LIF
    gain: float
    canonical: bool
    peak: float | None


@dataclass(frozen=True, eq=False)
class Reading:
    """A neuron of NIR as a LIF.

    `factor` (n,) multiplies the weights, and `plus` (n,) is an additional bias current.
    `approximation` says which part is not exact, and `note` is a remark for the report. `gain` and
    `peak` are those of `Recalled`.
    """

    neuron: LIF
    factor: Reals
    plus: Reals | None = None
    approximation: str = ""
    note: str = ""
    gain: float | None = None
    peak: float | None = None


def describe(neuron: LIF, *, canonical: bool) -> Described:
    """Return the NIR form of a neuron.

    The canonical form has v_leak = 0 and the r that other readers assume: 1 for LIF, tau_mem / dt with
    a synaptic current, and 1 / dt, with dt in seconds, without a leak.
    """
    per_step = neuron.resistance * neuron.dt
    zero = neuron.v_rest if canonical or math.isinf(neuron.tau_mem) else 0.0
    fires = math.isfinite(neuron.v_threshold)
    voltages = (
        {"v_threshold": neuron.v_threshold - zero, "v_reset": neuron.v_reset - zero} if fires else {}
    )
    if math.isinf(neuron.tau_mem):
        factor, r = (per_step, 1000.0 / neuron.dt) if canonical else (1.0, 1000.0 * neuron.resistance)
        return Described("IF" if fires else "I", {"r": r, **voltages}, factor)
    r, factor = neuron.resistance * neuron.tau_mem, 1.0
    if canonical:
        r, factor = 1.0, r
        if neuron.tau_syn:
            r, factor = neuron.tau_mem / neuron.dt, per_step
    fields = {"r": r, "v_leak": neuron.v_rest - zero, **voltages}
    tau = neuron.tau_mem / 1000.0
    if neuron.tau_syn:
        filtered = {
            "tau_syn": neuron.tau_syn / 1000.0,
            "tau_mem": tau,
            "w_in": neuron.tau_syn / neuron.dt,
        }
        return Described("CubaLIF" if fires else "CubaLI", filtered | fields, factor)
    return Described("LIF" if fires else "LI", {"tau": tau, **fields}, factor)


def noted(neuron: LIF, gain: float, canonical: bool, peak: float) -> dict[str, str]:
    """Return metadata for a node: the parameters that its fields cannot represent."""
    content = {"neuron": asdict(neuron), "gain": gain, "canonical": canonical, "peak": peak}
    return {METADATA: json.dumps(content)}


def recalled(node: Any) -> Recalled | None:
    """Return the metadata that `to_nir` wrote to a node, or None if they are missing or damaged."""
    metadata = getattr(node, "metadata", None)
    try:
        content = json.loads(metadata[METADATA])  # type: ignore[index]  # None is a TypeError
        peak = float(content["peak"]) if "peak" in content else None
        gain = _checks.positive("gain", content["gain"])
        return Recalled(LIF(**content["neuron"]), gain, bool(content["canonical"]), peak)
    except DAMAGED:
        return None


def unread(node: Any) -> str:
    """Return a remark on metadata that are not used, or an empty string if there are none."""
    metadata = getattr(node, "metadata", None)
    if metadata is None or (isinstance(metadata, Mapping) and not metadata):
        return ""
    if not isinstance(metadata, Mapping):
        return "its metadata cannot be read and were not used"
    others = ", ".join(repr(key) for key in metadata if key != METADATA)
    remarks = [f"its metadata {others} were not used"] if others else []
    if METADATA in metadata and recalled(node) is None:
        remarks.append(f"its metadata {METADATA!r} cannot be read and were not used")
    return "; ".join(remarks)


def read(
    kind: str,
    fields: Mapping[str, Reals],
    dt: float,
    metadata: Recalled | None,
) -> Reading:
    """Return a neuron of NIR as a LIF with a time step of dt ms. Its fields have shape (n,)."""
    note = ""
    if metadata is not None:
        own = describe(metadata.neuron, canonical=metadata.canonical)
        if own.kind == kind and all(
            np.allclose(fields[name], value, rtol=_ROUNDING, atol=1e-12)
            for name, value in own.fields.items()
        ):
            factor = np.full(len(fields["r"]), 1.0 / own.factor)
            return Reading(metadata.neuron, factor, gain=metadata.gain, peak=metadata.peak)
        note = "its metadata belong to other fields and were not used"
    if kind in ("IF", "I"):
        tau, leak, share = math.inf, np.zeros(len(fields["r"])), fields["r"] / 1000.0
    else:
        tau = _time("tau_mem" if "tau_mem" in fields else "tau", fields, dt)
        leak, share = fields["v_leak"], fields["r"] / tau
    tau_syn, filtered = 0.0, np.ones(len(share))
    if "tau_syn" in fields:
        tau_syn = _time("tau_syn", fields, dt)
        filtered = fields["w_in"] * (dt / tau_syn)
    times: dict[str, Any] = {"tau_mem": tau, "tau_syn": tau_syn, "dt": dt}
    if kind in READOUTS:
        reading = _readout(share, leak, times)
    else:
        reading = _firing(share, leak, fields["v_threshold"], fields["v_reset"], times)
    factor = reading.factor * filtered
    notes = "; ".join(filter(None, (reading.note, note, _unit_remark(kind, fields, dt))))
    return Reading(reading.neuron, factor, reading.plus, reading.approximation, notes)


def delay_remark(delays: Reals, dt: float) -> str:
    """Return a remark if delays in seconds look like delays in time steps, else an empty string."""
    return _remark(f"the delay is {delays.max():.6g} s" if delays.max() >= _LONG else "", dt)


def _unit_remark(kind: str, fields: Mapping[str, Reals], dt: float) -> str:
    """Return a remark if time constants in seconds look like time constants in time steps."""
    for name in ("tau", "tau_mem", "tau_syn"):
        if name in fields and fields[name].max() >= _LONG:
            return _remark(f"{name} is {fields[name].max():.6g} s", dt)
    r = fields["r"].max()
    slow = kind in ("IF", "I") and r <= _SLOW
    return _remark(f"r is {r:.6g} per s, {r * dt / 1000.0:.6g} per time step" if slow else "", dt)


def _remark(what: str, dt: float) -> str:
    return f"{what}; if its unit is the time step, pass dt_ms=1000" if what and dt < 1000.0 else ""


def _readout(share: Reals, leak: Reals, times: dict[str, Any]) -> Reading:
    if not _is_uniform(leak):
        raise UnsupportedError("v_leak differs between neurons of a readout")
    rest = float(leak[0])
    voltages: dict[str, Any] = {"v_rest": rest, "v_reset": 0.0, "v_threshold": math.inf}
    if _is_uniform(share) and share[0] > 0:
        return Reading(LIF(**voltages, **times, resistance=float(share[0])), np.ones(len(share)))
    return Reading(LIF(**voltages, **times), share, note="r folded into the weights")


def _firing(
    share: Reals, leak: Reals, threshold: Reals, reset: Reals, times: dict[str, Any]
) -> Reading:
    """Return the LIF of firing neurons, with potentials rescaled if their voltages differ."""
    if (reset >= threshold).any():
        raise UnsupportedError("v_reset is not below v_threshold")
    if all(map(_is_uniform, (leak, threshold, reset))):
        voltages: dict[str, Any] = {
            "v_rest": float(leak[0]),
            "v_reset": float(reset[0]),
            "v_threshold": float(threshold[0]),
        }
        if _is_uniform(share) and share[0] > 0:
            neuron = LIF(**voltages, **times, resistance=float(share[0]))
            return Reading(neuron, np.ones(len(share)))
        return Reading(LIF(**voltages, **times), share, note="r folded into the weights")
    note = "voltages folded into the weights"
    span = threshold - leak
    if (span > 0).all() and _is_uniform((reset - leak) / span, 1e-12):
        ratio = float((reset[0] - leak[0]) / span[0])
        return Reading(LIF(v_reset=ratio, **times), share / span, note=note)
    span = threshold - reset
    neuron = LIF(**times)
    if math.isinf(times["tau_mem"]):
        approximation = "potentials start at v_reset, not at 0"
        return Reading(neuron, share / span, None, approximation, note)
    if times["tau_syn"]:
        raise UnsupportedError("(v_reset - v_leak) / (v_threshold - v_leak) differs between neurons")
    drive = (leak - reset) / (span * times["tau_mem"])
    if not drive.any():
        return Reading(neuron, share / span, note=note)
    approximation = "v_leak became a bias, and potentials start at v_reset"
    return Reading(neuron, share / span, drive, approximation, note)


def _time(name: str, fields: Mapping[str, Reals], dt: float) -> float:
    """Return the common time constant of all neurons in ms."""
    values = fields[name] * 1000.0
    if not _is_uniform(values):
        raise UnsupportedError(
            f"{name} differs between neurons, {values.min():.6g} to {values.max():.6g} ms"
        )
    tau = float(values[0])
    if not tau > 0:
        raise UnsupportedError(f"{name} is {tau:.6g} ms, not greater than 0")
    if tau < dt and math.isclose(tau, dt, rel_tol=_ROUNDING):
        return dt
    if tau < dt:
        raise UnsupportedError(f"{name} is {tau:.6g} ms, shorter than the step of {dt:.6g} ms")
    return tau


def _is_uniform(values: Reals, tolerance: float = 0.0) -> bool:
    return bool(np.ptp(values) <= tolerance * np.abs(values).max())
