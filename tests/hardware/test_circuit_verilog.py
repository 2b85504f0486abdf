"""Circuits in Verilog compute the bits of their simulation, and netlists are circuits again."""

import inspect
import json

import numpy as np
import pytest
from proof import prove_machine
from random_circuits import random_circuit

from sc_neurocore import (
    LFSR,
    Bipolar,
    Bitstream,
    Machine,
    Sobol,
    __version__,
    encode,
    multiply,
    scaled_add,
    stack,
)
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.hardware import (
    ToolFailedError,
    circuit_testbench,
    circuit_verilog,
    circuits,
    read_circuit,
    synthesize,
    verify_circuit,
)
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.simulators import lint, run_testbench
from sc_neurocore.operators import (
    addie,
    bernstein,
    buffered_add,
    cordiv,
    desynchronize,
    isolate,
    jk_flip_flop,
    linear_machine,
    majority,
    saturating_subtract,
    sexp,
    square,
    stanh,
    synchronize,
    toggle_add,
    uadd,
)
from sc_neurocore.streams import TableSource

ONES = np.add.reduce(np.indices((3, 2, 2, 2)))
ADDER = Machine(ONES // 2, ONES % 2)
CIRCUITS = {
    "gates": lambda x, y: (x & y) ^ ~(x | y),
    "difference": saturating_subtract,
    "bipolar product": lambda x, y: (Bipolar(x) * Bipolar(y)).stream,
    "sum": lambda x, y: scaled_add(stack([x, y, ~x]), key=3),
    "sum with a register": lambda x, y: scaled_add(stack([x, y, ~x]), key=3, source=LFSR(5)),
    "sum with all states": lambda x, y: scaled_add(stack([x, y, ~x]), key=3, source=LFSR(5, zero=True)),
    "sum with a Sobol generator": lambda x, y: scaled_add(
        stack([x, y, ~x]), key=3, source=Sobol(2, gray=True, bits=6)
    ),
    "sum with a table": lambda x, y: scaled_add(
        stack([x, y, ~x]), key=3, source=TableSource([0, 9, 3, 12, 7], 13)
    ),
    "carry": lambda x, y: ADDER.run(x, y, isolate(x, 1))[0],
    "carry in a loop": lambda x, y: feedback(lambda a: ADDER.run(x, y, a)[0] ^ x),
    "polynomial": lambda x, y: bernstein(stack([x, y]), [0.3, 0.9, 0.2], key=3),
    "toggle sum": lambda x, y: toggle_add(stack([x, y, x & y, y])),
    "buffered sum": lambda x, y: buffered_add(x, y, 3),
    "counted sum": lambda x, y: uadd(stack([x, y, x & y, ~y, x, y ^ x, y]), 2.5, bipolar=True),
    "majority": lambda x, y: majority(stack([x, y, isolate(x, 1), ~y, isolate(y, 2)])),
    "square": lambda x, y: square(x, bipolar=True) & square(y),
    "quotient": cordiv,
    "jk": lambda x, y: jk_flip_flop(x, y),
    "stanh": lambda x, y: stanh(x & y, 10),
    "sexp": lambda x, y: sexp(x | y, 8, 3),
    "linear machine": lambda x, y: linear_machine([0, 1, 1, 0, 1]).run(x ^ y, state=3)[0],
    "synchronizer": lambda x, y: synchronize(x, y, 3),
    "desynchronizer": lambda x, y: desynchronize(x, y, 2),
    "delay": lambda x, y: isolate(x, 5) & y,
    "loop": lambda x, y: feedback(lambda a, b: ((a ^ x) & ~b, a | y & b), initial=(1, 0)),
    "batches": lambda x, y: stack([x, ~y, x & y])[::-1],
}


B = [0, 1, 1, 0, 1]


def inputs(circuit, lanes=40, length=150, **how):
    rng = np.random.default_rng(1)
    values = {name: rng.random((lanes, *net.shape)) for name, net in circuit.inputs.items()}
    return circuit.encode(values, length, seed=2, **how)


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_netlist_computes_the_bits_of_the_simulation(name):
    circuit = Circuit.trace(CIRCUITS[name])
    found = verify_circuit(circuit, inputs(circuit))
    assert found.bits == 40 * 150 * sum(int(np.prod(n.shape)) for n in circuit.outputs.values())
    assert found.wrong == 0


@pytest.mark.parametrize("name", ["stanh", "loop", "synchronizer"])
def test_so_does_a_netlist_of_an_fpga(name):
    circuit = Circuit.trace(CIRCUITS[name])
    for target in ("ice40", "ecp5"):
        assert verify_circuit(circuit, inputs(circuit), target).wrong == 0


def test_every_state_of_a_machine_is_as_in_its_table():
    # Inputs that reach every state and every entry of the table.
    rng = np.random.default_rng(5)
    machine = Machine(rng.integers(0, 37, (37, 2, 2)), rng.integers(0, 2, (2, 37, 2, 2)))
    circuit = Circuit.trace(lambda x, y: machine.run(x, y, state=11)[0])
    streams = inputs(circuit, 200, 200)
    assert verify_circuit(circuit, streams).wrong == 0
    visited = {11}
    for _ in range(37):
        visited |= {int(s) for state in visited for s in machine.next_state[state].flat}
    seen = {
        int(machine.run(*(streams[n].between(0, t) for n in "xy"), state=11)[1][i])
        for t in range(1, 200)
        for i in range(0, 200, 20)
    }
    assert seen | {11} == visited


def module_of(text, folder):
    path = folder / "circuit.v"
    path.write_text(text)
    made = synthesize([path], "circuit", "generic", folder, place=False)
    return json.loads(made.path.read_text())["modules"]["circuit"]


@pytest.mark.parametrize(
    ("source", "generators"),
    [
        *((LFSR(7), g) for g in (None, {"x": 0, "y": 0}, {"x": 1, "~y": 0}, {"~x": 0, "y": 0})),
        (LFSR(7, zero=True), {"x": 1, "~y": 0}),
        (Sobol(1, gray=True, bits=7), None),
        (Sobol(0, randomized=False, gray=True, bits=5), {"x": 1, "~y": 0}),
        (TableSource(np.random.default_rng(0).permutation(100), 100), {"x": 0, "~y": 0}),
    ],
    ids=str,
)
def test_generators_in_the_module_encode_as_the_source_does(tmp_path, source, generators):
    circuit = Circuit.trace(lambda x, y: cordiv(x & y, y | x))
    text = circuit_verilog(circuit, source=source, seed=3, generators=generators)
    netlist = Netlist(module_of(text, tmp_path))
    p = {"x": 0.3, "y": 0.85}
    streams = circuit.encode(p, 300, seed=3, source=source, generators=generators)
    stimulus = {"clear": np.zeros((300, 1, 1), bool)}
    for name, value in p.items():
        threshold = round(value * source.levels)
        bits = np.array([threshold >> k & 1 for k in range(source.levels.bit_length())], bool)
        stimulus[name] = np.broadcast_to(bits[:, np.newaxis], (300, bits.size, 1))
    out = netlist.run(stimulus).outputs["out"][:, 0, 0]
    assert np.array_equal(out, circuit.simulate(streams)["out"].bits())


@pytest.mark.parametrize("source", [LFSR(7), Sobol(1, gray=True, bits=7)], ids=str)
def test_generators_are_verified_with_the_circuit(source, monkeypatch):
    circuit = Circuit.trace(lambda x, y: scaled_add(multiply(x, y), key=1, source=LFSR(5)), x=(3,))
    values = {"x": [0.3, 0.85, 1.0], "y": 0.6}
    options = {"source": source, "seed": 3, "generators": {"x[0]": 0, "~x[1]": 1, "x[2]": 1, "y": 2}}
    found = verify_circuit(circuit, values, length=200, **options)
    assert (found.wrong, found.bits) == (0, 200)
    real = circuits.circuit_verilog
    monkeypatch.setattr(
        circuits, "circuit_verilog", lambda *args, **how: real(*args, **{**how, "seed": 4})
    )
    if source == LFSR(7):  # whose start depends on the seed
        assert verify_circuit(circuit, values, length=200, **options).wrong > 0


MACHINES = {
    "cordiv": (cordiv, [[[0, 0], [0, 1]], [[1, 0], [1, 1]]], None, 0),
    "jk": (lambda x, y: jk_flip_flop(x, y), [[[0, 0], [1, 1]], [[1, 0], [1, 0]]], None, 0),
    "toggle": (
        lambda x, y: toggle_add(stack([x, y])),
        [[[0, 1], [1, 0]], [[1, 0], [0, 1]]],
        [[[0, 0], [0, 1]], [[0, 1], [1, 1]]],
        0,
    ),
    "stanh": (lambda x, y: stanh(x, 10), None, np.arange(10) >= 5, 5),
    "sexp": (lambda x, y: sexp(x, 12, 3), None, np.arange(12) < 9, 9),
    "linear machine": (lambda x, y: linear_machine(B).run(x, state=2)[0], None, B, 2),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_netlist_is_its_machine_for_every_sequence_of_inputs(tmp_path, name):
    """All pairs of states that inputs can reach have equal outputs: a proof, not a sample."""
    function, next_state, outputs, start = MACHINES[name]
    if next_state is None:  # a saturating counter, which ignores y
        n = len(outputs)
        states = np.arange(n)
        steps = np.stack([np.maximum(states - 1, 0), np.minimum(states + 1, n - 1)], axis=1)
        next_state, outputs = steps[:, :, np.newaxis].repeat(2, axis=2), np.asarray(outputs)
        outputs = np.broadcast_to(outputs[:, np.newaxis, np.newaxis], next_state.shape)
    next_state = np.asarray(next_state)
    outputs = next_state if outputs is None else np.asarray(outputs)
    module = module_of(circuit_verilog(Circuit.trace(function)), tmp_path)
    prove_machine(module, next_state, outputs, start)


def test_a_netlist_of_three_inputs_is_its_machine_for_every_sequence(tmp_path):
    circuit = Circuit.trace(lambda x, y, z: ADDER.run(x, y, z, state=1)[0])
    prove_machine(module_of(circuit_verilog(circuit), tmp_path), ADDER.next_state, ADDER.outputs, 1)


def test_clear_starts_anew(tmp_path):
    circuit = Circuit.trace(CIRCUITS["loop"])
    netlist = Netlist(module_of(circuit_verilog(circuit), tmp_path))
    streams = inputs(circuit, 1, 60)
    bits = {name: x.bits()[0] for name, x in streams.items()}
    twice = {name: np.tile(b, 2)[:, np.newaxis, np.newaxis] for name, b in bits.items()}
    clear = np.zeros((120, 1, 1), bool)
    clear[59] = True
    outputs = netlist.run({**twice, "clear": clear}).outputs
    for out in outputs.values():
        assert np.array_equal(out[:60], out[60:])


@pytest.mark.parametrize("name", ["gates", "stanh", "loop", "delay", "synchronizer", "batches"])
@pytest.mark.parametrize("target", ["generic", "ice40", "ecp5"])
def test_a_netlist_is_read_as_the_circuit_that_it_was(tmp_path, name, target):
    circuit = Circuit.trace(CIRCUITS[name])
    path = tmp_path / "circuit.v"
    path.write_text(circuit_verilog(circuit))
    made = synthesize([path], "circuit", target, tmp_path, place=False)
    module = json.loads(made.path.read_text())["modules"]["circuit"]
    again = read_circuit(module)
    streams = inputs(circuit)
    wanted = circuit.simulate(streams)
    clear = Bitstream.from_bits(np.zeros((40, 150), int))
    found = again.simulate({**streams, "clear": clear})
    for key, out in wanted.items():
        assert found[key] == out
    values = {"x": 0.3, "y": 0.6}
    before = circuit.predict(values, 200)
    after = again.predict({**values, "clear": 0.0}, 200)
    for key in wanted:
        assert np.allclose(after[key].mean, before[key].mean)
        assert np.allclose(after[key].variance, before[key].variance)


def test_the_testbench_passes_and_finds_a_fault(tmp_path):
    circuit = Circuit.trace(lambda x, y: scaled_add(stack([stanh(x, 4), cordiv(x, y)]), key=3))
    streams = {name: x[0] for name, x in inputs(circuit, 1, 100).items()}
    bench, design = tmp_path / "tb.v", tmp_path / "circuit.v"
    bench.write_text(circuit_testbench(circuit, streams))
    design.write_text(circuit_verilog(circuit))
    assert "PASS" in run_testbench([design, bench], "tb_circuit", tmp_path, "verilator")
    text = design.read_text()
    design.write_text(text.replace(" & ", " | ", 1))
    with pytest.raises(ToolFailedError):
        run_testbench([design, bench], "tb_circuit", tmp_path, "verilator")


@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_have_the_bits_of_the_simulation_also_when_they_are_read(tmp_path, seed):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 4, 8, (0, 2)[seed % 2])
    streams = circuit.encode({name: rng.random(30) for name in circuit.inputs}, 100, seed=seed)
    made = verify_circuit(circuit, streams)
    assert (made.wrong, made.bits) == (0, 9000)
    path = tmp_path / "read.v"
    path.write_text(circuit_verilog(circuit, "read"))
    again = read_circuit(path)
    zeros = Bitstream.from_bits(np.zeros(100, int))
    assert again.simulate({**streams, "clear": zeros}) == circuit.simulate(streams)


@pytest.mark.parametrize(
    "names", [("w0", "_w1", "s2", "n2"), ("t", "wrong", "dut", "bits_t_0"), ("circuit", "a", "b", "c")]
)
def test_ports_can_have_the_names_of_internal_signals(tmp_path, names):
    a, b, c, z = names

    def function(**inputs):
        return {z: stanh(inputs[a] & inputs[b], 4) | inputs[c]}

    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in (a, b, c)]
    )
    circuit = Circuit.trace(function)
    streams = circuit.encode({a: 0.4, b: 0.9, c: 0.1}, 100, seed=1)
    assert verify_circuit(circuit, streams).wrong == 0
    bench, design = tmp_path / "tb.v", tmp_path / "made.v"
    bench.write_text(circuit_testbench(circuit, streams, "made"))
    design.write_text(circuit_verilog(circuit, "made"))
    assert "PASS" in run_testbench([design, bench], "tb_made", tmp_path, "verilator")


