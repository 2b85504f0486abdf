"""Trainable layers: weights, gains, and the parameters of neurons that are learned."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from sc_neurocore import _checks, _native
from sc_neurocore.networks import Conv2d, Dense
from sc_neurocore.networks.layers import Layer, exact_sums
from sc_neurocore.neurons import LIF
from sc_neurocore.streams import Bernoulli, Role, Source, operands, stream_key
from sc_neurocore.streams.keys import lane_streams
from sc_neurocore.streams.source import Sources
from sc_neurocore.training._autograd import (
    Bits,
    Gradient,
    Neurons,
    Population,
    Products,
    Weights,
)
from sc_neurocore.training._spikes import LearnedShift, Spikes

__all__ = ["SCConv2d", "SCLinear"]

_DIVERGED = "training has diverged: lower the learning rate or clip the gradients"

# Width of the slope of a spike, in units of v_threshold - v_reset.
_SURROGATE = 0.5

# Channels of gradients of inputs are in vectors of so many.
_BLOCK = 16

Learned = Literal["gain", "delay", "tau_mem", "tau_syn", "v_threshold"]
_GAIN: tuple[Learned, ...] = ("gain",)


class _Layer(nn.Module, ABC):
    """Common part of the layers: weights in [-1, 1], and what else is learned.

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
        learn: Collection[Learned],
        surrogate: float,
        sampled: bool,
    ) -> None:
        super().__init__()
        _checks.instance("neuron", neuron, LIF)
        _checks.instance("bias", bias, bool)
        learned = (learn,) if isinstance(learn, str) else tuple(learn)
        for name in learned:
            _checks.choice("learn", name, get_args(Learned))
        self.neuron, self.sampled = neuron, sampled
        self.surrogate = _checks.positive("surrogate", surrogate)
        self.weight = nn.Parameter(torch.rand(shape) - 0.5)
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        # The learned part is a factor, so an unlearned gain equals the given one to the last bit.
        given = gain.detach().cpu() if isinstance(gain, Tensor) else gain
        of_rows = np.ndim(given) > 0
        checked = _checks.array("gain", given, [1]) if of_rows else _checks.positive("gain", given)
        initial = torch.tensor(checked, dtype=torch.float64)
        self.initial_gain: Tensor
        self.register_buffer("initial_gain", initial)
        self.log_factor = nn.Parameter(torch.zeros(initial.shape), requires_grad="gain" in learned)
        for name in ("tau_mem", "tau_syn", "v_threshold"):
            values = np.asarray(getattr(neuron, name), np.float64)
            if name in learned and not (np.isfinite(values) & (values != 0)).all():
                contract = f"have {name} finite and not 0, if it is learned"
                _checks.fail("neuron", contract, getattr(neuron, name))
            factor = nn.Parameter(torch.zeros(shape[0], dtype=torch.float64))
            setattr(self, f"log_{name}", factor if name in learned else None)
        self._delay: Any = delay
        self.steps_late: nn.Parameter | None = None
        self.learns_delay = "delay" in learned
        if self.learns_delay and not sampled:
            _checks.fail("learn", "name no delay for a layer with sampled=False", learn)

    def _keep_delay(self, delay: ArrayLike) -> None:
        """Make the delays a parameter if they are learned, after the layer was checked."""
        if self.learns_delay:
            late = np.broadcast_to(np.asarray(delay, np.float64), (self.n_in,))
            self.steps_late = nn.Parameter(torch.tensor(late, dtype=torch.get_default_dtype()))

    @property
    def delay(self) -> Any:
        """Delay of the inputs in whole time steps, as the layer was given or has learned it."""
        if self.steps_late is None:
            return self._delay
        return _array(self.steps_late.round().clamp(min=0)).astype(np.int64)

    @property
    def gain(self) -> Tensor:
        """Current of one spike through a weight of 1, float64: a scalar, or one per row of weights."""
        return self.initial_gain * self.log_factor.double().exp()

    @property
    @abstractmethod
    def positions(self) -> int:
        """Number of neurons per row of weights."""

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

    @property
    @abstractmethod
    def places(self) -> NDArray[np.int32] | None:
        """Inputs of each position and its bias, or None for all in order, as the kernels take them."""

    @abstractmethod
    def inputs_of(self, matrix: Tensor, channels: int) -> Callable[[Tensor], Tensor]:
        """Return the function from gradients of sums to those of inputs, (batch, steps, n_in).

        Sums are in the order (position, row of the matrix), inputs in that of a link, (position,
        channel). The matrix has the weights of all steps, (n_rows, fan_in), or of each,
        (steps, n_rows, fan_in).
        """

    @abstractmethod
    def _sums_of(self, x: Tensor, matrix: Tensor) -> Tensor:
        """Return the sums of products (batch, steps, n_out) of real inputs (batch, steps, n_in).

        The matrix is that of `inputs_of`; its bias is included. Sums are in the order of its rows at
        each position.
        """

    def check(self, name: str) -> None:
        """Raise ValueError unless all parameters are finite and the gain is greater than 0."""
        for part, values in self._parameters.items():
            if values is None:
                continue
            # A sum is not finite if a value is not; the reverse needs another look.
            if math.isfinite(values.detach().sum()) or values.isfinite().all():
                continue
            for at in (~values.isfinite()).nonzero()[:1].tolist():
                where = f" at index {at[0] if len(at) == 1 else tuple(at)}" if at else ""
                given = f"{values[tuple(at)].item()}{where}"
                _checks.fail(f"{name}.{part}", "be finite", given, _DIVERGED)
        for gain in self._gains():
            if not 0 < gain < math.inf:
                _checks.fail(f"{name}.gain", "be finite and greater than 0", gain, _DIVERGED)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move or convert the layer; the initial gain keeps its type, float64, so it is not rounded."""
        initial = self.initial_gain
        super()._apply(fn, recurse)
        self.initial_gain = initial.to(self.weight.device)
        return self

    def _gain_of_layer(self) -> float | NDArray[np.float64]:
        """Return the gain of a `Dense` or `Conv2d`."""
        return self.gain.item() if self.gain.ndim == 0 else _array(self.gain)

    def _learned(self) -> dict[str, Tensor]:
        """Return the learned parameters of neurons, each of shape (n_rows,)."""
        neuron, learned = self.neuron, {}
        if self.log_tau_mem is not None:
            learned["tau_mem"] = _tensor(neuron.tau_mem, self.log_tau_mem) * self.log_tau_mem.exp()
        if self.log_tau_syn is not None:
            learned["tau_syn"] = _tensor(neuron.tau_syn, self.log_tau_syn) * self.log_tau_syn.exp()
        if self.log_v_threshold is not None:
            rest = _tensor(neuron.v_rest, self.log_v_threshold)
            above = _tensor(neuron.v_threshold, rest) - rest
            learned["v_threshold"] = rest + above * self.log_v_threshold.exp()
        return learned

    def lif(self, learned_now: dict[str, Tensor] | None = None) -> LIF:
        """Return the parameters of the neurons, with those that are learned as they are now."""
        now = self._learned() if learned_now is None else learned_now
        learned: dict[str, Any] = {name: _array(values) for name, values in now.items()}
        for name in ("tau_mem", "tau_syn"):
            if name in learned:
                learned[name] = np.maximum(learned[name], self.neuron.dt)
        return replace(self.neuron, **learned) if learned else self.neuron

    def _gains(self) -> list[float]:
        """Return the gain, or those of each row of weights, without gradients."""
        with torch.no_grad():
            return self.gain.reshape(-1).tolist()  # type: ignore[no-any-return]

    def _shown(self) -> str:
        low, high = self.gain.min().item(), self.gain.max().item()
        gain = f"gain={low:.4g}" if self.gain.ndim == 0 else f"gain {low:.4g} to {high:.4g}"
        return f"{gain}, neuron={self.neuron}" + ("" if self.sampled else ", sampled=False")

    def _weights(self) -> Tensor:
        """Return the weights and the bias clipped to [-1, 1], one row per output, at least float32."""
        columns = self.weight if self.weight.ndim == 2 else self.weight.flatten(1)
        if self.bias is not None:
            columns = torch.cat([columns, self.bias[:, None]], 1)
        # In training mode `project` has clipped them. The copy outlasts an optimizer's next step.
        return widened(columns.clone() if self.training else columns.clamp(-1, 1))

    def _recurrent(self) -> Tensor | None:
        """Return the recurrent weights clipped to [-1, 1], in at least float32."""
        return None

    @torch.no_grad()
    def project(self) -> None:
        """Clip the weights to [-1, 1] in place, and learned times to those that neurons can have."""
        for weights in (self.weight, self.bias):
            if weights is not None:
                weights.clamp_(-1, 1)
        if self.steps_late is not None:
            self.steps_late.clamp_(min=0)
        for name, factor in (("tau_mem", self.log_tau_mem), ("tau_syn", self.log_tau_syn)):
            if factor is not None:
                initial = _tensor(getattr(self.neuron, name), factor)
                factor.copy_(torch.maximum(factor, (self.neuron.dt / initial).log()))

    def _weight_bits(self, matrix: Tensor, steps: int, k: int, key: int, source: Source) -> Weights:
        """Return the bits of the weights of a pass."""
        recurrent, fan_in = self._recurrent(), matrix.shape[1]
        words = own = None

        def make() -> NDArray[np.uint64]:
            values = _array(matrix)
            whole = values if recurrent is None else np.concatenate([values, _array(recurrent)], 1)
            thresholds = source.thresholds(abs(whole)).reshape(1, -1)
            streams = lane_streams(*whole.shape).ravel()
            bits = source.words(thresholds, streams, steps * k, key=key)
            return np.asarray(bits.reshape(*whole.shape, -1))

        if recurrent is not None or source != Bernoulli():
            made = make()
            words = np.ascontiguousarray(made[:, :fan_in])
            own = np.ascontiguousarray(made[:, fan_in:]) if recurrent is not None else None
        codes = _native.codes(np.ascontiguousarray(matrix.detach().cpu().numpy()))
        return Weights(key, codes, words, make, own, k)

    def late(self, x: Spikes, seed: int, number: int) -> Spikes:
        """Return the inputs after their delays; in training mode learned ones are rounded at random."""
        if self.steps_late is None:
            if not np.any(self._delay):
                return x
            return x.delayed(np.broadcast_to(np.asarray(self._delay, np.int64), (self.n_in,)))
        wanted = _array(self.steps_late)
        steps = np.rint(wanted)
        if self.training:
            key = stream_key(seed, Role.SELECT, number)
            numbers = Bernoulli().numbers(np.arange(self.n_in), 1, key=key)[:, 0]
            steps = np.floor(wanted) + (numbers / 2**32 < wanted - np.floor(wanted))
        late = x.delayed(steps.astype(np.int64))
        link = LearnedShift.apply(x.channels_first().link, self.steps_late, steps.astype(np.int64), x)
        return Spikes(late.words, x.steps, x.bits, link)

    def fire(
        self,
        x: Spikes | Tensor,
        steps: int,
        seed: int,
        number: int,
        *,
        source: Source = Bernoulli(),
        k: int = 1,
        sampled: bool = True,
        independent: bool = False,
        gradient: Gradient = "means",
    ) -> tuple[Spikes, Tensor, NDArray[Any]]:
        """Return the spikes of the layer, its last potentials, and its sums (batch, steps, n_out).

        Potentials and sums are in the order of the link of the spikes.

        Parameters
        ----------
        x : Spikes or Tensor
            Inputs after their delays: packed, or real numbers of shape (batch, steps or 1, n_in).
        steps, seed : int
        number : int
            Number of the layer, on which its random numbers depend.
        source, k, sampled, independent, gradient
            Those of `SCNetwork`.
        """
        matrix, recurrent, own = self._weights(), self._recurrent(), None
        k, sums = k if sampled and self.sampled else 1, None
        if not (sampled and self.sampled):
            real = x if isinstance(x, Tensor) else x.tensor().transpose(0, 1)
            drive = self._sums_of(real.to(matrix.dtype), matrix)
            if not self.sampled:
                each = self._exact_sums(real)
                sums = np.broadcast_to(each, (len(real), steps, self.n_out)).copy()
        else:
            weights = self._weight_bits(matrix, steps, k, stream_key(seed, Role.WEIGHT, number), source)
            own = weights.own
            if isinstance(x, Spikes):
                drive, sums = Products.apply(x.link, x.means, matrix, x, weights, self, gradient)
            else:
                bits = weights.signed_sums(steps, matrix)
                drive = self._sums_of(x, Bits.apply((k * matrix).expand(bits.shape), bits))
        if sums is None:
            drive = drive.expand(-1, steps, -1)
        learned = self._learned()
        neuron = self.lif(learned)
        if not sampled:
            neuron = replace(neuron, noise_std=0.0)
        leak, syn_leak = (
            neuron.dt / learned[name] if name in learned else None for name in ("tau_mem", "tau_syn")
        )
        of_pass = Population(
            neuron=neuron,
            geometry=self,
            k=k,
            own=own,
            noise_key=stream_key(seed, Role.NOISE, number) if np.any(neuron.noise_std) else 0,
            own_noise=independent,
            surrogate=self.surrogate,
            gradient=gradient,
        )
        link, potentials, words = Neurons.apply(
            drive, self.gain, recurrent, leak, syn_leak, learned.get("v_threshold"), of_pass, sums
        )
        channels = len(self.weight) if self.positions > 1 else 1
        spikes = Spikes(words, steps, 1, link.to(matrix.dtype), channels=channels)
        return spikes, potentials, drive.detach().cpu().numpy() if sums is None else sums

    def _exact_sums(self, x: Tensor) -> NDArray[np.float64]:
        """Return the sums of products of `simulate`, of the shape and in the order of `_sums_of`."""
        batch, steps, n_in = x.shape
        return exact_sums(self.to_layer(), _array(x).reshape(-1, n_in)).reshape(
            batch, steps, self.n_out
        )

    @torch.compiler.disable
    def forward(
        self,
        x: Tensor,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        sampled: bool = True,
    ) -> Tensor:
        """Return the spikes of the layer, to combine it with other modules of PyTorch.

        Parameters
        ----------
        x : Tensor, shape (steps, batch, n_in)
            Spikes; or real numbers, for example after a dropout layer, which weigh the bits of the
            weights.
        seed : int, optional
            In ``[0, 2**128)``. By default each call draws one from PyTorch's generator.
        source : Source or tuple
            Source of random numbers; of one for inputs and one for weights, the second is used.
        bits_per_step, sampled
            Those of `SCNetwork.run`.

        Returns
        -------
        Tensor, shape (steps, batch, n_out)
            1 where a neuron fires, else 0.

        Raises
        ------
        ValueError
            If `x` has another shape, or a parameter is not finite.
        TypeError
            If `x` is no tensor.

        Examples
        --------
        >>> import torch
        >>> from sc_neurocore.training import SCLinear
        >>> _ = torch.manual_seed(0)
        >>> first, second = SCLinear(4, 8, gain=1.0), SCLinear(8, 2, gain=1.0)
        >>> x = (torch.rand(20, 3, 4) < 0.5).float()
        >>> second(torch.nn.functional.dropout(first(x), 0.2)).shape
        torch.Size([20, 3, 2])
        """
        _checks.instance("x", x, Tensor)
        if x.ndim != 3 or x.shape[2] != self.n_in or 0 in x.shape:
            _checks.fail("x", f"have shape (steps, batch, {self.n_in})", tuple(x.shape))
        k = _checks.integer("bits_per_step", bits_per_step, 1, 2**20)
        seed = drawn_seed() if seed is None else seed
        self.check("layer")
        if self.training:
            self.project()
        with torch.autocast(x.device.type, enabled=False):
            given = widened(x)
            binary = bool(((given == 0) | (given == 1)).all())
            late: Spikes | Tensor
            if binary:
                late = self.late(Spikes.of_tensor(given), seed, 0)
            elif self.steps_late is None and not np.any(self._delay):
                late = given.transpose(0, 1)
            else:
                _checks.fail("x", "be spikes, 0 or 1, for a layer with delays", "other numbers")
            spikes, _, _ = self.fire(
                late,
                len(x),
                seed,
                0,
                source=operands(source)[1],
                k=k,
                sampled=sampled,
                independent=self.training,
            )
            return spikes.tensor()


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
        learn: Collection[Learned] = _GAIN,
        surrogate: float = _SURROGATE,
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
            _clipped(self.weight),
            self._gain_of_layer(),
            self.lif(),
            bias=_clipped_if_any(self.bias),
            recurrent=_clipped_if_any(self.recurrent),
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
        learn: Collection[Learned] = _GAIN,
        surrogate: float = _SURROGATE,
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
            _clipped(self.weight),
            self.input_size,
            self._gain_of_layer(),
            self.lif(),
            bias=_clipped_if_any(self.bias),
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


def drawn_seed() -> int:
    """Return a seed from PyTorch's generator."""
    return int(torch.randint(2**63 - 1, ()))


def widened(values: Tensor) -> Tensor:
    """Return values in float32 or float64: sums of spikes would be rounded in half precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _tensor(values: Any, like: Tensor) -> Tensor:
    """Return a parameter of neurons as a tensor of the type of another."""
    return torch.as_tensor(np.asarray(values), dtype=like.dtype, device=like.device)


def _array(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.detach().double().cpu().numpy())


def _clipped(weights: Tensor) -> NDArray[np.float64]:
    return np.clip(_array(weights), -1.0, 1.0)


def _clipped_if_any(weights: Tensor | None) -> NDArray[np.float64] | None:
    return None if weights is None else _clipped(weights)
