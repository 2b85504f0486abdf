"""Verilog files of a design: their text, and writing them to a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import __version__, _checks
from sc_neurocore._files import replacing
from sc_neurocore.hardware._memories import hex_lines, weight_files
from sc_neurocore.hardware._reads import table
from sc_neurocore.hardware.design import (
    Design,
    LayerDesign,
    RotatedRegister,
    Sequence,
    row_integers,
)
from sc_neurocore.hardware.model import trace
from sc_neurocore.networks import Network
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.layers import Conv2d, all_weights, with_all_weights
from sc_neurocore.networks.pooling import is_pool

__all__ = [
    "bits_for",
    "hex_lines",
    "library",
    "library_text",
    "rendered",
    "verilog",
    "verilog_testbench",
    "weight_files",
    "with_header",
    "with_reset",
    "write",
]

_SHARED = ("sc_control", "sc_sequence", "sc_lif", "sc_best")
# Lines of the library for designs with an option, and those in their place for others.
_OPTIONAL = re.compile(
    r"^`ifdef SC_([A-Z]+)\n(.*?)(?:^`else\n(.*?))?^`endif\n", re.DOTALL | re.MULTILINE
)
# Processes with a reset, which begin with it.
_RESETTABLE = re.compile(r"always @\(posedge clk\)(?=\s+if \(rst\))")
_UNROLLED = ("sc_encoder", "sc_thermometer", "sc_neuron", "sc_count", "sc_readout")


def verilog(design: Design) -> dict[str, str]:
    """Return the files of a design as text, by file name: modules `*.v` and weight memories `*.hex`.

    The text depends only on the design.

    Raises
    ------
    ImportError
        If Jinja2 is missing (extra: hdl).
    """
    kind = design.architecture
    shared = {
        "design": design,
        "last": len(design.layers) - 1,
        "control_bits": max(design.n_in, design.length).bit_length(),
        "spike_bits": design.length.bit_length(),
        "fed_back": _fed_back(design),
        "port": design.load_port if design.loadable else None,
    }
    text = {f"{design.name}.v": rendered(f"top_{kind}.v", shared)}
    for k, layer in enumerate(design.layers):
        module = f"{design.name}_layer{k}"
        of_layer = kind if layer.plain or not design.folded else "general"
        text[f"{module}.v"] = rendered(
            f"layer_{of_layer}.v", {"design": design, "layer": layer, "k": k, "module": module}
        )
        if design.folded:
            text |= _memories(module, k, layer)
    for name in library(design):
        text[name] = library_text(
            name, loadable=design.loadable, scores=design.scores, noise=design.has_noise
        )
    return {name: with_reset(design, content) for name, content in text.items()}


def with_reset(design: Design, text: str) -> str:
    """Return the text of a module whose processes are reset as those of the design."""
    if design.reset == "synchronous":
        return text
    return _RESETTABLE.sub("always @(posedge clk or posedge rst)", text)


def _fed_back(design: Design) -> list[int]:
    """Return the layers whose spikes go to earlier layers of a folded design."""
    return sorted(
        {
            memory.source
            for k, layer in enumerate(design.layers)
            for memory in layer.reads.memories
            if memory.source is not None and memory.source > k
        }
    )


def library_text(name: str, **options: bool) -> str:
    """Return the text of a library file, with or without the ports of options of a `Design`."""
    text = (files("sc_neurocore.hardware") / "rtl" / name).read_text(encoding="utf-8")
    on = {option.upper() for option, chosen in options.items() if chosen}
    return _declared(_OPTIONAL.sub(lambda found: found[2 if found[1] in on else 3] or "", text))


def library(design: Design) -> list[str]:
    """Return the names of the library files that a design uses unchanged."""
    used = [*_SHARED]
    if design.pipelined:
        used = ["sc_pipeline" if name == "sc_control" else name for name in used]
    if isinstance(design.encoder, RotatedRegister):
        used.append("sc_rotated")
    if not design.folded:
        used += _UNROLLED
        if any(layer.neuron.syn_fraction or np.any(layer.neuron.syn_leak) for layer in design.layers):
            used.append("sc_synapse")
        return [f"{name}.v" for name in used]
    for layer in design.layers:
        general = not layer.plain
        if layer.sampled:
            used += ["sc_layer", "sc_reads", "sc_number"] if general else ["sc_folded"]
        else:
            used += ["sc_numbers", "sc_tree", *([] if layer.reads.is_counter else ["sc_reads"])]
        used += [] if layer.is_pool else ["sc_weights"]
        used += ["sc_synapse"] if np.any(layer.neuron.syn_leak) else []
        used += ["sc_noise"] if layer.neuron.noise else []
        for memory in layer.reads.memories:
            if not layer.sampled:
                used.append("sc_values")
            elif memory.source is None and design.inputs == "image":
                used.append("sc_samples" if general else "sc_image")
            elif memory.source is not None and not design.layers[memory.source].sampled:
                used.append("sc_steps")
            else:
                used.append("sc_history" if general else "sc_spikes")
    return [f"{name}.v" for name in dict.fromkeys([*used, "sc_readout_folded"])]


def verilog_testbench(design: Design, images: InputLike) -> dict[str, str]:
    """Return a self-checking testbench and its vectors as text, by file name.

    The testbench runs under Icarus Verilog and Verilator. It compares every spike, potential and class
    with the model, and ends with an error if any differs. If it passes, it prints the number of spikes
    and the layers without spikes. That of a design whose weights can be loaded then loads others, the
    weights of each neuron in reverse order, and runs the images once more.

    Parameters
    ----------
    design : Design
    images : array_like, shape (n, n_in) or (n_in,); Bitstream or Events
        Densities in [0, 1], or spikes, as `Design.inputs` says.

    Raises
    ------
    ValueError
        If images have another shape, or densities lie outside [0, 1].
    ImportError
        If Jinja2 is missing (extra: hdl).
    """
    inputs = Inputs.of("images", images, design.network)
    name, n_images = f"{design.name}_tb", int(np.prod(inputs.batch))
    designs = [design, _reversed(design)] if design.loadable else [design]
    text: dict[str, str] = {}
    n_spikes, fired = 0, [False] * len(design.layers)
    lines, ends = [0] * len(design.layers), []  # ends: number of steps of each image
    for each in designs:
        codes = each.codes(inputs).ravel().tolist()
        classes = np.atleast_1d(each.simulate(inputs).classes).tolist()
        _append(text, f"{name}_images.hex", hex_lines(codes, design.in_bits))
        _append(text, f"{name}_classes.hex", hex_lines(classes, 1))
        steps = each.steps(inputs).ravel()
        ends += steps.tolist()
        for k, (layer, seen) in enumerate(zip(each.layers, trace(each, inputs), strict=True)):
            shape = n_images, layer.n_out, design.length
            spikes, potentials = seen.spikes.bits().reshape(shape), seen.potentials.reshape(shape)
            # Layers that take numbers have computed all steps when the first one ends.
            computed = steps if layer.sampled else np.full(n_images, design.length)
            counts = (spikes * (np.arange(design.length) < computed[:, None, None])).sum(axis=-1)
            n_spikes += int(counts.sum())
            never = np.all(layer.neuron.threshold > layer.neuron.most)
            fired[k] |= bool(never or spikes.any())
            lines[k] += int(computed.sum()) * (layer.groups if design.folded else 1)
            if design.scores and k == len(design.layers) - 1:
                at = np.arange(n_images), slice(None), steps - 1
                scores = counts.astype(np.int64) << 32 | potentials[at].astype(np.int64) & 0xFFFFFFFF
                _append(text, f"{name}_scores.hex", hex_lines(scores.ravel().tolist(), 64))
            _append(text, f"{name}_layer{k}.hex", _expected(each, layer, spikes, potentials, steps))
    values = {
        "design": design,
        "n_images": n_images * len(designs),
        "clocks": design.clocks_of(ends[0]),
        "lines": lines,
        "n_spikes": n_spikes,
        "spike_bits": design.length.bit_length(),
        "silent": [f"no spikes in layer {k}" for k, seen in enumerate(fired) if not seen],
    }
    if design.loadable:
        port = designs[1].load_port
        writes = port.writes().astype(np.int64)
        writes = np.concatenate([writes, writes[: len(writes) // 2]])  # no other words may change
        values |= {"address_bits": port.address_bits, "n_writes": len(writes), "n_before": n_images}
        words = (writes[:, 0] << 32 | writes[:, 1]).tolist()
        text[f"{name}_words.hex"] = hex_lines(words, port.address_bits + 32)
    return {f"{name}.v": rendered("testbench.v", values), **text}


def _append(text: dict[str, str], name: str, lines: str) -> None:
    """Append lines to a file."""
    text[name] = text.get(name, "") + lines


def _reversed(design: Design) -> Design:
    """Return a design with the weights of each neuron in reverse order, and the same neurons."""
    network = design.fixed.network
    layers = [
        layer
        if isinstance(layer, Conv2d) and is_pool(layer)
        else with_all_weights(layer, all_weights(layer)[:, ::-1])
        for layer in network
    ]
    return replace(design, network=Network(layers, network.connections, network.outputs))


def write(text: Mapping[str, str], folder: str | os.PathLike[str]) -> None:
    """Write files to a folder, which is created if needed.

    Parameters
    ----------
    text : mapping of str to str
        Content of each file, by file name.
    folder : path
    """
    from pathlib import Path

    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, content in text.items():
        with replacing(Path(folder) / name) as file:
            file.write(content.encode())


def _expected(
    design: Design,
    layer: LayerDesign,
    spikes: NDArray[Any],
    potentials: NDArray[Any],
    steps: NDArray[np.int64],
) -> str:
    """Return the vectors {v, spike} of a layer in hex, from arrays (image, neuron, step).

    Those of an image end after its number of steps.
    """
    computed = np.arange(design.length) < steps[:, np.newaxis]
    lanes, groups = (layer.pe, layer.groups) if design.folded else (layer.n_out, 1)
    word = layer.neuron.word
    order = layer.order if design.folded else np.arange(layer.n_out)

    def lines(values: NDArray[Any]) -> NDArray[Any]:
        grouped = values[:, order].reshape(-1, groups, lanes, design.length)
        if not layer.sampled:  # takes numbers: a group gives all its steps before the next one
            return grouped.transpose(0, 1, 3, 2).reshape(-1, lanes)
        return grouped.transpose(0, 3, 1, 2)[computed].reshape(-1, lanes)

    fired, v = lines(spikes), lines(potentials)
    digits_of_v = v[:, :, np.newaxis] >> np.arange(word) & 1
    whole = np.concatenate([fired, digits_of_v.reshape(len(v), -1)], axis=1)
    return hex_lines(row_integers(whole), whole.shape[1])


@cache
def _templates() -> Any:
    """Return the environment of the templates."""
    try:
        import jinja2
    except ImportError as error:
        message = _checks.missing_extra("sc_neurocore.hardware", "Jinja2", "hdl")
        raise ImportError(message) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sc_neurocore.hardware", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.globals.update(
        bits_for=bits_for,
        rows=_rows,
        shift=_shift,
        synapses=_synapses,
        neuron=_neuron,
        numbers=_numbers,
        own=_own,
        slots=_slots,
        widths=_widths,
    )
    return environment


def rendered(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a template filled with values."""
    text = str(_templates().get_template(f"{name}.j2").render(values))
    if not name.endswith((".v", ".sv")):
        return text
    return with_header(text)


