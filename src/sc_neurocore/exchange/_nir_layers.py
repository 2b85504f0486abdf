"""Conversion of NIR nodes to layers: nodes between neurons become weights and delays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from sc_neurocore.exchange import _affine
from sc_neurocore.exchange._affine import Convolution, Map, Matrix
from sc_neurocore.exchange._layers import layer_of, peaks_of
from sc_neurocore.exchange._nir_graph import Ordered, kind_of
from sc_neurocore.exchange._nir_neurons import (
    FIELDS,
    READOUTS,
    Reading,
    UnsupportedError,
    delay_remark,
    read,
    recalled,
    unread,
)
from sc_neurocore.exchange._nir_signals import (
    LINEAR_FIELDS,
    TOO_LARGE,
    Delay,
    Node,
    Reals,
    Shape,
    Signal,
    Source,
    Term,
    flattened,
    mapped,
    shape_of,
)
from sc_neurocore.exchange._tensors import plain
from sc_neurocore.networks import (
    Dense,
)
from sc_neurocore.networks.layers import (
    Layer,
)
from sc_neurocore.neurons import (
    LIF,
)
from sc_neurocore.neurons.lif import arrays_of

Status = Literal["faithful", "approximate", "unsupported", "unchecked"]
STATUS: tuple[Status, ...] = get_args(Status)

_COMMON_FIELDS = ("input_type", "output_type", "metadata")

# Maximum number of terms of a signal: with delays, a small graph can have a huge number of paths.
_MOST_TERMS = 1024

# Relative tolerance within which a delay counts as an integer number of steps.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Row:
    """Result for one node: its name, its kind, its status and the reason for the status."""

    node: str
    kind: str
    status: Status
    why: str


@dataclass(frozen=True, eq=False)
class Built:
    """Layers, the sources of each, and by the name of each output node the number of its layer."""

    layers: list[Layer] = field(default_factory=list)
    connections: list[list[Source]] = field(default_factory=list)
    outputs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Passed:
    """Signal after a node, reason for its row, and whether the node is represented exactly."""

    signal: Signal
    why: str = ""
    exact: bool = True


def layers_of(
    parts: Ordered, steps: Mapping[str, float], *, share_gain: bool
) -> tuple[list[Row], Built]:
    """Return a row for each node, and the layers, which are complete if no row is unsupported.

    `steps` maps the name of each node to its time step in ms.
    """
    inputs = _inputs(parts)
    signals: dict[str, Signal | None] = {}
    awaited: dict[str, Signal] = {}  # signals of neurons that feed back to earlier ones
    blocked: dict[str, str] = {}  # the unsupported node before each node that cannot be checked
    number = 0
    rows: list[Row] = []
    built = Built()
    for name, node in parts.nodes.items():
        kind, status = kind_of(node), STATUS[0]
        if name in parts.within:
            why = _unknown(kind, node)
            status = "unsupported" if why else status
            why = why or f"recurrent weights of {parts.within[name]}"
            rows.append(Row(name, kind, status, _joined(why, unread(node))))
            continue
        sources = parts.sources[name]
        layers = _layers_named([parts.numbers[x] for x in parts.reached.get(name, ())] or [number])
        at = Node(
            name, kind, node, sources[0] if sources else "", steps[name], number, layers, share_gain
        )
        number += kind in FIELDS
        for source in sources:
            if source not in signals and source in parts.numbers and source not in awaited:
                awaited[source] = _awaited(replace(at, name=source, node=parts.nodes[source]), parts)
        given = [signals[x] if x in signals else awaited.get(x) for x in sources]
        signal = given[0] if given else None
        try:
            if unknown := _unknown(kind, node):
                raise UnsupportedError(unknown)
            if kind == "Input":
                signal, why = inputs[name], ""
            elif None in given or signal is None:
                signal = None
                unread_ = sources[given.index(None)] if sources else ""
                blocked[name] = blocked.get(unread_, unread_)
                status, why = "unchecked", f"after {blocked[name]}, which is unsupported"
            else:
                signal = _summed(at, sources, [x for x in given if x is not None])
                if name in awaited and awaited[name].shape != signal.shape:
                    shapes = f"{awaited[name].shape}, not {signal.shape}"
                    raise UnsupportedError(f"in feedback, and its fields have shape {shapes}")
                passed = _passed(at, signal, parts, built)
                signal, why = passed.signal, passed.why
                status = status if passed.exact else "approximate"
        except UnsupportedError as error:
            status, why = "unsupported", str(error)
            keeps = signal is not None and kind in (*FIELDS, "Delay", "Scale")
            signal = signal.bare() if signal is not None and keeps else None
        if signal is not None and kind in FIELDS:
            signal = Signal(signal.shape, (Term(at.number),))
        if misplaced := _misplaced(name, kind, parts):
            status, why = "unsupported", misplaced
        signals[name] = signal
        rows.append(Row(name, kind, status, _joined(why, unread(node))))
    return rows, built


def _inputs(parts: Ordered) -> dict[str, Signal]:
    """Return the signals of the input nodes: slices of the inputs, in the order of their names."""
    signals: dict[str, Signal] = {}
    first = 0
    for name, node in sorted(parts.nodes.items()):
        if kind_of(node) == "Input" and not _unknown("Input", node):
            shape = shape_of(f"{name}.input_type", node.input_type["input"])
            last = first + math.prod(shape)
            signals[name] = Signal(shape, (Term(slice(first, last)),))
            first = last
    return signals


def _awaited(at: Node, parts: Ordered) -> Signal:
    """Return the signal of a neuron that runs later, in the shape of its fields or next weights."""
    shapes = [at.array(name).shape or (1,) for name in FIELDS[kind_of(at.node)]]
    shape = max(shapes, key=math.prod)
    behind = [parts.nodes[target] for target in parts.targets[at.name]]
    sizes = [np.shape(plain(x.weight))[-1:] for x in behind if kind_of(x) in ("Linear", "Affine")]
    if math.prod(shape) == 1 and sizes:
        shape = sizes[0]
    return Signal(shape, (Term(parts.numbers[at.name]),))


def _summed(at: Node, sources: Sequence[str], signals: Sequence[Signal]) -> Signal:
    """Return the sum of the signals of several sources."""
    total = signals[0]
    for source, signal in zip(sources[1:], signals[1:], strict=True):
        if signal.shape != total.shape:
            replace(at, source=source).misfit(signal.shape, total.shape)
        terms = list(total.terms)
        for term in signal.terms:
            same = [
                i
                for i, other in enumerate(terms)
                if other.source == term.source and np.array_equal(other.delay, term.delay)
            ]
            if not same:
                terms.append(term)
                continue
            (i,) = same
            try:
                both = _affine.added(total.whole(terms[i]), total.whole(term))
            except _affine.TooLargeError:
                raise UnsupportedError(TOO_LARGE) from None
            terms[i] = replace(term, map=both)
        if len(terms) > _MOST_TERMS:
            raise UnsupportedError(f"a sum of more than {_MOST_TERMS} signals")
        total = replace(total, terms=tuple(terms))
    return total


def _layers_named(numbers: Iterable[int]) -> str:
    *others, last = map(str, sorted(numbers))
    return f"layers {', '.join(others)} and {last}" if others else f"layer {last}"


def _joined(*remarks: str) -> str:
    return "; ".join(filter(None, remarks))


def _misplaced(name: str, kind: str, parts: Ordered) -> str:
    """Return the reason why a node does not fit into the graph, or an empty string if it fits."""
    sources, targets = parts.sources[name], parts.targets[name]
    if not sources and kind != "Input":
        return "fed by no node"
    if sources and kind == "Input":
        return f"an input, but fed by {', '.join(sources)}"
    if targets and kind == "Output":
        return f"an output, but feeds {', '.join(targets)}"
    return "" if targets or kind == "Output" else "feeds no node"


def _unknown(kind: str, node: Any) -> str:
    """Return the reason if a node has fields that NIR does not define, else an empty string."""
    known = (*_COMMON_FIELDS, *FIELDS.get(kind, ()), *LINEAR_FIELDS.get(kind, ()))
    fields = [name for name, value in vars(node).items() if name not in known and value is not None]
    if not fields or (kind not in FIELDS and kind not in LINEAR_FIELDS):
        return ""
    return f"a {kind} of NIR has no field {', '.join(map(repr, fields))}"


def _passed(at: Node, signal: Signal, parts: Ordered, built: Built) -> _Passed:
    """Return the result of a node, and append its layer if it is a neuron."""
    number = at.number
    if at.kind in FIELDS:
        layer, sources, reading = _layer(at, signal, parts)
        built.layers.append(layer)
        built.connections.append(sources)
        is_expanded = len(signal.shape) == 3 and isinstance(layer, Dense)
        expanded = "convolution expanded to a matrix" if is_expanded else ""
        why = _joined(f"layer {number}", reading.note, reading.approximation, expanded)
        return _Passed(signal, why, not reading.approximation)
    if at.kind == "Delay":
        return _delayed(at, signal)
    if at.kind == "Output":
        declared = at.node.output_type["output"]
        shape = signal.shape if declared is None else shape_of(f"{at.name}.output_type", declared)
        if shape != signal.shape:
            at.misfit(signal.shape, shape)
        first, *others = signal.terms
        if others:
            raise UnsupportedError("the output is a sum of several nodes; give each its own output")
        if first.map is not None or np.any(first.delay) or not isinstance(first.source, int):
            raise UnsupportedError("the output must follow neurons directly")
        built.outputs[at.name] = first.source
        return _Passed(signal)
    if at.kind == "Flatten":
        return _Passed(replace(signal, shape=flattened(at, signal.shape)))
    return _Passed(mapped(at, signal), f"weights of {at.layers}")


def _delayed(at: Node, signal: Signal) -> _Passed:
    exact_steps = at.each("delay", signal.shape) * (1000.0 / at.dt)
    if (exact_steps < 0).any():
        raise UnsupportedError("a delay is negative")
    steps = np.rint(exact_steps).astype(np.int64)
    more: Delay = int(steps[0]) if (steps == steps[0]).all() else steps
    for term in signal.terms:
        if term.map is not None and isinstance(more, np.ndarray):
            raise UnsupportedError(
                "delays after weights differ; only the delays of a layer's inputs can"
            )
        if term.map is not None and term.map.bias is not None:
            raise UnsupportedError("a delay after a bias")
    whole = np.allclose(steps, exact_steps, rtol=_ROUNDING, atol=_ROUNDING)
    why = f"delay of {at.layers}" + ("" if whole else ", rounded to integer steps")
    why = _joined(why, delay_remark(at.each("delay", signal.shape), at.dt))
    terms = tuple(replace(term, delay=term.delay + more) for term in signal.terms)
    return _Passed(replace(signal, terms=terms), why, whole)


def _layer(at: Node, signal: Signal, parts: Ordered) -> tuple[Layer, list[Source], Reading]:
    """Return the layer of a neuron, its sources, and how the neuron was read."""
    loop = parts.loops.get(at.name)
    if at.kind in READOUTS:
        behind = [
            target for target in parts.targets[at.name] if kind_of(parts.nodes[target]) != "Output"
        ]
        if behind or loop is not None:
            raise UnsupportedError("a readout, whose potentials can only go to the output")
    fields = {field: at.each(field, signal.shape) for field in FIELDS[at.kind]}
    reading = read(at.kind, fields, at.dt, recalled(at.node))
    try:
        late = [
            x.source
            for x in signal.terms
            if isinstance(x.source, int) and (x.source, at.number) in parts.feedback
        ]
        whole, delay, sources = _gathered(signal, late)
        recurrent = None
        if loop is not None:
            own = _recurrent(at, signal.shape, loop, parts)
            whole = _affine.as_matrix(whole)
            if own.bias is not None and own.bias.any():
                whole = _affine.scaled(whole, np.ones(len(own.bias)), own.bias)
            recurrent = own.weights * reading.factor[:, np.newaxis]
        whole = _affine.scaled(whole, reading.factor, reading.plus)
        if isinstance(whole, Convolution):
            by_rows = _by_rows(reading.neuron, len(whole.weights))
            whole = whole if whole.is_square and by_rows else _affine.as_matrix(whole)
    except _affine.TooLargeError:
        raise UnsupportedError("its weights are not a convolution, and too many for a matrix") from None
    layer, note = _weighted(
        whole, recurrent, delay, reading, share_gain=at.share_gain
    )  # fmt: skip
    if not reading.sampled:
        if recurrent is not None or np.any(delay) or any(isinstance(x, int) for x in sources):
            note = _joined(note, "it receives spikes or a past, so it is sampled")
        else:
            layer = replace(layer, sampled=False)
    back = f"spikes of {_layers_named(set(late))} one step later" if late else ""
    return layer, sources, replace(reading, note=_joined(back, reading.note, note))


def _gathered(signal: Signal, late: Sequence[int]) -> tuple[Map, Delay, list[Source]]:
    """Return the map of a layer, and the delay and the sources of its inputs."""
    delays = [x.delay + (x.source in late) for x in signal.terms]
    if len(signal.terms) == 1:
        return signal.whole(signal.terms[0]), delays[0], [signal.terms[0].source]
    maps = [signal.whole(x) for x in signal.terms]
    sizes = [
        a.weights.shape[1] * (math.prod(a.size) if isinstance(a, Convolution) else 1) for a in maps
    ]
    each = np.concatenate([np.broadcast_to(d, n) for d, n in zip(delays, sizes, strict=True)])
    sources: list[Source] = []
    for x in signal.terms:
        last, source = sources[-1] if sources else None, x.source
        if isinstance(last, slice) and isinstance(source, slice) and last.stop == source.start:
            sources[-1] = slice(last.start, source.stop)
        else:
            sources.append(source)
    delay: Delay = int(each[0]) if (each == each[0]).all() else each
    return _affine.beside(maps), delay, sources


def _recurrent(at: Node, shape: Shape, loop: list[str], parts: Ordered) -> Matrix:
    """Return the recurrent weights of a neuron."""
    signal, before = Signal(shape, (Term(at.number),)), at.name
    for name in loop:
        node = parts.nodes[name]
        inner = replace(at, name=name, kind=kind_of(node), node=node, source=before)
        signal = mapped(inner, signal)
        before = name
    if signal.shape != shape:
        replace(at, source=before).misfit(signal.shape, shape)
    return _affine.as_matrix(signal.whole(signal.terms[0]))


def _weighted(
    whole: Map, recurrent: Reals | None, delay: Delay, reading: Reading, *, share_gain: bool
) -> tuple[Layer, str]:
    """Return the layer, and a remark for the report if the gain of the metadata is in doubt."""
    peaks = peaks_of(whole, recurrent)
    gain, note = reading.gain, ""
    shown = f"their gain of {gain:.6g}" if isinstance(gain, float) else "their gains"
    if gain is None:
        gain = peaks.max() if share_gain else peaks
    elif (peaks > gain * (1.0 + 1e-9)).any() or _is_stale(reading, peaks):
        note = f"its metadata belong to other weights, so {shown} were not used"
        note = note.replace("were", "was") if isinstance(gain, float) else note
        gain = peaks.max() if share_gain else peaks
    elif reading.peak is None:
        note = f"its metadata do not say which weights {shown} belong to"
        note = note.replace("belong to", "belongs to") if isinstance(gain, float) else note
    neuron = _neuron_of_rows(reading.neuron, len(whole.weights))
    return layer_of(whole, gain, neuron, recurrent=recurrent, delay=delay), note


def _is_stale(reading: Reading, peaks: Reals) -> bool:
    """Return whether the weights differ from those that the gain of the metadata belongs to."""
    if reading.gain is None or reading.peak is None:
        return False
    if isinstance(reading.peak, float):
        peaks = peaks.max()
    expected = np.asarray(reading.peak * reading.gain)
    return expected.shape != peaks.shape or not np.allclose(peaks, expected, rtol=_ROUNDING, atol=0)


def _by_rows(neuron: LIF, n_rows: int) -> bool:
    """Return whether all positions of a row of weights have the same parameters."""
    if neuron.n_neurons in (None, n_rows):
        return True
    rows = [values.reshape(n_rows, -1) for values in arrays_of(neuron).values()]
    return all(bool((row == row[:, :1]).all()) for row in rows)


def _neuron_of_rows(neuron: LIF, n_rows: int) -> LIF:
    """Return the neuron with one parameter for each row of weights, where positions share them."""
    of_rows = {name: v[:: len(v) // n_rows] for name, v in arrays_of(neuron).items()}
    return replace(neuron, **of_rows)
