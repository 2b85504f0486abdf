"""Signals between the nodes of a NIR graph: a linear node is a map of its signal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.exchange import _affine
from sc_neurocore.exchange._affine import Convolution, Map, Matrix
from sc_neurocore.exchange._nir_neurons import FIELDS, UnsupportedError
from sc_neurocore.exchange._tensors import plain

Reals = NDArray[np.float64]
Shape = tuple[int, ...]
Delay = int | NDArray[np.int64]
Source = int | slice

# Fields of linear nodes; those of neurons are in FIELDS.
LINEAR_FIELDS: dict[str, tuple[str, ...]] = {
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

# Maximum number of values of a signal.
_LARGEST = 2**27

TOO_LARGE = "not a single convolution, and too large for a matrix"


@dataclass(frozen=True, eq=False)
class Term:
    """Spikes of a layer, or a slice of the inputs, after a delay and then a map."""

    source: Source
    map: Map | None = None
    delay: Delay = 0


@dataclass(frozen=True, eq=False)
class Signal:
    """Signal at a node: the sum of its terms."""

    shape: Shape
    terms: tuple[Term, ...]

    def through(self, new: Map, shape: Shape) -> Signal:
        """Return the signal after another map, in a new shape."""
        first, *others = self.terms
        terms = [_after(new, first)]
        if others:
            unbiased = replace(new, bias=None)
            terms += (_after(unbiased, term) for term in others)
        return Signal(shape, tuple(terms))

    def whole(self, term: Term) -> Map:
        """Return the map of a term, or the identity if it has none."""
        return _affine.identity(self.shape) if term.map is None else term.map

    def bare(self) -> Signal:
        """Return a signal of this shape, for the checks of nodes after one that is unsupported."""
        return Signal(self.shape, (Term(self.terms[0].source),))


def _after(new: Map, term: Term) -> Term:
    return replace(term, map=new if term.map is None else _affine.after(new, term.map))


@dataclass(frozen=True, eq=False)
class Node:
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


def mapped(at: Node, signal: Signal) -> Signal:
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
        raise UnsupportedError(f"not one of the supported kinds {', '.join((*FIELDS, *LINEAR_FIELDS))}")
    try:
        return maps[at.kind](at, signal)
    except _affine.TooLargeError:
        raise UnsupportedError(TOO_LARGE) from None


def _matrix(at: Node, signal: Signal) -> Signal:
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


def _scale(at: Node, signal: Signal) -> Signal:
    scale = at.each("scale", signal.shape)
    terms = (replace(x, map=_affine.scaled(signal.whole(x), scale)) for x in signal.terms)
    return replace(signal, terms=tuple(terms))


def _convolution(at: Node, signal: Signal) -> Signal:
    node = at.node
    weights = at.array("weight", range(4, 5))
    groups = _checks.integer(f"{at.name}.groups", node.groups, 1)
    if len(weights) % groups:
        _checks.fail(f"{at.name}.groups", f"divide the {len(weights)} output channels", groups)
    c_in = weights.shape[1] * groups
    given = (
        None
        if node.input_shape is None
        else (c_in, *shape_of(f"{at.name}.input_shape", node.input_shape))
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


def _pool(at: Node, signal: Signal) -> Signal:
    if len(signal.shape) != 3:
        at.misfit(signal.shape, ("channels", "rows", "columns"))
    channels, *size = signal.shape
    kernel, stride, padding = (at.pair(field) for field in ("kernel_size", "stride", "padding"))
    weight = 1.0 / max(kernel[0] * kernel[1], 1) if at.kind == "AvgPool2d" else 1.0
    pooled = _affine.pool(channels, (size[0], size[1]), kernel, stride, padding, weight)
    return _convolved(at, signal, pooled)


def _convolved(at: Node, signal: Signal, new: Convolution) -> Signal:
    if min(new.stride) < 1 or min(new.weights.shape[2:]) < 1:
        _checks.fail(at.name, "have a stride and a kernel of at least 1", f"stride {new.stride}")
    if min(new.output_size) < 1:
        taken = "x".join(map(str, new.weights.shape[2:]))
        _checks.fail(at.name, f"have a kernel that fits its input, {signal.shape}", taken)
    return signal.through(new, (len(new.weights), *new.output_size))


def flattened(at: Node, shape: Shape) -> Shape:
    first = _checks.integer(f"{at.name}.start_dim", at.node.start_dim, -len(shape))
    last = _checks.integer(f"{at.name}.end_dim", at.node.end_dim, -len(shape), len(shape) - 1)
    first, last = (end + len(shape) if end < 0 else end for end in (first, last))
    if first > last:
        return shape
    return *shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :]


def shape_of(name: str, given: Any) -> Shape:
    """Return the shape that a node declares; bounded, so that no node makes huge arrays."""
    values = _checks.array(name, plain(given), range(3)).ravel().tolist()
    shape = tuple(int(n) for n in values if n == int(n) and n >= 1)
    if len(shape) != len(values) or math.prod(shape) > _LARGEST:
        contract = f"hold integers of 1 or more with a product of at most {_LARGEST}"
        _checks.fail(name, contract, values)
    return shape
