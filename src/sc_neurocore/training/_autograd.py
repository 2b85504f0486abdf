"""Products and neurons as functions with gradients, for PyTorch. Native kernels do the work.

The gradient of a bit is passed to its mean ("straight-through"; Bengio, Leonard, Courville 2013). The
surrogate gradient of a spike is the slope of a fast sigmoid (Zenke, Ganguli 2018; Neftci, Mostafa,
Zenke 2019). Gradients are computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils._pytree import tree_map

from sc_neurocore import _native
from sc_neurocore._types import Words
from sc_neurocore.neurons import LIF
from sc_neurocore.streams._bits import delayed, ones
from sc_neurocore.training._spikes import Spikes, sums_of_bits

# What a product is differentiated with: the means of operands that are constant in time, or the bits.
Gradient = Literal["means", "bits"]

# Gradients of spikes that are computed at once: they stay in the second-level cache.
_AT_ONCE = 2**18


class Geometry(Protocol):
    """How inputs reach the neurons of a layer."""

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        ...

    @property
    def positions(self) -> int:
        """Number of neurons per row of weights."""
        ...

    @property
    def places(self) -> NDArray[np.int32] | None:
        """Inputs of each position, (positions, columns of the matrix), or None for all in order.

        One more than the last input is zero, and two more is always on.
        """
        ...

    def inputs_of(self, matrix: Tensor, channels: int) -> Callable[[Tensor], Tensor]:
        """Return the function from gradients of sums to those of inputs, (batch, steps, n_in).

        Sums are in the order (position, row of the matrix), inputs in that of a link, (position,
        channel). The matrix has the weights of all steps, (n_rows, fan_in), or of each,
        (steps, n_rows, fan_in).
        """
        ...


@dataclass(frozen=True, eq=False)
class Weights:
    """Bits of the weights of a pass.

    Attributes
    ----------
    key : int
    codes : ndarray of int64, shape (fan_in, n_rows)
        Weights of inputs and bias, as the native core takes them.
    words : ndarray of uint64, shape (n_rows, fan_in, n_words), or None
        Packed bits, without signs; None if the kernel makes them.
    make : callable
        Returns these words.
    own : ndarray of uint64, shape (n_rows, n_rows, n_words), or None
        Packed bits of the recurrent weights.
    k : int
        Bits per time step.
    """

    key: int
    codes: NDArray[np.int64]
    words: Words | None
    make: Callable[[], Words]
    own: Words | None
    k: int

    def signed_sums(self, steps: int, like: Tensor) -> Tensor:
        """Return the sums of the bits of each step with their signs, (steps, n_rows, fan_in)."""
        words = self.make() if self.words is None else self.words
        signs = torch.from_numpy(np.sign(self.codes.T)).to(like)
        return sums_of_bits(words, self.k, steps, like) * signs


class Later(Tensor):
    """The gradient of a link, computed when it is used; for some images at a time where that pays.

    A gradient of all images at all steps is the largest array of a pass. Every operation of PyTorch on
    this one computes it.
    """

    rows: Callable[[slice], Tensor]

    @staticmethod
    def of(sums: Tensor, n: int, dtype: torch.dtype, rows: Callable[[slice], Tensor]) -> Later:
        """Return a gradient (batch, steps, n) next to that of sums; ``rows`` returns some images."""
        shape = (*sums.shape[:2], n)
        later: Later = Tensor._make_wrapper_subclass(Later, shape, dtype=dtype, device=sums.device)
        later.rows = rows
        return later

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute the gradient and call the function."""

        def now(value: Any) -> Any:
            if isinstance(value, Later):
                return value.rows(slice(0, len(value))).to(value.dtype)
            return value

        return function(*tree_map(now, args), **tree_map(now, kwargs or {}))


class Bits(torch.autograd.Function):
    """Bits, or sums of bits, in place of their means; gradients pass to the means unchanged."""

    @staticmethod
    def forward(ctx: Any, means: Tensor, bits: Tensor) -> Tensor:
        """Return the bits, which have the shape of the means."""
        return bits.view_as(bits)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        """Return the gradient of the means."""
        return (grad if ctx.needs_input_grad[0] else None), None


