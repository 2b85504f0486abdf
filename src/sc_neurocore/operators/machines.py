"""Operators with state: flip-flops, saturating machines and counters.

All of them accept and return batches, and start in their initial state with every call. Input is
"white" if its bits are independent in time, as those of `encode` are with the default source. Some
operators require white input: a low-discrepancy or filtered stream gives them another value. `stanh`,
`sexp`, `cordiv` and `jk_flip_flop` check this inside `checking()`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import check_streams, run_on_numbers, stacked_rows
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_input, check_operands

__all__ = [
    "addie",
    "cordiv",
    "ema",
    "gaines_divide",
    "gaines_sqrt",
    "jk_flip_flop",
    "linear_distribution",
    "linear_machine",
    "sexp",
    "stanh",
]


def _flip_flop(
    next_state: list[list[list[int]]], outputs: list[list[list[int]]] | None = None
) -> Machine:
    """Return a machine of two states from tables [s][a][b]; it writes its new state by default."""
    return Machine(np.array(next_state, np.uint32), np.array(outputs or next_state, np.uint8))


_CORDIV = _flip_flop([[[0, 0], [0, 1]], [[1, 0], [1, 1]]])
_JK = _flip_flop([[[0, 0], [1, 1]], [[1, 0], [1, 0]]])


@on_streams
def cordiv(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the quotient of two streams, p / q for p <= q.

    The bit of x is written where y is 1, and the previous output is held where y is 0::

        z(t) = x(t) if y(t) = 1 else z(t - 1),   z(-1) = 0

    Requires SCC +1 and pairs that are white in time, such as Bernoulli streams and permutations. With
    ``Q = p / q``, the mean and, for large L, the variance are::

        mean(z) = Q (1 - (1 - q) (1 - (1 - q)**L) / (q L))
        var(z) = Q (1 - Q) (2 - q) / (q L)

    The mean is below Q because zeros are written before the first one of y. Independent streams give p
    instead of Q. If a number of the source depends on the previous one, as in registers and
    low-discrepancy sequences, the held bit is a biased sample: at p = 0.4 and q = 0.8 a register gives
    0.4 instead of 0.5 (Chen, Hayes: Design of division circuits for stochastic computing; ISVLSI 2016).

    Parameters
    ----------
    x, y : Bitstream
        Dividend and divisor, of equal length, with batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import cordiv
    >>> x, y = encode([0.2, 0.8], 65536, key=stream_key(1, Role.INPUT), streams=0)
    >>> cordiv(x, y)
    Bitstream(length=65536, p=0.25)
    """
    check_operands("cordiv", x, y)
    check_input("cordiv", x)
    check_input("cordiv", y)
    return _CORDIV.run(x, y)[0]


@on_streams
def jk_flip_flop(j: Bitstream, k: Bitstream) -> Bitstream:
    """Return the state of a flip-flop that j sets, k resets, and both together toggle.

    It starts in state 0, and writes its state after each step. With the densities p_j and p_k,
    ``s = p_j + p_k``, and t counted from 1, the mean of bit t and, for large L, the variance are::

        Q = p_j / (p_j + p_k)
        mean(z(t)) = Q (1 - (1 - s)**t)
        var(z) = Q (1 - Q) (2 - s) / (s L)

    Requires pairs (j, k) that are white in time. They can have any correlation with each other, because
    only j acts in state 0 and only k in state 1 (Gaines: Stochastic computing systems; Advances in
    Information Systems Science, 1969).

    Parameters
    ----------
    j, k : Bitstream
        Inputs of equal length, with batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.
    """
    check_streams(j=j, k=k)
    z = _JK.run(j, k)[0]
    check_input("jk_flip_flop", j)
    check_input("jk_flip_flop", k)
    return z


