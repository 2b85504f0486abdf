"""Adders and roots in Verilog: proofs for all sequences of inputs, and netlists."""

import json

import numpy as np
import pytest
from proof import prove_machine

from sc_neurocore import LFSR, Bipolar, encode, stack
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import circuit_verilog, synthesize, verify_circuit
from sc_neurocore.operators import (
    jk_sqrt,
    uadd,
)
from sc_neurocore.operators.products import _inserter


def reached(after, outputs, start):
    """Return a machine without the states that no sequence of inputs reaches."""
    found, todo = {start}, [start]
    while todo:
        new = set(after[todo.pop()].ravel().tolist()) - found
        found |= new
        todo += new
    kept = sorted(found)
    number = np.zeros(len(after), int)
    number[kept] = np.arange(len(kept))
    return number[after[kept]], outputs[kept], int(number[start])


def adder(n, scale, offset, low, high, shift=0):
    """Return next states, outputs and first state of a counter from `low` to `high`, in halves."""
    c, *bits = np.indices((high - low + 1, *(2,) * n))
    total = np.clip(c + low + 2 * np.add.reduce(bits) - offset, -shift or low, shift or high)
    outputs = (total >= scale).astype(int)
    return reached(np.clip(total - scale * outputs - low, 0, high - low), outputs, -low)


def root(depth):
    """Return the machine of a root by loops over its states, of x and the bits of an address."""
    n = depth.bit_length() - 1
    after = np.zeros((2 << depth, *(2,) * (n + 1)), int)
    outputs = np.zeros_like(after)
    for state, x, *address in np.ndindex(after.shape):
        s, buffer = state >> depth, [state >> i & 1 for i in range(depth)]
        at = sum(bit << i for i, bit in enumerate(address))
        z = int(x or s)
        held, buffer[at] = buffer[at], z
        s = int(held and not s)
        outputs[(state, x, *address)] = z
        after[(state, x, *address)] = s << depth | sum(bit << i for i, bit in enumerate(buffer))
    return reached(after, outputs, sum(1 << i for i in range(1, depth, 2)))


# A function of single streams, and its machine by the equation.
MACHINES = {
    "mean of three": (
        lambda x, y, z: uadd(stack([x, y, z])),
        (np.add.reduce(np.indices((3, 2, 2, 2))) % 3, np.add.reduce(np.indices((3, 2, 2, 2))) // 3, 0),
    ),
    "sum of two in bipolar code": (  # (n - S) / 2 is a half: the counter is in halves
        lambda x, y: uadd(stack([x, y]), 1, bipolar=True, depth=4),
        adder(2, 2, 1, -8, 7, shift=8),
    ),
    "root without a buffer": (lambda x: jk_sqrt(x, 0), ([[0, 1], [0, 0]], [[0, 1], [1, 1]], 0)),
    "root with a buffer": (lambda x, a, b: _inserter(4).run(x, a, b, state=10)[0], root(4)),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_netlist_is_its_machine_for_every_sequence_of_inputs(tmp_path, name):
    function, (next_state, outputs, start) = MACHINES[name]
    path = tmp_path / "circuit.v"
    path.write_text(circuit_verilog(Circuit.trace(function)))
    made = synthesize([path], "circuit", "generic", tmp_path, place=False)
    module = json.loads(made.path.read_text())["modules"]["circuit"]
    prove_machine(module, np.asarray(next_state), np.asarray(outputs), start)


def test_netlists_of_larger_circuits_compute_the_bits_of_the_simulation():
    def function(x):
        return {
            "sum": uadd(x, 4, bipolar=True),
            "part": uadd(x[:5], 2.5, depth=3),
            "root": jk_sqrt(x[2], 2, key=3, source=LFSR(7)),
            "quotient": (Bipolar(x[0]) / Bipolar(x[1])).stream,
        }

    circuit = Circuit.trace(function, x=(10,))
    streams = {"x": encode(np.random.default_rng(4).random((12, 10)), 200, key=5)}
    found = verify_circuit(circuit, streams)
    assert (found.wrong, found.bits) == (0, 12 * 200 * 4)
