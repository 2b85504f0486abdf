"""Closed forms for a LIF neuron: rheobase and interspike intervals, and the noise of its potential."""

from __future__ import annotations

import math

from sc_neurocore import _checks
from sc_neurocore.neurons.lif import LIF

__all__ = ["isi_ms", "isi_steps", "rheobase", "stationary_std"]


def rheobase(neuron: LIF) -> float:
    """Return the rheobase: a constant current above it makes the neuron fire, without noise.

    At the rheobase the potential settles exactly at the threshold::

        (v_threshold - v_rest) / (resistance * tau_mem)                      (tau_syn = 0)
        (v_threshold - v_rest) / (resistance * tau_mem) * (dt / tau_syn)     (otherwise)

    since the synaptic current of a constant input I settles at ``I * tau_syn / dt``.

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron.

    Returns
    -------
    float
        Current; 0 without a leak (``tau_mem = inf``), inf if `v_threshold` is inf.

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
    """Return the time steps between spikes under a constant current, without noise.

    With ``v_inf = v_rest + resistance * current * tau_mem``, the exact number of steps from `v_reset`
    to the threshold is::

        ceil(ln((v_inf - v_threshold) / (v_inf - v_reset)) / ln(1 - dt / tau_mem))

    and without a leak (``tau_mem = inf``)::

        ceil((v_threshold - v_reset) / (resistance * current * dt))

    The refractory period is added to it. If `tau_syn` is not 0, the synaptic current
    ``current * tau_syn / dt``, at which it settles, takes the place of `current`.

    Without a leak, ``reset="subtract"`` keeps what exceeds the threshold, so the result is the mean
    interval: the last expression without rounding, but at least 1.

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron.
    current : float
        Constant input current.

    Returns
    -------
    float
        Number of time steps; inf if the neuron never fires.

    Raises
    ------
    ValueError
        If the neuron has a leak and ``reset="subtract"``: then the intervals have no closed form.

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
            "have reset='value' or no leak",
            neuron,
            "use isi_ms, the interval in continuous time, as there is no closed form in time steps",
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
    """Return the interval between spikes under a constant current in continuous time, without noise.

    With ``v_inf = v_rest + resistance * current * tau_mem`` it is::

        tau_mem * ln((v_inf - v_reset) / (v_inf - v_threshold))

    and without a leak (``tau_mem = inf``)::

        (v_threshold - v_reset) / (resistance * current)

    The refractory period is added to it. If `tau_syn` is not 0, the synaptic current
    ``current * tau_syn / dt``, at which it settles, takes the place of `current`. In continuous time
    the potential does not exceed the threshold, so both kinds of reset give the same interval.

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron.
    current : float
        Constant input current.

    Returns
    -------
    float
        Interval in ms; inf if the neuron never fires.

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
    """Return the stationary standard deviation of the potential under noise, without a threshold.

    With ``a = 1 - dt / tau_mem`` it is::

        noise_std / sqrt(1 - a**2)

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron.

    Returns
    -------
    float
        Standard deviation of v. Without a leak it grows without bound: inf, or 0 without noise.

    Examples
    --------
    >>> from sc_neurocore import LIF, stationary_std
    >>> round(stationary_std(LIF(tau_mem=20.0, noise_std=0.02)), 4)
    0.0641
    """
    _checks.instance("neuron", neuron, LIF)
    leak = neuron.dt / neuron.tau_mem
    if leak == 0.0:
        return math.inf if neuron.noise_std else 0.0
    return neuron.noise_std / math.sqrt(leak * (2.0 - leak))


def _v_inf(neuron: LIF, current: float) -> float:
    """Return the potential at which v settles if there is no threshold."""
    _checks.instance("neuron", neuron, LIF)
    current = _checks.finite("current", current)
    if neuron.tau_mem == math.inf:
        return math.copysign(math.inf, current) if current else neuron.v_rest
    return neuron.v_rest + neuron.resistance * current * _settled(neuron) * neuron.tau_mem


def _settled(neuron: LIF) -> float:
    """Return the synaptic current at which a constant input current of 1 settles."""
    return neuron.tau_syn / neuron.dt if neuron.tau_syn else 1.0
