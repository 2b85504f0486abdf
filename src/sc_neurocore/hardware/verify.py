"""Comparison of Verilog and netlists with the model, every spike and every potential."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore.hardware.design import Design, LayerDesign
from sc_neurocore.hardware.emit import verilog, write
from sc_neurocore.hardware.model import LayerTrace, LayerTracer, trace
from sc_neurocore.hardware.netlist import Netlist, Run, packed_lanes
from sc_neurocore.hardware.simulators import Simulator, has_verilator, run_testbench, verilate
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import Dense
from sc_neurocore.streams import Bitstream, _bits

__all__ = [
    "Verification",
    "compared_signals",
    "run_bench",
    "verify_images",
    "verify_layer",
    "verify_netlist",
]

PortWords = NDArray[np.uint32]
# Function from the inputs of a layer to its outputs, by name, of shape (clocks, words of 32 bits).
Runner = Callable[[dict[str, PortWords]], dict[str, PortWords]]

# Clock cycles per block, which takes tens of MB.
_BLOCK = 2**19
# Lanes of a netlist that are compared at once, a multiple of 8.
_LANES = 64
# Time steps after which the kind of inputs changes.
_SEGMENT = 64


@dataclass(frozen=True)
class Verification:
    """Result of comparing a layer with its model.

    Attributes
    ----------
    clocks, steps : int
        Number of clock cycles of the hardware, and of the time steps that they contain.
    differences : int
        Number of spikes, potentials and valid signals that differ.
    spikes, rests : int
        Number of spikes in the model, and of refractory steps.
    below, above : int
        Number of sums that saturated at the lower and at the upper end.
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
        """Return whether nothing differs and the comparison is meaningful.

        A layer that can fire must have fired, and entered its refractory period if it has one.
        """
        fires = _can_fire(layer)
        fired = not fires or self.spikes > 0
        rested = not (fires and np.any(layer.neuron.refractory)) or self.rests > 0
        return self.differences == 0 and fired and rested


def _can_fire(layer: LayerDesign) -> bool:
    """Return whether a neuron reaches the threshold if all its excitatory products are always 1.

    The potential then rises from 0 to the smallest v with ``v * leak >> leak_shift >= drive``, and a
    synaptic current does so before.
    """
    if layer.sampled:
        excitatory = ((layer.magnitudes > 0) & ~layer.negative).sum(axis=1) << layer.substeps
    else:
        excitatory = layer.largest_currents
    each = layer.neuron.each
    rows = [excitatory.max()] if len(each) == 1 else excitatory
    return any(_fires(lif, int(ones)) for lif, ones in zip(each, rows, strict=True))


