"""Codings of values outside [-1, 1]: sums of several lines, and ratios of two streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators._batches import check_streams
from sc_neurocore.operators._coded import How, check_coding, repr_of, values_of
from sc_neurocore.operators._digits import (
    bipolar_product,
    chosen_lines,
    halved,
    integral_tanh,
    sorted_lines,
)
from sc_neurocore.operators._softmax import softmax_lines
from sc_neurocore.operators.adders import toggle_add
from sc_neurocore.operators.codings import Bipolar
from sc_neurocore.streams import Bitstream, encode, stack
from sc_neurocore.streams.bitstream import Index

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Integral", "Ratio"]

# Inputs of a machine.
_MOST_LINES = 8


@dataclass(frozen=True, eq=False, repr=False)
class Integral:
    """A value in [-m, m] as the sum of m lines in bipolar code: a stream of integers.

    At each step the lines form the integer ``s = ones - zeros`` in {-m, -m + 2, ..., m} (Ardakani,
    Leduc-Primeau, Onizawa, Hanyu, Gross: VLSI implementation of deep neural network using integral
    stochastic computing; IEEE TVLSI 2017). With the densities p_j of the lines, and white, independent
    lines of length L::

        x = sum over j of 2 p_j - 1,   standard error sqrt(sum over j of 1 - x_j**2) / sqrt(L)
        x + w    the lines of both, exact, for any correlation
        x * w    XNOR of each line of x with each line of w, requires SCC 0 between x and w
        -x       inverts the lines, exact

    A sum is not clipped: its range grows with the lines. Sums of products, as of a neuron, therefore
    have no error but that of their streams.

    Parameters
    ----------
    lines : Bitstream, of batch shape (..., m)
        The lines along the last batch axis.

    Raises
    ------
    TypeError
        If `lines` is not a Bitstream.
    ValueError
        If `lines` has no batch axis, or no lines.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import Bipolar, Integral
    >>> x = Integral.encode(2.4, 65536, 4, key=stream_key(1, Role.INPUT))
    >>> w = Bipolar.encode(-0.5, 65536, key=stream_key(1, Role.WEIGHT))
    >>> y = x * w + x
    >>> print(f"{y.value():.2f} +- {y.standard_error():.2f}, {y.n_lines} lines")
    1.20 +- 0.01, 8 lines
    """

    lines: Bitstream

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        check_streams(lines=self.lines)
        if not self.lines.shape or self.lines.shape[-1] == 0:
            _checks.fail("lines", "have batch shape (..., m) with m > 0", self.lines.shape)

    @classmethod
    def encode(
        cls, x: ArrayLike, length: int, n_lines: int, *, key: int, **how: Unpack[How]
    ) -> Integral:
        """Return values as the sums of equal lines, each of the value x / m.

        Parameters
        ----------
        x : array_like of float
            Values of any shape; values outside [-m, m] are clipped.
        length : int
            Number of bits of a line.
        n_lines : int
            Number of lines m, at least 1.
        key : int
            Key from `stream_key`.
        **how
            `source` and `streams` of `sc_neurocore.encode`; `streams` of shape (..., m).

        Returns
        -------
        Integral, of the shape of x

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is not finite, or another argument is outside its range.
        """
        m = _checks.integer("n_lines", n_lines, 1, 2**20)
        p = (values_of(x) / m + 1) / 2
        return cls(encode(np.repeat(p[..., np.newaxis], m, axis=-1), length, key=key, **how))

    @property
    def n_lines(self) -> int:
        """Number of lines m, an int."""
        return self.lines.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch, a tuple of int; () for a single value."""
        return self.lines.shape[:-1]

    @property
    def length(self) -> int:
        """Number of time steps L, an int."""
        return self.lines.length

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Integral:
        index = index if isinstance(index, tuple) else (index,)
        full = () if any(i is Ellipsis for i in index) else (Ellipsis,)
        return Integral(self.lines[(*index, *full, slice(None))])

    def __repr__(self) -> str:
        return repr_of(self)

    def value(self) -> NDArray[np.float64]:
        """Return the value in [-m, m], an ndarray of float64 of the batch shape."""
        return np.asarray((2 * self.lines.probability() - 1).sum(axis=-1))

    def standard_error(self) -> NDArray[np.float64]:
        """Return ``sqrt(sum of 1 - x_j**2 / L)`` over the lines, an ndarray of the batch shape."""
        each = 2 * self.lines.probability() - 1
        return np.asarray(np.sqrt((1 - each**2).sum(axis=-1) / self.length))

    def __add__(self, other: Integral | Bipolar) -> Integral:
        return Integral(_joined(self.lines, _integral(self, other).lines))

    def __sub__(self, other: Integral | Bipolar) -> Integral:
        return Integral(_joined(self.lines, ~_integral(self, other).lines))

    def __mul__(self, other: Integral | Bipolar) -> Integral:
        w = _integral(self, other)
        products = bipolar_product(self.lines[..., :, None], w.lines[..., None, :])
        return Integral(products.reshape(*products.shape[:-2], self.n_lines * w.n_lines))

    def __neg__(self) -> Integral:
        return Integral(~self.lines)

    def tanh(self, n_states: int) -> Bipolar:
        """Return about ``tanh(n_states * x / 2)``, by a machine that counts the integers.

        The machine has ``m * n_states`` states and starts in the middle. Each step adds s, saturating
        at both ends, and it writes 1 in its upper half, before the step (NStanh of the cited paper).
        For one line it is `stanh`. Requires lines white in time and independent of each other, for
        which `Circuit.predict` returns mean and variance.

        Parameters
        ----------
        n_states : int
            States per line, even, at least 2; at most ``2**16 / m``.

        Returns
        -------
        Bipolar, of the batch shape of x

        Raises
        ------
        TypeError
            If `n_states` is not an integer.
        ValueError
            If `n_states` is odd or outside its range, or there are more than eight lines.
        """
        if self.n_lines > _MOST_LINES:
            _checks.fail("lines", f"be at most {_MOST_LINES} for tanh", self.n_lines)
        n = _checks.integer("n_states", n_states, 2, 2**16 // self.n_lines)
        if n % 2:
            _checks.fail("n_states", "be even", n)
        return Bipolar(integral_tanh(self.lines, n))

    def sorted(self) -> Integral:
        """Return the same integers in a thermometer code: line k is 1 where at least k + 1 lines are.

        Batcher's merge sort exchanges pairs of lines by an OR and an AND gate (Batcher: Sorting
        networks and their applications; AFIPS 1968).
        """
        return Integral(stack(sorted_lines([self.lines[..., i] for i in range(self.n_lines)])))

    def map(self, function: Callable[[NDArray[np.float64]], ArrayLike], n_lines: int) -> Integral:
        """Return a function of the integer of each step, by gates on sorted lines.

        Each line of the result depends only on the number of ones. It is the XOR of the sorted lines at
        which it changes: a single wire where the function rises monotonically, and a few gates
        elsewhere, as in blocks of a transformer (gate-assisted selective interconnect for GELU; Xie,
        Hu, Wei, Li, Wang, Wang, Huang: ASCEND: accurate yet efficient end-to-end stochastic computing
        acceleration of vision transformer; DATE 2024). Given the integers, the result is exact but for
        rounding to the integers of the result, by at most 1. For independent lines of density p, the
        mean is a Bernstein polynomial of p, and the variance for white lines as below::

            z = sum over k of f(2 k - m) C(m, k) p**k (1 - p)**(m - k),   var(z) = var(f(s)) / L

        Parameters
        ----------
        function : callable
            Function that accepts the integers -m, -m + 2, ..., m as an array, shape (m + 1,), and
            returns an array of that shape, which is clipped to [-n_lines, n_lines].
        n_lines : int
            Number of lines of the result, from 1 to 1024.

        Returns
        -------
        Integral, of the batch shape of x

        Raises
        ------
        TypeError
            If `function` is not callable or does not return numbers, or `n_lines` is not an integer.
        ValueError
            If the function returns another shape or values that are not finite, or `n_lines` is outside
            its range.

        Examples
        --------
        GELU of values in steps of 1/2, of one step; the result has steps of 1/8.

        >>> import numpy as np
        >>> from sc_neurocore import Bitstream
        >>> from sc_neurocore.operators import Integral
        >>> def gelu(s):
        ...     x = s / 4
        ...     return 16 * x / (1 + np.exp(-1.702 * x))
        >>> ones = np.arange(9)[:, np.newaxis] > np.arange(8)
        >>> x = Integral(Bitstream.from_bits(ones[..., np.newaxis]))
        >>> x.value() / 4
        array([-2. , -1.5, -1. , -0.5,  0. ,  0.5,  1. ,  1.5,  2. ])
        >>> print(x.map(gelu, 32).value() / 16)
        [-0.125 -0.125 -0.125 -0.125  0.     0.375  0.875  1.375  1.875]
        """
        if not callable(function):
            _checks.wrong_type("function", "be a function of an array", function)
        m, n = self.n_lines, _checks.integer("n_lines", n_lines, 1, 1024)
        values = _checks.array("function(s)", function(np.arange(-m, m + 1.0, 2.0)), [1])
        if values.shape != (m + 1,):
            _checks.fail("function(s)", f"have the shape of s, {(m + 1,)}", values.shape)
        counts = np.rint((np.clip(values, -n, n) + n) / 2)
        return Integral(chosen_lines(self.sorted().lines, tuple(map(int, counts)), n))

    def softmax(self, unit: int, n_lines: int, n_iterations: int) -> Integral:
        """Return about the softmax of ``x / unit`` along the last batch axis, by gates at each step.

        Euler's method solves ``dy/dt = y (x - sum of x y)``, whose solution from ``y = 1 / k`` for k
        values is the softmax of ``t x``. It needs neither an exponential nor a division. The source
        cited in `map` has an iterative softmax circuit too, with which this one was not compared::

            y <- y + (x y - y sum over the axis of x y) / n_iterations,   n_iterations times

        The ones among the `n_lines` lines of the result are y times `n_lines`, so that its density in
        unipolar code is y. They are rounded after each iteration, and the sum to a multiple of at most
        ``2 m / n_lines``. Given the integers of a time step, the result has no other error. Four values
        of 8 lines in steps of 1/4, drawn from [-2, 2] at random, have a mean error of 0.017 with 32
        lines and 3 iterations, of which 0.014 is that of Euler's method. With many iterations, rounding
        stops small changes: n_lines should be several times n_iterations. The results add up to 1
        except for their rounding. Of random lines, the mean is that of the softmax of each step.

        Parameters
        ----------
        unit : int
            Divisor of the integers, at least 1.
        n_lines : int
            Number of lines of the result, from 2 to 256.
        n_iterations : int
            Number of iterations of Euler's method, from 1 to 64.

        Returns
        -------
        Integral, of the batch shape of x
            In a thermometer code; its value is ``n_lines * (2 y - 1)``.

        Raises
        ------
        TypeError
            If an argument is not an integer.
        ValueError
            If x has no batch axis, or an argument is outside its range.

        Examples
        --------
        >>> from sc_neurocore import Bitstream
        >>> from sc_neurocore.operators import Integral
        >>> ones = np.array([[7], [5], [2]]) > np.arange(8)
        >>> x = Integral(Bitstream.from_bits(ones[..., np.newaxis]))
        >>> x.value() / 4
        array([ 1.5,  0.5, -1. ])
        >>> x.softmax(4, 64, 4).lines.probability().mean(axis=-1).round(2)  # 0.69, 0.25 and 0.06
        array([0.69, 0.28, 0.05])
        """
        unit = _checks.integer("unit", unit, 1, 2**16)
        n = _checks.integer("n_lines", n_lines, 2, 256)
        n_iterations = _checks.integer("n_iterations", n_iterations, 1, 64)
        if not self.shape:
            _checks.fail("x", "have a batch axis for softmax", self.shape)
        return Integral(softmax_lines(self.lines, unit, n, n_iterations))

    def to_bipolar(self) -> Bipolar:
        """Return the mean of the lines, x / m, by `toggle_add`; for 1, 2, 4, 8, ... lines."""
        return Bipolar(toggle_add(self.lines) if self.n_lines > 1 else self.lines[..., 0])


def _integral(x: Integral, other: object) -> Integral:
    """Return an operand as an Integral; a Bipolar has one line."""
    if isinstance(other, Bipolar):
        return Integral(other.stream[..., None])
    check_coding(x, other)
    assert isinstance(other, Integral)
    return other


def _joined(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return streams of batch shapes (..., m) and (..., n) as one of shape (..., m + n)."""
    return stack([*(x[..., i] for i in range(x.shape[-1])), *(y[..., i] for i in range(y.shape[-1]))])


@dataclass(frozen=True, eq=False, repr=False)
class Ratio:
    """A value without bounds as the ratio of two streams in bipolar code: extended stochastic logic.

    With the bipolar values p and q of the streams, and all streams of the operands independent of each
    other (Canals, Morro, Oliver, Alomar, Rosselló: A new stochastic computing methodology for efficient
    neural network implementation; IEEE TNNLS 2016)::

        x = p / q
        x * w    p_x p_w / (q_x q_w), two XNOR gates
        x / w    p_x q_w / (q_x p_w), two XNOR gates
        x + w    half of (p_x q_w + p_w q_x) / half of (q_x q_w), four XNOR gates and two machines
        -x       inverts p, exact

    The standard error to first order in ``1 / L``, for white pairs, is::

        sqrt((1 + x**2 - 2 x E(dp dq)) / L) / abs(q)

    where dp and dq are the digits of a step. It grows as q falls: each product multiplies the
    denominators, and each sum halves them too. The machines of a sum lose less than 2 / L of numerator
    and denominator, and their result is not white.

    Parameters
    ----------
    numerator, denominator : Bitstream
        Streams of p and q, of equal batch shape and length.

    Raises
    ------
    TypeError
        If a stream is not a Bitstream.
    ValueError
        If the streams differ in batch shape or length.

    Examples
    --------
    >>> from sc_neurocore import Role, stream_key
    >>> from sc_neurocore.operators import Ratio
    >>> x = Ratio.encode(2.5, 65536, key=stream_key(1, Role.INPUT))
    >>> w = Ratio.encode(-0.8, 65536, key=stream_key(1, Role.WEIGHT))
    >>> for y in (x * w, x / w, x + w):
    ...     print(f"{y.value():.2f} +- {y.standard_error():.2f}")
    -2.00 +- 0.02
    -3.13 +- 0.04
    1.71 +- 0.04
    """

    numerator: Bitstream
    denominator: Bitstream

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        check_streams(numerator=self.numerator, denominator=self.denominator)
        one, other = ((s.shape, s.length) for s in (self.numerator, self.denominator))
        if one != other:
            contract = "have the shape and the length of numerator, {} and {}".format(*one)
            _checks.fail("denominator", contract, "{} and {}".format(*other))

    @classmethod
    def encode(cls, x: ArrayLike, length: int, *, key: int, **how: Unpack[How]) -> Ratio:
        """Return values as ratios, x / 1 if abs(x) <= 1, and else sign(x) / (1 / abs(x)).

        Parameters
        ----------
        x : array_like of float
            Values of any shape.
        length : int
            Number of bits of a stream.
        key : int
            Key from `stream_key`.
        **how
            `source` and `streams` of `sc_neurocore.encode`. One of the two streams is constant, so
            that both use one number.

        Returns
        -------
        Ratio, of the shape of x

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is not finite, or another argument is outside its range.
        """
        values = values_of(x)
        scale = np.maximum(np.abs(values), 1.0)
        p, q = ((one + 1) / 2 for one in (values / scale, 1 / scale))
        return cls(encode(p, length, key=key, **how), encode(q, length, key=key, **how))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the batch, a tuple of int; () for a single value."""
        return self.numerator.shape

    @property
    def length(self) -> int:
        """Number of time steps L, an int."""
        return self.numerator.length

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Ratio:
        return Ratio(self.numerator[index], self.denominator[index])

    def __repr__(self) -> str:
        return repr_of(self)

    def value(self) -> NDArray[np.float64]:
        """Return p / q, an ndarray of float64 of the batch shape; inf or nan where q is 0."""
        p, q = (2.0 * s.counts() - s.length for s in (self.numerator, self.denominator))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(p / q)

    def standard_error(self) -> NDArray[np.float64]:
        """Return the standard error to first order, an ndarray of float64 of the batch shape."""
        x, q = self.value(), 2 * self.denominator.probability() - 1
        both = 1 - 2 * (self.numerator ^ self.denominator).probability()
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.maximum(1 + x**2 - 2 * x * both, 0.0) / self.length
            return np.asarray(np.sqrt(variance) / np.abs(q))

    def __mul__(self, other: Ratio) -> Ratio:
        check_coding(self, other, "factor")
        numerator = bipolar_product(self.numerator, other.numerator)
        return Ratio(numerator, bipolar_product(self.denominator, other.denominator))

    def __truediv__(self, other: Ratio) -> Ratio:
        check_coding(self, other)
        return self * Ratio(other.denominator, other.numerator)

    def __add__(self, other: Ratio) -> Ratio:
        check_coding(self, other)
        a, b = self, other
        parts = (a.numerator, b.denominator), (b.numerator, a.denominator)
        numerator = toggle_add(stack([bipolar_product(p, q) for p, q in parts]))
        return Ratio(numerator, halved(bipolar_product(a.denominator, b.denominator)))

    def __sub__(self, other: Ratio) -> Ratio:
        check_coding(self, other)
        return self + -other

    def __neg__(self) -> Ratio:
        return Ratio(~self.numerator, self.denominator)
