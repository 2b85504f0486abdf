"""Verilog against the model: every spike and every potential of a layer, and what was seen of both."""

from __future__ import annotations

import os
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
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.simulators import has_verilator, run_testbench, verilate
from sc_neurocore.hardware.trace import LayerRun

Words = NDArray[np.uint32]
# What drives a layer: outputs by name under inputs by name, (clocks, words of 32 bits).
Runner = Callable[[dict[str, Words]], dict[str, Words]]

# Clocks that are simulated at a time: some tens of MB.
_BLOCK = 2**19
# Steps after which the kind of the inputs changes.
_SEGMENT = 64


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
    total = Verification()
    with (
        tempfile.TemporaryDirectory() as folder,
        progress_bar(clocks, f"verify layer {k}", "clock", show=progress) as bar,
    ):
        run = runner or _verilated(design, k, folder)
        while total.clocks < clocks:
            part = _block(design, layer, run, rng, min(clocks - total.clocks, _BLOCK))
            total += part
            bar.update(part.clocks)
    return total


def run_bench(design: Design, folder: str | os.PathLike[str]) -> str:
    """Return what the testbench of a written design said, under Verilator or else Icarus Verilog."""
    simulator = "verilator" if has_verilator() else "icarus"
    paths = sorted(Path(folder).glob("*.v"))
    said = run_testbench(paths, f"{design.name}_tb", folder, simulator)
    (line,) = (line for line in said.splitlines() if line.startswith("PASSED"))
    return f"{line} ({simulator})"


def verify_netlist(
    design: Design, k: int, netlist: Netlist, clocks: int, lanes: int, *, seed: int = 0
) -> Verification:
    """Return the comparison of the synthesised layer k with its model, in that many lanes at once.

    The steps are those of all lanes, the inputs of each are its own. Clocks and all other figures are
    summed over the lanes.
    """
    layer = design.layers[_checks.integer("k", k, 0, len(design.layers) - 1)]
    rng = np.random.default_rng(_checks.power_range("seed", seed, 128))
    plan = _Plan.of(design, layer, rng, clocks)
    x = np.stack([_inputs(layer, rng, plan.steps) for _ in range(lanes)], axis=-1)
    size = plan.clocks, 1, lanes
    stimulus = {
        "clear": np.broadcast_to(plan.clear[:, np.newaxis, np.newaxis], size),
        "step": np.broadcast_to(plan.step[:, np.newaxis, np.newaxis], size),
        plan.port: plan.placed(layer, x),
    }
    out = netlist.run(stimulus).outputs
    valid = out["valid"][1:, 0] != plan.valid[1:, np.newaxis]
    total = Verification(differences=int(valid.sum()))
    spikes = out["spike"][plan.at].reshape(plan.steps, layer.n_out, lanes)
    digits = out["v"][plan.at].reshape(plan.steps, layer.n_out, layer.neuron.word, lanes)
    for lane in range(lanes):
        potentials = _signed(digits[..., lane])
        run = x[..., lane], spikes[..., lane], potentials
        total += _compared(layer, *run, plan.clocks)
    return total