class Products(torch.autograd.Function):
    """Sums of products of packed inputs with the bits of weights.

    Sums are whole numbers, which stay in an array, and a link carries their gradients.
    """

    @staticmethod
    def forward(
        ctx: Any,
        link: Tensor,
        means: Tensor | None,
        matrix: Tensor,
        spikes: Spikes,
        weights: Weights,
        geometry: Geometry,
        gradient: Gradient,
    ) -> tuple[Tensor, NDArray[Any]]:
        """Return the link, and the sums (batch, steps, n_out) in the smallest type that is exact.

        Neurons are in the order (position, row of the matrix). The link has one step if only gradients
        that are summed over time are needed.

        The matrix (n_rows, fan_in) has the weights in [-1, 1], of which the bits are used. A column
        more than a patch has inputs is a bias.
        """
        k, places, positions = weights.k, geometry.places, geometry.positions
        sums: NDArray[Any]
        if k * sum(matrix.shape) <= 2**24:
            sums = _native.training_sums(
                weights.key, spikes.words, spikes.bits, weights.codes, weights.words, k, spikes.steps,
                places,
            )  # fmt: skip
        else:
            sums = _native.dense_sums(
                weights.key, _at_places(spikes, places), spikes.bits, 0, weights.codes, weights.words,
                False, k, 0, 0, spikes.steps * k,
            )  # fmt: skip
            sums = by_image(sums, positions)
        ctx.save_for_backward(matrix, means)
        by_means = gradient == "means" and means is not None
        # What the way back does not need is let go.
        ctx.of_bits = None if by_means or not ctx.needs_input_grad[2] else (spikes.words, spikes.bits)
        ctx.of_pass = spikes.steps, spikes.channels, weights, geometry, gradient
        in_total = by_means and weights.own is None and not ctx.needs_input_grad[0]
        steps = 1 if in_total else spikes.steps
        batch, _, n = sums.shape
        return torch.zeros((), device=link.device).expand(batch, steps, n), sums

    @staticmethod
    def backward(ctx: Any, of_sums: Tensor, _: None) -> tuple[Tensor | None, ...]:
        """Return the gradients of the link and of the matrix."""
        with torch.autocast(of_sums.device.type, enabled=False):
            return Products._gradients(ctx, of_sums)

    @staticmethod
    def _gradients(ctx: Any, of_sums: Tensor) -> tuple[Tensor | None, ...]:
        matrix, means = ctx.saved_tensors
        steps, channels, weights, geometry, gradient = ctx.of_pass
        of_sums, k = of_sums.float(), weights.k
        of_link = of_matrix = None
        if ctx.needs_input_grad[2]:
            if ctx.of_bits is None:
                of_matrix = scaled(_by_means(of_sums, means, matrix, geometry), k)
            else:
                words, bits = ctx.of_bits
                of_matrix = product_gradients(of_sums, words, bits, k, geometry.places)
            of_matrix = of_matrix.to(matrix.dtype)
        if ctx.needs_input_grad[0]:
            if gradient == "means":
                weighted = scaled(matrix.float(), k)
            else:
                weighted = weights.signed_sums(steps, of_sums)
            of_inputs = geometry.inputs_of(weighted, channels)
            of_link = Later.of(
                of_sums, geometry.n_in, matrix.dtype, lambda images: of_inputs(of_sums[images])
            )
        return of_link, None, of_matrix, None, None, None, None


def product_gradients(
    of_sums: Tensor, x: Words, bits: int, k: int, places: NDArray[np.int32] | None
) -> Tensor:
    """Return the gradients of weights, (n_rows, n_in): those of the sums at the ones of the inputs."""
    of_drive = np.ascontiguousarray(of_sums.cpu().numpy())
    of_matrix = _native.product_gradients(of_drive, x, bits, places)
    return scaled(torch.from_numpy(of_matrix).T.to(of_sums.device), k if bits == 1 else 1)


def scaled(values: Tensor, k: int) -> Tensor:
    """Return k times the values, themselves if k is 1."""
    return values if k == 1 else values * k


