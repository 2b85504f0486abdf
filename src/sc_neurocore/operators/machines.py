"""Operators that remember: flip-flops, saturating machines, counters, and what they compute.

All take and return batches and begin anew with each call. "White" input has independent bits in time,
as `encode` makes them by default; where it is needed, a low-discrepancy or filtered stream gives
another value, and `stanh`, `sexp`, `cordiv` and `jk_flip_flop` look inside `checking()`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import check_streams, n_inputs, run_on_numbers, stacked_rows
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams.bitstream import Bitstream
from sc_neurocore.streams.correlation import check_input, check_operands

__all__ = [
    "addie",
    "buffered_add",
    "cordiv",
    "ema",
    "gaines_divide",
    "gaines_sqrt",
    "jk_flip_flop",
    "linear_distribution",
    "linear_machine",
    "sexp",
    "stanh",
    "toggle_add",
    "umul",
]


def _flip_flop(
    next_state: list[list[list[int]]], outputs: list[list[list[int]]] | None = None
) -> Machine:
    """Return a machine of two states from tables [s][a][b]; by default it writes its new state."""
    return Machine(np.array(next_state, np.uint32), np.array(outputs or next_state, np.uint8))


_TOGGLE_ADDER = _flip_flop([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], [[[0, 0], [0, 1]], [[0, 1], [1, 1]]])
_CORDIV = _flip_flop([[[0, 0], [0, 1]], [[1, 0], [1, 1]]])
_JK = _flip_flop([[[0, 0], [1, 1]], [[1, 0], [1, 0]]])


def toggle_add(x: Bitstream) -> Bitstream:
    """Return the mean over the last batch axis, of 2, 4, 8, ... inputs, without a random select.

    Where two bits agree the adder writes them; where they differ it writes 0, 1, 0, 1, ... in turn. Two
    inputs with a and b ones give floor((a + b) / 2) ones: the error is 0 or -1/(2L), whatever their
    correlation. More inputs go through a tree of k - 1 adders, with an error of at most
    log2(k) / (2L), never above 0 (Lee, Alaghi, Ceze: Energy-efficient hybrid stochastic-binary neural
    networks for near-sensor computing; DATE 2017).

    Examples
    --------
    >>> from sc_neurocore import Bitstream, toggle_add
    >>> x = Bitstream.from_bits([[1, 1, 0, 1, 0, 0, 1, 1], [0, 1, 0, 0, 0, 1, 0, 0]])
    >>> toggle_add(x).bits()
    array([0, 1, 0, 1, 0, 0, 1, 0], dtype=uint8)
    """
    k = n_inputs(x)
    if k < 2 or k & (k - 1):
        _checks.fail("x", "have 2, 4, 8, ... inputs along its last batch axis", k)
    while x.shape[-1] > 1:
        x, _ = _TOGGLE_ADDER.run(x[..., ::2], x[..., 1::2])
    return x[..., 0]


def buffered_add(x: Bitstream, y: Bitstream, depth: int) -> Bitstream:
    """Return min(1, p + q) as nearly as `depth` saved ones allow; depth 0 is the OR gate.

    Where both bits are 1 one is written and the other saved, if fewer than `depth` are; where both
    are 0 a saved one is written. No correlation is needed. With P11 and P00, the probabilities of both
    bits 1 and both 0, and r = P11 / P00, white pairs give in the mean

        1 - P00 (1 - r) / (1 - r**(depth + 1)),

    which tends to min(1, p + q) as depth grows, at p + q = 1 as 1 - P00 / (depth + 1). The bits are
    those of the OR of desynchronized streams (Lee, Alaghi, Ceze: Correlation manipulating circuits for
    stochastic computing; DATE 2018).
    """
    depth = _checks.integer("depth", depth, 0, 2**16 - 1)
    saved = np.arange(depth + 1)
    next_state = np.empty((depth + 1, 2, 2), np.uint32)
    next_state[:, [0, 1], [1, 0]] = saved[:, np.newaxis]
    next_state[:, 1, 1] = np.minimum(saved + 1, depth)
    next_state[:, 0, 0] = np.maximum(saved - 1, 0)
    outputs = np.ones((depth + 1, 2, 2), np.uint8)
    outputs[0, 0, 0] = 0
    return Machine(next_state, outputs).run(x, y)[0]


def cordiv(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return p / q of streams at SCC +1, p <= q: z(t) = x(t) where y(t) = 1, else z(t - 1).

    The pair must be white in time, as Bernoulli streams and permutations are: where a number tells the
    next one, as in registers and low-discrepancy sequences, the bit that is held is no fair sample (for
    p = 0.4, q = 0.8 a register gives 0.4 and not 0.5). The variance is Q (1 - Q) (2 - q) / (q L) with
    Q = p / q, for large L. Before the
    first one of y it writes zeros, which lowers the mean to Q (1 - (1 - q) (1 - (1 - q)**L) / (q L)).
    Independent streams give p, not p / q (Chen, Hayes: Design of division circuits for stochastic
    computing; ISVLSI 2016).

    Examples
    --------
    >>> from sc_neurocore import Role, cordiv, encode, stream_key
    >>> x, y = encode([0.2, 0.8], 65536, key=stream_key(1, Role.INPUT), streams=0)
    >>> cordiv(x, y)
    Bitstream(length=65536, p=0.25)
    """
    check_operands("cordiv", x, y)
    check_input("cordiv", x)
    check_input("cordiv", y)
    return _CORDIV.run(x, y)[0]


