"""Stages of a PyTorch model: linear maps, each with the ReLU after it."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.exchange._affine import (
    Convolution,
    Map,
    Matrix,
    Pair,
    Reals,
    Stage,
    TooLargeError,
    after,
    as_matrix,
    dilated,
    identity,
    pool,
    scaled,
    ungrouped,
    with_equal_axes,
)
from sc_neurocore.exchange._torch_steps import KNOWN, kind_of, steps_of

_NO_STEPS = ("Dropout", "Dropout1d", "Dropout2d", "Identity")
_RESHAPED = ("Flatten", "Unflatten")


class _Read(NamedTuple):
    """The part of a model that has been read."""

    stages: tuple[Stage, ...] = ()
    pending: Map | None = None  # the linear map since the last ReLU
    is_positive: bool = True  # whether its outputs cannot be negative
    owes_relu: Any = None  # a max pool of numbers that can be negative
    softmax: Any = None


def stages_of_torch(model: Any, data: Reals) -> list[Stage]:
    """Return the stages of a chain of linear layers, pools and ReLUs, with their activations."""
    signal = sys.modules["torch"].from_numpy(np.array(data))
    read = _Read()
    try:
        for module, output in steps_of(model, signal):
            read = _with(read, module, signal, output)
            signal = output
        stages = [*read.stages, Stage(read.pending)] if read.pending is not None else []
        equal = [Stage(with_equal_axes(x.map), x.activations) for x in stages]
    except TooLargeError:
        contract = "have linear layers that are one convolution or a matrix of at most 2**27 weights"
        remedy = "use one stride for rows and columns, and images that the pools divide"
        _checks.fail("model", contract, type(model).__name__, remedy)
    if not equal:
        _checks.fail("model", "end with a Linear or Conv2d", model)
    _check_relu(read)
    return equal


def _with(read: _Read, module: Any, signal: Any, output: Any) -> _Read:
    """Return what has been read with a layer whose input is `signal`."""
    nn = sys.modules["torch"].nn
    shape, kind = tuple(signal.shape[1:]), kind_of(module)
    name: str = kind.__name__
    if getattr(nn, name, None) is not kind:
        _checks.fail("model", f"consist of {KNOWN}", module)
    if name in _NO_STEPS:
        return read
    if read.softmax is not None:
        _checks.fail("model", "have a Softmax at its end only", read.softmax)
    if name in _RESHAPED:
        if isinstance(read.pending, Convolution) and output.ndim > 2:
            return read._replace(pending=as_matrix(read.pending))
        return read
    if name in ("Softmax", "LogSoftmax"):
        if module.dim not in (None, 1, 1 - signal.ndim):
            _checks.fail("model", "have a Softmax over axis 1", module)
        return read._replace(softmax=module)
    if name == "ReLU":
        if read.pending is None or read.is_positive or read.owes_relu is not None:
            return read._replace(owes_relu=None)
        stage = Stage(read.pending, output.numpy().copy())
        return _Read((*read.stages, stage))
    if name == "MaxPool2d":
        return _max_pooled(read, module, signal, output)
    _check_relu(read)
    if name in ("BatchNorm1d", "BatchNorm2d"):
        before = identity(shape) if read.pending is None else read.pending
        each = [np.repeat(x, int(np.prod(shape[1:]))) for x in _normalization(module)]
        return read._replace(pending=scaled(before, *each), is_positive=False)
    if name == "Linear":
        own, is_positive = _linear(module, shape), False
    elif name == "Conv2d":
        own, is_positive = _convolution(module, shape), False
    elif name in ("AvgPool2d", "AdaptiveAvgPool2d"):
        own, is_positive = _average(module, shape, tuple(output.shape[1:])), read.is_positive
    else:
        _checks.fail("model", f"consist of {KNOWN}", module)
    pending = own if read.pending is None else after(own, read.pending)
    return read._replace(pending=pending, is_positive=is_positive)


def _check_relu(read: _Read) -> None:
    if read.owes_relu is not None:
        _checks.fail("model", "have a ReLU just before or after a MaxPool2d", read.owes_relu)


def _linear(module: Any, shape: tuple[int, ...]) -> Map:
    if len(shape) != 1:
        _checks.fail("model", "have a Flatten before a Linear", f"an input of shape {shape}")
    return Matrix(*_arrays(module))


def _convolution(module: Any, shape: tuple[int, ...]) -> Map:
    """Return a convolution with zeros in its kernels for groups, dilation and uneven padding."""
    size = shape[1], shape[2]
    if module.padding_mode != "zeros":
        _checks.fail("model", 'have Conv2d with padding_mode="zeros"', module)
    weights, bias = _arrays(module)
    weights = dilated(ungrouped(weights, module.groups), module.dilation)
    padding = module.padding
    if padding == "same":
        # If kernel size - 1 is odd, "same" pads one more at the end. A leading row of zeros in the
        # kernel makes it even.
        odd = [(n - 1) % 2 for n in weights.shape[2:]]
        weights = np.pad(weights, ((0, 0), (0, 0), (odd[0], 0), (odd[1], 0)))
        padding = weights.shape[2] // 2, weights.shape[3] // 2
    elif padding == "valid":
        padding = (0, 0)
    return Convolution(weights, size, module.stride, padding, bias)


def _average(module: Any, shape: tuple[int, ...], output: tuple[int, ...]) -> Map:
    """Return an average pool; its padding counts as zeros."""
    size = shape[1], shape[2]
    if hasattr(module, "output_size"):
        if size[0] % output[1] or size[1] % output[2]:
            _checks.fail("model", f"have pools whose output size divides {size}", module)
        window = size[0] // output[1], size[1] // output[2]
        return pool(shape[0], size, window, window, (0, 0), 1 / (window[0] * window[1]))
    window, stride, padding = map(_pair, (module.kernel_size, module.stride, module.padding))
    weight = 1 / (module.divisor_override or window[0] * window[1])
    own = pool(shape[0], size, window, stride, padding, weight)
    uneven = any(padding) and not module.count_include_pad and module.divisor_override is None
    if uneven or own.output_size != output[1:]:
        _checks.fail("model", "have pools whose windows are full, or padded with zeros", module)
    return own


def _max_pooled(read: _Read, module: Any, signal: Any, output: Any) -> _Read:
    """Return what has been read with a max pool, as stages of pairwise maxima.

    For values of 0 or more, ``max(a, b) = relu(a - b) + relu(b)``: a layer computes both terms of each
    pair of values in a window, and the next one adds them up. A ReLU can be moved before a max pool.
    """
    functional = sys.modules["torch"].nn.functional
    _, channels, *size = signal.shape
    signal = signal.clamp(min=0)
    stages, owes = list(read.stages), None if read.is_positive else module
    if read.pending is not None:
        stages.append(Stage(read.pending, signal.numpy().copy()))
    window, stride, padding, dilation = map(
        _pair, (module.kernel_size, module.stride, module.padding, module.dilation)
    )
    n = window[0] * window[1]
    halves, sums = _halves(n)
    kernels = np.zeros((channels, n, channels, n))
    each = np.arange(channels)
    kernels[each, :, each] = halves
    weights = dilated(kernels.reshape(channels * n, channels, *window), dilation)
    own = Convolution(weights, (size[0], size[1]), stride, padding)
    if own.output_size != tuple(output.shape[2:]):
        _checks.fail("model", "have pools whose windows are full, or padded with zeros", module)
    while True:
        kernel = signal.new_tensor(own.weights)
        signal = functional.conv2d(signal, kernel, None, own.stride, own.padding).relu()
        stages.append(Stage(own, signal.numpy()))
        last = own.output_size
        if len(sums) == 1:
            break
        halves, more = _halves(len(sums))
        own = Convolution(_of_channels(halves @ sums, channels), last)
        sums = more
    return _Read(tuple(stages), Convolution(_of_channels(sums, channels), last), True, owes)


def _halves(n: int) -> tuple[Reals, Reals]:
    """Return matrices (n, n) and (ceil(n / 2), n): ``sums @ relu(halves @ x)`` are maxima of pairs."""
    halves, sums = np.eye(n), np.zeros((-(-n // 2), n))
    first = np.arange(n - 1)[::2]
    halves[first, first + 1] = -1
    sums[np.arange(n) // 2, np.arange(n)] = 1
    return halves, sums


def _of_channels(matrix: Reals, channels: int) -> Reals:
    """Return kernels of size 1 that apply a matrix to the values of each channel."""
    return np.asarray(np.kron(np.eye(channels), matrix), float)[:, :, np.newaxis, np.newaxis]


def _pair(value: Any) -> Pair:
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)


def _normalization(module: Any) -> tuple[Reals, Reals]:
    """Return factor and offset of each channel of a BatchNorm, from its running statistics."""
    if module.running_var is None:
        _checks.fail("model", "have a BatchNorm that tracks its statistics", module)
    factor = 1 / np.sqrt(module.running_var.numpy() + module.eps)
    if module.affine:
        factor = factor * module.weight.detach().numpy()
    offset = -module.running_mean.numpy() * factor
    if module.affine:
        offset = offset + module.bias.detach().numpy()
    return factor, offset


def _arrays(module: Any) -> tuple[Reals, Reals | None]:
    weights = module.weight.detach().numpy().copy()
    return weights, None if module.bias is None else module.bias.detach().numpy().copy()
