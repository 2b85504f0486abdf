"""Layers from affine maps: weights of any size are divided by the gain into [-1, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.exchange._affine import Map, Matrix, Reals
from sc_neurocore.networks import (
    Conv2d,
    Dense,
)
from sc_neurocore.networks.layers import (
    Layer,
)
from sc_neurocore.neurons import (
    LIF,
)


def peaks_of(whole: Map, recurrent: Reals | None = None) -> Reals:
    """Return the largest magnitude of the weights and the bias of each row, 1 for rows of zeros.

    They are the smallest gains with which weights in [-1, 1] represent the rows.
    """
    peaks = np.abs(whole.weights).reshape(len(whole.weights), -1).max(axis=1)
    if whole.bias is not None:
        peaks = np.maximum(peaks, np.abs(whole.bias))
    if recurrent is not None:
        peaks = np.maximum(peaks, np.abs(recurrent).max(axis=1))
    return np.where(peaks > 0, peaks, 1.0)


def layer_of(
    whole: Map,
    gain: float | Reals,
    neuron: LIF,
    *,
    recurrent: Reals | None = None,
    delay: int | NDArray[np.int64] = 0,
) -> Layer:
    """Return the layer of a matrix, or of a convolution with one stride and padding.

    Recurrent weights (n_out, n_out) require a matrix. A gain, of each row or of all, is at least
    `peaks_of`, up to rounding.
    """
    gains = np.broadcast_to(gain, len(whole.weights))
    if (gains == gains[0]).all():
        gain = float(gains[0])

    def share(x: Reals) -> Reals:
        return np.asarray(np.clip(x / gains.reshape(-1, *(1,) * (x.ndim - 1)), -1.0, 1.0))

    weights, bias = share(whole.weights), None if whole.bias is None else share(whole.bias)
    if isinstance(whole, Matrix):
        own = None if recurrent is None else share(recurrent)
        return Dense(weights, gain, neuron, bias=bias, recurrent=own, delay=delay)
    (stride, _), (padding, _) = whole.stride, whole.padding
    return Conv2d(
        weights, whole.size, gain, neuron, bias=bias, stride=stride, padding=padding, delay=delay
    )
