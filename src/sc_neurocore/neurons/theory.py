"""Closed forms for a LIF neuron: rheobase and interspike intervals, and the noise of its potential."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons.lif import LIF, LIFState, run_periodic, single
from sc_neurocore.streams.keys import Role, checked_seed, stream_key

__all__ = [
    "SilentLayerWarning",
    "fi_curve",
    "isi_ms",
    "isi_steps",
    "measured_fi_curve",
    "rheobase",
    "stationary_std",
]


class SilentLayerWarning(UserWarning):
    """No neuron of a layer has fired: its current stays below the rheobase, or barely above it."""


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
    single("neuron", neuron)
    if neuron.v_threshold == math.inf:
        return math.inf
    if neuron.tau_mem == math.inf:
        return 0.0
    needed = (neuron.v_threshold - neuron.v_rest) / (neuron.resistance * neuron.tau_mem)
    return needed / _settled(neuron)


def isi_steps(neuron: LIF, current: float) -> float:
    """Return the time steps between spikes under a constant current, without noise.

    The steps from `v_reset` to the first spike are counted by the recurrence itself, in its own
    arithmetic. Their number is, apart from rounding, with
    ``v_inf = v_rest + resistance * current * tau_mem``::

        ceil(ln((v_inf - v_threshold) / (v_inf - v_reset)) / ln(1 - dt / tau_mem))

    and without a leak (``tau_mem = inf``)::

        ceil((v_threshold - v_reset) / (resistance * current * dt))

    These replace the count above 10 million steps. The refractory period is added. If `tau_syn` is
    not 0, the synaptic current ``current * tau_syn / dt``, at which it settles, takes the place of
    `current`.

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
    >>> from sc_neurocore import LIF
    >>> from sc_neurocore.neurons import isi_steps
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
    >>> from sc_neurocore import LIF
    >>> from sc_neurocore.neurons import isi_ms
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


def fi_curve(neuron: LIF, currents: ArrayLike) -> NDArray[np.float64]:
    """Return the f-I curve in closed form: firing rates under constant currents, without noise.

    The rate is ``1000 / (isi_steps(neuron, current) * dt)``, and 0 if the neuron never fires. The
    current of a few bitstreams varies in time, so its neuron fires faster near the rheobase and more
    slowly at high currents.

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron.
    currents : array_like of float
        Constant input currents.

    Returns
    -------
    ndarray of float64, of the shape of `currents`
        Rates in Hz.

    Raises
    ------
    TypeError, ValueError
        As in `isi_steps`.

    Examples
    --------
    >>> from sc_neurocore import LIF
    >>> from sc_neurocore.neurons import fi_curve
    >>> fi_curve(LIF(tau_mem=20.0), [0.05, 0.08, 0.2])
    array([  0.        ,  50.        , 166.66666667])
    """
    given = _checks.array("currents", currents, range(33))
    single("neuron", neuron)
    rates = [1000.0 / (isi_steps(neuron, current) * neuron.dt) for current in given.ravel().tolist()]
    return np.reshape(np.asarray(rates, np.float64), given.shape)


def measured_fi_curve(
    neuron: LIF, currents: ArrayLike, steps: int, *, seed: int | None = None
) -> NDArray[np.float64]:
    """Return the f-I curve as it is measured: firing rates under constant currents, with noise.

    Each current drives a neuron of its own, which starts at rest.

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron.
    currents : array_like of float
        Constant input currents.
    steps : int
        Number of time steps, at least 1.
    seed : int, optional
        Seed of the noise in [0, 2**128). Drawn from system entropy by default.

    Returns
    -------
    ndarray of float64, of the shape of `currents`
        Rates in Hz. Without noise they differ from `fi_curve` by at most about one spike.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from sc_neurocore import LIF
    >>> from sc_neurocore.neurons import measured_fi_curve
    >>> measured_fi_curve(LIF(tau_mem=20.0), [0.05, 0.08, 0.2], steps=10_000)
    array([  0. ,  50. , 166.6])
    """
    single("neuron", neuron)
    given = _checks.array("currents", currents, range(33))
    steps = _checks.length_of_stream("steps", steps)
    key = stream_key(checked_seed("seed", seed), Role.NOISE)
    state = neuron.initial_state(max(given.size, 1))
    rows = given.reshape(-1, 1) if given.size else np.zeros((1, 1))
    spikes, _ = run_periodic(neuron, rows, 0, steps, state, key)
    return np.asarray(
        spikes.counts()[: given.size].reshape(given.shape) * (1000.0 / (steps * neuron.dt))
    )


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
    >>> from sc_neurocore import LIF
    >>> from sc_neurocore.neurons import stationary_std
    >>> round(stationary_std(LIF(tau_mem=20.0, noise_std=0.02)), 4)
    0.0641
    """
    single("neuron", neuron)
    leak = neuron.dt / neuron.tau_mem
    if leak == 0.0:
        return math.inf if neuron.noise_std else 0.0
    return neuron.noise_std / math.sqrt(leak * (2.0 - leak))


def _v_inf(neuron: LIF, current: float) -> float:
    """Return the potential at which v settles if there is no threshold."""
    single("neuron", neuron)
    current = _checks.finite("current", current)
    if neuron.tau_mem == math.inf:
        return math.copysign(math.inf, current) if current else neuron.v_rest
    scale = neuron.resistance * _settled(neuron) * neuron.tau_mem
    # An infinite potential would make the logarithm of `isi_ms` NaN.
    v_inf = neuron.v_rest + current * scale
    return max(-sys.float_info.max / 4, min(v_inf, sys.float_info.max / 4))


def _settled(neuron: LIF) -> float:
    """Return the synaptic current at which a constant input current of 1 settles."""
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