def by_image(y: NDArray[Any], positions: int) -> NDArray[Any]:
    """Return values (rows, steps, n_rows) of positions as (batch, steps, positions * n_rows)."""
    rows, steps, n = y.shape
    each = y.reshape(rows // positions, positions, steps, n).swapaxes(1, 2)
    return np.ascontiguousarray(each).reshape(-1, steps, positions * n)


def _at_places(spikes: Spikes, places: NDArray[np.int32] | None) -> Words:
    """Return the packed inputs of each position, (batch * positions, fan_in, n_words)."""
    x = spikes.words
    if places is None:
        return x
    on = ones((len(x), 1), spikes.steps * spikes.bits)
    every = np.concatenate([x, np.zeros_like(on), on], axis=1)
    return every[:, places].reshape(-1, places.shape[1], x.shape[2])


def _by_means(of_sums: Tensor, means: Tensor, matrix: Tensor, geometry: Geometry) -> Tensor:
    """Return the gradients of weights by the densities (batch, n_in) of their inputs."""
    total = of_sums[:, 0] if of_sums.shape[1] == 1 else of_sums.sum(1)
    total = total.reshape(len(of_sums) * geometry.positions, -1)
    x, places = means.detach().float(), geometry.places
    if places is not None:
        every = functional.pad(functional.pad(x, (0, 1)), (0, 1), value=1.0)
        at = torch.from_numpy(places.ravel()).to(x.device)
        x = every.index_select(1, at).view(-1, matrix.shape[1])
    return total.T @ x.to(total)


@dataclass(frozen=True, eq=False)
class Population:
    """The neurons of a layer in a pass.

    Attributes
    ----------
    neuron : LIF
        Of each row of weights.
    geometry : Geometry
    k : int
        Bits per time step, over which a neuron receives the mean.
    own : ndarray of uint64 or None
        Packed bits of recurrent weights, as in `Weights`; None without them and for real numbers.
    noise_key : int
    own_noise : bool
        Whether each image has noise of its own.
    surrogate : float
        Width of the slope of a spike, in units of ``v_threshold - v_reset``.
    gradient : {"means", "bits"}
    """

    neuron: LIF
    geometry: Geometry
    k: int
    own: Words | None
    noise_key: int
    own_noise: bool
    surrogate: float
    gradient: Gradient


class Neurons(torch.autograd.Function):
    """LIF neurons over a sequence, from the sums of products of each step."""

    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        gain: Tensor,
        recurrent: Tensor | None,
        leak: Tensor | None,
        syn_leak: Tensor | None,
        v_threshold: Tensor | None,
        of_pass: Population,
        sums: NDArray[Any] | None,
    ) -> tuple[Tensor, Tensor, Words]:
        """Return the link and the last potentials (batch, n_out), and the packed spikes.

        The drive is the link of the sums (batch, steps, n_out), or real numbers that stand for both. It
        is in the order (position, channel), as are the link and the potentials. Sums are changed: those
        of own spikes are added. Spikes are in the order (channel, position). `leak`, `syn_leak` and
        `v_threshold`, one for each channel, are None unless they are learned; their values are those of
        the neuron.
        """
        k, positions = of_pass.k, of_pass.geometry.positions
        if sums is None:
            sums = np.ascontiguousarray(drive.detach().cpu().numpy())
        batch, steps, n = sums.shape
        channels = n // positions
        gains = np.empty(n)
        gains.reshape(positions, channels)[:] = gain.detach().cpu().numpy() / k
        neuron, parameters = of_pass.neuron, of_pass.neuron.parameters
        if len(parameters) > 1:
            parameters = parameters * positions
        v = np.empty((batch, n))
        v.reshape(batch, positions, channels)[:] = neuron.v_rest
        senders = None
        if recurrent is not None:
            senders = np.ascontiguousarray(recurrent.detach().double().cpu().numpy().T)
        words = _native.training_neurons(
            parameters, of_pass.noise_key, of_pass.own_noise, channels, sums, gains, senders,
            of_pass.own, k, v,
        )  # fmt: skip
        ctx.save_for_backward(gain, recurrent)
        ctx.of_pass = of_pass, parameters, sums, gains, None if recurrent is None else words
        ctx.of_drive = drive.dtype, drive.shape[1] < steps
        ctx.set_materialize_grads(False)
        potentials = torch.from_numpy(v).to(drive.device)
        link = torch.zeros((), device=drive.device).expand(batch, steps, n)
        return link, potentials, _channels_first(words, channels)

    @staticmethod
    def backward(
        ctx: Any, of_link: Tensor | None, of_potentials: Tensor | None, _: None
    ) -> tuple[Tensor | None, ...]:
        """Propagate gradients through time; none pass through a reset."""
        gain, recurrent = ctx.saved_tensors
        of_pass, parameters, sums, gains, words = ctx.of_pass
        kind, totals = ctx.of_drive
        k, positions = of_pass.k, of_pass.geometry.positions
        batch, steps, n = sums.shape
        channels = n // positions
        of_v = np.zeros((batch, n), np.float32) if of_potentials is None else _floats(of_potentials)
        weights = None
        if recurrent is not None:
            weights = _floats(recurrent[None] * k)
            if of_pass.gradient == "bits" and of_pass.own is not None:
                own = sums_of_bits(of_pass.own, k, steps, recurrent.float())
                weights = _floats(own * recurrent.sign())
        learned = any(ctx.needs_input_grad[3:6])
        if sums.dtype == np.float64:
            sums = sums.astype(np.float32)
        parts = [slice(0, batch)]
        if isinstance(of_link, Later) and of_pass.noise_key == 0:  # noise depends on the image
            size = max(_AT_ONCE // (steps * n), 1)
            parts = [slice(i, i + size) for i in range(0, batch, size)]
        results = [
            _native.neuron_gradients(
                parameters, of_pass.noise_key, of_pass.own_noise, channels, of_pass.surrogate,
                sums[part], gains, _of_spikes(of_link, part, of_v), of_v[part], weights, learned,
                totals,
            )
            for part in parts
        ]  # fmt: skip
        of_drive, of_gain, of_parameters = results[0]
        if len(results) > 1:
            of_drive, of_gain, of_parameters = map(np.concatenate, zip(*results, strict=True))
        device = gain.device
        of_sums = torch.from_numpy(of_drive).to(device)
        of_recurrent = None
        if ctx.needs_input_grad[2]:
            before = delayed(words, 1, steps)
            of_recurrent = product_gradients(of_sums, before, 1, k, None).to(recurrent.dtype)
        of_gains = _of_channels(of_gain, channels).to(gain.device) / k
        each = [
            _of_channels(of_parameters[:, i], channels).to(gain.device) if wanted else None
            for i, wanted in enumerate(ctx.needs_input_grad[3:6])
        ]
        return (
            of_sums.to(kind),
            of_gains if gain.ndim else of_gains.sum(),
            of_recurrent,
            *each,
            None,
            None,
        )


def _of_spikes(of_link: Tensor | None, images: slice, of_v: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gradients of the spikes of some images, (images, steps or 1, n_out)."""
    if of_link is None:
        return np.zeros_like(of_v[images, np.newaxis])
    if isinstance(of_link, Later):
        return _floats(of_link.rows(images))
    # A gradient that is the same at all steps, as that of a count, is passed once.
    return _floats((of_link[:, :1] if of_link.stride(1) == 0 else of_link)[images])


def _of_channels(values: NDArray[np.float32], channels: int) -> Tensor:
    """Return the sums over images and positions of values (batch, n_out)."""
    total: Tensor = torch.from_numpy(values.sum(0, np.float64))
    return total if len(total) == channels else total.view(-1, channels).sum(0)


def _channels_first(y: NDArray[Any], channels: int) -> NDArray[Any]:
    """Return values (batch, n_out, ...) of the order (position, channel) in (channel, position)."""
    if channels == y.shape[1]:
        return y
    each = y.reshape(len(y), -1, channels, *y.shape[2:]).swapaxes(1, 2)
    return np.ascontiguousarray(each).reshape(y.shape)


def _floats(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.detach().float().cpu().numpy())
