"""Codings of values by streams, and the circuits that calculate with them and convert them.

===============  ==========  =========  ===============  =========
from, to         `Unipolar`  `Bipolar`  `SignMagnitude`  `TwoLine`
===============  ==========  =========  ===============  =========
`Unipolar`                   flip-flop  exact            exact
`Bipolar`        counter                count            exact
`SignMagnitude`  exact, abs  flip-flop                   exact
`TwoLine`        counter     flip-flop  count
===============  ==========  =========  ===============  =========

An exact conversion uses only wires and gates. A conversion by flip-flop is a `toggle_add`: the value
falls by at most 1 / L, and the stream is no longer white. A conversion by counter rectifies: negative
values become 0. The other conversions have no method, because hardware must count the ones and encode
them again:
``SignMagnitude.encode(x.value(), x.length, key=key)``.

`standard_error` is exact for white streams, evaluated at the measured value. Factors of a product must
be independent of each other (SCC 0). `encode` clips values to the range of the coding.

Sums, differences and quotients are clipped to the range of the coding too. They require no correlation
of their operands. The machines of sums count up to 64 digits, and two values whose sum is within the
range are added exactly, but for the last count and what a full counter loses::

    value = a + b - e / L,   abs(e) <= 64 + lost digits
    variance (var(a) + var(b) + 2 cov(a, b)) / L for variances of a single digit

Sums and quotients are not white. `Circuit.predict` returns the means and variances of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators._batches import broadcast_streams, check_streams
from sc_neurocore.operators._coded import How, check_coding, repr_of, values_of
from sc_neurocore.operators._digits import (
    DEPTH,
    bipolar_product,
    bipolar_quotient,
    bipolar_sum,
    quotient,
    rectified,
    two_line_sum,
)
from sc_neurocore.operators.adders import buffered_add, toggle_add
from sc_neurocore.operators.gates import multiply
from sc_neurocore.operators.machines import sexp, stanh
from sc_neurocore.streams import (
    Bitstream,
    encode,
    stack,
)
from sc_neurocore.streams.bitstream import (
    Index,
)
from sc_neurocore.streams.correlation import check_operands

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Bipolar", "SignMagnitude", "TwoLine", "Unipolar"]


@dataclass(frozen=True, eq=False, repr=False)
class Unipolar:
    """A value in [0, 1] on one stream.

    With the density p of the stream, and white streams of length L::

        x = p,   standard error sqrt(x (1 - x) / L)
        x * w    AND gate, variance x w (1 - x w) / L, requires SCC 0
        x + w    buffered_add, clipped to 1
        x - w    TwoLine of both streams, exact
        x / w    cordiv of synchronized streams, for x <= w, requires white pairs

    Values cannot be negated. The conversions to `SignMagnitude` and `TwoLine` are exact; the conversion
    to `Bipolar` uses a flip-flop.

    Parameters
    ----------
    stream : Bitstream
        Stream of the value, of any batch shape.

    Raises
    ------
    TypeError
        If `stream` is not a Bitstream.

    Examples
    --------
    >>> from sc_neurocore import Role, Unipolar, stream_key
    >>> x = Unipolar.encode(0.5, 65536, key=stream_key(1, Role.INPUT))
    >>> w = Unipolar.encode(0.6, 65536, key=stream_key(1, Role.WEIGHT))
    >>> print(f"{(x * w).value():.3f} +- {(x * w).standard_error():.3f}")
    0.299 +- 0.002
    """

    stream: Bitstream

    __array_ufunc__ = None  # array * coding raises instead of making an array of objects

    def __post_init__(self) -> None:
        check_streams(stream=self.stream)

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> Unipolar:
        """Return values as streams of Bernoulli bits, or of another source.

        Parameters
        ----------
        x : array_like of float
            Values of any shape; values outside [0, 1] are clipped with a warning.
        length : int
            Number of bits of a stream.
        key : int
            Key from `stream_key`.
        **how
            `source` and `streams` of `sc_neurocore.encode`.

        Returns
        -------
        Unipolar, of the shape of x

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is not finite, or another argument is outside its range.
        """
        return cls(encode(values_of(x), length, key=key, **how))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch, a tuple of int; () for a single value."""
        return self.stream.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Unipolar:
        return Unipolar(self.stream[index])

    def __repr__(self) -> str:
        return repr_of(self)

    @property
    def length(self) -> int:
        """Number of time steps L, an int."""
        return self.stream.length

    def value(self) -> NDArray[np.float64]:
        """Return the value p in [0, 1], an ndarray of float64 of the batch shape."""
        return self.stream.probability()

    def standard_error(self) -> NDArray[np.float64]:
        """Return ``sqrt(x * (1 - x) / L)``, an ndarray of float64 of the batch shape."""
        x = self.value()
        return np.asarray(np.sqrt(x * (1 - x) / self.length))

    def __mul__(self, other: Unipolar) -> Unipolar:
        check_coding(self, other, "factor")
        return Unipolar(multiply(self.stream, other.stream))

    def __add__(self, other: Unipolar) -> Unipolar:
        check_coding(self, other)
        return Unipolar(buffered_add(self.stream, other.stream, DEPTH))

    def __sub__(self, other: Unipolar) -> TwoLine:
        check_coding(self, other)
        return TwoLine(*broadcast_streams(self.stream, other.stream))

    def __truediv__(self, other: Unipolar) -> Unipolar:
        check_coding(self, other)
        return Unipolar(quotient(self.stream, other.stream))

    def __neg__(self) -> NoReturn:
        contract = "be of a coding with negative values"
        _checks.wrong_type("the operand of -", contract, self, "convert it with to_sign_magnitude()")

    def to_sign_magnitude(self) -> SignMagnitude:
        """Return the value as a `SignMagnitude` with a positive sign; exact."""
        return SignMagnitude(self.stream, np.zeros(self.stream.shape, np.bool_))

    def to_two_line(self) -> TwoLine:
        """Return the value as a `TwoLine` whose minus line is silent; exact."""
        return self.to_sign_magnitude().to_two_line()

    def to_bipolar(self) -> Bipolar:
        """Return the value as a `Bipolar`, p = (1 + x) / 2 by a flip-flop; at most 1 / L lower."""
        return self.to_two_line().to_bipolar()


