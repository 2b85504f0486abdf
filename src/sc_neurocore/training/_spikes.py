"""Packed bits of a training pass with their gradients.

Bits and spikes stay packed, 64 time steps a word. Where PyTorch needs a tensor to carry gradients from
one function to the next, a `link` stands for them: a tensor of their shape without values of its own,
one zero that is seen at every index.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sc_neurocore import _checks, _native
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._wiring import Block
from sc_neurocore.streams import Bernoulli, Bitstream, Source, encode
from sc_neurocore.streams._bits import count_ones, delayed, n_words, pack, unpack
from sc_neurocore.streams.keys import lane_streams
from sc_neurocore.streams.source import warn_of_rise

_FEWER = "use smaller batches or fewer steps"

# Bits that are unpacked at once.
_UNPACKED = 2**24


@dataclass(frozen=True, eq=False)
class Spikes:
    """Bits of the inputs or the spikes of a layer in a pass.

    Attributes
    ----------
    words : ndarray of uint64, shape (batch, n, n_words)
    steps : int
        Time steps.
    bits : int
        Bits per time step: as many as a product has, or 1 for spikes, which hold for a whole step.
    link : Tensor, shape (batch, steps, n)
        Carries gradients; it has no values.
    means : Tensor or None, shape (batch, n)
        Densities of the bits if they are constant in time.
    channels : int
        If above 1, the link is in the order (position, channel), in which kernels and convolutions
        compute gradients. Everything else is in the order (channel, position).
    """

    words: Words
    steps: int
    bits: int
    link: Tensor
    means: Tensor | None = None
    channels: int = 1

    def channels_first(self) -> Spikes:
        """Return the spikes with a link of the order (channel, position)."""
        if self.channels == 1:
            return self
        link = Turn.apply(self.link, self.channels)
        return Spikes(self.words, self.steps, self.bits, link, self.means)

    def in_order(self, potentials: Tensor) -> Tensor:
        """Return potentials (batch, n) of the neurons, which have the order of the link."""
        if self.channels == 1:
            return potentials
        return potentials.unflatten(1, (-1, self.channels)).mT.flatten(1)

    def __getitem__(self, inputs: slice) -> Spikes:
        """Return some inputs of all rows."""
        words = np.ascontiguousarray(self.words[:, inputs])
        means = None if self.means is None else self.means[:, inputs]
        return Spikes(words, self.steps, self.bits, self.link[:, :, inputs], means)

    def delayed(self, steps: NDArray[np.int64]) -> Spikes:
        """Return the spikes with each input delayed by a number of steps."""
        if not steps.any():
            return self
        words = delayed(self.words, steps * self.bits, self.steps * self.bits)
        link = Shift.apply(self.channels_first().link, steps)
        return Spikes(words, self.steps, self.bits, link)

    def counts(self) -> Tensor:
        """Return the number of spikes, (batch, n), with gradients."""
        return Count.apply(self.channels_first().link, count_ones(self.words))

    def tensor(self) -> Tensor:
        """Return the spikes (steps, batch, n), with gradients."""
        return Unpack.apply(self.channels_first().link, self.words, self.steps)

    @classmethod
    def of_tensor(cls, x: Tensor) -> Spikes:
        """Return the packed form of spikes (steps, batch, n), which must be 0 or 1."""
        bits = x.detach().permute(1, 2, 0).ne(0).cpu().numpy()
        return cls(pack(bits), len(x), 1, Link.apply(x.transpose(0, 1)))

    @classmethod
    def joined(cls, parts: Sequence[Spikes], bits: int) -> Spikes:
        """Return the inputs of several sources one after another."""
        if len(parts) == 1:
            return parts[0]
        steps = parts[0].steps
        common = 1 if all(part.bits == 1 for part in parts) else bits
        words = [Block(part.words, part.bits).aligned(common, steps) for part in parts]
        link = Join.apply(*(part.channels_first().link for part in parts))
        return cls(np.concatenate(words, axis=1), steps, common, link)

    @classmethod
    def encoded(
        cls,
        values: Reals,
        means: Tensor,
        steps: int,
        k: int,
        key: int,
        source: Source,
        rows: int,
    ) -> Spikes:
        """Return the bits of densities, with k bits per time step.

        Parameters
        ----------
        values : ndarray, shape (batch, n_in) or (batch, n_in, steps)
            Densities in float64, which are compared with the numbers.
        means : Tensor, of the same shape
            The densities, to which gradients pass.
        steps, k, key, source
        rows : int
            Rows with numbers of their own: as many as the batch has, or 1 if all share them.
        """
        batch, n_in = values.shape[:2]
        if values.ndim == 2 and rows == batch and source == Bernoulli():  # the same, faster
            with _checks.allocating(f"{values.size} streams of {steps * k} bits", _FEWER):
                words = _native.encode_matrix(key, np.ascontiguousarray(values), steps * k)
            return cls(words, steps, k, Constant.link(means, steps), means)
        streams = lane_streams(rows, n_in)
        if values.ndim == 2:
            words = encode(values, steps * k, key=key, source=source, streams=streams).words
            return cls(words, steps, k, Constant.link(means, steps), means)
        warn_of_rise(source, streams.ravel(), steps * k)
        numbers = source.numbers(streams, steps * k, key=key).reshape(*streams.shape, steps, k)
        ones = numbers < source.thresholds(values)[..., np.newaxis]
        words = pack(ones.reshape(batch, n_in, steps * k))
        return cls(words, steps, k, Link.apply(means.transpose(1, 2)))

    @classmethod
    def given(cls, trains: Bitstream, like: Tensor) -> Spikes:
        """Return spike trains of batch shape (batch, n)."""
        words = np.ascontiguousarray(trains.words)
        link = without_values((len(words), trains.length, words.shape[1]), like)
        return cls(words, trains.length, 1, link)


def without_values(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return a tensor that holds a single zero, of a shape."""
    return torch.zeros((), dtype=like.dtype, device=like.device).expand(shape)


