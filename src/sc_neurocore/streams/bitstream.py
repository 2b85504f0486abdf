"""Packed bitstreams, their encoding, and the linear map between values and probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.streams._bits import count_ones, cut, joined, last_mask, n_words, pack, unpack
from sc_neurocore.streams._dispatch import is_symbolic, on_streams, symbolic
from sc_neurocore.streams.keys import Role, stream_key
from sc_neurocore.streams.source import (
    Bernoulli,
    Source,
    Sources,
    checked_source,
    operands,
    warn_of_rise,
)

__all__ = [
    "Bitstream",
    "Interval",
    "bitstream_to_probability",
    "concatenate",
    "encode",
    "encode_pair",
    "stack",
]

# By how much a probability may be outside [0, 1] without a warning.
_ROUNDING = 1e-6

# Streams that a table in a notebook shows.
_MOST_ROWS = 8

Index = int | slice | EllipsisType | None | NDArray[Any] | list[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Bitstream:
    """Batch of bitstreams, packed into words of 64 time steps.

    The operators ``&``, ``|``, ``^`` and ``~`` are gates: they combine bits of the same time step, and
    batch shapes broadcast. An index selects along the batch axes; `between` selects time steps.

    Parameters
    ----------
    words : ndarray of uint64, shape (..., ceil(length / 64))
        Bit t of a stream is bit t % 64 of word t // 64. Bits past the length must be 0. The array is
        not copied and must not be modified afterwards.
    length : int
        Number of time steps, at least 1.

    Raises
    ------
    ValueError
        If the words have the wrong type or shape, or bits past the length are not 0.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> x = Bitstream.from_bits([0, 1, 1, 0, 1, 1, 1, 0])
    >>> w = Bitstream.from_bits([1, 1, 0, 0, 1, 0, 1, 0])
    >>> x & w
    Bitstream(length=8, p=0.375)
    >>> (x & w).bits()
    array([0, 1, 0, 0, 1, 0, 1, 0], dtype=uint8)
    """

    words: NDArray[np.uint64]
    length: int

    __array_ufunc__ = None  # so that an array & a Bitstream is an error, not an array of objects
    __hash__ = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        length = _checks.integer("length", self.length, 1)
        _checks.unmasked("words", self.words)
        words = np.asarray(self.words)
        if words.dtype != np.uint64 or words.ndim == 0:
            _checks.fail("words", "be an array of uint64", f"{words.dtype}, shape {words.shape}")
        if words.shape[-1] != n_words(length):
            _checks.fail(
                "words",
                f"have a last axis of {n_words(length)} for length {length}",
                words.shape[-1],
            )
        if (words[..., -1] & ~last_mask(length)).any():
            _checks.fail("words", f"be 0 in the bits past length {length}", "ones there")
        words = words.view()
        words.flags.writeable = False
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "length", length)

    def __reduce__(self) -> tuple[type[Bitstream], tuple[NDArray[np.uint64], int]]:
        return Bitstream, (self.words, self.length)

    @classmethod
    def from_bits(cls, bits: ArrayLike) -> Bitstream:
        """Return the bitstreams of unpacked bits.

        Parameters
        ----------
        bits : array_like of 0 and 1, or of bool, shape (..., length)

        Returns
        -------
        Bitstream
            Of batch shape ``bits.shape[:-1]``.

        Raises
        ------
        ValueError
            If there are other values than 0 and 1, or no bits along the last axis.
        """
        unpacked = _checks.bit_array("bits", bits)
        if unpacked.ndim == 0 or unpacked.shape[-1] == 0:
            _checks.fail("bits", "have at least one bit along its last axis", f"shape {unpacked.shape}")
        return cls(pack(unpacked), unpacked.shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Batch shape; () for a single stream."""
        return self.words.shape[:-1]

    def bits(self) -> NDArray[np.uint8]:
        """Return the unpacked bits, uint8 of shape (..., length)."""
        return unpack(self.words, self.length)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of ones of each stream, int64 of the batch shape."""
        return count_ones(self.words)

    def probability(self) -> NDArray[np.float64]:
        """Return the fraction of ones of each stream, float64 of the batch shape."""
        return np.asarray(self.counts() / self.length)

    def reshape(self, *shape: int) -> Bitstream:
        """Return the same streams with another batch shape; one entry can be -1."""
        sizes = [_checks.integer("shape", size, -1, 2**62) for size in shape]
        try:
            words = self.words.reshape(*sizes, self.words.shape[-1])
        except ValueError:
            _checks.fail("shape", f"hold the {math.prod(self.shape)} streams", tuple(sizes))
        return Bitstream(words, self.length)

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Bitstream:
        key = index if isinstance(index, tuple) else (index,)
        if not any(k is Ellipsis for k in key):
            key = (*key, Ellipsis)
        if sum(k is not None and k is not Ellipsis for k in key) > self.words.ndim - 1:
            raise IndexError(
                f"index must have at most one part per axis of the batch shape {self.shape}, got "
                f"{index}; between(start, stop) cuts streams in time"
            )
        return Bitstream(self.words[(*key, slice(None))], self.length)

    def between(self, start: int, stop: int) -> Bitstream:
        """Return the time steps start .. stop - 1 of each stream.

        Parameters
        ----------
        start : int
            In [0, length).
        stop : int
            In (start, length].

        Examples
        --------
        >>> from sc_neurocore import Bitstream
        >>> Bitstream.from_bits([0, 1, 1, 0, 1, 1, 1, 0]).between(2, 6).bits()
        array([1, 0, 1, 1], dtype=uint8)
        """
        start = _checks.integer("start", start, 0, self.length - 1)
        stop = _checks.integer("stop", stop, start + 1, self.length)
        return Bitstream(cut(self.words, start, stop), stop - start)

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        """Raise TypeError: an array could mean the bits, the counts or the densities."""
        raise TypeError(
            "a Bitstream does not convert to an array; use bits(), counts(), probability() or words"
        )

    def __iter__(self) -> Iterator[Bitstream]:
        if not self.shape:
            raise TypeError("a single stream has no batch to iterate over; use bits() for its bits")
        return (self[i] for i in range(self.shape[0]))

    def __and__(self, other: Bitstream) -> Bitstream:
        return self._gate(other, np.bitwise_and)

    def __or__(self, other: Bitstream) -> Bitstream:
        return self._gate(other, np.bitwise_or)

    def __xor__(self, other: Bitstream) -> Bitstream:
        return self._gate(other, np.bitwise_xor)

    def __mul__(self, _: object) -> NoReturn:
        raise TypeError("a Bitstream has no *; the AND x & w multiplies independent streams")

    def __add__(self, _: object) -> NoReturn:
        raise TypeError(
            "a Bitstream has no +; scaled_add(stack([x, y]), key=1) is the mean of streams, and other "
            "adders are in sc_neurocore.operators"
        )

    __rmul__, __radd__ = __mul__, __add__

    def __invert__(self) -> Bitstream:
        words = ~self.words
        words[..., -1] &= last_mask(self.length)
        return Bitstream(words, self.length)

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same bits, length and batch shape."""
        if not isinstance(other, Bitstream):
            return NotImplemented
        return self.length == other.length and np.array_equal(self.words, other.words)

    def __repr__(self) -> str:
        p = np.array2string(
            self.probability(), formatter={"float": "{:.3g}".format}, threshold=8, edgeitems=2
        )
        shape = f"shape={self.shape}, " if self.shape else ""
        return f"Bitstream({shape}length={self.length}, p={' '.join(p.split())})"

    def _repr_html_(self) -> str:
        flat = self.words.reshape(-1, self.words.shape[-1])
        rows: list[tuple[object, ...]] = []
        for i in range(min(len(flat), _MOST_ROWS)):
            one = Bitstream(flat[i], self.length)
            first = "".join(map(str, one.between(0, min(self.length, 32)).bits().tolist()))
            index = str(tuple(map(int, np.unravel_index(i, self.shape)))) if self.shape else "()"
            more = "" if self.length <= 32 else " ..."
            rows.append(
                (index, self.length, int(one.counts()), f"{one.probability():.4g}", first + more)
            )
        if len(flat) > _MOST_ROWS:
            rows.append((f"{len(flat) - _MOST_ROWS} more", "", "", "", ""))
        return html_table(("stream", "length", "ones", "density", "bits"), rows)

    def _gate(self, other: Bitstream, gate: Callable[..., NDArray[np.uint64]]) -> Bitstream:
        if not isinstance(other, Bitstream):
            return NotImplemented
        if self.length != other.length:
            _checks.fail("the streams", "have equal length", f"{self.length} and {other.length}")
        try:
            return Bitstream(gate(self.words, other.words), self.length)
        except ValueError:
            _checks.fail(
                "the streams", "have batch shapes that broadcast", f"{self.shape} and {other.shape}"
            )


