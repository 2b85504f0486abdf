"""Values that operators compute from operands with the correlation that they require."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.circuits import _nets
from sc_neurocore.circuits._laws import LONG_RUN, Laws, Leaf
from sc_neurocore.circuits._nets import Call, Constant, Input, Loop, Net, Origin, calls_in_order
from sc_neurocore.circuits._wires import wired
from sc_neurocore.operators import (
    _digits,
    adders,
    attention,
    counting,
    decorrelation,
    gates,
    machines,
    products,
    selection,
    temporal,
)
from sc_neurocore.operators.bernstein import bernstein
from sc_neurocore.operators.machines import linear_distribution
from sc_neurocore.streams import encode, stack

__all__ = ["ideal_values"]

Floats = NDArray[np.float64]


def _ratio(p: Floats, q: Floats) -> Floats:
    return np.asarray(np.divide(p, q, out=np.zeros(np.broadcast_shapes(p.shape, q.shape)), where=q > 0))


def _stanh(x: Floats, n_states: int) -> Floats:
    return np.asarray(linear_distribution(x, n_states)[..., n_states // 2 :].sum(axis=-1))


def _sexp(x: Floats, n_states: int, gain: int) -> Floats:
    return np.asarray(linear_distribution(x, n_states)[..., : n_states - gain].sum(axis=-1))


def _scaled_add(x: Floats, *, key: int, weights: Any = None, source: Any = None) -> Floats:
    return np.asarray(x.mean(axis=-1) if weights is None else x @ np.asarray(weights, np.float64))


def _attention(q: Floats, k: Floats, v: Floats, **_: Any) -> Floats:
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1]
    return np.asarray(scores @ v / v.shape[-2])


def _bernstein(x: Any, coefficients: Any, *, key: Any = None, source: Any = None) -> Floats:
    variables = x if isinstance(x, tuple) else (x,)
    b = np.asarray(coefficients, np.float64)
    for i in reversed(range(len(variables))):  # the last axis first
        for j in range(variables[i].shape[-1]):
            p = variables[i][..., j].reshape(*variables[i].shape[:-1], *(1,) * (i + 1))
            b = p * b[..., 1:] + (1 - p) * b[..., :-1]
        b = b[..., 0]
    return np.asarray(b)


def _bipolar_quotient(p: Floats, q: Floats) -> Floats:
    magnitude = np.minimum(_ratio(np.abs(2 * p - 1), np.abs(2 * q - 1)), 1)
    return np.asarray((1 + np.sign((2 * p - 1) * (2 * q - 1)) * magnitude) / 2)


def _rectified(plus: Floats, minus: Any = None, *, depth: int) -> Floats:
    return np.asarray(np.maximum(2 * plus - 1 if minus is None else plus - minus, 0.0))


def _counts(x: Floats) -> Floats:
    """Return the probabilities of 0 to n ones among independent inputs."""
    ways = np.ones((*x.shape[:-1], 1))
    for i in range(x.shape[-1]):
        none, one = np.zeros((2, *ways.shape[:-1], i + 2))
        none[..., :-1], one[..., 1:] = ways * (1 - x[..., i, None]), ways * x[..., i, None]
        ways = none + one
    return ways


def _greater(p: Floats, q: Floats, depth: int) -> Floats:
    up, down = p * (1 - q), (1 - p) * q
    moves = up + down > 0
    lead = linear_distribution(np.where(moves, _ratio(up, up + down), 0.0), 2 * depth + 1)
    return np.where(moves, lead[..., depth + 1 :].sum(axis=-1), 0.0)


def _btanh(x: Floats, n_states: int) -> Floats:
    found = [_saturating(ways, n_states) for ways in _counts(x).reshape(-1, x.shape[-1] + 1)]
    return np.array(found).reshape(x.shape[:-1])


def _saturating(ways: Floats, n_states: int) -> float:
    """Return the probability of the upper half of the counter of `btanh`, in the limit of time."""
    n = len(ways) - 1
    state = np.arange(n_states)
    step = np.zeros((n_states, n_states))
    for count, probability in enumerate(ways):
        step[state, np.clip(state + 2 * count - n, 0, n_states - 1)] += probability
    # The mean over two steps, because counts of one kind can alternate; the limit from the middle.
    settled = np.zeros(n_states)
    settled[n_states // 2] = 1.0
    step = (step + np.eye(n_states)) / 2
    for _ in range(40):
        step = step @ step
        step /= step.sum(axis=1, keepdims=True)
    return float((settled @ step)[n_states // 2 :].sum())


def _umul(p: Floats, q: Floats, *, bipolar: bool = False, **_: Any) -> Floats:
    return np.asarray(1 - p - q + 2 * p * q if bipolar else p * q)


def _uadd(x: Floats, scale: Any = None, *, bipolar: bool = False, depth: Any = None) -> Floats:
    n = x.shape[-1]
    s = n if scale is None else scale
    return np.asarray(np.clip((x.sum(axis=-1) - (n - s) / 2 * bipolar) / s, 0.0, 1.0))


def _encode(p: Any, length: Any, *, streams: Any = None, **_: Any) -> Floats:
    p = np.clip(np.asarray(p, np.float64), 0.0, 1.0)
    return np.asarray(p if streams is None else np.broadcast_arrays(p, streams)[0])


def _unchanged(x: Floats, *_: Any, **__: Any) -> Floats:
    return x


_OPERATORS: list[tuple[Any, Callable[..., Any]]] = [
    (gates.multiply, lambda p, q: p * q),
    (gates.minimum, lambda p, q, depth=None: np.minimum(p, q)),
    (gates.maximum, lambda p, q, depth=None: np.maximum(p, q)),
    (selection.multiplex, lambda s, p, q: s * p + (1 - s) * q),
    (selection.greater, _greater),
    (selection.max_pool, lambda x, depth: x.max(axis=-1)),
    (counting.btanh, _btanh),
    (gates.absolute_difference, lambda p, q: np.abs(p - q)),
    (gates.saturating_subtract, lambda p, q: np.maximum(p - q, 0)),
    (gates.saturating_add, lambda p, q: np.minimum(p + q, 1)),
    (gates.scaled_add, _scaled_add),
    (temporal.first_arrival, np.maximum),
    (temporal.last_arrival, np.minimum),
    (temporal.inhibit, lambda p, q: np.where(p >= q, p, 0.0)),
    (attention.spiking_attention, _attention),
    (adders.toggle_add, lambda x: x.mean(axis=-1)),
    (adders.buffered_add, lambda p, q, depth: np.minimum(p + q, 1) if depth else p + q - p * q),
    (machines.cordiv, lambda p, q: np.minimum(_ratio(p, q), 1)),
    (machines.jk_flip_flop, lambda j, k: _ratio(j, j + k)),
    (machines.stanh, _stanh),
    (machines.sexp, _sexp),
    (products.umul, _umul),
    (products.jk_sqrt, lambda x, depth=8, **_: np.sqrt(x)),
    (products.square, lambda p, *, bipolar=False: 1 - 2 * p + 2 * p * p if bipolar else p * p),
    (adders.uadd, _uadd),
    (adders.majority, lambda x: _counts(x)[..., x.shape[-1] // 2 + 1 :].sum(axis=-1)),
    (machines.addie, lambda x, n_bits, *, key: (x, None)),
    (machines.gaines_divide, lambda p, q, n_bits, *, key: (np.minimum(_ratio(p, q), 1), None)),
    (machines.gaines_sqrt, lambda x, n_bits, *, key: (np.sqrt(x), None)),
    (machines.ema, lambda x, n_bits: None),
    (gates.popcount_add, lambda x: None),
    (bernstein, _bernstein),
    (decorrelation.synchronize, lambda p, q, depth, **_: tuple(np.broadcast_arrays(p, q))),
    (decorrelation.desynchronize, lambda p, q, depth: tuple(np.broadcast_arrays(p, q))),
    (decorrelation.decorrelate, _unchanged),
    (decorrelation.isolate, _unchanged),
    (decorrelation.regenerate, _unchanged),
    (_digits.bipolar_product, lambda p, q: 1 - p - q + 2 * p * q),
    (_digits.bipolar_sum, lambda p, q: np.clip(p + q - 0.5, 0.0, 1.0)),
    (_digits.rectified, _rectified),
    (_digits.quotient, lambda p, q: np.minimum(_ratio(p, q), 1)),
    (_digits.bipolar_quotient, _bipolar_quotient),
    (_digits.halved, lambda p: p / 2 + 0.25),
    (encode, _encode),
]
OPERATORS = {function.__wrapped__: value for function, value in _OPERATORS}
WIRING: dict[Any, Callable[..., Any]] = {
    stack: lambda nets: np.stack(np.broadcast_arrays(*nets), axis=-1),
    _nets._item: lambda x, key: x[key],
    _nets._reshaped: lambda x, n_axes, shape: x.reshape(shape),
}


def ideal_values(
    nets: Sequence[Net],
    values: Mapping[str, Floats],
    generators: Mapping[tuple[Origin, tuple[int, ...]], tuple[int, bool]],
) -> list[Floats]:
    """Return the values of nets, given those of the inputs and the generators of their wires.

    Gates, machines and loops that are part of no operator have the mean of a long stream, when the nets
    that they combine are independent of each other.
    """
    order = calls_in_order(nets)
    known = [origin for origin in order if isinstance(origin, Input | Constant) or _has_law(origin)]
    known_set = set(known)
    outside = [net for origin in known if not _is_wiring(origin) for net in _streams(origin, values)]
    others = [net for origin in order if origin not in known_set for net in _streams(origin, values)]
    wiring = wired(others, outside)
    leaves: dict[int, Leaf] = {}
    for net in outside:
        for index in np.ndindex(net.shape):
            own = generators.get((net.origin, index), ((net.origin, net.place, index), False))
            leaves[int(wiring.wires(net)[index])] = Leaf(0.5, *own)
    laws = Laws(wiring.parts, leaves, LONG_RUN)  # it reads the leaves when it needs them
    found: dict[Origin, tuple[Any, ...]] = {}

    def value(net: Any) -> Any:
        return found[net.origin][net.place] if isinstance(net, Net) else net

    for origin in order:
        if origin not in known_set:
            results = {
                net.place: np.array([laws.mean(int(w)) for w in wiring.wires(net).flat])
                for net in _streams(origin, values)
            }
            shapes = {net.place: net.shape for net in _streams(origin, values)}
            found[origin] = tuple(
                results[i].reshape(shapes[i]) if i in results else None
                for i in range(1 + max(results, default=0))
            )
            continue
        if isinstance(origin, Input):
            found[origin] = (values[origin.name],)
        elif isinstance(origin, Constant):
            found[origin] = (origin.stream.probability(),)
        else:
            assert isinstance(origin, Call)
            law = OPERATORS.get(origin.function) or WIRING[origin.function]
            args = [_nets.replaced(arg, value) for arg in origin.args]
            kwargs = {k: _nets.replaced(arg, value) for k, arg in origin.kwargs.items()}
            result = law(*args, **kwargs)
            found[origin] = result if origin.many else (result,)
        for net in () if _is_wiring(origin) else _streams(origin, values):
            for wire, p in zip(wiring.wires(net).flat, np.asarray(value(net)).flat, strict=True):
                leaves[int(wire)] = leaves[int(wire)]._replace(p=min(max(float(p), 0.0), 1.0))
    return [np.asarray(value(net)) for net in nets]


def is_composed(call: Call) -> bool:
    """Return whether a call is that of an operator or of wiring: no gate and no machine."""
    return call.function in OPERATORS or call.function in WIRING


def _has_law(origin: Origin) -> bool:
    """Return whether the value of an origin follows from those of its operands."""
    return isinstance(origin, Call) and (origin.function in OPERATORS or origin.function in WIRING)


def _is_wiring(origin: Origin) -> bool:
    return isinstance(origin, Call) and origin.function in WIRING


def _streams(origin: Origin, values: Mapping[str, Floats]) -> list[Net]:
    """Return the nets of an origin that are streams."""
    if isinstance(origin, Input):
        return [Net(origin, 0, np.shape(values[origin.name]))]
    if isinstance(origin, Constant):
        return [Net(origin, 0, origin.stream.shape)]
    if isinstance(origin, Loop):
        return [Net(origin, i, net.shape) for i, net in enumerate(origin.results)]
    assert isinstance(origin, Call)
    return [Net(origin, i, shape) for i, (shape, s) in enumerate(origin.results) if s]
