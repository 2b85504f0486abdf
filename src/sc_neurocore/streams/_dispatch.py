"""Operators on operands other than bits, such as the nets of a circuit.

An operand whose class has a method ``__stream_operator__(function, args, kwargs)`` receives the calls
of operators on it, and returns their result, as with NumPy's ``__array_function__``. A method
``__stream_need__(operator, x, y, which)`` receives what operators require: the correlation of x and y
in `NEEDS`, or, if y is None, that x is white.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeGuard, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["is_symbolic", "on_streams", "symbolic"]


def is_symbolic(operand: object) -> TypeGuard[Any]:
    """Return whether an operand receives the calls of operators on it.

    Such an operand stands for a `Bitstream`.
    """
    return hasattr(type(operand), "__stream_operator__")


def symbolic(operands: Iterable[object]) -> Any:
    """Return the first operand that receives the calls of operators on it, or None.

    A tuple of operands counts as all of them.
    """
    for operand in operands:
        if is_symbolic(operand):
            return operand
        if isinstance(operand, tuple) and (found := symbolic(operand)) is not None:
            return found
    return None


def on_streams(function: Callable[P, R]) -> Callable[P, R]:
    """Return an operator that passes its call on to its first operand that receives calls."""

    @wraps(function)
    def operator(*args: P.args, **kwargs: P.kwargs) -> R:
        receiver = symbolic((*args, *kwargs.values()))
        if receiver is None:
            return function(*args, **kwargs)
        result: R = receiver.__stream_operator__(function, args, kwargs)
        return result

    return operator