@dataclass(frozen=True)
class Interval:
    """Linear map from values in [low, high] to probabilities in [0, 1].

    Values outside the interval saturate at its ends, without a warning, since the interval is chosen.

    Parameters
    ----------
    low, high : float
        Ends of the interval, low < high.

    Raises
    ------
    ValueError
        If low is not less than high, or one is not finite.

    Examples
    --------
    >>> from sc_neurocore import Interval
    >>> code = Interval(-1.0, 1.0)
    >>> float(code.to_probability(0.5)), float(code.from_probability(0.75))
    (0.75, 0.5)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = _checks.ordered("low", self.low, "high", self.high)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def to_probability(self, x: ArrayLike) -> NDArray[np.float64]:
        """Return ``(x - low) / (high - low)``, clipped to [0, 1], float64 of the shape of x."""
        values = _checks.array("x", x, range(33))
        return np.asarray(np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0))

    def from_probability(self, p: ArrayLike) -> NDArray[np.float64]:
        """Return ``low + p * (high - low)``, float64 of the shape of p; p is not clipped."""
        return np.asarray(self.low + _checks.array("p", p, range(33)) * (self.high - self.low))


@on_streams
def encode(
    p: ArrayLike,
    length: int,
    *,
    key: int,
    source: Source = Bernoulli(),
    streams: ArrayLike | None = None,
) -> Bitstream:
    """Return bitstreams of the given probabilities.

    A bit is 1 where a number of the source is below a threshold::

        number(key, stream, t) < round(p * source.levels)

    So p = 0 gives no ones and p = 1 only ones. By default the numbers are independent and uniform with
    32 bits: the bias is at most ``2**-33``, and the density has the standard error
    ``sqrt(p * (1 - p) / length)``.

    Parameters
    ----------
    p : array_like of float
        Probabilities, of any shape. Values outside [0, 1] are clipped with a warning, as a comparator
        does in hardware: its output saturates. `simulate` refuses them instead. `Interval` scales
        values to [0, 1].
    length : int
        Number of time steps, at least 1.
    key : int
        Key of the random numbers in ``[0, 2**64)``, see `stream_key`.
    source : Source
        Source of the numbers. For the operands of a product use `encode_pair`: streams of one sequence
        of Sobol, Hammersley and other sources that count are correlated, whatever their keys.
    streams : array_like of int, optional
        Stream number of each probability, in ``[0, 2**64)``, broadcast against p. By default 0, 1, 2,
        ... in C order. Elements with equal stream numbers use the same numbers, so that their bits have
        the highest possible correlation (SCC = +1).

    Returns
    -------
    Bitstream
        Of the batch shape of p, broadcast with `streams`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If p is not finite, `key` or `length` is out of range, or `streams` does not broadcast or has
        numbers that the source does not have.

    Warns
    -----
    PeriodWarning
        If the streams end while the numbers of the source are still rising (`Source.rise`).
    UserWarning
        If a value is outside [0, 1] by more than rounding. `numpy.clip` avoids the warning.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> x = encode([0.5, 0.8], 65536, key=stream_key(1, Role.INPUT))
    >>> w = encode([0.6, 0.5], 65536, key=stream_key(1, Role.WEIGHT))
    >>> x & w
    Bitstream(shape=(2,), length=65536, p=[0.299 0.4])
    """
    probabilities = _checks.array("p", p, range(33), borrow=True)
    length = _checks.length_of_stream("length", length)
    key = _checks.power_range("key", key, 64)
    checked_source("source", source)
    _warn_of_saturation(probabilities)
    if streams is None:
        numbers = np.arange(probabilities.size, dtype=np.uint64)
    else:
        numbers = _checks.counting("streams", streams)
        shape = numbers.shape
        probabilities, numbers = _checks.broadcast("streams", probabilities, "p", numbers)
        leading = probabilities.ndim - len(shape)
        if probabilities.shape[leading:] == shape:  # rows of p share the streams
            numbers = numbers[(0,) * leading] if probabilities.size else numbers
        numbers = np.ascontiguousarray(numbers).ravel()
    warn_of_rise(source, numbers, length)
    rows = probabilities.size // max(numbers.size, 1)
    thresholds = source.thresholds(probabilities).reshape(rows, numbers.size)
    words = source.words(thresholds, numbers, length, key=key)
    return Bitstream(words.reshape(*probabilities.shape, words.shape[-1]), length)


def _warn_of_saturation(p: NDArray[np.float64]) -> None:
    """Warn of probabilities that are clipped, as those of pixels from 0 to 255 would be."""
    outside = np.abs(p - 0.5) > 0.5 + _ROUNDING
    if outside.any():
        message = (
            f"{outside.sum()} of {p.size} probabilities lie outside [0, 1], between {p.min():.4g} and "
            f"{p.max():.4g}, and saturate; scale the values to [0, 1], for example by "
            "Interval(low, high).to_probability, or clip them"
        )
        _checks.warn(message, UserWarning)


def bitstream_to_probability(bits: ArrayLike | Bitstream) -> float:
    """Return the fraction of ones of one stream.

    Parameters
    ----------
    bits : array_like of 0 and 1, shape (length,), or Bitstream of batch shape ()

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If there are no bits, other values than 0 and 1, or more than one stream.

    Examples
    --------
    >>> from sc_neurocore import bitstream_to_probability
    >>> bitstream_to_probability([0, 1, 1, 1])
    0.75
    """
    if isinstance(bits, Bitstream):
        if bits.shape:
            _checks.fail("bits", "be one stream (see probability() for more)", f"shape {bits.shape}")
        return float(bits.probability())
    unpacked = _checks.bits("bits", bits)
    if len(unpacked) == 0:
        _checks.fail("bits", "hold at least one bit", "none")
    return float(np.count_nonzero(unpacked) / len(unpacked))


def encode_pair(
    p: ArrayLike,
    q: ArrayLike,
    length: int,
    *,
    key: int,
    source: Sources = Bernoulli(),
) -> tuple[Bitstream, Bitstream]:
    """Return bitstreams of the two operands of a product: the density of ``x & w`` is about p * q.

    Parameters
    ----------
    p, q : array_like of float
        Probabilities, of shapes that broadcast. Values outside [0, 1] saturate with a warning.
    length : int
        Number of time steps, at least 1.
    key : int
        In ``[0, 2**64)``. The keys of the two operands are derived from it:
        ``stream_key(key, Role.INPUT)`` and ``stream_key(key, Role.WEIGHT)``.
    source : Source or tuple of 2
        Sources of the two operands. One source stands for its `pair`.

    Returns
    -------
    x, w : Bitstream
        Of the broadcast batch shape. Their stream numbers are 0, 1, 2, ... in C order.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range, the shapes do not broadcast, or two sources share a sequence.

    Warns
    -----
    PeriodWarning
        If the streams end while the numbers of a source are still rising (`Source.rise`).
    UserWarning
        If a value is outside [0, 1] by more than rounding.

    Examples
    --------
    >>> from sc_neurocore import Hammersley, encode_pair
    >>> x, w = encode_pair([0.6, 0.8], 0.5, 256, key=1, source=Hammersley(8, randomized=False))
    >>> x & w
    Bitstream(shape=(2,), length=256, p=[0.301 0.402])
    """
    key = _checks.power_range("key", key, 64)
    first, second = operands(source)
    a, b = _checks.array("p", p, range(33)), _checks.array("q", q, range(33))
    a, b = _checks.broadcast("q", a, "p", b)
    x = encode(a, length, key=stream_key(key, Role.INPUT), source=first)
    return x, encode(b, length, key=stream_key(key, Role.WEIGHT), source=second)


def stack(streams: Sequence[Bitstream]) -> Bitstream:
    """Return streams joined along a new last batch axis, where adders and `bernstein` expect inputs.

    Parameters
    ----------
    streams : sequence of Bitstream
        n streams of equal length, whose batch shapes broadcast.

    Returns
    -------
    Bitstream
        Of batch shape (..., n).

    Raises
    ------
    ValueError
        If there are no streams, their lengths differ, or their batch shapes do not broadcast.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, stack
    >>> x, y = Bitstream.from_bits([1, 0, 1]), Bitstream.from_bits([0, 0, 1])
    >>> stack([x, y]).shape
    (2,)
    """
    items = _listed(streams)
    if (receiver := symbolic(items)) is not None:
        joined: Bitstream = receiver.__stream_operator__(stack, (items,), {})
        return joined
    lengths = {item.length: None for item in items}
    if len(lengths) != 1:
        got = " and ".join(str(n) for n in lengths) or "none"
        _checks.fail("the streams", "be one or more and of equal length", got)
    return Bitstream(np.stack(broadcast_words(items), axis=-2), items[0].length)


def concatenate(streams: Sequence[Bitstream]) -> Bitstream:
    """Return streams joined in time, one after the other.

    Parameters
    ----------
    streams : sequence of Bitstream
        Streams of any lengths, whose batch shapes broadcast.

    Returns
    -------
    Bitstream
        Of the broadcast batch shape; its length is the sum of the lengths.

    Raises
    ------
    ValueError
        If there are no streams, or their batch shapes do not broadcast.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, concatenate
    >>> x, y = Bitstream.from_bits([1, 0, 1]), Bitstream.from_bits([0, 0, 1, 1])
    >>> concatenate([x, y]).bits()
    array([1, 0, 1, 0, 0, 1, 1], dtype=uint8)
    """
    items = _listed(streams)
    if not items:
        _checks.fail("streams", "hold at least one Bitstream", "none")
    try:
        batch = np.broadcast_shapes(*(item.shape for item in items))
    except ValueError:
        shapes = " and ".join(str(item.shape) for item in items)
        _checks.fail("the streams", "have batch shapes that broadcast", shapes)
    parts = [(np.broadcast_to(x.words, (*batch, x.words.shape[-1])), x.length) for x in items]
    return Bitstream(joined(parts), sum(item.length for item in items))


def _listed(streams: Sequence[Bitstream]) -> list[Bitstream]:
    try:
        items = list(streams)
    except TypeError:
        _checks.wrong_type("streams", "be a sequence of Bitstream", streams)
    for i, item in enumerate(items):
        if not is_symbolic(item):
            _checks.instance(f"streams[{i}]", item, Bitstream)
    return items


def broadcast_words(streams: Sequence[Bitstream]) -> tuple[NDArray[np.uint64], ...]:
    """Return the words of streams of equal length, broadcast to their common batch shape."""
    try:
        return tuple(np.broadcast_arrays(*(stream.words for stream in streams)))
    except ValueError:
        shapes = " and ".join(str(stream.shape) for stream in streams)
        _checks.fail("the streams", "have batch shapes that broadcast", shapes)
