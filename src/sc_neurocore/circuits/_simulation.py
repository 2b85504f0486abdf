"""Simulation: calls of operators on packed bits, and loops in the native core."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.circuits._nets import (
    Call,
    Constant,
    Input,
    Length,
    Loop,
    Net,
    Origin,
    calls_in_order,
    nets_in,
    operands,
)
from sc_neurocore.circuits._wires import GATES, NotElementwise, Wiring, wired
from sc_neurocore.streams import Bitstream, Faults
from sc_neurocore.streams._bits import n_words
from sc_neurocore.streams.faults import FaultyWires

__all__ = ["compiled", "simulated"]


def simulated(nets: Sequence[Net], inputs: Mapping[str, Bitstream], n_batch: int) -> list[Any]:
    """Return the bitstreams of nets, or what their operators return instead.

    All inputs have `n_batch` batch axes before the shape of their net.
    """
    return compiled(nets)(inputs, n_batch)


def compiled(
    nets: Sequence[Net], faults: Faults | None = None, key: int = 0
) -> Callable[[Mapping[str, Bitstream], int], list[Any]]:
    """Return the function of `simulated`: the calls in order, written as Python.

    Values are deleted after their last use, as those of a nested expression are. With faults, inputs,
    constants and results are struck: element e of result r of call i is wire ``i << 40 | r << 32 | e``.
    """
    order = calls_in_order(nets)
    number = {origin: i for i, origin in enumerate(order)}
    last: dict[Origin, int] = {}
    for i, origin in enumerate(order):
        last |= {net.origin: i for net in operands(origin)}
    last |= {net.origin: len(order) for net in nets}
    strikes: _Strikes | None = None if faults is None else partial(_struck, faults, key)
    space: dict[str, Any] = {"with_batch": _with_batch, "run_loop": _run_loop, "strike": strikes}

    def name(net: Net) -> str:
        origin = net.origin
        place = f"[{net.place}]" if isinstance(origin, Loop) or getattr(origin, "many", False) else ""
        return f"v{number[origin]}{place}"

    def text(value: Any) -> str:
        if isinstance(value, Net):
            return name(value)
        if isinstance(value, Length):
            return f"{name(value.like)}.length"
        if isinstance(value, tuple) and any(True for _ in nets_in(value)):
            return f"({''.join(f'{text(item)}, ' for item in value)})"
        space[f"c{len(space)}"] = value
        return f"c{len(space) - 1}"

    lines = ["def run(inputs, n_batch):"]
    for i, origin in enumerate(order):
        if isinstance(origin, Input):
            right = f"inputs[{origin.name!r}]"
        elif isinstance(origin, Constant):
            right = f"with_batch({text(origin.stream)}, n_batch)"
        elif isinstance(origin, Loop):
            program = _program(origin, faulty=strikes is not None)
            streams = text(tuple(program.outside)) if program.outside else "()"
            struck = "" if strikes is None else f", strike, {i << 40}"
            right = f"run_loop({text(origin)}, {text(program)}, n_batch, {streams}{struck})"
        else:
            assert isinstance(origin, Call)  # a Held is inside its loop
            space[f"f{i}"] = origin.function
            arguments = [*map(text, origin.args), *(f"{k}={text(v)}" for k, v in origin.kwargs.items())]
            right = f"f{i}({', '.join(arguments)})"
        lines.append(f" v{i} = {right}")
        if strikes is not None and isinstance(origin, Input | Constant):
            lines.append(f" v{i} = strike(v{i}, n_batch, {i << 40})")
        elif strikes is not None and isinstance(origin, Call) and origin.name not in _ARRANGE:
            for place, (_, is_stream) in enumerate(origin.results):
                if is_stream and origin.many:
                    one = f"strike(v{i}[{place}], n_batch, {i << 40 | place << 32})"
                    lines.append(f" v{i} = (*v{i}[:{place}], {one}, *v{i}[{place + 1}:])")
                elif is_stream:
                    lines.append(f" v{i} = strike(v{i}, n_batch, {i << 40})")
        if unused := [f"v{number[o]}" for o, at in last.items() if at == i]:
            lines.append(f" del {', '.join(unused)}")
    lines.append(f" return [{', '.join(map(name, nets))}]")
    exec(compile("\n".join(lines), "<circuit>", "exec"), space)
    return space["run"]  # type: ignore[no-any-return]


# A function that strikes a stream, given the number of batch axes and the number of its first wire.
_Strikes = Callable[[Bitstream, int, int], Bitstream]
# Calls that only arrange streams, and so have no wires of their own.
_ARRANGE = ("item", "reshaped", "stack")


def _struck(faults: Faults, key: int, x: Bitstream, n_batch: int, first: int) -> Bitstream:
    """Return the stream of a net with the faults of its wires, the same for all elements of a batch."""
    shape = x.shape[n_batch:]
    wires = np.arange(first, first + math.prod(shape), dtype=np.uint64).reshape(shape)
    return Bitstream(FaultyWires(faults, key, wires).struck(x.words, 0, x.length), x.length)


def _with_batch(stream: Bitstream, n_batch: int) -> Bitstream:
    return stream.reshape(*(1,) * n_batch, *stream.shape) if n_batch else stream


@dataclass(frozen=True, eq=False)
class _Program:
    """A loop as the native kernel runs it.

    A `flat` loop has one wire per net, others one per element. With faults, two masks of each of the
    `n_struck` results of gates and machines follow the inputs.
    """

    outside: list[Net]
    flat: bool
    steps: NDArray[np.int32]
    n_values: int
    outputs: NDArray[np.int32]
    holds: NDArray[np.int32]
    initial: NDArray[np.uint64]
    tables: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    n_struck: int = 0


def _program(loop: Loop, *, faulty: bool = False) -> _Program:
    outside = operands(loop)
    try:
        flat, wiring = True, wired(_of(loop), outside, flat=True)
    except NotElementwise:
        flat, wiring = False, wired(_of(loop), outside)
    boxes = [part for part in wiring.parts if part.kind in ("black box", "encode")]
    if boxes:
        what = boxes[0].detail[0].name if boxes[0].kind == "black box" else "encode"
        _checks.fail("a loop", "consist of gates, flip-flops and machines", what)
    results = [wiring.wires(net) for net in _of(loop)]
    return _compiled(outside, wiring, results, flat=flat, faulty=faulty)


def _of(loop: Loop) -> list[Net]:
    return [Net(loop, i, net.shape) for i, net in enumerate(loop.results)]


def _compiled(
    outside: list[Net],
    wiring: Wiring,
    results: Iterable[NDArray[np.int64]],
    *,
    flat: bool,
    faulty: bool = False,
) -> _Program:
    inputs = [part.results[0] for part in wiring.parts if part.kind == "outside"]
    active = [part for part in wiring.parts if part.kind in (*GATES, "machine")]
    struck = [wire for part in active for wire in part.results if wire >= 0] if faulty else []
    number = {wire: i for i, wire in enumerate(inputs)}
    number |= {-1 - i: len(inputs) + i for i in range(2 * len(struck))}  # masks, no wires

    def at(wires: tuple[int, ...], n: int) -> list[int]:
        found = [number.setdefault(wire, len(number)) for wire in wires]
        return [*found, *(-1,) * (n - len(found))]

    steps: list[list[int]] = []
    starts: list[int] = []
    tables = [np.zeros(0, np.uint32)]
    flip_flops = [part for part in wiring.parts if part.kind == "flip-flop"]
    for part in wiring.parts:
        if part.kind in GATES:
            steps.append([GATES.index(part.kind), *at(part.operands, 2), *at(part.results, 2), 0, 0])
        elif part.kind == "machine":
            machine, start = part.detail
            kind, reads = len(GATES), at(part.operands, 2)
            if len(part.operands) > 2:  # its operands are in front of its table
                kind, reads = kind + 1, [reads[0], len(part.operands)]
                tables.append(np.array(at(part.operands, 0), np.uint32))
            place = sum(map(len, tables)), len(starts)
            steps.append([kind, *reads, *at(part.results, 2), *place])
            tables.append(machine._table().ravel())
            starts.append(start)
        for wire in part.results if struck and part in active else ():
            if wire >= 0:
                mask = number[-1 - 2 * struck.index(wire)]
                own, kept = number[wire], len(number)
                number[-1 - kept] = kept
                steps.append([GATES.index("and"), own, mask, kept, -1, 0, 0])
                steps.append([GATES.index("xor"), kept, mask + 1, own, -1, 0, 0])
    holds = [at((*part.results, *part.operands), 2) for part in flip_flops]
    outputs = [at((int(wire),), 1)[0] for array in results for wire in array.flat]
    return _Program(
        outside,
        flat,
        np.array(steps, np.int32).reshape(-1, 7),
        len(number),
        np.array(outputs, np.int32),
        np.array(holds, np.int32).reshape(-1, 2),
        np.array([-part.detail & 2**64 - 1 for part in flip_flops], np.uint64),
        np.concatenate(tables),
        np.array(starts, np.uint32),
        len(struck),
    )


def _run_loop(
    loop: Loop,
    program: _Program,
    n_batch: int,
    streams: tuple[Bitstream, ...],
    strike: _Strikes | None = None,
    first: int = 0,
) -> tuple[Bitstream, ...]:
    if not streams:
        remedy = "add x & ~x of an input x, which is 0"
        _checks.fail("a loop", "use at least one other stream", "none", remedy)
    lengths = {stream.length for stream in streams}
    if len(lengths) > 1:
        _checks.fail("the streams", "have equal length", " and ".join(map(str, sorted(lengths))))
    length = streams[0].length
    n_axes = max(len(net.shape) for net in (*program.outside, *loop.results))
    words = [s.words for s in streams]
    if program.flat:
        aligned = [
            w.reshape(*w.shape[:n_batch], *(1,) * (n_axes - len(net.shape)), *w.shape[n_batch:])
            for w, net in zip(words, program.outside, strict=True)
        ]
        rows = np.stack(np.broadcast_arrays(*aligned))
        batch = rows.shape[1:-1]
    else:
        batch = np.broadcast_shapes(*(w.shape[:n_batch] for w in words))
        rows = np.concatenate(
            [
                np.moveaxis(
                    np.broadcast_to(w, (*batch, *w.shape[n_batch:])).reshape(
                        *batch, math.prod(w.shape[n_batch:-1]), w.shape[-1]
                    ),
                    n_batch,
                    0,
                )
                for w in words
            ]
        )
    n_rows = math.prod(rows.shape[1:-1])
    if strike is not None and program.n_struck:
        masks = _masks(strike, program.n_struck, rows.shape[1 + n_batch : -1], length, first)
        masks = masks.reshape(len(masks), *(1,) * n_batch, *masks.shape[1:])
        rows = np.concatenate([rows, np.broadcast_to(masks, (len(masks), *rows.shape[1:]))])
    inputs = np.ascontiguousarray(rows).reshape(len(rows), n_rows, rows.shape[-1])
    out = _native.circuit(
        program.steps,
        program.n_values,
        program.outputs,
        program.holds,
        program.tables,
        inputs,
        length,
        np.tile(program.initial, (-(-n_rows // 64), 1)),
        np.tile(program.starts[:, np.newaxis], (1, n_rows)),
    )
    return _results(loop, program, out, batch, n_batch, length)


def _masks(
    strike: _Strikes, n: int, shape: tuple[int, ...], length: int, first: int
) -> NDArray[np.uint64]:
    """Return masks of the faults of n wires, of the shape of a net: bits w become ``w & a ^ b``.

    They are in the order a, b of each wire, shape (2 * n, *shape, n_words).
    """
    never = Bitstream(np.zeros((n, *shape, n_words(length)), np.uint64), length)
    zeros, ones = (strike(x, 0, first).words for x in (never, ~never))
    return np.stack([zeros ^ ones, zeros], axis=1).reshape(2 * n, *zeros.shape[1:])


def _results(
    loop: Loop,
    program: _Program,
    out: NDArray[np.uint64],
    batch: tuple[int, ...],
    n_batch: int,
    length: int,
) -> tuple[Bitstream, ...]:
    streams, first = [], 0
    for net in loop.results:
        if program.flat:  # of fewer axes than others: those of size 1 go
            shape = (*batch[:n_batch], *batch[len(batch) - len(net.shape) :])
            if len(shape) < len(batch) and batch[n_batch : len(batch) - len(net.shape)] != (1,) * (
                len(batch) - len(shape)
            ):
                _checks.fail("the streams of a loop", "have one shape", f"{batch} and {shape}")
            words, first = out[first].reshape(*shape, out.shape[-1]), first + 1
        else:
            n = int(np.prod(net.shape))
            part, first = out[first : first + n], first + n
            words = np.moveaxis(part.reshape(n, *batch, out.shape[-1]), 0, len(batch))
            words = words.reshape(*batch, *net.shape, out.shape[-1])
        streams.append(Bitstream(np.ascontiguousarray(words), length))
    return tuple(streams)