READ = {
    "another clock": (
        "input clock, input a, output reg y); always @(posedge clock) y <= a;",
        lambda a: isolate(a, 1),
    ),
    "falling clock": (
        "input clk, input a, output reg y); initial y = 1; always @(negedge clk) y <= a;",
        lambda a: ~isolate(~a, 1),
    ),
    "reset at once": (
        "input clk, input a, input rst, output reg y);"
        "always @(posedge clk or posedge rst) if (rst) y <= 0; else y <= a | y;",
        # At the edge of the clock: the register is also 0 during the step with a reset.
        lambda a, rst: isolate(feedback(lambda y: (a | y & ~rst) & ~rst), 1) & ~rst,
    ),
    "keywords of Python": ("input in, input is, output y); assign y = in ^ is;", None),
    "a module within": (
        "input a, output y); inner i(a, y); endmodule module inner(input a, output y); assign y = ~a;",
        lambda a: ~a,
    ),
    "a constant": ("input a, output y); assign y = 1;", lambda a: a | ~a),
}


@pytest.mark.parametrize("name", READ)
def test_designs_from_elsewhere_are_read(tmp_path, name):
    text, function = READ[name]
    path = tmp_path / "design.v"
    path.write_text(f"module design({text} endmodule")
    circuit = read_circuit(path)
    if function is None:
        a, b = encode([0.4, 0.7], 100, key=1)
        assert circuit.simulate({"in": a, "is": b})["y"] == a ^ b
        assert circuit.predict({"in": 0.4, "is": 0.7}, 100)["y"].mean == pytest.approx(0.54)
        return
    wanted = Circuit.trace(function)
    streams = wanted.encode(dict.fromkeys(wanted.inputs, 0.3), 100, seed=1)
    assert circuit.simulate(streams)["y"] == wanted.simulate(streams)["out"]


