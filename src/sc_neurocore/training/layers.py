"""Trainable layers: dense ones and convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from sc_neurocore import _checks, _native
from sc_neurocore.networks import Conv2d, Dense
from sc_neurocore.neurons import LIF
from sc_neurocore.training._layer import (
    GAIN,
    SURROGATE,
    Learned,
    TrainedLayer,
    clipped,
    clipped_if_any,
    widened,
)

__all__ = ["SCConv2d", "SCLinear"]

# Channels of gradients of inputs are in vectors of so many.
_BLOCK = 16


class SCLinear(TrainedLayer):
    """Trainable `Dense` layer.

    Parameters
    ----------
    in_features, out_features : int
        Number of inputs and of neurons, 1 or more.
    gain : float or array_like, shape (out_features,)
        Initial current of one spike through a weight of 1, greater than 0, for all neurons or for each.
    neuron : LIF
        Parameters of all neurons, or arrays with those of each.
    bias : bool
        Whether to add an input that is always on, with one weight per neuron.
    recurrent : bool
        Whether the layer also receives its own spikes of the previous step.
    delay : int or array_like of int, shape (in_features,)
        Delay of the inputs in time steps, 0 or more.
    learn : collection of {"gain", "delay", "tau_mem", "tau_syn", "v_threshold"}
        What is learned besides the weights. Gains, time constants and the distance of thresholds from
        rest are learned as logarithms, so that they stay positive; parameters of neurons are learned
        for each row of weights. Delays are learned for each input: a pass in training mode rounds each
        up or down at random, so that its mean is the learned number, with the gradient of the
        interpolation between both; otherwise they are rounded to the nearest step.
    surrogate : float
        Width of the slope of a spike, in units of ``v_threshold - v_reset``. Half of the area below the
        slope is nearer to the threshold than that.
    sampled : bool
        Whether products are sampled by bitstreams. With False, the layer takes the inputs of the
        network as numbers, as in `Dense`.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
        Initialized uniformly in [-0.5, 0.5], in PyTorch's default type. In training mode each forward
        pass first clips it to [-1, 1].
    bias : Parameter, shape (out_features,), or None
    recurrent : Parameter, shape (out_features, out_features), or None
    log_factor : Parameter
        Logarithm of the ratio of the gain to its initial value, of the shape of the gain.
    log_tau_mem, log_tau_syn, log_v_threshold : Parameter, shape (out_features,), or None
        Logarithms of the ratios of learned parameters to their initial values.
    steps_late : Parameter, shape (in_features,), or None
        Learned delays in time steps.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a size, the gain or `surrogate` is out of range, or `learn` has another name.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        gain: ArrayLike | Tensor,
        neuron: LIF = LIF(),
        bias: bool = False,
        recurrent: bool = False,
        delay: ArrayLike = 0,
        learn: Collection[Learned] = GAIN,
        surrogate: float = SURROGATE,
        sampled: bool = True,
    ) -> None:
        n_in = _checks.integer("in_features", in_features, 1)
        n_out = _checks.integer("out_features", out_features, 1)
        _checks.instance("recurrent", recurrent, bool)
        super().__init__((n_out, n_in), gain, neuron, bias, delay, learn, surrogate, sampled)
        self.recurrent = nn.Parameter(torch.zeros(n_out, n_out)) if recurrent else None
        self.to_layer()  # which checks shapes
        self._keep_delay(delay)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[0])

    def to_layer(self) -> Dense:
        """Return the layer as data for a `Network`, with learned delays in whole steps."""
        return Dense(
            clipped(self.weight),
            self._gain_of_layer(),
            self.lif(),
            bias=clipped_if_any(self.bias),
            recurrent=clipped_if_any(self.recurrent),
            delay=self.delay,
            sampled=self.sampled,
        )

    def extra_repr(self) -> str:
        """Return the arguments that `print` shows."""
        return f"{self.n_in} -> {self.n_out}, {self._shown()}"

    @property
    def positions(self) -> int:
        """Number of neurons per row of weights: 1."""
        return 1

    @property
    def places(self) -> NDArray[np.int32] | None:
        """All inputs in order, and the one that is always on if there is a bias."""
        if self.bias is None:
            return None
        return np.append(np.arange(self.n_in, dtype=np.int32), np.int32(self.n_in + 1))[np.newaxis]

    def inputs_of(self, matrix: Tensor, channels: int) -> Callable[[Tensor], Tensor]:
        """Return the function from gradients of sums to those of inputs, as a link has them."""
        weights = matrix[..., : self.n_in]
        if channels > 1:
            weights = weights.unflatten(-1, (channels, -1)).mT.flatten(-2)
        if weights.ndim == 2:
            return lambda of_sums: of_sums @ weights
        return lambda of_sums: torch.bmm(of_sums.transpose(0, 1), weights).transpose(0, 1)

    @torch.no_grad()
    def project(self) -> None:
        """Clip the weights to [-1, 1] in place, and learned times to those that neurons can have."""
        super().project()
        if self.recurrent is not None:
            self.recurrent.clamp_(-1, 1)

    def _recurrent(self) -> Tensor | None:
        return None if self.recurrent is None else widened(self.recurrent.clamp(-1, 1))

    def _sums_of(self, x: Tensor, matrix: Tensor) -> Tensor:
        weights = matrix[..., : self.n_in]
        if weights.ndim == 2:
            sums = x @ weights.T
        else:
            sums = torch.bmm(x.transpose(0, 1).to(weights), weights.mT).transpose(0, 1)
        if self.bias is None:
            return sums
        bias = matrix[..., self.n_in]
        return sums + (bias if weights.ndim == 2 else bias[None])


