"""Closed forms of the rules: the window of a pair of spikes, expected changes, and their variance.

Inputs and neurons fire independently in each time step, with probabilities p_in and p_out. With
``d = exp(-dt / tau)``, the trace of an input that includes the present spike has the mean
``p_in / (1 - d)``, or ``p_in / (1 - (1 - p_in) * d)`` of the nearest spikes; that of a neuron before
the present spike is d times as large, with p_out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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


def stdp_variance(rule: PairRule, p_in: float, p_out: float, dt: float = 1.0) -> float:
    """Return the variance of the sum of all changes per time step, in the long run.

    For pairs of all spikes, with ``K(k)`` the window at a difference of k steps, K1 its sum and K2 the
    sum of its squares, the sum of all changes over many steps has the variance per step::

        K1**2 * p_in * p_out * (p_out * (1 - p_in) + p_in * (1 - p_out))
            + K2 * p_in * (1 - p_in) * p_out * (1 - p_out)

    Parameters
    ----------
    rule : STDP, TripletSTDP, RewardSTDP or StochasticSTDP
        Bounds are left out. Of a `RewardSTDP`, with a reward of 1 in every step.
    p_in, p_out, dt
        As in `stdp_drift`.

    Notes
    -----
    A change is a product of a function of the input's spikes and one of the neuron's. Its covariance
    over k steps therefore follows from those of the two spike trains, which are sums of powers: the
    expected traces of the next step are linear in the traces and their product. The sum over all k is
    the solution of linear equations. Moves of a `StochasticSTDP` add the variance of their bits.

    Examples
    --------
    >>> from sc_neurocore.plasticity import STDP, stdp_variance
    >>> print(f"{stdp_variance(STDP(a_plus=0.01, a_minus=0.01), 0.1, 0.1):.3e}")
    1.639e-05
    """
    up, down = _amplitudes(rule)
    p_in, p_out, dt = _probabilities(p_in, p_out, dt)
    up3, down3, tau_x, tau_y = 0.0, 0.0, rule.tau_plus, rule.tau_minus
    if isinstance(rule, TripletSTDP):
        up3, down3, tau_x, tau_y = rule.a3_plus, rule.a3_minus, rule.tau_x, rule.tau_y
    nearest = rule.pairing == "nearest"
    inputs = _Train(p_in, math.exp(-dt / rule.tau_plus), math.exp(-dt / tau_x), nearest)
    outputs = _Train(p_out, math.exp(-dt / rule.tau_minus), math.exp(-dt / tau_y), nearest)
    # Potentiation and depression: the function of the input's spikes, and that of the neuron's.
    terms: list[tuple[float, _Value, _Value]] = [
        (1.0, inputs.trace, ({}, {(0, 0): up, (0, 1): up3})),
        (-1.0, ({}, {(0, 0): down, (0, 1): down3}), ({(1, 0): 1.0}, {(1, 0): 1.0})),
    ]
    variance = 0.0
    for sign, x, y in terms:
        for other_sign, x_later, y_later in terms:
            of_x, of_y = inputs.covariances(x, x_later), outputs.covariances(y, y_later)
            variance += sign * other_sign * of_x.summed_products(of_y)
    if isinstance(rule, StochasticSTDP):
        for _, x, y in terms:
            variance += rule.level * inputs.mean(x) * outputs.mean(y)
            variance -= inputs.mean(_product(x, x)) * outputs.mean(_product(y, y))
    if isinstance(rule, RewardSTDP):
        variance *= (rule.rate / (1 - math.exp(-dt / rule.tau_eligibility))) ** 2
    return variance


_Polynomial = dict[tuple[int, int], float]  # of two traces, by their powers
_Value = tuple[_Polynomial, _Polynomial]  # in steps without and with a spike
_MONOMIALS = ((1, 0), (0, 1), (1, 1))


def _product(a: _Value, b: _Value) -> _Value:
    """Return the product of two functions of the traces."""

    def of(p: _Polynomial, q: _Polynomial) -> _Polynomial:
        out: _Polynomial = {}
        for (i, j), c in p.items():
            for (k, m), d in q.items():
                out[i + k, j + m] = out.get((i + k, j + m), 0.0) + c * d
        return out

    return of(a[0], b[0]), of(a[1], b[1])


@dataclass(frozen=True)
class _Covariances:
    """Mean products of f now and g after k steps: `now`, or ``limit + w @ t**(k - 1) @ v`` if k > 0."""

    now: float
    limit: float
    w: NDArray[np.float64]
    t: NDArray[np.float64]
    v: NDArray[np.float64]

    def summed_products(self, other: _Covariances) -> float:
        """Return the sum over all k, twice those of k > 0, of products with others less their limit."""

        def summed(w: NDArray[Any], t: NDArray[Any], v: NDArray[Any]) -> float:
            return float(w @ np.linalg.solve(np.eye(len(v)) - t, v))

        both = (np.kron(a, b) for a, b in ((self.w, other.w), (self.t, other.t), (self.v, other.v)))
        later = (
            self.limit * summed(other.w, other.t, other.v)
            + other.limit * summed(self.w, self.t, self.v)
            + summed(*both)
        )
        return self.now * other.now - self.limit * other.limit + 2 * later


@dataclass(frozen=True)
class _Train:
    """Independent spikes of probability p with two traces, as they are before the present spike."""

    p: float
    decay: float
    decay2: float
    nearest: bool

    @property
    def trace(self) -> _Value:
        """The first trace with the present spike."""
        return {(1, 0): 1.0}, ({(0, 0): 1.0} if self.nearest else {(0, 0): 1.0, (1, 0): 1.0})

    def after(self, power: tuple[int, int]) -> _Value:
        """Return powers of the traces of the next step, as a function of those of this one."""
        i, j = power
        factor = self.decay**i * self.decay2**j
        raised = {(0, 0): 1.0}
        if not self.nearest:
            raised = {
                (a, b): float(math.comb(i, a) * math.comb(j, b))
                for a in range(i + 1)
                for b in range(j + 1)
            }
        return {power: factor}, {key: factor * c for key, c in raised.items()}

    def moment(self, power: tuple[int, int]) -> float:
        """Return the mean of powers of the traces, which is the same in the next step."""
        if power == (0, 0):
            return 1.0
        (same,), with_spike = self.after(power)[0].values(), self.after(power)[1]
        rest = sum(c * self.moment(key) for key, c in with_spike.items() if key != power)
        own = (1 - self.p) * same + self.p * with_spike.get(power, 0.0)
        return self.p * rest / (1 - own)

    def expected(self, value: _Value) -> _Polynomial:
        """Return the mean over the present spike."""
        out: _Polynomial = {}
        for share, part in zip((1 - self.p, self.p), value, strict=True):
            for key, c in part.items():
                out[key] = out.get(key, 0.0) + share * c
        return out

    def mean(self, value: _Value) -> float:
        """Return the mean over time."""
        return sum(c * self.moment(key) for key, c in self.expected(value).items())

    def covariances(self, f: _Value, g: _Value) -> _Covariances:
        """Return mean products of f now and g later, where g has no higher powers than `_MONOMIALS`."""
        steps = [self.expected(self.after(power)) for power in _MONOMIALS]
        t = np.array([[step.get(power, 0.0) for step in steps] for power in _MONOMIALS])
        constant = np.array([step.get((0, 0), 0.0) for step in steps])
        later = self.expected(g)
        v = np.array([later.get(power, 0.0) for power in _MONOMIALS])
        u = np.array([self.mean(_product(f, self.after(power))) for power in _MONOMIALS])
        w = u - self.mean(f) * np.linalg.solve((np.eye(3) - t).T, constant)
        return _Covariances(self.mean(_product(f, g)), self.mean(f) * self.mean(g), w, t, v)


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
