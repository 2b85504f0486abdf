"""Ordinary binary designs of a network, to compare with its stochastic design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.hardware.design import Design, row_integers
from sc_neurocore.hardware.emit import bits_for, library_text, rendered, weight_files
from sc_neurocore.hardware.model import trace
from sc_neurocore.networks import FixedPoint, Network, simulate_float
from sc_neurocore.networks._inputs import checked_densities
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import lif_of
from sc_neurocore.networks.network import numbers_first

__all__ = [
    "IntegerDesign",
    "IntegerNetwork",
    "SpikingDesign",
    "quantized",
    "spiking_design",
]

# Products of a spiking design: a comparison with a random number, exact ones in the first layer, or the
# weight itself.
Product = Literal["stochastic", "numbers", "binary"]
# Clock cycles between the last address of a layer and its last result.
_DRAIN = 4
# Time steps over which firing rates in real numbers are measured.
_RATE_STEPS = 64


def quantized_weights(weights: NDArray[np.float64], most: int) -> tuple[NDArray[np.int64], float]:
    """Return integers in [-most, most] and their unit, of least square error."""
    largest = float(np.abs(weights).max()) or 1.0
    best: tuple[float, float] = (np.inf, largest / most)
    for unit in largest / most * np.linspace(0.04, 1.0, 97):
        rounded = np.clip(np.rint(weights / unit), -most, most) * unit
        best = min(best, (float(((rounded - weights) ** 2).sum()), float(unit)))
    unit = best[1]
    return np.clip(np.rint(weights / unit), -most, most).astype(np.int64), unit


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A feed-forward network of integers.

    Layer k computes ``s = weights[k] @ x + offsets[k]``. A hidden layer outputs
    ``clip(s >> shifts[k], 0, 2**bits[k + 1] - 1)``; the class is that of the largest s.

    Attributes
    ----------
    weights : tuple of ndarray of int64, shape (n_out, n_in)
    offsets : tuple of ndarray of int64, shape (n_out,)
    shifts : tuple of int
        One per hidden layer.
    bits : tuple of int
        Bits of the unsigned inputs of each layer.
    """

    weights: tuple[NDArray[np.int64], ...]
    offsets: tuple[NDArray[np.int64], ...]
    shifts: tuple[int, ...]
    bits: tuple[int, ...]

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weights[0].shape[1])

    @property
    def n_out(self) -> int:
        """Number of classes."""
        return int(self.weights[-1].shape[0])

    @property
    def shape(self) -> str:
        """Numbers of inputs and neurons, as in ``64-100-10``."""
        return "-".join(str(n) for n in (self.n_in, *(len(w) for w in self.weights)))

    def codes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return densities of shape (n_in,) or (n, n_in) as integers from 0 to ``2**bits[0] - 1``."""
        x = checked_densities("images", images, self.n_in)
        return np.asarray(np.rint(x * (2 ** self.bits[0] - 1)), np.int64)

    def sums(self, codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Return s of each layer, shape (n, n_out), for integers of shape (n, n_in)."""
        x, found = codes, []
        for k, (w, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            found.append(x @ w.T + offset)
            if k < len(self.shifts):
                x = np.clip(found[-1] >> self.shifts[k], 0, 2 ** self.bits[k + 1] - 1)
        return tuple(found)

    def classes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the class of each image of shape (n, n_in)."""
        return np.asarray(self.sums(self.codes(images))[-1].argmax(axis=1), np.int64)

    def reach(self, k: int) -> tuple[int, int]:
        """Return the least and the greatest s of layer k over all inputs, partial sums included."""
        top = 2 ** self.bits[k] - 1
        ends = [np.clip(sign * self.weights[k], 0, None).sum(axis=1) * top for sign in (-1, 1)]
        least, most = self.offsets[k] - ends[0], self.offsets[k] + ends[1]
        return int(min(least.min(), 0)), int(max(most.max(), 0))


def quantized(
    network: Network, images: ArrayLike, bits: int, *, weight_bits: int | None = None
) -> IntegerNetwork:
    """Return a spiking network as a network of integers with rectified linear neurons.

    The rate of a neuron is replaced by the line that fits the firing rates in real numbers best over
    the images, which need no labels. Each layer has one unit of its weights, of least square error.

    Parameters
    ----------
    network : Network
        Dense layers.
    images : array_like, shape (n, n_in)
        Densities in [0, 1].
    bits : int
        Bits of inputs and of the outputs of hidden layers.
    weight_bits : int, optional
        Bits of weights with their sign, at least 2. By default as many as `bits`.
    """
    wide = _checks.integer("weight_bits", bits if weight_bits is None else weight_bits, 2, 16)
    top = 2 ** _checks.integer("bits", bits, 1, 16) - 1
    most = 2 ** (wide - 1) - 1
    x = np.rint(_checks.array("images", images, [2]) * top)
    unit = 1 / top  # of x, in spikes per time step
    weights, offsets, shifts = [], [], []
    for k, layer in enumerate(network.layers):
        lif = lif_of("network", layer)
        scale = float(np.max(layer.gain)) * lif.resistance * lif.dt
        w, step = quantized_weights(layer.matrix[:, : layer.n_in], most)
        bias = layer.matrix[:, layer.n_in :].sum(axis=1) / (step * unit)
        sums = x @ w.T + bias
        if k == len(network.layers) - 1:
            weights.append(w)
            offsets.append(np.rint(bias).astype(np.int64))
            break
        rates = (
            simulate_float(Network(network.layers[: k + 1]), images, _RATE_STEPS).counts / _RATE_STEPS
        )
        slope, start = _line(sums * (scale * step * unit), rates)
        slope, start = slope * scale * step * unit, start / (scale * step * unit)
        # A sum of `high` becomes the largest code.
        high = float(np.quantile(sums - start, 0.999))
        shift = max(round(np.log2(max(high, 1.0) / (top + 1))), 0)
        shifts.append(shift)
        weights.append(w)
        half = 1 << shift >> 1
        offsets.append(np.rint(bias - start).astype(np.int64) + half)
        x = np.clip(np.floor((x @ w.T + offsets[-1]) / 2**shift), 0, top)
        unit = slope * 2**shift
    return IntegerNetwork(
        tuple(weights), tuple(offsets), tuple(shifts), (int(bits),) * len(network.layers)
    )


def _line(currents: NDArray[np.float64], rates: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and start of the line ``slope * (current - start)`` through rates in (0, 1)."""
    chosen = (rates > 0) & (rates < 1)
    if np.count_nonzero(chosen) < 2 or np.ptp(currents[chosen]) == 0:
        return 1.0, 0.0
    slope, at_zero = np.polyfit(currents[chosen], rates[chosen], 1)
    return (float(slope), float(-at_zero / slope)) if slope > 0 else (1.0, 0.0)


@dataclass(frozen=True, eq=False)
class IntegerDesign:
    """Hardware of a network of integers, with the interface of `Design`.

    Parameters
    ----------
    network : IntegerNetwork
    simd : int
        Inputs per clock cycle of a folded design, a power of two; 0 for an unrolled design, which
        computes all neurons of a layer at once and has its weights in the wiring.
    serial : bool
        Whether an unrolled design takes one bit of all inputs per clock cycle, the highest first,
        instead of all bits.
    name : str
        Name of the top module.
    """

    network: IntegerNetwork
    simd: int = 8
    serial: bool = True
    name: str = "integers"

    @property
    def folded(self) -> bool:
        """Whether the architecture is folded."""
        return self.simd > 0

    @property
    def columns(self) -> tuple[int, ...]:
        """Number of words of `simd` inputs per layer."""
        return tuple(-(-w.shape[1] // self.simd) for w in self.network.weights)

    @property
    def loading(self) -> int:
        """Clock cycles that read an image."""
        return self.network.n_in

    @property
    def clocks(self) -> int:
        """Clock cycles from reading the first value of an image to its class."""
        net = self.network
        if self.folded:
            drain = self.delay + 2
            work = sum(n * len(w) + drain for n, w in zip(self.columns, net.weights, strict=True))
            return net.n_in + work
        work = sum(n + 2 for n in net.bits) if self.serial else len(net.bits) + 1
        return net.n_in + work + net.n_out

    @property
    def binary_weights(self) -> bool:
        """Whether all weights are 1 or -1, which take one bit."""
        return all(bool((np.abs(w) == 1).all()) for w in self.network.weights)

    @property
    def planes(self) -> int:
        """Bits of the magnitude of a weight."""
        return max(int(np.abs(w).max()).bit_length() for w in self.network.weights)

    @property
    def delay(self) -> int:
        """Clock cycles of a folded design from a word of weights to its sum of products."""
        return bits_for(self.simd) + self.planes - 1

    @property
    def weight_bits(self) -> int:
        """Bits of a stored weight: its sign and its magnitude."""
        return 1 if self.binary_weights else self.planes + 1

    @property
    def sum_bits(self) -> int:
        """Bits of a sum."""
        ends = [self.network.reach(k) for k in range(len(self.network.weights))]
        return max(_signed_bits(least, most) for least, most in ends)

    @property
    def in_bits(self) -> int:
        """Bits of a value."""
        return self.network.bits[0]

    def codes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return densities as the values that the design reads."""
        return self.network.codes(images)

    def classes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the class of each image of shape (n, n_in)."""
        return self.network.classes(images)

    def results(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return what the port `seen` of the core outputs per image, shape (n, n_neurons)."""
        return np.concatenate(self.network.sums(np.atleast_2d(self.codes(images))), axis=1)

    @cached_property
    def verilog(self) -> Mapping[str, str]:
        """The files of the design, by name."""
        return _integers_folded(self) if self.folded else _integers_unrolled(self)


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
        per_step = sum(n * len(w) + _DRAIN + 1 for n, w in zip(self.columns, self.weights, strict=True))
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
            return max(self.design.layers[0].sum_bits, _signed_bits(*self.reach(1)))
        return max(_signed_bits(*self.reach(k)) for k in range(len(self.weights)))

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
            word = max(word, _signed_bits(0, int(max(ends)) * design.length << fraction))
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


def _signed_bits(least: int, most: int) -> int:
    """Return the bits of integers from `least` to `most` in two's complement."""
    return max((-least - 1).bit_length() if least < 0 else 0, most.bit_length()) + 1


def _packed(fields: NDArray[np.int64], bits: int) -> list[int]:
    """Return each row of integers as one number with `bits` bits per field, the first one lowest."""
    return row_integers((fields[:, :, np.newaxis] >> np.arange(bits) & 1).reshape(len(fields), -1))


def _weight_words(
    weights: tuple[NDArray[np.int64], ...], columns: tuple[int, ...], simd: int, bits: int
) -> list[int]:
    """Return the words of the weights of all layers, `simd` weights of a neuron per word."""
    words: list[int] = []
    for w, n in zip(weights, columns, strict=True):
        padded = np.zeros((len(w), n * simd), np.int64)
        padded[:, : w.shape[1]] = w
        words += _packed(padded.reshape(-1, simd), bits)
    return words


def _extended(text: str, sign: str, bits: int, width: int) -> str:
    """Return a Verilog expression for a signed value of `bits` bits in `width` bits."""
    return text if width == bits else f"{{ {{{width - bits}{{{sign}}}}}, {text} }}"


def _by_layer(values: list[int], width: int) -> str:
    """Return a Verilog expression for a value that depends on the layer."""
    mask = (1 << width) - 1
    texts = [f"{width}'d{value & mask}" for value in values]
    text = texts[-1]
    for k in range(len(texts) - 2, -1, -1):
        if texts[k] != text:
            text = (
                f"layer == {k} ? {texts[k]} : ({text})"
                if "?" in text
                else f"layer == {k} ? {texts[k]} : {text}"
            )
    return text


def _integers_folded(design: IntegerDesign) -> dict[str, str]:
    net, simd, bits = design.network, design.simd, design.weight_bits
    signs = tuple((w < 0).astype(np.int64) for w in net.weights)
    stored = signs
    if not design.binary_weights:
        both = zip(net.weights, signs, strict=True)
        stored = tuple(np.abs(w) | sign << (bits - 1) for w, sign in both)
    # A negative weight multiplies an inverted input, which is most - x instead of -x.
    most = 2 ** max(net.bits) - 1
    offsets = [
        offset + most * np.minimum(w, 0).sum(axis=1)
        for w, offset in zip(net.weights, net.offsets, strict=True)
    ]
    words = _weight_words(stored, design.columns, simd, bits)
    flat = np.concatenate(offsets)
    equal = all(len(set(offset.tolist())) == 1 for offset in offsets)
    firsts = [0, *np.cumsum(design.columns).tolist()]
    ends = np.cumsum([n * len(w) for n, w in zip(design.columns, net.weights, strict=True)])
    wide = design.sum_bits
    values = {
        "d": design,
        "net": net,
        "simd": simd,
        "weight_bits": bits,
        "x_bits": max(net.bits),
        "sum_bits": wide,
        "depth": len(words),
        "firsts": firsts,
        "lasts": [n - 1 for n in firsts[1:]],
        "tops": [2**b - 1 for b in net.bits[1:]],
        "planes": design.planes,
        "levels": bits_for(simd),
        "delay": design.delay,
        "dot": _resized(f"dot{design.planes - 1}", max(net.bits) + bits_for(simd), design.planes, wide),
        "n_neurons": len(flat),
        "last_weights": [int(n) - 1 for n in ends],
        "offsets": [int(o[0]) for o in offsets] if equal else None,
        "by_layer": _by_layer,
        "extended": _extended,
    }
    name = design.name
    text = {
        f"{name}.v": rendered("rival_integers.v", values),
        "sc_weights.v": library_text("sc_weights.v"),
    }
    text |= weight_files(f"{name}_weights", words, simd * bits)
    if not equal:
        text |= weight_files(f"{name}_offsets", [int(o) & ((1 << wide) - 1) for o in flat], wide)
    return text


def _resized(name: str, bits: int, planes: int, width: int) -> str:
    """Return a Verilog expression for an unsigned sum of planes modulo ``2**width``."""
    bits += planes if planes > 1 else 0
    if bits > width:
        return f"{name}[{width - 1}:0]"
    return name if bits == width else f"{{{width - bits}'d0, {name}}}"


def _spiking_folded(design: SpikingDesign) -> dict[str, str]:
    bits, simd, inner = design.weight_bits, design.simd, design.design
    signs = [(w < 0).astype(np.int64) for w in design.weights]
    both = list(zip(design.weights, signs, strict=True))
    stored = tuple(np.abs(w) | sign << (bits - 1) for w, sign in both)
    steps = [sign if design.product == "stochastic" else sign * np.abs(w) for w, sign in both]
    offsets = np.concatenate([-step.sum(axis=1) for step in steps])
    words = _weight_words(stored, design.columns, simd, bits)
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
        "dot": _resized("dot", simd.bit_length(), design.planes, design.sum_bits),
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
        "by_layer": _by_layer,
        "extended": _extended,
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
    words = _weight_words(stored, design.columns, simd, bits)
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
        "drive_bits": max(numbers.count_bits, _signed_bits(*design.reach(1)) + drawn.neuron.fraction),
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


def signed_digits(value: int) -> list[tuple[int, int]]:
    """Return an integer as ``sum(sign << place)`` with the fewest terms (canonical signed digits).

    Source: G. W. Reitwiesner, Binary arithmetic, Advances in Computers 1, 1960.
    """
    digits, place = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((sign, place))
            value -= sign
        value >>= 1
        place += 1
    return digits


@dataclass(frozen=True)
class _Heap:
    """Bits whose ones are counted for each power of two, and a constant: the sum of a neuron.

    A negative term ``-x`` is ``~x - 1``, so its place counts inverted bits, and a constant corrects it.
    """

    places: dict[int, list[str]]
    constant: int

    @classmethod
    def of(cls, weights: NDArray[np.int64], bits: list[str], offset: int = 0) -> _Heap:
        """Return the heap of weights times inputs with these bits, `{i}` standing for the input."""
        places: dict[int, list[str]] = {}
        constant = offset
        for i, weight in enumerate(weights.tolist()):
            for sign, place in signed_digits(weight):
                for b, bit in enumerate(bits):
                    literal = bit.format(i=i)
                    places.setdefault(place + b, []).append(literal if sign > 0 else f"~{literal}")
                    constant -= 0 if sign > 0 else 1 << (place + b)
        return cls(places, constant)


def _sum_text(heap: _Heap, name: str, width: int) -> str:
    """Return Verilog of the wire `name` that holds the sum of a heap, modulo ``2**width``."""
    lines, terms = [], []
    for place, literals in sorted(heap.places.items()):
        n = len(literals)
        ones = n.bit_length()
        part = f"{name}_p{place}"
        listed = ",\n        ".join(", ".join(literals[i : i + 10]) for i in range(0, n, 10))
        lines.append(f"    wire [{ones - 1}:0] {part};")
        lines.append(
            f"    sc_count #(.N({n})) u_{part} (.x({{\n        {listed}\n    }}), "
            f".w({{{n}{{1'b1}}}}), .ones({part}));"
        )
        keep = min(ones, width - place)
        pad = width - place - keep
        cut = part if keep == ones else f"{part}[{keep - 1}:0]"
        pieces = [*([f"{pad}'d0"] if pad else []), cut, *([f"{place}'d0"] if place else [])]
        terms.append(f"{{{', '.join(pieces)}}}")
    if heap.constant or not terms:
        terms.append(f"{width}'d{heap.constant & ((1 << width) - 1)}")
    lines.append(f"    wire [{width - 1}:0] {name} = {' + '.join(terms)};")
    return "\n".join(lines)


def _spiking_unrolled(design: SpikingDesign) -> dict[str, str]:
    inner = design.design
    layers = []
    for k, (w, neuron) in enumerate(zip(design.weights, design.neurons, strict=True)):
        width = _signed_bits(*design.reach(k))
        sums = [_sum_text(_Heap.of(row, ["x[{i}]"]), f"sum{j}", width) for j, row in enumerate(w)]
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


def _integers_unrolled(design: IntegerDesign) -> dict[str, str]:
    net, layers = design.network, []
    for k, (w, offset) in enumerate(zip(net.weights, net.offsets, strict=True)):
        bits = (
            ["x[{i}]"]
            if design.serial
            else [f"x[{{i}} * {net.bits[k]} + {b}]" for b in range(net.bits[k])]
        )
        width = _signed_bits(*net.reach(k))
        # Serial: a sum starts at `first` and is doubled before each bit, with which `each` is added, so
        # that first * 2**bits + each * (2**bits - 1) is the offset.
        each = -offset % 2 ** net.bits[k] if design.serial else offset
        first = (offset - each * (2 ** net.bits[k] - 1)) >> net.bits[k]
        rows = [_Heap.of(row, bits, int(o)) for row, o in zip(w, each, strict=True)]
        one = net.bits[k] if not design.serial else 1
        layers.append(
            {
                "sums": [_sum_text(heap, f"sum{j}", width) for j, heap in enumerate(rows)],
                "width": width,
                "starts": [int(2 * o) & ((1 << width) - 1) for o in first],
                "n_in": w.shape[1],
                "n_out": len(w),
                "bits": net.bits[k],
                "x_bits": w.shape[1] * one,
            }
        )
    values = {
        "d": design,
        "net": net,
        "layers": layers,
        "score_bits": layers[-1]["width"],
    }
    text = {f"{design.name}.v": rendered("rival_integers_unrolled.v", values)}
    return text | {"sc_count.v": library_text("sc_count.v")}
