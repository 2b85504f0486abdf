"""What an object refuses to be assigned: parameters that it has used up at construction."""

from __future__ import annotations

import inspect
from functools import lru_cache


class FixedParameters:
    """Base of the stateful classes: assigning a parameter raises, unless a property takes it.

    Constructors set public attributes by ``vars(self).update(...)``.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in _fixed(type(self)):  # type: ignore[arg-type]  # a class is hashable
            raise AttributeError(
                f"{name} of a {type(self).__name__} is fixed at construction; create a new one"
            )
        object.__setattr__(self, name, value)


@lru_cache(maxsize=64)
def _fixed(kind: type) -> frozenset[str]:
    """Return the parameters and public attributes of a class that have no setter."""
    names = {*inspect.signature(kind).parameters, *inspect.get_annotations(kind)}
    names |= {name for name, member in inspect.getmembers(kind) if isinstance(member, property)}
    settable = {name for name in names if getattr(getattr(kind, name, None), "fset", None)}
    return frozenset(name for name in names - settable if not name.startswith("_"))
