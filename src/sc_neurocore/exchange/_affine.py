"""Affine maps: matrices, convolutions and pools, and their composition into one map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Pair = tuple[int, int]

# Maximum number of weights of a matrix that replaces a convolution, 1 GB.
_LARGEST = 2**27


class TooLargeError(Exception):
    """A map is not a single convolution and has too many weights as a matrix."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """``weights @ x + bias`` of flattened values; weights (n_out, n_in), bias (n_out,)."""

    weights: Reals
    bias: Reals | None = None


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation of values (c_in, *size); weights (c_out, c_in, kh, kw), bias (c_out,)."""

    weights: Reals
    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    bias: Reals | None = None

    @property
    def output_size(self) -> Pair:
        """Rows and columns of the output; 0 or negative if the kernel does not fit."""
        h, w = (
            (n + 2 * p - k) // s + 1
            for n, p, k, s in zip(
                self.size, self.padding, self.weights.shape[2:], self.stride, strict=True
            )
        )
        return h, w

    @property
    def is_square(self) -> bool:
        """Whether rows and columns have equal strides and equal padding."""
        return self.stride[0] == self.stride[1] and self.padding[0] == self.padding[1]


Map = Matrix | Convolution


@dataclass(frozen=True, eq=False)
class Stage:
    """A linear map and the activations of the ReLU after it; None after the last map."""

    map: Map
    activations: Reals | None = None