def _fires(neuron: FixedLIF, ones: int) -> bool:
    """Return whether a neuron fires if every count is `ones`."""
    drive = ones * neuron.one
    if drive == 0 or neuron.threshold <= 0 or neuron.threshold > neuron.most:
        return bool(neuron.threshold <= 0)
    if neuron.syn_leak:
        settled = -(-(drive << neuron.syn_leak_shift) // neuron.syn_leak)
        drive = min(settled, neuron.most) >> neuron.syn_fraction
    settled = -(-(drive << neuron.leak_shift) // neuron.leak) if neuron.leak else neuron.most
    return bool(drive > 0 and settled >= neuron.threshold)


def verify_layer(
    design: Design,
    k: int,
    clocks: int,
    *,
    seed: int = 0,
    runner: Runner | None = None,
    progress: bool = False,
) -> Verification:
    """Compare layer k of a design with its model for at least that many clock cycles.

    The inputs are random spikes of varying density. Some segments excite or inhibit one neuron as much
    as possible, so that potentials reach both ends. Steps of an unrolled layer have random gaps.

    Parameters
    ----------
    design : Design
    k : int
    clocks : int
        Minimum number of clock cycles, at least 1.
    seed : int
        Seed of the inputs, in ``[0, 2**128)``.
    runner : callable, optional
        Function from the inputs of the layer to its outputs, by name. Verilator by default.
    progress : bool
        Show a progress bar (extra: progress).

    Raises
    ------
    MissingToolError
        If Verilator or a C++ compiler is missing.
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


def run_bench(folder: str | os.PathLike[str], name: str) -> str:
    """Run the testbench of a design in a folder and return the line that it printed when it passed.

    Uses Verilator if available, else Icarus Verilog.

    Parameters
    ----------
    folder : path
        Folder with the files of `verilog` and `verilog_testbench`.
    name : str
        Name of the design.

    Raises
    ------
    ToolFailedError
        If the testbench finds a difference.
    MissingToolError
        If no simulator is available.
    ValueError
        If the folder or one of the memory files that its Verilog names is missing.
    """
    paths = sorted(Path(folder).glob("*.v"))
    if not paths:
        _checks.fail("folder", "contain the Verilog of a design", repr(os.fspath(folder)))
    text = "".join(path.read_text() for path in paths)
    named = set(re.findall(r'"([A-Za-z][\w.]*\.hex)"', text))  # others are endings of names
    if missing := sorted(file for file in named if not (Path(folder) / file).exists()):
        _checks.fail("folder", "contain the memory files of its modules", f"no {missing[0]}")
    simulator: Simulator = "verilator" if has_verilator() else "icarus"
    said = run_testbench(paths, f"{name}_tb", folder, simulator)
    (line,) = (line for line in said.splitlines() if line.startswith("PASSED"))
    return f"{line} ({simulator})"


def verify_netlist(
    design: Design, k: int, netlist: Netlist, clocks: int, lanes: int = 4096, *, seed: int = 0
) -> Verification:
    """Compare the synthesized layer k with its model in many lanes at once.

    All lanes share the timing of time steps, and each lane has its own inputs. All counts in the
    result, including clock cycles, are summed over the lanes.

    Parameters
    ----------
    design : Design
    k : int
        Index of the layer.
    netlist : Netlist
        Netlist of the module of the layer.
    clocks : int
        Approximate number of clock cycles per lane.
    lanes : int
    seed : int
        Seed of the inputs, in ``[0, 2**128)``.
    """
    layer = design.layers[_checks.integer("k", k, 0, len(design.layers) - 1)]
    rng = np.random.default_rng(_checks.power_range("seed", seed, 128))
    plan = _Plan.of(design, layer, rng, clocks)
    words, rows = [], []
    for first in range(0, lanes, _LANES):
        some = range(first, min(first + _LANES, lanes))
        x = np.stack([_inputs(layer, rng, plan.n_inputs << layer.substeps, lane) for lane in some])
        words.append(_for_model(layer, x))
        rows.append(packed_lanes(_digits(layer, x), axis=0))
    all_lanes = packed_lanes(np.ones(lanes, bool))
    stimulus = {
        "clear": plan.clear[:, np.newaxis, np.newaxis] * all_lanes,
        "step": plan.step[:, np.newaxis, np.newaxis] * all_lanes,
        plan.port: plan.placed(layer, np.moveaxis(np.concatenate(rows), 0, -1)),
    }
    idle = {
        name: np.zeros((len(plan.clear), len(bits), all_lanes.shape[-1]), np.uint8)
        for name, bits in netlist.inputs.items()
        if name.startswith("load")
    }
    run = netlist.run_packed(stimulus | idle, lanes)
    total = Verification()
    for i, of_inputs in enumerate(words):
        part = run.part(i * _LANES, _LANES)
        valid = part.at(slice(1, None), "valid")[:, 0] != plan.valid[1:, np.newaxis]
        digits = part.at(plan.at, "spike"), _numbers(part.at(plan.at, "v"), layer.neuron.word)
        spikes, potentials = (_lane_by_lane(_by_step(layer, one), plan.order) for one in digits)
        total += plan.compared(layer, of_inputs, spikes, potentials)
        total += Verification(differences=int(valid.sum()))
    return total


def verify_images(
    design: Design, netlist: str | os.PathLike[str], images: InputLike
) -> tuple[Verification, ...]:
    """Compare a synthesized design with its model on images, and return one result per layer.

    The comparison covers all spikes and their timing, the potentials of the last layer, and the class
    and its timing. The potentials of the other layers are checked only through their spikes.

    Parameters
    ----------
    design : Design
    netlist : path
        Netlist of the top module, from `synthesize` with ``keep=compared_signals(design)``.
    images : array_like, shape (n, n_in), Bitstream or Events
        Densities in [0, 1], or spikes; one image per lane.

    Raises
    ------
    UnobservableError
        If synthesis merged a compared signal with another one, so that the netlist has lost its name.
    """
    inputs = Inputs.of("images", images, design.network, batched=True)
    made = Netlist.read(netlist, design.name, watch=compared_signals(design))
    # Lanes share the addresses of memories, so they run in groups that take the same time.
    steps = design.steps(inputs)
    groups = [_images_of_equal_time(design, made, inputs[steps == n], int(n)) for n in np.unique(steps)]
    total = [Verification()] * len(design.layers)
    for group in groups:
        total = [sum_ + part for sum_, part in zip(total, group, strict=True)]
    return tuple(total)


def _images_of_equal_time(
    design: Design, netlist: Netlist, images: Inputs, steps: int
) -> list[Verification]:
    """Compare a netlist with its model on images that end after the same number of time steps."""
    run = netlist.run(design.stimulus(images, design.clocks_of(steps) + 2))
    models = trace(design, images)
    seen = [_layer_of_images(design, k, run, model, steps) for k, model in enumerate(models)]
    seen[-1] += _classes_of(design, run, images, steps)
    return seen


def compared_signals(design: Design) -> list[str]:
    """Return the signals of the top module that `verify_images` compares, for `synthesize(keep=)`."""
    last = len(design.layers) - 1
    return [f"layer{k}_{name}" for k in range(last + 1) for name in ("valid", "spike")] + [
        f"layer{last}_v"
    ]


def _layer_of_images(design: Design, k: int, run: Run, whole: LayerTrace, steps: int) -> Verification:
    """Compare layer k of a complete design with the first steps of its model, one image per lane."""
    layer, model = design.layers[k], whole
    if not layer.sampled:  # it has computed all steps when the first one ends
        steps = design.length
    if steps < design.length:
        first = Bitstream.from_bits(whole.spikes.bits()[..., :steps])
        model = replace(whole, potentials=whole.potentials[..., :steps], spikes=first)
    valid = run.at(slice(1, None), f"layer{k}_valid")[:, 0]
    at = 1 + np.flatnonzero(valid[:, 0])
    # The number of valid outputs is known, and they are valid in all lanes at once.
    if len(at) != steps * (layer.groups if design.folded else 1):
        return Verification(differences=model.potentials.size)
    differences = int((valid != valid[:, :1]).sum())
    order = layer.order if design.folded else np.arange(layer.n_out)
    spikes = _lane_by_lane(_by_step(layer, run.at(at, f"layer{k}_spike")), order)
    potentials = None
    if k == len(design.layers) - 1:
        digits = _by_step(layer, run.at(at, f"layer{k}_v"))
        potentials = _lane_by_lane(_numbers(digits, layer.neuron.word), order)
    seen = _compared(layer, model, spikes, potentials, len(valid) + 1)
    return seen + Verification(differences=differences)


def _classes_of(design: Design, run: Run, images: Inputs, steps: int) -> Verification:
    """Count the classes that differ from the model, or have another timing."""
    ready = run.at(slice(1, None), "out_valid")[:, 0]
    clocks = design.clocks_of(steps)
    expected = _ones_at([clocks], len(ready))[:, np.newaxis]
    classes = run.at(np.array([1 + clocks]), "out_class")[0]
    numbers = (classes << np.arange(len(classes))[:, np.newaxis]).sum(axis=0)
    differ = numbers != design.simulate(images).classes
    return Verification(differences=int((ready != expected).sum() + differ.sum()))


def _lane_by_lane(values: NDArray[Any], order: NDArray[np.int64]) -> NDArray[Any]:
    """Rearrange values of neurons in an order, (clocks, neurons, lanes), to (lanes, steps, n_out)."""
    by_lane = np.ascontiguousarray(values.reshape(-1, values.shape[-1]).T)
    return _in_order(by_lane.reshape(values.shape[-1], -1, len(order)), order)


def _by_step(layer: LayerDesign, values: NDArray[Any]) -> NDArray[Any]:
    """Return outputs (clocks, ...) in the order (step, group).

    A group of a layer that takes numbers gives all steps of an image before the next one.
    """
    if layer.sampled:
        return values
    by_image = values.reshape(-1, layer.groups, layer.length, *values.shape[1:])
    return np.ascontiguousarray(by_image.swapaxes(1, 2)).reshape(values.shape)


def _digits(layer: LayerDesign, x: NDArray[Any]) -> NDArray[np.uint8]:
    """Return inputs as bits; of numbers, along a further axis."""
    if layer.sampled:
        return x
    return (x[..., np.newaxis] >> np.arange(layer.numbers.bits) & 1).astype(np.uint8)


def _for_model(layer: LayerDesign, x: NDArray[Any]) -> NDArray[Any]:
    """Return inputs (*batch, n_in, steps or images) as `LayerTracer` takes them."""
    if layer.sampled:
        return Bitstream.from_bits(x).words
    return np.ascontiguousarray(x.swapaxes(-1, -2))


def _in_order(values: NDArray[Any], order: NDArray[np.int64]) -> NDArray[Any]:
    """Return values (..., n_out) of the neurons `order` by neuron."""
    out = np.empty_like(values)
    out[..., order] = values
    return out


def _numbers(digits: NDArray[np.uint8], word: int) -> NDArray[np.int32]:
    """Convert bits (clocks, n * word, lanes) in two's complement to integers (clocks, n, lanes)."""
    clocks, _, lanes = digits.shape
    digits = digits.reshape(clocks, -1, word, lanes)
    numbers = -digits[:, :, -1].astype(np.int32)
    for k in range(word - 2, -1, -1):
        numbers <<= 1
        numbers |= digits[:, :, k]
    return numbers


@dataclass(frozen=True, eq=False)
class _Plan:
    """Clock cycles at which a layer gets its steps and inputs, and at which its outputs are valid.

    Attributes
    ----------
    clear, step, valid, done : ndarray of bool, shape (clocks,)
    at : ndarray of int
        Clock cycles at which outputs are valid, in order.
    port : str
        Name of the input port.
    where, row : ndarray of int
        Clock cycles at which inputs are applied, and the row of inputs at each of them.
    order : ndarray of int
        Neurons in the order of the outputs.
    images : int
        Number of images of a layer that takes numbers; 0 for others, which take a step after the other.
    """

    clear: NDArray[np.bool_]
    step: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    done: NDArray[np.bool_]
    at: NDArray[np.int64]
    port: str
    where: NDArray[np.int64]
    row: NDArray[np.int64]
    order: NDArray[np.int64]
    images: int = 0

    @classmethod
    def of(cls, design: Design, layer: LayerDesign, rng: np.random.Generator, clocks: int) -> _Plan:
        """Return a plan of about `clocks` cycles; the first one clears, and the last have no step."""
        if not layer.sampled:
            return cls._of_numbers(layer, clocks)
        return cls._folded(layer, clocks) if design.folded else cls._unrolled(layer, rng, clocks)

    @classmethod
    def _unrolled(cls, layer: LayerDesign, rng: np.random.Generator, clocks: int) -> _Plan:
        steps = max(int(clocks * rng.uniform(0.7, 1.0)) - 8, 1)
        clocks = max(clocks, steps + 4)
        # Steps have random gaps.
        where = 1 + np.sort(rng.permutation(clocks - 3)[:steps])
        step = _ones_at(where, clocks)
        at = where + 2
        order = np.arange(layer.n_out)
        return cls(
            _ones_at([0], clocks), step, _ones_at(at, clocks), _ones_at(at, clocks), at, "x", where,
            np.arange(steps), order,
        )  # fmt: skip

    @classmethod
    def _folded(cls, layer: LayerDesign, clocks: int) -> _Plan:
        passes = max(clocks // layer.period, 1)
        clocks = passes * layer.period + 4
        starts = 1 + np.arange(passes)[:, np.newaxis] * layer.period
        # The words that a pass requests arrive from two clock cycles after its step.
        reads = layer.columns << layer.substeps
        where = starts + 2 + np.arange(reads * layer.groups)
        delay = layer.period - reads * layer.groups
        at = (starts + reads * (1 + np.arange(layer.groups)) + delay).ravel()
        clear, step = _ones_at([0], clocks), _ones_at(starts.ravel(), clocks)
        done = _ones_at(at[layer.groups - 1 :: layer.groups], clocks)
        return cls(
            clear, step, _ones_at(at, clocks), done, at, "x_word", where.ravel(),
            np.arange(passes * reads * layer.groups), layer.order,
        )  # fmt: skip

    @classmethod
    def _of_numbers(cls, layer: LayerDesign, clocks: int) -> _Plan:
        """Clear the layer, do the first step and the others, image after image."""
        length, groups = layer.length, np.arange(layer.groups) * layer.turn
        of_image = 2 + layer.first_period + 2 * length
        images = max(clocks // of_image, 1)
        clocks = images * of_image + 4
        first = np.arange(images) * of_image
        start = first + 1
        where = start[:, np.newaxis, np.newaxis] + 2 + groups[:, np.newaxis] + np.arange(layer.columns)
        latest = layer.first_period - groups[-1] - length + 1  # of the first step of a group
        at = start[:, np.newaxis, np.newaxis] + latest + groups[:, np.newaxis] + np.arange(length)
        later = 2 * np.arange(length)
        steps = np.concatenate([start, *(start + layer.first_period + n for n in later[1:])])
        done = np.concatenate([start + layer.first_period, steps[images:] + 1])
        return cls(
            _ones_at(first, clocks), _ones_at(steps, clocks), _ones_at(at.ravel(), clocks),
            _ones_at(done, clocks), at.ravel(), "x_word", where.ravel(), np.arange(where.size),
            layer.order, images,
        )  # fmt: skip

    @property
    def clocks(self) -> int:
        """Number of clock cycles."""
        return len(self.step)

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return int(self.step.sum())

    @property
    def n_inputs(self) -> int:
        """Number of time steps, or of images of a layer that takes numbers."""
        return self.images or self.steps

    def compared(
        self,
        layer: LayerDesign,
        x: NDArray[Any],
        spikes: NDArray[np.uint8],
        potentials: NDArray[np.int32],
    ) -> Verification:
        """Compare outputs (*batch, steps, n_out) with the model on inputs from `_for_model`."""
        if not self.images:
            model = LayerTracer(layer, x.shape[:-2]).run(x, self.steps)
            return _compared(layer, model, spikes, potentials, self.clocks)
        shape = *x.shape[:-1], layer.length, layer.n_out
        model = LayerTracer(layer, x.shape[:-1]).run(x, layer.length)
        clocks = self.clocks // self.images
        return _compared(layer, model, spikes.reshape(shape), potentials.reshape(shape), clocks)

    def placed(self, layer: LayerDesign, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rearrange bits from (n_in, bits, ...) to (clocks, bits of the port, ...).

        Numbers have their bits along the third axis.
        """
        rows = x.swapaxes(0, 1) if self.port == "x" else _words(layer, x)
        if not layer.sampled:
            rows = rows.reshape(len(rows), -1, *rows.shape[3:])
        out = np.zeros((self.clocks, *rows.shape[1:]), np.uint8)
        out[self.where] = rows[self.row]
        return out


def _words(layer: LayerDesign, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the words that a folded layer reads, in order, from inputs (n_in, bits, ...).

    The result has shape (n_reads, bits of the port, ...). Everything that must not count is 1: lanes
    without a weight, words of other memories, and what lies outside the image; the bias is 0.
    """
    reads, (n_bits, *lanes) = layer.reads, x.shape[1:]
    forward = np.moveaxis(x[: layer.layer.n_in].reshape(layer.layer.n_in, n_bits, -1), -1, 0)
    values = layer.layer.patches(np.ascontiguousarray(forward))
    values = values.reshape(len(forward), layer.layer.positions, -1, n_bits)
    own = np.moveaxis(x[layer.layer.n_in :].reshape(-1, n_bits, len(forward)), -1, 0)[:, np.newaxis]
    outside = layer.layer.patches(np.ones((1, layer.layer.n_in, 1), np.uint8)) == 0
    values = values | outside[np.newaxis]
    bias = np.zeros((*values.shape[:2], int(layer.has_bias), n_bits), np.uint8)
    ones = np.ones((*values.shape[:2], 1, n_bits), np.uint8)
    own = np.broadcast_to(own, (*values.shape[:2], *own.shape[2:]))  # none, or of the only patch
    columns = np.concatenate([values, bias, own, ones], axis=2)  # image, patch, column, bit
    taps = np.broadcast_to(reads.taps, (layer.channels, *reads.taps.shape))
    if layer.is_pool:
        kernel = int(np.prod(layer.layer.weights.shape[2:]))
        word = np.arange(layer.channels) * layer.pe // layer.simd * layer.simd * kernel
        taps = taps + word[:, np.newaxis, np.newaxis]
        taps = np.where(taps < layer.n_in, taps, -1)
    words = columns[:, :, taps]  # image, patch, channel, read, lane, bit
    k = 1 << layer.substeps
    words = words.reshape(*words.shape[:-1], -1, k)
    # step, patch, channel, bit, read, lane, image
    words = words.transpose(5, 1, 2, 6, 3, 4, 0)
    out = np.ones((*words.shape[:5], len(reads.memories), layer.simd, words.shape[-1]), np.uint8)
    memory = np.array([read.memory for read in reads.each])
    out[:, :, :, :, np.arange(len(memory)), memory] = words
    return out.reshape(-1, len(reads.memories) * layer.simd, *lanes)


def _ones_at(places: Any, size: int) -> NDArray[np.bool_]:
    """Return an array of `size` bits that are 1 at the given places."""
    ones = np.zeros(size, bool)
    ones[places] = True
    return ones


def _verilated(design: Design, k: int, folder: str) -> Runner:
    """Return a runner of layer k that Verilator compiled in a folder."""
    top = f"{design.name}_layer{k}"
    text = verilog(design)
    write({name: text[name] for name in text if name.startswith(("sc_", top))}, folder)
    made = verilate(sorted(Path(folder).glob("*.v")), top, Path(folder) / "build")
    idle = [(name, -(-bits // 32)) for name, bits in made.inputs.items() if name.startswith("load")]

    def run(inputs: dict[str, NDArray[np.uint32]]) -> dict[str, NDArray[np.uint32]]:
        clocks = len(inputs["clear"])
        return made.run({**inputs, **{name: np.zeros((clocks, n), np.uint32) for name, n in idle}})

    return run


def _inputs(
    layer: LayerDesign, rng: np.random.Generator, steps: int, first_kind: int = 0
) -> NDArray[np.uint8]:
    """Return input spikes of shape (n_in, steps) in segments of different kinds.

    Of a layer that takes numbers, those of images, from 0 to the largest one.
    """
    if not layer.sampled:
        return _input_numbers(layer, rng, steps, first_kind)
    n_in = layer.n_in - layer.has_bias if isinstance(layer.layer, Dense) else layer.layer.n_in
    spikes = np.empty((n_in, steps), np.uint8)
    for first in range(0, steps, _SEGMENT):
        shape = n_in, min(_SEGMENT, steps - first)
        kind = (first // _SEGMENT + first_kind) % 8
        negative = _excited(layer, int(rng.integers(len(layer.negative))))[:, np.newaxis]
        if kind == 0:
            part = np.broadcast_to(~negative, shape)
        elif kind == 1:
            part = np.broadcast_to(negative, shape)
        else:
            density = rng.random() if kind < 5 else rng.random((n_in, 1))
            part = rng.random(shape) < density
        spikes[:, first : first + shape[1]] = part
    return spikes


def _input_numbers(
    layer: LayerDesign, rng: np.random.Generator, images: int, first_kind: int
) -> NDArray[Any]:
    """Return the numbers of images of different kinds, shape (n_in, images)."""
    n_in, most = layer.layer.n_in, (1 << layer.numbers.bits) - 1
    x = rng.integers(0, most + 1, (n_in, images))
    for image in range(images):
        kind = (image + first_kind) % 4
        if kind < 2:
            excited = _excited(layer, int(rng.integers(len(layer.negative))))
            x[:, image] = most * (excited if kind else ~excited)
        elif kind == 2:
            x[:, image] = x[:, image] * rng.random()
    return x


def _excited(layer: LayerDesign, row: int) -> NDArray[np.bool_]:
    """Return which inputs have negative weights to a neuron, for convolutions to one of each tile."""
    negative = layer.negative[row]
    if isinstance(layer.layer, Dense):
        n = layer.layer.n_in
        return np.concatenate([negative[:n], negative[n + layer.has_bias :]])
    c_in, kh, kw = layer.layer.weights.shape[1:]
    kernel = negative[: c_in * kh * kw].reshape(c_in, kh, kw)
    height, width = layer.layer.input_size
    tiled = np.tile(kernel, (1, -(-height // kh), -(-width // kw)))
    return tiled[:, :height, :width].ravel()


def _block(design: Design, layer: LayerDesign, run: Runner, rng: Any, clocks: int) -> Verification:
    """Compare a block of clock cycles of a layer with the model, from a cleared state."""
    plan = _Plan.of(design, layer, rng, clocks)
    x = _inputs(layer, rng, plan.n_inputs << layer.substeps)
    words = _packed(plan.placed(layer, _digits(layer, x)))
    out = run({"clear": _column(plan.clear), "step": _column(plan.step), plan.port: words})
    differences = int((out["valid"][1:, 0].astype(bool) != plan.valid[1:]).sum())
    lanes = layer.n_out
    if design.folded:
        lanes = layer.pe
        groups = np.tile(np.arange(layer.groups), plan.steps)
        differences += int((_by_step(layer, out["group"][plan.at, 0]) != groups).sum())
        differences += int((out["done"][1:, 0].astype(bool) != plan.done[1:]).sum())
    digits = (
        _unpacked(out["spike"][plan.at], lanes),
        _potentials(out["v"][plan.at], lanes, layer.neuron.word),
    )
    spikes, potentials = (
        _in_order(_by_step(layer, one).reshape(plan.steps, layer.n_out), plan.order) for one in digits
    )
    seen = plan.compared(layer, _for_model(layer, x), spikes, potentials)
    return seen + Verification(differences=differences)


def _compared(
    layer: LayerDesign,
    model: LayerTrace,
    spikes: NDArray[np.uint8],
    potentials: NDArray[np.int32] | None,
    clocks: int,
) -> Verification:
    """Compare outputs (*batch, steps, n_out) with those of the model."""
    fired = model.spikes.bits()
    differences = int((fired != spikes.swapaxes(-1, -2)).sum())
    if potentials is not None:
        differences += int((model.potentials != potentials.swapaxes(-1, -2)).sum())
    # Each spike is followed by the refractory steps, unless the comparison ends before.
    refractory = np.broadcast_to(layer.neuron.refractory, len(layer.magnitudes))
    of_neurons = np.repeat(refractory, layer.layer.positions)[:, np.newaxis]
    longest = min(int(refractory.max()), 64)
    rests = sum(int((fired[..., :-k] & (of_neurons >= k)).sum()) for k in range(1, longest + 1))
    below, above = model.saturations.reshape(-1, 2).sum(axis=0).tolist()
    steps = spikes.size // layer.n_out
    lanes = steps // spikes.shape[-2]
    return Verification(clocks * lanes, steps, differences, int(fired.sum()), rests, below, above)


def _column(bits: NDArray[np.bool_]) -> PortWords:
    """Return the values of a port of one bit."""
    return bits.astype(np.uint32)[:, np.newaxis]


def _packed(bits: NDArray[Any]) -> PortWords:
    """Pack rows of bits in words of 32 bits."""
    halves = _bits.pack(bits).astype("<u8", copy=False).view("<u4")
    return halves[:, : -(-bits.shape[1] // 32)].astype(np.uint32)


def _unpacked(words: PortWords, n: int) -> NDArray[np.uint8]:
    """Return the first n bits of each row of words of 32 bits."""
    halves = np.pad(words.astype("<u4"), [(0, 0), (0, words.shape[1] % 2)])
    return _bits.unpack(halves.view("<u8"), n)


def _potentials(words: PortWords, n: int, word: int) -> NDArray[np.int32]:
    """Return n integers of `word` bits in two's complement from each row."""
    if word == 16:
        return np.ascontiguousarray(words.astype("<u4")).view("<i2")[:, :n].astype(np.int32)
    return _numbers(_unpacked(words, n * word)[:, :, np.newaxis], word)[:, :, 0]
