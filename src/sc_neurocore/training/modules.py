"""PyTorch modules for training networks on bitstreams (extra torch).

The forward pass of `SCNetwork` samples the bitstreams of `simulate` and runs the same neurons on them.
With equal seeds both give the same spikes, bit for bit on a CPU; convolutions on other devices can
round. The backward pass replaces a bit by its mean, and the threshold by a fast sigmoid.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.networks import (
    Conv2d,
    Dense,
    Network,
)
from sc_neurocore.networks._inputs import checked_densities
from sc_neurocore.networks.layers import (
    Layer,
)
from sc_neurocore.neurons import (
    LIF,
    SilentLayerWarning,
    rheobase,
)
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Role,
    Source,
    encode,
    operands,
    stream_key,
)
from sc_neurocore.streams.keys import (
    lane_streams,
)
from sc_neurocore.streams.source import (
    Sources,
)

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    missing = _checks.missing_extra("sc_neurocore.training", "PyTorch", "torch")
    raise ImportError(missing, name="torch") from error

from sc_neurocore.training._autograd import Bits, Fire

__all__ = ["Outputs", "SCConv2d", "SCLinear", "SCNetwork", "from_network", "to_network"]

_DIVERGED = "training has diverged: lower the learning rate or clip the gradients"


class Outputs(NamedTuple):
    """Spike counts and last membrane potentials of the output layer, each (batch, n_out)."""

    counts: Tensor
    potentials: Tensor


class _Layer(nn.Module, ABC):
    """Common part of the layers: weights in [-1, 1], a gain learned as its logarithm, neurons.

    Each output has one stream per weight, then one for its bias, then its recurrent weights. They are
    the columns of one matrix.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        gain: float,
        neuron: LIF,
        bias: bool,
        delay: ArrayLike,
        learn_gain: bool,
    ) -> None:
        super().__init__()
        _checks.instance("neuron", neuron, LIF)
        _checks.instance("bias", bias, bool)
        _checks.instance("learn_gain", learn_gain, bool)
        self.neuron = neuron
        self.delay: Any = delay
        self.weight = nn.Parameter(torch.rand(shape) - 0.5)
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        # The learned part is a factor, so an unlearned gain equals the given one to the last bit.
        given = gain.detach() if isinstance(gain, Tensor) else gain
        initial = torch.tensor(_checks.positive("gain", given), dtype=torch.float64)
        self.initial_gain: Tensor
        self.register_buffer("initial_gain", initial)
        self.log_factor = nn.Parameter(torch.zeros(()), requires_grad=learn_gain)

    @property
    def gain(self) -> Tensor:
        """Current of one spike through a weight of 1, a float64 scalar."""
        return self.initial_gain * self.log_factor.double().exp()

    @property
    @abstractmethod
    def n_in(self) -> int:
        """Number of inputs."""

    @property
    @abstractmethod
    def n_out(self) -> int:
        """Number of neurons."""

    @abstractmethod
    def to_layer(self) -> Layer:
        """Return the layer as data for a `Network`."""

    def check(self, name: str) -> None:
        """Raise ValueError unless all parameters are finite and the gain is greater than 0."""
        for part, values in self.named_parameters(recurse=False):
            for at in (~values.isfinite()).nonzero()[:1].tolist():
                where = f" at index {at[0] if len(at) == 1 else tuple(at)}" if at else ""
                given = f"{values[tuple(at)].item()}{where}"
                _checks.fail(f"{name}.{part}", "be finite", given, _DIVERGED)
        gain = self.gain.item()
        if not 0 < gain < math.inf:
            _checks.fail(f"{name}.gain", "be finite and greater than 0", gain, _DIVERGED)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move or convert the layer; the initial gain keeps its type, float64, so it is not rounded."""
        initial = self.initial_gain
        super()._apply(fn, recurse)
        self.initial_gain = initial.to(self.weight.device)
        return self

    @abstractmethod
    def _drive(self, x: Tensor, matrix: Tensor) -> Tensor:
        """Return the current before the gain of inputs (time, batch, n_in), for weights per step."""

    def _recurrent(self, matrix: Tensor) -> Tensor | None:
        return None

    def matrix(self) -> Tensor:
        """Return all weights clipped to [-1, 1], one row per output, in float32 or float64."""
        columns = [self.weight.flatten(1)]
        if self.bias is not None:
            columns.append(self.bias[:, None])
        return _widened(torch.cat(columns, 1).clamp(-1, 1))

    @torch.no_grad()
    def project(self) -> None:
        """Clip the weights to [-1, 1] in place."""
        for weights in (self.weight, self.bias):
            if weights is not None:
                weights.clamp_(-1, 1)

    def noise(self, length: int, rows: int, key: int) -> Tensor | None:
        """Return the noise of each step, (time, rows, n_out)."""
        if not self.neuron.noise_std:
            return None
        samples = _native.normal(key, rows * self.n_out, 0, length)
        noise = torch.from_numpy(samples).T.reshape(length, rows, self.n_out)
        return self.neuron.noise_std * noise.to(self.weight.device)

    def sampled(self, length: int, key: int, source: Source) -> Tensor:
        """Return the signed weight bits of each step, (time, n_rows, n_columns)."""
        matrix = self.matrix()
        values = _array(matrix)
        stream = encode(
            abs(values), length, key=key, source=source, streams=lane_streams(*values.shape)
        )
        return Bits.apply(matrix, _unpacked(stream, matrix) * matrix.detach().sign())

    def fire(self, x: Tensor, matrix: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return spikes (time, batch, n_out), last potentials, and the current before the gain."""
        drive = self._drive(_delayed(x, self.delay), matrix)
        recurrent = self._recurrent(matrix)
        spikes, potentials = Fire.apply(drive, self.gain, recurrent, noise, self.neuron)
        return spikes, potentials, drive


