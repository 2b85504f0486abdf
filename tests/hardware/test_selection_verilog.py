"""Comparison, selection and counting in Verilog: proofs of machines, and netlists in lanes."""

import json

import numpy as np
import pytest
from proof import prove_machine

from sc_neurocore import Bitstream, encode, stack
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import circuit_verilog, synthesize, verify_circuit
from sc_neurocore.operators import (
    btanh,
    greater,
    majority,
    max_pool,
    maximum,
    minimum,
    multiplex,
)

S, A, B = np.indices((7, 2, 2))
C, X, Y, Z = np.indices((6, 2, 2, 2))
LEAD = np.clip(S + A - B, 0, 6)
# A function, and next states and outputs by its equation, written for this test.
MACHINES = {
    "maximum": (
        lambda x, y: maximum(x, y, 3),
        LEAD,
        np.where(S > 3, A, np.where(S < 3, B, A | B)),
        3,
    ),
    "minimum": (
        lambda x, y: minimum(x, y, 3),
        LEAD,
        np.where(S > 3, B, np.where(S < 3, A, A & B)),
        3,
    ),
    "greater": (lambda x, y: greater(x, y, 3), LEAD, LEAD > 3, 3),
    "btanh": (
        lambda x, y, z: btanh(stack([x, y, z]), 6),
        np.clip(C + 2 * (X + Y + Z) - 3, 0, 5),
        np.broadcast_to(C >= 3, (6, 2, 2, 2)),
        3,
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_netlist_is_its_machine_for_every_sequence_of_inputs(tmp_path, name):
    function, next_state, outputs, start = MACHINES[name]
    path = tmp_path / "circuit.v"
    path.write_text(circuit_verilog(Circuit.trace(function)))
    made = synthesize([path], "circuit", "generic", tmp_path, place=False)
    module = json.loads(made.path.read_text())["modules"]["circuit"]
    prove_machine(module, next_state, np.asarray(outputs).astype(int), start)


def test_netlists_of_many_inputs_have_the_bits_of_the_operators():
    def function(x, s):
        pair = multiplex(s, x[0], x[1])
        return {"a": max_pool(x, 9), "b": majority(x), "c": btanh(x, 10), "d": pair}

    circuit = Circuit.trace(function, x=(5,))
    p = np.random.default_rng(4).random((30, 6))
    x = encode(p, 200, key=5)
    assert verify_circuit(circuit, {"x": x[:, :5], "s": x[:, 5]}).wrong == 0


def test_the_netlist_of_a_majority_is_right_for_every_input(tmp_path):
    circuit = Circuit.trace(majority, x=(7,))
    bits = np.array(list(np.ndindex(*(2,) * 7))).T
    x = Bitstream.from_bits(bits)
    found = verify_circuit(circuit, {"x": x})
    assert (found.bits, found.wrong) == (128, 0)
