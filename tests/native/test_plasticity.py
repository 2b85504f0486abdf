"""The kernel of plastic layers equals its twin, however a run is cut."""

import functools
import itertools

import numpy as np
import pytest
import twins
from plastic_twin import plastic
from test_native import LIFS

from sc_neurocore import _native

KEYS, STEPS = (11, 5, 23, 29), 200
DECAY = {"keep_plus": 0.9, "keep_minus": 0.8}
PAIR = {"a_plus": 0.1, "a_minus": 0.07, **DECAY}
SLOW = {"keep_x": 0.98, "keep_y": 0.95}
COMPETITION = {"inhibition": 1.5, "threshold_step": 0.2, "keep_threshold": 0.99}
RULES = [
    PAIR,
    {**PAIR, "soft": True, "w_max": 0.9},
    {**PAIR, "nearest": True, "keeps_sign": False},
    {**PAIR, "soft": True, "keeps_sign": False, **COMPETITION},
    {**PAIR, **SLOW, "triplet": True, "a3_plus": 0.2, "a3_minus": 0.05, "soft": True},
    {**PAIR, "nearest": True, "level": 1 / 16},
    {**PAIR, "nearest": True, "level": 1 / 16, "soft": True, "keeps_sign": False},
    {**PAIR, "keep_eligibility": 0.97, "learning_rate": 0.5},
    {**PAIR, "keep_eligibility": 0.9, "learning_rate": 0.5, "soft": True, "keeps_sign": False},
    {**PAIR, "a_minus": 0.0, "period": 37, "total": 2.5, **COMPETITION},
    {**PAIR, "keep_eligibility": 0.9, "learning_rate": 0.5, "period": 10, "total": 1.0},
    {**PAIR, "period": 16, "goal": 0.3, "strength": 2.0, "keep_average": 0.95},
    {"inhibition": 0.8},
]
# Inputs and neurons.
SHAPES = [(7, 3), (70, 11), (5, 65), (9, 1), (130, 8)]


def start(rng, n_in, n, parameters, rule):
    """Return the named parts of a state as the twin has them."""
    weights = rng.uniform(-0.5, 1, (n_in, n)) * rule.w_max
    weights.flat[rng.integers(0, weights.size, 2)] = [0.0, -0.0]
    rest = [parameters[j % len(parameters)].v_rest for j in range(n)]
    state = {
        "v": np.array(rest), "refractory": np.zeros(n, np.uint64), "i": np.zeros(n),
        "before": np.zeros(n, bool), "x": np.zeros(n_in), "x2": np.zeros(n_in), "y": np.zeros(n),
        "y2": np.zeros(n), "theta": np.zeros(n), "average": np.full(n, float(rule.total > 0)),
        "weights": weights,
    }  # fmt: skip
    if rule.keep_eligibility:
        state["eligibility"] = np.zeros((n_in, n))
    return state


def joined(state):
    """Return the state as the kernel has it."""
    parts = {**state, "before": twins.pack(state["before"].astype(np.uint8))}
    return np.concatenate([part.ravel().view(np.float64) for part in parts.values()])


@functools.cache
def case(number):
    """Return the arguments of a run, and the twin's spikes and states at some steps."""
    rng = np.random.default_rng(number)
    rule = _native.PlasticRule(**RULES[number % len(RULES)])
    n_in, n = SHAPES[(number + number // len(RULES)) % len(SHAPES)]
    parameters = [LIFS[number % 6]] if number % 2 else [LIFS[k % 6] for k in range(n)]
    bias = np.rint(rng.uniform(-1, 1, n) * 2**32).astype(np.int64) if number % 3 == 0 else None
    recurrent = (
        np.rint(rng.uniform(-1, 1, (n, n)) * 2**32).astype(np.int64) if number % 4 == 1 else None
    )
    gain = 3 / np.sqrt(n_in) * rng.choice([1.0, 1.5], n)
    x = (rng.random((n_in, STEPS)) < rng.choice([0.05, 0.3], (n_in, 1))).astype(np.uint8)
    rewards = rng.choice([0.0, 0.0, 0.3, -0.4], STEPS) if rule.keep_eligibility else None
    state, first = start(rng, n_in, n, parameters, rule), 64 * (number % 2) + 29 * (number % 4)
    initial = joined(state)
    shared = number % 5 == 2
    spikes, states = [], {0: initial}
    for begin, end in itertools.pairwise([0, 1, 40, 104, 105, STEPS]):
        spikes.append(plastic(
            rule, parameters, KEYS, gain, bias, recurrent, shared, x[:, begin:end], first + begin,
            None if rewards is None else rewards[begin:end], state,
        ))  # fmt: skip
        states[end] = joined(state)
    signs = not rule.keeps_sign or np.signbit(state["weights"]).any()
    given = rule, parameters, KEYS, gain, bias, recurrent, shared, bool(signs)
    return given, x, first, rewards, np.concatenate(spikes, axis=1), states


def run(given, x, x_start, first, steps, rewards, state):
    kept = np.cumprod([1.0, *[given[0].keep_eligibility or 1.0] * 64])
    powers = np.concatenate([kept, 1 / kept])
    return runner(given, len(x), powers).run(x, None, x_start, 0, first, steps, rewards, state)


def runner(given, n_in, powers):
    rule, parameters, keys, *others = given
    return _native.PlasticRunner(rule, parameters, keys, n_in, *others, powers)


@pytest.mark.parametrize("number", range(2 * len(RULES)))
def test_a_plastic_layer_equals_its_twin_however_it_is_cut(isa, number):
    given, x, first, rewards, spikes, states = case(number)
    for cuts, x_start in (([0, STEPS], 0), ([0, 1, 40, 104, 105, STEPS], 3), ([0, 40, STEPS], 77)):
        state = states[0].copy()
        words = twins.pack(np.pad(x, ((0, 0), (x_start, 0))))
        for begin, end in itertools.pairwise(cuts):
            own = None if rewards is None else rewards[begin:end]
            out = run(given, words, x_start + begin, first + begin, end - begin, own, state)
            assert np.array_equal(twins.unpack(out, end - begin), spikes[:, begin:end]), (begin, end)
            assert np.array_equal(state.view(np.uint64), states[end].view(np.uint64)), (begin, end)


def test_the_cases_fire_and_learn():
    fired, learned = [], []
    for number in range(2 * len(RULES)):
        given, x, _, _, spikes, states = case(number)
        fired.append(0.005 < spikes.mean() < 0.9)
        n = len(spikes) * len(x) * (2 if given[0].keep_eligibility else 1)
        learned.append((states[0][-n:] != states[STEPS][-n:]).mean() > 0.2)
    assert np.sum(fired) >= 20
    assert np.sum(learned) >= 20
    assert not any(learned[len(RULES) - 1 :: len(RULES)])


def test_densities_are_encoded_where_the_layer_runs(isa):
    given, x, first, rewards, _, states = case(1)
    densities = np.random.default_rng(1).random(len(x))
    thresholds = np.rint(densities * 2**32).astype(np.uint64)
    lanes = np.arange(len(x), dtype=np.uint64)
    words = twins.encode(3, lanes, thresholds, first // 64, first % 64 + STEPS)
    one, other = states[0].copy(), states[0].copy()
    kept = np.ones(130)
    made = runner(given, len(x), kept)
    a = made.run(None, densities, 0, 3, first, STEPS, rewards, one)
    b = made.run(words, None, first % 64, 0, first, STEPS, rewards, other)
    assert np.array_equal(a, b)
    assert np.array_equal(one.view(np.uint64), other.view(np.uint64))
