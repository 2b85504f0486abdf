"""Gates, buffers, delays and race logic in Verilog: proofs for every state and input."""

import json

import numpy as np
import pytest
from proof import prove_machine

from sc_neurocore import Bipolar, scaled_add, stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.hardware import circuit_verilog, synthesize
from sc_neurocore.operators import (
    Integral,
    absolute_difference,
    buffered_add,
    desynchronize,
    first_arrival,
    inhibit,
    isolate,
    last_arrival,
    majority,
    maximum,
    minimum,
    multiplex,
    multiply,
    popcount_add,
    saturating_add,
    saturating_subtract,
    square,
    synchronize,
)

S, A, B = np.indices((4, 2, 2))
X, Y, Z = np.indices((2, 2, 2))
BITS = np.indices((2,) * 5)


def gate(outputs):
    """Return a machine of one state."""
    outputs = np.asarray(outputs, int)[np.newaxis]
    return np.zeros(outputs.shape, int), outputs, 0


def lines(outputs):
    """Return a machine of one state and several outputs."""
    outputs = np.asarray(outputs, int)[:, np.newaxis]
    return np.zeros(outputs.shape[1:], int), outputs, 0


# A function, and next states, outputs and first state by its equation, written for this test.
GATES = {
    "product": (multiply, gate(A[0] * B[0])),
    "bipolar product": (lambda x, y: (Bipolar(x) * Bipolar(y)).stream, gate(A[0] == B[0])),
    "minimum": (minimum, gate(np.minimum(A[0], B[0]))),
    "maximum": (maximum, gate(np.maximum(A[0], B[0]))),
    "difference": (absolute_difference, gate(abs(A[0] - B[0]))),
    "saturating difference": (saturating_subtract, gate(np.maximum(A[0] - B[0], 0))),
    "saturating sum": (saturating_add, gate(np.minimum(A[0] + B[0], 1))),
    "first arrival": (first_arrival, gate(A[0] + B[0] > 0)),
    "last arrival": (last_arrival, gate(A[0] + B[0] > 1)),
    "multiplexer": (multiplex, gate(np.where(X, Y, Z))),
    "scaled sum": (  # its select is a port, after the others
        lambda x, y: scaled_add(stack([x, y]), key=1),
        gate(np.where(Z, X, Y)),
    ),
    "vote of three": (lambda x, y, z: majority(stack([x, y, z])), gate(X + Y + Z > 1)),
    "vote of five": (
        lambda a, b, c, d, e: majority(stack([a, b, c, d, e])),
        gate(BITS.sum(axis=0) > 2),
    ),
    "count of five": (
        lambda a, b, c, d, e: popcount_add(stack([a, b, c, d, e])),
        lines([BITS.sum(axis=0) >> k & 1 for k in range(3)]),
    ),
    "sorted lines": (
        lambda x, y, z: Integral(stack([x, y, z])).sorted().lines,
        lines([k < X + Y + Z for k in range(3)]),
    ),
}
MACHINES = {
    "saturating sum with a buffer": (
        lambda x, y: buffered_add(x, y, 3),
        (np.clip(S + A + B - 1, 0, 3), np.minimum(S + A + B, 1), 0),
    ),
    "synchronizer": (  # of depth 1: states are one of y, none, one of x withheld
        lambda x, y: stack(synchronize(x, y, 1)),
        (
            np.clip((S + A - B)[:3], 0, 2),
            np.stack(
                [
                    (A & B | A & ~B & (S != 1) | ~A & B & (S == 2))[:3],
                    (A & B | B & ~A & (S != 1) | ~B & A & (S == 0))[:3],
                ]
            ),
            1,
        ),
    ),
    "desynchronizer": (
        lambda x, y: stack(desynchronize(x, y, 3)),
        (
            np.clip(S + A + B - 1, 0, 3),
            np.stack([A, np.where(A & B, S == 3, np.where(A | B, B, S > 0))]),
            0,
        ),
    ),
    "delay": (lambda x: isolate(x, 2), ((S << 1 | A)[:, :, 0] & 3, S[:, :, 0] >> 1, 0)),
    "square": (square, (A[:2, :, 0], (A * S)[:2, :, 0], 0)),
    "bipolar square": (lambda x: square(x, bipolar=True), (A[:2, :, 0], (A == S)[:2, :, 0], 0)),
    "inhibition": (inhibit, ((S | B & ~A)[:2], (A & ~S)[:2], 0)),
    "loop": (  # CORDIV of a multiplexer and a flip-flop
        lambda x, y: feedback(lambda held: multiplex(y, x, held)),
        (np.where(B, A, S)[:2], np.where(B, A, S)[:2], 0),
    ),
}


@pytest.mark.parametrize("name", [*GATES, *MACHINES])
def test_a_netlist_is_its_equation_for_every_sequence_of_inputs(tmp_path, name):
    function, (next_state, outputs, start) = {**GATES, **MACHINES}[name]
    path = tmp_path / "circuit.v"
    path.write_text(circuit_verilog(Circuit.trace(function)))
    made = synthesize([path], "circuit", "generic", tmp_path, place=False)
    module = json.loads(made.path.read_text())["modules"]["circuit"]
    prove_machine(module, np.asarray(next_state), np.asarray(outputs).astype(int), start)
