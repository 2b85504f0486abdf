"""Variance of the currents of a layer, by the law of Bernoulli streams or by measurement.

A neuron's current is a sum of products of densities and weights. A density x that is encoded anew
contributes a variance of ``x |w| - x**2 w**2`` for one bit of the product, and a spike, which is held
for all bits of a step, is a density of 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sc_neurocore._types import Reals, Words
from sc_neurocore.networks.layers import Dense, Layer, all_weights, lif_of
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Halton,
    Role,
    Sobol,
    Source,
    encode,
    stream_key,
)
from sc_neurocore.streams._bits import delayed, ones, pack

# Products that are sampled where no law is known, at most this many bits of them; numbers held at once.
SAMPLES, _BITS, _NUMBERS = 4096, 2**25, 2**22


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs of a layer from one source, delayed.

    Attributes
    ----------
    values : ndarray of float64 or Bitstream
        Densities of shape (rows, n), densities in time of shape (rows, n, steps), or spikes of batch
        shape (rows, n).
    late : ndarray of int64, shape (n,)
        Time steps until constant densities arrive; 0 for others, which are delayed step by step.
    first : int
        Number of the first one among the inputs of the network, for densities.
    """

    values: Reals | Bitstream
    late: Any
    first: int = 0

    @classmethod
    def of(cls, values: Reals | Bitstream, delays: Any, length: int, first: int = 0) -> Part:
        """Return inputs (rows, n) with delays (n,), in a run of a number of time steps."""
        late, none = np.minimum(delays, length), np.zeros(len(delays), np.int64)
        if not late.any() or (isinstance(values, np.ndarray) and values.ndim == 2):
            return cls(values, late, first)
        if isinstance(values, Bitstream):
            return cls(Bitstream(delayed(values.words, late, length), length), none, first)
        at = np.arange(length) - late[:, np.newaxis]
        shifted = np.take_along_axis(values, np.maximum(at, 0)[np.newaxis], axis=2)
        return cls(np.where(at >= 0, shifted, 0.0), none, first)

    def moments(self, length: int) -> tuple[Reals, Reals, Reals]:
        """Return means over time of densities and of their squares, and squares of what is constant.

        All have shape (rows, n). The last are the squares of densities as long as these do not change,
        and the squares of their means if they do.
        """
        x = self.values
        if isinstance(x, Bitstream):
            mean = x.probability()
            return mean, mean, mean**2
        if x.ndim == 3:
            mean = x.mean(axis=2)
            return mean, (x**2).mean(axis=2), mean**2
        present = 1 - self.late / length
        square = x**2 * present
        return x * present, square, square

    def errors(
        self, rows: Any, i: Any, apart: Any, weights: Bitstream, w: Reals, k: int, source: Source
    ) -> Reals:
        """Return the errors (n, steps) of the products of inputs i of some rows and sampled weights.

        `apart` holds offsets of the streams of the inputs, and `w` the exact weights.
        """
        if isinstance(self.values, Bitstream):
            fired = self.values[rows, i].bits().astype(np.float64)
            return _means(weights, k) * fired - fired * w[:, np.newaxis]
        by_number = isinstance(source, Halton) or source in (Sobol(), Sobol(randomized=False))
        streams = (i + self.first).astype(np.uint64)
        streams = streams if by_number else apart | streams
        x, key = self.values[rows, i], stream_key(0, Role.INPUT)
        if x.ndim == 2:
            given = _encoded(x, k, key, source, streams)
            return np.asarray(_means(given & weights, k) - x * w[:, np.newaxis])
        given = encode(x, weights.length, key=key, source=source, streams=streams)
        late = self.late[i]
        if late.any():
            given = Bitstream(delayed(given.words, late * k, given.length), given.length)
        here = np.arange(weights.length // k) >= late[:, np.newaxis]
        return np.asarray(_means(given & weights, k) - here * (x * w)[:, np.newaxis])


@dataclass(frozen=True, eq=False)
class Arriving:
    """Inputs of the weights of a layer: from each source, then the bias and the recurrent spikes.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_rows, fan_in)
    parts : sequence of Part
    number : ndarray of int64, shape (positions, fan_in)
        Which of the inputs of all parts each weight receives at each position; -1 in the padding.
    mean, square, constant : ndarray of float64, shape (rows * positions, fan_in)
        `Part.moments` at each position of each row.
    """

    weights: Reals
    parts: Sequence[Part]
    number: Any
    mean: Reals
    square: Reals
    constant: Reals

    @classmethod
    def of(cls, layer: Layer, parts: Sequence[Part], spikes: Bitstream) -> Arriving:
        """Return the inputs of a layer that fires `spikes`. Of many positions some are used."""
        length, parts = spikes.length, list(parts)
        if (n := _fewer(layer, spikes.shape[0])) is not None:
            chosen = np.random.default_rng(0).permutation(spikes.shape[0])[:n]
            spikes = spikes[chosen]
            parts = [Part(part.values[chosen], part.late, part.first) for part in parts]
        moments = [
            _at_positions(layer, np.concatenate(each, axis=1))
            for each in zip(*(part.moments(length) for part in parts), strict=True)
        ]
        number = _at_positions(layer, np.arange(1, layer.n_in + 1)[np.newaxis]) - 1
        more: list[Part] = []
        if layer.bias is not None:  # an input that is always on
            on = Bitstream(ones((spikes.shape[0], 1), length), length)
            more.append(Part.of(on, np.zeros(1, np.int64), length))
        if isinstance(layer, Dense) and layer.recurrent is not None:
            more.append(Part.of(spikes, np.ones(layer.n_out, np.int64), length))
        n_in = layer.n_in
        for part in more:
            n = len(part.late)
            behind = np.broadcast_to(np.arange(n_in, n_in + n), (layer.positions, n))
            number, n_in = np.concatenate([number, behind], axis=1), n_in + n
            moments = [
                np.concatenate([of, np.repeat(own, layer.positions, axis=0)], axis=1)
                for of, own in zip(moments, part.moments(length), strict=True)
            ]
        return cls(all_weights(layer), parts + more, number, *moments)

    @property
    def encoded(self) -> bool:
        """Whether some inputs are densities, which are encoded anew in each step."""
        return not all(isinstance(part.values, Bitstream) for part in self.parts)

    def variances(self, length: int, k: int, of_inputs: Source, of_weights: Source) -> tuple[Any, Any]:
        """Return the variance of the mean sum of products, and that of a step with k bits.

        Both have shape (n_rows,) and are means over the rows of the inputs. Without a closed form, they
        are measured on random products, whose errors are the same for all neurons.
        """
        if of_weights == Bernoulli() and (of_inputs == Bernoulli() or not self.encoded):
            of_step = bernoulli_variance(self.weights, self.mean, self.square).mean(axis=0) / k
            return of_step / length, of_step
        # Products of random pairs of these inputs and weights, with other keys.
        generator, w = np.random.default_rng(0), np.abs(self.weights)
        n, bits = min(SAMPLES, max(_BITS // (length * k), 64)), length * k
        b, i = (generator.integers(size, size=n) for size in self.mean.shape)
        j = generator.permutation(n) % len(w)  # each row as often as any other
        apart = np.arange(n, dtype=np.uint64) << np.uint64(32)
        weights = encode(
            w[j, i],
            bits,
            key=stream_key(0, Role.WEIGHT),
            source=of_weights,
            streams=apart | i.astype(np.uint64),
        )
        row, position = np.divmod(b, len(self.number))
        number, errors, first = self.number[position, i], np.zeros((n, length)), 0
        for part in self.parts:
            last = first + len(part.late)
            here = np.flatnonzero((number >= first) & (number < last))
            if here.size:
                errors[here] = part.errors(
                    row[here], number[here] - first, apart[here], weights[here], w[j, i][here], k,
                    of_inputs,
                )  # fmt: skip
            first = last
        of_mean = errors.mean(axis=1)
        # A mean of the errors beyond that of a sample is common to all products and adds up with the
        # signs of the weights.
        common = float(of_mean.mean())
        if abs(common) <= 4 * math.sqrt(float(of_mean.var()) / n):
            common = 0.0
        signs = np.sign(self.weights).sum(axis=1)
        variances = _by_row((of_mean - of_mean.mean()) ** 2, j, w.shape)
        return variances + (common * signs) ** 2, _by_row((errors**2).mean(axis=1), j, w.shape)


def bernoulli_variance(weights: Reals, mean: Reals, square: Reals) -> Reals:
    """Return the variance of sums of products of Bernoulli streams with one bit per step.

    Inputs have means over time `mean` and mean squares `square`, both of shape (rows, fan_in). The sum
    over them of ``mean |w| - square w**2`` has shape (rows, n_rows). For spikes, `square` is `mean`.
    """
    w = np.abs(weights)
    return np.asarray(mean @ (w * (1 - w)).T + (mean - square) @ (w**2).T)


def noise_in_thresholds(layer: Layer, variance: Reals) -> float:
    """Return the noise of a step in units of the distance from rest to threshold.

    `variance` is that of the sum of products of each row of weights. The result is a root mean square
    over the neurons that can fire, and NaN if none can.
    """
    neuron = lif_of("network", layer)
    distance = np.asarray((neuron.v_threshold - neuron.v_rest) / (neuron.resistance * neuron.dt))
    in_thresholds = np.asarray(layer.gain) ** 2 * variance / distance**2
    fires = np.broadcast_to(np.isfinite(distance), in_thresholds.shape)
    return math.sqrt(float(in_thresholds[fires].mean())) if fires.any() else math.nan


def _fewer(layer: Layer, rows: int) -> int | None:
    """Return how many rows of a convolution are used if not all are."""
    if layer.positions == 1 or rows * layer.positions <= SAMPLES:
        return None
    return max(SAMPLES // layer.positions, 1)


def _at_positions(layer: Layer, values: Any) -> Any:
    """Return values of the inputs (rows, n_in) at each position, (rows * positions, n_weights)."""
    return layer.patches(np.ascontiguousarray(values)[..., np.newaxis])[..., 0]


def _encoded(x: Reals, k: int, key: int, source: Source, streams: Words) -> Bitstream:
    """Return streams of k bits per step of densities in time (n, steps)."""
    bits, thresholds = x.shape[1] * k, source.thresholds(x)
    block, words = max(_NUMBERS // bits, 1), []
    for first in range(0, len(x), block):
        some = slice(first, first + block)
        numbers = source.numbers(streams[some], bits, key=key)
        words.append(pack(numbers < np.repeat(thresholds[some], k, axis=1)))
    return Bitstream(np.concatenate(words), bits)


def _by_row(squares: Reals, j: Any, shape: tuple[int, ...]) -> Any:
    """Return the sum over the inputs of each row, from samples of rows j.

    Rows with too few samples get the mean of all.
    """
    n_rows, fan_in = shape
    counts = np.bincount(j, minlength=n_rows)
    sums = np.bincount(j, squares, n_rows)
    return fan_in * np.where(counts >= 8, sums / np.maximum(counts, 1), squares.mean())


def _means(streams: Bitstream, k: int) -> Reals:
    """Return the mean of each k successive bits, shape (n, n_steps)."""
    return np.asarray(streams.bits().reshape(len(streams.words), -1, k).mean(axis=2))