def with_header(text: str) -> str:
    """Return Verilog that names the version that wrote it, and must declare its nets."""
    return _declared(f"// Written by sc-neurocore {__version__}.\n{text}")


def _declared(text: str) -> str:
    """Return Verilog that must declare its nets; files compiled after it may leave that out."""
    return f"`default_nettype none\n{text}\n`default_nettype wire\n"


def bits_for(n: int) -> int:
    """Return the number of bits of an index below n, at least 1."""
    return max((n - 1).bit_length(), 1)


def _rows(numbers: Sequence) -> str:
    """Return the Verilog constant of the rows of M, the last one first."""
    digits = (f"{row:0{numbers.width}b}" for row in reversed(numbers.rows))
    return f"{numbers.bits * numbers.width}'b{'_'.join(digits)}"


def _shift(numbers: Sequence) -> str:
    """Return the Verilog constant of the shift."""
    return f"{numbers.bits}'b{numbers.shift:0{numbers.bits}b}"


def _numbers(encoder: Sequence | RotatedRegister) -> str:
    """Return the Verilog parameters of the numbers of the inputs."""
    if isinstance(encoder, Sequence):
        return (
            f".SEQUENCE({encoder.width}),\n        .ROWS({_rows(encoder)}),\n"
            f"        .SHIFT({_shift(encoder)})"
        )
    return (
        f".REGISTER({encoder.width}), .FEEDBACK(16'h{encoder.feedback:04x}), "
        f".START(16'h{encoder.source.start:04x})"
    )


