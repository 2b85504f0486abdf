"""Verilog against the model: every spike and every potential of a layer, and what was seen of both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore.bitstream import Bitstream
from sc_neurocore.hardware.design import Design, LayerDesign
from sc_neurocore.hardware.emit import verilog, write
from sc_neurocore.hardware.simulators import verilate
from sc_neurocore.hardware.trace import LayerRun, LayerTrace

Words = NDArray[np.uint32]
# What drives a layer: outputs by name under inputs by name, (clocks, words of 32 bits).
Runner = Callable[[dict[str, Words]], dict[str, Words]]

# Clocks that are simulated at a time: some tens of MB.
_BLOCK = 2**19
# Steps after which the kind of the inputs changes.
_SEGMENT = 256


@dataclass(frozen=True)
class Verification:
    """What a comparison of a layer with its model saw.

    Attributes
    ----------
    clocks, steps : int
        Of hardware, and time steps in them.
    differences : int
        Spikes, potentials and signals of validity that differ.
    spikes, rests : int
        Spikes, and steps that neurons rested.
    below, above : int
        Sums that saturated at the lower and the upper end.
    """

    clocks: int = 0
    steps: int = 0
    differences: int = 0
    spikes: int = 0
    rests: int = 0
    below: int = 0
    above: int = 0

    def __add__(self, other: Verification) -> Verification:
        return Verification(*(getattr(self, f) + getattr(other, f) for f in self.__match_args__))

    def passed(self, layer: LayerDesign) -> bool:
        """Return whether nothing differs, and neurons that can fire and rest did."""
        fires = layer.neuron.threshold <= layer.neuron.most
        fired = not fires or self.spikes > 0
        rested = not (fires and layer.neuron.refractory) or self.rests > 0
        return self.differences == 0 and fired and rested


def verify_layer(
    design: Design,
    k: int,
    clocks: int,
    *,
    seed: int = 0,
    runner: Runner | None = None,
    progress: bool = False,
) -> Verification:
    """Return the comparison of layer k of a design with its model, for that many clocks or more.

    The inputs are spikes of densities that change, at times those that excite or inhibit one neuron
    most, so that potentials reach both ends; steps of an unrolled layer come with gaps.

    Parameters
    ----------
    design : Design
    k : int
    clocks : int
    seed : int
        Of the inputs.
    runner : callable, optional
        What runs the layer. By default Verilator.
    progress : bool
        Show a bar (extra: progress).
    """
    layer = design.layers[_checks.integer("k", k, 0, len(design.layers) - 1)]
    clocks = _checks.integer("clocks", clocks, 1)
    rng = np.random.default_rng(_checks.power_range("seed", seed, 128))
    block = _folded_block if design.folded else _unrolled_block
    total = Verification()
    with (
        tempfile.TemporaryDirectory() as folder,
        progress_bar(clocks, f"verify layer {k}", "clock", show=progress) as bar,
    ):
        run = runner or _verilated(design, k, folder)
        while total.clocks < clocks:
            part = block(layer, run, rng, min(clocks - total.clocks, _BLOCK))
            total += part
            bar.update(part.clocks)
    return total


def _verilated(design: Design, k: int, folder: str) -> Runner:
    top = f"{design.name}_layer{k}"
    text = verilog(design)
    write({name: text[name] for name in text if name.startswith(("sc_", top))}, folder)
    return verilate(sorted(Path(folder).glob("*.v")), top, Path(folder) / "build").run


def _inputs(layer: LayerDesign, rng: np.random.Generator, steps: int) -> NDArray[np.uint8]:
    """Return spikes of shape (n_in, steps), segment by segment of another kind."""
    n_in = layer.n_in - layer.has_bias
    spikes = np.empty((n_in, steps), np.uint8)
    for first in range(0, steps, _SEGMENT):
        shape = n_in, min(_SEGMENT, steps - first)
        kind = rng.integers(8)
        negative = layer.negative[rng.integers(layer.n_out), :n_in, np.newaxis]
        if kind == 0:
            part = np.broadcast_to(~negative, shape)
        elif kind == 1:
            part = np.broadcast_to(negative, shape)
        else:
            density = rng.random() if kind < 5 else rng.random((n_in, 1))
            part = rng.random(shape) < density
        spikes[:, first : first + shape[1]] = part
    return spikes


def _unrolled_block(
    layer: LayerDesign, run: Runner, rng: np.random.Generator, clocks: int
) -> Verification:
    steps = max(int(clocks * rng.uniform(0.7, 1.0)) - 8, 1)
    x = _inputs(layer, rng, steps)
    n_clocks = max(clocks, steps + 4)
    step = np.zeros(n_clocks, bool)
    # One clock clears, and the last two are without a step, so that all comes out.
    step[1 + np.sort(rng.permutation(n_clocks - 3)[:steps])] = True
    clear = np.arange(n_clocks) == 0
    words = np.zeros((n_clocks, -(-x.shape[0] // 32)), np.uint32)
    words[step] = _packed(x.T)
    out = run({"clear": _column(clear), "step": _column(step), "x": words})
    model = _model(layer, x)
    valid = out["valid"][:, 0].astype(bool)
    expected = np.concatenate([[False, False], step[:-2]])
    differences = int((valid[1:] != expected[1:]).sum())
    at = np.flatnonzero(expected)
    spikes = _bits(out["spike"][at], layer.n_out)
    potentials = _potentials(out["v"][at], layer.n_out, layer.neuron.word)
    return _compared(layer, model, spikes, potentials, n_clocks, differences)


def _folded_block(
    layer: LayerDesign, run: Runner, rng: np.random.Generator, clocks: int
) -> Verification:
    period = layer.depth + 3
    passes = max(clocks // period, 1)
    x = _inputs(layer, rng, passes)
    padded = np.zeros((passes, layer.columns * layer.simd), np.uint8)
    padded[:, : len(x)] = x.T
    words = _packed(padded.reshape(passes * layer.columns, layer.simd))
    words = np.tile(words.reshape(passes, layer.columns, -1), (1, layer.groups, 1))
    # A step at the start of each period; the words that it asks for come from two clocks on.
    n_clocks = passes * period + 4
    clear, step = np.zeros(n_clocks, bool), np.zeros(n_clocks, bool)
    x_word = np.zeros((n_clocks, words.shape[2]), np.uint32)
    clear[0] = True
    starts = 1 + np.arange(passes) * period
    step[starts] = True
    x_word[(starts[:, np.newaxis] + 2 + np.arange(layer.depth)).ravel()] = words.reshape(
        -1, words.shape[2]
    )
    out = run({"clear": _column(clear), "step": _column(step), "x_word": x_word})
    ready = layer.columns * (1 + np.arange(layer.groups)) + 3
    at = (starts[:, np.newaxis] + ready).ravel()
    expected = np.zeros(n_clocks, bool)
    expected[at] = True
    valid = out["valid"][:, 0].astype(bool)
    differences = int((valid[1:] != expected[1:]).sum())
    differences += int((out["group"][at, 0] != np.tile(np.arange(layer.groups), passes)).sum())
    done = np.zeros(n_clocks, bool)
    done[starts + ready[-1]] = True
    differences += int((out["done"][1:, 0].astype(bool) != done[1:]).sum())
    spikes = _bits(out["spike"][at], layer.pe).reshape(passes, layer.n_out)
    potentials = _potentials(out["v"][at], layer.pe, layer.neuron.word)
    model = _model(layer, x)
    shaped = potentials.reshape(passes, layer.n_out)
    return _compared(layer, model, spikes, shaped, n_clocks, differences)


def _model(layer: LayerDesign, x: NDArray[np.uint8]) -> LayerTrace:
    return LayerRun(layer).run(Bitstream.from_bits(x).words, x.shape[1])


def _compared(
    layer: LayerDesign,
    model: LayerTrace,
    spikes: NDArray[np.uint8],
    potentials: NDArray[np.int32],
    clocks: int,
    differences: int,
) -> Verification:
    """Return the comparison with outputs (steps, n_out)."""
    fired = model.spikes.bits()
    differences += int((fired != spikes.T).sum() + (model.potentials != potentials.T).sum())
    n_spikes = int(fired.sum())
    # A spike is followed by that many steps of rest, but for the last ones.
    rests = sum(int(fired[:, :-k].sum()) for k in range(1, min(layer.neuron.refractory, 64) + 1))
    below, above = model.saturations.sum(axis=0).tolist()
    return Verification(clocks, len(spikes), differences, n_spikes, rests, below, above)


def _column(bits: NDArray[np.bool_]) -> Words:
    return bits.astype(np.uint32)[:, np.newaxis]


def _packed(bits: NDArray[Any]) -> Words:
    """Return rows of bits in words of 32."""
    padded = np.zeros((len(bits), -(-bits.shape[1] // 32) * 32), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def _bits(words: Words, n: int) -> NDArray[np.uint8]:
    octets = np.ascontiguousarray(words.astype("<u4")).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=n, bitorder="little")


def _potentials(words: Words, n: int, word: int) -> NDArray[np.int32]:
    """Return n numbers of `word` bits in two's complement from each row."""
    if word == 16:
        return np.ascontiguousarray(words.astype("<u4")).view("<i2")[:, :n].astype(np.int32)
    digits = _bits(words, n * word).reshape(len(words), n, word).astype(np.int64)
    unsigned = (digits << np.arange(word)).sum(axis=2)
    return np.asarray(unsigned - (unsigned >> (word - 1) << word), np.int32)
