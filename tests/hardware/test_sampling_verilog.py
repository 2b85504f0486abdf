"""Verilog of products by conditional sampling and of counts computes the bits of the simulation."""

import numpy as np
import pytest

from sc_neurocore import LFSR, Role, Sobol, dot, encode, stack, stream_key
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import circuit_verilog, synthesize, verify_circuit
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.operators import multiply, popcount_add, stanh, umul
from sc_neurocore.streams import TableSource

SOURCES = [
    LFSR(7),
    LFSR(5, zero=True),
    Sobol(3, gray=True, bits=6),
    TableSource([0, 9, 3, 12, 7, 1, 5], 13),
]


def drawn(circuit, lanes=4, length=300):
    rng = np.random.default_rng(1)
    values = {name: rng.random((lanes, *net.shape)) for name, net in circuit.inputs.items()}
    return circuit.encode(values, length, seed=3)


@pytest.mark.parametrize("source", SOURCES)
def test_a_product_with_an_encoded_value_draws_when_it_is_asked(source):
    def weighted(x):
        w = encode([0.3, 0.8], x.length, key=stream_key(1, Role.WEIGHT), source=source)
        return umul(stanh(x, 4), w), umul(x, w, bipolar=True)

    circuit = Circuit.trace(weighted, x=(2,))
    made = verify_circuit(circuit, drawn(circuit))
    assert (made.wrong, made.bits) == (0, 4 * 4 * 300)
    assert made.synthesis.flip_flops > 0


@pytest.mark.parametrize(
    ("source", "generators"), [(SOURCES[0], None), (SOURCES[1], {"x": 0, "~y": 1}), (SOURCES[2], None)]
)
def test_inputs_that_the_module_encodes_can_be_second_operands(tmp_path, source, generators):
    circuit = Circuit.trace(lambda x, y: {"u": umul(x, y), "b": umul(x, y, bipolar=True)})
    path = tmp_path / "made.v"
    path.write_text(circuit_verilog(circuit, "made", source=source, seed=4, generators=generators))
    made = synthesize([path], "made", "generic", tmp_path, place=False)
    values, length = {"x": 0.7, "y": 0.4}, 200
    streams = circuit.encode(values, length, seed=4, source=source, generators=generators)
    wanted = circuit.simulate(streams)
    width = source.levels.bit_length()
    bits = {
        name: (int(source.thresholds(np.array(p))) >> np.arange(width) & 1)
        for name, p in values.items()
    }
    stimulus = {name: np.tile(b[:, None], (length, 1, 1)).astype(bool) for name, b in bits.items()}
    netlist = Netlist.read(made.path, "made")
    outputs = netlist.run({**stimulus, "clear": np.zeros((length, 1, 1), bool)}).outputs
    for name, x in wanted.items():
        assert np.array_equal(outputs[name][:, 0, 0], x.bits())


@pytest.mark.parametrize(
    ("source", "bipolar", "window"),
    [
        (SOURCES[0], True, 13),
        (SOURCES[1], False, 1),
        (SOURCES[1], True, 8),
        (SOURCES[2], False, 32),
        (SOURCES[3], True, 2),
    ],
)
def test_an_in_stream_product_has_a_shift_register(source, bipolar, window):
    key = stream_key(5, Role.NOISE)

    def product(x, y):
        return umul(stack([x, ~y]), y, bipolar=bipolar, window=window, key=key, source=source)

    circuit = Circuit.trace(product)
    made = verify_circuit(circuit, drawn(circuit, 3))
    assert (made.wrong, made.bits) == (0, 3 * 2 * 300)
    assert made.synthesis.flip_flops >= window


@pytest.mark.parametrize("n", [1, 3, 8])
def test_counts_have_their_binary_digits(n):
    def counts(x, w):
        return {"n": popcount_add(multiply(x, w)), "z": x[0] & w[1, 0]}

    circuit = Circuit.trace(counts, x=(n,), w=(2, n))
    made = verify_circuit(circuit, drawn(circuit, 5))
    assert (made.wrong, made.bits) == (0, 5 * 300 * (2 * n.bit_length() + 1))
    assert f"output wire [{2 * n.bit_length() - 1}:0] n" in circuit_verilog(circuit)


def test_products_without_hardware_are_refused():
    for function, message in (
        (umul, "operand of umul must be a value that the module encodes, got a stream; pass source or"),
        (lambda x, y: umul(x, ~y), "operand of umul must be a value that the module encodes"),
        (lambda x, y: umul(x, y, window=8, key=1), "the source of umul must be an LFSR"),
        (lambda x, y: umul(x, y, window=5000, key=1, source=LFSR(8)), "window must be at most 4096"),
    ):
        with pytest.raises(ValueError, match=message):
            circuit_verilog(Circuit.trace(function))
    with pytest.raises(ValueError, match=r"got dot; return popcount_add\(multiply\(x, w\)\)"):
        Circuit.trace(dot, x=(2,), w=(2,))
