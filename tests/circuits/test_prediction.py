"""Predicted means and errors agree with simulations, with enumeration and with known laws."""

import itertools

import numpy as np
import pytest

from sc_neurocore import Bipolar, Machine, Sobol, encode, stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.circuits._laws import frechet
from sc_neurocore.operators import (
    absolute_difference,
    addie,
    bernstein,
    bernstein_value,
    buffered_add,
    cordiv,
    decorrelate,
    desynchronize,
    gaines_divide,
    gaines_sqrt,
    isolate,
    jk_flip_flop,
    linear_machine,
    maximum,
    minimum,
    multiply,
    regenerate,
    saturating_add,
    saturating_subtract,
    scaled_add,
    sexp,
    stanh,
    synchronize,
    toggle_add,
    umul,
)

SHARED = {"x": 0, "y": 0}
# Name: function of two streams, and the generators of its inputs.
CIRCUITS = {
    "product": (multiply, None),
    "product of one stream": (lambda x, y: multiply(x, x) | y, None),
    "minimum": (minimum, SHARED),
    "minimum of independent streams": (minimum, None),
    "difference": (absolute_difference, SHARED),
    "saturating sum": (saturating_add, {"x": 0, "~y": 0}),
    "saturating difference": (saturating_subtract, SHARED),
    "reconvergent gates": (lambda x, y: (x & y) ^ (x | ~y) & ~x, None),
    "scaled sum": (lambda x, y: scaled_add(stack([x, y, x]), key=3, weights=[0.5, 0.3, 0.2]), None),
    "sums with one select": (
        lambda x, y: multiply(scaled_add(stack([x, y]), key=3), scaled_add(stack([y, x]), key=3)),
        None,
    ),
    "toggle sum": (lambda x, y: toggle_add(stack([x, y, x & y, y])), None),
    "buffered sum": (lambda x, y: buffered_add(x, y, 2), None),
    "polynomial": (lambda x, y: bernstein(stack([x, y]), [0.2, 0.9, 0.4], key=4), None),
    "cordiv": (cordiv, SHARED),
    "cordiv of independent streams": (cordiv, None),
    "jk": (lambda x, y: jk_flip_flop(x, y), None),
    "stanh": (lambda x, y: stanh(x, 8), None),
    "stanh of a product": (lambda x, y: stanh((Bipolar(x) * Bipolar(y)).stream, 6), None),
    "stanh twice": (lambda x, y: stanh(stanh(x, 4), 4), None),
    "product of a machine and its input": (lambda x, y: multiply(stanh(x, 4), x), None),
    "sexp": (lambda x, y: sexp(x | y, 8, 2), None),
    "delayed square": (lambda x, y: multiply(x, isolate(x, 1)), None),
    "delayed twice": (lambda x, y: isolate(x, 2) & isolate(x, 1) & x ^ y, None),
    "synchronized": (lambda x, y: minimum(*synchronize(x, y, 2)), None),
    "desynchronized": (lambda x, y: saturating_add(*desynchronize(x, y, 2)), None),
    "loop": (lambda x, y: feedback(lambda h: x & y | ~y & h), SHARED),
    "loop with two registers": (
        lambda x, y: feedback(lambda a, b: ((a ^ x) & ~b, a | y & b), initial=(1, 0))[0],
        None,
    ),
    "loop with a machine": (
        lambda x, y: feedback(lambda h: linear_machine([0, 0, 1, 1]).run(x ^ h, state=2)[0] & y),
        None,
    ),
}
LENGTH, COPIES, P, Q = 300, 4000, 0.35, 0.6


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_prediction_is_exact(name):
    function, generators = CIRCUITS[name]
    circuit = Circuit.trace(function)
    predicted = circuit.predict({"x": P, "y": Q}, LENGTH, generators=generators)
    values = {"x": np.full(COPIES, P), "y": np.full(COPIES, Q)}
    streams = circuit.encode(values, LENGTH, seed=11, generators=generators)
    y = predicted["out"]
    assert y.method == "exact"
    assert y.low == y.high == y.mean
    densities = circuit.simulate(streams)["out"].probability()
    assert abs(densities.mean() - y.mean) <= 5 * y.standard_error / np.sqrt(COPIES) + 1e-9
    # The standard error of a standard deviation, for a density that is nearly normal.
    assert abs(densities.std() - y.standard_error) <= 0.1 * y.standard_error


