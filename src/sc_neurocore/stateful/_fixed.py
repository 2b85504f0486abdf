"""What an object refuses to be assigned: parameters that it has used up at construction."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from sc_neurocore import _checks


class FixedParameters:
    """Base of the stateful classes: assigning a parameter raises, unless a property takes it.

    Constructors set public attributes by ``vars(self).update(...)``.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__init__" in vars(cls):
            type.__setattr__(cls, "__init__", _without_modes(vars(cls)["__init__"]))

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


def _without_modes(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that names the remedy for keywords of the other sc-neurocore."""

    @wraps(init)
    def checked(self: object, *args: Any, **keywords: Any) -> None:
        _checks.no_modes(type(self).__name__, keywords)
        init(self, *args, **keywords)

    return checked
