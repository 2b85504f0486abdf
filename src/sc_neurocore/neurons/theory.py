"""Closed forms of a LIF neuron under a constant current, and the spread that noise sustains."""

from __future__ import annotations

import math

from sc_neurocore import _checks
from sc_neurocore.neurons.lif import LIF


def rheobase(neuron: LIF) -> float:
    """Return the current at which v comes to rest exactly at threshold; below it nothing fires.

    I = (v_threshold - v_rest) / (resistance * tau_mem), without noise; times dt / tau_syn if there is a
    synaptic current, for that settles at I * tau_syn / dt. 0 without a leak: any current above it
    fires. inf if the threshold is.

    Examples
    --------
    >>> from sc_neurocore import LIF, rheobase
    >>> rheobase(LIF(tau_mem=20.0))
    0.05
    """
    _checks.instance("neuron", neuron, LIF)
    if neuron.v_threshold == math.inf:
        return math.inf
    if neuron.tau_mem == math.inf:
        return 0.0
    needed = (neuron.v_threshold - neuron.v_rest) / (neuron.resistance * neuron.tau_mem)
    return needed / _settled(neuron)


def isi_steps(neuron: LIF, current: float) -> float:
    """Return the steps between spikes under a constant current, without noise; inf if it never fires.

    Forward Euler with a = 1 - dt / tau_mem and v_inf = v_rest + resistance * current * tau_mem takes
    ceil(ln((v_inf - v_threshold) / (v_inf - v_reset)) / ln(a)) steps from v_reset to threshold,
    exactly; the refractory period comes on top. Without a leak it takes
    ceil((v_threshold - v_reset) / (resistance * current * dt)). A synaptic current has settled at
    current * tau_syn / dt.

    With reset="subtract" and no leak nothing is lost, so the steps between spikes are
    (v_threshold - v_reset) / (resistance * current * dt) on average, at least 1.

    Raises
    ------
    ValueError
        For reset="subtract" with a leak: there the intervals have no closed form.

    Examples
    --------
    >>> from sc_neurocore import LIF, isi_steps
    >>> isi_steps(LIF(tau_mem=20.0), 0.08)
    20.0
    """
    v_inf = _v_inf(neuron, current)
    leaks, subtracts = neuron.tau_mem < math.inf, neuron.reset == "subtract"
    if leaks and subtracts:
        _checks.fail(
            "neuron",
            "have reset='value', or no leak",
            neuron,
            "its intervals have no closed form; isi_ms has that of continuous time",
        )
    if v_inf <= neuron.v_threshold:
        return math.inf
    if not leaks:
        rise = neuron.resistance * current * _settled(neuron) * neuron.dt
        needed = max((neuron.v_threshold - neuron.v_reset) / rise, 1.0)
        return (needed if subtracts else float(math.ceil(needed))) + neuron.refractory_period
    leak = neuron.dt / neuron.tau_mem
    rise = (v_inf - neuron.v_threshold) / (v_inf - neuron.v_reset)
    steps = 1 if leak == 1.0 else max(1, math.ceil(math.log(rise) / math.log1p(-leak)))
    return float(steps + neuron.refractory_period)


def isi_ms(neuron: LIF, current: float) -> float:
    """Return the interval between spikes in continuous time, in ms; inf if it never fires.

    tau_mem * ln((v_inf - v_reset) / (v_inf - v_threshold)), plus the refractory period; without a leak
    (v_threshold - v_reset) / (resistance * current). A synaptic current has settled at
    current * tau_syn / dt. No potential passes the threshold, so both resets are one.

    Examples
    --------
    >>> from sc_neurocore import LIF, isi_ms
    >>> round(isi_ms(LIF(tau_mem=20.0), 0.08), 2)
    19.62
    """
    v_inf = _v_inf(neuron, current)
    if v_inf <= neuron.v_threshold:
        return math.inf
    if neuron.tau_mem == math.inf:
        slope = neuron.resistance * current * _settled(neuron)
        rise = (neuron.v_threshold - neuron.v_reset) / slope
    else:
        rise = neuron.tau_mem * math.log((v_inf - neuron.v_reset) / (v_inf - neuron.v_threshold))
    return rise + neuron.refractory_period * neuron.dt


def stationary_std(neuron: LIF) -> float:
    """Return the standard deviation of v that noise alone sustains, were there no threshold.

    noise_std / sqrt(1 - a**2) with a = 1 - dt / tau_mem; without a leak it grows for ever, to inf.
    """
    _checks.instance("neuron", neuron, LIF)
    leak = neuron.dt / neuron.tau_mem
    if leak == 0.0:
        return math.inf if neuron.noise_std else 0.0
    return neuron.noise_std / math.sqrt(leak * (2.0 - leak))


def _v_inf(neuron: LIF, current: float) -> float:
    """Return where v comes to rest without a threshold."""
    _checks.instance("neuron", neuron, LIF)
    current = _checks.finite("current", current)
    if neuron.tau_mem == math.inf:
        return math.copysign(math.inf, current) if current else neuron.v_rest
    return neuron.v_rest + neuron.resistance * current * _settled(neuron) * neuron.tau_mem


def _settled(neuron: LIF) -> float:
    """Return the synaptic current that a constant current of 1 settles at."""
    return neuron.tau_syn / neuron.dt if neuron.tau_syn else 1.0