def jk_flip_flop(j: Bitstream, k: Bitstream) -> Bitstream:
    """Return p_J / (p_J + p_K), the state of a flip-flop that j sets, k resets and both toggle.

    The state after the step is written. White pairs (j, k) are needed, of any correlation with each
    other, as j acts in state 0 alone and k in state 1. With Q that value and s = p_J + p_K the variance
    is Q (1 - Q) (2 - s) / (s L) for large L; it starts in state 0, and the mean of bit t, counted from
    1, is Q (1 - (1 - s)**t) (Gaines: Stochastic computing systems; Advances in Information Systems
    Science, 1969).
    """
    check_streams(j=j, k=k)
    z = _JK.run(j, k)[0]
    check_input("jk_flip_flop", j)
    check_input("jk_flip_flop", k)
    return z


def linear_machine(outputs: ArrayLike) -> Machine:
    """Return the saturating machine of one input that goes up with a one and down with a zero.

    outputs, shape (n_states,), holds the bit f that each state writes, before the step. White input
    only, of density p. With pi = linear_distribution(p, n_states) the result has the mean
    Q = pi @ outputs and, for large L, the variance

        (2 sum_s F_s**2 / (pi_s p) - Q (1 - Q)) / L,  F_s = sum over i <= s of pi_i (f_i - Q),

    with s over all states but the last (Li, Lilja, Qian, Riedel, Bazargan: Logical computation on
    stochastic bit streams with linear finite-state machines; IEEE Transactions on Computers, 2014; the
    variance from the flow between neighbors of a birth and death chain).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Role, encode, linear_distribution, linear_machine, stream_key
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
    """Return the stationary probabilities of a linear machine's states, shape `(*p.shape, n_states)`.

    Proportional to r**s with r = p / (1 - p), for white input of density p.
    """
    density = _checks.array("p", p, range(33))
    _checks.within("p", density, 0.0, 1.0)
    n = _checks.integer("n_states", n_states, 1, 2**16)
    # Counted from the likelier end, powers of a ratio of at most 1 do not overflow.
    low = density < 0.5
    ratio = np.where(low, density, 1 - density) / np.where(low, 1 - density, density)
    states = np.arange(n)
    weights = ratio[..., np.newaxis] ** np.where(low[..., np.newaxis], states, n - 1 - states)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def stanh(x: Bitstream, n_states: int) -> Bitstream:
    """Return tanh((N / 2) artanh x), x and the result in bipolar code, N even.

    That is the exact stationary value of the linear machine whose upper half of states writes ones; its
    limit for small x is tanh(N x / 2) (Brown, Card: Stochastic neural computation I; IEEE Transactions
    on Computers, 2001). White input only. The variance is that of `linear_machine`,
    (N**2 - 1) / (3 L) at x = 0. The machine starts in state N / 2, which costs O(N**2 / L).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Role, encode, stanh, stream_key
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


def sexp(x: Bitstream, n_states: int, gain: int) -> Bitstream:
    """Return about exp(-2 G x) for x > 0, x in bipolar code, the result in unipolar.

    With r = (1 + x) / (1 - x) the exact stationary value is (1 - r**(N - G)) / (1 - r**N), that of the
    linear machine whose upper G of N states write zeros (Brown, Card: Stochastic neural computation
    I; IEEE Transactions on Computers, 2001). White input only. The variance is that of
    `linear_machine`. It starts in state N - G.
    """
    n = _checks.integer("n_states", n_states, 2, 2**16)
    g = _checks.integer("gain", gain, 1, n - 1)
    z = linear_machine(np.arange(n) < n - g).run(x, state=n - g)[0]
    check_input("sexp", x)
    return z


