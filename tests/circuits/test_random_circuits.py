"""Predictions of random circuits agree with simulations, and copies and parts with their circuits."""

import copy
import pickle

import numpy as np
import pytest
from random_circuits import random_circuit

from sc_neurocore import Bipolar, Bitstream, encode, stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import multiply, scaled_add, stanh

COPIES = 1000


def drawn(seed):
    """Return a circuit, values of its inputs, their generators and a length."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    circuit = random_circuit(rng, n, int(rng.integers(3, 10)), int(rng.choice([0, 0, 1, 2, 3])))
    values = {name: rng.choice([0, 1, rng.random()], p=[0.1, 0.1, 0.8]) for name in circuit.inputs}
    generators = None
    if rng.random() < 0.4:
        generators = {str(rng.choice(["", "~"])) + name: int(rng.integers(n)) for name in values}
    return circuit, values, generators, int(rng.choice([1, 7, 63, 64, 65, 200]))


@pytest.mark.parametrize("seed", range(40))
def test_means_and_variances_of_random_circuits_are_those_of_simulations(seed):
    circuit, values, generators, length = drawn(seed)
    predicted = circuit.predict(values, length, generators=generators)
    batch = {name: np.full(COPIES, p) for name, p in values.items()}
    streams = circuit.encode(batch, length, seed=seed, generators=generators)
    for name, x in circuit.simulate(streams).items():
        y = predicted[name]
        density = np.broadcast_to(x.probability(), COPIES)
        error = 5 * density.std() / np.sqrt(COPIES) + 1e-9
        assert y.low - error <= density.mean() <= y.high + error
        if y.method == "exact" and x.shape:
            assert abs(density.mean() - y.mean) <= 5 * y.standard_error / np.sqrt(COPIES) + 1e-9
            # The variance of a variance, of the densities as they are.
            fourth = np.mean((density - density.mean()) ** 4)
            spread = np.sqrt(max(fourth - density.var() ** 2, 0) / COPIES)
            assert abs(density.var() - y.variance) <= 6 * spread + 0.1 * y.variance + 1e-8


@pytest.mark.parametrize("seed", range(20))
def test_an_allocation_does_not_change_the_means_of_gates_machines_and_loops(seed):
    circuit, values, _, length = drawn(seed)
    allocation = circuit.allocate()
    own, shared = (
        circuit.predict(values, length, generators=generators)
        for generators in (None, allocation.generators)
    )
    for name, net in own.items():
        known = (net.method != "bounded") & (shared[name].method != "bounded")
        assert abs(shared[name].mean - net.mean)[known] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_copy_computes_the_same(seed, copied):
    circuit, values, generators, length = drawn(seed)
    streams = circuit.encode(values, length, seed=1, generators=generators)
    wanted = circuit.simulate(streams)
    again = copied(circuit)
    assert again.simulate(streams) == wanted
    assert list(again.inputs) == list(circuit.inputs)
    assert again.predict(values, length)["p"].mean == circuit.predict(values, length)["p"].mean


def test_operators_shapes_and_requirements_are_copied():
    captured = encode([0.2, 0.6], 100, key=3)

    def function(x, y):
        sums = scaled_add(stack([x[0], x[1], y]), key=1)
        half = encode(0.5, x.length, key=2)
        return (Bipolar(sums) * Bipolar(x[0])).stream & captured | half

    circuit = Circuit.trace(function, x=(2,))
    again = pickle.loads(pickle.dumps(circuit))
    streams = circuit.encode({"x": [0.3, 0.4], "y": 0.5}, 100, seed=1)
    assert again.simulate(streams) == circuit.simulate(streams)
    assert list(map(str, again.check())) == list(map(str, circuit.check())) != []
    assert list(map(str, pickle.loads(pickle.dumps(again)).check())) == list(map(str, circuit.check()))


def test_a_long_chain_is_copied():
    def chain(x):
        for _ in range(3000):
            x = ~(x ^ x) & x
        return x

    circuit = Circuit.trace(chain)
    x = Bitstream.from_bits([0, 1, 1])
    assert pickle.loads(pickle.dumps(circuit)).simulate({"x": x})["out"] == x


def neuron(x, w):
    return stanh((Bipolar(x) * Bipolar(w)).stream, 4)


def test_a_circuit_is_a_part_of_another():
    part = Circuit.trace(neuron)

    def both(function):
        def of(x, w):
            return feedback(lambda held: function(x ^ held, w)) & function(w, x)

        return Circuit.trace(of)

    direct = both(neuron)
    composed = both(lambda x, w: part.simulate({"x": x, "w": w})["out"])
    streams = direct.encode({"x": 0.7, "w": [0.4, 0.8]}, 300, seed=2)
    assert composed.simulate(streams) == direct.simulate(streams)
    values = {"x": 0.7, "w": 0.4}
    mean, wanted = (c.predict(values, 300)["out"].mean for c in (composed, direct))
    assert mean == pytest.approx(wanted, abs=1e-12)
    assert [f.operator for f in composed.check(values)] == [f.operator for f in direct.check(values)]


def test_a_part_can_have_streams_with_bits_and_unused_inputs():
    part = Circuit.trace(lambda x, y, z: {"a": multiply(x, y), "b": ~x}, x=(2,))
    given = encode(0.5, 64, key=1)
    whole = Circuit.trace(lambda u, v: part.simulate({"x": stack([u, v]), "y": given, "z": u})["a"])
    u, v = encode([0.3, 0.6], 64, key=2)
    assert whole.simulate({"u": u, "v": v})["out"] == stack([u, v]) & given
