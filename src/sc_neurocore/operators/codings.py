"""Codings: what the streams of a value mean, and the circuits that multiply, negate and convert them.

===============  ==========  =========  ===============  =========
from, to         `Unipolar`  `Bipolar`  `SignMagnitude`  `TwoLine`
===============  ==========  =========  ===============  =========
`Unipolar`                   flip-flop  exact            exact
`Bipolar`        count                  count            exact
`SignMagnitude`  count       flip-flop                   exact
`TwoLine`        count       flip-flop  count
===============  ==========  =========  ===============  =========

An exact conversion is nothing but wires and gates. One by flip-flop is a `toggle_add`: the value falls
by 1 / L or not at all, and the stream is no longer white. For the others there is no method, as
hardware must count the ones and encode anew: ``SignMagnitude.encode(x.value(), x.length, key)``.

`standard_error` is the law for white streams at the measured value; factors are independent of each
other (SCC 0). What is encoded outside the range of its coding saturates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators.gates import multiply
from sc_neurocore.operators.machines import toggle_add
from sc_neurocore.streams.bitstream import (
    Bitstream,
    Index,
    Interval,
    encode,
    stack,
)
from sc_neurocore.streams.correlation import check_operands
from sc_neurocore.streams.source import Source

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Bipolar", "SignMagnitude", "TwoLine", "Unipolar"]


class How(TypedDict, total=False):
    """Keywords that the codings pass on to `sc_neurocore.encode`."""

    source: Source
    streams: ArrayLike | None


@dataclass(frozen=True, eq=False, repr=False)
class Unipolar:
    """A value x = p in [0, 1] on one stream.

    The product is an AND gate, of variance xy (1 - xy) / L; the standard error is sqrt(x (1 - x) / L).
    There is no negation. Exact conversions go to `SignMagnitude` and `TwoLine`, one by flip-flop to
    `Bipolar`.

    Examples
    --------
    >>> from sc_neurocore import Role, Unipolar, stream_key
    >>> x = Unipolar.encode(0.5, 65536, key=stream_key(1, Role.INPUT))
    >>> w = Unipolar.encode(0.6, 65536, key=stream_key(1, Role.WEIGHT))
    >>> print(f"{(x * w).value():.3f} +- {(x * w).standard_error():.3f}")
    0.299 +- 0.002
    """

    stream: Bitstream

    __array_ufunc__ = None  # so that an array * a coding is an error, not an array of objects

    def __post_init__(self) -> None:
        _checks.instance("stream", self.stream, Bitstream)

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> Unipolar:
        """Return values of any shape as streams, see `sc_neurocore.encode`."""
        return cls(encode(_values(x), length, key=key, **how))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch; () for a single value."""
        return self.stream.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Unipolar:
        return Unipolar(self.stream[index])

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def length(self) -> int:
        """Time steps."""
        return self.stream.length

    def value(self) -> NDArray[np.float64]:
        """Return p, of the batch shape."""
        return self.stream.probability()

    def standard_error(self) -> NDArray[np.float64]:
        """Return sqrt(x (1 - x) / L)."""
        x = self.value()
        return np.asarray(np.sqrt(x * (1 - x) / self.length))

    def __mul__(self, other: Unipolar) -> Unipolar:
        _check_coding(self, other)
        return Unipolar(multiply(self.stream, other.stream))

    def __neg__(self) -> NoReturn:
        contract = "be of a coding with negative values"
        _checks.wrong_type("the operand of -", contract, self, "use to_sign_magnitude()")

    def to_sign_magnitude(self) -> SignMagnitude:
        """Return the stream as a magnitude with the sign +; exact."""
        return SignMagnitude(self.stream, np.zeros(self.stream.shape, np.bool_))

    def to_two_line(self) -> TwoLine:
        """Return the stream as the positive line, the other silent; exact."""
        return self.to_sign_magnitude().to_two_line()

    def to_bipolar(self) -> Bipolar:
        """Return the mean with a stream of ones, p = (1 + x) / 2; by flip-flop."""
        return self.to_two_line().to_bipolar()