class SCLinear(_Layer):
    """Trainable `Dense` layer.

    Parameters
    ----------
    in_features, out_features : int
        Number of inputs and of neurons, 1 or more.
    gain : float
        Initial current of one spike through a weight of 1; greater than 0.
    neuron : LIF
        Neuron of every output.
    bias : bool
        Whether to add an input that is always on, with one weight per neuron.
    recurrent : bool
        Whether the layer also receives its own spikes of the previous step.
    delay : int or array_like of int, shape (in_features,)
        Delay of the inputs in time steps, 0 or more.
    learn_gain : bool
        Whether the logarithm of the gain is learned.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
        Initialized uniformly in [-0.5, 0.5], in PyTorch's default type. In training mode each forward
        pass first clips it to [-1, 1].
    bias : Parameter, shape (out_features,), or None
    recurrent : Parameter, shape (out_features, out_features), or None
    log_factor : Parameter
        Logarithm of the ratio of the gain to its initial value.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a size or the gain is out of range.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        gain: float,
        neuron: LIF = LIF(),
        bias: bool = False,
        recurrent: bool = False,
        delay: ArrayLike = 0,
        learn_gain: bool = True,
    ) -> None:
        n_in = _checks.integer("in_features", in_features, 1)
        n_out = _checks.integer("out_features", out_features, 1)
        _checks.instance("recurrent", recurrent, bool)
        super().__init__((n_out, n_in), gain, neuron, bias, delay, learn_gain)
        self.recurrent = nn.Parameter(torch.zeros(n_out, n_out)) if recurrent else None

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[0])

    def to_layer(self) -> Dense:
        """Return the layer as data for a `Network`."""
        return Dense(
            _clipped(self.weight),
            self.gain.item(),
            self.neuron,
            bias=_clipped_if_any(self.bias),
            recurrent=_clipped_if_any(self.recurrent),
            delay=self.delay,
        )

    def extra_repr(self) -> str:
        """Return the arguments that `print` shows."""
        return f"{self.n_in} -> {self.n_out}, gain={self.gain.item():.4g}, neuron={self.neuron}"

    def matrix(self) -> Tensor:
        """Return all weights clipped to [-1, 1], one row per output, in float32 or float64."""
        if self.recurrent is None:
            return super().matrix()
        return torch.cat([super().matrix(), _widened(self.recurrent.clamp(-1, 1))], 1)

    def project(self) -> None:
        """Clip the weights to [-1, 1] in place."""
        super().project()
        if self.recurrent is not None:
            self.recurrent.data.clamp_(-1, 1)

    def _drive(self, x: Tensor, matrix: Tensor) -> Tensor:
        drive = torch.bmm(x, matrix[..., : self.n_in].mT)
        return drive if self.bias is None else drive + matrix[:, None, :, self.n_in]

    def _recurrent(self, matrix: Tensor) -> Tensor | None:
        return None if self.recurrent is None else matrix[..., -self.n_out :]


class SCConv2d(_Layer):
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
    gain : float
        Initial current of one spike through a weight of 1; greater than 0.
    neuron : LIF
        Neuron of every output position.
    bias : bool
        Whether to add an input that is always on, with one weight per output channel.
    stride : int
        Stride of the kernel along rows and columns, 1 or more.
    padding : int
        Number of zeros added on each side of rows and columns, 0 or more.
    delay : int or array_like of int, shape (in_channels * rows * columns,)
        Delay of the inputs in time steps, 0 or more.
    learn_gain : bool
        Whether the logarithm of the gain is learned.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels, kh, kw)
        Initialized uniformly in [-0.5, 0.5], as in `SCLinear`.
    bias : Parameter, shape (out_channels,), or None
    log_factor : Parameter
        Logarithm of the ratio of the gain to its initial value.

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
        gain: float,
        neuron: LIF = LIF(),
        bias: bool = False,
        stride: int = 1,
        padding: int = 0,
        delay: ArrayLike = 0,
        learn_gain: bool = True,
    ) -> None:
        c_in = _checks.integer("in_channels", in_channels, 1)
        c_out = _checks.integer("out_channels", out_channels, 1)
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        sizes = [_checks.integer("kernel_size", size, 1) for size in kernel]
        super().__init__((c_out, c_in, *sizes), gain, neuron, bias, delay, learn_gain)
        self.input_size, self.stride, self.padding = input_size, stride, padding
        layer = self.to_layer()  # which checks the geometry
        self._sizes = layer.n_in, layer.n_out

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self._sizes[0])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self._sizes[1])

    def to_layer(self) -> Conv2d:
        """Return the layer as data for a `Network`."""
        return Conv2d(
            _clipped(self.weight),
            self.input_size,
            self.gain.item(),
            self.neuron,
            bias=_clipped_if_any(self.bias),
            stride=self.stride,
            padding=self.padding,
            delay=self.delay,
        )

    def extra_repr(self) -> str:
        """Return the arguments that `print` shows."""
        return (
            f"{tuple(self.weight.shape)} on {self.input_size}, stride={self.stride}, "
            f"padding={self.padding}, gain={self.gain.item():.4g}, neuron={self.neuron}"
        )

    def _drive(self, x: Tensor, matrix: Tensor) -> Tensor:
        length, batch = x.shape[:2]
        c_out, c_in, *kernel = self.weight.shape
        # Weights differ per step, so steps are groups of channels.
        images = x.transpose(0, 1).reshape(batch, length * c_in, *self.input_size)
        kernels = matrix[..., : c_in * math.prod(kernel)].reshape(length * c_out, c_in, *kernel)
        bias = None if self.bias is None else matrix[..., -1].reshape(-1)
        maps = functional.conv2d(
            images, kernels, bias, stride=self.stride, padding=self.padding, groups=length
        )
        return maps.view(batch, length, self.n_out).transpose(0, 1)


class SCNetwork(nn.Module):
    """Trainable `Network`, a module for any optimizer and training loop.

    In training mode each forward pass first clips the weights to [-1, 1] in place. A clip in the graph
    alone would let weights drift far outside and return late.

    Parameters
    ----------
    *layers : SCLinear or SCConv2d
        Layers in order; each receives the spikes of the previous one.
    independent : bool
        Whether the images of a batch use independent random numbers in training mode, which makes
        gradients less noisy. In evaluation mode all images share the numbers of `simulate`, and image 0
        always uses them.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore import LIF, simulate
    >>> from sc_neurocore.training import SCLinear, SCNetwork, to_network
    >>> _ = torch.manual_seed(0)
    >>> model = SCNetwork(SCLinear(4, 8, gain=0.8), SCLinear(8, 2, gain=0.8))
    >>> x, labels = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.1, 0.2, 0.9, 0.8]]), torch.tensor([0, 1])
    >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    >>> for _ in range(50):
    ...     loss = torch.nn.functional.cross_entropy(model(x, length=32), labels)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    >>> simulate(to_network(model), x, length=32, seed=1).classes
    array([0, 1])
    """

    def __init__(self, *layers: _Layer, independent: bool = True) -> None:
        super().__init__()
        _checks.instance("independent", independent, bool)
        for i, layer in enumerate(layers):
            if not isinstance(layer, _Layer):
                _checks.wrong_type(f"layers[{i}]", "be a SCLinear or SCConv2d", layer)
        _network_of(layers)  # which checks that they fit
        self._has_started = False  # whether a pass in training mode has looked for silent layers
        self.layers = nn.ModuleList(layers)
        self.independent = independent

    # Bitstreams are NumPy arrays from native code, which torch.compile cannot trace.
    @torch.compiler.disable
    def forward(
        self,
        x: Tensor,
        length: int,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        sampled: bool = True,
    ) -> Tensor:
        """Return spike counts (batch, n_out), or potentials if the output layer never fires.

        See `run` for the parameters.
        """
        outputs = self.run(x, length, seed, source=source, sampled=sampled)
        fires = math.isfinite(self.layers[-1].neuron.v_threshold)
        return outputs.counts if fires else outputs.potentials

    @torch.compiler.disable
    def run(
        self,
        x: Tensor,
        length: int,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        sampled: bool = True,
    ) -> Outputs:
        """Return differentiable spike counts and potentials of the output layer.

        Memory grows with the length; use `simulate` for many images on long streams. Results are
        float32, or float64 for float64 weights, even with half-precision weights and inside
        `torch.autocast`, so counts are exact. `torch.compile` runs this method uncompiled.

        Parameters
        ----------
        x : Tensor, shape (batch, n_in)
            Densities in [0, 1].
        length : int
            Time steps.
        seed : int, optional
            In ``[0, 2**128)``. By default each pass draws one from PyTorch's generator.
        source : Source or tuple
            Source of random numbers for the inputs and the weights of each layer, as in `simulate`.
        sampled : bool
            Whether to sample bits. If False, use their means and no noise, as in `simulate_float`.

        Returns
        -------
        Outputs
            In evaluation mode equal to `simulate` with that seed, to the last bit.

        Raises
        ------
        TypeError
            If `x` is not a dense tensor of real numbers.
        ValueError
            If `x` has another shape or values outside [0, 1], `length` or `seed` is out of range, or a
            parameter is not finite.

        Warns
        -----
        SilentLayerWarning
            If no neuron of a layer fires in the first pass in training mode.
        """
        with torch.autocast(self.layers[0].weight.device.type, enabled=False):
            return self._run(x, length, seed, source, sampled)

    def _run(self, x: Tensor, length: int, seed: int | None, source: Sources, sampled: bool) -> Outputs:
        steps = _checks.length_of_stream("length", length)
        if seed is None:
            seed = int(torch.randint(2**63 - 1, ()))
        of_inputs, *of_weights = operands(source, 1 + len(self.layers))
        independent = self.independent and self.training
        _checks.instance("x", x, Tensor)
        if x.is_complex() or x.is_meta or x.layout != torch.strided:
            _checks.wrong_type("x", "be a dense tensor of real numbers", x)
        _checks.instance("sampled", sampled, bool)
        for number, layer in enumerate(self.layers):
            layer.check(f"layers[{number}]")
        first = self.layers[0]
        is_conv = isinstance(first, SCConv2d)
        image = (int(first.weight.shape[1]), *first.input_size) if is_conv else None
        values = checked_densities("x", _array(x), first.n_in, ndims=[2], image=image)
        densities = _widened(x.reshape(values.shape).to(self.layers[0].weight))
        if sampled:
            rows = len(densities) if independent else 1
            streams = lane_streams(rows, self.layers[0].n_in)
            key = stream_key(seed, Role.INPUT)
            bits = encode(values, steps, key=key, source=of_inputs, streams=streams)
            spikes = Bits.apply(densities, _unpacked(bits, densities))
        else:
            spikes = densities.expand(steps, *densities.shape)
        starts = self.training and not self._has_started
        self._has_started |= starts and bool(values.any())
        for number, (layer, weight_source) in enumerate(zip(self.layers, of_weights, strict=True)):
            if self.training:
                layer.project()
            if sampled:
                matrix = layer.sampled(steps, stream_key(seed, Role.WEIGHT, number), weight_source)
                rows = len(densities) if independent else 1
                noise = layer.noise(steps, rows, stream_key(seed, Role.NOISE, number))
            else:
                matrix, noise = layer.matrix().expand(steps, -1, -1), None
            before = spikes
            spikes, potentials, drive = layer.fire(before, matrix, noise)
            if starts and before.any() and not spikes.any():
                self._warn_of_silence(number, drive)
                starts = False
        return Outputs(spikes.sum(0), potentials)

    def _warn_of_silence(self, number: int, drive: Tensor) -> None:
        """Warn that a layer has not fired, with the reason and a remedy, unless it is a readout."""
        layer, length = self.layers[number], len(drive)
        needed, gain = rheobase(layer.neuron), layer.gain.item()
        if needed == math.inf:
            return
        mean = drive.detach().mean(0).max().item()
        said = "does not exceed" if gain * mean <= needed else "barely exceeds"
        remedy = "raise its positive weights"
        if mean > 0:
            least = f"above {needed / mean:.4g} (now {gain:.4g})"
            longer = f"above {gain:.4g}, train on longer streams"
            remedy = f"construct it with a gain {least if gain * mean <= needed else longer}"
        _checks.warn(
            f"no neuron of layers[{number}] fired in {length} steps, so gradients can be 0: its "
            f"largest mean current {gain * mean:.4g} {said} the rheobase {needed:.4g}; {remedy}, or "
            "lower v_threshold",
            SilentLayerWarning,
        )


def to_network(model: SCNetwork) -> Network:
    """Return a trained model as a `Network` for `simulate`, with weights clipped to [-1, 1].

    Raises
    ------
    TypeError
        If `model` is not an `SCNetwork`.
    ValueError
        If a parameter is not finite; the message names its layer.
    """
    _checks.instance("model", model, SCNetwork)
    return _network_of(model.layers)


def from_network(network: Network, *, dtype: torch.dtype | None = None) -> SCNetwork:
    """Return a network as a trainable model.

    Parameters
    ----------
    network : Network
    dtype : torch.dtype, optional
        Type of the weights, by default PyTorch's default type. Weights are rounded to it, the gains are
        not.

    Returns
    -------
    SCNetwork

    Raises
    ------
    TypeError
        If `network` is not a `Network`.
    """
    _checks.instance("network", network, Network)
    model = SCNetwork(*map(_module_of, network.layers))
    for module, layer in zip(model.layers, network.layers, strict=True):
        module.to(dtype=dtype or module.weight.dtype)
        for name in ("weight", "bias", "recurrent"):
            parameter = getattr(module, name, None)
            if parameter is not None:
                values = getattr(layer, "weights" if name == "weight" else name)
                parameter.data = torch.tensor(values, dtype=parameter.dtype)
    return model


def _network_of(layers: Iterable[Any]) -> Network:
    """Return modules as a `Network`, which checks that they fit each other."""
    named = list(enumerate(layers))
    for number, layer in named:
        layer.check(f"layers[{number}]")
    return Network([layer.to_layer() for _, layer in named])


def _module_of(layer: Layer) -> _Layer:
    common: dict[str, Any] = {
        "gain": layer.gain,
        "neuron": layer.neuron,
        "bias": layer.bias is not None,
        "delay": layer.delay,
    }
    if isinstance(layer, Dense):
        return SCLinear(layer.n_in, layer.n_out, recurrent=layer.recurrent is not None, **common)
    c_out, c_in, *kernel = layer.weights.shape
    return SCConv2d(
        c_in,
        c_out,
        tuple(kernel),
        layer.input_size,
        stride=layer.stride,
        padding=layer.padding,
        **common,
    )


def _widened(values: Tensor) -> Tensor:
    """Return values in float32 or float64: sums of spikes would be rounded in half precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _array(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.detach().double().cpu().numpy())


