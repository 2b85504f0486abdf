"""Rules keep their laws: windows exactly, expected changes and variances within 5 sigma."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import LIF, Bitstream, Dense, Network, prepare, simulate
from sc_neurocore.plasticity import (
    STDP,
    Homeostasis,
    RewardSTDP,
    StochasticSTDP,
    TripletSTDP,
    stdp_drift,
    stdp_equilibrium,
    stdp_variance,
    stdp_window,
)

# Weights so small that none of their bits is 1, so that neurons fire by their bias alone: in each step
# with the probability p_out, independent of the inputs.
SMALL, N = 1e-10, 200
P_IN, P_OUT = 0.15, 0.1
NEURON = LIF(tau_mem=1.0, v_threshold=0.5)
TAUS = {"tau_plus": 6.0, "tau_minus": 4.0}
ALL = STDP(0.002 * SMALL, 0.003 * SMALL, bounds="hard", w_max=SMALL, **TAUS)
RULES = [
    ALL,
    replace(ALL, pairing="nearest"),
    TripletSTDP(*np.array([2e-4, 1e-4, 2e-3, 3e-3]) * SMALL, 6.0, 4.0, 20.0, 12.0, "hard", w_max=SMALL),
    RewardSTDP(1e-5 * SMALL, 2e-5 * SMALL, 6.0, 4.0, 10.0, 2.0, "hard", w_max=SMALL),
    StochasticSTDP(0.4, 0.5, 6.0, 4.0, level=1e-3 * SMALL, w_max=SMALL),
]


def changes(rule, steps, seeds, start=0.5):
    """Return changes of magnitudes of independent pairs of an input and a neuron, in units of SMALL."""
    found = []
    for seed in range(seeds):
        weights = np.full((N, N), start * SMALL)
        network = Network([Dense(weights, neuron=NEURON, bias=np.full(N, P_OUT), plasticity=rule)])
        prepared, reward = prepare(network, seed=seed), isinstance(rule, RewardSTDP)
        x = np.full(N, P_IN)
        before = prepared.run(x, 100, reward=1.0 if reward else None).state
        after = prepared.run(x, steps, state=before, reward=1.0 if reward else None)
        assert 0.08 < after.counts.mean() / steps < 0.12
        found.append(np.diag(after.state.weights[0] - before.weights[0]) / SMALL)
    return np.concatenate(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{type(rule).__name__} {rule.pairing}")
def test_the_drift_is_its_law(rule):
    found = changes(rule, 300, 4)
    expected = 300 * stdp_drift(rule, P_IN, P_OUT) / SMALL
    sigma = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - expected) < 5 * sigma
    assert sigma < 0.5 * abs(expected)  # so that the test can tell


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{type(rule).__name__} {rule.pairing}")
def test_the_variance_is_its_law(rule):
    found = changes(rule, 1000, 8)
    expected = 1000 * stdp_variance(rule, P_IN, P_OUT) / SMALL**2
    sigma = expected * math.sqrt(2 / len(found))  # of a variance of nearly normal numbers
    assert abs(found.var(ddof=1) - expected) < 5 * sigma


@pytest.mark.parametrize(("p_in", "p_out"), [(0.15, 0.1), (0.9, 0.4), (1.0, 0.5), (0.0, 0.3)])
def test_the_variance_of_all_pairs_has_a_closed_form(p_in, p_out):
    up, down = math.exp(-1 / ALL.tau_plus), math.exp(-1 / ALL.tau_minus)
    k1 = ALL.a_plus / (1 - up) - ALL.a_minus * down / (1 - down)
    k2 = ALL.a_plus**2 / (1 - up**2) + (ALL.a_minus * down) ** 2 / (1 - down**2)
    expected = k1**2 * p_in * p_out * (p_out * (1 - p_in) + p_in * (1 - p_out))
    expected += k2 * p_in * (1 - p_in) * p_out * (1 - p_out)
    assert stdp_variance(ALL, p_in, p_out) == pytest.approx(expected, rel=1e-12, abs=1e-40)


@pytest.mark.parametrize("rule", [
    STDP(0.02, 0.03, w_max=SMALL, **TAUS),
    STDP(0.02, 0.03, w_max=SMALL, keep_sign=False, **TAUS),
], ids=["STDP", "signs"])  # fmt: skip
def test_soft_bounds_hold_weights_at_their_equilibrium(rule):
    expected = stdp_equilibrium(rule, P_IN, P_OUT) / SMALL
    found = changes(rule, 3000, 1, start=expected)
    assert abs(found.mean()) < 5 * found.std() / math.sqrt(N)
    assert abs(changes(rule, 300, 1, start=0.9).mean()) > 0.05  # it does move from elsewhere


def after_pairs(rule, n_neurons=1, m=0.5):
    """Return times of inputs after 40 and the state after one output spike at 40, teachers last."""
    times = np.arange(-30, 31)
    bits = np.zeros((len(times) + 2, 100), np.uint8)
    bits[np.arange(len(times)), 40 + times] = 1
    bits[-2:, 40] = 1
    weights = np.full((n_neurons, len(times) + 2), -m)
    weights[:, -2:] = 1.0
    layer = Dense(weights, neuron=NEURON, plasticity=rule)
    run = simulate(Network([layer]), Bitstream.from_bits(bits), seed=1)
    assert (run.counts == 1).all()
    return -times, run.state


@pytest.mark.parametrize("rule", [
    STDP(0.1, 0.08, bounds="hard", **TAUS), STDP(0.1, 0.08, pairing="nearest", **TAUS),
    TripletSTDP(0.05, 0.03, 0.5, 0.5, bounds="hard"),
], ids=["hard", "soft", "triplet"])  # fmt: skip
def test_the_window_is_its_law(rule):
    differences, state = after_pairs(rule)
    change = np.abs(state.weights[0][0, :-2]) - 0.5
    assert np.allclose(change, stdp_window(rule, differences, m=0.5), rtol=1e-12, atol=1e-15)


def test_the_window_of_an_eligibility_decays_until_the_reward():
    rule = RewardSTDP(0.1, 0.08, tau_eligibility=50.0, **TAUS)
    differences, state = after_pairs(rule)
    e = state.traces[0]["eligibility"][0, :-2]
    later = 40 + np.maximum(-differences, 0)  # the second spike of a pair
    decay = np.exp(-(99 - later) / 50.0)
    assert np.allclose(e, stdp_window(rule, differences) * decay, rtol=1e-10)


def test_the_window_of_a_stochastic_rule_has_a_mean_and_a_variance():
    rule, n = StochasticSTDP(0.8, 0.5, 20.0, 10.0, level=1 / 64), 2000
    differences, state = after_pairs(rule, n)
    change = (np.abs(state.weights[0][:, :-2]) - 0.5) * 64
    expected = stdp_window(rule, differences) * 64
    variance = np.abs(expected) * (1 - np.abs(expected))
    assert set(np.unique(change)) <= {-1.0, 0.0, 1.0}
    assert (np.abs(change.mean(axis=0) - expected) <= 5 * np.sqrt(variance / n)).all()
    fourth = variance * (1 - 3 * variance)  # central moment of a Bernoulli number
    sigma = np.sqrt((fourth - variance**2) / n) + 5 * variance / n
    assert (np.abs(change.var(axis=0) - variance) <= 5 * sigma).all()


def test_homeostasis_keeps_the_sum_or_follows_the_rate():
    weights = np.random.default_rng(1).uniform(0.1, 0.4, (5, 40))
    layer = Dense(weights, gain=0.2, plasticity=[STDP(0.05, 0.04), Homeostasis(total=8.0, period=50)])
    after = simulate(Network([layer]), np.full(40, 0.3), 500, seed=1).state.weights[0]
    assert np.allclose(after.sum(axis=1), 8.0, rtol=1e-12)
    rule = Homeostasis(rate=0.25, strength=0.5, tau=20.0, period=10)
    always = Dense([[0.5]], neuron=LIF(v_threshold=0.01), plasticity=rule, bias=[1.0])
    after = simulate(Network([always]), [0.0], 60, seed=1).state.weights[0]
    rates = 1 - np.exp(-np.arange(10, 61, 10) / 20.0)
    assert np.isclose(after[0, 0], 0.5 * np.prod(1 + 0.5 * (0.25 - rates)), rtol=1e-12)


def test_homeostasis_reaches_the_rate():
    rule = Homeostasis(rate=0.08, strength=1.0, tau=200.0, period=20)
    layer = Dense(np.full((50, 100), 0.05), gain=0.1, plasticity=rule)
    prepared = prepare(Network([layer]), seed=1)
    state = prepared.run(np.full(100, 0.3), 4000).state
    rate = prepared.run(np.full(100, 0.3), 4000, state=state).counts.mean() / 4000
    assert abs(rate - 0.08) < 0.002
