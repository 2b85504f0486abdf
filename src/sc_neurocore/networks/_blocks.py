"""Simulation of any network on any inputs, a block of time after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._progress import Bar
from sc_neurocore._types import Reals
from sc_neurocore.networks._bit_layers import LayerState, steps_per_block
from sc_neurocore.networks._chain import ChainState
from sc_neurocore.networks._inputs import Inputs
from sc_neurocore.networks._recorder import Recorder
from sc_neurocore.networks._short_runs import ShortRuns
from sc_neurocore.networks._wired import WiredNetwork
from sc_neurocore.networks._wiring import Block, join_words, keep_words
from sc_neurocore.streams._bits import count_ones

States = tuple[LayerState, ...]


class Blocks:
    """Blocks of time of one simulation.

    Parameters
    ----------
    wired : WiredNetwork
    end : int
        Time step at which the simulation ends.
    short : ShortRuns or None
        Runs the steps past the last whole word of time where that is faster.
    bar : Bar

    Attributes
    ----------
    fired : list of bool
        Whether a neuron of each layer has fired so far.
    """

    def __init__(self, wired: WiredNetwork, end: int, short: ShortRuns | None, bar: Bar) -> None:
        self._wired, self._short, self._bar = wired, short, bar
        self._weights = [layer.bits(end) for layer in wired.layers]
        self.fired = [False] * len(wired.layers)

    def run(
        self,
        inputs: Inputs,
        first: int,
        length: int,
        states: States,
        recorder: Recorder,
        rewards: Reals | None,
    ) -> tuple[NDArray[np.int64], Reals, States]:
        """Return spike counts and potentials of the outputs, and the states after the last step.

        Arrays have a row for each input; states can be changed in place.
        """
        wired = self._wired
        values, sole = inputs.values, wired._sole
        if (
            sole is not None
            and isinstance(values, np.ndarray)
            and values.ndim == 2
            and recorder.is_idle
        ):
            assert states[0].plastic is not None
            words = sole.run(
                states[0].plastic, None, 0, values[0], wired._input_streams[0], first, length, rewards
            )
            counts = count_ones(words)[np.newaxis]
            self.fired[0] = self.fired[0] or bool(counts.any())
            self._bar.update(length)
        else:
            tail = 0 if self._short is None else self._short.tail(inputs, first, length)
            whole = length - tail
            counts = self._advance(inputs, first, whole, length, states, recorder, rewards)
            if tail:
                more, states = self._end(inputs, first + whole, tail, states)
                counts += more
        parts = [wired.layers[i].potentials(states[i]) for i in wired.network.outputs]
        return counts, np.concatenate(parts, axis=1), states

    def _advance(
        self,
        inputs: Inputs,
        first: int,
        steps: int,
        length: int,
        states: States,
        recorder: Recorder,
        rewards: Reals | None,
    ) -> NDArray[np.int64]:
        """Advance the states by some of the steps of the inputs, and return the spike counts."""
        wired, rows = self._wired, len(inputs)
        counts = np.zeros((rows, wired.network.n_out), np.int64)
        given = wired._bits_of_inputs(inputs, first, first + length)
        constant = wired._constant(inputs)
        most = steps_per_block(wired.layers, rows, traced=recorder.traced)
        most = min(most, wired.network.feedback_delay or most)
        t, end = first, first + steps
        while t < end:
            # Blocks end with a whole word of time: there the fastest kernel can begin.
            n = min(most if t % 64 == 0 or most < 64 else 64 - t % 64, end - t)
            if wired.learns:
                n = recorder.until_sample(t, n)
            of_block = None if rewards is None else rewards[t - first : t - first + n]
            outputs = self._block(given, constant, states, t, n, recorder, of_block)
            counts += np.concatenate(
                [count_ones(outputs[i].words) for i in wired.network.outputs], axis=1
            )
            t += n
            self._bar.update(n)
        return counts

    def _block(
        self,
        given: Callable[[int, int], Block],
        constant: Sequence[Reals | None],
        states: States,
        t: int,
        steps: int,
        recorder: Recorder,
        rewards: Reals | None,
    ) -> list[Block]:
        """Run every layer for a block, and return their spikes."""
        k, bits, outputs = self._wired.bits_per_step, given(t, steps), list[Block]()
        for i, (layer, own) in enumerate(zip(self._wired.layers, states, strict=True)):
            traced, drive = recorder.wants_traces(i), constant[i]
            if drive is not None:
                traces = layer.run_constant(own, drive, t, steps, traced=traced)
            else:
                block = join_words(layer.wires, own.lines, bits, outputs, k, steps)
                if layer.plastic is not None:
                    traces = layer.learn(own, block, t, steps, rewards, traced=traced)
                    recorder.add_weights(i, layer.plastic, own, t, steps)
                else:
                    traces = layer.run(own, self._weights[i], block, t, steps, traced=traced)
            self.fired[i] = self.fired[i] or bool(traces.spikes.any())
            traces = layer.on_wires(traces, t, steps)
            outputs.append(Block(traces.spikes))
            recorder.add(i, traces, t, steps)
        for layer, own in zip(self._wired.layers, states, strict=True):
            keep_words(layer.wires, own.lines, outputs, k, steps)
        return outputs

    def _end(
        self, inputs: Inputs, first: int, steps: int, states: States
    ) -> tuple[NDArray[np.int64], States]:
        """Run the last steps as a chain, and return the spike counts and the states after them."""
        assert self._short is not None
        assert isinstance(inputs.values, np.ndarray)
        rows, densities = len(inputs), self._wired._densities(inputs.values)
        silent, counts, _, after = self._short.chain.run(
            densities, rows, first, steps, ChainState.of(states)
        )
        self.fired[:] = [did or i + 1 != silent for i, did in enumerate(self.fired)]
        return counts.reshape(rows, -1), after.layers(self._wired.layers)