class SCConv2d(TrainedLayer):
    """Trainable `sc_neurocore.Conv2d` layer.

    Inputs and outputs are images flattened in C order: (batch, in_channels * rows * columns) and
    (batch, out_channels * out_rows * out_columns), where, and likewise for columns::

        out_rows = (rows + 2 * padding - kh) // stride + 1

    Parameters
    ----------
    in_channels, out_channels : int
        Number of channels, 1 or more.
    kernel_size : int or (int, int)
        Rows kh and columns kw of the kernel; an int stands for both.
    input_size : (int, int)
        Rows and columns of an input image.
    gain : float or array_like, shape (out_channels,)
        Initial current of one spike through a weight of 1, greater than 0, for all channels or for
        each.
    neuron : LIF
        Parameters of all neurons, or arrays with those of each output channel.
    bias : bool
        Whether to add an input that is always on, with one weight per output channel.
    stride : int
        Stride of the kernel along rows and columns, 1 or more.
    padding : int
        Number of zeros added on each side of rows and columns, 0 or more.
    delay : int or array_like of int, shape (in_channels * rows * columns,)
        Delay of the inputs in time steps, 0 or more.
    learn : collection of {"gain", "delay", "tau_mem", "tau_syn", "v_threshold"}
        What is learned besides the weights, as in `SCLinear`; parameters of neurons are learned for
        each output channel.
    surrogate : float
        Width of the slope of a spike, as in `SCLinear`.
    sampled : bool
        As in `SCLinear`.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels, kh, kw)
        Initialized uniformly in [-0.5, 0.5], as in `SCLinear`.
    bias : Parameter, shape (out_channels,), or None
    log_factor, log_tau_mem, log_tau_syn, log_v_threshold, steps_late
        As in `SCLinear`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a size is out of range, or the kernel does not fit the padded input.

    Examples
    --------
    >>> from sc_neurocore.training import SCConv2d
    >>> layer = SCConv2d(1, 4, 3, (8, 8), gain=0.5, stride=2)
    >>> layer.n_in, layer.n_out
    (64, 36)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        input_size: tuple[int, int],
        *,
        gain: ArrayLike | Tensor,
        neuron: LIF = LIF(),
        bias: bool = False,
        stride: int = 1,
        padding: int = 0,
        delay: ArrayLike = 0,
        learn: Collection[Learned] = GAIN,
        surrogate: float = SURROGATE,
        sampled: bool = True,
    ) -> None:
        c_in = _checks.integer("in_channels", in_channels, 1)
        c_out = _checks.integer("out_channels", out_channels, 1)
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        sizes = [_checks.integer("kernel_size", size, 1) for size in kernel]
        shape = c_out, c_in, *sizes
        super().__init__(shape, gain, neuron, bias, delay, learn, surrogate, sampled)
        self.input_size, self.stride, self.padding = input_size, stride, padding
        self._geometry = self.to_layer()  # which checks the geometry
        self._keep_delay(delay)
        self._places = self._all_places()
        self._pixels = self._all_pixels()

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self._geometry.n_in)

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self._geometry.n_out)

    def to_layer(self) -> Conv2d:
        """Return the layer as data for a `Network`, with learned delays in whole steps."""
        return Conv2d(
            clipped(self.weight),
            self.input_size,
            self._gain_of_layer(),
            self.lif(),
            bias=clipped_if_any(self.bias),
            stride=self.stride,
            padding=self.padding,
            delay=self.delay,
            sampled=self.sampled,
        )

    def extra_repr(self) -> str:
        """Return the arguments that `print` shows."""
        return (
            f"{tuple(self.weight.shape)} on {self.input_size}, stride={self.stride}, "
            f"padding={self.padding}, {self._shown()}"
        )

    @property
    def positions(self) -> int:
        """Number of neurons per row of weights."""
        return int(self._geometry.positions)

    @property
    def places(self) -> NDArray[np.int32]:
        """Inputs of each position, in the order of a kernel, and its bias."""
        return self._places

    def _all_places(self) -> NDArray[np.int32]:
        numbers = np.arange(1, self.n_in + 1, dtype=np.int32)[np.newaxis, :, np.newaxis]
        patches = self._geometry.patches(numbers)[..., 0]
        places = np.where(patches == 0, self.n_in, patches - 1)
        if self.bias is not None:
            places = np.append(places, np.full((len(places), 1), self.n_in + 1), 1)
        return np.ascontiguousarray(places, np.int32)

    def _all_pixels(self) -> NDArray[np.int32]:
        """Return the pixel of each tap of the kernel, (positions, taps), or -1 for padding."""
        taps = math.prod(self.weight.shape[2:])
        inputs = self.places[:, :taps]  # of the first channel
        return np.ascontiguousarray(np.where(inputs == self.n_in, -1, inputs), np.int32)

    def inputs_of(self, matrix: Tensor, channels: int) -> Callable[[Tensor], Tensor]:
        """Return the function from gradients of sums to those of inputs, as a link has them."""
        c_out, c_in, kh, kw = self.weight.shape
        kernels = matrix[..., : c_in * kh * kw].reshape(-1, c_out, c_in, kh * kw)
        weights = np.zeros((len(kernels), kh * kw, c_out, -(-c_in // _BLOCK) * _BLOCK), np.float32)
        weights[..., :c_in] = kernels.detach().permute(0, 3, 1, 2).cpu().numpy()

        def of_inputs(of_sums: Tensor) -> Tensor:
            batch, steps = of_sums.shape[:2]
            rows = np.ascontiguousarray(of_sums.detach().float().cpu().numpy())
            out = np.empty((batch * steps, self.n_in // c_in, c_in), np.float32)
            _native.input_gradients(rows.reshape(batch * steps, -1), weights, self._pixels, out)
            each = torch.from_numpy(out).view(batch, steps, self.n_in).to(of_sums.device)
            return each if channels > 1 else each.unflatten(2, (-1, c_in)).mT.flatten(2)

        return of_inputs

    def _kernels(self, matrix: Tensor) -> Tensor:
        """Return the weights of a matrix, or of one per step, as kernels of as many channels."""
        kernel = self.weight.shape[1:]
        return matrix[..., : math.prod(kernel)].reshape(-1, *kernel)

    def _sums_of(self, x: Tensor, matrix: Tensor) -> Tensor:
        batch, steps = x.shape[:2]
        bias = None if self.bias is None else matrix[..., -1].reshape(-1)
        images = x.reshape(batch, steps, -1, *self.input_size)
        if matrix.ndim == 2:
            images, groups = images.flatten(0, 1), 1
        else:  # as in inputs_of
            images, groups = images.flatten(1, 2), steps
        maps = functional.conv2d(
            images.to(matrix.dtype), self._kernels(matrix), bias, self.stride, self.padding, 1, groups
        )
        by_step = maps.reshape(batch, steps, len(self.weight), *self._geometry.output_size)
        return by_step.permute(0, 1, 3, 4, 2).reshape(batch, steps, self.n_out)