class Link(torch.autograd.Function):
    """A link for a tensor of its shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the link."""
        return without_values(tuple(x.shape), x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Return the gradient of the tensor."""
        return grad


class Turn(torch.autograd.Function):
    """A link of the order (channel, position) for one of (position, channel)."""

    @staticmethod
    def forward(ctx: Any, link: Tensor, channels: int) -> Tensor:
        """Return the link."""
        ctx.channels = channels
        return without_values(tuple(link.shape), link)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient in the order (position, channel)."""
        if grad.stride(1) == 0:  # the same at all steps: turn one of them
            turned = grad[:, :1].unflatten(2, (ctx.channels, -1)).mT.flatten(2)
            return turned.expand(grad.shape), None
        return grad.unflatten(2, (ctx.channels, -1)).mT.flatten(2), None


class Constant(torch.autograd.Function):
    """A link for densities (batch, n) that are constant in time."""

    @classmethod
    def link(cls, means: Tensor, steps: int) -> Tensor:
        """Return the link (batch, steps, n), which carries gradients if the densities need them."""
        if means.requires_grad:
            return cls.apply(means, steps)
        return without_values((len(means), steps, means.shape[1]), means)

    @staticmethod
    def forward(ctx: Any, means: Tensor, steps: int) -> Tensor:
        """Return the link (batch, steps, n)."""
        return without_values((len(means), steps, means.shape[1]), means)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the densities."""
        return grad.sum(1), None


class Shift(torch.autograd.Function):
    """A link for inputs that are delayed by a number of steps."""

    @staticmethod
    def forward(ctx: Any, link: Tensor, steps: NDArray[np.int64]) -> Tensor:
        """Return the link of the delayed inputs."""
        ctx.steps = steps
        return without_values(tuple(link.shape), link)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient, as much earlier as the inputs were late."""
        return shifted(grad, torch.from_numpy(-ctx.steps).to(grad.device)), None


class Join(torch.autograd.Function):
    """A link for inputs one after another."""

    @staticmethod
    def forward(ctx: Any, *links: Tensor) -> Tensor:
        """Return the link of all inputs."""
        ctx.sizes = [link.shape[2] for link in links]
        return without_values((*links[0].shape[:2], sum(ctx.sizes)), links[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        """Return the gradient of each link."""
        return tuple(grad.split(ctx.sizes, 2))


class Count(torch.autograd.Function):
    """Spike counts."""

    @staticmethod
    def forward(ctx: Any, link: Tensor, counts: NDArray[np.int64]) -> Tensor:
        """Return the counts (batch, n) as a tensor."""
        ctx.shape = link.shape
        return torch.from_numpy(counts).to(link.device, link.dtype).expand(len(link), -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of each spike, the same at all steps."""
        return grad[:, None].expand(ctx.shape), None


class Unpack(torch.autograd.Function):
    """Spikes as a tensor."""

    @staticmethod
    def forward(ctx: Any, link: Tensor, words: Words, steps: int) -> Tensor:
        """Return spikes (steps, batch, n)."""
        return unpacked(words, steps, link)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the link."""
        return grad.transpose(0, 1), None, None


def unpacked(words: Words, length: int, like: Tensor) -> Tensor:
    """Return bits in the type of a tensor, time first: (length, *shape) for words (*shape, n_words).

    Transposing octets before unpacking them is about three times as fast as `streams._bits.unpack`,
    which puts time last, and a transposition of bits.
    """
    octets = words.reshape(-1, words.shape[-1]).astype("<u8", copy=False).view(np.uint8)
    rows = octets[:, : -(-length // 8)].T.copy()
    shifts = torch.arange(8, dtype=torch.uint8)[:, None]
    bits = ((torch.from_numpy(rows)[:, None] >> shifts) & 1).flatten(0, 1)[:length]
    return bits.view(length, *words.shape[:-1]).to(like.device, like.dtype)


def sums_of_bits(words: Words, k: int, steps: int, like: Tensor) -> Tensor:
    """Return the sums of each k bits in the type of a tensor, time first: (steps, *shape)."""
    if k == 1:
        return unpacked(words, steps, like)
    n = math.prod(words.shape[:-1])
    rows = words.reshape(n, -1)[:, : n_words(steps * k)]
    sums = np.empty((steps, n), np.int32)
    size = max(_UNPACKED // (steps * k), 1)
    for first in range(0, n, size):
        bits = unpack(rows[first : first + size], steps * k)
        sums[:, first : first + size] = bits.reshape(-1, steps, k).sum(2, dtype=np.int32).T
    return torch.from_numpy(sums).to(like).view(steps, *words.shape[:-1])


def shifted(x: Tensor, steps: Tensor) -> Tensor:
    """Return values (batch, time, n) delayed by a number of steps each, with zeros around them.

    Negative numbers of steps make the values earlier. Gradients pass through.
    """
    length = x.shape[1]
    at = torch.arange(length, device=x.device)[:, None] - steps
    late = x.gather(1, at.clamp(0, length - 1)[None].expand_as(x))
    return late * ((at >= 0) & (at < length))


class LearnedShift(torch.autograd.Function):
    """A link for inputs whose delays are learned."""

    @staticmethod
    def forward(
        ctx: Any, link: Tensor, delay: Tensor, steps: NDArray[np.int64], spikes: Spikes
    ) -> Tensor:
        """Return the link of inputs that are late by whole steps, near their delays."""
        ctx.of_pass = steps, np.floor(delay.detach().cpu().numpy()).astype(np.int64), spikes
        return without_values(tuple(link.shape), link)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of the link and of the delays, by interpolation between two steps."""
        steps, whole, spikes = ctx.of_pass
        of_link = of_delay = None
        if ctx.needs_input_grad[0]:
            of_link = shifted(grad, torch.from_numpy(-steps).to(grad.device))
        if ctx.needs_input_grad[1]:
            x = sums_of_bits(spikes.words, spikes.bits, spikes.steps, grad).transpose(0, 1)
            earlier = torch.from_numpy(whole).to(grad.device)
            change = shifted(x, earlier + 1) - shifted(x, earlier)
            of_delay = (grad * change).sum((0, 1)) / spikes.bits
        return of_link, of_delay, None, None
