"""Bernstein polynomials of a density: continuous functions by selecting among coefficient streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _runtime
from sc_neurocore.operators._batches import check_length, n_inputs
from sc_neurocore.operators.gates import choose, repacked, unpacked
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Source,
    encode,
)
from sc_neurocore.streams._dispatch import is_symbolic, on_streams
from sc_neurocore.streams.correlation import check_operands

__all__ = ["bernstein", "bernstein_fit", "bernstein_value"]


@on_streams
def bernstein(
    x: Bitstream,
    coefficients: Bitstream | ArrayLike,
    *,
    key: int | None = None,
    source: Source = Bernoulli(),
) -> Bitstream:
    """Return a Bernstein polynomial of the density of a stream.

    The number of ones among n independent copies of x is binomial. At each step it selects one of the n
    + 1 coefficient streams. With the density p of the copies and the coefficients b_i, the density and,
    for white streams of length L, its variance are::

        B = sum over i of b_i C(n, i) p**i (1 - p)**(n - i),   var(B) = B (1 - B) / L

    Requires SCC 0 between the copies, and between each copy and the coefficients. The coefficients can
    have any correlation with each other (ReSC; Qian, Li, Riedel, Bazargan, Lilja: An architecture for
    fault-tolerant computation with stochastic logic; IEEE TC 2011).

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Copies of one stream, with independent numbers.
    coefficients : Bitstream or array_like of float, shape (..., n + 1)
        Streams of the length of x, or values in [0, 1] that are encoded for each element of the batch.
        The batch shape broadcasts with that of x.
    key : int, optional
        Key from `stream_key` that encodes the values, usually with `Role.WEIGHT`. Required if the
        coefficients are values, and refused if they are streams.
    source : Source
        Source of the coefficient streams. It must differ from the source of the copies.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument has the wrong type.
    ValueError
        If shapes or lengths do not match, a value is outside its range, or `key` is missing or not
        expected.

    Examples
    --------
    >>> from sc_neurocore import Role, Sobol, encode, stream_key
    >>> from sc_neurocore.operators import bernstein, bernstein_value
    >>> b = [0.25, 0.625, 0.375, 0.75]
    >>> copies = encode([0.3] * 3, 65536, key=stream_key(1, Role.INPUT))
    >>> bernstein(copies, b, key=stream_key(1, Role.WEIGHT))
    Bitstream(length=65536, p=0.451)
    >>> round(float(bernstein_value(0.3, b)), 3)
    0.452

    With Sobol streams the copies use dimensions 0 to n - 1, and the coefficients dimension n. The gain
    is small, because each bit depends on n + 1 dimensions at once:

    >>> copies = encode([0.3] * 3, 1024, key=stream_key(1, Role.INPUT), source=Sobol())
    >>> bernstein(copies, b, key=stream_key(1, Role.WEIGHT), source=Sobol(3))
    Bitstream(length=1024, p=0.445)
    """
    n = n_inputs(x)
    b = _coefficient_streams(x, n, coefficients, key, source)
    # De Casteljau's algorithm on bits: a one of a copy drops the first coefficient, a zero the last.
    copies, streams = unpacked(x), unpacked(b)
    for i in range(n):
        if _runtime.checkers or is_symbolic(x):
            check_operands("bernstein", x[..., i, None], b, f"copy {i} and the coefficients")
            for j in range(i):
                check_operands("bernstein", x[..., j], x[..., i], f"copies {j} and {i}")
        pairs = zip(streams[1:], streams[:-1], strict=True)
        streams = [choose(copies[i], one, zero) for one, zero in pairs]
    return repacked(streams[0], x)


def bernstein_value(x: ArrayLike, coefficients: ArrayLike) -> NDArray[np.float64]:
    """Return the values of a Bernstein polynomial.

    Parameters
    ----------
    x : array_like of float
        Points in [0, 1], of any shape.
    coefficients : array_like of float, shape (n + 1,)
        Coefficients in [0, 1] of the polynomial that `bernstein` computes, of degree n.

    Returns
    -------
    ndarray of float64, of the shape of x

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If a value is outside [0, 1], or `coefficients` is empty or has more than one axis.
    """
    b = _coefficients(coefficients, [1])
    if b.size == 0:
        _checks.fail("coefficients", "hold at least one value", "none")
    points = _checks.array("x", x, range(33))
    _checks.within("x", points, 0.0, 1.0)
    return _de_casteljau(b, points)


def bernstein_fit(
    function: Callable[[NDArray[np.float64]], ArrayLike], degree: int
) -> NDArray[np.float64]:
    """Return the coefficients of the Bernstein polynomial that is closest to a function on [0, 1].

    They minimize the squared error under the bounds of a coefficient stream, where B is the polynomial
    that `bernstein` computes::

        integral over [0, 1] of (B(x) - function(x))**2 dx,   0 <= b_i <= 1

    The integral is a Gauss-Legendre sum over 256 points. Values of the function outside [0, 1] cannot
    be reached. Requires SciPy (extra: fit).

    Parameters
    ----------
    function : callable
        Function that accepts an array of points inside (0, 1), shape (256,), and returns an array of
        that shape.
    degree : int
        Degree of the polynomial, from 1 to 255: less than the number of points.

    Returns
    -------
    ndarray of float64, shape (degree + 1,)
        Coefficients in [0, 1].

    Raises
    ------
    ImportError
        If SciPy is missing.
    TypeError
        If `function` is not callable, or `degree` is not an integer.
    ValueError
        If `degree` is outside its range, or the function returns another shape or values that are not
        finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore.operators import bernstein_fit, bernstein_value
    >>> b = bernstein_fit(lambda x: np.exp(-2 * x), 4)
    >>> x = np.linspace(0, 1, 101)
    >>> float(np.abs(bernstein_value(x, b) - np.exp(-2 * x)).max()) < 1e-3
    True
    """
    try:
        from scipy.optimize import lsq_linear
    except ImportError as error:
        raise ImportError(_checks.missing_extra("bernstein_fit", "SciPy", "fit")) from error
    if not callable(function):
        _checks.wrong_type("function", "be a function of an array", function)
    degree = _checks.integer("degree", degree, 1, 255)
    nodes, masses = np.polynomial.legendre.leggauss(256)
    points = (nodes + 1) / 2
    values = _checks.array("function(x)", function(points), [1])
    if values.shape != points.shape:
        _checks.fail("function(x)", f"have the shape of x, {points.shape}", values.shape)
    basis = _de_casteljau(np.eye(degree + 1), points[:, np.newaxis])
    roots = np.sqrt(masses)
    a, b = roots[:, np.newaxis] * basis, roots * values
    # The default of one iteration per coefficient stops too early at high degrees.
    fit = lsq_linear(a, b, (0.0, 1.0), method="bvls", max_iter=100 * (degree + 1))
    return np.asarray(fit.x, np.float64)


def _coefficients(coefficients: ArrayLike, ndims: Sequence[int]) -> NDArray[np.float64]:
    b = _checks.array("coefficients", coefficients, ndims)
    _checks.within("coefficients", b, 0.0, 1.0)
    return b


def _coefficient_streams(
    x: Bitstream, n: int, coefficients: Bitstream | ArrayLike, key: int | None, source: Source
) -> Bitstream:
    """Return coefficients as streams, of a batch shape (..., n + 1) that broadcasts with that of x."""
    given = coefficients
    if not isinstance(given, Bitstream) and not is_symbolic(given):
        given = _coefficients(given, range(33))
    if not given.shape or given.shape[-1] != n + 1:
        contract = f"have size {n + 1} along the last axis for {n} copies"
        _checks.fail("coefficients", contract, f"shape {given.shape}")
    try:
        batch = np.broadcast_shapes(given.shape[:-1], x.shape[:-1])
    except ValueError:
        contract = f"have a shape (..., {n + 1}) that broadcasts with that of x, {x.shape}"
        _checks.fail("coefficients", contract, given.shape)
    if isinstance(given, Bitstream) or is_symbolic(given):
        if key is not None:
            _checks.fail("key", "be omitted if the coefficients are streams", key)
        check_length(x, "coefficients", given)
        return given
    if key is None:
        _checks.fail("key", "be given if the coefficients are values", None)
    # All use lane 0, because they are combined with the same copies; row 0 of the lane is a copy.
    streams = np.arange(1, (n + 1) * int(np.prod(batch)) + 1, dtype=np.uint64) << np.uint64(32)
    values = np.broadcast_to(given, (*batch, n + 1))
    return encode(values, x.length, key=key, source=source, streams=streams.reshape(values.shape))


def _de_casteljau(b: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return polynomials with coefficients (..., n + 1) at x, whose shape broadcasts with (...)."""
    t = x[..., np.newaxis]
    b = np.broadcast_to(b, np.broadcast_shapes(b.shape, t.shape))
    for _ in range(b.shape[-1] - 1):
        b = (1 - t) * b[..., :-1] + t * b[..., 1:]
    return np.asarray(b[..., 0])
