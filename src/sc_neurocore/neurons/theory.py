"""Closed forms of a LIF neuron under a constant current, and the spread that noise sustains."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons.lif import LIF, LIFState


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

    The steps from v_reset to the first spike are counted by the recurrence itself, in its arithmetic,
    and the refractory period is added. With a = 1 - dt / tau_mem and
    v_inf = v_rest + resistance * current * tau_mem their number is, but for rounding,::

        ceil(ln((v_inf - v_threshold) / (v_inf - v_reset)) / ln(a))
        ceil((v_threshold - v_reset) / (resistance * current * dt))     without a leak

    These are used where they exceed 10 million steps. A synaptic current has settled at
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
    if neuron.v_threshold == math.inf:
        return math.inf
    if not leaks:
        rise = neuron.resistance * current * _settled(neuron) * neuron.dt
        steps = (neuron.v_threshold - neuron.v_reset) / rise if rise > 0 else math.inf
        if subtracts:
            return max(steps, 1.0) + neuron.refractory_period
    elif v_inf > neuron.v_threshold:
        leak = neuron.dt / neuron.tau_mem
        share = (v_inf - neuron.v_threshold) / (v_inf - neuron.v_reset)
        steps = 1.0 if leak == 1.0 else math.log(share) / math.log1p(-leak)
    else:  # rounding may still lift v to a threshold at v_inf
        steps = math.inf if v_inf < neuron.v_threshold * (1 - 1e-9) - 1e-300 else _COUNTED
    if _COUNTED < steps < math.inf:
        return float(math.ceil(steps) + neuron.refractory_period)
    return _counted(neuron, current) + neuron.refractory_period if steps < math.inf else math.inf


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


# Steps up to which intervals are counted, and of one run.
_COUNTED, _BLOCK = 10**7, 2**16


def _counted(neuron: LIF, current: float) -> float:
    """Return the steps from v_reset to the first spike, by the recurrence."""
    still = replace(neuron, noise_std=0.0)
    state = LIFState(
        np.array([neuron.v_reset]), np.zeros(1, np.uint64), 0, _settled_current(still, current)
    )
    done, block = 0, 64
    while True:
        before = state
        spikes, state = still.run(np.full(block, current), state)
        if spikes.words.any():
            return done + float(np.flatnonzero(spikes.bits()[0])[0]) + 1
        if before.v[0] == state.v[0] and before.i[0] == state.i[0]:
            return math.inf  # at rest below the threshold
        done, block = done + block, min(2 * block, _BLOCK)


def _settled_current(neuron: LIF, current: float) -> NDArray[np.float64]:
    """Return where the synaptic current comes to rest, by the recurrence; 0 without a synapse."""
    silent = replace(neuron, v_threshold=math.inf)
    state = silent.initial_state()
    for _ in range(2**16 if neuron.tau_syn else 0):  # time constants of up to a million steps
        before = state
        _, state = silent.run(np.full(1024, current), state)
        if state.i[0] == before.i[0]:
            break
    return state.i