@dataclass(frozen=True, eq=False, repr=False)
class Bipolar:
    """A value x = 2 p - 1 in [-1, 1] on one stream.

    The product is an XNOR gate, of variance (1 - (xy)**2) / L; the standard error is
    sqrt((1 - x**2) / L), largest at zero. Negation is an inverter, exact. The exact conversion goes to
    `TwoLine`; a sign or a magnitude takes counting.
    """

    stream: Bitstream

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        _checks.instance("stream", self.stream, Bitstream)

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> Bipolar:
        """Return values of any shape as streams, see `sc_neurocore.encode`."""
        return cls(encode(Interval(-1.0, 1.0).to_probability(_values(x)), length, key=key, **how))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch; () for a single value."""
        return self.stream.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Bipolar:
        return Bipolar(self.stream[index])

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def length(self) -> int:
        """Time steps."""
        return self.stream.length

    def value(self) -> NDArray[np.float64]:
        """Return 2 p - 1, of the batch shape."""
        return np.asarray(2 * self.stream.probability() - 1)

    def standard_error(self) -> NDArray[np.float64]:
        """Return sqrt((1 - x**2) / L)."""
        return np.asarray(np.sqrt((1 - self.value() ** 2) / self.length))

    def __mul__(self, other: Bipolar) -> Bipolar:
        _check_coding(self, other)
        check_operands("Bipolar *", self.stream, other.stream)
        return Bipolar(~(self.stream ^ other.stream))

    def __neg__(self) -> Bipolar:
        return Bipolar(~self.stream)

    def to_two_line(self) -> TwoLine:
        """Return the stream and its complement as two lines; exact."""
        return TwoLine(self.stream, ~self.stream)


@dataclass(frozen=True, eq=False, repr=False)
class SignMagnitude:
    """A value in [-1, 1] as the stream of its magnitude, m = abs(x), and a constant sign.

    The product is an AND of the magnitudes and an XOR of the signs, of variance
    abs(xy) (1 - abs(xy)) / L; the standard error is sqrt(abs(x) (1 - abs(x)) / L), zero at zero.
    Negation turns the sign, exact. The exact conversion goes to `TwoLine`, that by flip-flop to
    `Bipolar`; ``Unipolar(x.magnitude)`` is the magnitude.

    Parameters
    ----------
    magnitude : Bitstream
    negative : array_like of bool
        True for the sign -, of the batch shape.
    """

    magnitude: Bitstream
    negative: NDArray[np.bool_]

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        _checks.instance("magnitude", self.magnitude, Bitstream)
        negative = _checks.bit_array("negative", self.negative).astype(np.bool_)
        if negative.shape != self.magnitude.shape:
            contract = f"have the batch shape of magnitude, {self.magnitude.shape}"
            _checks.fail("negative", contract, negative.shape)
        negative.flags.writeable = False
        object.__setattr__(self, "negative", negative)

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> SignMagnitude:
        """Return values of any shape as streams, see `sc_neurocore.encode`."""
        values = _values(x)
        magnitude = encode(np.abs(values), length, key=key, **how)
        return cls(magnitude, np.broadcast_to(values < 0, magnitude.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch; () for a single value."""
        return self.magnitude.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> SignMagnitude:
        return SignMagnitude(self.magnitude[index], self.negative[index])

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def length(self) -> int:
        """Time steps."""
        return self.magnitude.length

    def value(self) -> NDArray[np.float64]:
        """Return m or -m, of the batch shape."""
        m = self.magnitude.probability()
        return np.where(self.negative, 0 - m, m)  # 0 - m, for which zero is not -0

    def standard_error(self) -> NDArray[np.float64]:
        """Return sqrt(m (1 - m) / L)."""
        return Unipolar(self.magnitude).standard_error()

    def __mul__(self, other: SignMagnitude) -> SignMagnitude:
        _check_coding(self, other)
        return SignMagnitude(multiply(self.magnitude, other.magnitude), self.negative ^ other.negative)

    def __neg__(self) -> SignMagnitude:
        return SignMagnitude(self.magnitude, ~self.negative)

    def to_two_line(self) -> TwoLine:
        """Return the magnitude on the line of its sign, the other silent; exact."""
        words, negative = self.magnitude.words, self.negative[..., np.newaxis]
        silent = np.uint64(0)
        lines = np.where(negative, silent, words), np.where(negative, words, silent)
        return TwoLine(*(Bitstream(line, self.length) for line in lines))

    def to_bipolar(self) -> Bipolar:
        """Return the mean that `TwoLine.to_bipolar` takes; by flip-flop."""
        return self.to_two_line().to_bipolar()


