"""Rules by which weights change while a network runs: frozen data, for `plasticity` of `Dense`.

All rules act on magnitudes, so that a weight keeps its sign; a weight of 0 counts as positive. Traces
decay by ``exp(-dt / tau)`` in each time step. In one step, traces decay; neurons fire; weights of
inputs with a spike fall, by the traces that neurons left in earlier steps; traces of these inputs rise;
weights of neurons that have fired rise, by the traces of the inputs; traces of these neurons rise. An
input spike and the output spike of the same step are therefore a pair with a difference of 0, which
potentiates: the one can be the cause of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from sc_neurocore import _checks

__all__ = ["STDP", "Competition", "Homeostasis", "RewardSTDP", "StochasticSTDP", "TripletSTDP"]

Bounds = Literal["soft", "hard"]
Pairing = Literal["all", "nearest"]


@dataclass(frozen=True)
class STDP:
    """Spike-timing-dependent plasticity (STDP) of pairs of spikes.

    An input spike at time t_in and an output spike at t_out change the magnitude m of the weight by::

        a_plus * exp(-(t_out - t_in) / tau_plus)        t_out >= t_in
        -a_minus * exp((t_out - t_in) / tau_minus)      t_out < t_in

    times ``w_max - m`` and m with soft bounds. With hard bounds, m is cut to [0, w_max].

    Parameters
    ----------
    a_plus, a_minus : float
        Potentiation and depression by a pair without a difference, at least 0.
    tau_plus, tau_minus : float
        Time constants in ms, greater than 0.
    bounds : {"soft", "hard"}
        Whether changes shrink towards a bound (multiplicative), or stop at it (additive).
    pairing : {"all", "nearest"}
        Whether a spike forms pairs with all earlier spikes, whose traces add up, or with the last one.
    w_max : float
        Largest magnitude, in (0, 1].
    keep_sign : bool
        Whether weights keep their signs. Otherwise the rule acts on the weights in [-w_max, w_max].

    References
    ----------
    S. Song, K. D. Miller, L. F. Abbott, Nature Neuroscience 3, 919 (2000), for hard bounds. M. C. W.
    van Rossum, G. Q. Bi, G. G. Turrigiano, Journal of Neuroscience 20, 8812 (2000), for a depression
    that is proportional to the weight.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> from sc_neurocore.plasticity import STDP
    >>> network = Network([Dense([[0.5, 0.5]], gain=0.5, plasticity=STDP(a_plus=0.1, a_minus=0.05))])
    >>> run = simulate(network, [0.5, 0.1], length=500, seed=1)
    >>> run.state.weights[0].round(2)
    array([[1.  , 0.74]])
    """

    a_plus: float = 0.01
    a_minus: float = 0.01
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    bounds: Bounds = "soft"
    pairing: Pairing = "all"
    w_max: float = 1.0
    keep_sign: bool = True

    def __post_init__(self) -> None:
        _check_non_negative(self, "a_plus", "a_minus")
        _check_positive(self, "tau_plus", "tau_minus")
        _check_common(self)


@dataclass(frozen=True)
class TripletSTDP:
    """STDP of triplets of spikes, which also depends on firing rates.

    With traces r1, r2 of an input (`tau_plus`, `tau_x`) and o1, o2 of a neuron (`tau_minus`, `tau_y`),
    a spike of the input and one of the neuron change the magnitude by::

        -o1 * (a2_minus + a3_minus * r2)        r2 before the spike
        r1 * (a2_plus + a3_plus * o2)           o2 before the spike

    Bounds, pairing, `w_max` and `keep_sign` are those of `STDP`. The default time constants and
    amplitudes are those of the full model, fitted to data of hippocampal cultures with all pairs.

    Parameters
    ----------
    a2_plus, a2_minus, a3_plus, a3_minus : float
        Amplitudes of pairs and of triplets, at least 0.
    tau_plus, tau_minus, tau_x, tau_y : float
        Time constants in ms, greater than 0.
    bounds : {"soft", "hard"}
    pairing : {"all", "nearest"}
    w_max : float
    keep_sign : bool

    References
    ----------
    J.-P. Pfister, W. Gerstner, Journal of Neuroscience 26, 9673 (2006).

    Examples
    --------
    >>> from sc_neurocore.plasticity import TripletSTDP
    >>> TripletSTDP(a3_minus=0.0).tau_y
    27.0
    """

    a2_plus: float = 6.1e-3
    a2_minus: float = 1.6e-3
    a3_plus: float = 6.7e-3
    a3_minus: float = 1.4e-3
    tau_plus: float = 16.8
    tau_minus: float = 33.7
    tau_x: float = 946.0
    tau_y: float = 27.0
    bounds: Bounds = "soft"
    pairing: Pairing = "all"
    w_max: float = 1.0
    keep_sign: bool = True

    def __post_init__(self) -> None:
        _check_non_negative(self, "a2_plus", "a2_minus", "a3_plus", "a3_minus")
        _check_positive(self, "tau_plus", "tau_minus", "tau_x", "tau_y")
        _check_common(self)


@dataclass(frozen=True)
class RewardSTDP:
    """STDP that a reward turns into changes of weights.

    Pairs of spikes change an eligibility trace e instead of the weight, which decays with
    `tau_eligibility`. In a step with the reward r, the magnitude changes by ``rate * r * e``. The
    rewards are the argument `reward` of `simulate`. Soft bounds apply when weights change.

    Parameters
    ----------
    a_plus, a_minus, tau_plus, tau_minus, bounds, pairing, w_max, keep_sign
        As in `STDP`.
    tau_eligibility : float
        Time constant of the eligibility in ms, greater than 0.
    rate : float
        Learning rate, at least 0.

    References
    ----------
    E. M. Izhikevich, Cerebral Cortex 17, 2443 (2007); N. Fremaux, W. Gerstner, Frontiers in Neural
    Circuits 9, 85 (2016).

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> from sc_neurocore.plasticity import RewardSTDP
    >>> network = Network([Dense([[0.5, 0.5]], gain=0.5, plasticity=RewardSTDP(a_plus=0.1))])
    >>> simulate(network, [0.5, 0.1], 500, seed=1).state.weights[0]
    array([[0.5, 0.5]])
    >>> simulate(network, [0.5, 0.1], 500, seed=1, reward=0.0005).state.weights[0].round(2)
    array([[1.  , 0.86]])
    """

    a_plus: float = 0.01
    a_minus: float = 0.01
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    tau_eligibility: float = 1000.0
    rate: float = 1.0
    bounds: Bounds = "soft"
    pairing: Pairing = "all"
    w_max: float = 1.0
    keep_sign: bool = True

    def __post_init__(self) -> None:
        _check_non_negative(self, "a_plus", "a_minus", "rate")
        _check_positive(self, "tau_plus", "tau_minus", "tau_eligibility")
        _check_common(self)


@dataclass(frozen=True)
class StochasticSTDP:
    """STDP in which a weight moves by one level with a probability, given by a bitstream.

    The traces of the nearest spikes are probabilities: 1 at a spike, then decaying. Where an output
    spike follows, the magnitude rises by `level` with probability ``p_plus * trace``; where an input
    spike follows, it falls by `level` with probability ``p_minus * trace``. In hardware the products
    are AND gates and a weight is a counter, so there is no multiplier. The expected change is that of
    `STDP` with ``pairing="nearest"`` and amplitudes ``level * p``.

    Parameters
    ----------
    p_plus, p_minus : float
        Largest probabilities of a move, in [0, 1].
    tau_plus, tau_minus : float
        Time constants in ms, greater than 0.
    level : float
        Step of a weight, in (0, 1]; ``1 / 256`` for weights of 8 bits.
    bounds : {"soft", "hard"}
        With "soft", probabilities are also multiplied by ``w_max - m`` and m.
    w_max : float
        Largest magnitude, in (0, 1].
    keep_sign : bool
        As in `STDP`.

    References
    ----------
    W. Senn, S. Fusi, Physical Review E 71, 061907 (2005), for weights that move between levels with
    probabilities.

    Examples
    --------
    >>> from sc_neurocore.plasticity import StochasticSTDP
    >>> StochasticSTDP(p_plus=0.5, level=1 / 16).level
    0.0625
    """

    p_plus: float = 0.5
    p_minus: float = 0.5
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    level: float = 1 / 256
    bounds: Bounds = "hard"
    w_max: float = 1.0
    keep_sign: bool = True

    def __post_init__(self) -> None:
        for name in ("p_plus", "p_minus"):
            _set(self, name, _fraction(name, getattr(self, name), open_low=False))
        _check_positive(self, "tau_plus", "tau_minus")
        _set(self, "level", _fraction("level", self.level))
        _check_common(self)

    @property
    def pairing(self) -> Pairing:
        """Always "nearest": the trace of a single spike is a probability."""
        return "nearest"


@dataclass(frozen=True)
class Homeostasis:
    """Scaling of all weights of a neuron, which keeps their sum or the firing rate.

    At the end of every `period`, the magnitudes of the weights of a neuron are multiplied by::

        total / (their sum)                       total is given, and they have changed
        1 + strength * (rate - average rate)      rate is given; at least 0

    and cut to the `w_max` of the rule with which it is combined, or 1. The average rate is a running
    mean with the time constant `tau`.

    Parameters
    ----------
    total : float, optional
        Sum of the magnitudes, greater than 0.
    rate : float, optional
        Target firing rate in spikes per time step, in [0, 1]. Give `total` or `rate`.
    strength : float
        Relative change of the weights per period, by a rate that is wrong by one spike per step; at
        least 0.
    tau : float
        Time constant of the average rate in ms, greater than 0.
    period : int
        Time steps between two scalings, at least 1; they come after steps ``period - 1``,
        ``2 * period - 1`` and so on.

    References
    ----------
    G. G. Turrigiano, Cell 135, 422 (2008); M. C. W. van Rossum, G. Q. Bi, G. G. Turrigiano, Journal of
    Neuroscience 20, 8812 (2000).

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> from sc_neurocore.plasticity import Homeostasis
    >>> network = Network([Dense([[0.5, 0.3]], plasticity=Homeostasis(total=1.0, period=10))])
    >>> simulate(network, [0.5, 0.5], 10, seed=1).state.weights[0]
    array([[0.625, 0.375]])
    """

    total: float | None = None
    rate: float | None = None
    strength: float = 0.1
    tau: float = 1000.0
    period: int = 1000

    def __post_init__(self) -> None:
        if (self.total is None) == (self.rate is None):
            contract = (
                "be given unless rate is" if self.rate is None else "be omitted where rate is given"
            )
            _checks.fail("total", contract, self.total)
        if self.total is not None:
            _check_positive(self, "total")
        else:
            _set(self, "rate", _fraction("rate", self.rate, open_low=False))
        _check_non_negative(self, "strength")
        _check_positive(self, "tau")
        _set(self, "period", _checks.integer("period", self.period, 1, 2**62))


@dataclass(frozen=True)
class Competition:
    """Competition between the neurons of a layer, by which they learn different things.

    If another neuron of the layer fired in the previous time step, the current of a neuron is lower by
    `inhibition`. The threshold of a neuron is ``v_threshold + theta``, and in each step::

        theta <- theta * exp(-dt / tau_threshold) + threshold_step * spike

    Parameters
    ----------
    inhibition : float
        In the unit of the current, at least 0.
    threshold_step : float
        Rise of the threshold by a spike, at least 0.
    tau_threshold : float
        Time constant of the rise in ms, greater than 0; inf if it lasts.

    References
    ----------
    P. U. Diehl, M. Cook, Frontiers in Computational Neuroscience 9, 99 (2015).

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> from sc_neurocore.plasticity import Competition
    >>> network = Network([Dense([[0.9], [0.8]], plasticity=Competition(inhibition=2.0))])
    >>> simulate(network, [0.5], 200, seed=1).counts
    array([84,  1])
    """

    inhibition: float = 0.0
    threshold_step: float = 0.0
    tau_threshold: float = float("inf")

    def __post_init__(self) -> None:
        _check_non_negative(self, "inhibition", "threshold_step")
        _set(
            self, "tau_threshold", _checks.positive("tau_threshold", self.tau_threshold, infinite=True)
        )


PairRule = STDP | TripletSTDP | RewardSTDP | StochasticSTDP
Rule = PairRule | Homeostasis | Competition
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("STDP", (STDP, TripletSTDP, RewardSTDP, StochasticSTDP)),
    ("Homeostasis", (Homeostasis,)),
    ("Competition", (Competition,)),
)
_RULES = tuple(kind for _, kinds in _KINDS for kind in kinds)


def checked_rules(name: str, given: Any) -> tuple[Rule, ...]:
    """Return the rules of a layer: none, one, or at most one of each kind in the order of the kinds."""
    if given is None:
        return ()
    rules = (given,) if isinstance(given, _RULES) else given
    contract = f"be a rule or a sequence of rules, {', '.join(kind.__name__ for kind in _RULES)}"
    if isinstance(rules, str) or not isinstance(rules, Sequence):
        _checks.wrong_type(name, contract, given)
    for rule in rules:
        if not isinstance(rule, _RULES):
            _checks.wrong_type(name, contract, rule)
    ordered: list[Rule] = []
    for kind, kinds in _KINDS:
        own: list[Any] = [rule for rule in rules if isinstance(rule, kinds)]
        if len(own) > 1:
            _checks.fail(name, f"hold at most one {kind} rule", own)
        ordered += own
    return tuple(ordered)


def _set(rule: Any, name: str, value: object) -> None:
    object.__setattr__(rule, name, value)


def _check_non_negative(rule: Any, *names: str) -> None:
    for name in names:
        _set(rule, name, _checks.non_negative(name, getattr(rule, name)))


def _check_positive(rule: Any, *names: str) -> None:
    for name in names:
        _set(rule, name, _checks.positive(name, getattr(rule, name)))


def _fraction(name: str, value: Any, *, open_low: bool = True) -> float:
    number = _checks.positive(name, value) if open_low else _checks.non_negative(name, value)
    if number > 1:
        _checks.fail(name, f"be in {'(' if open_low else '['}0, 1]", value)
    return number


def _check_common(rule: Any) -> None:
    given = {field.name for field in fields(rule)}
    _checks.choice("bounds", rule.bounds, get_args(Bounds))
    if "pairing" in given:
        _checks.choice("pairing", rule.pairing, get_args(Pairing))
    _set(rule, "w_max", _fraction("w_max", rule.w_max))
    _checks.instance("keep_sign", rule.keep_sign, bool)
