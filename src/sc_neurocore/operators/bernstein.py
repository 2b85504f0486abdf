"""Bernstein polynomials of densities: continuous functions by selecting among coefficient streams."""

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

# Points per axis of a fit, for one to three variables.
_POINTS = {1: 256, 2: 32, 3: 12}


@on_streams
def bernstein(
    x: Bitstream | tuple[Bitstream, ...],
    coefficients: Bitstream | ArrayLike,
    *,
    key: int | None = None,
    source: Source = Bernoulli(),
) -> Bitstream:
    """Return a Bernstein polynomial of the density of a stream, or of several streams.

    The number of ones among n independent copies of x is binomial. At each step it selects one of the n
    + 1 coefficient streams. With the density p of the copies and the coefficients b_i, the density and,
    for white streams of length L, its variance are::

        B = sum over i of b_i C(n, i) p**i (1 - p)**(n - i),   var(B) = B (1 - B) / L

    Requires SCC 0 between the copies, and between each copy and the coefficients. The coefficients can
    have any correlation with each other (ReSC; Qian, Li, Riedel, Bazargan, Lilja: An architecture for
    fault-tolerant computation with stochastic logic; IEEE TC 2011).

    A tuple of streams gives a polynomial of several variables, each with copies of its own that select
    along its axis of the coefficients. With two variables of densities p and q, n and m copies::

        B = sum over i, j of b_ij C(n, i) p**i (1 - p)**(n - i) C(m, j) q**j (1 - q)**(m - j)

    (Qian, Riedel: The synthesis of robust polynomial arithmetic with stochastic logic; DAC 2008.)

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n), or tuple of them
        Copies of one stream, with independent numbers; or of each variable, in equal lengths and batch
        shapes (...) that are equal.
    coefficients : Bitstream or array_like of float, shape (..., n + 1)
        Streams of the length of x, or values in [0, 1] that are encoded for each element of the batch.
        The batch shape broadcasts with that of x. Of shape (..., n + 1, m + 1, ...) for several
        variables.
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
    variables = x if isinstance(x, tuple) else (x,)
    sizes = _sizes(variables)
    b = _coefficient_streams(variables[0], sizes, coefficients, key, source)
    # De Casteljau's algorithm on bits: a one of a copy drops the first coefficient, a zero the last.
    copies = [copy for variable in variables for copy in unpacked(variable)]
    if _runtime.checkers or is_symbolic(variables[0]):
        _check_copies([v[..., i, None] for v in variables for i in range(v.shape[-1])], b)
    streams = unpacked(b)
    for n in reversed(sizes):
        own, copies = copies[len(copies) - n :], copies[: len(copies) - n]
        rows = [streams[i : i + n + 1] for i in range(0, len(streams), n + 1)]
        for copy in own:
            rows = [
                [choose(copy, one, zero) for one, zero in zip(row[1:], row[:-1], strict=True)]
                for row in rows
            ]
        streams = [row[0] for row in rows]
    return repacked(streams[0], variables[0])


def _sizes(variables: tuple[Bitstream, ...]) -> tuple[int, ...]:
    """Return the number of copies of each variable."""
    if not variables:
        _checks.fail("x", "hold at least one Bitstream", "none")
    sizes = tuple(map(n_inputs, variables))
    first = variables[0]
    for i, other in enumerate(variables[1:], 1):
        check_length(first, f"x[{i}]", other)
        if other.shape[:-1] != first.shape[:-1]:
            contract = f"have the batch shape {first.shape[:-1]} before its copies, as x[0] has"
            _checks.fail(f"x[{i}]", contract, other.shape[:-1])
    return sizes


def _check_copies(copies: Sequence[Bitstream], b: Bitstream) -> None:
    """Check that copies are independent of each other and of the coefficients."""
    for i, copy in enumerate(copies):
        check_operands("bernstein", copy, b, f"copy {i} and the coefficients")
        for j in range(i):
            which = f"copies {j} and {i}"
            check_operands("bernstein", copies[j][..., 0], copy[..., 0], which)


def bernstein_value(
    x: ArrayLike | tuple[ArrayLike, ...], coefficients: ArrayLike
) -> NDArray[np.float64]:
    """Return the values of a Bernstein polynomial.

    Parameters
    ----------
    x : array_like of float, or tuple of them
        Points in [0, 1], of any shape; or those of each variable, of shapes that broadcast.
    coefficients : array_like of float, shape (n + 1,), or (n + 1, m + 1, ...)
        Coefficients in [0, 1] of the polynomial that `bernstein` computes, of degree n; with an axis
        for each variable.

    Returns
    -------
    ndarray of float64, of the broadcast shape of x

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If a value is outside [0, 1], or `coefficients` is empty or has another number of axes than
        there are variables.
    """
    b = _coefficients(coefficients, range(1, 33))
    if b.size == 0:
        _checks.fail("coefficients", "hold at least one value", "none")
    several = isinstance(x, tuple) and b.ndim > 1
    variables = x if isinstance(x, tuple) and several else (x,)
    if len(variables) != b.ndim:
        axes = "1 axis" if len(variables) == 1 else f"{len(variables)} axes"
        _checks.fail("coefficients", f"have {axes}", f"shape {b.shape}")
    points = []
    for i, given in enumerate(variables):
        name = f"x[{i}]" if several else "x"
        points.append(_checks.array(name, given, range(33)))
        _checks.within(name, points[i], 0.0, 1.0)
    return _values(b, np.broadcast_arrays(*points))


def _values(b: NDArray[np.float64], points: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return a polynomial of several variables at points of one shape."""
    shape = points[0].shape
    b = np.broadcast_to(b, (*shape, *b.shape))
    for point in reversed(points):
        flat = point.reshape((*shape, *(1,) * (b.ndim - len(shape) - 1)))
        b = _de_casteljau(b, flat)
    return b