@dataclass(frozen=True, eq=False, repr=False)
class TwoLine:
    """A value x = p_plus - p_minus in [-1, 1] on two streams.

    At each step the pair is a digit d = plus - minus of -1, 0 or 1, whose mean is x; where both lines
    are 1 they cancel, so the lines may have any correlation. The product

        plus = a_plus b_plus | a_minus b_minus,  minus = a_plus b_minus | a_minus b_plus

    gives the digit d_a d_b at every step, whichever of the 16 cases it is. With the activity
    e = P(plus != minus) its variance is (e_a e_b - (xy)**2) / L and the standard error
    sqrt((e - x**2) / L). `encode` keeps one line of each value silent: then e = abs(x) and both are
    those of `SignMagnitude`; two complementary lines, from `Bipolar`, have e = 1 and its errors.
    Negation swaps the lines, exact. The conversion by flip-flop goes to `Bipolar`; the sign takes
    counting.
    """

    plus: Bitstream
    minus: Bitstream

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        _checks.instance("plus", self.plus, Bitstream)
        _checks.instance("minus", self.minus, Bitstream)
        one, other = ((s.shape, s.length) for s in (self.plus, self.minus))
        if one != other:
            contract = "have the shape and the length of plus, {} and {}".format(*one)
            _checks.fail("minus", contract, "{} and {}".format(*other))

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> TwoLine:
        """Return values of any shape as streams, see `sc_neurocore.encode`."""
        return SignMagnitude.encode(x, length, key=key, **how).to_two_line()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch; () for a single value."""
        return self.plus.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> TwoLine:
        return TwoLine(self.plus[index], self.minus[index])

    def __repr__(self) -> str:
        return _repr(self)

    @property
    def length(self) -> int:
        """Time steps."""
        return self.plus.length

    def value(self) -> NDArray[np.float64]:
        """Return p_plus - p_minus, of the batch shape."""
        return np.asarray((self.plus.counts() - self.minus.counts()) / self.length)

    def standard_error(self) -> NDArray[np.float64]:
        """Return sqrt((e - x**2) / L), e the share of steps in which the lines differ."""
        activity = (self.plus ^ self.minus).probability()
        return np.asarray(np.sqrt((activity - self.value() ** 2) / self.length))

    def __mul__(self, other: TwoLine) -> TwoLine:
        _check_coding(self, other)
        a, b = self, other
        for line in (a.plus, a.minus):
            check_operands("TwoLine *", line, b.plus)
            check_operands("TwoLine *", line, b.minus)
        return TwoLine(a.plus & b.plus | a.minus & b.minus, a.plus & b.minus | a.minus & b.plus)

    def __neg__(self) -> TwoLine:
        return TwoLine(self.minus, self.plus)

    def to_bipolar(self) -> Bipolar:
        """Return the mean of plus and NOT minus, p = (1 + x) / 2; by flip-flop."""
        return Bipolar(toggle_add(stack([self.plus, ~self.minus])))


def _values(x: ArrayLike) -> NDArray[np.float64]:
    return _checks.array("x", x, range(33))


def _check_coding(x: object, other: object) -> None:
    _checks.instance("the factor", other, type(x), "convert one of the two, or encode a number first")


def _repr(coded: Unipolar | Bipolar | SignMagnitude | TwoLine) -> str:
    x = np.array2string(coded.value(), formatter={"float": "{:.3g}".format}, threshold=8, edgeitems=2)
    shape = f"shape={coded.shape}, " if coded.shape else ""
    return f"{type(coded).__name__}({shape}length={coded.length}, x={' '.join(x.split())})"
