"""Circuits as flat lists, to copy them, to store them, and to use them as parts of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sc_neurocore.circuits._nets import Call, Held, Input, Length, Loop, Net, Origin, nets_in, replaced

__all__ = ["Listed", "listed", "of_list"]


@dataclass(frozen=True)
class Listed:
    """Nets without references to each other.

    Attributes
    ----------
    origins : tuple
        Origins of the nets, each after those that it refers to, with places instead of nets.
    places : tuple of Place
        The nets.
    """

    origins: tuple[Origin, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Place:
    """A net, or the length of one, as the index of its origin."""

    origin: int
    place: int
    shape: tuple[int, ...]
    is_stream: bool
    is_length: bool = False


def _references(origin: Origin) -> list[Net]:
    """Return the nets that an origin holds, also those inside a loop."""
    if isinstance(origin, Call):
        return list(nets_in(*origin.args, origin.kwargs))
    return [*origin.held, *origin.results] if isinstance(origin, Loop) else []


def listed(nets: Sequence[Net]) -> Listed:
    """Return nets as a list of their origins."""
    number: dict[Origin, int] = {}
    todo = [(net.origin, False) for net in reversed(nets)]
    seen: set[Origin] = set()
    while todo:
        origin, ready = todo.pop()
        if ready:
            number[origin] = len(number)
        elif origin not in seen:
            seen.add(origin)
            todo.append((origin, True))
            todo += [(net.origin, False) for net in reversed(_references(origin))]

    def place(value: Net | Length) -> Place:
        net = value.like if isinstance(value, Length) else value
        is_length = isinstance(value, Length)
        return Place(number[net.origin], net.place, net.shape, net.is_stream, is_length)

    origins = tuple(_with(origin, partial(replaced, new=place)) for origin in number)
    return Listed(origins, tuple(map(place, nets)))


def of_list(made: Listed, inputs: Mapping[str, Net]) -> list[Net]:
    """Return nets of new origins, with the given nets in place of the inputs."""
    origins: list[Origin | Net] = []
    opened: list[frozenset[Held]] = []

    def net(place: Place) -> Net:
        origin = origins[place.origin]
        if isinstance(origin, Net):
            return origin
        return Net(origin, place.place, place.shape, place.is_stream, opened[place.origin])

    def new(value: Any) -> Any:
        if isinstance(value, Place):
            return Length(net(value)) if value.is_length else net(value)
        return tuple(map(new, value)) if isinstance(value, list | tuple) else value

    for listed_origin in made.origins:
        if isinstance(listed_origin, Input):
            origins.append(inputs[listed_origin.name])
            opened.append(frozenset())
            continue
        origin = _with(listed_origin, new)
        origins.append(origin)
        opened.append(_open(origin))
    return [net(place) for place in made.places]


def _open(origin: Origin) -> frozenset[Held]:
    """Return the results of loops that the results of an origin depend on, before these are closed."""
    if isinstance(origin, Held):
        return frozenset({origin})
    still: Iterable[frozenset[Held]] = (net.open for net in _references(origin))
    closed = {net.origin for net in origin.held} if isinstance(origin, Loop) else set()
    return frozenset().union(*still) - closed


def _with(origin: Origin, new: Callable[[Any], Any]) -> Origin:
    """Return an origin with new objects in place of its nets; others with an identity of their own."""
    if isinstance(origin, Call):
        args = tuple(map(new, origin.args))
        return replace(origin, args=args, kwargs={k: new(v) for k, v in origin.kwargs.items()})
    if isinstance(origin, Loop):
        return Loop(new(origin.held), new(origin.results))
    return replace(origin)
