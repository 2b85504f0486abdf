"""Encoder of values as bitstreams, one stream per call."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.stateful._fixed import FixedParameters
from sc_neurocore.streams import (
    Bernoulli,
    Interval,
    Role,
    Source,
    bitstream_to_probability,
    encode,
    stream_key,
)
from sc_neurocore.streams.keys import (
    checked_seed,
)
from sc_neurocore.streams.source import checked_source

__all__ = ["BitstreamEncoder"]

# Threads that share an encoder get different streams. One lock for all encoders, because an encoder
# that holds a lock cannot be copied or pickled.
_COUNTING = threading.Lock()


class BitstreamEncoder(FixedParameters):
    """Encoder of values in [x_min, x_max] as bitstreams.

    Each call of `encode` uses the next stream of the seed. Bernoulli streams of one encoder are
    therefore independent and can safely be multiplied. Two encoders with the same seed give the same
    bits.

    Parameters
    ----------
    x_min, x_max : float
        Range of the values. Values outside saturate.
    length : int
        Length of a stream in bits.
    seed : int, optional
        Seed in [0, 2**128). Drawn from system entropy by default; read it back from `seed`.
    source : Source
        Source of the random numbers. The encoder uses the first source of its pair, a
        `BitstreamSynapse` the second, so their streams can safely be multiplied. Two streams of one
        encoder can be multiplied only if the sources of the pair are equal, as for `Bernoulli`.

    Attributes
    ----------
    interval : Interval
        Range of the values.
    length, seed : int
        See Parameters.

    Examples
    --------
    >>> from sc_neurocore import BitstreamEncoder
    >>> encoder = BitstreamEncoder(x_min=-1.0, x_max=1.0, length=4096, seed=7)
    >>> bits = encoder.encode(0.25)
    >>> bits.shape, bits.dtype, round(encoder.decode(bits), 2)
    ((4096,), dtype('uint8'), 0.26)
    """

    interval: Interval
    length: int
    seed: int

    def __init__(
        self,
        x_min: float = 0.0,
        x_max: float = 1.0,
        length: int = 1024,
        seed: int | None = None,
        *,
        source: Source = Bernoulli(),
    ) -> None:
        vars(self).update(
            interval=Interval(*_checks.ordered("x_min", x_min, "x_max", x_max)),
            length=_checks.length_of_stream("length", length),
            seed=checked_seed("seed", seed),
        )
        checked_source("source", source)
        self._source = source.pair()[0]
        self._key = stream_key(self.seed, Role.INPUT)
        self._encoded = 0

    def encode(self, x: float) -> NDArray[np.uint8]:
        """Return the next stream, encoding a value.

        Parameters
        ----------
        x : float
            Value, encoded as ``P(1) = (x - x_min) / (x_max - x_min)``.

        Returns
        -------
        ndarray of uint8, shape (length,)
            Bits.
        """
        p = self.interval.to_probability(_checks.finite("x", x))
        with _COUNTING:
            number = self._encoded
            self._encoded = number + 1
        return encode(p, self.length, key=self._key, source=self._source, streams=number).bits()

    def decode(self, bits: ArrayLike) -> float:
        """Return the value of a stream, estimated from its density of ones.

        Parameters
        ----------
        bits : array_like of 0 and 1, shape (n,)
            Stream of any length n of at least 1.

        Returns
        -------
        float
            Value in [x_min, x_max].
        """
        return float(self.interval.from_probability(bitstream_to_probability(bits)))

    def __repr__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return f"BitstreamEncoder(x_min={low}, x_max={high}, length={self.length}, seed={self.seed})"
