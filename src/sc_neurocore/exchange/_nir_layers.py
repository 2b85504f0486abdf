"""Conversion of NIR nodes to layers: nodes between neurons become weights and delays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from typing import Any, Literal, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
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

Reals = NDArray[np.float64]
Shape = tuple[int, ...]
Delay = int | NDArray[np.int64]
Source = int | slice

Status = Literal["faithful", "approximate", "unsupported", "unchecked"]
STATUS: tuple[Status, ...] = get_args(Status)

# Fields of linear nodes; those of neurons are in FIELDS.
_LINEAR_FIELDS: dict[str, tuple[str, ...]] = {
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "Scale": ("scale",),
    "Conv2d": ("input_shape", "weight", "stride", "padding", "dilation", "groups", "bias"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": ("start_dim", "end_dim"),
    "Delay": ("delay",),
    "Input": (),
    "Output": (),
}
_COMMON_FIELDS = ("input_type", "output_type", "metadata")

# Maximum number of values of a signal.
_LARGEST = 2**27

_TOO_LARGE = "not a single convolution, and too large for a matrix"

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
class _Term:
    """Spikes of a layer, or a slice of the inputs, after a delay and then a map."""

    source: Source
    map: Map | None = None
    delay: Delay = 0


@dataclass(frozen=True, eq=False)
class _Signal:
    """Signal at a node: the sum of its terms."""

    shape: Shape
    terms: tuple[_Term, ...]

    def through(self, new: Map, shape: Shape) -> _Signal:
        """Return the signal after another map, in a new shape."""
        first, *others = self.terms
        terms = [_after(new, first)]
        if others:
            unbiased = replace(new, bias=None)
            terms += (_after(unbiased, term) for term in others)
        return _Signal(shape, tuple(terms))

    def whole(self, term: _Term) -> Map:
        """Return the map of a term, or the identity if it has none."""
        return _affine.identity(self.shape) if term.map is None else term.map

    def bare(self) -> _Signal:
        """Return a signal of this shape, for the checks of nodes after one that is unsupported."""
        return _Signal(self.shape, (_Term(self.terms[0].source),))


def _after(new: Map, term: _Term) -> _Term:
    return replace(term, map=new if term.map is None else _affine.after(new, term.map))


@dataclass(frozen=True, eq=False)
class _Passed:
    """Signal after a node, reason for its row, and whether the node is represented exactly."""

    signal: _Signal
    why: str = ""
    exact: bool = True


@dataclass(frozen=True, eq=False)
class _Node:
    """A node with its name, first source, time step and layer number, for checks and messages.

    `layers` names the layers that a node between neurons belongs to.
    """

    name: str
    kind: str
    node: Any
    source: str
    dt: float
    number: int
    layers: str
    share_gain: bool

    def misfit(self, given: Shape, taken: tuple[object, ...]) -> NoReturn:
        """Raise ValueError: the source has one shape, and this node requires another."""
        remedy = ""
        if len(given) == len(taken) + 1:
            remedy = "leave out the batch axis, which shapes in NIR do not have"
        edge = f"edge {self.source!r} -> {self.name!r}"
        _checks.fail(edge, "join equal shapes", f"{given} and {taken}", remedy)

    def array(self, field: str, ndims: range = range(5)) -> Reals:
        """Return a field as finite numbers with a number of axes in `ndims`."""
        return _checks.array(f"{self.name}.{field}", plain(getattr(self.node, field)), ndims)

    def each(self, field: str, shape: Shape) -> Reals:
        """Return the values of a field for each element of a shape, flattened."""
        values = self.array(field)
        if values.size == 1:
            values = values.reshape((1,) * len(shape))
        matches = values.ndim == len(shape) and all(
            n in (1, size) for n, size in zip(values.shape, shape, strict=True)
        )
        if not matches:
            self.misfit(shape, values.shape)
        return np.broadcast_to(values, shape).ravel()

    def pair(self, field: str) -> tuple[int, int]:
        """Return a field of one or two integers as rows and columns."""
        values = self.array(field)
        if values.size not in (1, 2) or (values != np.rint(values)).any() or (values < 0).any():
            _checks.fail(f"{self.name}.{field}", "be one or two integers of 0 or more", values.tolist())
        rows, columns = np.broadcast_to(values.ravel(), 2).astype(int).tolist()
        return rows, columns


def layers_of(
    parts: Ordered, steps: Mapping[str, float], *, share_gain: bool
) -> tuple[list[Row], Built]:
    """Return a row for each node, and the layers, which are complete if no row is unsupported.

    `steps` maps the name of each node to its time step in ms.
    """
    inputs = _inputs(parts)
    signals: dict[str, _Signal | None] = {}
    awaited: dict[str, _Signal] = {}  # signals of neurons that feed back to earlier ones
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
        at = _Node(
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
            signal = _Signal(signal.shape, (_Term(at.number),))
        if misplaced := _misplaced(name, kind, parts):
            status, why = "unsupported", misplaced
        signals[name] = signal
        rows.append(Row(name, kind, status, _joined(why, unread(node))))
    return rows, built


def _inputs(parts: Ordered) -> dict[str, _Signal]:
    """Return the signals of the input nodes: slices of the inputs, in the order of their names."""
    signals: dict[str, _Signal] = {}
    first = 0
    for name, node in sorted(parts.nodes.items()):
        if kind_of(node) == "Input" and not _unknown("Input", node):
            shape = _shape(f"{name}.input_type", node.input_type["input"])
            last = first + math.prod(shape)
            signals[name] = _Signal(shape, (_Term(slice(first, last)),))
            first = last
    return signals


def _awaited(at: _Node, parts: Ordered) -> _Signal:
    """Return the signal of a neuron that runs later, in the shape of its fields or next weights."""
    shapes = [at.array(name).shape or (1,) for name in FIELDS[kind_of(at.node)]]
    shape = max(shapes, key=math.prod)
    behind = [parts.nodes[target] for target in parts.targets[at.name]]
    sizes = [np.shape(plain(x.weight))[-1:] for x in behind if kind_of(x) in ("Linear", "Affine")]
    if math.prod(shape) == 1 and sizes:
        shape = sizes[0]
    return _Signal(shape, (_Term(parts.numbers[at.name]),))


def _summed(at: _Node, sources: Sequence[str], signals: Sequence[_Signal]) -> _Signal:
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
                raise UnsupportedError(_TOO_LARGE) from None
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
    known = (*_COMMON_FIELDS, *FIELDS.get(kind, ()), *_LINEAR_FIELDS.get(kind, ()))
    fields = [name for name, value in vars(node).items() if name not in known and value is not None]
    if not fields or (kind not in FIELDS and kind not in _LINEAR_FIELDS):
        return ""
    return f"a {kind} of NIR has no field {', '.join(map(repr, fields))}"


def _passed(at: _Node, signal: _Signal, parts: Ordered, built: Built) -> _Passed:
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
        shape = signal.shape if declared is None else _shape(f"{at.name}.output_type", declared)
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
        return _Passed(replace(signal, shape=_flattened(at, signal.shape)))
    return _Passed(_mapped(at, signal), f"weights of {at.layers}")


def _mapped(at: _Node, signal: _Signal) -> _Signal:
    """Return the signal after a linear node."""
    maps = {
        "Affine": _matrix,
        "Linear": _matrix,
        "Scale": _scale,
        "Conv2d": _convolution,
        "SumPool2d": _pool,
        "AvgPool2d": _pool,
    }
    if at.kind not in maps:
        raise UnsupportedError(
            f"not one of the supported kinds {', '.join((*FIELDS, *_LINEAR_FIELDS))}"
        )
    try:
        return maps[at.kind](at, signal)
    except _affine.TooLargeError:
        raise UnsupportedError(_TOO_LARGE) from None


def _matrix(at: _Node, signal: _Signal) -> _Signal:
    weights = at.array("weight", range(2, 9))
    if weights.ndim != 2:
        raise UnsupportedError(f"weights have {weights.ndim} axes, not 2")
    if signal.shape != (weights.shape[1],):
        at.misfit(signal.shape, (weights.shape[1],))
    bias = None
    if at.kind == "Affine":
        bias = at.array("bias")
        if bias.shape != (len(weights),):
            _checks.fail(f"{at.name}.bias", f"have shape ({len(weights)},)", bias.shape)
    return signal.through(Matrix(weights, bias), (len(weights),))


def _scale(at: _Node, signal: _Signal) -> _Signal:
    scale = at.each("scale", signal.shape)
    terms = (replace(x, map=_affine.scaled(signal.whole(x), scale)) for x in signal.terms)
    return replace(signal, terms=tuple(terms))


def _convolution(at: _Node, signal: _Signal) -> _Signal:
    node = at.node
    weights = at.array("weight", range(4, 5))
    groups = _checks.integer(f"{at.name}.groups", node.groups, 1)
    if len(weights) % groups:
        _checks.fail(f"{at.name}.groups", f"divide the {len(weights)} output channels", groups)
    c_in = weights.shape[1] * groups
    given = (
        None
        if node.input_shape is None
        else (c_in, *_shape(f"{at.name}.input_shape", node.input_shape))
    )
    if len(signal.shape) != 3 or signal.shape[0] != c_in or given not in (None, signal.shape):
        at.misfit(signal.shape, given or (c_in, "rows", "columns"))
    weights = _affine.dilated(_affine.ungrouped(weights, groups), at.pair("dilation"))
    padding = node.padding
    if isinstance(padding, str) and padding == "same":
        # If kernel size - 1 is odd, "same" pads one more at the end. A leading row of zeros in the
        # kernel makes it even.
        odd = [(n - 1) % 2 for n in weights.shape[2:]]
        weights = np.pad(weights, ((0, 0), (0, 0), (odd[0], 0), (odd[1], 0)))
        pads = weights.shape[2] // 2, weights.shape[3] // 2
    else:
        if isinstance(padding, str) and padding != "valid":
            raise UnsupportedError(f"padding {padding!r} is neither 'same', 'valid' nor a number")
        pads = (0, 0) if isinstance(padding, str) else at.pair("padding")
    bias = None if node.bias is None else at.array("bias")
    if bias is not None and bias.shape != (len(weights),):
        _checks.fail(f"{at.name}.bias", f"have shape ({len(weights)},)", bias.shape)
    if bias is not None and not bias.any():
        bias = None  # NIR's convolutions always have one
    size = signal.shape[1], signal.shape[2]
    return _convolved(at, signal, Convolution(weights, size, at.pair("stride"), pads, bias))


def _pool(at: _Node, signal: _Signal) -> _Signal:
    if len(signal.shape) != 3:
        at.misfit(signal.shape, ("channels", "rows", "columns"))
    channels, *size = signal.shape
    kernel, stride, padding = (at.pair(field) for field in ("kernel_size", "stride", "padding"))
    weight = 1.0 / max(kernel[0] * kernel[1], 1) if at.kind == "AvgPool2d" else 1.0
    pooled = _affine.pool(channels, (size[0], size[1]), kernel, stride, padding, weight)
    return _convolved(at, signal, pooled)


def _convolved(at: _Node, signal: _Signal, new: Convolution) -> _Signal:
    if min(new.stride) < 1 or min(new.weights.shape[2:]) < 1:
        _checks.fail(at.name, "have a stride and a kernel of at least 1", f"stride {new.stride}")
    if min(new.output_size) < 1:
        taken = "x".join(map(str, new.weights.shape[2:]))
        _checks.fail(at.name, f"have a kernel that fits its input, {signal.shape}", taken)
    return signal.through(new, (len(new.weights), *new.output_size))


def _flattened(at: _Node, shape: Shape) -> Shape:
    first = _checks.integer(f"{at.name}.start_dim", at.node.start_dim, -len(shape))
    last = _checks.integer(f"{at.name}.end_dim", at.node.end_dim, -len(shape), len(shape) - 1)
    first, last = (end + len(shape) if end < 0 else end for end in (first, last))
    if first > last:
        return shape
    return *shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :]


def _delayed(at: _Node, signal: _Signal) -> _Passed:
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


def _layer(at: _Node, signal: _Signal, parts: Ordered) -> tuple[Layer, list[Source], Reading]:
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
    back = f"spikes of {_layers_named(set(late))} one step later" if late else ""
    return layer, sources, replace(reading, note=_joined(back, reading.note, note))


def _gathered(signal: _Signal, late: Sequence[int]) -> tuple[Map, Delay, list[Source]]:
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


def _recurrent(at: _Node, shape: Shape, loop: list[str], parts: Ordered) -> Matrix:
    """Return the recurrent weights of a neuron."""
    signal, before = _Signal(shape, (_Term(at.number),)), at.name
    for name in loop:
        node = parts.nodes[name]
        inner = replace(at, name=name, kind=kind_of(node), node=node, source=before)
        signal = _mapped(inner, signal)
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
    n = neuron.n_neurons
    if n is None or n == n_rows:
        return True
    positions = n // n_rows
    values = [getattr(neuron, field.name) for field in fields_of(neuron)]
    rows = [value.reshape(-1, positions) for value in values if isinstance(value, np.ndarray)]
    return all(bool((row == row[:, :1]).all()) for row in rows)


def _neuron_of_rows(neuron: LIF, n_rows: int) -> LIF:
    """Return the neuron with one parameter for each row of weights, where positions share them."""
    n = neuron.n_neurons
    if n is None or n == n_rows:
        return neuron
    arrays: dict[str, Any] = {field.name: getattr(neuron, field.name) for field in fields_of(neuron)}
    step = n // n_rows
    of_rows: dict[str, Any] = {k: v[::step] for k, v in arrays.items() if isinstance(v, np.ndarray)}
    return replace(neuron, **of_rows)


def _shape(name: str, given: Any) -> Shape:
    """Return the shape that a node declares; bounded, so that no node makes huge arrays."""
    values = _checks.array(name, plain(given), range(3)).ravel().tolist()
    shape = tuple(int(n) for n in values if n == int(n) and n >= 1)
    if len(shape) != len(values) or math.prod(shape) > _LARGEST:
        contract = f"hold integers of 1 or more with a product of at most {_LARGEST}"
        _checks.fail(name, contract, values)
    return shape
