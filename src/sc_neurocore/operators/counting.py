"""A hyperbolic tangent of sums: a machine that reads the digits of a parallel counter."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.operators.adders import counted, counting_machine, n_counted
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_inputs

__all__ = ["btanh"]


@on_streams
def btanh(x: Bitstream, n_states: int) -> Bitstream:
    """Return about ``tanh(n_states * s / (2 v))`` of a sum s in bipolar code.

    A parallel counter adds the n inputs, and a saturating counter c in ``[0, n_states)`` adds the
    digits of all of them; it starts in the middle and writes 1 in its upper half, before the step::

        z = 1 if c >= n_states / 2 else 0
        c <- min(max(c + 2 count - n, 0), n_states - 1)

    With the values ``x_i = 2 p_i - 1`` of the inputs, s is their sum and v that of ``1 - x_i**2``, the
    variance of a step. With ``n_states = 2 n`` the result is therefore about ``tanh(s)`` for small
    values. The formula is the limit of many states; exact mean and variance are those of the chain of
    c, see `Circuit.predict`. For one input the operator is `stanh` (Btanh; Kim, Kim, Yu, Seo, Lee,
    Choi: Dynamic energy-accuracy trade-off using stochastic computing in deep neural networks; DAC
    2016).

    Requires inputs that are white in time and independent of each other. Inputs that share a generator
    move c in larger steps: v grows up to ``n**2``, and the slope falls by up to n.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs such as the products of a neuron, at most 255.
    n_states : int
        States of the counter, even, from 2 to 4096.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `n_states` is not an integer.
    ValueError
        If x has no or too many inputs, or `n_states` is odd or outside its range.

    Examples
    --------
    A neuron of three products, whose ``tanh(0.6)`` is 0.54; with so few states the chain has 0.62:

    >>> from sc_neurocore import Bipolar, Role, stream_key
    >>> from sc_neurocore.operators import btanh
    >>> products = Bipolar.encode([0.2, 0.5, -0.1], 65536, key=stream_key(1, Role.INPUT))
    >>> y = Bipolar(btanh(products.stream, 6))
    >>> print(f"{y.value():.2f}")
    0.62
    """
    n = n_counted(x)
    states = _checks.integer("n_states", n_states, 2, 2**12)
    if states % 2:
        _checks.fail("n_states", "be even", states)
    check_inputs("btanh", x)
    machine, start = saturating_counter(n, states)
    return machine.run(*counted(x), state=start)[0]


@lru_cache(maxsize=16)
def saturating_counter(n: int, n_states: int) -> tuple[Machine, int]:
    """Return the machine of `btanh`, which reads the digits of the count, and its first state."""
    state, count = np.indices((n_states, n + 1))
    after = np.clip(state + 2 * count - n, 0, n_states - 1)
    return counting_machine(after, state >= n_states // 2, n_states // 2)