def linear_machine(outputs: ArrayLike) -> Machine:
    """Return a saturating machine that moves up by one state on a one, and down on a zero.

    It writes the output of its state before the step. Requires white input, of density p. With the
    stationary distribution ``pi = linear_distribution(p, n_states)`` and f = `outputs`, the mean and,
    for large L, the variance of the result are::

        Q = sum over s of pi_s f_s
        F_s = sum over i <= s of pi_i (f_i - Q)
        var(z) = (2 sum over s of F_s**2 / (pi_s p) - Q (1 - Q)) / L

    The sum over s in the variance omits the last state. The variance follows from the flow between
    neighbors of a birth-death chain (Li, Lilja, Qian, Riedel, Bazargan: Logical computation on
    stochastic bit streams with linear finite-state machines; IEEE Transactions on Computers, 2014).

    Parameters
    ----------
    outputs : array_like of 0 and 1, shape (n_states,)
        Bit that each state writes; at most ``2**16`` states.

    Returns
    -------
    Machine
        With one input and one output.

    Raises
    ------
    TypeError
        If `outputs` does not hold numbers.
    ValueError
        If `outputs` does not have one axis of 1 to ``2**16`` bits.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import linear_distribution, linear_machine
    >>> inside = np.array([0, 0, 1, 1, 1, 1, 0, 0])
    >>> x = encode([0.5, 0.7, 0.9], 65536, key=stream_key(1, Role.INPUT))
    >>> linear_machine(inside).run(x, state=4)[0]
    Bitstream(shape=(3,), length=65536, p=[0.503 0.181 0.0125])
    >>> (linear_distribution([0.5, 0.7, 0.9], 8) @ inside).round(3)
    array([0.5  , 0.178, 0.012])
    """
    bits = _checks.bit_array("outputs", outputs)
    if bits.ndim != 1:
        _checks.fail("outputs", "have shape (n_states,)", bits.shape)
    n = _checks.integer("the number of states", len(bits), 1, 2**16)
    states = np.arange(n)
    down_up = np.stack([np.maximum(states - 1, 0), np.minimum(states + 1, n - 1)], axis=1)
    return Machine(down_up.astype(np.uint32), bits)


def linear_distribution(p: ArrayLike, n_states: int) -> NDArray[np.float64]:
    """Return the stationary distribution over the states of a `linear_machine`.

    For white input of density p, the probability of state s = 0 .. n_states - 1 is::

        pi_s = r**s / sum over i of r**i,   r = p / (1 - p)

    Parameters
    ----------
    p : array_like of float
        Densities in [0, 1], of any shape.
    n_states : int
        From 1 to ``2**16``.

    Returns
    -------
    ndarray of float64, shape `(*p.shape, n_states)`
        Probabilities with the sum 1 over the last axis.

    Raises
    ------
    TypeError
        If p does not hold numbers, or `n_states` is not an integer.
    ValueError
        If an argument is outside its range.
    """
    density = _checks.array("p", p, range(33))
    _checks.within("p", density, 0.0, 1.0)
    n = _checks.integer("n_states", n_states, 1, 2**16)
    # Counting from the likelier end keeps the ratio at most 1, so that its powers do not overflow.
    low = density < 0.5
    ratio = np.where(low, density, 1 - density) / np.where(low, 1 - density, density)
    states = np.arange(n)
    weights = ratio[..., np.newaxis] ** np.where(low[..., np.newaxis], states, n - 1 - states)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


