"""Base of the stateful classes, whose public attributes are fixed at construction."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from sc_neurocore import _checks


class FixedParameters:
    """Base of the stateful classes: a public attribute can only be set by a property with a setter.

    Constructors set public attributes by ``vars(self).update(...)``.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__init__" in vars(cls):
            type.__setattr__(cls, "__init__", _without_modes(vars(cls)["__init__"]))

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and not getattr(getattr(type(self), name, None), "fset", None):
            raise AttributeError(self._refusal(name))
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"{name} of a {type(self).__name__} cannot be deleted")
        object.__delattr__(self, name)

    def _refusal(self, name: str) -> str:
        """Return why a name cannot be assigned: an attribute is fixed, or there is none of the name."""
        kind = type(self).__name__
        if callable(getattr(type(self), name, None)):
            return f"{name} is a method of {kind} and cannot be replaced"
        if hasattr(self, name) or name in _parameters(type(self)):
            return f"{name} of a {kind} is fixed at construction; create a new one"
        settable = [
            n for n in dir(type(self)) if getattr(getattr(type(self), n), "fset", None) is not None
        ]
        remedy = f"; only {', '.join(settable)} can be set" if settable else ""
        return f"a {kind} has no attribute {name} that could be set{remedy}"


def _parameters(kind: type) -> Collection[str]:
    return inspect.signature(kind).parameters


def _without_modes(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that names the remedy for keywords of the other sc-neurocore."""

    @wraps(init)
    def checked(self: object, *args: Any, **keywords: Any) -> None:
        _checks.no_modes(type(self).__name__, keywords)
        init(self, *args, **keywords)

    return checked
