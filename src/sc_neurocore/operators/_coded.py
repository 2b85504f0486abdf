"""What the codings share: keyword arguments, checks and the text of a value."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.streams import Source

__all__ = ["How", "check_coding", "repr_of", "values_of"]


class How(TypedDict, total=False):
    """Keyword arguments that the codings pass on to `sc_neurocore.encode`."""

    source: Source
    streams: ArrayLike | None


def values_of(x: ArrayLike) -> NDArray[np.float64]:
    """Return finite values of any shape."""
    return _checks.array("x", x, range(33))


def check_coding(x: object, other: object, name: str = "operand") -> None:
    """Raise unless two operands are of one coding."""
    remedy = f"convert one of the {name}s, or encode the number first"
    _checks.instance(f"the {name}", other, type(x), remedy)


def repr_of(coded: Any) -> str:
    """Return the text of a value: its coding, shape, length and number."""
    x = np.array2string(coded.value(), formatter={"float": "{:.3g}".format}, threshold=8, edgeitems=2)
    shape = f"shape={coded.shape}, " if coded.shape else ""
    return f"{type(coded).__name__}({shape}length={coded.length}, x={' '.join(x.split())})"
