"""PyTorch modules for training networks on bitstreams (extra torch).

The forward pass of `SCNetwork` samples the bitstreams of `simulate` and runs the same neurons on them.
With equal seeds both give the same spikes, bit for bit on a CPU; convolutions on other devices can
round. The backward pass replaces a bit by its mean, and the threshold by a fast sigmoid.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.networks import (
    Conv2d,
    Dense,
    Network,
)
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.layers import (
    Layer,
)
from sc_neurocore.networks.network import require_chain
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
    warn_of_rise,
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

# Weight bits that are unpacked at a time to be added up (64 MB).
_BITS = 2**26
# Largest sum of bits of which float32 represents every integer below.
_EXACT = 2**24


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
        gain: ArrayLike | Tensor,
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
        given = gain.detach().cpu() if isinstance(gain, Tensor) else gain
        of_rows = np.ndim(given) > 0
        checked = _checks.array("gain", given, [1]) if of_rows else _checks.positive("gain", given)
        initial = torch.tensor(checked, dtype=torch.float64)
        self.initial_gain: Tensor
        self.register_buffer("initial_gain", initial)
        self.log_factor = nn.Parameter(torch.zeros(initial.shape), requires_grad=learn_gain)

    @property
    def gain(self) -> Tensor:
        """Current of one spike through a weight of 1, float64: a scalar, or one per row of weights."""
        return self.initial_gain * self.log_factor.double().exp()

    @property
    def positions(self) -> int:
        """Number of neurons per row of weights."""
        return self.n_out // len(self.weight)

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
        gain = self.gain
        wrong = ~(gain.isfinite() & (gain > 0))
        if wrong.any():
            _checks.fail(
                f"{name}.gain", "be finite and greater than 0", gain[wrong][0].item(), _DIVERGED
            )

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move or convert the layer; the initial gain keeps its type, float64, so it is not rounded."""
        initial = self.initial_gain
        super()._apply(fn, recurse)
        self.initial_gain = initial.to(self.weight.device)
        return self

    def _gain_of_layer(self) -> float | NDArray[np.float64]:
        """Return the gain of a `Dense` or `Conv2d`."""
        return self.gain.item() if self.gain.ndim == 0 else _array(self.gain)

    def _gain_shown(self) -> str:
        low, high = self.gain.min().item(), self.gain.max().item()
        return f"gain={low:.4g}" if self.gain.ndim == 0 else f"gain {low:.4g} to {high:.4g}"

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
        std = _neuron_of_each(self.neuron, self.positions).noise_std
        if not np.any(std):
            return None
        samples = _native.normal(key, rows * self.n_out, 0, length)
        noise = torch.from_numpy(std * samples.T.reshape(length, rows, self.n_out))
        return noise.to(self.weight.device)

    def sampled(
        self, length: int, key: int, source: Source, k: int = 1, *, sums: bool = False
    ) -> Tensor:
        """Return the signed weight bits, (time, n_rows, n_columns), with k bits per time step.

        With `sums`, time counts steps, each with the sum of its k bits; else it counts bits.
        """
        matrix = self.matrix()
        if k * matrix.shape[1] > _EXACT:
            matrix = matrix.double()
        values = _array(matrix)
        stream = encode(
            abs(values), length * k, key=key, source=source, streams=lane_streams(*values.shape)
        )
        if sums and k > 1:
            bits, means = _sums_of_bits(stream, k, matrix), k * matrix
        else:
            bits, means = _unpacked(stream, matrix), matrix
        return Bits.apply(means.expand(bits.shape), bits.mul_(matrix.detach().sign()))

    def fire(
        self, x: Tensor, matrix: Tensor, noise: Tensor | None, k: int = 1, bits: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return spikes (time, batch, n_out), last potentials, and the mean current before the gain.

        A current is the mean of k products. Inputs and weights have `bits` elements per time step: k
        if each product has bits of its own, or 1 for spikes, with the sums of k bits as weights.
        """
        late = _delayed(x.to(matrix.dtype), np.asarray(self.delay) * bits)
        drive, recurrent = self._drive(late, matrix), self._recurrent(matrix)
        if bits > 1:
            drive = drive.unflatten(0, (-1, bits)).sum(1)
            recurrent = None if recurrent is None else recurrent.unflatten(0, (-1, bits)).sum(1)
        gain = self.gain / k
        if gain.ndim:
            gain = gain.repeat_interleave(self.positions)
        neuron = _neuron_of_each(self.neuron, self.positions)
        spikes, potentials = Fire.apply(drive, gain, recurrent, noise, neuron)
        return spikes, potentials, drive.detach()


class SCLinear(_Layer):
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
        Logarithm of the ratio of the gain to its initial value, of the shape of the gain.

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
        gain: ArrayLike | Tensor,
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
        self.to_layer()  # which checks shapes

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
            self._gain_of_layer(),
            self.neuron,
            bias=_clipped_if_any(self.bias),
            recurrent=_clipped_if_any(self.recurrent),
            delay=self.delay,
        )

    def extra_repr(self) -> str:
        """Return the arguments that `print` shows."""
        return f"{self.n_in} -> {self.n_out}, {self._gain_shown()}, neuron={self.neuron}"

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
    learn_gain : bool
        Whether the logarithm of the gain is learned.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels, kh, kw)
        Initialized uniformly in [-0.5, 0.5], as in `SCLinear`.
    bias : Parameter, shape (out_channels,), or None
    log_factor : Parameter
        Logarithm of the ratio of the gain to its initial value, of the shape of the gain.

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
            self._gain_of_layer(),
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
            f"padding={self.padding}, {self._gain_shown()}, neuron={self.neuron}"
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
        x: Tensor | InputLike,
        length: int | None = None,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        sampled: bool = True,
    ) -> Tensor:
        """Return spike counts (batch, n_out), or potentials if the output layer never fires.

        See `run` for the parameters.
        """
        outputs = self.run(x, length, seed, source=source, bits_per_step=bits_per_step, sampled=sampled)
        fires = np.isfinite(self.layers[-1].neuron.v_threshold).any()
        return outputs.counts if fires else outputs.potentials

    @torch.compiler.disable
    def run(
        self,
        x: Tensor | InputLike,
        length: int | None = None,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        sampled: bool = True,
    ) -> Outputs:
        """Return differentiable spike counts and potentials of the output layer.

        Memory grows with the length; use `simulate` for many images on long streams. Results are
        float32, or float64 for float64 weights, even with half-precision weights and inside
        `torch.autocast`, so counts are exact. `torch.compile` runs this method uncompiled.

        Parameters
        ----------
        x : Tensor, array_like, Bitstream or Events
            Densities in [0, 1], of shape (batch, n_in) if they are constant in time, or (batch, n_in,
            length) if each time step has its own. Or spike trains: streams of batch shape
            (batch, n_in), or events of a batch. Gradients pass to a Tensor.
        length : int, optional
            Time steps. Required for densities that are constant in time; the other inputs have a length
            of their own.
        seed : int, optional
            In ``[0, 2**128)``. By default each pass draws one from PyTorch's generator.
        source : Source or tuple
            Source of random numbers for the inputs and the weights of each layer, as in `simulate`.
        bits_per_step : int
            Bits of each product per time step, as in `simulate`. A neuron receives their mean, so
            currents and gradients are less noisy.
        sampled : bool
            Whether to sample bits. If False, use their means and no noise, as in `simulate_float`;
            `bits_per_step` then has no effect.

        Returns
        -------
        Outputs
            In evaluation mode equal to `simulate` with that seed, to the last bit.

        Raises
        ------
        TypeError
            If an argument has the wrong type, `x` is a tensor that is not dense and real, or `length`
            is missing.
        ValueError
            If `x` has another shape or values outside [0, 1], `length`, `seed` or `bits_per_step` is
            out of range, or a parameter is not finite.

        Warns
        -----
        SilentLayerWarning
            If no neuron of a layer fires in the first pass in training mode.
        PeriodWarning
            If the numbers of a source rise through more steps than the streams have, as in `simulate`.

        Examples
        --------
        Spike trains as inputs, and 8 bits of each weight per time step:

        >>> import numpy as np
        >>> import torch
        >>> from sc_neurocore import Bitstream, simulate
        >>> from sc_neurocore.training import SCLinear, SCNetwork, to_network
        >>> _ = torch.manual_seed(1)
        >>> trains = Bitstream.from_bits(np.arange(80).reshape(1, 4, 20) % 3 == 0)
        >>> model = SCNetwork(SCLinear(4, 8, gain=2.0), SCLinear(8, 2, gain=2.0)).eval()
        >>> counts, _ = model.run(trains, seed=1, bits_per_step=8)
        >>> result = simulate(to_network(model), trains, seed=1, bits_per_step=8)
        >>> np.array_equal(counts.detach().numpy(), result.counts)
        True
        """
        k = _checks.integer("bits_per_step", bits_per_step, 1, 2**20)
        with torch.autocast(self.layers[0].weight.device.type, enabled=False):
            return self._run(x, length, seed, source, k, sampled)

    def _run(
        self,
        x: Tensor | InputLike,
        length: int | None,
        seed: int | None,
        source: Sources,
        k: int,
        sampled: bool,
    ) -> Outputs:
        if isinstance(x, Tensor) and (x.is_complex() or x.is_meta or x.layout != torch.strided):
            _checks.wrong_type("x", "be a dense tensor of real numbers", x)
        _checks.instance("sampled", sampled, bool)
        given = _array(x) if isinstance(x, Tensor) else x
        first = self.layers[0]
        is_conv = isinstance(first, SCConv2d)
        image = (int(first.weight.shape[1]), *first.input_size) if is_conv else None
        inputs = Inputs.of_size("x", given, first.n_in, batched=True, image=image)
        steps = inputs.steps(length)
        if seed is None:
            seed = int(torch.randint(2**63 - 1, ()))
        of_inputs, *of_weights = operands(source, 1 + len(self.layers))
        for number, layer in enumerate(self.layers):
            layer.check(f"layers[{number}]")
        k = k if sampled else 1
        rows = len(inputs) if self.independent and self.training else 1
        spikes = _means(inputs, x, steps, self.layers[0].weight)
        bits = 1  # elements of inputs and weights per time step
        if sampled and not isinstance(inputs.values, Bitstream):
            bits = k
            spikes = _encoded(inputs.values, spikes, k, stream_key(seed, Role.INPUT), of_inputs, rows)
        starts = self.training and not self._has_started
        self._has_started |= starts and bool(spikes.any())
        for number, (layer, weight_source) in enumerate(zip(self.layers, of_weights, strict=True)):
            if self.training:
                layer.project()
            if sampled:
                key = stream_key(seed, Role.WEIGHT, number)
                matrix = layer.sampled(steps, key, weight_source, k, sums=bits < k)
                noise = layer.noise(steps, rows, stream_key(seed, Role.NOISE, number))
            else:
                matrix, noise = layer.matrix().expand(steps, -1, -1), None
            before = spikes
            spikes, potentials, drive = layer.fire(before, matrix, noise, k, bits)
            bits = 1
            if starts and before.any() and not spikes.any():
                self._warn_of_silence(number, drive.mean(0) / k, steps)
                starts = False
        return Outputs(spikes.sum(0), potentials)

    def _warn_of_silence(self, number: int, drive: Tensor, length: int) -> None:
        """Warn that a layer has not fired, with the reason and a remedy, unless it is a readout."""
        layer = self.layers[number]
        means = _array(drive.max(0).values)
        gains = np.broadcast_to(_array(layer.gain), (len(layer.weight),)).repeat(layer.positions)
        alone = layer.neuron
        each = [alone] if alone.n_neurons is None else [alone[j] for j in range(alone.n_neurons)]
        of_rows = np.broadcast_to([rheobase(neuron) for neuron in each], (len(layer.weight),))
        all_needed = of_rows.repeat(layer.positions)
        j = int((gains * means - all_needed).argmax())
        gain, mean, needed = float(gains[j]), float(means[j]), float(all_needed[j])
        if needed == math.inf:
            return
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
    ValueError
        If its layers are not a chain.
    """
    _checks.instance("network", network, Network)
    require_chain("network", network, "trained")
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


@lru_cache(maxsize=64)
def _neuron_of_each(neuron: LIF, positions: int) -> LIF:
    """Return the parameters of the neurons at all positions, from those of the rows of weights."""
    if neuron.n_neurons is None or positions == 1:
        return neuron
    values = {name: getattr(neuron, name) for name in LIF.__dataclass_fields__}
    arrays: dict[str, Any] = {
        name: v.repeat(positions) for name, v in values.items() if isinstance(v, np.ndarray)
    }
    return replace(neuron, **arrays)


def _means(inputs: Inputs, x: Any, steps: int, like: Tensor) -> Tensor:
    """Return densities or spikes at each time step, (time, batch, n_in), in float32 or float64."""
    values = inputs.values
    if isinstance(values, Bitstream):
        return _unpacked(values, _widened(like.detach()))
    given = x.reshape(values.shape) if isinstance(x, Tensor) else torch.tensor(values)
    densities = _widened(given.to(like))
    return densities.permute(2, 0, 1) if values.ndim == 3 else densities.expand(steps, -1, -1)


def _encoded(
    values: NDArray[np.float64], means: Tensor, k: int, key: int, source: Source, rows: int
) -> Tensor:
    """Return the bits of densities, (time, batch, n_in), with k bits per time step.

    Parameters
    ----------
    values : ndarray, shape (batch, n_in) or (batch, n_in, steps)
        Densities in float64, which are compared with the numbers.
    means : Tensor, shape (steps, batch, n_in)
        The densities, to which gradients pass.
    k, key, source
    rows : int
        Rows with numbers of their own: as many as the batch has, or 1 if all share them.
    """
    steps, streams = len(means), lane_streams(rows, values.shape[1])
    if values.ndim == 2:
        bits = _unpacked(encode(values, steps * k, key=key, source=source, streams=streams), means)
    else:
        warn_of_rise(source, streams.ravel(), steps * k)
        numbers = source.numbers(streams, steps * k, key=key).reshape(*streams.shape, steps, k)
        ones = numbers < source.thresholds(values)[..., np.newaxis]
        bits = torch.from_numpy(ones).permute(2, 3, 0, 1).to(means).flatten(0, 1)
    by_step = bits.unflatten(0, (steps, k))
    return Bits.apply(means[:, None].expand(by_step.shape), by_step).flatten(0, 1)


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
    """Return bits in the type of a tensor, time first: (length, *shape)."""
    return _octet_bits(stream).view(-1, *stream.shape).to(like.device, like.dtype)


def _octet_bits(stream: Bitstream) -> Tensor:
    """Return bits as octets, time first: (length, number of streams).

    Transposing octets before unpacking them is about three times as fast as `streams._bits.unpack`,
    which puts time last, and a transposition of bits.
    """
    octets = stream.words.reshape(-1, stream.words.shape[-1]).astype("<u8", copy=False).view(np.uint8)
    rows = octets[:, : -(-stream.length // 8)].T.copy()
    shifts = torch.arange(8, dtype=torch.uint8)[:, None]
    bits = (torch.from_numpy(rows)[:, None] >> shifts) & 1
    return bits.flatten(0, 1)[: stream.length]


def _sums_of_bits(stream: Bitstream, k: int, like: Tensor) -> Tensor:
    """Return the sums of each k bits in the type of a tensor, time first: (length // k, *shape)."""
    n, steps = math.prod(stream.shape), stream.length // k
    words = stream.words.reshape(n, -1)
    sums = torch.empty((steps, n), dtype=like.dtype, device=like.device)
    unit = math.gcd(k, 64)  # bits that are counted together
    some = 64 // unit * max(_BITS * unit // (64 * n * k), 1)  # steps whose bits fill whole words
    for first in range(0, steps, some):
        last = min(first + some, steps)
        part = words[:, first * k // 64 : -(-last * k // 64)]
        if unit < 8:
            bits = _octet_bits(Bitstream(part.copy(), (last - first) * k))
            sums[first:last] = bits.view(last - first, k, n).sum(1, dtype=torch.int32)
            continue
        pieces = part.astype("<u8").view(f"<u{unit // 8}")[:, : (last - first) * k // unit]
        counts = np.bitwise_count(pieces).reshape(n, last - first, k // unit)
        total = counts.sum(2, dtype=np.int32) if k > unit else counts[:, :, 0]
        sums[first:last] = torch.from_numpy(total).T
    return sums.view(steps, *stream.shape)


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
