"""Verilog of stochastic circuits, and its verification."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.circuits import Circuit
from sc_neurocore.circuits._nets import Call, Net
from sc_neurocore.circuits._wires import Part, Wiring, numbered, wire_names, wired
from sc_neurocore.hardware._generators import (
    CLEAR,
    Built,
    Lines,
    comparison,
    has_hardware,
    threshold_bits,
)
from sc_neurocore.hardware._sampling import in_stream_product, static_product
from sc_neurocore.hardware.design import is_keyword
from sc_neurocore.hardware.emit import with_header
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.synthesis import Synthesis, Target, synthesize
from sc_neurocore.hardware.tools import check_identifier
from sc_neurocore.operators import popcount_add, umul
from sc_neurocore.operators.adders import counted
from sc_neurocore.streams import Bitstream, Role, encode, stack, stream_key
from sc_neurocore.streams.source import checked_source

__all__ = [
    "CircuitVerification",
    "circuit_testbench",
    "circuit_verilog",
    "verify_circuit",
]

_GATES = {"and": "{} & {}", "or": "{} | {}", "xor": "{} ^ {}", "not": "~{}"}
# States of a machine that is written as a case statement.
_MOST_STATES = 1024
# Names within a module, and within a testbench.
_INTERNAL = r"(w|s|n|lfsr|count|sobol|table|held|level)\d+(_column|_ones)?"
_OF_BENCH = r"t|wrong|dut|bits_.*"


@dataclass(frozen=True)
class CircuitVerification:
    """Result of running the netlist of a circuit beside its simulation.

    Attributes
    ----------
    bits : int
        Number of output bits that were compared.
    wrong : int
        Number of bits that differ.
    synthesis : Synthesis
        Cells, and logic cells and clock rate if it was placed. The file of the netlist is not kept.
    """

    bits: int
    wrong: int
    synthesis: Synthesis


def circuit_verilog(
    circuit: Circuit,
    name: str = "circuit",
    *,
    source: Built | None = None,
    seed: int = 0,
    generators: Mapping[str, int] | None = None,
) -> str:
    """Return a Verilog module that computes the bits of a circuit, one time step per clock cycle.

    Inputs and outputs have ports of their names, one bit per element of a batch in C order, lowest
    first. An output of `popcount_add` has the binary digits of each count, lowest first. `clear` resets
    flip-flops and machines to their first state at a clock edge. Values that are encoded within the
    circuit by an `LFSR`, a `Sobol` in the order of a Gray code or a `TableSource` have a generator and
    a comparator in the module. Those of other sources, such as the selects of `scaled_add` by default,
    are bits of the port `encoded`.

    Parameters
    ----------
    circuit : Circuit
        Of gates, flip-flops and machines. `umul` is built if its second operand is a value that the
        module encodes or, with a `window`, if its source is one of those. Other operators that draw
        random numbers at each step, such as `addie`, have no hardware here.
    name : str
        Name of the module.
    source : LFSR, Sobol or TableSource, optional
        Source of the inputs; a `Sobol` in the order of a Gray code. The ports of the inputs are then
        thresholds, ``source.levels.bit_length()`` bits per element, and the module encodes them by
        generators and comparators. A threshold is ``round(p * source.levels)``. By default the ports
        are the streams.
    seed : int
        As in `Circuit.encode`, for the starts of the registers.
    generators : mapping of str to int, optional
        As in `Circuit.encode`.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If `circuit` is not a Circuit, or `source` not such a source.
    ValueError
        If a name is not a Verilog identifier, or an operator has no hardware.

    Examples
    --------
    >>> from sc_neurocore import multiply
    >>> from sc_neurocore.circuits import Circuit
    >>> from sc_neurocore.hardware import circuit_verilog
    >>> print(circuit_verilog(Circuit.trace(multiply), "product"))
    `default_nettype none
    // Written by sc-neurocore ...
    // Stochastic circuit product: x, y -> out, one time step per clock cycle.
    // Inputs: streams.
    module product (
        input wire clk,
        input wire clear,
        input wire [0:0] x,
        input wire [0:0] y,
        output wire [0:0] out
    );
        wire w0 = x[0];
        wire w1 = y[0];
        wire w2 = w0 & w1;
        assign out = {w2};
    endmodule
    `default_nettype wire
    <BLANKLINE>
    """
    wiring, outputs = _wiring(circuit, name)
    lines = Lines(_prefix(_INTERNAL, [*circuit.inputs, *circuit.outputs]))
    drivers = _drivers(circuit, wiring, source, seed, generators)
    width = 1 if source is None else threshold_bits(source)
    ports = ["input wire clk", f"input wire {CLEAR}"]
    for port, net in circuit.inputs.items():
        ports.append(f"input wire [{width * _size(net) - 1}:0] {port}")
    if n := len(_encoded(wiring)):
        ports.append(f"input wire [{n - 1}:0] encoded")
    ports += [f"output wire [{_size(net) - 1}:0] {port}" for port, net in outputs.items()]
    for part in wiring.parts:
        if part.kind == "flip-flop":
            lines.declare(f"{lines.prefix}w{part.results[0]}", 1, int(part.detail))
    for part in wiring.parts:
        if part.kind == "black box":
            text = _sampled_product(part, wiring, drivers, lines)
            lines.wires.append(f"wire {lines.prefix}w{part.results[0]} = {text};")
        else:
            _write(part, lines, drivers)
    for port, net in outputs.items():
        bits = ", ".join(f"{lines.prefix}w{int(wire)}" for wire in reversed(wiring.wires(net).ravel()))
        lines.wires.append(f"assign {port} = {{{bits}}};")
    body = [f"    {line}" for line in (*lines.wires, *lines.steps)]
    head = ",\n".join(f"    {port}" for port in ports)
    about = _about(circuit, name, source, seed, generators)
    return with_header("\n".join([*about, f"module {name} (", head, ");", *body, "endmodule"]))


def _about(
    circuit: Circuit,
    name: str,
    source: Built | None,
    seed: int,
    generators: Mapping[str, int] | None,
) -> list[str]:
    """Return comments that name a circuit and the arguments that its module was made with."""
    ports = f"{', '.join(circuit.inputs)} -> {', '.join(circuit.outputs)}"
    about = [f"// Stochastic circuit {name}: {ports}, one time step per clock cycle."]
    if source is None:
        return [*about, "// Inputs: streams."]
    of = shorten(str(source), 80, placeholder=" ...)")
    about.append(f"// Inputs: thresholds in units of 1 / {source.levels} for {of}, seed {seed}.")
    if generators:
        given = ", ".join(f"{wire} {n}" for wire, n in generators.items())
        about.append(f"// Generators of the inputs: {given}.")
    return about


def _wiring(circuit: Circuit, name: str) -> tuple[Wiring, dict[str, Net]]:
    """Return the wiring of a circuit, and the nets of the bits of its outputs."""
    _checks.instance("circuit", circuit, Circuit)
    names = [name, *circuit.inputs, *circuit.outputs]
    for port in names:
        check_identifier("a name", port)
        if is_keyword(port):
            _checks.fail("a name", "not be a keyword of Verilog", port, "rename it")
    if len(set(names)) < len(names):
        _checks.fail("the name of the module", "not be that of a port", name)
    if clash := {"clk", CLEAR, "encoded"} & set(names):
        _checks.fail("a name", "not be clk, clear or encoded", ", ".join(sorted(clash)))
    for port, net in circuit.outputs.items():
        if not net.is_stream and not _is_count(net):
            _checks.fail("an output", "be a stream or a count of ones", f"{port}, {net}")
    outputs = {port: _bits_of(net) for port, net in circuit.outputs.items()}
    wiring = wired([*circuit.inputs.values(), *outputs.values()])
    for part in wiring.parts:
        if part.kind == "black box" and part.detail[0].function is not _UMUL:
            what = "consist of gates, flip-flops and machines"
            _checks.fail("the circuit", what, part.detail[0].name)
        if part.kind == "constant":
            remedy = "make it an input"
            _checks.fail("the circuit", "contain no captured streams", "one", remedy)
        if part.kind == "machine" and len(part.detail[0].next_state) > _MOST_STATES:
            n = len(part.detail[0].next_state)
            _checks.fail("a machine", f"have at most {_MOST_STATES} states", n)
    return wiring, outputs


_UMUL = umul.__wrapped__  # type: ignore[attr-defined]
_COUNT = popcount_add.__wrapped__  # type: ignore[attr-defined]


def _is_count(net: Net) -> bool:
    return isinstance(net.origin, Call) and net.origin.function is _COUNT


def _bits_of(net: Net) -> Net:
    """Return a net whose elements are the bits of an output: the digits of a count."""
    if net.is_stream or not isinstance(net.origin, Call):
        return net
    digits: Net = stack(counted(net.origin.args[0]))  # type: ignore[assignment]
    return digits


def _sampled_product(
    part: Part, wiring: Wiring, drivers: Mapping[int, tuple[str, Any]], lines: Lines
) -> str:
    """Return the text of a result of `umul`."""
    call, _, index = part.detail
    operands = np.broadcast_arrays(*(wiring.wires(net) for net in call.args))
    x, y = (int(wires[index]) for wires in operands)
    a, b = (f"{lines.prefix}w{wire}" for wire in (x, y))
    options = call.kwargs
    bipolar, window = options.get("bipolar", False), options.get("window")
    if window is None:
        threshold, generator = drivers.get(y, ("", None))
        if generator is None:
            contract = "be a value that the module encodes"
            _checks.fail("the second operand of umul", contract, "a stream", "pass source or window")
        return static_product(a, threshold, generator, bipolar, lines)
    source = options.get("source")
    if not has_hardware(source):
        contract = "be an LFSR, a Sobol with gray=True or a TableSource"
        _checks.fail("the source of umul", contract, source)
    stream = int(np.ravel_multi_index(index, operands[0].shape)) if index else 0
    return in_stream_product(a, b, window, source, options["key"], stream, bipolar, lines)


def _prefix(pattern: str, ports: Iterable[str]) -> str:
    """Return underscores that, before a name of a pattern, make it differ from all ports."""
    taken = [port for port in ports if re.fullmatch(f"_*({pattern})", port)]
    return "_" * max((1 + len(port) - len(port.lstrip("_")) for port in taken), default=0)


def _size(net: Net) -> int:
    return int(np.prod(net.shape))


def _encoded(wiring: Wiring) -> list[Part]:
    """Return the encoded values that are inputs of the module."""
    return [p for p in wiring.parts if p.kind == "encode" and not has_hardware(p.detail[1][0])]


def _drivers(
    circuit: Circuit,
    wiring: Wiring,
    source: Built | None,
    seed: int,
    generators: Mapping[str, int] | None,
) -> dict[int, tuple[str, Any]]:
    """Return the text or the generator of each wire that an input or an encoded value provides.

    A generator comes with its key and stream, the text of the threshold, and whether it is inverted.
    """
    drivers: dict[int, tuple[str, Any]] = {}
    wires = [w for name, net in circuit.inputs.items() for w in wire_names(name, net.shape)]
    numbers = numbered(wires, generators)
    if source is not None:
        checked_source("source", source)
        if not has_hardware(source):
            contract = "be an LFSR, a Sobol with gray=True or a TableSource"
            _checks.wrong_type("source", contract, source)
        width = threshold_bits(source)
        sequences = source.sequences(1 + max((n for n, _ in numbers.values()), default=0))
    for name, net in circuit.inputs.items():
        names = wire_names(name, net.shape)
        for i, wire in enumerate(wiring.wires(net).flat):
            if source is None:
                drivers[int(wire)] = f"{name}[{i}]", None
            else:
                n, inverted = numbers[names[i]]
                key = stream_key(seed, Role.INPUT, n)
                threshold = f"{name}[{i * width} +: {width}]"
                if inverted:
                    threshold = f"({width}'d{source.levels} - {threshold})"
                drivers[int(wire)] = threshold, (sequences[n], key, 0, inverted)
    place = 0
    for part in wiring.parts:
        if part.kind != "encode":
            continue
        p, (own, key, stream) = part.detail
        if has_hardware(own):
            threshold = f"{threshold_bits(own)}'d{int(own.thresholds(np.array([p]))[0])}"
            drivers[part.results[0]] = threshold, (own, key, stream, False)
        else:
            drivers[part.results[0]] = f"encoded[{place}]", None
            place += 1
    return drivers


def _write(part: Part, lines: Lines, drivers: Mapping[int, tuple[str, Any]]) -> None:
    """Add the lines of a part."""
    operands = [f"{lines.prefix}w{wire}" for wire in part.operands]
    results = [f"{lines.prefix}w{wire}" for wire in part.results]
    if part.kind in _GATES:
        lines.wires.append(f"wire {results[0]} = {_GATES[part.kind].format(*operands)};")
    elif part.kind == "flip-flop":
        reset = f"{results[0]} <= {CLEAR} ? 1'b{part.detail} : {operands[0]};"
        lines.steps.append(f"always @(posedge clk) {reset}")
    elif part.kind == "machine":
        _write_machine(part, operands, results, lines)
    else:
        text, generator = drivers[part.results[0]]
        if generator is not None:
            source, key, stream, inverted = generator
            text = comparison(source, key, stream, text, lines)
            text = f"~{text}" if inverted else text
        lines.wires.append(f"wire {results[0]} = {text};")


def _write_machine(part: Part, operands: Sequence[str], results: Sequence[str], lines: Lines) -> None:
    """Add a machine as a case statement over its states and inputs."""
    machine, start = part.detail
    n_states = len(machine.next_state)
    bits = max((n_states - 1).bit_length(), 1)
    state, after = (f"{lines.prefix}{letter}{part.results[0]}" for letter in "sn")
    outputs = machine.outputs.reshape(-1, *machine.next_state.shape)
    lines.declare(state, bits, start)
    lines.wires.append(f"reg [{bits - 1}:0] {after};")
    lines.wires.extend(f"reg {z};" for z in results)
    symbol = ", ".join([state, *operands])
    left = ", ".join([after, *results])
    n_in = len(operands)
    lines.steps.extend(["always @*", f"    case ({{{symbol}}})"])
    for index in np.ndindex(machine.next_state.shape):
        s, *inputs = index
        pattern = s
        for bit in inputs:
            pattern = pattern << 1 | bit
        value = int(machine.next_state[index])
        for output in outputs:
            value = value << 1 | int(output[index])
        lines.steps.append(
            f"        {bits + n_in}'d{pattern}: {{{left}}} = {bits + len(results)}'d{value};"
        )
    lines.steps.extend(
        [
            f"        default: {{{left}}} = {bits + len(results)}'d0;",
            "    endcase",
            f"always @(posedge clk) {state} <= {CLEAR} ? {bits}'d{start} : {after};",
        ]
    )


def _stimulus(
    circuit: Circuit, wiring: Wiring, outputs: Mapping[str, Net], streams: Mapping[str, Bitstream]
) -> tuple[dict[str, NDArray[np.uint8]], dict[str, NDArray[np.uint8]], int]:
    """Return the bits of all ports, shape (bits, lanes, length), of the outputs too, and the length.

    Values that are encoded within the circuit are the same in all lanes, so that lanes are simulated
    one by one if there are any.
    """
    aligned, n_batch = circuit._aligned(streams)
    batch = np.broadcast_shapes(*(x.shape[:n_batch] for x in aligned.values()))
    (length,) = {x.length for x in streams.values()}
    ports, wanted = {}, {}
    spread: dict[str, NDArray[np.uint8]] = {}
    for name, net in circuit.inputs.items():
        bits = np.broadcast_to(aligned[name].bits(), (*batch, *net.shape, length))
        spread[name] = bits.reshape(-1, *net.shape, length)
        ports[name] = np.moveaxis(bits.reshape(-1, _size(net), length), 0, 1)
    lanes = next(iter(ports.values())).shape[1] if ports else 1
    if not lanes:
        _checks.fail("streams", "hold at least one stream per input", f"a batch of shape {batch}")
    sequences = []
    for part in _encoded(wiring):
        p, (source, key, stream) = part.detail
        x = encode(p, length, key=key, source=source, streams=stream)
        sequences.append(np.broadcast_to(x.bits(), (lanes, length)))
    if sequences:
        ports["encoded"] = np.stack(sequences)
    alone = [
        circuit.simulate({n: Bitstream.from_bits(bits[lane]) for n, bits in spread.items()})
        for lane in range(lanes if {p.kind for p in wiring.parts} & {"encode", "black box"} else 0)
    ]
    together = circuit.simulate(aligned) if not alone else {}
    for name, net in outputs.items():
        if alone:
            out = np.stack([_bits(result[name], net) for result in alone])
        else:
            out = _bits(together[name], net)
        wanted[name] = np.moveaxis(out.reshape(-1, _size(net), length), 0, 1)
    return ports, wanted, length


def _bits(result: Any, net: Net) -> NDArray[np.uint8]:
    """Return the bits of an output, given their net, time last; those of counts are their digits."""
    if isinstance(result, Bitstream):
        return result.bits()
    places = np.arange(net.shape[-1])[:, np.newaxis]
    return np.asarray(result[..., np.newaxis, :] >> places & 1, np.uint8)


def circuit_testbench(circuit: Circuit, streams: Mapping[str, Bitstream], name: str = "circuit") -> str:
    """Return a self-checking Verilog testbench for the module of `circuit_verilog`.

    It applies the streams, compares each output bit with `Circuit.simulate`, and prints PASS, or FAIL
    and the number of wrong bits, which ends the simulation with an error.

    Parameters
    ----------
    circuit : Circuit
    streams : mapping of str to Bitstream
        Streams of the inputs, of their shapes, without batch axes.
    name : str
        Name of the module, which was made without `source`. That of the testbench is ``tb_<name>``.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If `circuit` is not a Circuit, or an input not a Bitstream.
    ValueError
        If an input is missing or unknown, lengths or shapes do not match, or the circuit has no
        hardware.
    """
    wiring, outputs = _wiring(circuit, name)
    ports, wanted, length = _stimulus(circuit, wiring, outputs, streams)
    if any(bits.shape[1] != 1 for bits in wanted.values()):
        _checks.fail("streams", "have no batch axes", f"{next(iter(wanted.values())).shape[1]} streams")
    prefix = _prefix(_OF_BENCH, [*circuit.inputs, *circuit.outputs])
    t, wrong, dut, bits_ = (prefix + word for word in ("t", "wrong", "dut", "bits"))
    lines = [f"module tb_{name};", "    reg clk = 0, clear = 0;", f"    integer {t}, {wrong} = 0;"]
    checks, connected = [], [".clk(clk)", ".clear(clear)"]
    for kind, arrays in (("reg", ports), ("wire", wanted)):
        for port, bits in arrays.items():
            n = len(bits)
            lines.append(f"    {kind} [{n - 1}:0] {port};")
            connected.append(f".{port}({port})")
            for i, row in enumerate(bits[:, 0]):
                digits = "".join(map(str, reversed(row.tolist())))
                text = f"{length}'h{int(digits, 2):x}"
                lines.append(f"    reg [{length - 1}:0] {bits_}_{port}_{i} = {text};")
                if kind == "reg":
                    checks.append(f"            {port}[{i}] = {bits_}_{port}_{i}[{t}];")
    lines.append(f"    {name} {dut} ({', '.join(connected)});")
    steps = f"{t} = 0; {t} < {length}; {t} = {t} + 1"
    lines += ["    initial begin", f"        for ({steps}) begin", *checks]
    lines.append("            #1;")
    for port, bits in wanted.items():
        for i in range(len(bits)):
            compare = f"if ({port}[{i}] !== {bits_}_{port}_{i}[{t}]) {wrong} = {wrong} + 1;"
            lines.append(f"            {compare}")
    lines += [
        "            clk = 1; #1; clk = 0; #1;",
        "        end",
        f'        if ({wrong} == 0) $display("PASS");',
        f'        else begin $display("FAIL %0d", {wrong}); $fatal; end',
        "        $finish;",
        "    end",
        "endmodule",
    ]
    return with_header("\n".join(lines))


def verify_circuit(
    circuit: Circuit,
    streams: Mapping[str, Bitstream] | Mapping[str, ArrayLike],
    target: Target = "generic",
    *,
    place: bool = False,
    source: Built | None = None,
    length: int | None = None,
    seed: int = 0,
    generators: Mapping[str, int] | None = None,
) -> CircuitVerification:
    """Synthesize a circuit and run its netlist beside its simulation, all streams of a batch at once.

    Parameters
    ----------
    circuit : Circuit
        As in `circuit_verilog`.
    streams : mapping of str to Bitstream or array_like
        Streams of the inputs, as in `Circuit.simulate`. With `source`, probabilities of the inputs,
        without batch axes.
    target : {"generic", "ice40", "ecp5", "xilinx"}
        Cells of the netlist.
    place : bool
        Place and route for iCE40 or ECP5, to report logic cells and clock rate.
    source : LFSR, Sobol or TableSource, optional
        As in `circuit_verilog`: the generators of the inputs are a part of the netlist, and its outputs
        are compared with those of streams from `Circuit.encode`.
    length : int, optional
        Number of time steps, with `source`.
    seed, generators
        As in `circuit_verilog`.

    Returns
    -------
    CircuitVerification

    Raises
    ------
    MissingToolError
        If Yosys is missing.
    ToolFailedError
        If Yosys or nextpnr ends with an error.
    TypeError
        If `circuit` is not a Circuit, or an input not a Bitstream.
    ValueError
        If an input is missing or unknown, lengths or shapes do not match, the circuit has no hardware,
        or `target` is unknown.

    Examples
    --------
    >>> from sc_neurocore import LFSR, multiply
    >>> from sc_neurocore.circuits import Circuit
    >>> from sc_neurocore.hardware import verify_circuit
    >>> values = {"x": 0.5, "y": 0.3}
    >>> found = verify_circuit(Circuit.trace(multiply), values, source=LFSR(8), length=255)
    >>> found.wrong, found.bits
    (0, 255)
    """
    _checks.instance("circuit", circuit, Circuit)
    name = _prefix("circuit", [*circuit.inputs, *circuit.outputs]) + "circuit"
    wiring, bits_of = _wiring(circuit, name)
    text = circuit_verilog(circuit, name, source=source, seed=seed, generators=generators)
    given: dict[str, Any] = dict(streams)
    if source is not None:
        thresholds = _thresholds(circuit, given, source)
        given = circuit.encode(
            given,
            _checks.length_of_stream("length", length),
            seed=seed,
            source=source,
            generators=generators,
        )
    elif length is not None:
        _checks.fail("length", "be that of the streams without source", length, "leave it out")
    ports, wanted, length = _stimulus(circuit, wiring, bits_of, given)
    if source is not None:
        ports |= {port: np.tile(bits, (1, length)) for port, bits in thresholds.items()}
        ports = {port: bits.reshape(len(bits), -1, length) for port, bits in ports.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "circuit.v"
        path.write_text(text, encoding="utf-8")
        made = synthesize([path], name, target, folder, place=place)
        netlist = Netlist.read(made.path, name)
    lanes = next(iter(wanted.values())).shape[1]
    stimulus = {name: np.moveaxis(bits, -1, 0) for name, bits in ports.items()}
    if CLEAR in netlist.inputs:
        stimulus[CLEAR] = np.zeros((length, 1, lanes), np.uint8)
    outputs = netlist.run(stimulus).outputs
    wrong = bits = 0
    for port, array in wanted.items():
        wrong += int((outputs[port] != np.moveaxis(array, -1, 0)).sum())
        bits += array.size
    return CircuitVerification(bits, wrong, made)


def _thresholds(
    circuit: Circuit, values: Mapping[str, ArrayLike], source: Built
) -> dict[str, NDArray[np.uint8]]:
    """Return the bits of the thresholds of each input, lowest first, shape (bits, 1)."""
    checked, batch = circuit._checked_values(values)
    if batch:
        contract = "have no batch axes with source"
        _checks.fail("streams", contract, f"a batch of shape {batch}", "verify one element at a time")
    places = np.arange(threshold_bits(source))
    return {
        name: (source.thresholds(p.reshape(-1, 1)).astype(np.int64) >> places & 1)
        .astype(np.uint8)
        .reshape(-1, 1)
        for name, p in checked.items()
    }