@dataclass(frozen=True, eq=False, repr=False)
class Bipolar:
    """A value in [-1, 1] on one stream.

    With the density p of the stream, and white streams of length L::

        x = 2 p - 1,   standard error sqrt((1 - x**2) / L), largest at x = 0
        x * w          XNOR gate, variance (1 - (x w)**2) / L, requires SCC 0
        -x             inverter, exact
        x + w, x - w   counter, clipped to [-1, 1], variance (2 - x**2 - w**2) / L at SCC 0
        x / w          quotient of magnitudes and signs, for abs(x) <= abs(w)

    The division finds the signs by saturating counters of 32 states, which makes the magnitudes
    ``abs(x) tanh(16 artanh(abs(x)))``, rectifies x and w times their signs, and divides as `Unipolar`
    does. Requires white pairs. The quotient is too small in magnitude if abs(w) is below about 0.2.

    The conversion to `TwoLine` is exact; the conversion to `Unipolar` rectifies by a counter. A
    conversion to a sign or a magnitude must count the ones.

    Parameters
    ----------
    stream : Bitstream
        Stream of the value, of any batch shape.

    Raises
    ------
    TypeError
        If `stream` is not a Bitstream.
    """

    stream: Bitstream

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        check_streams(stream=self.stream)

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> Bipolar:
        """Return values as streams of Bernoulli bits, or of another source.

        Parameters
        ----------
        x : array_like of float
            Values of any shape; values outside [-1, 1] are clipped with a warning.
        length : int
            Number of bits of a stream.
        key : int
            Key from `stream_key`.
        **how
            `source` and `streams` of `sc_neurocore.encode`.

        Returns
        -------
        Bipolar, of the shape of x

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is not finite, or another argument is outside its range.
        """
        return cls(encode((values_of(x) + 1.0) / 2.0, length, key=key, **how))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch, a tuple of int; () for a single value."""
        return self.stream.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Bipolar:
        return Bipolar(self.stream[index])

    def __repr__(self) -> str:
        return repr_of(self)

    @property
    def length(self) -> int:
        """Number of time steps L, an int."""
        return self.stream.length

    def value(self) -> NDArray[np.float64]:
        """Return the value 2 p - 1 in [-1, 1], an ndarray of float64 of the batch shape."""
        return np.asarray(2 * self.stream.probability() - 1)

    def standard_error(self) -> NDArray[np.float64]:
        """Return ``sqrt((1 - x**2) / L)``, an ndarray of float64 of the batch shape."""
        return np.asarray(np.sqrt((1 - self.value() ** 2) / self.length))

    def __mul__(self, other: Bipolar) -> Bipolar:
        check_coding(self, other, "factor")
        return Bipolar(bipolar_product(self.stream, other.stream))

    def __add__(self, other: Bipolar) -> Bipolar:
        check_coding(self, other)
        return Bipolar(bipolar_sum(self.stream, other.stream))

    def __sub__(self, other: Bipolar) -> Bipolar:
        check_coding(self, other)
        return Bipolar(bipolar_sum(self.stream, ~other.stream))

    def __truediv__(self, other: Bipolar) -> Bipolar:
        check_coding(self, other)
        return Bipolar(bipolar_quotient(self.stream, other.stream))

    def __neg__(self) -> Bipolar:
        return Bipolar(~self.stream)

    def tanh(self, n_states: int) -> Bipolar:
        """Return ``tanh((n_states / 2) artanh(x))`` by a machine, see `stanh`; requires white input."""
        return Bipolar(stanh(self.stream, n_states))

    def exp(self, n_states: int, gain: int) -> Unipolar:
        """Return about ``exp(-2 gain x)`` for x > 0 by a machine, see `sexp`; requires white input."""
        return Unipolar(sexp(self.stream, n_states, gain))

    def to_unipolar(self, depth: int = DEPTH) -> Unipolar:
        """Return max(0, x) as a `Unipolar`, by a counter of digits -1 that are not cancelled yet.

        A digit 1 is written if the count is 0, and otherwise lowers it. The counter is one direction of
        the conversion of Wu, San Miguel (In-stream stochastic division and square root via correlation;
        DAC 2019). With ``r = (1 - x) / (1 + x)``, the stationary value is::

            z = (1 + x) / 2 * (1 - r) / (1 - r**(depth + 1))

        It is ``1 / (2 (depth + 1))`` at x = 0. For x > 0 it is x, with the variance of x.

        Parameters
        ----------
        depth : int
            Largest count, from 1 to 65535.

        Returns
        -------
        Unipolar, of the batch shape of x

        Raises
        ------
        TypeError
            If `depth` is not an integer.
        ValueError
            If `depth` is outside its range.
        """
        return Unipolar(rectified(self.stream, depth=depth))

    def to_two_line(self) -> TwoLine:
        """Return the value as a `TwoLine` of the stream and its complement; exact."""
        return TwoLine(self.stream, ~self.stream)


@dataclass(frozen=True, eq=False, repr=False)
class SignMagnitude:
    """A value in [-1, 1] as the stream of its magnitude and a constant sign.

    With the density m of the magnitude, and white streams of length L::

        x = m or -m,   standard error sqrt(m (1 - m) / L), 0 at x = 0
        x * w          AND of the magnitudes, XOR of the signs, variance abs(x w) (1 - abs(x w)) / L,
                       requires SCC 0 of the magnitudes
        x / w          cordiv of synchronized magnitudes, for abs(x) <= abs(w), requires white pairs
        x + w, x - w   TwoLine, because the sign of the result is not known in advance
        -x, abs(x)     inverts or drops the sign, exact

    The conversion to `TwoLine` is exact; the conversion to `Bipolar` uses a flip-flop.
    ``Unipolar(x.magnitude)`` is the magnitude.

    Parameters
    ----------
    magnitude : Bitstream
        Stream of the magnitude, of any batch shape.
    negative : array_like of bool
        True for negative values, of the batch shape of `magnitude`.

    Raises
    ------
    TypeError
        If `magnitude` is not a Bitstream, or `negative` does not hold bits.
    ValueError
        If `negative` has another shape or other values.
    """

    magnitude: Bitstream
    negative: NDArray[np.bool_]

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        check_streams(magnitude=self.magnitude)
        negative = _checks.bit_array("negative", self.negative).astype(np.bool_)
        if negative.shape != self.magnitude.shape:
            contract = f"have the batch shape of magnitude, {self.magnitude.shape}"
            _checks.fail("negative", contract, negative.shape)
        negative.flags.writeable = False
        object.__setattr__(self, "negative", negative)

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> SignMagnitude:
        """Return values as streams of Bernoulli bits, or of another source.

        Parameters
        ----------
        x : array_like of float
            Values of any shape; values outside [-1, 1] are clipped with a warning.
        length : int
            Number of bits of a stream.
        key : int
            Key from `stream_key`.
        **how
            `source` and `streams` of `sc_neurocore.encode`.

        Returns
        -------
        SignMagnitude, of the shape of x

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is not finite, or another argument is outside its range.
        """
        values = values_of(x)
        magnitude = encode(np.abs(values), length, key=key, **how)
        return cls(magnitude, np.broadcast_to(values < 0, magnitude.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch, a tuple of int; () for a single value."""
        return self.magnitude.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> SignMagnitude:
        return SignMagnitude(self.magnitude[index], self.negative[index])

    def __repr__(self) -> str:
        return repr_of(self)

    @property
    def length(self) -> int:
        """Number of time steps L, an int."""
        return self.magnitude.length

    def value(self) -> NDArray[np.float64]:
        """Return the value m or -m in [-1, 1], an ndarray of float64 of the batch shape."""
        m = self.magnitude.probability()
        return np.where(self.negative, 0 - m, m)  # 0 - m is never -0

    def standard_error(self) -> NDArray[np.float64]:
        """Return ``sqrt(m * (1 - m) / L)``, an ndarray of float64 of the batch shape."""
        return Unipolar(self.magnitude).standard_error()

    def __mul__(self, other: SignMagnitude) -> SignMagnitude:
        check_coding(self, other, "factor")
        return SignMagnitude(multiply(self.magnitude, other.magnitude), self.negative ^ other.negative)

    def __truediv__(self, other: SignMagnitude) -> SignMagnitude:
        check_coding(self, other)
        return SignMagnitude(quotient(self.magnitude, other.magnitude), self.negative ^ other.negative)

    def __add__(self, other: SignMagnitude) -> TwoLine:
        check_coding(self, other)
        return self.to_two_line() + other.to_two_line()

    def __sub__(self, other: SignMagnitude) -> TwoLine:
        check_coding(self, other)
        return self + -other

    def __abs__(self) -> Unipolar:
        return Unipolar(self.magnitude)

    def __neg__(self) -> SignMagnitude:
        return SignMagnitude(self.magnitude, ~self.negative)

    def to_two_line(self) -> TwoLine:
        """Return the value as a `TwoLine` with the magnitude on the line of its sign; exact."""
        words, negative = self.magnitude.words, self.negative[..., np.newaxis]
        silent = np.uint64(0)
        lines = np.where(negative, silent, words), np.where(negative, words, silent)
        return TwoLine(*(Bitstream(line, self.length) for line in lines))

    def to_bipolar(self) -> Bipolar:
        """Return the value as a `Bipolar`, as `TwoLine.to_bipolar` does; at most 1 / L lower."""
        return self.to_two_line().to_bipolar()


