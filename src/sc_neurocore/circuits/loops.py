"""Feedback: streams that depend on their own past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.circuits._nets import Held, Input, Loop, Net, as_nets, calls_in_order
from sc_neurocore.circuits._simulation import simulated
from sc_neurocore.streams import Bitstream

__all__ = ["feedback"]


@overload
def feedback(step: Callable[..., Bitstream], *, initial: int = 0) -> Bitstream: ...
@overload
def feedback(
    step: Callable[..., Sequence[Bitstream]], *, initial: Sequence[int]
) -> tuple[Bitstream, ...]: ...
def feedback(step: Callable[..., Any], *, initial: int | Sequence[int] = 0) -> Any:
    """Return streams that depend on their own bits at the step before.

    With ``z(-1) = initial`` and the operators and gates of `step`::

        z(t) = step(z(t - 1))

    Several streams are fed back if `initial` has several bits. `step` then accepts and returns as many.

    Parameters
    ----------
    step : callable
        Function of one or more streams, which can use any other streams. It is called once or twice
        with streams that have no bits, and describes one step with gates and operators. Operators
        that draw random numbers, such as `addie`, cannot be part of a loop.
    initial : int or sequence of int
        Bit of each stream before the first step, 0 or 1.

    Returns
    -------
    Bitstream, or tuple of Bitstream
        One stream for each bit of `initial`. In the description of a `Circuit`, they have no bits yet.

    Raises
    ------
    TypeError
        If `step` is not callable, or does not return streams.
    ValueError
        If `initial` holds other values than 0 and 1, or `step` returns another number of streams.

    Examples
    --------
    The divider CORDIV from a multiplexer and a flip-flop:

    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.circuits import feedback
    >>> from sc_neurocore.operators import cordiv
    >>> x, y = encode([0.2, 0.8], 65536, key=stream_key(1, Role.INPUT), streams=0)
    >>> z = feedback(lambda held: x & y | ~y & held)
    >>> z
    Bitstream(length=65536, p=0.25)
    >>> z == cordiv(x, y)
    True
    """
    if not callable(step):
        _checks.wrong_type("step", "be a function of streams", step)
    many = isinstance(initial, Sequence | np.ndarray)
    bits = [int(b) for b in _checks.bits("initial", initial if many else [initial])]
    if not bits:
        _checks.fail("initial", "hold at least one bit", "none")
    shapes: list[tuple[int, ...]] = [()] * len(bits)
    for _ in range(len(bits) + 2):
        held = tuple(_held(bit, shape) for bit, shape in zip(bits, shapes, strict=True))
        results = _results_of(step, held, many=many)
        found = [net.shape for net in results]
        if found == shapes:
            break
        shapes = found
    else:
        _checks.fail("step", "return streams of a fixed shape", shapes)
    closed = frozenset(net.origin for net in held)
    still_open = frozenset().union(*(net.open for net in results)) - closed
    loop = Loop(held, results)
    nets = tuple(Net(loop, i, net.shape, True, still_open) for i, net in enumerate(results))
    if not any(isinstance(o, Input) for o in calls_in_order(nets)) and not still_open:
        nets = tuple(simulated(nets, {}, 0))
    return nets if many else nets[0]


def _held(initial: int, shape: tuple[int, ...]) -> Net:
    origin = Held(initial, shape)
    return Net(origin, 0, shape, True, frozenset({origin}))


def _results_of(step: Callable[..., Any], held: tuple[Net, ...], *, many: bool) -> tuple[Net, ...]:
    returned = step(*held)
    results = tuple(returned) if many and isinstance(returned, list | tuple) else (returned,)
    for net in results:
        if not isinstance(net, Net | Bitstream) or (isinstance(net, Net) and not net.is_stream):
            _checks.wrong_type("step", "return streams", net)
    if len(results) != len(held):
        _checks.fail("step", f"return {len(held)} streams", len(results))
    return tuple(as_nets(net) for net in results)