@pytest.mark.parametrize(
    "function",
    [
        umul,
        lambda x, y: addie(x & y, 5, key=5)[0],
        lambda x, y: gaines_divide(x, y, 6, key=6)[0],
        lambda x, y: gaines_sqrt(x, 5, key=7)[0],
        lambda x, y: decorrelate(x, 16, key=8) & y,
        lambda x, y: regenerate(x ^ y, key=9),
        lambda x, y: multiply(regenerate(x & y, key=9), addie(x, 4, key=3)[0]),
    ],
)
def test_operators_with_numbers_of_their_own_are_predicted_by_their_laws(function):
    circuit = Circuit.trace(function)
    length = 4096
    y = circuit.predict({"x": 0.3, "y": 0.7}, length)["out"]
    assert y.method == "law"
    values = {"x": np.full(1000, 0.3), "y": np.full(1000, 0.7)}
    densities = circuit.simulate(circuit.encode(values, length, seed=5))["out"].probability()
    error = 5 * y.standard_error / np.sqrt(1000)
    assert abs(densities.mean() - y.mean) <= error + 0.002
    assert abs(densities.std() - y.standard_error) <= (0.1 + 5 / np.sqrt(2000)) * y.standard_error


def test_transients_are_part_of_the_mean():
    circuit = Circuit.trace(lambda x: stanh(x, 16))
    short, long = (circuit.predict({"x": 0.55}, length)["out"] for length in (16, 2**20))
    assert short.value == long.value == pytest.approx((1 + np.tanh(8 * np.arctanh(0.1))) / 2)
    assert abs(long.bias) < 1e-3 < abs(short.bias)


def test_the_law_of_each_operator_is_its_value():
    x, y = 0.3, 0.5
    b = [0.25, 0.625, 0.375, 0.75]
    cases = {
        multiply: x * y,
        minimum: 0.3,
        maximum: 0.5,
        absolute_difference: 0.2,
        saturating_add: 0.8,
        saturating_subtract: 0.0,
        cordiv: 0.6,
        umul: 0.15,
        (lambda x, y: jk_flip_flop(x, y)): 0.3 / 0.8,
        (lambda x, y: scaled_add(stack([x, y]), key=1, weights=[0.75, 0.25])): 0.35,
        (lambda x, y: toggle_add(stack([x, y]))): 0.4,
        (lambda x, y: buffered_add(x, y, 3)): 0.8,
        (lambda x, y: bernstein(stack([x, x, x]), b, key=1)): bernstein_value(x, b),
        (lambda x, y: (Bipolar(x) * Bipolar(y)).stream): 0.5,
        (lambda x, y: x & y | ~y & x): 0.3,  # a multiplexer: no operator, so the joint law
        (lambda x, y: encode(0.7, x.length, key=3) & x): 0.21,
        (lambda x, y: stack([x, y])[::-1][0]): 0.5,
        (lambda x, y: stack([x, y])[0] & stack([x, y])[0]): 0.3,
    }
    for function, value in cases.items():
        found = Circuit.trace(function).predict({"x": x, "y": y}, 64)["out"].value
        assert found == pytest.approx(value), function


def test_bias_is_that_of_the_wrong_correlation():
    product = Circuit.trace(multiply)
    assert product.predict({"x": 0.3, "y": 0.5}, 64)["out"].bias == pytest.approx(0)
    shared = product.predict({"x": 0.3, "y": 0.5}, 64, generators=SHARED)["out"]
    assert (shared.mean, shared.bias) == (pytest.approx(0.3), pytest.approx(0.15))
    opposite = product.predict({"x": 0.7, "y": 0.5}, 64, generators={"x": 0, "~y": 0})["out"]
    assert opposite.mean == pytest.approx(0.2)


