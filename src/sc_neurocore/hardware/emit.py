"""Verilog files of a design: their text, and writing them to a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._files import replacing
from sc_neurocore.hardware.design import Design, LayerDesign, Sequence, row_integers
from sc_neurocore.hardware.model import trace

__all__ = ["bits_for", "library", "library_text", "rendered", "verilog", "verilog_testbench", "write"]

_SHARED = ("sc_control", "sc_sequence", "sc_lif", "sc_best")
_UNROLLED = ("sc_encoder", "sc_thermometer", "sc_neuron", "sc_count", "sc_readout")
_FOLDED = ("sc_image", "sc_folded", "sc_weights", "sc_readout_folded")


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
    }
    text = {f"{design.name}.v": rendered(f"top_{kind}.v", shared)}
    for k, layer in enumerate(design.layers):
        module = f"{design.name}_layer{k}"
        text[f"{module}.v"] = rendered(
            f"layer_{kind}.v", {"design": design, "layer": layer, "k": k, "module": module}
        )
        if design.folded:
            text |= _memories(module, layer)
    for name in library(design):
        text[name] = library_text(name)
    return text


def library_text(name: str) -> str:
    """Return the text of a library file."""
    return (files("sc_neurocore.hardware") / "rtl" / name).read_text(encoding="utf-8")


def library(design: Design) -> list[str]:
    """Return the names of the library files that a design uses unchanged."""
    own = _FOLDED if design.folded else _UNROLLED
    between = ["sc_spikes"] if design.folded and len(design.layers) > 1 else []
    return [f"{name}.v" for name in (*_SHARED, *own, *between)]


def verilog_testbench(design: Design, images: ArrayLike) -> dict[str, str]:
    """Return a self-checking testbench and its vectors as text, by file name.

    The testbench runs under Icarus Verilog and Verilator. It compares every spike, potential and class
    with the model, and ends with an error if any differs. If it passes, it prints the number of spikes
    and the layers without spikes.

    Parameters
    ----------
    design : Design
    images : array_like, shape (n, n_in) or (n_in,)
        Densities in [0, 1].

    Raises
    ------
    ValueError
        If images have another shape, or densities lie outside [0, 1].
    ImportError
        If Jinja2 is missing (extra: hdl).
    """
    codes = np.atleast_2d(design.codes(images))
    densities = codes / 2**design.fixed_point.bits
    result = design.simulate(densities)
    traces = [trace(design, row) for row in densities]
    name = f"{design.name}_tb"
    digits = -(-design.fixed_point.bits // 4)
    text = {f"{name}_images.hex": _lines(f"{code:0{digits}x}" for code in codes.ravel().tolist())}
    text[f"{name}_classes.hex"] = _lines(f"{c:x}" for c in result.classes.tolist())
    n_spikes, silent = 0, []
    for k, layer in enumerate(design.layers):
        spikes = np.stack([layers[k].spikes.bits() for layers in traces])
        potentials = np.stack([layers[k].potentials for layers in traces])
        n_spikes += int(spikes.sum())
        if layer.neuron.threshold <= layer.neuron.most and not spikes.any():
            silent.append(f"no spikes in layer {k}")
        text[f"{name}_layer{k}.hex"] = _lines(_expected(design, layer, spikes, potentials))
    values = {
        "design": design,
        "n_images": len(codes),
        "lines": [design.length * (layer.groups if design.folded else 1) for layer in design.layers],
        "n_spikes": n_spikes,
        "silent": silent,
    }
    return {f"{name}.v": rendered("testbench.v", values), **text}


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


def _lines(lines: Any) -> str:
    """Return lines joined to a text."""
    return "".join(f"{line}\n" for line in lines)


def _expected(
    design: Design, layer: LayerDesign, spikes: NDArray[Any], potentials: NDArray[Any]
) -> Any:
    """Return the vectors {v, spike} of a layer in hex, from arrays (image, neuron, step)."""
    lanes, groups = (layer.pe, layer.groups) if design.folded else (layer.n_out, 1)
    word = layer.neuron.word
    fired, v = (
        values.reshape(-1, groups, lanes, design.length).transpose(0, 3, 1, 2).reshape(-1, lanes)
        for values in (spikes, potentials)
    )
    digits_of_v = v[:, :, np.newaxis] >> np.arange(word) & 1
    whole = np.concatenate([fired, digits_of_v.reshape(len(v), -1)], axis=1)
    digits = -(-whole.shape[1] // 4)
    return (f"{row:0{digits}x}" for row in row_integers(whole))


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
    )
    return environment


def rendered(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a template filled with values."""
    return str(_templates().get_template(f"{name}.j2").render(values))


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


def _synapses(layer: LayerDesign, neuron: int) -> tuple[int, int, str, str]:
    """Return the numbers of excitatory and inhibitory synapses, and their inputs and weight streams.

    Inputs and weight streams are Verilog concatenations, which begin with the last synapse.
    """
    magnitudes, negative = layer.magnitudes[neuron], layer.negative[neuron]
    exciting = np.flatnonzero((magnitudes > 0) & ~negative).tolist()
    inhibiting = np.flatnonzero((magnitudes > 0) & negative).tolist()
    if not exciting and not inhibiting:
        exciting = [0]
    order = [*exciting, *inhibiting][::-1]
    bias = layer.n_in - 1 if layer.has_bias else None
    x = _on_lines(["1'b1" if i == bias else f"x[{i}]" for i in order])
    w = _on_lines([f"below[{magnitudes[i]}]" for i in order])
    return len(exciting), len(inhibiting), x, w


def _on_lines(literals: list[str], per_line: int = 8) -> str:
    """Return comma-separated literals on indented lines."""
    lines = [", ".join(literals[i : i + per_line]) for i in range(0, len(literals), per_line)]
    return ",\n".join(f"            {line}" for line in lines)


def _neuron(layer: LayerDesign) -> str:
    """Return the Verilog parameters of the neurons of a layer."""
    n = layer.neuron
    return (
        f".WORD({n.word}), .FRACTION({n.fraction}), .LEAK({n.leak}), .LEAK_SHIFT({n.leak_shift}),\n"
        f"        .THRESHOLD({n.threshold}), .RESET({n.reset}), .SUBTRACT({int(n.subtract)}), "
        f".REFRACTORY({n.refractory}), .REST({layer.rest_bits})"
    )


def _memories(module: str, layer: LayerDesign) -> dict[str, str]:
    """Return the files of a weight memory, split in the same way as in `sc_weights`."""
    words = layer.memory()
    text: dict[str, str] = {}
    digits = -(-layer.simd * layer.pe * (layer.numbers.bits + 1) // 4)
    deep = len(words) >= 2048
    while words:
        bank = 1 << (len(words).bit_length() - 1) if deep else len(words)
        text[f"{module}_{len(text)}.hex"] = _lines(f"{word:0{digits}x}" for word in words[:bank])
        words = words[bank:]
    return text
