"""Operands with the wrong correlation are found by law and on the bits, and only those."""

import pytest

from sc_neurocore import LFSR, Bipolar, Permutation, Sobol, TwoLine, VanDerCorput, encode, stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import (
    Integral,
    absolute_difference,
    addie,
    bernstein,
    btanh,
    cordiv,
    decorrelate,
    desynchronize,
    isolate,
    jk_flip_flop,
    maximum,
    minimum,
    multiply,
    popcount_add,
    regenerate,
    saturating_add,
    saturating_subtract,
    scaled_add,
    stanh,
    synchronize,
    toggle_add,
    umul,
)

SHARED = {"x": 0, "y": 0}
OPPOSITE = {"x": 0, "~y": 0}
B = [0.1, 0.8, 0.3, 0.6]


def polynomial(x, y):
    return bernstein(stack([x, y, x ^ y]), B, key=3)


# Function, generators, and the operands that are found: names, required SCC, and SCC for any values.
WRONG = {
    "product of one stream": (lambda x, y: multiply(x, x) | y, None, [("x", "x", 0, 1)]),
    "product of shared numbers": (multiply, SHARED, [("x", "y", 0, 1)]),
    "inputs of a counter": (
        lambda x, y: btanh(stack([x, y, x]), 6),
        {"y": 1},
        [("x", "x", 0, 1)],
    ),
    "lines of an integer": (
        lambda x, y: Integral(stack([x, y])).tanh(4).stream, SHARED, [("x", "y", 0, 1)],
    ),
    "reconvergence": (lambda x, y: multiply(x & y, x | y), None, [("and", "or", 0, 1)]),
    "reconvergence of inverses": (lambda x, y: multiply(x, ~x & y), None, [("x", "and", 0, -1)]),
    "minimum of independent streams": (minimum, None, [("x", "y", 1, 0)]),
    "maximum of opposite streams": (maximum, OPPOSITE, [("x", "y", 1, -1)]),
    "difference": (absolute_difference, None, [("x", "y", 1, 0)]),
    "saturating sum of shared numbers": (saturating_add, SHARED, [("x", "y", -1, 1)]),
    "bipolar square": (lambda x, y: (Bipolar(x) * Bipolar(x)).stream, None, [("x", "x", 0, 1)]),
    "two-line square": (lambda x, y: (TwoLine(x, y) * TwoLine(x, x)).plus, None, [
        ("x", "x", 0, 1),
    ]),
    "one select for two sums": (
        lambda x, y: multiply(scaled_add(stack([x, ~y]), key=3), scaled_add(stack([y, x]), key=3)),
        None,
        [("scaled_add", "scaled_add_2", 0, None)],
    ),
    "sum of a sum with one select": (
        lambda x, y: scaled_add(stack([scaled_add(stack([x, y]), key=3), x]), key=3),
        None,
        [("encoded value in scaled_add", "scaled_add", 0, None)],
    ),
    "division": (cordiv, None, [("x", "y", 1, 0)]),
    "shallow synchronizer": (lambda x, y: minimum(*synchronize(x, y, 1)), None, [
        ("synchronize", "synchronize_2", 1, None),
    ]),
    "copies of a polynomial": (lambda x, y: bernstein(stack([x, x]), B[:3], key=3), None, [
        ("x", "x", 0, 1),
    ]),
    "operands in a loop": (lambda x, y: feedback(lambda h: multiply(h, h ^ x) | y), None, [
        (None, None, 0, None),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_correlation_is_found_by_its_law(name):
    function, generators, wanted = WRONG[name]
    circuit = Circuit.trace(function)
    found = circuit.check(generators=generators)
    assert len(found) == len(wanted)
    for finding, (x, y, scc, value) in zip(found, wanted, strict=True):
        assert x is None or finding.operands == (x, y)
        assert finding.wanted == scc
        assert value is None or finding.found == pytest.approx(value, abs=1e-6)
        assert str(finding).startswith(finding.operator + " needs SCC ")


@pytest.mark.parametrize("name", [name for name in WRONG if "loop" not in name])
def test_the_same_is_found_on_the_bits(name):
    function, generators, _ = WRONG[name]
    circuit = Circuit.trace(function)
    values = {"x": 0.4, "y": 0.7}
    streams = circuit.encode(values, 2**16, seed=1, generators=generators)
    law = circuit.check(values, generators=generators)
    bits = circuit.check(streams=streams)
    assert [f.operands for f in bits] == [f.operands for f in law]
    for one, other in zip(bits, law, strict=True):
        assert one.found == pytest.approx(other.found, abs=0.05)


RIGHT = {
    "product": (multiply, None),
    "minimum": (minimum, SHARED),
    "sum": (saturating_add, OPPOSITE),
    "difference": (saturating_subtract, SHARED),
    "division": (cordiv, SHARED),
    "delay": (lambda x, y: multiply(x, isolate(x, 1)), None),
    "regeneration": (lambda x, y: multiply(x, regenerate(x, key=3)), None),
    "decorrelation": (lambda x, y: multiply(x, decorrelate(x, 16, key=3)), None),
    "synchronizer": (lambda x, y: minimum(*synchronize(x, y, 12)), None),
    "desynchronizer": (lambda x, y: saturating_add(*desynchronize(x, ~x, 12)), None),
    "two sums": (
        lambda x, y: multiply(scaled_add(stack([x, x]), key=3), scaled_add(stack([y, y]), key=4)),
        None,
    ),
    "polynomial": (lambda x, y: bernstein(stack([x, y]), B[:3], key=3), None),
    "long delays": (lambda x, y: stanh(multiply(isolate(x, 20), isolate(x, 40)), 4), None),
    "tree of products": (lambda x, y: multiply(multiply(x, y), isolate(multiply(x, y), 1)), None),
    "stanh": (lambda x, y: stanh(x & y, 6), None),
    "no requirement": (
        lambda x, y: toggle_add(stack([x, x])) & umul(x, x) & addie(x, 4, key=2)[0],
        None,
    ),
    "counts": (lambda x, y: popcount_add(stack([x, x])), None),
}


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_found_where_operands_are_as_required(name):
    function, generators = RIGHT[name]
    circuit = Circuit.trace(function)
    assert circuit.check(generators=generators) == ()
    streams = circuit.encode({"x": 0.4, "y": 0.7}, 4096, seed=2, generators=generators)
    assert circuit.check(streams=streams) == ()


def test_three_streams_can_depend_on_each_other_and_be_independent_in_pairs():
    circuit = Circuit.trace(polynomial)
    half = {"x": 0.5, "y": 0.5}
    (law,) = circuit.check(half)
    assert law.operands == ("x", "y", "xor")
    assert law.found == pytest.approx(-1)
    (bits,) = circuit.check(streams=circuit.encode(half, 4096, seed=1))
    assert bits.operands == law.operands
    assert bits.found == pytest.approx(-1, abs=0.1)
    # At other values, pairs depend on each other as well.
    assert {f.operands for f in circuit.check()} == {("x", "xor"), ("y", "xor")}


def test_the_path_from_a_shared_generator_is_named():
    circuit = Circuit.trace(lambda x, w, v: multiply(maximum(multiply(x, w), v), ~x))
    finding = next(f for f in circuit.check() if f.operator == "multiply")
    assert finding.paths == ("x -> multiply -> maximum", "x -> not")
    assert "which share a generator (x -> multiply -> maximum and x -> not)" in finding.message


def test_machines_that_need_white_input_are_checked():
    circuit = Circuit.trace(lambda x: stanh(stanh(x, 4), 4))
    (law,) = circuit.check({"x": 0.6})
    (bits,) = circuit.check(streams=circuit.encode({"x": 0.6}, 2**16, seed=1))
    assert law.wanted is bits.wanted is None
    assert law.operands == bits.operands == ("stanh",)
    assert law.found == pytest.approx(bits.found, abs=0.02)
    assert "needs a white stream" in str(law)
    assert Circuit.trace(lambda x: stanh(isolate(x, 3), 4)).check() == ()
    j = Circuit.trace(lambda x, y: jk_flip_flop(stanh(x, 4), y))
    assert [f.operands for f in j.check()] == [("stanh",)]


def test_selects_must_not_use_the_sequence_of_the_inputs():
    def function(x, y):
        return scaled_add(stack([x, y]), key=3, source=LFSR(8))

    assert Circuit.trace(function).check() == ()
    found = Circuit.trace(function).check(source=LFSR(8))
    assert found
    assert "step through one sequence" in str(found[0])
    assert Circuit.trace(function).check(source=Sobol()) == ()


def test_wires_without_a_name_have_one_finding_together():
    def function(x):
        return bernstein(x, B, key=3, source=LFSR(8))

    found = list(map(str, Circuit.trace(function, x=(3,)).check(source=LFSR(8))))
    assert len(found) == len(set(found)) == 2  # those of x[0] and x[2], with any coefficient


def test_wires_of_batches_are_named_by_their_index():
    circuit = Circuit.trace(lambda x: multiply(x, x[::-1]), x=(3,))
    (finding,) = circuit.check()
    assert finding.operands == ("x[1]", "x[1]")


def test_captured_streams_are_no_shared_generators():
    w = encode([0.5, 0.6], 64, key=1)
    assert Circuit.trace(lambda x: multiply(x, w), x=(2,)).check() == ()


@pytest.mark.parametrize("source", [Sobol(), LFSR(8), VanDerCorput()])
def test_machines_that_need_white_streams_are_found_under_sources_that_count(source):
    circuit = Circuit.trace(lambda x, y: stanh(multiply(x, y), 8))
    (found,) = circuit.check({"x": 0.58, "y": 0.7}, source=source)
    assert found.wanted is None
    assert "stanh needs a white stream" in str(found)
    assert circuit.check(source=Permutation(256)) == circuit.check() == ()
    assert circuit.check({"x": 1.0, "y": 1.0}, source=source) == ()


def test_a_stream_has_the_scc_of_1_with_itself_even_if_its_law_is_too_large():
    def function(x):
        large = x
        for _ in range(3):
            large = stanh(large ^ isolate(x, 1), 12)
        return cordiv(large, large)

    circuit = Circuit.trace(function)
    assert circuit.predict({"x": 0.5}, 64)["stanh_3"].method == "bounded"
    assert not [found for found in circuit.check() if found.operator == "cordiv" and found.wanted == 1]