def truth(rng, n_inputs, n_gates):
    """A random circuit of gates, as a function of n streams or bits."""
    steps = [(rng.integers(0, 3), *rng.integers(0, n_inputs + i, 2)) for i in range(n_gates)]

    def function(x):
        values = [x[i] for i in range(n_inputs)]
        for gate, a, b in steps:
            p, q = values[a], values[b]
            values.append(p & ~q if gate == 0 else p | q if gate == 1 else p ^ q)
        return values[-1]

    return function


@pytest.mark.parametrize("seed", range(20))
def test_gates_with_any_fan_out_have_the_mean_of_all_outcomes(seed):
    rng = np.random.default_rng(seed)
    n = 6
    function = truth(rng, n, 12)
    p = rng.random(n)
    mean = 0.0
    for bits in itertools.product([False, True], repeat=n):
        weight = np.prod(np.where(bits, p, 1 - p))
        mean += weight * bool(function(np.array(bits)))
    found = Circuit.trace(function, x=(n,)).predict({"x": p}, 100)["out"]
    assert found.method == "exact"
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert found.variance == pytest.approx(mean * (1 - mean) / 100, abs=1e-12)


def test_a_tree_of_any_size_is_exact():
    def function(x):
        nets = [x[i] for i in range(64)]
        while len(nets) > 1:
            pairs = zip(nets[::2], nets[1::2], strict=True)
            nets = [multiply(~a, b) | a & ~b for a, b in pairs]
        return nets[0]

    p = np.random.default_rng(1).random(64)
    found = Circuit.trace(function, x=(64,)).predict({"x": p}, 100)["out"]
    wanted = p
    while len(wanted) > 1:
        wanted = wanted[::2] * (1 - wanted[1::2]) + wanted[1::2] * (1 - wanted[::2])
    assert found.method == "exact"
    assert found.mean == pytest.approx(wanted[0])


def test_circuits_that_are_too_large_are_bounded():
    rng = np.random.default_rng(4)
    n = 24

    def mixed(x):
        values = [x[i] for i in range(n)]
        for _ in range(5):
            values = [(values[i] & ~values[(i + 7) % n]) ^ values[(i + 13) % n] for i in range(n)]
        return values[0] | values[1]

    circuit = Circuit.trace(mixed, x=(n,))
    p = rng.random(n)
    found = circuit.predict({"x": p}, 4096)["out"]
    density = circuit.simulate(circuit.encode({"x": p}, 2**16, seed=1))["out"].probability()
    assert found.method == "bounded"
    assert found.low - 0.02 <= density <= found.high + 0.02
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_too_many_states_are_bounded():
    counter = linear_machine(np.arange(2000) % 2)
    circuit = Circuit.trace(lambda x: counter.run(x, state=1000)[0] & x)
    found = circuit.predict({"x": 0.5}, 1000)["out"]
    assert found.method == "bounded"
    assert (found.low, found.high) == (0.0, 0.5)


def test_frechet_bounds_are_those_of_all_correlations():
    grid = np.linspace(0, 1, 5)
    for p, q in itertools.product(grid, grid):
        overlap = np.linspace(max(0, p + q - 1), min(p, q), 3)
        for kind, mean in (("and", overlap), ("or", p + q - overlap), ("xor", p + q - 2 * overlap)):
            assert frechet(kind, (p, p), (q, q)) == pytest.approx((mean.min(), mean.max())), kind