WITHIN = """
module within(input clk, input [1:0] x, output z);
    wire [1:0] sum = {x[0] & x[1], ^x};
    reg held = 1;
    always @(posedge clk) held <= sum[0];
    inner part(held, sum[1], z);
endmodule
module inner(input a, input b, output y);
    wire either = a | b;
    assign y = ~either;
endmodule
"""


def test_nets_within_a_design_become_outputs(tmp_path):
    path = tmp_path / "within.v"
    path.write_text(WITHIN)
    circuit = read_circuit(path, nets=["sum", "held", "part.either"])
    streams = circuit.encode({"x": [0.4, 0.7]}, 100, seed=1)
    found = circuit.simulate(streams)
    first, second = streams["x"]
    assert found["sum"] == stack([first ^ second, first & second])
    assert found["held"] == ~isolate(~(first ^ second), 1)
    assert found["part.either"] == found["held"] | first & second == ~found["z"]
    assert read_circuit(path).simulate(streams) == {"z": found["z"]}
    for nets, message in (
        (["wrong"], "nets must be within the module: held, .*part.either, .*sum, got 'wrong'"),
        (["x"], "nets must be no ports, got 'x'"),
    ):
        with pytest.raises(ValueError, match=message):
            read_circuit(path, nets=nets)
    with pytest.raises(TypeError, match=r"nets must be a sequence of names, got 'sum'; pass \['sum'\]"):
        read_circuit(path, nets="sum")


