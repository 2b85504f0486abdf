"""Layers that learn in fixed point equal their twin in integers, however a run is cut."""

import itertools

import numpy as np
import pytest
import twins

from sc_neurocore import _native
from sc_neurocore.networks.fixed_point import FixedLIF

STEPS = 150
PAIR = {
    "most": 900, "weight_drop": 2, "one": 64, "trace_most": 511, "nearest": False,
    "keep_plus": 13, "keep_minus": 7, "keep_plus_shift": 4, "keep_minus_shift": 3,
    "a_plus": 5, "a_minus": 3, "a_plus_shift": 3, "a_minus_shift": 2,
}  # fmt: skip
MOVES = {
    **PAIR, "nearest": True, "one": 512, "trace_most": 1023, "a_plus": 100, "a_minus": 256, "level": 37,
    "trace_drop": 1,
}  # fmt: skip
RULES = [PAIR, {**PAIR, "nearest": True}, MOVES]
NEURONS = [
    FixedLIF(12, 4, 1, 3, 90, -5, False, 2, 1.0, 0.0),
    FixedLIF(8, 3, 0, 0, 90, 3, True, 0, 1.0, 0.0),
]


def random_words(state):
    """Return the next state of the register x**33 + x**20 + 1, bit by bit."""
    bits = [state >> k & 1 for k in range(33)]  # the newest first
    for _ in range(32):
        bits = [bits[32] ^ bits[19], *bits[:-1]]
    return sum(b << k for k, b in enumerate(bits))


def twin(n, r, learns, x, numbers, negative, state):
    """Return potentials, spikes and weights after each step; the parts of state change."""
    w, v, rest, pre, post = (state[k] for k in ("weights", "v", "rest", "pre", "post"))
    potentials, spikes, history = [], [], []

    def risen(trace):
        return r["one"] if r["nearest"] else min(trace + r["one"], r["trace_most"])

    for t in range(x.shape[1]):
        pre[:] = pre * r["keep_plus"] >> r["keep_plus_shift"]
        for i in np.flatnonzero(x[:, t]):
            pre[i] = risen(pre[i])
        fired = np.zeros(len(v), np.uint8)
        for j in range(len(v)):
            on = x[:, t] * (numbers[t] < w[j] >> r["weight_drop"])
            count = int((on * np.where(negative[j], -1, 1)).sum())
            if rest[j]:
                rest[j] -= 1
            else:
                sum_ = int(v[j]) - (int(v[j]) * n.leak >> n.leak_shift) + (count << n.fraction)
                v[j] = min(max(sum_, n.least), n.most)
                if v[j] >= n.threshold:
                    v[j] = v[j] - (n.threshold - n.reset) if n.subtract else n.reset
                    rest[j], fired[j] = n.refractory, 1
            post[j] = post[j] * r["keep_minus"] >> r["keep_minus_shift"]
            for i in range(len(pre)) if learns else ():
                fall = int(post[j]) * r["a_minus"] >> r["a_minus_shift"]
                rise = int(pre[i]) * r["a_plus"] >> r["a_plus_shift"]
                if r.get("level"):
                    state["register"] = random_words(state["register"])
                    a, b, c, d = (state["register"] >> 8 * k & 255 for k in range(4))
                    fall = r["level"] * (a < r["a_minus"] and b < post[j] >> r["trace_drop"])
                    rise = r["level"] * (c < r["a_plus"] and d < pre[i] >> r["trace_drop"])
                if x[i, t]:
                    w[j, i] = max(w[j, i] - fall, 0)
                if fired[j]:
                    w[j, i] = min(w[j, i] + rise, r["most"])
            if fired[j]:
                post[j] = risen(post[j])
        potentials.append(v.copy())
        spikes.append(fired)
        history.append(w.copy())
    return np.array(potentials).T, np.array(spikes).T, np.array(history)


@pytest.mark.parametrize(("number", "learns"), [(0, True), (1, True), (2, True), (2, False)])
@pytest.mark.parametrize(("n_in", "n"), [(5, 3), (1, 1), (9, 2)])
def test_a_layer_that_learns_equals_its_twin_however_it_is_cut(number, learns, n_in, n):
    rng = np.random.default_rng(number + 10 * n)
    rule, neuron = RULES[number], NEURONS[number % 2]
    x = (rng.random((n_in, STEPS)) < 0.4).astype(np.uint8)
    numbers = rng.integers(0, 256, STEPS).astype(np.uint32)
    negative = rng.random((n, n_in)) < 0.2
    weights = rng.integers(0, 901, (n, n_in)).astype(np.int32)
    state = {
        "weights": weights.copy(), "v": np.zeros(n, np.int32), "rest": np.zeros(n, np.uint64),
        "pre": np.zeros(n_in, np.int32), "post": np.zeros(n, np.int32), "register": 0x1_2345_6789,
    }  # fmt: skip
    expected = twin(neuron, rule, learns, x, numbers, negative, state)
    assert expected[1].any() or n_in == 1
    assert learns or (weights == state["weights"]).all()
    assert not learns or n_in == 1 or (weights != state["weights"]).any()
    for cuts in ([0, STEPS], [0, 1, 64, 70, STEPS]):
        register = np.array([0x1_2345_6789], np.uint64)
        own = [weights.copy(), np.zeros(n, np.int32), np.zeros(n, np.uint64), np.zeros(n_in, np.int32),
               np.zeros(n, np.int32), register]  # fmt: skip
        for begin, end in itertools.pairwise(cuts):
            v, spikes, history = _native.fixed_learning(
                neuron._integers[0], _native.FixedRule(**rule), learns, twins.pack(x[:, begin:end]),
                numbers[begin:end], negative.astype(np.uint8), *own, True,
            )  # fmt: skip
            assert np.array_equal(v, expected[0][:, begin:end])
            assert np.array_equal(twins.unpack(spikes, end - begin), expected[1][:, begin:end])
            assert np.array_equal(history, expected[2][begin:end])
        for values, name in zip(own, ("weights", "v", "rest", "pre", "post"), strict=False):
            assert np.array_equal(values, state[name])
        assert register[0] == state["register"]
