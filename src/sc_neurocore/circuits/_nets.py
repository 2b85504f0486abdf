"""Nets: streams that are not computed yet, and the calls of operators that will compute them.

A net has the shape that its stream has for a single value of each input. The batch axes of a simulation
come before it.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._bits import n_words

__all__ = [
    "Call",
    "Constant",
    "Held",
    "Input",
    "Loop",
    "Need",
    "Net",
    "Origin",
    "as_nets",
    "calls_in_order",
    "collected_needs",
    "operands",
    "record",
    "replaced",
]

# Operators that do not return a stream, or a result, for each element of a batch.
_REFUSED = (
    *("current_trace", "dot", "exact_product"),
    *("arrival_times", "rotate", "temporal_dot"),
)
# Length of the streams of zeros on which a call is tried, to see the shapes of its results.
_TRIED = 64

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Input:
    """An input of a circuit."""

    name: str


@dataclass(frozen=True, eq=False)
class Constant:
    """A stream whose bits are given."""

    stream: Bitstream


@dataclass(frozen=True, eq=False)
class Held:
    """The result of a loop at the step before, at first `initial`."""

    initial: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Call:
    """A call of an operator. Its arguments contain nets instead of streams.

    `results` holds the shape of each result, and whether it is a stream. `many` says whether the
    operator returns a tuple.
    """

    function: Function
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[tuple[tuple[int, ...], bool], ...]
    many: bool = False

    @property
    def name(self) -> str:
        """Name of the operator."""
        return self.function.__name__.lstrip("_")

    def __reduce__(self) -> tuple[Any, ...]:
        # What an operator is made of is not found by its name, which is that of the operator.
        name = self.function.__module__, self.function.__qualname__
        return _call, (*name, self.args, self.kwargs, self.results, self.many)


def _call(module: str, name: str, *fields: Any) -> Call:
    """Return a call of a function that is stored by its name."""
    function = attrgetter(name)(import_module(module))
    return Call(getattr(function, "__wrapped__", function), *fields)


@dataclass(frozen=True, eq=False)
class Loop:
    """Nets that depend on their own values at the step before."""

    held: tuple[Net, ...]
    results: tuple[Net, ...]


Origin = Input | Constant | Held | Call | Loop


class Need(NamedTuple):
    """A correlation that an operator requires of x and y, or that x is white if y is None."""

    operator: str
    x: Net
    y: Net | None
    which: str


_needs: ContextVar[list[Need] | None] = ContextVar("needs", default=None)


@contextmanager
def collected_needs() -> Iterator[list[Need]]:
    """Collect what operators require while the block runs."""
    needs: list[Need] = []
    token = _needs.set(needs)
    try:
        yield needs
    finally:
        _needs.reset(token)


@dataclass(frozen=True)
class Length:
    """The length of the streams of a circuit, which is known only when it runs."""

    like: Net

    def __stream_operator__(
        self, function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        return record(function, args, kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Length)

    def __hash__(self) -> int:
        return hash(Length)


@dataclass(frozen=True, eq=False, repr=False)
class Net:
    """A stream, or a batch of streams, that an input, an operator or a loop will provide.

    Operators accept nets wherever they accept a `Bitstream`, and so do the gates ``&``, ``|``, ``^``
    and ``~``. A net has no bits: `Circuit.simulate` computes them.

    Attributes
    ----------
    origin : Input, Constant, Held, Call or Loop
        What provides the stream.
    place : int
        Index among the results of the origin.
    shape : tuple of int
        Shape of the net, without the batch axes of a simulation.
    is_stream : bool
        False for other results, such as the final counter of `addie`.
    """

    origin: Origin
    place: int = 0
    shape: tuple[int, ...] = ()
    is_stream: bool = True
    open: frozenset[Held] = field(default=frozenset())

    __array_ufunc__ = None

    def __stream_operator__(
        self, function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        return record(function, args, kwargs)

    def __stream_need__(self, operator: str, x: Any, y: Any, which: str) -> None:
        needs = _needs.get()
        if needs is not None:
            needs.append(Need(operator, as_nets(x), as_nets(y), which))

    @property
    def length(self) -> Length:
        """Length of the stream, known only when the circuit runs."""
        return Length(self)

    def reshape(self, *shape: int) -> Net:
        """Return the same streams with another shape; one entry can be -1."""
        return _only(record(_reshaped, (self, len(self.shape), shape), {}))

    def __getitem__(self, index: Any) -> Net:
        key = list(index) if isinstance(index, tuple) else [index]
        # NumPy's rules for the axes of the net, whatever batch axes precede them.
        used = sum(k is not None and k is not Ellipsis for k in key)
        at = next((i for i, k in enumerate(key) if k is Ellipsis), len(key))
        key[at : at + 1] = [slice(None)] * (len(self.shape) - used)
        return _only(record(_item, (self, tuple(key)), {}))

    def __iter__(self) -> Iterator[Net]:
        if not self.shape:
            _checks.wrong_type("a net to iterate over", "have a shape", self.shape)
        return (self[i] for i in range(self.shape[0]))

    def __and__(self, other: Net | Bitstream) -> Net:
        return _gate(_and, self, other)

    def __rand__(self, other: Net | Bitstream) -> Net:
        return _gate(_and, other, self)

    def __or__(self, other: Net | Bitstream) -> Net:
        return _gate(_or, self, other)

    def __ror__(self, other: Net | Bitstream) -> Net:
        return _gate(_or, other, self)

    def __xor__(self, other: Net | Bitstream) -> Net:
        return _gate(_xor, self, other)

    def __rxor__(self, other: Net | Bitstream) -> Net:
        return _gate(_xor, other, self)

    def __invert__(self) -> Net:
        return _only(record(_not, (self,), {}))

    def _arithmetic(self, other: object) -> NoReturn:
        """Raise TypeError: what a product or a sum is depends on the coding."""
        _refuse(
            self,
            "call multiply, scaled_add and others, or wrap nets in a coding: Bipolar(x) * Bipolar(y)",
        )

    __mul__ = __rmul__ = __add__ = __radd__ = __sub__ = __rsub__ = __truediv__ = _arithmetic

    def __bool__(self) -> NoReturn:
        _refuse("a net as a condition")

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        _refuse("a net as an array")

    def probability(self, *_: object) -> NoReturn:
        """Raise TypeError: a net has no bits before `Circuit.simulate`."""
        _refuse("a net for its bits or density")

    counts = bits = between = probability
    words = property(probability)

    def __repr__(self) -> str:
        shape = f"shape={self.shape}, " if self.shape and self.is_stream else ""
        origin = self.origin
        if isinstance(origin, Input):
            what = f"input {origin.name}"
        else:
            what = origin.name if isinstance(origin, Call) else type(origin).__name__.lower()
        return f"Net({shape}{what})"


def _refuse(got: object, remedy: str = "") -> NoReturn:
    _checks.wrong_type("a circuit", "be described by operators and gates", got, remedy)


def _only(net: Any) -> Net:
    assert isinstance(net, Net)
    return net


def _gate(gate: Function, x: object, y: object) -> Net:
    if not isinstance(x, Net | Bitstream) or not isinstance(y, Net | Bitstream):
        return NotImplemented  # type: ignore[no-any-return]
    return _only(record(gate, (x, y), {}))


# The gates and the wiring of streams, as functions.
def _and(x: Bitstream, y: Bitstream) -> Bitstream:
    return x & y


def _or(x: Bitstream, y: Bitstream) -> Bitstream:
    return x | y


def _xor(x: Bitstream, y: Bitstream) -> Bitstream:
    return x ^ y


def _not(x: Bitstream) -> Bitstream:
    return ~x


def _item(x: Bitstream, key: tuple[Any, ...]) -> Bitstream:
    return x[(Ellipsis, *key)]


def _reshaped(x: Bitstream, n_axes: int, shape: tuple[int, ...]) -> Bitstream:
    return x.reshape(*x.shape[: len(x.shape) - n_axes], *shape)


def _machine(
    machine: Machine,
    x: Bitstream,
    y: Bitstream | None = None,
    *others: Bitstream,
    state: ArrayLike,
    n_axes: int,
) -> tuple[Bitstream, NDArray[np.int64]]:
    """Return what a machine returns, with its two output streams behind the batch axes."""
    z, final = machine.run(x, y, *others, state=state)
    if machine.outputs.ndim > machine.next_state.ndim:
        words = np.moveaxis(z.words, 0, final.ndim - n_axes)
        z = Bitstream(np.ascontiguousarray(words), z.length)
    return z, final


def nets_in(*values: object) -> Iterator[Net]:
    """Yield the nets within arguments."""
    for value in values:
        if isinstance(value, Net):
            yield value
        elif isinstance(value, Length):
            yield value.like
        elif isinstance(value, list | tuple):
            yield from nets_in(*value)
        elif isinstance(value, Mapping):
            yield from nets_in(*value.values())


def replaced(value: Any, new: Callable[[Any], Any]) -> Any:
    """Return arguments with new objects in place of the nets and lengths within."""
    if isinstance(value, Net | Length):
        return new(value)
    if isinstance(value, list | tuple):
        return tuple(replaced(item, new) for item in value)
    return value


def record(function: Function, args: Iterable[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the results of a call of an operator as nets, in the structure that it returns."""
    args, kwargs = tuple(map(as_nets, args)), {k: as_nets(v) for k, v in kwargs.items()}
    for net in nets_in(*args, kwargs):
        if not net.is_stream:
            _checks.wrong_type(f"the operand of {function.__name__.lstrip('_')}", "be a stream", net)
    bound = inspect.signature(function).bind(*args, **kwargs)
    args, kwargs = bound.args, bound.kwargs
    n_axes = max((len(net.shape) for net in nets_in(*args, kwargs)), default=0)
    args = tuple(replaced(value, lambda net: _with_axes(net, n_axes)) for value in args)
    kwargs = {k: replaced(value, lambda net: _with_axes(net, n_axes)) for k, value in kwargs.items()}
    if function.__name__ in _REFUSED:
        contract = "keep the length of their operands and their batch axes"
        counts = function.__name__ in ("dot", "current_trace")
        remedy = "return popcount_add(multiply(x, w)), the count of each step" if counts else ""
        _checks.fail("the operators of a circuit", contract, function.__name__, remedy)
    if function is Machine.run.__wrapped__:  # type: ignore[attr-defined]
        state = kwargs.pop("state", 0)
        function, kwargs = _machine, {**kwargs, "state": state, "n_axes": n_axes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the streams of zeros are not those that will be used
        tried = function(*replaced(args, _zeros), **{k: replaced(v, _zeros) for k, v in kwargs.items()})
    many = isinstance(tried, tuple)
    results = tuple(_described(value) for value in (tried if many else (tried,)))
    call = Call(function, args, kwargs, results, many)
    still_open = frozenset[Held]().union(*(net.open for net in nets_in(*args, kwargs)))
    nets = tuple(Net(call, i, *result, still_open) for i, result in enumerate(results))
    return nets if many else nets[0]


def _described(value: Any) -> tuple[tuple[int, ...], bool]:
    """Return the shape of a result, and whether it is a stream."""
    is_stream = isinstance(value, Bitstream)
    return (value.shape if is_stream else np.shape(value)), is_stream


def as_nets(value: Any) -> Any:
    """Return arguments with nets in place of bitstreams."""
    if isinstance(value, Bitstream):
        return Net(Constant(value), 0, value.shape)
    if isinstance(value, list | tuple) and any(isinstance(v, Net | Bitstream) for v in value):
        return tuple(map(as_nets, value))
    return value


def _with_axes(value: Net | Length, n_axes: int) -> Net | Length:
    """Return a net with axes of size 1 before its own, because batch axes precede them."""
    if isinstance(value, Length) or len(value.shape) == n_axes:
        return value
    return value[(*(None,) * (n_axes - len(value.shape)), Ellipsis)]


def _zeros(value: Net | Length) -> Any:
    if isinstance(value, Length):
        return _TRIED
    return Bitstream(np.zeros((*value.shape, n_words(_TRIED)), np.uint64), _TRIED)


def operands(origin: Origin) -> list[Net]:
    """Return the nets on which an origin depends within its step."""
    if isinstance(origin, Call):
        return list(nets_in(*origin.args, origin.kwargs))
    return loop_operands(origin) if isinstance(origin, Loop) else []


def loop_operands(loop: Loop) -> list[Net]:
    """Return the nets outside a loop that it reads."""
    found: dict[tuple[Origin, int], Net] = {}
    seen: set[Origin] = set()
    todo = list(loop.results)
    while todo:
        net = todo.pop()
        if not net.open:
            found.setdefault((net.origin, net.place), net)
        elif net.origin not in seen:
            seen.add(net.origin)
            inner = net.origin
            todo += inner.results if isinstance(inner, Loop) else operands(inner)
    return list(found.values())


def calls_in_order(nets: Iterable[Net]) -> list[Origin]:
    """Return the origins on which nets depend, each after those that it depends on."""
    order: list[Origin] = []
    seen: set[Origin] = set()
    todo: list[tuple[Origin, bool]] = [(net.origin, False) for net in reversed(list(nets))]
    while todo:
        origin, ready = todo.pop()
        if ready:
            order.append(origin)
        elif origin not in seen:
            seen.add(origin)
            todo.append((origin, True))
            todo += [(net.origin, False) for net in reversed(operands(origin))]
    return order