@dataclass(frozen=True, eq=False)
class _Plan:
    """When a layer gets its steps and inputs, and when its outputs are valid.

    Attributes
    ----------
    clear, step, valid : ndarray of bool, shape (clocks,)
    at : ndarray of int
        The clocks at which outputs are valid, in order.
    port : str
        Of the inputs.
    where, row : ndarray of int
        Clocks at which rows of the inputs are there, and which.
    """

    clear: NDArray[np.bool_]
    step: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    at: NDArray[np.int64]
    port: str
    where: NDArray[np.int64]
    row: NDArray[np.int64]

    @classmethod
    def of(cls, design: Design, layer: LayerDesign, rng: np.random.Generator, clocks: int) -> _Plan:
        """Return a plan of about that many clocks: the first one clears, the last have no step."""
        return cls._folded(layer, clocks) if design.folded else cls._unrolled(rng, clocks)

    @classmethod
    def _unrolled(cls, rng: np.random.Generator, clocks: int) -> _Plan:
        steps = max(int(clocks * rng.uniform(0.7, 1.0)) - 8, 1)
        clocks = max(clocks, steps + 4)
        # Steps with gaps at random.
        where = 1 + np.sort(rng.permutation(clocks - 3)[:steps])
        step = _ones_at(where, clocks)
        at = where + 2
        return cls(_ones_at([0], clocks), step, _ones_at(at, clocks), at, "x", where, np.arange(steps))

    @classmethod
    def _folded(cls, layer: LayerDesign, clocks: int) -> _Plan:
        period = layer.depth + 3
        passes = max(clocks // period, 1)
        clocks = passes * period + 4
        starts = 1 + np.arange(passes)[:, np.newaxis] * period
        # The words that a pass asks for come from two clocks after its step on.
        where = starts + 2 + np.arange(layer.depth)
        row = np.arange(passes)[:, np.newaxis] * layer.columns + np.arange(layer.depth) % layer.columns
        at = (starts + layer.columns * (1 + np.arange(layer.groups)) + 3).ravel()
        clear, step = _ones_at([0], clocks), _ones_at(starts.ravel(), clocks)
        return cls(clear, step, _ones_at(at, clocks), at, "x_word", where.ravel(), row.ravel())

    @property
    def clocks(self) -> int:
        return len(self.step)

    @property
    def steps(self) -> int:
        return int(self.step.sum())

    def placed(self, layer: LayerDesign, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return inputs (n_in, steps, ...) clock by clock, (clocks, bits of the port, ...)."""
        rows = x.swapaxes(0, 1)
        if self.port == "x_word":
            padding = [(0, 0)] * rows.ndim
            padding[1] = (0, layer.columns * layer.simd - rows.shape[1])
            rows = np.pad(rows, padding).reshape(-1, layer.simd, *rows.shape[2:])
        out = np.zeros((self.clocks, *rows.shape[1:]), np.uint8)
        out[self.where] = rows[self.row]
        return out


def _ones_at(places: Any, size: int) -> NDArray[np.bool_]:
    ones = np.zeros(size, bool)
    ones[places] = True
    return ones


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
        kind = first // _SEGMENT % 8
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


def _block(design: Design, layer: LayerDesign, run: Runner, rng: Any, clocks: int) -> Verification:
    plan = _Plan.of(design, layer, rng, clocks)
    x = _inputs(layer, rng, plan.steps)
    words = _packed(plan.placed(layer, x))
    out = run({"clear": _column(plan.clear), "step": _column(plan.step), plan.port: words})
    differences = int((out["valid"][1:, 0].astype(bool) != plan.valid[1:]).sum())
    lanes = layer.n_out
    if design.folded:
        lanes = layer.pe
        groups = np.tile(np.arange(layer.groups), plan.steps)
        differences += int((out["group"][plan.at, 0] != groups).sum())
        done = _ones_at(plan.at[layer.groups - 1 :: layer.groups], plan.clocks)
        differences += int((out["done"][1:, 0].astype(bool) != done[1:]).sum())
    spikes = _bits(out["spike"][plan.at], lanes).reshape(plan.steps, layer.n_out)
    potentials = _potentials(out["v"][plan.at], lanes, layer.neuron.word)
    seen = _compared(layer, x, spikes, potentials.reshape(plan.steps, layer.n_out), plan.clocks)
    return seen + Verification(differences=differences)


def _compared(
    layer: LayerDesign,
    x: NDArray[np.uint8],
    spikes: NDArray[np.uint8],
    potentials: NDArray[np.int32],
    clocks: int,
) -> Verification:
    """Return the comparison of outputs (steps, n_out) with those of the model under inputs."""
    model = LayerRun(layer).run(Bitstream.from_bits(np.ascontiguousarray(x)).words, x.shape[1])
    fired = model.spikes.bits()
    differences = int((fired != spikes.T).sum() + (model.potentials != potentials.T).sum())
    # A spike is followed by that many steps of rest, but for the last ones.
    rests = sum(int(fired[:, :-k].sum()) for k in range(1, min(layer.neuron.refractory, 64) + 1))
    below, above = model.saturations.sum(axis=0).tolist()
    return Verification(clocks, len(spikes), differences, int(fired.sum()), rests, below, above)


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
    return _signed(_bits(words, n * word).reshape(len(words), n, word))


def _signed(digits: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the numbers in two's complement of digits along the last axis."""
    word = digits.shape[-1]
    unsigned = (digits.astype(np.int64) << np.arange(word)).sum(axis=-1)
    return np.asarray(unsigned - (unsigned >> (word - 1) << word), np.int32)
