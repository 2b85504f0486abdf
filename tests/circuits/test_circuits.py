"""A circuit computes the bits of its function, and a loop those of its steps one by one."""

import inspect
import re
from functools import partial

import numpy as np
import pytest

from sc_neurocore import (
    Bipolar,
    Bitstream,
    Machine,
    Sobol,
    TwoLine,
    Unipolar,
    checking,
    encode,
    operators,
    stack,
    stream_key,
)
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.circuits._nets import _REFUSED
from sc_neurocore.circuits._values import OPERATORS
from sc_neurocore.circuits._wires import BLACK_BOXES
from sc_neurocore.circuits.prediction import BOXES
from sc_neurocore.operators import (
    Integral,
    Ratio,
    absolute_difference,
    addie,
    bernstein,
    btanh,
    buffered_add,
    cordiv,
    current_trace,
    decorrelate,
    desynchronize,
    dot,
    ema,
    exact_product,
    first_arrival,
    gaines_divide,
    gaines_sqrt,
    greater,
    inhibit,
    isolate,
    jk_flip_flop,
    jk_sqrt,
    last_arrival,
    linear_machine,
    majority,
    max_pool,
    maximum,
    minimum,
    multiplex,
    multiply,
    popcount_add,
    regenerate,
    saturating_add,
    saturating_subtract,
    scaled_add,
    sexp,
    spiking_attention,
    square,
    stanh,
    synchronize,
    toggle_add,
    uadd,
    umul,
)
from sc_neurocore.streams import Role

