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
OneOrEach = float | Reals

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
    """A LIF neuron in NIR: kind, fields, and the NIR weight for a current of 1 per spike.

    Values are numbers, or arrays with one for each row of weights.
    """

    kind: str
    fields: Mapping[str, OneOrEach]
    factor: OneOrEach


@dataclass(frozen=True, eq=False)
class Recalled:
    """Metadata that `to_nir` wrote: neuron, gain, whether the form is canonical, and peak.

    The gain belongs to weights whose largest magnitude is ``peak * gain``, in all rows or, if they are
    arrays, in each. `peak` is None for files of older versions. `sampled` is that of the layer.
    """

    neuron: LIF
    gain: OneOrEach
    canonical: bool
    peak: OneOrEach | None
    sampled: bool = True


@dataclass(frozen=True, eq=False)
class Reading:
    """A neuron of NIR as a LIF.

    `factor` (n,) multiplies the weights, and `plus` (n,) is an additional bias current.
    `approximation` says which part is not exact, and `note` is a remark for the report. `gain`, `peak`
    and `sampled` are those of `Recalled`.
    """

    neuron: LIF
    factor: Reals
    plus: Reals | None = None
    approximation: str = ""
    note: str = ""
    gain: OneOrEach | None = None
    peak: OneOrEach | None = None
    sampled: bool = True


def describe(neuron: LIF, *, canonical: bool) -> Described:
    """Return the NIR form of a neuron.

    The canonical form has v_leak = 0 and the r that other readers assume: 1 for LIF, tau_mem / dt with
    a synaptic current, and 1 / dt, with dt in seconds, without a leak.
    """
    per_step = neuron.resistance * neuron.dt
    leaks = not np.isinf(neuron.tau_mem).any()
    zero = neuron.v_rest if canonical or not leaks else 0.0
    fires = not np.isinf(neuron.v_threshold).any()
    voltages = (
        {"v_threshold": neuron.v_threshold - zero, "v_reset": neuron.v_reset - zero} if fires else {}
    )
    if not leaks:
        factor, r = (per_step, 1000.0 / neuron.dt) if canonical else (1.0, 1000.0 * neuron.resistance)
        return Described("IF" if fires else "I", {"r": r, **voltages}, factor)
    r, factor = neuron.resistance * neuron.tau_mem, 1.0
    if canonical:
        r, factor = 1.0, r
        if np.any(neuron.tau_syn):
            r, factor = neuron.tau_mem / neuron.dt, per_step
    fields = {"r": r, "v_leak": neuron.v_rest - zero, **voltages}
    tau = neuron.tau_mem / 1000.0
    if np.any(neuron.tau_syn):
        filtered = {
            "tau_syn": neuron.tau_syn / 1000.0,
            "tau_mem": tau,
            "w_in": neuron.tau_syn / neuron.dt,
        }
        return Described("CubaLIF" if fires else "CubaLI", filtered | fields, factor)
    return Described("LIF" if fires else "LI", {"tau": tau, **fields}, factor)


def noted(
    neuron: LIF, gain: OneOrEach, canonical: bool, peak: OneOrEach, sampled: bool
) -> dict[str, str]:
    """Return metadata for a node: the parameters that its fields cannot represent."""
    parameters = {name: np.asarray(value).tolist() for name, value in asdict(neuron).items()}
    content = {
        "neuron": parameters,
        "gain": np.asarray(gain).tolist(),
        "canonical": canonical,
        "peak": np.asarray(peak).tolist(),
    } | ({} if sampled else {"sampled": False})
    return {METADATA: json.dumps(content)}


def recalled(node: Any) -> Recalled | None:
    """Return the metadata that `to_nir` wrote to a node, or None if they are missing or damaged."""
    metadata = getattr(node, "metadata", None)
    try:
        content = json.loads(metadata[METADATA])  # type: ignore[index]  # None is a TypeError
        peak = _one_or_each("peak", content["peak"]) if "peak" in content else None
        gain = _one_or_each("gain", content["gain"])
        canonical, sampled = bool(content["canonical"]), bool(content.get("sampled", True))
        return Recalled(LIF(**content["neuron"]), gain, canonical, peak, sampled)
    except DAMAGED:
        return None