@on_streams
def stanh(x: Bitstream, n_states: int) -> Bitstream:
    """Return a hyperbolic tangent of a stream in bipolar code, by a saturating machine.

    The upper half of the N states of a `linear_machine` writes ones. Requires white input. With x and
    the result z in bipolar code, the exact stationary value is::

        z = tanh((N / 2) artanh(x))

    For small x it is about ``tanh(N x / 2)``. The variance is that of `linear_machine`, which is
    ``(N**2 - 1) / (3 L)`` in bipolar code at x = 0. The machine starts in state N / 2, which causes a
    bias of ``O(N**2 / L)`` (Brown, Card: Stochastic neural computation I; IEEE Transactions on
    Computers, 2001).

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    n_states : int
        Number of states N, even, from 2 to ``2**16``.

    Returns
    -------
    Bitstream, of the batch shape of x
        In bipolar code.

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `n_states` is not an integer.
    ValueError
        If `n_states` is odd or outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import stanh
    >>> x = encode((1 + 0.3) / 2, 65536, key=stream_key(1, Role.INPUT))
    >>> print(f"{2 * stanh(x, 8).probability() - 1:.3f}, expected {np.tanh(4 * np.arctanh(0.3)):.3f}")
    0.845, expected 0.845
    """
    n = _checks.integer("n_states", n_states, 2, 2**16)
    if n % 2:
        _checks.fail("n_states", "be even", n)
    z = linear_machine(np.arange(n) >= n // 2).run(x, state=n // 2)[0]
    check_input("stanh", x)
    return z


@on_streams
def sexp(x: Bitstream, n_states: int, gain: int) -> Bitstream:
    """Return a decaying exponential of a stream, about exp(-2 G x) for x > 0, by a saturating machine.

    The upper G of the N states of a `linear_machine` write zeros; see `stanh` for the source. Requires
    white input. With x in bipolar code and the result z in unipolar code, the exact stationary value
    is::

        z = (1 - r**(N - G)) / (1 - r**N),   r = (1 + x) / (1 - x)

    The variance is that of `linear_machine`. The machine starts in state N - G.

    Parameters
    ----------
    x : Bitstream
        Input in bipolar code, of any batch shape.
    n_states : int
        Number of states N, from 2 to ``2**16``.
    gain : int
        Number of states G that write zeros, from 1 to N - 1.

    Returns
    -------
    Bitstream, of the batch shape of x
        In unipolar code.

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument is not an integer.
    ValueError
        If `n_states` or `gain` is outside its range.
    """
    n = _checks.integer("n_states", n_states, 2, 2**16)
    g = _checks.integer("gain", gain, 1, n - 1)
    z = linear_machine(np.arange(n) < n - g).run(x, state=n - g)[0]
    check_input("sexp", x)
    return z


@on_streams
def addie(x: Bitstream, n_bits: int, *, key: int) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return a stream regenerated from a running estimate of its density, and the final estimate.

    A counter c from 0 to ``2**n_bits``, both included, starts at the middle. Each step compares it with
    a random integer r in ``[0, 2**n_bits)`` and updates it::

        z = 1 if r < c else 0
        c <- c + x - z

    The counter needs no saturation, because z is 0 at c = 0 and 1 at the top. It reaches and keeps the
    densities 0 and 1. For white input, the mean of the estimate after t steps and its stationary
    variance are::

        mean(c / 2**n_bits) = p + (1/2 - p) (1 - 2**-n_bits)**t
        var(c / 2**n_bits) = p (1 - p) / 2**n_bits

    The distribution of c is binomial. The number of ones of z is exactly that of x minus the growth of
    c (Gaines: Stochastic computing systems; Advances in Information Systems Science, 1969).

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    n_bits : int
        Width of the counter, from 1 to 31.
    key : int
        Key from `stream_key` that no other stream uses: the numbers must be independent of x.

    Returns
    -------
    z : Bitstream
        Of the batch shape of x.
    counter : ndarray of int64
        Counter after the last step, of the batch shape; ``counter / 2**n_bits`` estimates p.

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument is not an integer.
    ValueError
        If `n_bits` or `key` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import addie
    >>> x = encode([0.0, 0.3, 1.0], 65536, key=stream_key(1, Role.INPUT))
    >>> z, counter = addie(x, 10, key=stream_key(1, Role.NOISE))
    >>> counter / 2**10
    array([0.        , 0.32519531, 1.        ])
    """
    return _integrate(1, n_bits, key, x=x)


@on_streams
def gaines_divide(
    x: Bitstream, y: Bitstream, n_bits: int, *, key: int
) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return the quotient p / q for p <= q, and the counter that estimates it.

    This is `addie` with the feedback y & z instead of z, and with saturation at the top::

        z = 1 if r < c else 0
        c <- min(c + x - (y & z), 2**n_bits)

    Requires pairs that are white in time. They can have any correlation with each other. With
    ``Q = p / q`` not close to 1, the mean of the estimate after t steps and its stationary variance
    are::

        mean(c / 2**n_bits) = Q + (1/2 - Q) (1 - q / 2**n_bits)**t
        var(c / 2**n_bits) = Q (1 - P(x & y) / q) / 2**n_bits

    The variance is ``p (1 - p) / (q 2**n_bits)`` for independent streams. For p > q the counter stays
    near the top, a value of 1.

    Parameters
    ----------
    x, y : Bitstream
        Dividend and divisor, of equal length, with batch shapes that broadcast.
    n_bits : int
        Width of the counter, from 1 to 31.
    key : int
        Key from `stream_key` that no other stream uses.

    Returns
    -------
    z : Bitstream
        Of the broadcast batch shape.
    counter : ndarray of int64
        Counter after the last step, of the batch shape; ``counter / 2**n_bits`` estimates p / q.

    Raises
    ------
    TypeError
        If x or y is not a Bitstream, or another argument is not an integer.
    ValueError
        If lengths or shapes do not match, or `n_bits` or `key` is outside its range.
    """
    return _integrate(1, n_bits, key, x=x, y=y)


@on_streams
def gaines_sqrt(x: Bitstream, n_bits: int, *, key: int) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return the square root of the density, and the counter that estimates it.

    This is `addie` with the feedback z & z', where z' compares c with a second, independent number r'::

        z = 1 if r < c else 0,   z' = 1 if r' < c else 0
        c <- c + x - (z & z')

    The counter needs no saturation. Requires white input. ``(c / 2**n_bits)**2`` has exactly the
    stationary mean p. To first order in ``2**-n_bits`` the stationary mean and variance of the estimate
    are::

        mean(c / 2**n_bits) = sqrt(p) - (1 - p) / (4 2**n_bits)
        var(c / 2**n_bits) = sqrt(p) (1 - p) / (2 2**n_bits)

    They are reached after about ``2**n_bits / sqrt(p)`` steps.

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    n_bits : int
        Width of the counter, from 1 to 31.
    key : int
        Key from `stream_key` that no other stream uses.

    Returns
    -------
    z : Bitstream
        Of the batch shape of x.
    counter : ndarray of int64
        Counter after the last step, of the batch shape; ``counter / 2**n_bits`` estimates sqrt(p).

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument is not an integer.
    ValueError
        If `n_bits` or `key` is outside its range.
    """
    return _integrate(2, n_bits, key, x=x)


@on_streams
def ema(x: Bitstream, n_bits: int) -> NDArray[np.float64]:
    """Return exponential moving averages of the bits over time.

    The average y starts at 1/2. With ``a = 2**-n_bits``, computed in float64::

        y <- y + (x - y) a

    No correlation is required. For white input, the mean and variance after t steps are::

        mean(y) = p + (1/2 - p) (1 - a)**t
        var(y) = p (1 - p) a / (2 - a) (1 - (1 - a)**(2 t))

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    n_bits : int
        Binary logarithm of the time constant in steps, from 0 to 52.

    Returns
    -------
    ndarray of float64, shape `(*batch, length)`
        Averages in [0, 1] after each step.

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `n_bits` is not an integer.
    ValueError
        If `n_bits` is outside its range.
    """
    n = _checks.integer("n_bits", n_bits, 0, 52)
    shape, (rows,) = stacked_rows(x=x)
    averages = _native.moving_average(rows, 2.0**-n, x.length, np.full(len(rows), 0.5))
    return averages.reshape(*shape, x.length)


def _integrate(
    n_numbers: int, n_bits: int, key: int, **streams: Bitstream
) -> tuple[Bitstream, NDArray[np.int64]]:
    n = _checks.integer("n_bits", n_bits, 1, 31)
    shape, rows = stacked_rows(**streams)
    length = streams["x"].length
    counters = np.full(rows.shape[1], 2 ** (n - 1), np.uint32)

    def kernel(
        words: NDArray[np.uint64], numbers: NDArray[np.uint32], steps: int, part: slice
    ) -> NDArray[np.uint64]:
        return _native.integrate(words, numbers, n, steps, counters[part])

    written = run_on_numbers(kernel, rows, n_numbers, key, length)
    z = Bitstream(written.reshape(*shape, written.shape[-1]), length)
    return z, counters.astype(np.int64).reshape(shape)