def test_system_verilog_is_read(tmp_path):
    path = tmp_path / "parity.sv"
    path.write_text("module parity(input logic [1:0] a, output logic y); assign y = ^a; endmodule")
    assert read_circuit(path).predict({"a": [0.3, 0.5]}, 100)["y"].mean == pytest.approx(0.5)


def test_nets_without_a_driver_are_refused():
    gate = {"type": "$_AND_", "connections": {"A": [2], "B": [3], "Y": [4]}}
    ports = {"a": ("input", 2), "z": ("output", 4)}
    module = {
        "ports": {n: {"direction": d, "bits": [bit]} for n, (d, bit) in ports.items()},
        "netnames": {"open": {"bits": [3], "attributes": {}}},
        "cells": {"gate": gate},
    }
    with pytest.raises(ValueError, match="must have a driver, got open without one"):
        read_circuit(module)


def test_nets_of_a_netlist_become_outputs():
    gate = {"type": "$_AND_", "connections": {"A": [2], "B": [3], "Y": [4]}}
    ends = {"type": "$_NOT_", "connections": {"A": [4], "Y": [5]}}
    ports = {"a": ("input", 2), "b": ("input", 3), "z": ("output", 5)}
    module = {
        "ports": {n: {"direction": d, "bits": [bit]} for n, (d, bit) in ports.items()},
        "netnames": {name: {"bits": [4], "attributes": {}} for name in ("both", "$1")},
        "cells": {"gate": gate, "ends": ends},
    }
    assert read_circuit(module, nets=["both"]).predict({"a": 0.5, "b": 0.4}, 10)["both"].mean == 0.2
    with pytest.raises(ValueError, match=r"within the module: both, got '\$1'"):
        read_circuit(module, nets=["$1"])