def _synapses(layer: LayerDesign, neuron: int) -> tuple[int, int, str, str]:
    """Return the numbers of excitatory and inhibitory synapses, and their inputs and weight streams.

    Inputs and weight streams are Verilog concatenations, which begin with the last synapse.
    """
    row, patch = divmod(neuron, layer.layer.positions)
    numbered = np.arange(1, layer.layer.n_in + 1)[np.newaxis, :, np.newaxis]
    inputs = layer.layer.patches(numbered)[patch, :, 0] - 1  # -1 in the padding
    if layer.has_bias:
        inputs = np.append(inputs, layer.layer.n_in)
    magnitudes, negative = layer.magnitudes[row], layer.negative[row]
    exciting = np.flatnonzero((magnitudes > 0) & ~negative & (inputs >= 0)).tolist()
    inhibiting = np.flatnonzero((magnitudes > 0) & negative & (inputs >= 0)).tolist()
    if not exciting and not inhibiting:
        exciting = [int(np.flatnonzero(inputs >= 0)[0])] if (inputs >= 0).any() else []
        if not exciting:
            return 1, 0, _on_lines(["1'b0"]), _on_lines(["1'b0"])
    order = [*exciting, *inhibiting][::-1]
    always = layer.layer.n_in
    x = _on_lines(["1'b1" if inputs[i] == always else f"x[{inputs[i]}]" for i in order])
    top = 2**layer.numbers.bits
    w = _on_lines(["1'b1" if magnitudes[i] == top else f"below[{magnitudes[i]}]" for i in order])
    return len(exciting), len(inhibiting), x, w