def _one_or_each(name: str, value: Any) -> OneOrEach:
    """Return a positive number, or an array of them."""
    if not isinstance(value, list):
        return _checks.positive(name, value)
    values = _checks.array(name, value, [1])
    if not (values > 0).all():
        _checks.fail(name, "be greater than 0", values.min())
    return values


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
            np.allclose(fields[name], spread(value, len(fields[name])), rtol=_ROUNDING, atol=1e-12)
            for name, value in own.fields.items()
        ):
            factor = 1.0 / spread(own.factor, len(fields["r"]))
            return Reading(
                metadata.neuron, factor, gain=metadata.gain, peak=metadata.peak,
                sampled=metadata.sampled,
            )  # fmt: skip
        note = "its metadata belong to other fields and were not used"
    tau: OneOrEach
    tau_syn: OneOrEach = 0.0
    if kind in ("IF", "I"):
        tau, leak, share = math.inf, np.zeros(len(fields["r"])), fields["r"] / 1000.0
    else:
        tau = _time("tau_mem" if "tau_mem" in fields else "tau", fields, dt)
        leak, share = fields["v_leak"], fields["r"] / tau
    filtered = np.ones(len(share))
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
    voltages: dict[str, Any] = {"v_rest": _one(leak), "v_reset": 0.0, "v_threshold": math.inf}
    return _resisting(share, voltages | times)


def _firing(
    share: Reals, leak: Reals, threshold: Reals, reset: Reals, times: dict[str, Any]
) -> Reading:
    """Return the LIF of firing neurons, with potentials in units of each threshold if they differ."""
    if (reset >= threshold).any():
        raise UnsupportedError("v_reset is not below v_threshold")
    span = threshold - leak
    same = all(map(_is_uniform, (leak, threshold, reset)))
    if not same and (span > 0).all() and _is_uniform((reset - leak) / span, 1e-12):
        ratio, note = float((reset[0] - leak[0]) / span[0]), "voltages folded into the weights"
        return Reading(LIF(v_reset=ratio, **times), share / span, note=note)
    voltages = {"v_rest": _one(leak), "v_reset": _one(reset), "v_threshold": _one(threshold)}
    return _resisting(share, voltages | times)


def _resisting(share: Reals, parameters: dict[str, Any]) -> Reading:
    """Return the LIF with a common resistance, or with that of each neuron in the weights."""
    if _is_uniform(share) and share[0] > 0:
        return Reading(LIF(**parameters, resistance=float(share[0])), np.ones(len(share)))
    return Reading(LIF(**parameters), share, note="r folded into the weights")


def _time(name: str, fields: Mapping[str, Reals], dt: float) -> OneOrEach:
    """Return the time constant of all neurons in ms, or that of each."""
    values = fields[name] * 1000.0
    for tau in (float(values.min()), float(values.max())):
        if not tau > 0:
            raise UnsupportedError(f"{name} is {tau:.6g} ms, not greater than 0")
        if tau < dt and not math.isclose(tau, dt, rel_tol=_ROUNDING):
            raise UnsupportedError(f"{name} is {tau:.6g} ms, shorter than the step of {dt:.6g} ms")
    return _one(np.maximum(values, dt))


def _one(values: Reals) -> OneOrEach:
    """Return a number if all values are equal."""
    return float(values[0]) if _is_uniform(values) else values


def spread(value: OneOrEach, n: int) -> Reals:
    """Return a value of all rows of weights, or of each, for n neurons."""
    of_rows = np.atleast_1d(np.asarray(value, np.float64))
    return np.repeat(of_rows, n // len(of_rows))


def _is_uniform(values: Reals, tolerance: float = 0.0) -> bool:
    return bool(np.ptp(values) <= tolerance * np.abs(values).max())
