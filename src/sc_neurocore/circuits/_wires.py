"""Circuits as gates, flip-flops and machines on single wires."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.circuits import _nets
from sc_neurocore.circuits._nets import (
    Call,
    Constant,
    Held,
    Input,
    Loop,
    Need,
    Net,
    Origin,
    collected_needs,
)
from sc_neurocore.operators.decorrelation import decorrelate, isolate, regenerate
from sc_neurocore.operators.gates import popcount_add
from sc_neurocore.operators.machines import addie, ema, gaines_divide, gaines_sqrt
from sc_neurocore.operators.products import umul
from sc_neurocore.streams import Bernoulli, encode, stack

__all__ = ["BLACK_BOXES", "GATES", "NotElementwise", "Part", "Wiring", "wired"]

WireArray = NDArray[np.int64]
GATES = ("and", "or", "xor", "not")
# Operators that are no gates, flip-flops and machines: their results are wires of unknown origin.
_BOXES: tuple[Any, ...] = (
    *(popcount_add, ema, umul, addie, gaines_divide, gaines_sqrt, decorrelate, regenerate),
)
BLACK_BOXES = {function.__wrapped__ for function in _BOXES}


class NotElementwise(Exception):  # noqa: N818
    """A loop combines streams of different places of a batch."""


@dataclass(frozen=True, eq=False)
class Part:
    """A gate, a flip-flop, a machine, or something that provides wires.

    Attributes
    ----------
    kind : str
        One of `GATES`, "flip-flop", "machine", "input", "outside", "encode", "constant" or "black box".
    operands, results : tuple of int
        Wires. A flip-flop reads its operand at the end of a step.
    detail : object
        Initial bit of a flip-flop; machine and its first state; name of an input; probability and
        numbers of an encoded value; stream and index of a constant; call, result and index of a black
        box.
    """

    kind: str
    operands: tuple[int, ...]
    results: tuple[int, ...]
    detail: Any = None


@dataclass(frozen=True, eq=False)
class Wiring:
    """Parts in an order in which operands come first, and the wires of each net.

    `needs` are the correlations that operators require, with the call of each operator; None for a
    coding.
    """

    parts: list[Part]
    of: dict[tuple[Origin, int], WireArray]
    needs: list[tuple[Need, Call | None]]

    def wires(self, net: Net) -> WireArray:
        """Return the wires of a net, of its shape."""
        return self.of[net.origin, net.place]


def wired(
    nets: Iterable[Net],
    outside: Iterable[Net] = (),
    *,
    flat: bool = False,
    needs: Iterable[Need] = (),
) -> Wiring:
    """Return the wiring of nets.

    `outside` are nets that are inputs of the wiring. If `flat`, each net is one wire, whatever its
    shape, and `NotElementwise` is raised if elements of different places meet. `needs` are those of
    codings.
    """
    maker = _Maker(flat)
    for net in outside:
        maker.provide(net, "outside")
    maker.add(nets)
    for need in needs:
        held = [held for net in (need.x, need.y) if net is not None for held in net.open]
        if all((one, 0) in maker.of for one in held):
            maker.needs.append((need, None))
    if not flat:
        for need, _ in maker.needs:
            maker.add(net for net in (need.x, need.y) if net is not None)
    return Wiring(maker.parts, maker.of, maker.needs)


class _Maker:
    """Parts as they are added."""

    def __init__(self, flat: bool) -> None:
        self.flat = flat
        self.parts: list[Part] = []
        self.needs: list[tuple[Need, Call | None]] = []
        self.n = 0
        self.of: dict[tuple[Origin, int], WireArray] = {}
        self.known: dict[tuple[str, tuple[int, ...]], int] = {}

    def new(self, shape: tuple[int, ...] = ()) -> WireArray:
        first, size = self.n, int(np.prod(shape))
        self.n += size
        return np.arange(first, first + size).reshape(shape)

    def shape(self, net: Net) -> tuple[int, ...]:
        return () if self.flat else net.shape

    def provide(
        self, net: Net, kind: str, detail: Callable[[tuple[int, ...]], Any] = lambda i: i
    ) -> None:
        wires = self.new(self.shape(net))
        self.of[net.origin, net.place] = wires
        for index in np.ndindex(wires.shape):
            self.parts.append(Part(kind, (), (int(wires[index]),), detail(index)))

    def gate(self, kind: str, *operands: int) -> int:
        key = kind, operands if kind == "not" else tuple(sorted(operands))
        if key not in self.known:
            wire = self.known[key] = int(self.new())
            self.parts.append(Part(kind, operands, (wire,)))
        return self.known[key]

    def gates(self, kind: str, *operands: WireArray) -> WireArray:
        return _map(partial(self.gate, kind), *operands)

    def delay(self, wire: int, initial: int = 0) -> int:
        key = f"flip-flop {initial}", (wire,)
        if key not in self.known:
            q = self.known[key] = int(self.new())
            self.parts.append(Part("flip-flop", (wire,), (q,), initial))
        return self.known[key]

    def add(self, nets: Iterable[Net]) -> None:
        """Add all that the nets depend on."""
        todo = [(net, False) for net in reversed(list(nets))]
        seen: set[Origin] = set()
        while todo:
            net, ready = todo.pop()
            origin = net.origin
            if (origin, net.place) in self.of:
                continue
            if ready:
                self.add_origin(net)
            elif origin not in seen:
                seen.add(origin)
                inner = origin.results if isinstance(origin, Loop) else _nets.operands(origin)
                todo.append((net, True))
                todo += [(other, False) for other in reversed(list(inner))]

    def add_origin(self, net: Net) -> None:
        origin = net.origin
        if isinstance(origin, Input):
            self.provide(net, "input", lambda index: _named(origin.name, index))
        elif isinstance(origin, Constant):
            self.provide(net, "constant", lambda index: (origin.stream, index))
        elif isinstance(origin, Held):
            self.of[origin, 0] = self.new(self.shape(net))
        elif isinstance(origin, Loop):
            self.close(origin)
        else:
            self.call(origin)

    def close(self, loop: Loop) -> None:
        for i, (held, result) in enumerate(zip(loop.held, loop.results, strict=True)):
            d = self.of[result.origin, result.place]
            if (held.origin, 0) not in self.of:
                self.of[held.origin, 0] = self.new(self.shape(held))
            q = self.of[held.origin, 0]
            self.of[loop, i] = d
            initial = held.origin.initial  # type: ignore[union-attr]
            for wire, now in zip(np.broadcast_to(d, q.shape).flat, q.flat, strict=True):
                self.parts.append(Part("flip-flop", (int(wire),), (int(now),), initial))

    def wires(self, net: Net) -> WireArray:
        return self.of[net.origin, net.place]

    def call(self, call: Call) -> None:
        built = self.build(call)
        if built is None:
            with collected_needs() as needs:
                results = call.function(*call.args, **call.kwargs)
            self.needs += [(need, call) for need in needs]
            nets = results if call.many else (results,)
            self.add(net for net in nets if isinstance(net, Net) and net.is_stream)
            built = [
                self.of.get((net.origin, net.place)) if isinstance(net, Net) else None for net in nets
            ]
        for i, wires in enumerate(built):
            if wires is not None:
                self.of[call, i] = wires

    def build(self, call: Call) -> list[WireArray | None] | None:
        """Return the wires of each result, or None if the operator is made of other operators."""
        function = call.function
        if function in BLACK_BOXES or function is encode.__wrapped__:  # type: ignore[attr-defined]
            if self.flat:
                raise NotElementwise
            return [self.encoded(call)] if function not in BLACK_BOXES else self.black_box(call)
        if function is stack:
            if self.flat:
                raise NotElementwise
            return [np.stack(np.broadcast_arrays(*map(self.wires, call.args[0])), axis=-1)]
        builders: dict[Any, Any] = {
            _nets._and: lambda x, y: self.gates("and", x, y),
            _nets._or: lambda x, y: self.gates("or", x, y),
            _nets._xor: lambda x, y: self.gates("xor", x, y),
            _nets._not: lambda x: self.gates("not", x),
            _nets._item: self.item,
            _nets._reshaped: lambda x, n_axes, shape: self.reshaped(x, shape),
            _nets._machine: self.machine,
            isolate.__wrapped__: self.isolate,  # type: ignore[attr-defined]
        }
        known = builders.get(function)
        if known is None:
            return None
        args = [self.wires(arg) if isinstance(arg, Net) else arg for arg in call.args]
        kwargs = {k: self.wires(v) if isinstance(v, Net) else v for k, v in call.kwargs.items()}
        result = known(*args, **kwargs)
        return result if isinstance(result, list) else [result]

    def item(self, x: WireArray, key: tuple[Any, ...]) -> WireArray:
        if not self.flat:
            return np.asarray(x[key])
        if x.ndim == 1 and isinstance(key[0], int | np.integer):  # one of the outputs of a machine
            x, key = x[key[0]], key[1:]
        if not all(k is None or k is Ellipsis or k == slice(None) for k in key):
            raise NotElementwise
        return x

    def reshaped(self, x: WireArray, shape: tuple[int, ...]) -> WireArray:
        if self.flat:
            raise NotElementwise
        return x.reshape(shape)

    def isolate(self, x: WireArray, delay: int) -> WireArray:
        for _ in range(delay):
            x = _map(self.delay, x)
        return x

    def machine(
        self,
        machine: Any,
        x: WireArray,
        y: WireArray | None = None,
        *others: WireArray,
        state: Any,
        n_axes: int,
    ) -> list[WireArray | None]:
        inputs = np.broadcast_arrays(*(w for w in (x, y, *others) if w is not None))
        states = np.asarray(state)
        if self.flat and states.ndim:
            raise NotElementwise
        states = np.broadcast_to(states, inputs[0].shape)
        n_out = 1 + machine.outputs.ndim - machine.next_state.ndim
        z = self.new((n_out, *inputs[0].shape))
        for index in np.ndindex(inputs[0].shape):
            reads = tuple(int(w[index]) for w in inputs)
            writes = tuple(int(z[(o, *index)]) for o in range(n_out))
            self.parts.append(Part("machine", reads, writes, (machine, int(states[index]))))
        return [z if n_out == 2 else z[0], None]

    def encoded(self, call: Call) -> WireArray:
        def read(
            p: Any, length: Any, *, key: int, source: Any = Bernoulli(), streams: Any = None
        ) -> list[tuple[float, Any]]:
            p = np.asarray(p, np.float64)
            numbers = np.arange(p.size).reshape(p.shape) if streams is None else np.asarray(streams)
            p, numbers = np.broadcast_arrays(p, numbers)
            pairs = zip(np.clip(p, 0, 1).flat, numbers.flat, strict=True)
            return [(float(a), (source, key, int(n))) for a, n in pairs]

        details = iter(read(*call.args, **call.kwargs))
        self.provide(Net(call, 0, call.results[0][0]), "encode", lambda index: next(details))
        return self.of[call, 0]

    def black_box(self, call: Call) -> list[WireArray | None]:
        reads = tuple(int(w) for net in _nets.operands(call) for w in self.wires(net).flat)
        built: list[WireArray | None] = []
        for place, (shape, is_stream) in enumerate(call.results):
            if not is_stream:
                built.append(None)
                continue
            wires = self.new(shape)
            for index in np.ndindex(wires.shape):
                detail = call, place, index
                self.parts.append(Part("black box", reads, (int(wires[index]),), detail))
            built.append(wires)
        return built


def _map(function: Callable[..., int], *operands: WireArray) -> WireArray:
    """Return the results of a function of wires, elementwise."""
    arrays = np.broadcast_arrays(*operands)
    results = [function(*map(int, wires)) for wires in zip(*(a.flat for a in arrays), strict=True)]
    return np.array(results, np.int64).reshape(arrays[0].shape)


def _named(name: str, index: tuple[int, ...]) -> str:
    """Return the name of a wire of an input."""
    return name + (f"[{', '.join(map(str, index))}]" if index else "")


def check_mapping(name: str, values: object) -> None:
    """Raise unless an argument is a mapping."""
    if not isinstance(values, Mapping):
        remedy = "pass its .generators" if hasattr(values, "generators") else ""
        _checks.wrong_type(name, "be a mapping from names of inputs", values, remedy)


def wire_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the names of the wires of an input, in C order."""
    return [_named(name, index) for index in np.ndindex(shape)]