def test_a_batch_is_predicted_element_by_element():
    circuit = Circuit.trace(lambda x, y: {"z": multiply(x[0], x[1]) | y}, x=(2,))
    x, y = np.random.default_rng(1).random((5, 3, 2)), np.array([0.1, 0.2, 0.9])
    found = circuit.predict({"x": x, "y": y}, 100)
    assert found["z"].mean.shape == found["x"].mean.shape[:2] == (5, 3)
    wanted = 1 - (1 - x.prod(axis=-1)) * (1 - y)
    assert np.allclose(found["multiply"].mean, x.prod(axis=-1))
    assert np.allclose(found["z"].mean, wanted)


def test_other_sources_are_sampled():
    circuit = Circuit.trace(multiply)
    found = circuit.predict({"x": [0.3, 0.5], "y": 0.6}, 256, source=Sobol())["out"]
    assert set(found.method) == {"sampled"}
    assert np.allclose(found.mean, [0.18, 0.3], atol=0.003)
    assert np.all(found.standard_error < 0.25 * np.sqrt(0.3 * 0.7 / 256))


def test_a_machine_of_two_outputs_and_constants_are_predicted():
    machine = Machine([[0, 1], [1, 0]], [[[0, 1], [0, 0]], [[1, 1], [0, 1]]])
    w = encode(0.4, 500, key=3)
    circuit = Circuit.trace(lambda x: machine.run(x & w)[0])
    found = circuit.predict({"x": 0.5}, 500)["out"]
    x = encode(np.full(3000, 0.5), 500, key=1)
    densities = circuit.simulate({"x": x})["out"].probability()
    assert np.allclose(found.mean, densities.mean(axis=0), atol=0.02)


LONG_DELAYS = {
    "one delay": lambda x, y: isolate(x, 20) & y,
    "square by a delay": lambda x, y: multiply(x, isolate(x, 30)),
    "three taps": lambda x, y: (x ^ isolate(x, 15)) & isolate(x, 40) | y,
    "a machine behind a delay": lambda x, y: stanh(isolate(x, 25), 4) & y,
    "a delay of gates": lambda x, y: isolate(x ^ y, 12) & x | isolate(x & y, 12),
    "a loop behind a delay": lambda x, y: feedback(lambda h: isolate(x, 20) & h | y & ~h),
    "two outputs behind a delay": lambda x, y: minimum(*synchronize(isolate(x, 14), y, 2)),
}


@pytest.mark.parametrize("name", LONG_DELAYS)
def test_long_delays_are_numbers_of_other_steps(name):
    circuit = Circuit.trace(LONG_DELAYS[name])
    length = 4096
    found = circuit.predict({"x": P, "y": Q}, length)["out"]
    assert found.method == "settled"
    values = {"x": np.full(COPIES, P), "y": np.full(COPIES, Q)}
    densities = circuit.simulate(circuit.encode(values, length, seed=4))["out"].probability()
    # The first steps, of zeros, are not part of the law.
    allowed = 5 * found.standard_error / np.sqrt(COPIES) + 40 / length
    assert abs(densities.mean() - found.mean) <= allowed
    assert densities.std() == pytest.approx(float(found.standard_error), rel=0.1)


def test_short_delays_are_exact_and_very_long_ones_work():
    circuit = Circuit.trace(lambda x, y: multiply(isolate(x, 3), y))
    assert circuit.predict({"x": P, "y": Q}, 64)["out"].method == "exact"
    circuit = Circuit.trace(lambda x, y: multiply(isolate(x, 1500), x) & stanh(isolate(y, 2), 4))
    assert circuit.predict({"x": P, "y": Q}, 64)["out"].mean == pytest.approx(
        P**2 * circuit.predict({"x": P, "y": Q}, 64)["stanh"].mean, rel=0.2
    )


def test_a_batch_can_be_empty():
    circuit = Circuit.trace(lambda x, y: feedback(lambda held: held & x | y))
    found = circuit.predict({"x": [], "y": 0.5}, 64)["out"]
    assert found.mean.shape == found.method.shape == (0,)
    streams = circuit.encode({"x": [], "y": 0.5}, 64, seed=1)
    assert circuit.simulate(streams)["out"].shape == (0,)