def _on_lines(literals: list[str], per_line: int = 8) -> str:
    """Return comma-separated literals on indented lines."""
    lines = [", ".join(literals[i : i + per_line]) for i in range(0, len(literals), per_line)]
    return ",\n".join(f"            {line}" for line in lines)


def _neuron(layer: LayerDesign, neuron: int | None = None) -> str:
    """Return the Verilog parameters of the neurons of a layer, or of one of them."""
    n = layer.neuron
    if neuron is not None and len(n.each) > 1:
        n = n.each[neuron // layer.layer.positions]
    value = {k: 0 if isinstance(v, np.ndarray) else v for k, v in vars(n).items()}
    value["refractory"] = int(np.max(n.refractory))
    if isinstance(n.leak, np.ndarray) or isinstance(n.leak_shift, np.ndarray):
        value["leak"], value["leak_shift"] = 0, int(np.max(n.leak_shift))
    text = (
        f".WORD({n.word}), .FRACTION({n.fraction}), .LEAK({value['leak']}), "
        f".LEAK_SHIFT({value['leak_shift']}),\n"
        f"        .THRESHOLD({value['threshold']}), .RESET({value['reset']}), "
        f".SUBTRACT({int(n.subtract)}), "
        f".REFRACTORY({value['refractory']}), .REST({layer.rest_bits})"
    )
    if np.any(n.syn_leak):
        text += (
            f",\n        .SYNAPSE(1), .SYN_LEAK({value['syn_leak'] or 1}), "
            f".SYN_LEAK_SHIFT({int(np.max(n.syn_leak_shift))}), .SYN_FRACTION({n.syn_fraction})"
        )
    return text


@dataclass(frozen=True)
class _Own:
    """Parameters that differ between neurons of a layer: bits of each, and words of their memory."""

    leak: int
    levels: int
    rest: int
    syn: int
    width: int
    words: list[int]


def _own(layer: LayerDesign) -> _Own:
    """Return the parameters that differ between the neurons of a layer."""
    n, n_rows = layer.neuron, len(layer.magnitudes)

    def varies(*values: Any) -> bool:
        return any(isinstance(value, np.ndarray) for value in values)

    fields: list[tuple[NDArray[np.int64], int]] = []
    bits = {"leak": 0, "syn": 0}
    leaks = {"leak": (n.leak, n.leak_shift), "syn": (n.syn_leak, n.syn_leak_shift)}
    scaled = {}
    for name, (leak, shift) in leaks.items():
        if varies(leak, shift):
            scaled[name] = np.broadcast_to(leak << (np.max(shift) - shift), n_rows)
            bits[name] = int(scaled[name].max()).bit_length()
    if bits["leak"]:
        fields.append((scaled["leak"], bits["leak"]))
    levels = varies(n.threshold, n.reset)
    if levels:
        fields.append((np.broadcast_to(n.threshold, n_rows), n.word + 1))
        fields.append((np.broadcast_to(n.reset, n_rows), n.word))
    if varies(n.refractory):
        fields.append((np.broadcast_to(n.refractory, n_rows), layer.rest_bits))
    if bits["syn"]:
        fields.append((scaled["syn"], bits["syn"]))
    width = sum(size for _, size in fields)
    words = []
    for first in range(0, n_rows if fields else 0, layer.pe):
        word = at = 0
        for row in range(first, first + layer.pe):
            for values, size in fields:
                word |= (int(values[row]) & (1 << size) - 1) << at
                at += size
        words.append(word)
    return _Own(bits["leak"], int(levels), int(varies(n.refractory)), bits["syn"], max(width, 1), words)


def _slots(design: Design, k: int, m: int) -> int:
    """Return the passes that memory m of layer k keeps: one more if the source is a pass ahead."""
    reads = design.layers[k].reads
    if not design.pipelined or reads.memories[m].source == k:
        return reads.memories[m].slots
    return 1 << max(read.back for read in reads.each if read.memory == m).bit_length()


def _widths(layer: LayerDesign) -> dict[str, int]:
    """Return the bits of the fields of a read, and of a row or column of the image."""
    reads, conv = layer.reads, layer.layer
    words = max([memory.words for memory in reads.memories] + [read.offset + 1 for read in reads.each])
    size = max(conv.input_size) + 2 * conv.padding if isinstance(conv, Conv2d) else 1
    return {
        "memory": bits_for(len(reads.memories)),
        "back": bits_for(reads.furthest + 1),
        "row": bits_for(max(read.row for read in reads.each) + 1),
        "column": bits_for(max(read.column for read in reads.each) + 1),
        "offset": bits_for(words),
        "place": size.bit_length() + 1,
    }


def _memories(module: str, k: int, layer: LayerDesign) -> dict[str, str]:
    """Return the files of the memories of layer k: weights, reads, and parameters of neurons."""
    text: dict[str, str] = {}
    memories = layer.memories(k)
    for memory in memories[:1]:
        text |= memory.files(module)
    if not layer.reads.is_counter:
        widths = _widths(layer)
        bits = sum(size for name, size in widths.items() if name != "place")
        text[f"{module}_reads.hex"] = hex_lines(table(layer.reads, widths), bits)
    for memory in memories[1:]:
        text |= memory.files(module)
    own = _own(layer)
    if own.words:
        text[f"{module}_neurons.hex"] = hex_lines(own.words, own.width * layer.pe)
    return text
