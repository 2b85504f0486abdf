"""Synapse whose weight changes with the spikes before and after it."""

from __future__ import annotations

import math

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.plasticity import STDP
from sc_neurocore.stateful._fixed import FixedParameters
from sc_neurocore.streams import Bernoulli, Interval, Role, stream_key
from sc_neurocore.streams.keys import checked_seed

__all__ = ["PlasticSynapse"]

# Random numbers that are made together.
_AHEAD = 1024


class PlasticSynapse(FixedParameters):
    """Synapse that multiplies spikes by a weight, bit by bit, and learns by STDP.

    In each time step, `step` returns the AND of the presynaptic spike and a bit of the weight, and
    `learn` then changes the weight by the spikes of this step. The bits are those of a
    `BitstreamSynapse` with the same seed, as long as the weight is the same.

    Parameters
    ----------
    w_min, w_max : float
        Range of the weight, mapped to [0, 1], on which the rule acts.
    w : float
        Weight in [w_min, w_max] at the start.
    rule : STDP, optional
        With `w_max` 1, since the range above is that of the weight.
    dt_ms : float
        Duration of a time step in ms.
    seed : int, optional
        Seed in [0, 2**128). Drawn from system entropy by default; read it back from `seed`.

    Attributes
    ----------
    interval : Interval
        Range of the weight.
    rule, dt_ms, seed
        See Parameters.

    Examples
    --------
    >>> from sc_neurocore import PlasticSynapse, StochasticLIFNeuron
    >>> from sc_neurocore.plasticity import STDP
    >>> synapse = PlasticSynapse(0.0, 1.0, w=0.5, rule=STDP(a_plus=0.1, a_minus=0.05), seed=7)
    >>> neuron = StochasticLIFNeuron(noise_std=0.0, seed=1)
    >>> for _ in range(50):
    ...     bit = synapse.step(1)
    ...     synapse.learn(neuron.step(0.5 * bit))
    >>> round(synapse.w, 3)
    0.794
    """

    interval: Interval
    rule: STDP
    dt_ms: float
    seed: int
    _p: float
    _pre: float
    _post: float
    _t: int
    _spike: int

    def __init__(
        self,
        w_min: float,
        w_max: float,
        w: float = 0.5,
        rule: STDP | None = None,
        dt_ms: float = 1.0,
        seed: int | None = None,
    ) -> None:
        rule = STDP() if rule is None else rule
        _checks.instance("rule", rule, STDP)
        if rule.w_max != 1 or not rule.keep_sign:
            remedy = "w_min and w_max are the range of the weight"
            _checks.fail("rule", "have w_max=1 and keep_sign=True", rule, remedy)
        vars(self).update(
            interval=Interval(*_checks.ordered("w_min", w_min, "w_max", w_max)),
            rule=rule,
            dt_ms=_checks.positive("dt_ms", dt_ms),
            seed=checked_seed("seed", seed),
        )
        self._key = stream_key(self.seed, Role.WEIGHT)
        self._keep_pre = math.exp(-self.dt_ms / rule.tau_plus)
        self._keep_post = math.exp(-self.dt_ms / rule.tau_minus)
        self._start = self._p_of(w)
        self.reset()

    @property
    def w(self) -> float:
        """Weight in [w_min, w_max]. Assigning another keeps the random numbers and the traces."""
        return float(self.interval.from_probability(self._p))

    @w.setter
    def w(self, w: float) -> None:
        self._p = self._p_of(w)

    @property
    def traces(self) -> tuple[float, float]:
        """Traces of the presynaptic and of the postsynaptic spikes."""
        return self._pre, self._post

    def step(self, pre: int) -> int:
        """Return the AND of a presynaptic spike and the weight's bit, and go to the next time step.

        Parameters
        ----------
        pre : int
            0 or 1.
        """
        self._spike = _checks.spike("pre", pre)
        at = self._t % _AHEAD
        if at == 0:
            lane = np.zeros(1, np.uint64)
            numbers = Bernoulli().numbers(lane, _AHEAD, key=self._key, first=self._t)
            self._numbers: list[int] = numbers[0].tolist()
        self._t += 1
        return int(self._spike == 1 and self._numbers[at] < round(self._p * 2.0**32))

    def learn(self, post: int) -> None:
        """Change the weight by the spikes of the time step.

        Parameters
        ----------
        post : int
            Whether the neuron fired in the step, 0 or 1.
        """
        fired, rule, p = _checks.spike("post", post), self.rule, self._p
        soft = rule.bounds == "soft"
        self._pre *= self._keep_pre
        self._post *= self._keep_post
        if self._spike:
            amount = self._post * rule.a_minus
            p = min(max(p - (amount * p if soft else amount), 0.0), 1.0)
            self._pre = 1.0 if rule.pairing == "nearest" else self._pre + 1.0
        if fired:
            amount = self._pre * rule.a_plus
            p = min(max(p + (amount * (1.0 - p) if soft else amount), 0.0), 1.0)
            self._post = 1.0 if rule.pairing == "nearest" else self._post + 1.0
        self._p, self._spike = p, 0

    def reset(self) -> None:
        """Return to the state after construction."""
        self._p, self._pre, self._post = self._start, 0.0, 0.0
        self._t, self._spike = 0, 0

    def _p_of(self, w: float) -> float:
        w = _checks.finite("w", w)
        _checks.within("w", np.asarray(w), self.interval.low, self.interval.high)
        return float(self.interval.to_probability(w))

    def __repr__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return (
            f"PlasticSynapse(w_min={low}, w_max={high}, w={self.w}, rule={self.rule!r}, "
            f"dt_ms={self.dt_ms}, seed={self.seed})"
        )