def bernstein_fit(
    function: Callable[..., ArrayLike], degree: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the coefficients of the Bernstein polynomial that is closest to a function on [0, 1].

    They minimize the squared error under the bounds of a coefficient stream, where B is the polynomial
    that `bernstein` computes::

        integral over [0, 1] of (B(x) - function(x))**2 dx,   0 <= b_i <= 1

    The integral is a Gauss-Legendre sum over 256 points, for several variables over 32**2 or 12**3
    points. Values of the function outside [0, 1] cannot be reached. Requires SciPy (extra: fit).

    Parameters
    ----------
    function : callable
        Function that accepts an array of points inside (0, 1), shape (256,), and returns an array of
        that shape; of several variables, an array for each, shape (1024,) or (1728,).
    degree : int, or tuple of int
        Degree of the polynomial, from 1 to 255: less than the number of points. In each of two or three
        variables, up to 31 or 11.

    Returns
    -------
    ndarray of float64, shape (degree + 1,), or with an axis for each variable
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
    >>> b = bernstein_fit(lambda x, y: x * y / (1 + x), (3, 1))
    >>> round(float(bernstein_value((0.5, 0.6), b)), 2)
    0.2
    """
    try:
        from scipy.optimize import lsq_linear
    except ImportError as error:
        raise ImportError(_checks.missing_extra("bernstein_fit", "SciPy", "fit")) from error
    if not callable(function):
        _checks.wrong_type("function", "be a function of an array", function)
    several = isinstance(degree, tuple)
    given = degree if isinstance(degree, tuple) else (degree,)
    if len(given) not in _POINTS:
        _checks.fail("degree", "hold one to three degrees", len(given))
    n = _POINTS[len(given)]
    degrees = [_checks.integer("degree", one, 1, n - 1) for one in given]
    nodes, masses = np.polynomial.legendre.leggauss(n)
    axes = np.meshgrid(*[(nodes + 1) / 2] * len(degrees), indexing="ij")
    points = [axis.ravel() for axis in axes]
    values = _checks.array("function(x)", function(*points), [1])
    if values.shape != points[0].shape:
        contract = f"have the shape of {'each variable' if several else 'x'}, {points[0].shape}"
        _checks.fail("function(x)", contract, values.shape)
    basis, weights = np.ones((values.size, 1)), np.ones(1)
    for one, point in zip(degrees, points, strict=True):
        own = _de_casteljau(np.eye(one + 1), point[:, np.newaxis])
        basis = (basis[:, :, np.newaxis] * own[:, np.newaxis, :]).reshape(values.size, -1)
        weights = np.outer(weights, masses).ravel()
    roots = np.sqrt(weights)
    a, b = roots[:, np.newaxis] * basis, roots * values
    # The default of one iteration per coefficient stops too early at high degrees.
    fit = lsq_linear(a, b, (0.0, 1.0), method="bvls", max_iter=100 * basis.shape[1])
    return np.asarray(fit.x, np.float64).reshape([one + 1 for one in degrees])


def _coefficients(coefficients: ArrayLike, ndims: Sequence[int]) -> NDArray[np.float64]:
    b = _checks.array("coefficients", coefficients, ndims)
    _checks.within("coefficients", b, 0.0, 1.0)
    return b


def _coefficient_streams(
    x: Bitstream,
    sizes: tuple[int, ...],
    coefficients: Bitstream | ArrayLike,
    key: int | None,
    source: Source,
) -> Bitstream:
    """Return coefficients as streams, of a batch shape (..., N) that broadcasts with that of x.

    N is the product of n + 1 over the variables.
    """
    given = coefficients
    if not isinstance(given, Bitstream) and not is_symbolic(given):
        given = _coefficients(given, range(33))
    own, d = tuple(n + 1 for n in sizes), len(sizes)
    if given.shape[-d:] != own:
        if d == 1:
            contract = f"have size {own[0]} along the last axis for {sizes[0]} copies"
        else:
            contract = f"have sizes {own} along the last axes for {sizes} copies"
        _checks.fail("coefficients", contract, f"shape {given.shape}")
    try:
        batch = np.broadcast_shapes(given.shape[:-d], x.shape[:-1])
    except ValueError:
        contract = f"have a shape (..., {', '.join(map(str, own))}) that broadcasts with that of x"
        _checks.fail("coefficients", f"{contract}, {x.shape}", given.shape)
    n = int(np.prod(own))
    if isinstance(given, Bitstream) or is_symbolic(given):
        if key is not None:
            _checks.fail("key", "be omitted if the coefficients are streams", key)
        check_length(x, "coefficients", given)
        return given if d == 1 else given.reshape(*given.shape[:-d], n)
    if key is None:
        _checks.fail("key", "be given if the coefficients are values", None)
    # All use lane 0, because they are combined with the same copies; row 0 of the lane is a copy.
    streams = np.arange(1, n * int(np.prod(batch)) + 1, dtype=np.uint64) << np.uint64(32)
    values = np.broadcast_to(given.reshape(*given.shape[:-d], n), (*batch, n))
    return encode(values, x.length, key=key, source=source, streams=streams.reshape(values.shape))


def _de_casteljau(b: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return polynomials with coefficients (..., n + 1) at x, whose shape broadcasts with (...)."""
    t = x[..., np.newaxis]
    b = np.broadcast_to(b, np.broadcast_shapes(b.shape, t.shape))
    for _ in range(b.shape[-1] - 1):
        b = (1 - t) * b[..., :-1] + t * b[..., 1:]
    return np.asarray(b[..., 0])
