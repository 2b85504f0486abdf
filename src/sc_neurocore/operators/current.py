"""From bits to currents: products of inputs and weights, added up at each time step."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import weighted
from sc_neurocore.streams.bitstream import Bitstream
from sc_neurocore.streams.correlation import check_operands

__all__ = ["current_trace"]

Accumulate = Literal["mean", "sum", "or"]
ACCUMULATE = get_args(Accumulate)


def current_trace(
    x: Bitstream,
    w: Bitstream,
    *,
    y_min: float = 0.0,
    y_max: float = 1.0,
    accumulate: Accumulate = "mean",
) -> NDArray[np.float64]:
    """Return the current of each time step, y_min + (y_max - y_min) * s(t).

    s(t) is a function of the products x_i(t) & w_i(t) of the n inputs: "mean" takes (ones) / n, the
    scaled addition of stochastic computing, which stays within [y_min, y_max]; "sum" the ones
    without the division; "or" the OR of the products, 1 - prod(1 - p_i) in the mean.

    Parameters
    ----------
    x : Bitstream
        Of batch shape (..., n_inputs).
    w : Bitstream
        Of batch shape (n_inputs,) or (n_out, n_inputs) and the length of x.
    y_min, y_max : float
        Currents of s = 0 and s = 1.
    accumulate : {"mean", "sum", "or"}

    Returns
    -------
    ndarray of float64
        Of shape (..., length) or (..., n_out, length).

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
    # Rounding alone could lift a full count over y_max.
    return np.asarray(currents if accumulate == "sum" else np.minimum(currents, y_max))