def ungrouped(weights: Reals, groups: int) -> Reals:
    """Return grouped kernels as (c_out, c_in, kh, kw), with 0 for the inputs of other groups."""
    c_out, of_group, kh, kw = weights.shape
    full = np.zeros((groups, c_out // groups, groups, of_group, kh, kw))
    each = np.arange(groups)
    full[each, :, each] = weights.reshape(groups, c_out // groups, of_group, kh, kw)
    return full.reshape(c_out, groups * of_group, kh, kw)


def dilated(weights: Reals, dilation: Pair) -> Reals:
    """Return kernels with zeros between the weights."""
    *channels, kh, kw = weights.shape
    (dh, dw) = dilation
    spread = np.zeros((*channels, (kh - 1) * dh + 1, (kw - 1) * dw + 1))
    spread[:, :, ::dh, ::dw] = weights
    return spread


def pool(
    channels: int, size: Pair, kernel: Pair, stride: Pair, padding: Pair, weight: float
) -> Convolution:
    """Return a pool, the weighted sum over windows of each channel, as a convolution."""
    weights = np.zeros((channels, channels, *kernel))
    each = np.arange(channels)
    weights[each, each] = weight
    return Convolution(weights, size, stride, padding)


def identity(shape: tuple[int, ...]) -> Map:
    """Return the identity: a 1 x 1 convolution for images (3 axes), else a matrix."""
    if len(shape) == 3:
        return Convolution(np.eye(shape[0])[:, :, np.newaxis, np.newaxis], (shape[1], shape[2]))
    return Matrix(np.eye(_bounded(int(np.prod(shape)), 1)))


def after(second: Map, first: Map) -> Map:
    """Return the composition: the first map, then the second. Raise TooLargeError if it has no form."""
    if isinstance(second, Convolution) and isinstance(first, Convolution):
        if _composes(second, first):
            return _composed(second, first)
        second = as_matrix(second)
    elif isinstance(second, Convolution):
        second = as_matrix(second)
    assert isinstance(second, Matrix)
    bias = second.bias
    if first.bias is not None:
        each = first.bias
        if isinstance(first, Convolution):
            each = np.repeat(each, first.output_size[0] * first.output_size[1])
        bias = second.weights @ each + (0.0 if bias is None else bias)
    if isinstance(first, Convolution):
        return Matrix(_pulled_back(second.weights, first), bias)
    return Matrix(second.weights @ first.weights, bias)


def scaled(a: Map, by: Reals, plus: Reals | None = None) -> Map:
    """Return the map with its flattened outputs multiplied by `by` and increased by `plus`."""
    if isinstance(a, Convolution):
        channels = _by_channel(by, len(a.weights))
        more = None if plus is None else _by_channel(plus, len(a.weights))
        if channels is None or (more is None and plus is not None):
            return scaled(as_matrix(a), by, plus)
        by, plus = channels, more
    weights = a.weights * by.reshape(-1, *(1,) * (a.weights.ndim - 1))
    bias = None if a.bias is None else a.bias * by
    if plus is not None:
        bias = plus if bias is None else bias + plus
    return replace(a, weights=weights, bias=bias)


def as_matrix(a: Map) -> Matrix:
    """Return the map as a matrix, with a weight for each pair of output and input."""
    if isinstance(a, Matrix):
        return a
    positions = a.output_size[0] * a.output_size[1]
    bias = None if a.bias is None else np.repeat(a.bias, positions)
    n_out = len(a.weights) * positions
    return Matrix(_pulled_back(np.eye(_bounded(n_out, 1)), a), bias)


def with_equal_axes(a: Map) -> Map:
    """Return the map with one stride and one padding for both axes, as a matrix if need be.

    Zeros around a kernel, and as much more padding, do not change a convolution. Strides along an axis
    with one position do not matter.
    """
    if isinstance(a, Matrix):
        return a
    most = max(a.padding)
    more = [most - n for n in a.padding]
    around = ((0, 0), (0, 0), (more[0], more[0]), (more[1], more[1]))
    padded = replace(a, weights=np.pad(a.weights, around), padding=(most, most))
    for stride in {*a.stride}:
        equal = replace(padded, stride=(stride, stride))
        if equal.output_size == a.output_size:
            return equal
    return as_matrix(a)


def added(a: Map, b: Map) -> Map:
    """Return the sum of two maps of the same inputs. Raise TooLargeError if it has no form."""
    x, y = alike = _alike([a, b])
    return replace(x, weights=x.weights + y.weights, bias=_bias_of(alike))


def beside(maps: Sequence[Map]) -> Map:
    """Return the sum of maps of different inputs, as one map of these inputs one after another."""
    alike = _alike(maps)
    weights = [a.weights for a in alike]
    _bounded(len(weights[0]), sum(w[0].size for w in weights))
    return replace(alike[0], weights=np.concatenate(weights, axis=1), bias=_bias_of(alike))


def _alike(maps: Sequence[Map]) -> list[Map]:
    """Return maps as convolutions that differ only in weights, or else as matrices."""
    kernels = [a for a in maps if isinstance(a, Convolution)]
    first = kernels[0] if kernels else None
    if first is None or len(kernels) < len(maps):
        return [as_matrix(a) for a in maps]
    if any((a.size, a.stride) != (first.size, first.stride) for a in kernels):
        return [as_matrix(a) for a in maps]
    # Zeros around a kernel, and as much more padding, do not change a convolution.
    high, wide = (max(a.padding[i] for a in kernels) for i in (0, 1))
    lead = [(high - a.padding[0], wide - a.padding[1]) for a in kernels]
    ends = [
        (u + a.weights.shape[2], v + a.weights.shape[3])
        for a, (u, v) in zip(kernels, lead, strict=True)
    ]
    kh, kw = max(u for u, _ in ends), max(v for _, v in ends)
    same: list[Map] = []
    for a, (u, v), (last_u, last_v) in zip(kernels, lead, ends, strict=True):
        around = ((0, 0), (0, 0), (u, kh - last_u), (v, kw - last_v))
        padded = replace(a, weights=np.pad(a.weights, around), padding=(high, wide))
        if padded.output_size != a.output_size:
            return [as_matrix(a) for a in maps]
        same.append(padded)
    return same


def _bias_of(maps: Sequence[Map]) -> Reals | None:
    """Return the sum of the biases of maps of the same form."""
    biases = [a.bias for a in maps if a.bias is not None]
    return np.asarray(np.sum(biases, axis=0)) if biases else None


def _composes(second: Convolution, first: Convolution) -> bool:
    """Return whether two convolutions compose to one.

    The second pads with zeros, but the first maps padding to zeros only if it has no bias and its
    windows tile the image. Otherwise the second must not pad.
    """
    if second.padding == (0, 0):
        return True
    kernel = first.weights.shape[2:]
    tiles = kernel == first.stride and first.padding == (0, 0) and first.bias is None
    return tiles and all(n % k == 0 for n, k in zip(first.size, kernel, strict=True))


def _composed(second: Convolution, first: Convolution) -> Convolution:
    (kh, kw), (sh, sw) = first.weights.shape[2:], first.stride
    c_out, _, nh, nw = second.weights.shape
    weights = np.zeros((c_out, first.weights.shape[1], (nh - 1) * sh + kh, (nw - 1) * sw + kw))
    for u, v in np.ndindex(nh, nw):
        part = np.tensordot(second.weights[:, :, u, v], first.weights, axes=1)
        weights[:, :, u * sh : u * sh + kh, v * sw : v * sw + kw] += part
    bias = second.bias
    if first.bias is not None:
        bias = second.weights.sum(axis=(2, 3)) @ first.bias + (0.0 if bias is None else bias)
    stride = sh * second.stride[0], sw * second.stride[1]
    padding = (
        first.padding[0] + sh * second.padding[0],
        first.padding[1] + sw * second.padding[1],
    )
    return Convolution(weights, first.size, stride, padding, bias)


def _pulled_back(rows: Reals, a: Convolution) -> Reals:
    """Return rows of weights on the outputs of a convolution as weights on its inputs."""
    c_out, c_in, kh, kw = a.weights.shape
    (h, w), (oh, ow), (sh, sw), (ph, pw) = a.size, a.output_size, a.stride, a.padding
    _bounded(len(rows), c_in * h * w)
    by_output = rows.reshape(len(rows), c_out, oh, ow)
    padded = np.zeros((len(rows), c_in, h + 2 * ph, w + 2 * pw))
    for u, v in np.ndindex(kh, kw):
        part = np.tensordot(by_output, a.weights[:, :, u, v], axes=([1], [0]))
        ends = u + (oh - 1) * sh + 1, v + (ow - 1) * sw + 1
        padded[:, :, u : ends[0] : sh, v : ends[1] : sw] += np.moveaxis(part, -1, 1)
    return np.ascontiguousarray(padded[:, :, ph : ph + h, pw : pw + w]).reshape(len(rows), -1)


def _by_channel(values: Reals, channels: int) -> Reals | None:
    """Return the value of each channel, or None if a channel has several values."""
    rows = values.reshape(channels, -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else None


def _bounded(n_out: int, n_in: int) -> int:
    if n_out * n_in > _LARGEST or (n_in == 1 and n_out**2 > _LARGEST):
        raise TooLargeError
    return n_out