def numbered(wires: Sequence[str], generators: Mapping[str, int] | None) -> dict[str, tuple[int, bool]]:
    """Return the generator of each wire of the inputs, and whether its stream is inverted."""
    given: dict[str, tuple[int, bool]] = {}
    named: dict[str, str] = {}
    if generators is not None:
        check_mapping("generators", generators)
    for name, number in ({} if generators is None else generators).items():
        plain = str(name).removeprefix("~")
        inverted = plain != name
        n = _checks.integer(f"generators[{name!r}]", number, 0, 2**32 - 1)
        meant = [wire for wire in wires if wire == plain or wire.startswith(f"{plain}[")]
        if not meant:
            _checks.fail("generators", f"name wires of the inputs: {', '.join(wires)}", repr(name))
        if plain in named:
            _checks.fail("generators", "name a wire once", f"{named[plain]!r} and {name!r}")
        named[plain] = str(name)
        given |= {wire: (n, inverted) for wire in meant if wire not in given or wire == plain}
    used = {n for n, _ in given.values()}
    free = (n for n in range(len(wires) + len(used)) if n not in used)
    return {wire: given[wire] if wire in given else (next(free), False) for wire in wires}


def check_names(name: str, values: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise unless values are given for exactly the known names."""
    check_mapping(name, values)
    names = sorted(known)
    if set(values) != set(names):
        got = ", ".join(sorted(map(str, values))) or "none"
        _checks.fail(name, f"name the inputs {', '.join(names)}", got)
