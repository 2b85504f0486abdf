"""Inputs of a network: their check, and the input that is always on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore._types import Reals, Words
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams._bits import ones


def checked_densities(
    name: str, values: ArrayLike, n_in: int | None, *, ndims: Sequence[int] = (1, 2)
) -> Reals:
    """Return the inputs of a network as densities in [0, 1]: a float64 array that is only read.

    Parameters
    ----------
    name : str
        Name of the caller's argument, for error messages.
    values : array_like
    n_in : int or None
        Required size of the last axis. With None every size is accepted.
    ndims : sequence of int
        Accepted numbers of axes; by default (n_in,) and (batch, n_in). Images with more axes, such as
        (batch, channels, rows, columns), are flattened.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, there are no values, or a value is outside [0, 1] or not finite.
    """
    densities = _checks.array(name, values, ndims if n_in is None else range(65), borrow=True)
    if n_in is not None and densities.ndim > 1 and densities.shape[-1] != n_in:
        # Images are flattened where only one reading is possible.
        if 2 in ndims and densities.size == len(densities) * n_in:
            densities = densities.reshape(-1, n_in)
        elif 1 in ndims and densities.size == n_in:
            densities = densities.reshape(n_in)
    if n_in is not None and (densities.ndim not in ndims or densities.shape[-1] != n_in):
        _checks.fail(name, input_contract(n_in, ndims), densities.shape)
    if densities.size == 0:
        _checks.fail(name, "hold at least one input", f"shape {densities.shape}")
    _checks.within(name, densities, 0.0, 1.0, "scale the inputs to densities")
    return densities


def check_streams(name: str, x: Bitstream, n_in: int, *, ndims: Sequence[int] = (1, 2)) -> None:
    """Raise ValueError unless streams have batch shape (n_in,) or (batch, n_in) and are not empty."""
    if len(x.shape) not in ndims or x.shape[-1] != n_in or 0 in x.shape:
        _checks.fail(name, input_contract(n_in, ndims), f"batch shape {x.shape}")


def input_contract(n_in: int, ndims: Sequence[int] = (1, 2)) -> str:
    """Return the words of an error message for the shapes of inputs with 1 or 2 axes."""
    shapes = {1: f"({n_in},)", 2: f"(batch, {n_in})"}
    return "have shape " + " or ".join(shapes[n] for n in ndims)


def with_always_on(x: Words, length: int) -> Words:
    """Return packed inputs (rows, n_in, n_words) and, after them, one input that is 1 at every step.

    Its weight is the bias, the last column of a layer's `matrix`. The result has shape
    (rows, n_in + 1, n_words).
    """
    return np.concatenate([x, ones((len(x), 1), length)], axis=1)