# It holds the last majority of three streams.
MAJORITY = Machine(*[np.add.reduce(np.indices((2, 2, 2, 2))[1:]) // 2] * 2)
# Every operator, as a function of two streams.
FUNCTIONS = {
    "multiply": multiply,
    "minimum": minimum,
    "maximum": maximum,
    "absolute_difference": absolute_difference,
    "saturating_subtract": saturating_subtract,
    "saturating_add": saturating_add,
    "gates": lambda x, y: x & y | ~x ^ y,
    "scaled_add": lambda x, y: scaled_add(stack([x, y, x]), key=3, weights=[0.5, 0.25, 0.25]),
    "toggle_add": lambda x, y: toggle_add(stack([x, y, x, y])),
    "buffered_add": lambda x, y: buffered_add(x, y, 3),
    "bernstein": lambda x, y: bernstein(stack([x, y]), [0.2, 0.9, 0.4], key=4),
    "bernstein of streams": lambda x, y: bernstein(stack([x, y]), stack([y, x, ~y])),
    "cordiv": cordiv,
    "jk_flip_flop": lambda x, y: jk_flip_flop(x, y),
    "stanh": lambda x, y: stanh(x & y, 6),
    "sexp": lambda x, y: sexp(x | y, 8, 2),
    "linear_machine": lambda x, y: linear_machine([0, 1, 1, 0]).run(x ^ y, state=2)[0],
    "addie": lambda x, y: addie(x & y, 6, key=5),
    "gaines_divide": lambda x, y: gaines_divide(x, y, 5, key=6),
    "gaines_sqrt": lambda x, y: gaines_sqrt(x ^ y, 5, key=7),
    "umul": umul,
    "jk_sqrt": lambda x, y: (jk_sqrt(x & y, 0), jk_sqrt(y, 4, key=12)),
    "maximum of any streams": lambda x, y: maximum(x, y, 5),
    "minimum of any streams": lambda x, y: minimum(x, y, 5),
    "greater": lambda x, y: greater(x, y, 5),
    "max_pool": lambda x, y: max_pool(stack([x, y, x & y, ~x, x ^ y]), 4),
    "multiplex": lambda x, y: multiplex(y, x, x ^ y),
    "btanh": lambda x, y: btanh(stack([x, y, x & y, ~x, x ^ y]), 10),
    "umul in bipolar code": lambda x, y: umul(x, y, bipolar=True),
    "umul in-stream": lambda x, y: umul(x, y, window=8, key=11),
    "uadd": lambda x, y: (uadd(stack([x, y, x])), uadd(stack([x, ~y, y]), 1, bipolar=True)),
    "majority": lambda x, y: majority(stack([x, y, isolate(x, 1), ~y, isolate(y, 2)])),
    "square": lambda x, y: (square(x), square(y, bipolar=True)),
    "synchronize": lambda x, y: synchronize(x, y, 3),
    "desynchronize": lambda x, y: desynchronize(x, y, 2),
    "decorrelate": lambda x, y: decorrelate(x, 8, key=8) & y,
    "isolate": lambda x, y: isolate(x, 67) | y,
    "regenerate": lambda x, y: regenerate(x & y, key=9),
    "encode": lambda x, y: encode(0.3, x.length, key=10, source=Sobol()) & x | y,
    "popcount_add": lambda x, y: popcount_add(stack([x, y])),
    "ema": lambda x, y: ema(x ^ y, 3),
    "Bipolar": lambda x, y: (Bipolar(x) * -Bipolar(y)).stream,
    "TwoLine": lambda x, y: (TwoLine(x, y) * TwoLine(y, x)).plus,
    "Unipolar": lambda x, y: ((Unipolar(x) + Unipolar(y)).stream, (Unipolar(x) - Unipolar(y)).minus),
    "quotient": lambda x, y: (Unipolar(x) / Unipolar(y)).stream,
    "signed quotient": lambda x, y: (Bipolar(x) / Bipolar(y)).stream,
    "sums": lambda x, y: ((Bipolar(x) - Bipolar(y)).stream, (TwoLine(x, y) + TwoLine(y, y)).plus),
    "rectified": lambda x, y: (
        Bipolar(x ^ y).to_unipolar(3).stream,
        TwoLine(x, y).to_unipolar().stream,
    ),
    "Integral": lambda x, y: (Integral(stack([x, y])) * Bipolar(x) - Bipolar(y)).tanh(2).stream,
    "Ratio": lambda x, y: (Ratio(x, y) / Ratio(y, x) + Ratio(~x, y)).numerator,
    "skewed": lambda x, y: synchronize(x, y, 3, skewed=True),
    "race logic": lambda x, y: inhibit(first_arrival(x, y), last_arrival(x, ~y)),
    "three inputs": lambda x, y: MAJORITY.run(x, y, isolate(x, 1), state=1)[0],
    "bernstein of two variables": lambda x, y: bernstein(
        (stack([x, ~x]), stack([y])), [[0.2, 0.9], [0.4, 0.1], [0.5, 0.7]], key=4
    ),
    "attention": lambda x, y: spiking_attention(
        stack([x, y])[..., None, :],
        stack([y, x])[..., None, :],
        stack([x, ~y])[..., None, :],
        keys=(5, 6),
    ),
    "items": lambda x, y: stack([x, y, x & y])[..., [2, 0]][..., ::-1][..., 0],
}


def as_dict(returned):
    if isinstance(returned, tuple):
        return {f"out{i}": value for i, value in enumerate(returned)}
    return {"out": returned}


def equal(a, b):
    return a == b if isinstance(a, Bitstream) else np.array_equal(a, b)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shapes", [((), ()), ((3,), (3,)), ((2, 3), (2, 1)), ((), (4,))])
def test_a_circuit_has_the_bits_of_its_function(name, shapes):
    function = FUNCTIONS[name]
    circuit = Circuit.trace(function)
    assert list(circuit.inputs) == ["x", "y"]
    x, y = (
        encode(np.random.default_rng(i).random(shape), 200, key=i) for i, shape in enumerate(shapes)
    )
    if shapes[0] != shapes[1]:  # stack broadcasts, but an operator of a shape of its own cannot
        x, y = stack([x, y])[..., 0], stack([x, y])[..., 1]
    results, wanted = circuit.simulate({"x": x, "y": y}), as_dict(function(x, y))
    assert results.keys() == wanted.keys()
    assert all(equal(results[key], wanted[key]) for key in wanted)


def test_a_circuit_checks_its_operands_inside_checking():
    x = encode([0.5, 0.6], 1000, key=1, streams=0)
    circuit = Circuit.trace(multiply)
    with checking(), pytest.warns(UserWarning, match="multiply needs SCC 0, got 1"):
        circuit.simulate({"x": x[0], "y": x[1]})


def test_inputs_can_be_batches_and_constants_can_be_captured():
    w = encode([0.25, 0.5, 0.75], 300, key=2)

    def function(x, bias):
        return maximum(scaled_add(stack([multiply(x, w)[i] for i in range(3)]), key=1), bias)

    circuit = Circuit.trace(function, x=(3,))
    x = encode(np.random.default_rng(1).random((5, 3)), 300, key=1)
    bias = encode(np.linspace(0, 1, 5), 300, key=3)
    each = [function(x[i], bias[i]) for i in range(5)]
    together = circuit.simulate({"x": x, "bias": bias})["out"]
    # Select streams are numbered through the batch, as those of the operator are.
    alone = [circuit.simulate({"x": x[i], "bias": bias[i]})["out"] for i in range(5)]
    assert each == alone
    products = stack([multiply(x[:, i], w[i]) for i in range(3)])
    assert together == maximum(scaled_add(products, key=1), bias)


def test_nets_of_different_shapes_are_aligned_behind_the_batch():
    circuit = Circuit.trace(lambda x, y: x & y, x=(3,))
    x = encode(np.full((3, 3), 0.5), 100, key=1)
    y = encode(np.full(3, 0.5), 100, key=2)
    wanted = x & y[:, None]
    assert circuit.simulate({"x": x, "y": y})["out"] == wanted


# Loops: a step of the circuit, and the same step on the bits 0 and 1 of integer arrays.
LOOPS = {
    "cordiv": (lambda x, y, h: x & y | ~y & h, lambda x, y, h: x & y | (1 - y) & h),
    "toggle": (lambda x, y, h: h ^ (x | ~y), lambda x, y, h: h ^ (x | 1 - y)),
    "set and reset": (lambda x, y, h: (h | x) & ~y, lambda x, y, h: (h | x) & 1 - y),
    "multiplexer": (
        lambda x, y, h: maximum(multiply(x, h), saturating_subtract(y, h)),
        lambda x, y, h: x & h | y & 1 - h,
    ),
}  # fmt: skip


def stepped(step, x, y, initial):
    held = np.broadcast_to(initial, np.broadcast_shapes(x.shape[:-1], y.shape[:-1]))
    out = []
    for t in range(x.shape[-1]):
        held = step(x[..., t].astype(int), y[..., t].astype(int), held)
        out.append(held)
    return Bitstream.from_bits(np.stack(out, axis=-1))


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("initial", [0, 1])
@pytest.mark.parametrize("shape", [(), (3,), (2, 65)])
def test_a_loop_has_the_bits_of_its_steps(name, initial, shape):
    symbolic, plain = LOOPS[name]
    x, y = (encode(np.random.default_rng(i).random(shape), 333, key=i) for i in (1, 2))

    def function(x, y):
        return feedback(lambda held: symbolic(x, y, held), initial=initial)

    wanted = stepped(plain, x.bits(), y.bits(), initial)
    assert function(x, y) == wanted
    assert Circuit.trace(function).simulate({"x": x, "y": y})["out"] == wanted
    if shape:
        whole = Circuit.trace(function, x=shape[-1:], y=shape[-1:])
        assert whole.simulate({"x": x, "y": y})["out"] == wanted


def test_a_loop_can_contain_machines_delays_and_loops():
    machine = Machine(next_state=[[0, 1], [2, 0], [1, 2]], outputs=[[0, 1], [1, 1], [1, 0]])

    def function(x, y):
        def step(a, b):
            inner = feedback(lambda h: h ^ (a & x))
            z = machine.run(inner | y, state=1)[0]
            first, _ = synchronize(z, isolate(b, 1), 1)
            return first ^ x, buffered_add(a, z, 2)

        return feedback(step, initial=(1, 0))

    x, y = encode([[0.3, 0.6], [0.5, 0.2]], 200, key=1)
    found = Circuit.trace(function).simulate({"x": x, "y": y})
    for i in range(2):
        a = b = inner = 0
        a = 1
        state, saved, aligned, late = 1, 0, 1, 0
        for t, (xt, yt) in enumerate(zip(x[i].bits(), y[i].bits(), strict=True)):
            inner ^= a & int(xt)
            u = inner | int(yt)
            z = int(machine.outputs[state, u])
            state = int(machine.next_state[state, u])
            # synchronize of depth 1: aligned - 1 ones of the first stream are withheld
            p, q = z, late
            late = b
            if p == q:
                first = p
            elif p:
                first = int(aligned in (0, 2))
                aligned = min(aligned + 1, 2)
            else:
                first = int(aligned == 2)
                aligned = max(aligned - 1, 0)
            if a and z:
                total, saved = 1, min(saved + 1, 2)
            elif a or z:
                total = 1
            else:
                total, saved = int(saved > 0), max(saved - 1, 0)
            a, b = first ^ int(xt), total
            assert (found["out0"][i].bits()[t], found["out1"][i].bits()[t]) == (a, b), t


def test_a_loop_over_places_of_a_batch_is_wired_bit_by_bit():
    def function(x):
        def step(a, b, c):
            late = stack([c, a, b])
            both = stack([late, x])
            assert both.shape == (3, 2)
            return both[0, 0] ^ both[0, 1], late[1] & x[1], both.reshape(6)[4] | x[2]

        return feedback(step, initial=(0, 0, 0))

    circuit = Circuit.trace(function, x=(3,))
    x = encode(np.random.default_rng(3).random((70, 3)), 130, key=1)
    held = np.zeros((70, 3), int)
    out = np.zeros((70, 3, 130), int)
    for t in range(130):
        now = x.bits()[..., t].astype(int)
        held = np.stack(
            [held[:, 2] ^ now[:, 0], held[:, 0] & now[:, 1], held[:, 1] | now[:, 2]], axis=-1
        )
        out[..., t] = held
    found = circuit.simulate({"x": x})
    assert stack([found[f"out{i}"] for i in range(3)]) == Bitstream.from_bits(out)


def test_a_loop_uses_nets_that_are_computed_outside():
    def function(x, y):
        total = stanh(multiply(x, y), 4)
        return feedback(lambda held: cordiv(total & held, y) | ~isolate(total, 3))

    x, y = encode([0.3, 0.6], 200, key=1)
    total, late = multiply(x, y), None
    total = stanh(total, 4)
    late = ~isolate(total, 3)
    held, stored, out = 0, 0, []
    for t in range(200):
        now, divisor = int(total.bits()[t]) & held, int(y.bits()[t])
        stored = now if divisor else stored
        held = stored | int(late.bits()[t])
        out.append(held)
    assert function(x, y) == Bitstream.from_bits(out)
    assert Circuit.trace(function).simulate({"x": x, "y": y})["out"] == Bitstream.from_bits(out)


def test_generators_set_the_correlation_of_inputs():
    from sc_neurocore import scc

    circuit = Circuit.trace(lambda a, b, c, d: a & b & c & d)
    values = {"a": 0.3, "b": [0.6, 0.7], "c": 0.5, "d": 0.2}
    generators = {"a": 7, "b": 7, "~c": 7}
    streams = circuit.encode(values, 4096, seed=1, generators=generators)
    assert (scc(streams["a"], streams["b"]) == 1).all()
    assert (scc(streams["a"], streams["c"]) == -1).all()
    assert (abs(scc(streams["a"], streams["d"])) < 0.1).all()
    assert abs(scc(streams["a"][0], streams["a"][1])) < 0.1
    low_discrepancy = circuit.encode(values, 256, seed=1, source=Sobol())
    for name, p in values.items():
        assert np.allclose(low_discrepancy[name].probability(), p, atol=1 / 256)


def test_wires_of_a_batch_have_generators_of_their_own():
    circuit = Circuit.trace(lambda x: multiply(x[0], x[1]), x=(2,))
    p = np.array([[0.5, 0.5], [0.25, 0.75]])
    streams = circuit.encode({"x": p}, 65536, seed=1)["x"]
    assert np.allclose((streams[:, 0] & streams[:, 1]).probability(), p.prod(axis=1), atol=0.01)
    shared = circuit.encode({"x": p}, 65536, seed=1, generators={"x": 0})["x"]
    assert (shared[:, 0] & shared[:, 1]) == shared[:, 0]


def test_an_encoded_input_does_not_depend_on_the_other_inputs():
    one, two = Circuit.trace(lambda x: ~x), Circuit.trace(lambda w, x: w ^ x)
    alone = one.encode({"x": 0.4}, 100, seed=3, generators={"x": 5})
    both = two.encode({"x": 0.4, "w": 0.1}, 100, seed=3, generators={"x": 5})
    assert alone["x"] == both["x"] == encode(0.4, 100, key=stream_key(3, Role.INPUT, 5))


def test_parameters_with_a_default_are_no_inputs():
    def function(x, depth=3, *, y):
        return buffered_add(x, y, depth)

    assert list(Circuit.trace(function).inputs) == ["x", "y"]
    assert list(Circuit.trace(partial(stanh, n_states=4)).inputs) == ["x"]


@pytest.mark.parametrize(
    "function",
    [lambda x, y: exact_product(x, y, "division"), lambda x, y: dot(x[None], y[None]), current_trace],
)
def test_operators_that_change_length_or_shape_are_refused(function):
    with pytest.raises(ValueError, match="must keep the length of their operands and"):
        Circuit.trace(function, **({"x": (2,), "w": (2,)} if function is current_trace else {}))


def test_a_drawing_names_inputs_operators_and_outputs():
    def function(x, y):
        return {"z": feedback(lambda held: multiply(x, held) | y), "w": stanh(x, 4)}

    text = Circuit.trace(function).to_dot()
    assert text.startswith("digraph circuit {")
    assert text.rstrip().endswith("}")
    for label in ("x", "y", "z", "w", "multiply", "or", "stanh(4)", "flip-flop"):
        assert f'label="{label}"' in text
    assert text.count("style=dashed") == 1


def test_names_in_a_drawing_are_quoted():
    text = Circuit.trace(lambda x: {'a"b\\': ~x}).to_dot()
    assert 'label="a\\"b\\\\"' in text


def test_a_drawing_shows_elements_of_inputs_and_no_calls_that_only_arrange_streams():
    def function(x, unused):
        both = stack([x[0], ~x[1]]).reshape(2)
        return {"sum": scaled_add(both, key=1), "part": both[1]}

    text = Circuit.trace(function, x=(2,)).to_dot()
    labels = re.findall(r'label="([^"]*)"', text)
    assert sorted(labels) == ["[1]", "not", "part", "scaled_add", "sum", "unused", "x[0]", "x[1]"]
    assert text.count("->") == 1 + 2 + 1 + 2 + 1


def operators_on_streams():
    """Names of the functions whose first operand is a stream."""
    functions = {name: getattr(operators, name) for name in operators.__all__}
    return [
        name
        for name, function in functions.items()
        if not isinstance(function, type)
        and {"x", "j"} & set(inspect.signature(function).parameters)
        and name != "bernstein_value"
    ]


@pytest.mark.parametrize("name", operators_on_streams())
def test_every_operator_is_recorded_and_has_a_value(name):
    operator = getattr(operators, name)
    assert hasattr(operator, "__wrapped__"), "decorate it with on_streams"
    if name not in _REFUSED:
        assert operator.__wrapped__ in OPERATORS


def test_operators_with_random_numbers_have_a_law():
    for function in BLACK_BOXES:
        is_stream = function.__name__ not in ("popcount_add", "ema")
        assert (function in BOXES) == is_stream, function


def test_outputs_that_use_a_part_of_the_inputs_are_of_the_whole_batch():
    circuit = Circuit.trace(lambda x, y: {"p": x & ~x, "q": ~y, "n": popcount_add(stack([y, y]))})
    x, y = encode([0.2, 0.4], 70, key=1), encode([[0.6], [0.7], [0.8]], 70, key=2)
    found = circuit.simulate({"x": x, "y": y})
    assert found["p"].shape == found["q"].shape == (3, 2)
    assert found["n"].shape == (3, 2, 70)
    assert np.array_equal(found["q"].bits(), np.broadcast_to((~y).bits(), (3, 2, 70)))
    assert np.array_equal(found["n"], np.broadcast_to(2 * y.bits(), (3, 2, 70)))
    alone = circuit.simulate({"x": x, "y": y[0, 0]})
    assert alone["q"] == stack([~y[0, 0]] * 2)
