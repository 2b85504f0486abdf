"""Faults of circuits: which wires they strike, and their law in loops."""

import numpy as np
import pytest

from sc_neurocore import Faults, Role, encode, scaled_add, stack, stream_key
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import Machine, maximum, minimum, multiply, stanh, synchronize
from sc_neurocore.streams import inject

KEY = stream_key(1, Role.FAULT)
MANY = Faults(flip=0.03, drop=0.1, stuck_at_0=0.1, stuck_at_1=0.1)
TOGGLE = Machine([[0, 1], [1, 0]], [0, 1])


def streams(n=3, length=300, shape=()):
    p = np.random.default_rng(1).random((n, *shape))
    return [encode(p[i], length, key=i) for i in range(n)]


def wire(x, call, place=0, n=1):
    """The stream of a net, struck at its own wires."""
    first = call << 40 | place << 32
    numbers = np.arange(first, first + n) if n > 1 else first
    return inject(x, MANY, key=KEY, streams=numbers)


def test_inputs_and_results_are_struck_at_wires_of_their_own():
    x, y, _ = streams()
    circuit = Circuit.trace(lambda x, y: {"product": multiply(x, y), "or": x | y})
    found = circuit.simulate({"x": x, "y": y}, faults=MANY, key=KEY)
    a, b = wire(x, 0), wire(y, 1)
    assert found == {"product": wire(a & b, 2), "or": wire(a | b, 3)}


def test_operators_with_several_results_constants_and_shapes():
    x, y, constant = streams()

    def function(x, y):
        low, high = synchronize(x[0], x[1], 2)
        return scaled_add(stack([low & constant, high, y]), key=3)

    circuit = Circuit.trace(function, x=(2,))
    both = stack([x, y])
    found = circuit.simulate({"x": both, "y": constant}, faults=MANY, key=KEY)["out"]
    outs = [
        circuit.simulate({"x": both, "y": constant}, faults=Faults(flip=1.0), key=KEY)["out"],
        circuit.simulate({"x": both, "y": constant}, faults=Faults(), key=KEY)["out"],
    ]
    assert outs[1] == function(both, constant)
    low, high = synchronize(~x, ~y, 2)
    of_flips = scaled_add(stack([~(~low & ~constant), ~high, ~constant]), key=3)
    assert outs[0] == ~of_flips
    assert found != outs[1]


@pytest.mark.parametrize("shape", [(), (3,)])
def test_batches_have_the_faults_of_their_elements(shape, threads):
    circuit = Circuit.trace(lambda x, y: feedback(lambda held: x & y | ~y & held), x=shape, y=shape)
    x, y = streams(2, shape=(70, *shape))
    whole = circuit.simulate({"x": x, "y": y}, faults=MANY, key=KEY)["out"]
    for i in (0, 69):
        alone = circuit.simulate({"x": x[i], "y": y[i]}, faults=MANY, key=KEY)["out"]
        assert alone == whole[i]


def test_every_gate_and_machine_of_a_loop_is_struck():
    # A stuck wire of a loop shows in all later steps; flipped results are complements.
    x, y, _ = streams()
    loop = Circuit.trace(lambda x, y: feedback(lambda held: x & (y | held)))
    found = loop.simulate({"x": x, "y": y}, faults=Faults(flip=1.0), key=KEY)["out"]
    held, bits = 0, []
    for a, b in zip(1 - x.bits().astype(int), 1 - y.bits().astype(int), strict=True):
        held = 1 - (a & (1 - (b | held)))
        bits.append(held)
    assert found.bits().tolist() == bits
    machine = Circuit.trace(lambda x: feedback(lambda held: TOGGLE.run(x ^ held)[0]))
    plain = machine.simulate({"x": x})["out"]
    assert machine.simulate({"x": x}, faults=Faults(), key=KEY)["out"] == plain
    assert machine.simulate({"x": x}, faults=Faults(stuck_at_1=1.0), key=KEY)["out"].probability() == 1


def test_a_loop_that_holds_its_bit_drifts_as_its_flips_say():
    # held' = held xor flip: after t steps it is 1 with probability (1 - (1 - 2 f)**t) / 2.
    flip, length, n = 0.02, 100, 2000
    circuit = Circuit.trace(lambda x: feedback(lambda held: held & x | held), x=(n,))
    x = encode(np.zeros(n), length, key=1)
    bits = circuit.simulate({"x": x}, faults=Faults(flip=flip), key=KEY)["out"].bits()
    # An AND and an OR per step, and the input, which matters only while the bit is 1 (and then not).
    t = np.arange(1, length + 1)
    both = 2 * flip * (1 - flip)
    up = both, flip  # rates of 0 -> 1 and 1 -> 0
    expected = up[0] / sum(up) * (1 - (1 - sum(up)) ** t)
    error = np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(bits.mean(axis=0) - expected) <= 5 * error).all()


def test_loops_over_different_places_of_a_batch_are_struck():
    def function(x):
        def step(a, b):
            late = stack([b, a])
            return minimum(late[0], x[0]), maximum(late[1], ~x[1])

        return feedback(step, initial=(1, 0))

    circuit = Circuit.trace(function, x=(2,))
    x = encode(np.full((5, 2), 0.5), 200, key=1)
    found = circuit.simulate({"x": x}, faults=MANY, key=KEY)
    alone = circuit.simulate({"x": x[3]}, faults=MANY, key=KEY)
    assert {name: out[3] for name, out in found.items()} == alone
    assert found != circuit.simulate({"x": x})
    assert circuit.simulate({"x": x}, faults=Faults(), key=1) == circuit.simulate({"x": x})


def test_faults_need_a_key_and_have_rates_of_wires_alone():
    circuit = Circuit.trace(lambda x: stanh(x, 4))
    given = {"x": streams()[0]}
    with pytest.raises(TypeError, match="key must be an integer, got None"):
        circuit.simulate(given, faults=MANY)
    with pytest.raises(ValueError, match="faults must have only rates of wires"):
        circuit.simulate(given, faults=Faults(dead=0.1), key=1)
