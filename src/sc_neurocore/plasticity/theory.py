"""Closed forms of the rules: the window of a pair of spikes, expected changes, and their variance.

Inputs and neurons fire independently in each time step, with probabilities p_in and p_out. With
``d = exp(-dt / tau)``, the trace of an input that includes the present spike has the mean
``p_in / (1 - d)``, or ``p_in / (1 - (1 - p_in) * d)`` of the nearest spikes; that of a neuron before
the present spike is d times as large, with p_out.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.plasticity.rules import STDP, PairRule, RewardSTDP, StochasticSTDP, TripletSTDP

__all__ = ["stdp_drift", "stdp_equilibrium", "stdp_variance", "stdp_window"]


def stdp_window(rule: PairRule, difference: ArrayLike, m: float | None = None) -> NDArray[np.float64]:
    """Return the expected change of a weight's magnitude by one pair of spikes.

    Parameters
    ----------
    rule : STDP, TripletSTDP, RewardSTDP or StochasticSTDP
        Of a `RewardSTDP`, the change of the eligibility; of a `StochasticSTDP`, the mean.
    difference : array_like
        ``t_out - t_in`` in ms.
    m : float, optional
        Magnitude before, for soft bounds. By default bounds are left out.

    Returns
    -------
    ndarray of float64
        In the shape of `difference`. The change by a `StochasticSTDP` is a multiple of `level` or 0, so
        a mean of c has the variance ``abs(c) * (level - abs(c))``.

    References
    ----------
    S. Song, K. D. Miller, L. F. Abbott, Nature Neuroscience 3, 919 (2000), equation 1.

    Examples
    --------
    >>> from sc_neurocore.plasticity import STDP, stdp_window
    >>> stdp_window(STDP(a_plus=0.1, a_minus=0.2), [-20.0, 0.0, 20.0]).round(4)
    array([-0.0736,  0.1   ,  0.0368])
    """
    up, down = _amplitudes(rule)
    d = np.asarray(_checks.array("difference", difference, range(65)))
    with np.errstate(over="ignore"):
        rise, fall = up * np.exp(-d / rule.tau_plus), -down * np.exp(d / rule.tau_minus)
    grow, shrink = _room(rule, m)
    return np.where(d >= 0, grow * np.where(d >= 0, rise, 0), shrink * np.where(d < 0, fall, 0))


def stdp_drift(
    rule: PairRule, p_in: float, p_out: float, m: float | None = None, dt: float = 1.0
) -> float:
    """Return the expected change of a weight's magnitude per time step, in the long run.

    Parameters
    ----------
    rule : STDP, TripletSTDP, RewardSTDP or StochasticSTDP
        Of a `RewardSTDP`, with a reward of 1 in every step.
    p_in, p_out : float
        Spikes per time step of the input and of the neuron, in [0, 1], independent of one another.
    m : float, optional
        Magnitude, for soft bounds. By default bounds are left out.
    dt : float
        Time step in ms.

    References
    ----------
    R. Kempter, W. Gerstner, J. L. van Hemmen, Physical Review E 59, 4498 (1999), for pairs; J.-P.
    Pfister, W. Gerstner, Journal of Neuroscience 26, 9673 (2006), for triplets.

    Examples
    --------
    >>> from sc_neurocore.plasticity import STDP, stdp_drift
    >>> print(f"{stdp_drift(STDP(a_plus=0.01, a_minus=0.01), p_in=0.1, p_out=0.1):.6f}")
    0.000100
    """
    rise, fall = _rates(rule, p_in, p_out, dt)
    grow, shrink = _room(rule, m)
    return grow * rise - shrink * fall


def stdp_equilibrium(rule: PairRule, p_in: float, p_out: float, dt: float = 1.0) -> float:
    """Return the magnitude at which the expected change is 0, with soft bounds.

    Parameters
    ----------
    rule : STDP, TripletSTDP, RewardSTDP or StochasticSTDP
        With ``bounds="soft"``.
    p_in, p_out, dt
        As in `stdp_drift`.

    References
    ----------
    M. C. W. van Rossum, G. Q. Bi, G. G. Turrigiano, Journal of Neuroscience 20, 8812 (2000).

    Examples
    --------
    >>> from sc_neurocore.plasticity import STDP, stdp_equilibrium
    >>> print(f"{stdp_equilibrium(STDP(a_plus=0.01, a_minus=0.03), 0.1, 0.1):.4f}")
    0.2595
    """
    rise, fall = _rates(rule, p_in, p_out, dt)
    if rule.bounds != "soft":
        _checks.fail("rule", "have soft bounds", rule)
    if rise + fall == 0:
        _checks.fail("rule", "change weights at these rates", rule)
    low = 0.0 if rule.keep_sign else -rule.w_max
    return (rise * rule.w_max + fall * low) / (rise + fall)


def stdp_variance(rule: STDP, p_in: float, p_out: float, dt: float = 1.0) -> float:
    """Return the variance of the sum of all changes per time step, in the long run.

    With ``K(k)`` the window at a difference of k steps, K1 its sum and K2 the sum of its squares, the
    sum of all changes over many steps has the variance per step::

        K1**2 * p_in * p_out * (p_out * (1 - p_in) + p_in * (1 - p_out))
            + K2 * p_in * (1 - p_in) * p_out * (1 - p_out)

    Parameters
    ----------
    rule : STDP
        With ``pairing="all"``; bounds are left out.
    p_in, p_out, dt
        As in `stdp_drift`.

    Notes
    -----
    The sum is a bilinear form of the two spike trains, whose deviations from their means are
    independent from step to step.

    Examples
    --------
    >>> from sc_neurocore.plasticity import STDP, stdp_variance
    >>> print(f"{stdp_variance(STDP(a_plus=0.01, a_minus=0.01), 0.1, 0.1):.3e}")
    1.639e-05
    """
    _checks.instance("rule", rule, STDP)
    if rule.pairing != "all":
        _checks.fail("rule", "form pairs of all spikes", rule)
    p_in, p_out, dt = _probabilities(p_in, p_out, dt)
    up, down = math.exp(-dt / rule.tau_plus), math.exp(-dt / rule.tau_minus)
    k1 = rule.a_plus / (1 - up) - rule.a_minus * down / (1 - down)
    k2 = (rule.a_plus) ** 2 / (1 - up**2) + (rule.a_minus * down) ** 2 / (1 - down**2)
    common = k1**2 * p_in * p_out * (p_out * (1 - p_in) + p_in * (1 - p_out))
    return common + k2 * p_in * (1 - p_in) * p_out * (1 - p_out)


def _amplitudes(rule: PairRule) -> tuple[float, float]:
    """Return the changes by a pair of equal times."""
    if isinstance(rule, TripletSTDP):
        return rule.a2_plus, rule.a2_minus
    if isinstance(rule, StochasticSTDP):
        return rule.level * rule.p_plus, rule.level * rule.p_minus
    if not isinstance(rule, STDP | RewardSTDP):
        kinds = "be an STDP, TripletSTDP, RewardSTDP or StochasticSTDP"
        _checks.wrong_type("rule", kinds, rule)
    return rule.a_plus, rule.a_minus


def _room(rule: PairRule, m: float | None) -> tuple[float, float]:
    """Return the factors of potentiation and depression by soft bounds."""
    if m is None:
        return 1.0, 1.0
    m = _checks.finite("m", m)
    if rule.bounds == "hard":
        return 1.0, 1.0
    return rule.w_max - m, m - (0.0 if rule.keep_sign else -rule.w_max)


def _probabilities(p_in: float, p_out: float, dt: float) -> tuple[float, float, float]:
    for name, p in (("p_in", p_in), ("p_out", p_out)):
        if not 0 <= _checks.finite(name, p) <= 1:
            _checks.fail(name, "be in [0, 1]", p)
    return float(p_in), float(p_out), _checks.positive("dt", dt)


def _rates(rule: PairRule, p_in: float, p_out: float, dt: float) -> tuple[float, float]:
    """Return the expected potentiation and depression per step, without bounds."""
    a_plus, a_minus = _amplitudes(rule)
    p_in, p_out, dt = _probabilities(p_in, p_out, dt)

    def trace(p: float, tau: float) -> float:
        """Return the mean of a trace with the present spike."""
        d = math.exp(-dt / tau)
        return p / (1 - ((1 - p) * d if rule.pairing == "nearest" else d))

    def before(p: float, tau: float) -> float:
        return math.exp(-dt / tau) * trace(p, tau)

    if isinstance(rule, TripletSTDP):
        a_plus += rule.a3_plus * before(p_out, rule.tau_y)
        a_minus += rule.a3_minus * before(p_in, rule.tau_x)
    rise = p_out * a_plus * trace(p_in, rule.tau_plus)
    fall = p_in * a_minus * before(p_out, rule.tau_minus)
    if isinstance(rule, RewardSTDP):
        factor = rule.rate / (1 - math.exp(-dt / rule.tau_eligibility))
        return factor * rise, factor * fall
    return rise, fall
