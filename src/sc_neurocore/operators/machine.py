"""Finite-state machines on bitstreams, given as tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import broadcast_rows, stacked_rows
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams._dispatch import on_streams

__all__ = ["Machine"]

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
_MOST_INPUTS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Machine:
    """A finite-state machine with up to eight input streams and one or two output streams.

    In state s the machine reads the bit a of x and, if it has more inputs, the bits b, c, ... of the
    others. It writes its output and then moves to the next state::

        z(t) = outputs[s, a]              s <- next_state[s, a]              one input
        z(t) = outputs[s, a, b]           s <- next_state[s, a, b]           two inputs
        z(t) = outputs[s, a, b, c, ...]   s <- next_state[s, a, b, c, ...]   more inputs

    Equation, variance and required correlation depend on the tables. If the inputs are white, s is a
    Markov chain.

    Parameters
    ----------
    next_state : array_like of int, shape (n_states, 2) to (n_states, 2, 2, 2, 2, 2, 2, 2, 2)
        States in [0, n_states), with n_states at most ``2**16``, and an axis of 2 per input.
    outputs : array_like of 0 and 1
        Of the shape of `next_state`, or of shape (2, n_states, ...) for two output streams. Shape
        (n_states,) makes a Moore machine, whose output depends only on the state.

    Raises
    ------
    TypeError
        If an array does not hold numbers of its kind.
    ValueError
        If a shape or a value is outside its range.

    Examples
    --------
    A flip-flop that toggles on every one and writes its state before the step:

    >>> from sc_neurocore import Bitstream, Machine
    >>> toggle = Machine(next_state=[[0, 1], [1, 0]], outputs=[0, 1])
    >>> z, state = toggle.run(Bitstream.from_bits([1, 0, 1, 1, 0]))
    >>> z.bits(), int(state)
    (array([0, 1, 1, 0, 1], dtype=uint8), 1)

    A full adder of three streams, whose state is the carry: it writes the sum of the bits.

    >>> import numpy as np
    >>> ones = np.add.reduce(np.indices((3, 2, 2, 2)))
    >>> adder = Machine(next_state=ones // 2, outputs=ones % 2)
    >>> a, b, c = (Bitstream.from_bits(bits) for bits in ([1, 1, 0], [1, 0, 1], [0, 1, 0]))
    >>> adder.run(a, b, c)[0].bits()
    array([0, 1, 0], dtype=uint8)
    """

    next_state: NDArray[np.uint32]
    outputs: NDArray[np.uint8]

    def __post_init__(self) -> None:
        raw = _checks.counting("next_state", self.next_state)
        shape = raw.shape
        if not 1 <= len(shape[1:]) <= _MOST_INPUTS or set(shape[1:]) != {2}:
            contract = "have shape (n_states, 2), (n_states, 2, 2) and so on, for 1 to 8 inputs"
            _checks.fail("next_state", contract, shape)
        n_states = _checks.integer("the number of states", shape[0], 1, 2**16)
        _checks.within("next_state", raw, 0, n_states - 1)
        outputs = _checks.bit_array("outputs", self.outputs)
        if outputs.shape == (n_states,):
            by_state = outputs.reshape(n_states, *(1,) * (len(shape) - 1))
            outputs = np.broadcast_to(by_state, shape).copy()
        if outputs.shape not in (shape, (2, *shape)):
            _checks.fail(
                "outputs", f"have shape {(n_states,)}, {shape} or {(2, *shape)}", outputs.shape
            )
        for name, value in (("next_state", raw.astype(np.uint32)), ("outputs", outputs)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @on_streams
    def run(
        self, x: Bitstream, y: Bitstream | None = None, *others: Bitstream, state: ArrayLike = 0
    ) -> tuple[Bitstream, NDArray[np.int64]]:
        """Return the output streams and the state after the last step.

        Parameters
        ----------
        x : Bitstream
            First input.
        y : Bitstream, optional
            Second input, required if and only if the machine has more than one. Its length is that of
            x, and its batch shape broadcasts with that of x.
        *others : Bitstream
            The further inputs, if the machine has more than two.
        state : array_like of int
            State before the first step, of a shape that broadcasts to the batch shape. To continue a
            run, pass the state that it returned.

        Returns
        -------
        z : Bitstream
            Of the broadcast batch shape, or `(2, *batch)` for two output streams.
        state : ndarray of int64
            State after the last step, of the batch shape.

        Raises
        ------
        TypeError
            If an input is not a Bitstream, or `state` does not hold integers.
        ValueError
            If an input is missing or not expected, lengths or shapes do not match, or a state is
            outside its range.
        """
        n_in = self.next_state.ndim - 1
        if y is None and n_in > 1:
            _checks.fail("y", f"be given for a machine with {_COUNTS[n_in]} inputs", y)
        if y is not None and n_in == 1:
            _checks.fail("y", "be omitted for a machine with one input", y)
        if len(others) != max(n_in - 2, 0):
            n = 1 + (y is not None) + len(others)
            _checks.fail("the inputs", f"be {n_in} streams for this machine", n)
        given = {"x": x} if y is None else {"x": x, "y": y}
        shape, inputs = stacked_rows(**given, **{f"input {i}": z for i, z in enumerate(others, 2)})
        before = _checks.counting("state", state)
        _checks.within("state", before, 0, len(self.next_state) - 1)
        states = broadcast_rows("state", before, shape).astype(np.uint32)
        n_out = 1 + self.outputs.ndim - self.next_state.ndim
        words = _native.machine(self._table(), n_out, inputs, x.length, states)
        batch = shape if n_out == 1 else (2, *shape)
        z = Bitstream(words.reshape(*batch, words.shape[-1]), x.length)
        return z, states.astype(np.int64).reshape(shape)

    def __repr__(self) -> str:
        n_in, n_out = self.next_state.ndim - 1, 1 + self.outputs.ndim - self.next_state.ndim
        return f"Machine({len(self.next_state)} states, {n_in} in, {n_out} out)"

    def _table(self) -> NDArray[np.uint32]:
        """Return the native table: entries are next | z0 << 16 | z1 << 17, symbols a | b << 1 | ..."""
        outputs = self.outputs.reshape(-1, *self.next_state.shape).astype(np.uint32)
        entries = self.next_state.copy()
        for i, output in enumerate(outputs):
            entries |= output << np.uint32(16 + i)
        reading_order = (0, *range(entries.ndim - 1, 0, -1))
        return np.ascontiguousarray(entries.transpose(reading_order)).reshape(len(entries), -1)
