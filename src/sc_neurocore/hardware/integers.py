"""A network in integers, and its binary designs, to compare with a stochastic one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.hardware._rivals import (
    Heap,
    by_layer,
    extended,
    packed_weights,
    quantized_weights,
    resized,
    signed_bits,
    sum_text,
)
from sc_neurocore.hardware.emit import bits_for, library_text, rendered, weight_files
from sc_neurocore.networks import Network, simulate_float
from sc_neurocore.networks._inputs import checked_densities
from sc_neurocore.networks.layers import lif_of

__all__ = ["IntegerDesign", "IntegerNetwork", "quantized"]

# Time steps over which firing rates in real numbers are measured.
_RATE_STEPS = 64


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
        return max(signed_bits(least, most) for least, most in ends)

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
    words = packed_weights(stored, design.columns, simd, bits)
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
        "dot": resized(f"dot{design.planes - 1}", max(net.bits) + bits_for(simd), design.planes, wide),
        "n_neurons": len(flat),
        "last_weights": [int(n) - 1 for n in ends],
        "offsets": [int(o[0]) for o in offsets] if equal else None,
        "by_layer": by_layer,
        "extended": extended,
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


def _integers_unrolled(design: IntegerDesign) -> dict[str, str]:
    net, layers = design.network, []
    for k, (w, offset) in enumerate(zip(net.weights, net.offsets, strict=True)):
        bits = (
            ["x[{i}]"]
            if design.serial
            else [f"x[{{i}} * {net.bits[k]} + {b}]" for b in range(net.bits[k])]
        )
        width = signed_bits(*net.reach(k))
        # Serial: a sum starts at `first` and is doubled before each bit, with which `each` is added, so
        # that first * 2**bits + each * (2**bits - 1) is the offset.
        each = -offset % 2 ** net.bits[k] if design.serial else offset
        first = (offset - each * (2 ** net.bits[k] - 1)) >> net.bits[k]
        rows = [Heap.of(row, bits, int(o)) for row, o in zip(w, each, strict=True)]
        one = net.bits[k] if not design.serial else 1
        layers.append(
            {
                "sums": [sum_text(heap, f"sum{j}", width) for j, heap in enumerate(rows)],
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