def _clipped(weights: Tensor) -> NDArray[np.float64]:
    return np.clip(_array(weights), -1.0, 1.0)


def _clipped_if_any(weights: Tensor | None) -> NDArray[np.float64] | None:
    return None if weights is None else _clipped(weights)


def _unpacked(stream: Bitstream, like: Tensor) -> Tensor:
    """Return bits in the type of a tensor, time first: (length, *shape).

    Transposing octets before unpacking them is about three times as fast as `streams._bits.unpack`,
    which puts time last, and a transposition of bits.
    """
    octets = stream.words.reshape(-1, stream.words.shape[-1]).astype("<u8", copy=False).view(np.uint8)
    rows = octets[:, : -(-stream.length // 8)].T.copy()
    shifts = torch.arange(8, dtype=torch.uint8)[:, None]
    bits = (torch.from_numpy(rows)[:, None] >> shifts) & 1
    return bits.reshape(-1, *stream.shape)[: stream.length].to(like.device, like.dtype)


def _delayed(x: Tensor, delay: ArrayLike) -> Tensor:
    """Return inputs (time, batch, n_in) delayed by some steps, with zeros before them.

    `streams._bits.delayed` shifts packed bits; gradients pass through this one.
    """
    steps_late = np.asarray(delay)
    if not steps_late.any():
        return x
    late = torch.from_numpy(np.broadcast_to(steps_late, x.shape[2:]).copy()).to(x.device)
    steps = torch.arange(len(x), device=x.device)[:, None] - late
    shifted = x.gather(0, steps.clamp(min=0)[:, None].expand_as(x))
    return shifted * (steps >= 0)[:, None]
