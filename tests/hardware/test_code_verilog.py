"""Machines of the codings in Verilog: proofs for all sequences of inputs, and sums in lanes."""

import itertools
import json

import numpy as np
import pytest
from proof import prove_machine

from sc_neurocore import Bipolar, Bitstream, TwoLine, encode, stack
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import circuit_verilog, synthesize, verify_circuit
from sc_neurocore.operators import Integral, Ratio, synchronize
from sc_neurocore.operators import _digits as digits

C, A, B = np.indices((6, 2, 2))
STATES, X, Y, Z = np.indices((6, 2, 2, 2))
# A function, and next states and outputs by its equation, written for this test.
MACHINES = {
    "bipolar sum": (
        lambda x, y: (Bipolar(x) + Bipolar(y)).stream,
        digits._bipolar_adder().next_state,
        digits._bipolar_adder().outputs,
        digits.DEPTH,
    ),
    "rectifier": (
        lambda x: Bipolar(x).to_unipolar(5).stream,
        np.clip(np.arange(6)[:, None] + [1, -1], 0, 5),
        (np.arange(6)[:, None] == 0) & np.array([0, 1]),
        0,
    ),
    "rectifier of two lines": (
        lambda x, y: TwoLine(x, y).to_unipolar(5).stream,
        np.clip(C - A + B, 0, 5),
        (C == 0) & (A > B),
        0,
    ),
    "skewed synchronizer": (
        lambda x, y: synchronize(x, y, 5, skewed=True)[0],
        np.clip(C + A - B, 0, 5),
        np.where(A == B, A, np.where(A > B, C == 5, C > 0)),
        0,
    ),
    "tanh of three lines": (
        lambda x, y, z: Integral(stack([x, y, z])).tanh(2).stream,
        np.clip(STATES + 2 * (X + Y + Z) - 3, 0, 5),
        np.broadcast_to(STATES >= 3, (6, 2, 2, 2)),
        3,
    ),
    "half": (
        lambda x: digits.halved(x),
        (np.arange(4)[:, None] + [1, 3]) % 4,
        (np.arange(4)[:, None] + [1, 3]) // 4,
        0,
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


def test_sums_on_two_lines_and_of_ratios_have_netlists():
    def function(x, y, u, v):
        total = TwoLine(x, y) + TwoLine(u, v)
        ratio = Ratio(x, y) + Ratio(u, v)
        lines = total.plus, total.minus, ratio.numerator, ratio.denominator
        mapped = Integral(stack([x, y, u, v])).map(np.abs, 3).lines
        divided = Bipolar(x) / Bipolar(y)
        return {
            **dict(zip("abcd", lines, strict=True)),
            "e": mapped,
            "f": divided.stream,
        }

    circuit = Circuit.trace(function)
    p = np.random.default_rng(4).random((4, 30))
    streams = dict(zip("xyuv", encode(p, 200, key=5), strict=True))
    assert verify_circuit(circuit, streams).wrong == 0


def test_a_softmax_has_a_netlist():
    circuit = Circuit.trace(lambda x: Integral(x).softmax(1, 4, 2).lines, x=(3, 2))
    bits = np.array(list(itertools.product((0, 1), repeat=6))).reshape(64, 3, 2, 1)
    assert verify_circuit(circuit, {"x": Bitstream.from_bits(bits)}).wrong == 0
