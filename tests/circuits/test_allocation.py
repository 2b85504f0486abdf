"""Allocations use few generators, and leave no operand with a wrong correlation if generators can."""

import numpy as np
import pytest

from sc_neurocore import stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import (
    absolute_difference,
    bernstein,
    buffered_add,
    cordiv,
    isolate,
    majority,
    maximum,
    minimum,
    multiply,
    saturating_add,
    scaled_add,
    stanh,
    toggle_add,
    uadd,
)


def products(x, w):
    return toggle_add(stack([multiply(x[i], w[i]) for i in range(8)]))


def edge(x):
    first, second = absolute_difference(x[0], x[3]), absolute_difference(x[1], x[2])
    return scaled_add(stack([first, second]), key=3)


def median_of_three(x):
    low, high = minimum(x[0], x[1]), maximum(x[0], x[1])
    return maximum(low, minimum(high, x[2]))


def edge_by_a_loop(x):
    first, second = absolute_difference(x[0], x[3]), absolute_difference(x[1], x[2])
    turn = feedback(lambda held: held ^ first ^ second)
    return first & second | (first ^ second) & isolate(turn, 1)


def smoothed_difference(x, y):
    difference = absolute_difference(x, y)
    return difference & isolate(difference, 1)


# Circuit, shapes of its inputs, generators, and proposals.
CIRCUITS = {
    "product": (multiply, {}, 2, 0),
    "minimum": (minimum, {}, 1, 0),
    "saturating sum": (saturating_add, {}, 1, 0),
    "quotient": (cordiv, {}, 1, 0),
    "products": (products, {"x": (8,), "w": (8,)}, 2, 0),
    "edge": (edge, {"x": (4,)}, 1, 0),
    "median": (median_of_three, {"x": (3,)}, 1, 0),
    "polynomial": (lambda x: bernstein(stack(list(x)), [0.1] * 6, key=3), {"x": (5,)}, 5, 0),
    "chain of products": (lambda a, b, c, d: multiply(multiply(a, b), multiply(c, d)), {}, 4, 0),
    "gates": (lambda a, b, c: a & b | c, {}, 3, 0),
    "edge by a loop": (edge_by_a_loop, {"x": (4,)}, 2, 0),
    "operator behind both operands": (smoothed_difference, {}, 1, 0),
    "vote": (lambda x, y, z: majority(stack([x, y, z])), {}, 3, 0),
    "sum without a buffer": (lambda x, y: buffered_add(x, y, 0), {}, 2, 0),
    "counter": (lambda x: uadd(stack(list(x))), {"x": (5,)}, 1, 0),
    "loop": (lambda x, y: feedback(lambda h: x & y | ~y & h), {}, 2, 0),
    "minimum of a product": (lambda a, b, c: minimum(multiply(a, b), c), {}, 2, 1),
    "square": (lambda x: multiply(x, x), {}, 1, 1),
    "delayed square": (lambda x: multiply(x, isolate(x, 1)), {}, 1, 0),
    "functions in series": (lambda x: stanh(stanh(x, 4), 4), {}, 1, 1),
    "both requirements": (lambda a, b: multiply(minimum(a, b), b), {}, 2, 2),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_an_allocation_has_as_few_generators_as_possible(name):
    function, shapes, n_generators, n_proposals = CIRCUITS[name]
    circuit = Circuit.trace(function, **shapes)
    allocation = circuit.allocate()
    assert allocation.n_generators == n_generators
    assert len(allocation.proposals) == n_proposals
    assert len(circuit.check(generators=allocation.generators)) == n_proposals
    rng = np.random.default_rng(2)
    values = {name: rng.uniform(0.2, 0.8, net.shape) for name, net in circuit.inputs.items()}
    biases = circuit.predict(values, 2**20, generators=allocation.generators)
    if not n_proposals:
        assert np.allclose(biases["out"].bias, 0, atol=1e-4)
    streams = circuit.encode(values, 4096, seed=1, generators=allocation.generators)
    # One set of values can have the wanted correlation: a & b has only ones of c if a < c.
    assert len(circuit.check(streams=streams)) <= n_proposals


def test_inverted_streams_have_a_name_with_a_tilde():
    allocation = Circuit.trace(saturating_add).allocate()
    assert allocation.generators == {"x": 0, "~y": 0}


def test_proposals_name_the_circuit_the_operands_and_the_cost():
    allocation = Circuit.trace(lambda a, b, c: minimum(multiply(a, b), c)).allocate()
    (proposal,) = allocation.proposals
    assert proposal == "synchronize multiply and c with depth 8 before minimum: 5 flip-flops"
