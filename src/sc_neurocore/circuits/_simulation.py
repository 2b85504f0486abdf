"""Simulation: calls of operators on packed bits, and loops in the native core."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from sc_neurocore.streams import Bitstream

__all__ = ["compiled", "simulated"]


def simulated(nets: Sequence[Net], inputs: Mapping[str, Bitstream], n_batch: int) -> list[Any]:
    """Return the bitstreams of nets, or what their operators return instead.

    All inputs have `n_batch` batch axes before the shape of their net.
    """
    return compiled(nets)(inputs, n_batch)


def compiled(nets: Sequence[Net]) -> Callable[[Mapping[str, Bitstream], int], list[Any]]:
    """Return the function of `simulated`: the calls in order, written as Python.

    Values are deleted after their last use, as those of a nested expression are.
    """
    order = calls_in_order(nets)
    number = {origin: i for i, origin in enumerate(order)}
    last: dict[Origin, int] = {}
    for i, origin in enumerate(order):
        last |= {net.origin: i for net in operands(origin)}
    last |= {net.origin: len(order) for net in nets}
    space: dict[str, Any] = {"with_batch": _with_batch, "run_loop": _run_loop}

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
            program = _program(origin)
            streams = text(tuple(program.outside)) if program.outside else "()"
            right = f"run_loop({text(origin)}, {text(program)}, n_batch, {streams})"
        else:
            assert isinstance(origin, Call)  # a Held is inside its loop
            space[f"f{i}"] = origin.function
            arguments = [*map(text, origin.args), *(f"{k}={text(v)}" for k, v in origin.kwargs.items())]
            right = f"f{i}({', '.join(arguments)})"
        lines.append(f" v{i} = {right}")
        if unused := [f"v{number[o]}" for o, at in last.items() if at == i]:
            lines.append(f" del {', '.join(unused)}")
    lines.append(f" return [{', '.join(map(name, nets))}]")
    exec(compile("\n".join(lines), "<circuit>", "exec"), space)
    return space["run"]  # type: ignore[no-any-return]


def _with_batch(stream: Bitstream, n_batch: int) -> Bitstream:
    return stream.reshape(*(1,) * n_batch, *stream.shape) if n_batch else stream


@dataclass(frozen=True, eq=False)
class _Program:
    """A loop as the native kernel runs it.

    A `flat` loop has one wire per net, others one per element.
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


def _program(loop: Loop) -> _Program:
    outside = operands(loop)
    try:
        flat, wiring = True, wired(_of(loop), outside, flat=True)
    except NotElementwise:
        flat, wiring = False, wired(_of(loop), outside)
    boxes = [part for part in wiring.parts if part.kind in ("black box", "encode")]
    if boxes:
        what = boxes[0].detail[0].name if boxes[0].kind == "black box" else "encode"
        _checks.fail("a loop", "consist of gates, flip-flops and machines", what)
    return _compiled(outside, wiring, [wiring.wires(net) for net in _of(loop)], flat=flat)


def _of(loop: Loop) -> list[Net]:
    return [Net(loop, i, net.shape) for i, net in enumerate(loop.results)]


def _compiled(
    outside: list[Net], wiring: Wiring, results: Iterable[NDArray[np.int64]], *, flat: bool
) -> _Program:
    inputs = [part.results[0] for part in wiring.parts if part.kind == "outside"]
    number = {wire: i for i, wire in enumerate(inputs)}

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
    )


def _run_loop(
    loop: Loop, program: _Program, n_batch: int, streams: tuple[Bitstream, ...]
) -> tuple[Bitstream, ...]:
    if not streams:
        _checks.fail("a loop", "use at least one other stream", "none")
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