def addie(x: Bitstream, n_bits: int, *, key: int) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return x made anew from a running estimate of its density, and the estimate at the end.

    A counter c in [0, 2**n_bits], both ends included, starts in the middle. At each step
    z = [r < c] is written, where r is a random number of n_bits, and c <- c + x - z. As z is 0 at
    c = 0 and 1 at the top, c needs no saturation, and densities 0 and 1 are reached and kept.

    For white input c / 2**n_bits has the mean p + (1/2 - p) (1 - 2**-n_bits)**t after t steps and the
    stationary variance p (1 - p) / 2**n_bits: c is binomial. The ones of z are those of x less the
    growth of c, exactly (Gaines: Stochastic computing systems; Advances in Information Systems Science,
    1969).

    Parameters
    ----------
    x : Bitstream
    n_bits : int
        From 1 to 31.
    key : int
        A key of `stream_key`, of no other stream: the numbers must be independent of x.

    Returns
    -------
    z : Bitstream
        Of the batch shape.
    counter : ndarray of int64
        After the last step, of the batch shape; counter / 2**n_bits estimates p.

    Examples
    --------
    >>> from sc_neurocore import Role, addie, encode, stream_key
    >>> x = encode([0.0, 0.3, 1.0], 65536, key=stream_key(1, Role.INPUT))
    >>> z, counter = addie(x, 10, key=stream_key(1, Role.NOISE))
    >>> counter / 2**10
    array([0.        , 0.32519531, 1.        ])
    """
    return _integrate(1, n_bits, key, x=x)


def gaines_divide(
    x: Bitstream, y: Bitstream, n_bits: int, *, key: int
) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return p / q for p <= q, and the counter that estimates it: `addie` with the feedback y & z.

    c <- min(c + x - (y & z), 2**n_bits): for p > q it stays near the top, a value of 1. For pairs
    white in time, of any correlation with each other, and Q = p / q not near 1, c / 2**n_bits has the
    mean Q + (1/2 - Q) (1 - q / 2**n_bits)**t and the stationary variance
    Q (1 - P(x & y) / q) / 2**n_bits, that is p (1 - p) / (q 2**n_bits) for independent streams.
    Parameters, results and source are those of `addie`.
    """
    return _integrate(1, n_bits, key, x=x, y=y)


def gaines_sqrt(x: Bitstream, n_bits: int, *, key: int) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return the square root of p, and the counter that estimates it: `addie` with the feedback z & z'.

    z' = [r' < c] compares with a second, independent number. The counter needs no saturation. For white
    input (c / 2**n_bits)**2 has the stationary mean p, exactly; to first order in 2**-n_bits
    c / 2**n_bits has the mean sqrt(p) - (1 - p) / 4 / 2**n_bits and the variance
    sqrt(p) (1 - p) / 2 / 2**n_bits, reached within some 2**n_bits / sqrt(p) steps. Parameters, results
    and source are those of `addie`.
    """
    return _integrate(2, n_bits, key, x=x)


def ema(x: Bitstream, n_bits: int) -> NDArray[np.float64]:
    """Return exponential moving averages of the bits over time, shape `(*batch, length)`.

    y <- y + (x - y) * a with a = 2**-n_bits, in float64, from y = 1/2. For white input y has the mean
    p + (1/2 - p) (1 - a)**t after t steps and the variance p (1 - p) a / (2 - a) (1 - (1 - a)**(2 t)).
    """
    n = _checks.integer("n_bits", n_bits, 0, 52)
    shape, (rows,) = stacked_rows(x=x)
    averages = _native.moving_average(rows, 2.0**-n, x.length, np.full(len(rows), 0.5))
    return averages.reshape(*shape, x.length)


def umul(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the product by conditional sampling: x with its k-th one replaced by bit k of y.

    It has exactly as many ones as there are among the first ones(x) bits of y: its error is that of a
    prefix of y alone, and y may be of a low-discrepancy source that x shares. No correlation is
    needed: pairs white in time have the mean p q + (P(x & y) - p q) / L. For white y the variance,
    given x, is p q (1 - q) / L (Sim, Lee: A new stochastic computing multiplier with application to
    deep convolutional neural networks; DAC 2017. Wu, Li, Yin, Hsiao, Kim, San Miguel: uGEMM: Unary
    computing architecture for GEMM applications; ISCA 2020).

    Examples
    --------
    >>> from sc_neurocore import Bitstream, umul
    >>> x = Bitstream.from_bits([0, 1, 1, 0, 1, 0, 0, 1])
    >>> y = Bitstream.from_bits([1, 0, 1, 0, 1, 0, 1, 0])
    >>> umul(x, y).bits()
    array([0, 1, 0, 0, 1, 0, 0, 0], dtype=uint8)
    """
    shape, (masks, bits) = stacked_rows(x=x, y=y)
    words = _native.deposit(masks, bits, x.length)
    return Bitstream(words.reshape(*shape, words.shape[-1]), x.length)


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