def test_designs_that_are_no_circuits_are_refused(tmp_path):
    path = tmp_path / "design.v"
    for text, error, message in (
        ("input clk, output reg y); always @(posedge clk) y <= ~y;", ValueError, "input besides"),
        (
            "input c, input d, input a, output reg y, output reg z);"
            "always @(posedge c) y <= a; always @(posedge d) z <= a;",
            ValueError,
            "have one clock, got 2",
        ),
        (
            "input clk, input a, output reg y, output reg z);"
            "always @(posedge clk) y <= a; always @(negedge clk) z <= a;",
            ValueError,
            "have one clock, got 2",
        ),
        (
            "input clk, input a, input b, output reg y); wire c = clk & b; always @(posedge c) y <= a;",
            ValueError,
            "clock must be an input of the module",
        ),
        ("input b, input a, output reg y); always @* if (b) y = a;", ToolFailedError, "DLATCH"),
        ("inout a, input b, output y); assign y = a & b;", ValueError, "be inputs or outputs, got a"),
        (
            "input a, output y); wire t = a ^ y; assign y = ~t;",
            ValueError,
            "have no combinational loops, got one through y",
        ),
    ):
        path.write_text(f"module design({text} endmodule")
        with pytest.raises(error, match=message):
            read_circuit(path)
    made = {}
    for name, clock, q, edge in (("one", 2, 3, "CLK"), ("other", 2, 4, "INV"), ("third", 5, 4, "CLK")):
        pins = {"CLK": [clock], "DI": [6], "Q": [q], "LSR": ["0"], "CE": ["1"]}
        made[name] = {"type": "TRELLIS_FF", "parameters": {"CLKMUX": edge}, "connections": pins}
    ports = {"clk": ("input", 2), "other": ("input", 5), "a": ("input", 6), "y": ("output", 3)}
    module = {"ports": {n: {"direction": d, "bits": [bit]} for n, (d, bit) in ports.items()}}
    for name in ("other", "third"):
        cells = {"one": made["one"], name: made[name]}
        with pytest.raises(ValueError, match="have one clock, got 2"):
            read_circuit({**module, "netnames": {}, "cells": cells})
    with pytest.raises(FileNotFoundError, match=r"missing\.v"):
        read_circuit(tmp_path / "missing.v")
    with pytest.raises(ToolFailedError, match="other"):
        read_circuit(path, "other")
    with pytest.raises(ValueError, match="top must be omitted"):
        read_circuit({}, "design")
    with pytest.raises(ValueError, match="top must be a Verilog identifier"):
        read_circuit(path, "a; exec")


