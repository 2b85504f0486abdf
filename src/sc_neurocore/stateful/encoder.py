"""The encoder of the tutorial: values as bits, one stream per call."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.streams.bitstream import Interval, bitstream_to_probability, encode
from sc_neurocore.streams.keys import Role, checked_seed, stream_key
from sc_neurocore.streams.source import (
    Bernoulli,
    Source,
)


class BitstreamEncoder:
    """Encodes values of [x_min, x_max] as bits.

    Each call of `encode` uses the next stream of the seed, so that two Bernoulli streams of one encoder
    are independent and may be multiplied. Two encoders with the same seed give the same bits.

    Parameters
    ----------
    x_min, x_max : float
        The interval of the values; values outside saturate.
    length : int
        Bits in a stream.
    seed : int, optional
        In [0, 2**128). By default drawn from the system's entropy; `seed` tells it.
    source : Source
        The encoder takes the first of its pair, a `BitstreamSynapse` the second: streams of the two may
        be multiplied, those of one encoder only where the source is the same for both.

    Examples
    --------
    >>> from sc_neurocore import BitstreamEncoder
    >>> encoder = BitstreamEncoder(x_min=-1.0, x_max=1.0, length=4096, seed=7)
    >>> bits = encoder.encode(0.25)
    >>> bits.shape, bits.dtype, round(encoder.decode(bits), 2)
    ((4096,), dtype('uint8'), 0.26)
    """

    def __init__(
        self,
        x_min: float = 0.0,
        x_max: float = 1.0,
        length: int = 1024,
        seed: int | None = None,
        *,
        source: Source = Bernoulli(),
    ) -> None:
        self.interval = Interval(*_checks.ordered("x_min", x_min, "x_max", x_max))
        self.length = _checks.length_of_stream("length", length)
        self.seed = checked_seed("seed", seed)
        _checks.instance("source", source, Source)
        self._source = source.pair()[0]
        self._key = stream_key(self.seed, Role.INPUT)
        self._encoded = 0

    def encode(self, x: float) -> NDArray[np.uint8]:
        """Return bits with P(1) = (x - x_min) / (x_max - x_min), uint8 of shape (length,)."""
        p = self.interval.to_probability(_checks.finite("x", x))
        stream = encode(p, self.length, key=self._key, source=self._source, streams=self._encoded)
        self._encoded += 1
        return stream.bits()

    def decode(self, bits: ArrayLike) -> float:
        """Return the value that the share of ones stands for."""
        return float(self.interval.from_probability(bitstream_to_probability(bits)))

    def __repr__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return f"BitstreamEncoder(x_min={low}, x_max={high}, length={self.length}, seed={self.seed})"
