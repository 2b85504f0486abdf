"""Layers whose weights change: their rules as the kernel takes them, and their state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks.layers import Dense
from sc_neurocore.neurons import LIF
from sc_neurocore.plasticity import (
    STDP,
    Competition,
    Homeostasis,
    RewardSTDP,
    StochasticSTDP,
    TripletSTDP,
)
from sc_neurocore.plasticity.rules import PairRule, Rule
from sc_neurocore.streams import Role, stream_key
from sc_neurocore.streams._bits import n_words

# Steps after which the kernel lets an eligibility decay.
_WORD = 64


def native_rule(rules: Sequence[Rule], dt: float) -> _native.PlasticRule:
    """Return the rules of a layer with a time step in ms, as the kernel takes them."""
    given: dict[str, Any] = {}
    pair = next((rule for rule in rules if isinstance(rule, PairRule)), None)
    if pair is not None:
        given.update(
            keep_plus=math.exp(-dt / pair.tau_plus),
            keep_minus=math.exp(-dt / pair.tau_minus),
            w_max=pair.w_max,
            soft=pair.bounds == "soft",
            nearest=pair.pairing == "nearest",
            keeps_sign=pair.keep_sign,
        )
    if isinstance(pair, STDP | RewardSTDP):
        given.update(a_plus=pair.a_plus, a_minus=pair.a_minus)
    if isinstance(pair, RewardSTDP):
        keep = math.exp(-dt / pair.tau_eligibility)
        given.update(keep_eligibility=keep, learning_rate=pair.rate)
    if isinstance(pair, StochasticSTDP):
        given.update(a_plus=pair.p_plus, a_minus=pair.p_minus, level=pair.level)
    if isinstance(pair, TripletSTDP):
        given.update(
            triplet=True,
            a_plus=pair.a2_plus,
            a_minus=pair.a2_minus,
            a3_plus=pair.a3_plus,
            a3_minus=pair.a3_minus,
            keep_x=math.exp(-dt / pair.tau_x),
            keep_y=math.exp(-dt / pair.tau_y),
        )
    scaling = next((rule for rule in rules if isinstance(rule, Homeostasis)), None)
    if scaling is not None:
        given.update(
            period=scaling.period,
            total=scaling.total or 0.0,
            goal=scaling.rate or 0.0,
            strength=scaling.strength,
            keep_average=math.exp(-dt / scaling.tau),
        )
    competition = next((rule for rule in rules if isinstance(rule, Competition)), None)
    if competition is not None:
        given.update(
            inhibition=competition.inhibition,
            threshold_step=competition.threshold_step,
            keep_threshold=math.exp(-dt / competition.tau_threshold),
        )
    return _native.PlasticRule(**given)


@dataclass(frozen=True, eq=False)
class PlasticLayer:
    """A layer whose weights change, ready to run.

    Its state is one array, which the kernel updates in place; `named` are its parts.
    """

    layer: Dense
    rule: _native.PlasticRule
    parameters: list[_native.LIFParameters]
    keys: tuple[int, int, int, int]
    gain: Reals
    bias: NDArray[np.int64] | None
    recurrent: NDArray[np.int64] | None
    shared: bool
    powers: Reals

    @classmethod
    def of(cls, layer: Dense, number: int, *, seed: int, share: bool) -> PlasticLayer:
        """Return layer `number` of a network, ready to run."""
        neuron = layer.neuron
        assert isinstance(neuron, LIF)
        rule = native_rule(layer.plasticity, neuron.dt)
        bias = None if layer.bias is None else np.rint(layer.bias * 2.0**32).astype(np.int64)
        recurrent = None
        if layer.recurrent is not None:
            recurrent = np.rint(np.ascontiguousarray(layer.recurrent.T) * 2.0**32).astype(np.int64)
        kept = np.cumprod([1.0, *[rule.keep_eligibility or 1.0] * _WORD])
        powers = np.concatenate([kept, 1 / kept])
        keys = (
            stream_key(seed, Role.WEIGHT, number),
            stream_key(seed, Role.NOISE, number),
            stream_key(seed, Role.LEARNING, number, 0),
            stream_key(seed, Role.LEARNING, number, 1),
        )
        gain = np.broadcast_to(np.asarray(layer.gain, np.float64), (layer.n_out,)).copy()
        return cls(layer, rule, neuron.parameters, keys, gain, bias, recurrent, share, powers)

    @cached_property
    def has_signs(self) -> bool:
        """Whether a weight can be negative."""
        return not self.rule.keeps_sign or bool(np.signbit(self.layer.weights).any())

    @cached_property
    def native(self) -> _native.PlasticRunner:
        """The layer as the kernel takes it."""
        return _native.PlasticRunner(
            self.rule, self.parameters, self.keys, self.layer.n_in, self.gain, self.bias,
            self.recurrent, self.shared, self.has_signs, self.powers,
        )  # fmt: skip

    @property
    def is_rewarded(self) -> bool:
        """Whether weights change by rewards."""
        return self.rule.keep_eligibility > 0

    def start(self) -> Reals:
        """Return the state before the first step."""
        layer = self.layer
        sizes = [size for _, size in self._parts()]
        values = np.zeros(sum(map(math.prod, sizes)))
        self.rest(values)
        named = self.named(values)
        named["weights"][:] = layer.weights.T
        if self.rule.total:  # a mark: weights have changed since they were last scaled
            named["average"][:] = 1.0
        return values

    def rest(self, values: Reals) -> None:
        """Put neurons and traces at rest; weights, thresholds and average rates stay as they are."""
        assert isinstance(self.layer.neuron, LIF)
        named = self.named(values)
        for name in ("refractory", "i", "before", "x", "x2", "y", "y2", "eligibility"):
            if name in named:
                named[name][:] = 0
        named["v"][:] = self.layer.neuron.v_rest

    def named(self, values: Reals) -> dict[str, Reals]:
        """Return the parts of a state by name, views of it; weights have shape (n_in, n_out)."""
        parts, at = {}, 0
        for name, shape in self._parts():
            size = math.prod(shape)
            parts[name] = values[at : at + size].reshape(shape)
            at += size
        return parts

    def _parts(self) -> list[tuple[str, tuple[int, ...]]]:
        n_in, n = self.layer.n_in, self.layer.n_out
        parts: list[tuple[str, tuple[int, ...]]] = [
            ("v", (n,)), ("refractory", (n,)), ("i", (n,)), ("before", (n_words(n),)), ("x", (n_in,)),
            ("x2", (n_in,)), ("y", (n,)), ("y2", (n,)), ("theta", (n,)), ("average", (n,)),
            ("weights", (n_in, n)),
        ]  # fmt: skip
        return [*parts, ("eligibility", (n_in, n))] if self.is_rewarded else parts

    def run(
        self,
        values: Reals,
        x: Words | None,
        x_start: int,
        densities: Reals | None,
        input_key: int,
        first: int,
        steps: int,
        rewards: Reals | None,
    ) -> Words:
        """Return the packed spikes (n_out, n_words) of a block of time, and advance the state.

        x holds words (n_in, n_words), whose bit x_start is the first; without it, densities (n_in,) are
        encoded.
        """
        return self.native.run(x, densities, x_start, input_key, first, steps, rewards, values)

    def weights(self, values: Reals) -> Reals:
        """Return the weights of a state, shape (n_out, n_in)."""
        return np.ascontiguousarray(self.named(values)["weights"].T)

    def traces(self, values: Reals, steps: int) -> dict[str, Reals]:
        """Return the other variables of the rules, after a number of steps."""
        named, rule = self.named(values), self.rule
        traces = {"pre": named["x"].copy(), "post": named["y"].copy()}
        if rule.triplet:
            traces |= {"pre_slow": named["x2"].copy(), "post_slow": named["y2"].copy()}
        if rule.threshold_step:
            traces["threshold"] = named["theta"].copy()
        if rule.period and not rule.total:
            traces["rate"] = named["average"].copy()
        if self.is_rewarded:
            e = named["eligibility"].T * self.powers[(steps - 1) % _WORD if steps else 0]
            traces["eligibility"] = np.ascontiguousarray(e)
        return traces

    def learned(self, values: Reals) -> Dense:
        """Return the layer with the weights and thresholds of a state, which change no more."""
        layer, named = self.layer, self.named(values)
        neuron = layer.neuron
        assert isinstance(neuron, LIF)
        if self.rule.threshold_step:
            raised: Any = neuron.v_threshold + named["theta"]
            neuron = replace(neuron, v_threshold=raised)
        fixed = (Competition(self.rule.inhibition),) if self.rule.inhibition else ()
        weights = self.weights(values)
        return replace(layer, weights=weights, neuron=neuron, plasticity=fixed)


def checked_rewards(
    reward: Any, layers: Sequence[PlasticLayer], rows: int, length: int
) -> Reals | None:
    """Return rewards (rows, length), or None if no layer changes by them."""
    if not any(layer.is_rewarded for layer in layers):
        if reward is not None:
            _checks.fail("reward", "be None unless a layer has a RewardSTDP", reward)
        return None
    if reward is None:
        return None
    values = _checks.array("reward", reward, [0, 1, 2])
    try:
        return np.ascontiguousarray(np.broadcast_to(values, (rows, length)))
    except ValueError:
        contract = f"be a number or have shape ({length},) or ({rows}, {length})"
        _checks.fail("reward", contract, values.shape)
