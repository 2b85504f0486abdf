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


@dataclass(frozen=True, eq=False, repr=False)
class Machine:
    """A finite-state machine with one or two input streams and one or two output streams.

    In state s the machine reads the bit a of x and, if it has a second input, the bit b of y. It writes
    its output and then moves to the next state::

        z(t) = outputs[s, a]         s <- next_state[s, a]           one input
        z(t) = outputs[s, a, b]      s <- next_state[s, a, b]        two inputs

    Equation, variance and required correlation depend on the tables. If the inputs are white, s is a
    Markov chain.

    Parameters
    ----------
    next_state : array_like of int, shape (n_states, 2) or (n_states, 2, 2)
        States in [0, n_states), with n_states at most ``2**16``.
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
    """

    next_state: NDArray[np.uint32]
    outputs: NDArray[np.uint8]

    def __post_init__(self) -> None:
        raw = _checks.counting("next_state", self.next_state)
        shape = raw.shape
        if len(shape) not in (2, 3) or shape[1:] != (2, 2)[: len(shape) - 1]:
            _checks.fail("next_state", "have shape (n_states, 2) or (n_states, 2, 2)", shape)
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
        self, x: Bitstream, y: Bitstream | None = None, *, state: ArrayLike = 0
    ) -> tuple[Bitstream, NDArray[np.int64]]:
        """Return the output streams and the state after the last step.

        Parameters
        ----------
        x : Bitstream
            First input.
        y : Bitstream, optional
            Second input, required if and only if the machine has two inputs. Its length is that of x,
            and its batch shape broadcasts with that of x.
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
            If y is missing or not expected, lengths or shapes do not match, or a state is outside its
            range.
        """
        if y is None and self.next_state.ndim == 3:
            _checks.fail("y", "be given for a machine with two inputs", y)
        if y is not None and self.next_state.ndim == 2:
            _checks.fail("y", "be omitted for a machine with one input", y)
        shape, inputs = stacked_rows(x=x) if y is None else stacked_rows(x=x, y=y)
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
        """Return the native table: symbols are a | b << 1, entries next | z0 << 16 | z1 << 17."""
        outputs = self.outputs.reshape(-1, *self.next_state.shape).astype(np.uint32)
        entries = self.next_state.copy()
        for i, output in enumerate(outputs):
            entries |= output << np.uint32(16 + i)
        reading_order = (0, *range(entries.ndim - 1, 0, -1))
        return np.ascontiguousarray(entries.transpose(reading_order)).reshape(len(entries), -1)
