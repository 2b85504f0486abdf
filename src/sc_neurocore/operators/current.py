"""Currents from bitstreams: products of inputs and weights, accumulated at each time step."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import weighted
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_operands

__all__ = ["current_trace"]

Accumulate = Literal["mean", "sum", "or"]
ACCUMULATE = get_args(Accumulate)


@on_streams
def current_trace(
    x: Bitstream,
    w: Bitstream,
    *,
    y_min: float = 0.0,
    y_max: float = 1.0,
    accumulate: Accumulate = "mean",
) -> NDArray[np.float64]:
    """Return the current at each time step, from the products of inputs and weights.

    With the n products ``x_i(t) & w_i(t)`` at step t the current is::

        I(t) = y_min + (y_max - y_min) s(t)

        s(t) = ones among the products / n      "mean", the scaled addition; in [0, 1]
        s(t) = ones among the products          "sum"; in [0, n]
        s(t) = OR of the products               "or"; 0 or 1

    Requires SCC 0 between each input and its weight. With the densities p of x and q of w, the mean of
    s is then ``sum(p * q) / n``, ``sum(p * q)``, or, for independent products, ``1 - prod(1 - p * q)``.
    `current_error` predicts the standard error of the mean over time.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs.
    w : Bitstream, of batch shape (n,) or (n_out, n)
        Weights, with the length of x.
    y_min, y_max : float
        Currents at s = 0 and s = 1; y_min < y_max.
    accumulate : {"mean", "sum", "or"}
        How the products become s.

    Returns
    -------
    ndarray of float64, shape (..., length) or (..., n_out, length)
        In the unit of y_min and y_max. Within [y_min, y_max], except for "sum".

    Raises
    ------
    TypeError
        If x or w is not a Bitstream, or y_min or y_max not a real number.
    ValueError
        If x has no inputs, the shape or the length of w does not match, `accumulate` is unknown, or
        y_min is not less than y_max.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, current_trace
    >>> x = Bitstream.from_bits([[1, 1, 0, 1], [1, 0, 0, 1]])
    >>> w = Bitstream.from_bits([[1, 1, 1, 0], [1, 1, 0, 0]])
    >>> current_trace(x, w, y_max=2.0)
    array([2., 1., 0., 0.])
    """
    _checks.choice("accumulate", accumulate, ACCUMULATE)
    n, each = weighted(x, w)
    y_min, y_max = _checks.ordered("y_min", y_min, "y_max", y_max)
    check_operands("current_trace", each, w)
    ones: NDArray[np.unsignedinteger]
    if accumulate == "or":
        any_product = np.bitwise_or.reduce(each.words & w.words, axis=-2)
        ones = Bitstream(any_product, x.length).bits()
    else:
        images = np.ascontiguousarray(x.words.reshape(-1, n, x.words.shape[-1]))
        rows = np.ascontiguousarray(w.words.reshape(-1, n, w.words.shape[-1]))
        counts = _native.channel_counts(images, rows, x.length)
        ones = counts.reshape(*x.shape[:-1], *w.shape[:-1], x.length)
    gain = (y_max - y_min) / n if accumulate == "mean" else y_max - y_min
    currents = y_min + ones * gain
    # Rounding can lift the current of a full count above y_max.
    return np.asarray(currents if accumulate == "sum" else np.minimum(currents, y_max))
