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


def peak_of(whole: Map, recurrent: Reals | None = None) -> float:
    """Return the largest magnitude of a weight or bias, the smallest gain that represents them all."""
    given = [x for x in (whole.weights, whole.bias, recurrent) if x is not None]
    return max(float(np.abs(x).max()) for x in given)


def layer_of(
    whole: Map,
    gain: float,
    neuron: LIF,
    *,
    recurrent: Reals | None = None,
    delay: int | NDArray[np.int64] = 0,
) -> Layer:
    """Return the layer of a matrix, or of a convolution with one stride and padding.

    Recurrent weights (n_out, n_out) require a matrix. The gain is at least `peak_of`, up to rounding.
    """

    def share(x: Reals | None) -> Reals | None:
        return None if x is None else np.clip(x / gain, -1.0, 1.0)

    weights, bias = np.clip(whole.weights / gain, -1.0, 1.0), share(whole.bias)
    if isinstance(whole, Matrix):
        return Dense(weights, gain, neuron, bias=bias, recurrent=share(recurrent), delay=delay)
    (stride, _), (padding, _) = whole.stride, whole.padding
    return Conv2d(
        weights, whole.size, gain, neuron, bias=bias, stride=stride, padding=padding, delay=delay
    )
