"""What trainable layers have in common: weights, gains, and parameters of neurons that are learned."""

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

from sc_neurocore import _checks, _native
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

_DIVERGED = "training has diverged: lower the learning rate or clip the gradients"

# Width of the slope of a spike, in units of v_threshold - v_reset.
SURROGATE = 0.5

Learned = Literal["gain", "delay", "tau_mem", "tau_syn", "v_threshold"]
GAIN: tuple[Learned, ...] = ("gain",)


class TrainedLayer(nn.Module, ABC):
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
        return as_array(self.steps_late.round().clamp(min=0)).astype(np.int64)

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
        return self.gain.item() if self.gain.ndim == 0 else as_array(self.gain)

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
        learned: dict[str, Any] = {name: as_array(values) for name, values in now.items()}
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
            values = as_array(matrix)
            whole = values if recurrent is None else np.concatenate([values, as_array(recurrent)], 1)
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
        wanted = as_array(self.steps_late)
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
        return exact_sums(self.to_layer(), as_array(x).reshape(-1, n_in)).reshape(
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


def drawn_seed() -> int:
    """Return a seed from PyTorch's generator."""
    return int(torch.randint(2**63 - 1, ()))


def widened(values: Tensor) -> Tensor:
    """Return values in float32 or float64: sums of spikes would be rounded in half precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _tensor(values: Any, like: Tensor) -> Tensor:
    """Return a parameter of neurons as a tensor of the type of another."""
    return torch.as_tensor(np.asarray(values), dtype=like.dtype, device=like.device)


def as_array(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.detach().double().cpu().numpy())


def clipped(weights: Tensor) -> NDArray[np.float64]:
    return np.clip(as_array(weights), -1.0, 1.0)


def clipped_if_any(weights: Tensor | None) -> NDArray[np.float64] | None:
    return None if weights is None else clipped(weights)