@dataclass(frozen=True, eq=False, repr=False)
class TwoLine:
    """A value in [-1, 1] as the difference of two streams.

    At each step the pair of bits is a digit ``d = plus - minus`` of -1, 0 or 1. Two ones cancel, so the
    lines can have any correlation with each other. With the densities of the lines, the activity
    ``e = P(plus != minus)``, and white streams of length L::

        x = p_plus - p_minus,   standard error sqrt((e - x**2) / L)
        -x                      swaps the lines, exact

    The product of a and b multiplies the digits at every step, in all 16 cases. It requires SCC 0
    between the lines of a and those of b::

        plus = a_plus b_plus | a_minus b_minus
        minus = a_plus b_minus | a_minus b_plus
        variance (e_a e_b - (a b)**2) / L

    The sum adds the digits by a counter, and is clipped to [-1, 1]. For independent values its variance
    is ``(e_a - a**2 + e_b - b**2) / L``. The quotient is that of both values as `Bipolar`.

    `encode` keeps one line of each value silent. Then e = abs(x), and the errors are those of
    `SignMagnitude`. Two complementary lines, converted from `Bipolar`, have e = 1 and the errors of
    that coding. The conversion to `Bipolar` uses a flip-flop, the conversion to `Unipolar` rectifies by
    a counter; a conversion to a sign must count the ones.

    Parameters
    ----------
    plus, minus : Bitstream
        Streams of the positive and the negative part, of equal batch shape and length.

    Raises
    ------
    TypeError
        If a line is not a Bitstream.
    ValueError
        If the lines differ in batch shape or length.
    """

    plus: Bitstream
    minus: Bitstream

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        check_streams(plus=self.plus, minus=self.minus)
        one, other = ((s.shape, s.length) for s in (self.plus, self.minus))
        if one != other:
            contract = "have the shape and the length of plus, {} and {}".format(*one)
            _checks.fail("minus", contract, "{} and {}".format(*other))

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> TwoLine:
        """Return values with one silent line each, with the arguments of `SignMagnitude.encode`."""
        return SignMagnitude.encode(x, length, key=key, **how).to_two_line()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch, a tuple of int; () for a single value."""
        return self.plus.shape

    def __getitem__(self, index: Index | tuple[Index, ...]) -> TwoLine:
        return TwoLine(self.plus[index], self.minus[index])

    def __repr__(self) -> str:
        return repr_of(self)

    @property
    def length(self) -> int:
        """Number of time steps L, an int."""
        return self.plus.length

    def value(self) -> NDArray[np.float64]:
        """Return the value p_plus - p_minus in [-1, 1], an ndarray of float64 of the batch shape."""
        return np.asarray((self.plus.counts() - self.minus.counts()) / self.length)

    def standard_error(self) -> NDArray[np.float64]:
        """Return ``sqrt((e - x**2) / L)``, an ndarray of float64 of the batch shape.

        The activity e is the fraction of steps in which the lines differ.
        """
        activity = (self.plus ^ self.minus).probability()
        return np.asarray(np.sqrt((activity - self.value() ** 2) / self.length))

    def __mul__(self, other: TwoLine) -> TwoLine:
        check_coding(self, other, "factor")
        a, b = self, other
        for line in (a.plus, a.minus):
            check_operands("TwoLine *", line, b.plus)
            check_operands("TwoLine *", line, b.minus)
        return TwoLine(a.plus & b.plus | a.minus & b.minus, a.plus & b.minus | a.minus & b.plus)

    def __add__(self, other: TwoLine) -> TwoLine:
        check_coding(self, other)
        return TwoLine(*two_line_sum(self.plus, self.minus, other.plus, other.minus))

    def __sub__(self, other: TwoLine) -> TwoLine:
        check_coding(self, other)
        return TwoLine(*two_line_sum(self.plus, self.minus, other.minus, other.plus))

    def __truediv__(self, other: TwoLine) -> TwoLine:
        check_coding(self, other)
        return (self.to_bipolar() / other.to_bipolar()).to_two_line()

    def __neg__(self) -> TwoLine:
        return TwoLine(self.minus, self.plus)

    def to_unipolar(self, depth: int = DEPTH) -> Unipolar:
        """Return max(0, x) as a `Unipolar`, by the counter of `Bipolar.to_unipolar`."""
        return Unipolar(rectified(self.plus, self.minus, depth=depth))

    def to_bipolar(self) -> Bipolar:
        """Return the value as a `Bipolar`: the mean of plus and NOT minus, by a flip-flop.

        The density is p = (1 + x) / 2, and the value falls by at most 1 / L.
        """
        return Bipolar(toggle_add(stack([self.plus, ~self.minus])))
