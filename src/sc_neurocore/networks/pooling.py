"""Pooling of spikes as convolutions: their weights are ones, which bitstreams represent exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.networks.layers import Conv2d
from sc_neurocore.neurons import LIF

__all__ = ["average_pool2d", "max_pool2d"]


def max_pool2d(
    channels: int,
    input_size: Sequence[int],
    window: int,
    stride: int | None = None,
    *,
    dt: float = 1.0,
) -> Conv2d:
    """Return a layer that fires where any input of its window fires: the OR of their spikes.

    The largest value among spikes of the same time step is their OR, in the same time step. The rate
    of the OR of independent spike trains with rates p is ``1 - (1 - p_1) * ... * (1 - p_n)``, which is
    more than the largest rate. The weights are exactly 1, so that there is no sampling error; the
    neurons keep nothing from one time step to the next.

    Use it after a layer: encoded densities are pooled bit by bit only for one bit per time step.

    Parameters
    ----------
    channels : int
        Number of channels of the input and of the output.
    input_size : (int, int)
        Rows and columns of the input.
    window : int
        Rows and columns of the window.
    stride : int, optional
        Step between windows; by default `window`.
    dt : float
        Time step in ms of the network.

    Returns
    -------
    Conv2d

    Raises
    ------
    TypeError, ValueError
        As `Conv2d`.

    Examples
    --------
    >>> from sc_neurocore.networks import max_pool2d
    >>> layer = max_pool2d(8, (12, 12), 2)
    >>> layer.n_in, layer.n_out
    (1152, 288)
    """
    # One spike is a current of 1, up to rounding: any threshold between 0 and 1 finds it.
    neuron = LIF(v_threshold=0.5, tau_mem=dt, dt=dt, resistance=1.0 / _checks.positive("dt", dt))
    return _pool(channels, input_size, window, stride, 1.0, neuron)


def average_pool2d(
    channels: int,
    input_size: Sequence[int],
    window: int,
    stride: int | None = None,
    *,
    dt: float = 1.0,
) -> Conv2d:
    """Return a layer whose rates are the mean rates of its windows.

    Each neuron adds up the spikes of its window and fires when their mean reaches 1; the rest is kept
    (reset by subtraction). After n time steps its count is the sum of the spikes divided by the size of
    the window, rounded down; exactly, if `bits_per_step` and `dt` are powers of two. If a linear layer
    follows, folding the mean into its weights is exact and takes no neurons: `convert_relu` and
    `from_nir` do so.

    Parameters
    ----------
    channels, input_size, window, stride, dt
        As in `max_pool2d`.

    Returns
    -------
    Conv2d

    Raises
    ------
    TypeError, ValueError
        As `Conv2d`.

    Examples
    --------
    >>> from sc_neurocore.networks import average_pool2d
    >>> average_pool2d(8, (12, 12), 2).output_size
    (6, 6)
    """
    resistance = 1.0 / _checks.positive("dt", dt)
    window = _checks.integer("window", window, 1)
    neuron = LIF(
        v_threshold=window**2, tau_mem=np.inf, dt=dt, resistance=resistance, reset="subtract"
    )  # fmt: skip
    return _pool(channels, input_size, window, stride, 1.0, neuron)


def is_pool(layer: Conv2d) -> bool:
    """Return whether a layer sums up the spikes of its windows, channel by channel, as pooling does."""
    weights = layer.weights
    if len(weights) != weights.shape[1] or layer.bias is not None:
        return False
    return bool((weights == np.eye(len(weights))[:, :, np.newaxis, np.newaxis]).all())


def _pool(
    channels: int,
    input_size: Sequence[int],
    window: int,
    stride: int | None,
    gain: float,
    neuron: LIF,
) -> Conv2d:
    channels, window = _checks.integer("channels", channels, 1), _checks.integer("window", window, 1)
    weights = np.zeros((channels, channels, window, window))
    each = np.arange(channels)
    weights[each, each] = 1.0
    size = tuple(input_size)
    return Conv2d(weights, size, gain, neuron, stride=window if stride is None else stride)  # type: ignore[arg-type]
