"""Binary designs of a spiking network: spikes choose the weights that are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.hardware._rivals import (
    DRAIN,
    Heap,
    by_layer,
    extended,
    packed_weights,
    quantized_weights,
    resized,
    signed_bits,
    sum_text,
)
from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.emit import bits_for, library_text, rendered, weight_files
from sc_neurocore.hardware.model import trace
from sc_neurocore.networks import FixedPoint, Network
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import lif_of
from sc_neurocore.networks.network import numbers_first

__all__ = ["SpikingDesign", "spiking_design"]

# Products of a spiking design: a comparison with a random number, exact ones in the first layer, or the
# weight itself.
Product = Literal["stochastic", "numbers", "binary"]


@dataclass(frozen=True, eq=False)
class SpikingDesign:
    """Hardware of a spiking network in which all layers share one folded data path, or none does.

    Parameters
    ----------
    design : Design
        Length, bits of the inputs, sequences, architecture and `simd`.
    product : {"stochastic", "numbers", "binary"}
        Stochastic: the products of `design`, whose spikes and classes it reproduces. Numbers: the same
        for a first layer that takes numbers. Binary: input spikes choose the weights that are added.
    weights : tuple of ndarray of int64, shape (n_out, n_in)
        Signed weights.
    neurons : tuple of FixedLIF
    """

    design: Design
    product: Product
    weights: tuple[NDArray[np.int64], ...]
    neurons: tuple[FixedLIF, ...]

    @property
    def name(self) -> str:
        """Name of the top module."""
        return self.design.name

    @property
    def folded(self) -> bool:
        """Whether the architecture is folded."""
        return self.design.folded

    @property
    def simd(self) -> int:
        """Inputs per clock cycle."""
        return self.design.simd

    @property
    def columns(self) -> tuple[int, ...]:
        """Number of words of `simd` inputs per layer, at least 2."""
        return tuple(max(-(-w.shape[1] // self.simd), 2) for w in self.weights)

    @property
    def loading(self) -> int:
        """Clock cycles that read an image."""
        return self.design.n_in

    @property
    def clocks(self) -> int:
        """Clock cycles from reading the first value of an image to its class."""
        if not self.folded:
            return self.design.clocks
        if self.product == "numbers":
            (n0, n1), (w0, w1), length = self.columns, self.weights, self.design.length
            first = (len(w0) - 1) * self.turn + n0 + self.delay + 2 * length + 3
            return self.design.n_in + first + length * (n1 * len(w1) + self.delay + 5)
        per_step = sum(n * len(w) + DRAIN + 1 for n, w in zip(self.columns, self.weights, strict=True))
        return self.design.n_in + self.design.length * per_step

    @property
    def delay(self) -> int:
        """Clock cycles from a word of weights to its sum, if the first layer takes numbers."""
        return 1 + bits_for(self.simd) + (self.in_bits - 1).bit_length()

    @property
    def turn(self) -> int:
        """Clock cycles per neuron of a first layer that takes numbers."""
        return max(self.columns[0], 2 * self.design.length)

    @property
    def weight_bits(self) -> int:
        """Bits of a stored weight."""
        if self.product != "binary":
            return self.design.fixed_point.bits + 1
        return self.planes + 1

    @property
    def planes(self) -> int:
        """Bits of the magnitude of a product."""
        if self.product != "binary":
            return 1
        return max(int(np.abs(w).max()).bit_length() for w in self.weights)

    @property
    def sum_bits(self) -> int:
        """Bits of a sum."""
        if self.product == "numbers":
            return max(self.design.layers[0].sum_bits, signed_bits(*self.reach(1)))
        return max(signed_bits(*self.reach(k)) for k in range(len(self.weights)))

    @property
    def in_bits(self) -> int:
        """Bits of a value."""
        return self.design.fixed_point.bits

    def reach(self, k: int) -> tuple[int, int]:
        """Return the least and the greatest sum of layer k."""
        w = np.sign(self.weights[k]) if self.product != "binary" else self.weights[k]
        ends = [np.clip(sign * w, 0, None).sum(axis=1).max() for sign in (-1, 1)]
        return -int(ends[0]), int(ends[1])

    def codes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return densities as the values that the design reads."""
        return self.design.codes(images)

    def _traces(self, images: ArrayLike) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Return potentials and spikes of each layer, shape (n, n_out, length)."""
        design, length = self.design, self.design.length
        x = np.atleast_2d(self.codes(images))
        if self.product != "binary":
            seen = [trace(design, row / 2**self.in_bits) for row in x]
            return [
                (
                    np.stack([layers[k].potentials for layers in seen]),
                    np.stack([layers[k].spikes.bits() for layers in seen]),
                )
                for k in range(len(self.weights))
            ]
        words = design.encoder.words(x.ravel(), 0, length)
        bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")[:, :length]
        spikes = bits.reshape(*x.shape, length)
        found = []
        for w, neuron in zip(self.weights, self.neurons, strict=True):
            sums = np.einsum("ji,nit->njt", w, spikes.astype(np.int64), optimize=True)
            rows = np.ascontiguousarray(sums.reshape(-1, length), np.int32)
            v, rest = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.uint64)
            i = np.zeros(len(rows), np.int32)
            cuts = np.zeros((len(rows), 2), np.uint64)
            potentials, words = _native.fixed_trace(neuron._integers, rows, v, rest, i, cuts)
            bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")
            spikes = bits[:, :length].reshape(sums.shape)
            found.append((np.asarray(potentials).reshape(sums.shape), spikes))
        return found

    def classes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the class of each image of shape (n, n_in)."""
        if self.product != "binary":
            return np.asarray(self.design.simulate(images).classes, np.int64)
        potentials, spikes = self._traces(images)[-1]
        score = spikes.sum(axis=-1).astype(np.int64) << 32
        return np.asarray((score + potentials[:, :, -1]).argmax(axis=1), np.int64)

    def results(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return what the port `seen` of the core outputs per image: potentials, step by step."""
        layers = [potentials for potentials, _ in self._traces(images)]
        if self.product == "numbers":  # the first layer neuron by neuron
            first, last = layers
            parts = [first.reshape(len(first), -1), last.swapaxes(1, 2).reshape(len(last), -1)]
            return np.concatenate(parts, axis=1).astype(np.int64)
        steps = np.concatenate(layers, axis=1)
        return steps.swapaxes(1, 2).reshape(len(steps), -1).astype(np.int64)

    @cached_property
    def verilog(self) -> Mapping[str, str]:
        """The files of the design, by name."""
        if self.product == "numbers":
            return _numbers_folded(self)
        return _spiking_folded(self) if self.folded else _spiking_unrolled(self)


def spiking_design(
    network: Network,
    length: int,
    *,
    product: Product,
    bits: int,
    input_bits: int = 4,
    simd: int = 8,
    folded: bool = True,
    word: int = 8,
    name: str = "spiking",
) -> SpikingDesign:
    """Return a spiking design with stochastic or binary products.

    Parameters
    ----------
    network : Network
        `Dense` layers without bias, recurrent weights, delays, noise or synaptic currents, with equal
        leaks and without refractory periods.
    length : int
        Time steps per image.
    product : {"stochastic", "numbers", "binary"}
        With numbers, the network has two layers and the design is folded.
    bits : int
        Bits of a weight: of its magnitude if stochastic, with its sign if binary. 2 means -1, 0 and 1.
    input_bits : int
        Bits of an input of a binary design; a stochastic design has `bits`.
    simd : int
        Inputs per clock cycle of a folded design.
    folded : bool
    word : int
        Bits of a potential, or more if the threshold needs it.
    name : str
    """
    _checks.choice("product", product, get_args(Product))
    number = bits if product != "binary" else input_bits
    if product == "numbers":
        if len(network) != 2 or not folded or length > 256:
            contract = "have two layers, and at most 256 steps in a folded design, to take numbers"
            _checks.fail("network", contract, f"{network.shape}, {length} steps, folded={folded}")
        network = numbers_first(network)
    design = Design(
        network,
        length,
        fixed_point=FixedPoint(bits=number, word=word if product != "binary" else 16),
        architecture="folded" if folded else "unrolled",
        simd=simd,
        name=name,
    )
    if any(layer.has_bias for layer in design.layers):
        _checks.fail("network", "have no bias in a shared data path", network)
    if design.has_noise:
        _checks.fail("network", "have no noise in a shared data path", network)
    if product != "binary":
        weights = tuple(
            np.where(one.negative, -one.magnitudes, one.magnitudes) for one in design.layers
        )
        neurons = tuple(one.neuron for one in design.layers)
    else:
        weights, neurons = _binary(design, 2 ** (bits - 1) - 1, word)
    first = neurons[0]
    for neuron in neurons:
        shared = ["leak", "leak_shift", "fraction", "reset", "subtract"]
        if product == "numbers":  # whose currents need no fraction
            shared.remove("fraction")
        if any(getattr(neuron, one) != getattr(first, one) for one in shared) or neuron.refractory:
            contract = "have equal leaks and resets and no refractory period in a shared data path"
            _checks.fail("network", contract, network)
    return SpikingDesign(design, product, weights, neurons)


def _binary(
    design: Design, most: int, word: int
) -> tuple[tuple[NDArray[np.int64], ...], tuple[FixedLIF, ...]]:
    """Return integer weights and neurons whose potentials are in units of the weights."""
    weights, levels = [], []
    for layer, built in zip(design.network.layers, design.layers, strict=True):
        lif = lif_of("network", layer)
        w, step = quantized_weights(layer.matrix, most)
        weights.append(w)
        unit = float(np.max(layer.gain)) * lif.resistance * lif.dt * step
        fires = built.neuron.threshold <= built.neuron.most
        level = (lif.v_threshold - lif.v_rest) / unit if fires else np.inf
        levels.append((level, (lif.v_reset - lif.v_rest) / unit))
    finite = [level for level, _ in levels if np.isfinite(level)]
    # A threshold of at least 4 units keeps its rounding below an eighth.
    fraction = max(int(np.ceil(np.log2(4 / min(finite, default=4.0)))), 0)
    top = max([*finite, 1.0]) * 2**fraction
    word = max(word, int(np.ceil(np.log2(4 * top))) + 1)
    for w, (level, _) in zip(weights, levels, strict=True):
        if not np.isfinite(level):  # an integrator must hold the sum of all steps
            ends = [np.clip(sign * w, 0, None).sum(axis=1).max() for sign in (-1, 1)]
            word = max(word, signed_bits(0, int(max(ends)) * design.length << fraction))
    neurons = tuple(
        replace(
            built.neuron,
            word=word,
            fraction=fraction,
            threshold=int(np.ceil(level * 2**fraction)) if np.isfinite(level) else 2 ** (word - 1),
            reset=round(reset * 2**fraction),
        )
        for built, (level, reset) in zip(design.layers, levels, strict=True)
    )
    return tuple(weights), neurons


def _spiking_folded(design: SpikingDesign) -> dict[str, str]:
    bits, simd, inner = design.weight_bits, design.simd, design.design
    signs = [(w < 0).astype(np.int64) for w in design.weights]
    both = list(zip(design.weights, signs, strict=True))
    stored = tuple(np.abs(w) | sign << (bits - 1) for w, sign in both)
    steps = [sign if design.product == "stochastic" else sign * np.abs(w) for w, sign in both]
    offsets = np.concatenate([-step.sum(axis=1) for step in steps])
    words = packed_weights(stored, design.columns, simd, bits)
    ends = np.cumsum([n * len(w) for n, w in zip(design.columns, design.weights, strict=True)])
    neuron, word = design.neurons[0], max(n.word for n in design.neurons)
    firsts = [0, *np.cumsum(design.columns).tolist()]
    values = {
        "d": design,
        "design": inner,
        "simd": simd,
        "weight_bits": bits,
        "sum_bits": design.sum_bits,
        "planes": design.planes,
        "ones": simd.bit_length(),
        "dot_width": simd.bit_length() + (design.planes if design.planes > 1 else 0),
        "dot": resized("dot", simd.bit_length(), design.planes, design.sum_bits),
        "depth": len(words),
        "firsts": firsts,
        "lasts": [n - 1 for n in firsts[1:]],
        "last_weights": [int(n) - 1 for n in ends],
        "n_neurons": sum(len(w) for w in design.weights),
        "neuron": neuron,
        "word": word,
        "thresholds": [n.threshold for n in design.neurons],
        "fires": [n.threshold <= n.most for n in design.neurons],
        "spike_bits": max(inner.length.bit_length(), 2),
        "by_layer": by_layer,
        "extended": extended,
    }
    text = {f"{design.name}.v": rendered("rival_spiking.v", values)}
    for name in ("sc_weights.v", "sc_count.v"):
        text[name] = library_text(name)
    text |= weight_files(f"{design.name}_weights", words, simd * bits)
    wide = design.sum_bits
    rows = [int(offset) & ((1 << wide) - 1) for offset in offsets]
    return text | weight_files(f"{design.name}_offsets", rows, wide)


def _numbers_folded(design: SpikingDesign) -> dict[str, str]:
    bits, simd, inner = design.weight_bits, design.simd, design.design
    numbers, drawn = inner.layers
    signs = [(w < 0).astype(np.int64) for w in design.weights]
    stored = tuple(
        np.abs(w) | sign << (bits - 1) for w, sign in zip(design.weights, signs, strict=True)
    )
    words = packed_weights(stored, design.columns, simd, bits)
    values = {
        "d": design,
        "design": inner,
        "simd": simd,
        "sum_bits": design.sum_bits,
        "levels": bits_for(simd) if simd > 1 else 0,
        "delay": design.delay,
        "turn": design.turn,
        "depth": len(words),
        "drop": numbers.drop,
        "fraction": drawn.neuron.fraction,
        "drive_bits": max(numbers.count_bits, signed_bits(*design.reach(1)) + drawn.neuron.fraction),
        "neuron": numbers.neuron,
        "word": numbers.neuron.word,
        "thresholds": [n.threshold for n in design.neurons],
        "fires": [n.threshold <= n.most for n in design.neurons],
        "spike_bits": max(inner.length.bit_length(), 2),
    }
    text = {f"{design.name}.v": rendered("rival_numbers.v", values)}
    for name in ("sc_weights.v", "sc_tree.v"):
        text[name] = library_text(name)
    text |= weight_files(f"{design.name}_weights", words, simd * bits)
    wide = design.sum_bits
    rows = [*numbers.offsets.tolist(), *(-signs[1].sum(axis=1)).tolist()]
    return text | weight_files(
        f"{design.name}_offsets", [int(row) & ((1 << wide) - 1) for row in rows], wide
    )


def _spiking_unrolled(design: SpikingDesign) -> dict[str, str]:
    inner = design.design
    layers = []
    for k, (w, neuron) in enumerate(zip(design.weights, design.neurons, strict=True)):
        width = signed_bits(*design.reach(k))
        sums = [sum_text(Heap.of(row, ["x[{i}]"]), f"sum{j}", width) for j, row in enumerate(w)]
        layers.append(
            {
                "width": width,
                "sums": sums,
                "neuron": neuron,
                "step": (neuron.threshold, width),
                "n_in": w.shape[1],
                "n_out": len(w),
            }
        )
    values = {
        "design": inner,
        "d": design,
        "layers": layers,
        "control_bits": max(inner.n_in, inner.length).bit_length(),
        "spike_bits": inner.length.bit_length(),
    }
    text = {f"{design.name}.v": rendered("rival_spiking_unrolled.v", values)}
    names = "sc_control", "sc_sequence", "sc_encoder", "sc_count", "sc_lif", "sc_readout", "sc_best"
    return text | {f"{name}.v": library_text(f"{name}.v") for name in names}