def test_what_has_no_hardware_is_refused():
    captured = Bitstream.from_bits([0, 1, 1])
    large = linear_machine(np.arange(2000) % 2)
    for function, message in (
        (lambda x: addie(x, 4, key=1)[0], "consist of gates, flip-flops and machines, got addie"),
        (lambda x: x & captured, "contain no captured streams, got one; make it an input"),
        (lambda x: large.run(x)[0], "have at most 1024 states, got 2000"),
        (lambda clk: ~clk, "not be clk, clear or encoded, got clk"),
        (lambda reg: ~reg, "not be a keyword of Verilog, got reg; rename it"),
        (lambda circuit: ~circuit, "not be that of a port, got circuit"),
        (lambda x: addie(x, 4, key=1)[1], "be a stream or a count of ones, got out, "),
    ):
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            circuit_verilog(Circuit.trace(function))
    with pytest.raises(ValueError, match="a name must be a Verilog identifier, got 'a b'"):
        circuit_verilog(Circuit.trace(multiply), "a b")
    with pytest.raises(TypeError, match="circuit must be a Circuit"):
        circuit_verilog(multiply)
    with pytest.raises(TypeError, match="write LFSR"):
        circuit_verilog(Circuit.trace(multiply), source=LFSR)
    with pytest.raises(ValueError, match=r"target must be one of 'ice40', .*, got 'ecp4'"):
        verify_circuit(Circuit.trace(multiply), inputs(Circuit.trace(multiply), 2), "ecp4")
    with pytest.raises(ValueError, match="streams must hold at least one stream per input"):
        verify_circuit(Circuit.trace(multiply), inputs(Circuit.trace(multiply), 0))
    product, values = Circuit.trace(multiply), {"x": 0.5, "y": [0.25, 0.5]}
    with pytest.raises(ValueError, match="streams must have no batch axes with source, got a batch of"):
        verify_circuit(product, values, source=LFSR(8), length=8)
    with pytest.raises(TypeError, match="length must be an integer, got None"):
        verify_circuit(product, {"x": 0.5, "y": 0.25}, source=LFSR(8))
    with pytest.raises(ValueError, match="length must be that of the streams without source, got 8"):
        verify_circuit(product, inputs(product), length=8)
    with pytest.raises(TypeError, match=r"streams\['x'\] must be a Bitstream, got 0.5; "):
        verify_circuit(product, {"x": 0.5, "y": 0.25})
    two = inputs(Circuit.trace(multiply), 2)
    with pytest.raises(ValueError, match="streams must have no batch axes, got 2 streams"):
        circuit_testbench(Circuit.trace(multiply), two)


def test_modules_name_their_version_and_arguments_and_declare_all_nets():
    circuit = Circuit.trace(multiply)
    source = TableSource(np.arange(64), 64)
    made = circuit_verilog(circuit, "top", source=source, seed=3, generators={"x": 0, "~y": 0})
    streams = circuit.encode({"x": 0.5, "y": 0.5}, 64, seed=1)
    for text in (circuit_verilog(circuit), made, circuit_testbench(circuit, streams)):
        first, second, *_, last, _ = text.split("\n")
        assert (first, last) == ("`default_nettype none", "`default_nettype wire")
        assert second == f"// Written by sc-neurocore {__version__}."
    assert made.split("\n")[2:6] == [
        "// Stochastic circuit top: x, y -> out, one time step per clock cycle.",
        "// Inputs: thresholds in units of 1 / 64 for "
        "TableSource([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, ...), seed 3.",
        "// Generators of the inputs: x 0, ~y 0.",
        "module top (",
    ]


def test_modules_have_no_warnings(tmp_path):
    def function(a, b, c):
        return stanh(scaled_add(stack([multiply(a, b), c]), key=3, source=LFSR(9)), 8)

    for options in ({}, {"source": LFSR(8)}):
        path = tmp_path / "top.v"
        path.write_text(circuit_verilog(Circuit.trace(function), "top", **options))
        assert lint([path], "top") == []
