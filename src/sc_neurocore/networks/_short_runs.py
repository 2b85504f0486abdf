"""Runs of few time steps, or of one input, which take one native call and little else.

They suit chains of dense layers, and a single layer whose weights change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._types import Reals
from sc_neurocore.networks._chain import FEW_STEPS, Chain, ChainState, suits, takes
from sc_neurocore.networks._inputs import Inputs
from sc_neurocore.networks._wired import WiredNetwork
from sc_neurocore.networks.results import Simulation, SimulationState
from sc_neurocore.streams import Bernoulli

_FLOAT = np.dtype(np.float64)
_new = object.__new__


class ShortRuns:
    """Short runs of a network; results are those of any other run.

    Parameters
    ----------
    wired : WiredNetwork

    Attributes
    ----------
    fit : bool
        Whether the network is a chain of dense layers that can run in one call.
    """

    def __init__(self, wired: WiredNetwork) -> None:
        self._wired = wired
        faulty = any(layer.faulty_spikes is not None for layer in wired.layers)
        self.fit = not faulty and Chain.fits(wired.network, wired.layers, wired.source)
        self._n_in, self._n_out, self._dt_ms = wired.network.n_in, wired.network.n_out, wired._dt_ms

    @cached_property
    def chain(self) -> Chain:
        """The network as a chain."""
        of = self._wired
        return Chain(of.network, of.layers, of.source, of._input_streams[0], of.steps_kept)

    @cached_property
    def _learn(self) -> Callable[..., bool] | None:
        """The steps of a single layer that learns.

        Its arguments are (x, first, steps, state in place, counts, potentials).
        """
        key, sole = self._wired._input_streams[0], self._wired._sole
        return None if sole is None else partial(sole.native.step, key)

    @cached_property
    def _longest_rise(self) -> int:
        """Number of bits below which some stream is one-sided."""
        sources = [(self._wired.source, self._wired._input_streams[1])]
        sources += [
            (part.source, part.streams) for part in self._wired.layers if part.streams is not None
        ]
        return max(source.rise(streams) for source, streams in sources)

    def continued(
        self, x: object, length: object, state: SimulationState, reward: object
    ) -> Simulation | None:
        """Continue a closed loop on one input; None if it is not one, or an argument is wrong.

        Same as `run`, without its checks of arguments: in a loop, they would take as long as the steps.
        """
        own, wired = state._layers, self._wired
        if state._options is not wired._options or state.batch != () or reward is not None:
            return None
        if self._learn is not None:
            return self._continue_learning(x, length, state)
        if type(own) is not ChainState:
            return None
        chain, first = self.chain, state.steps
        if type(x) is not np.ndarray or x.shape != chain.shape or x.dtype is not _FLOAT:
            return None
        if type(length) is not int or not 0 < length <= FEW_STEPS:
            return None
        last = first + length
        if last > wired.steps_kept or last < self._longest_rise or wired.fixed_point is not None:
            return None
        after = own.values.copy()
        counts, potentials = np.zeros(chain.n_out, np.int64), np.empty(chain.n_out)
        if chain.step(x, first, length, after, counts, potentials) < 0:
            return None
        return self._simulated((), counts, potentials, length, last, ChainState(1, after))

    def _continue_learning(
        self, x: object, length: object, state: SimulationState
    ) -> Simulation | None:
        """Do the same for a single layer whose weights change."""
        own, first = state._layers, state.steps
        if not takes(x, length, self._n_in) or type(length) is not int:
            return None
        last = first + length
        if x.ndim != 1 or last > _checks.LONGEST:
            return None
        before = own.values if isinstance(own, ChainState) else own[0].plastic
        assert before is not None
        assert self._learn is not None
        after, counts, potentials = (
            before.copy(),
            np.empty(self._n_out, np.int64),
            np.empty(self._n_out),
        )
        if not self._learn(x, first, length, after, counts, potentials):
            return None
        return self._simulated((), counts, potentials, length, last, ChainState(1, after))

    def run(
        self,
        x: Reals,
        batch: tuple[int, ...],
        steps: int,
        state: SimulationState | None,
        *,
        explain: bool,
    ) -> tuple[Simulation, int] | None:
        """Run a chain on densities, and return a result and 1 + the number of a silent layer, or 0.

        None if it is not the way to run them, or an argument is wrong.
        """
        wired, rows, first, own = self._wired, (batch[0] if batch else 1), 0, None
        if state is not None:
            if type(state) is not SimulationState or state.seed != wired.seed or state.batch != batch:
                return None
            if state._options is not wired._options and state._options != wired._options:
                return None
            first, own = state.steps, state._layers
        last = first + steps
        if not suits(rows, first, steps, wired.steps_kept):
            return None
        if last < self._longest_rise or last > _checks.LONGEST:
            return None
        if isinstance(own, tuple):
            own = ChainState.of(own)
        values = x if wired.fixed_point is None else wired._densities(x)
        silent, counts, potentials, own = self.chain.run(
            values, rows, first, steps, own, explain=explain
        )
        if silent < 0:
            return None
        if batch:
            counts, potentials = counts.reshape(rows, -1), potentials.reshape(rows, -1)
        return self._simulated(batch, counts, potentials, steps, last, own), silent

    def tail(self, inputs: Inputs, first: int, length: int) -> int:
        """Return how many steps past the last whole word of time are better off on their own."""
        last = first + length
        if length <= 64 or not isinstance(inputs.values, np.ndarray) or inputs.values.ndim != 2:
            return 0
        steps = last % 64
        drawn = all(layer.source == Bernoulli() for layer in self._wired.layers)
        return steps if drawn and suits(len(inputs), last - steps, steps, self._wired.steps_kept) else 0

    def _simulated(
        self,
        batch: tuple[int, ...],
        counts: NDArray[np.int64],
        potentials: Reals,
        length: int,
        last: int,
        after: ChainState,
    ) -> Simulation:
        """Return the result of a chain, or of a single layer."""
        # In a closed loop, `__init__` of frozen dataclasses would take as long as a step.
        state, run, wired = _new(SimulationState), _new(Simulation), self._wired
        values = state.__dict__
        values["steps"], values["seed"], values["batch"] = last, wired.seed, batch
        values["_layers"], values["_options"], values["_wired"] = after, wired._options, wired
        values = run.__dict__
        values["counts"], values["potentials"], values["length"] = counts, potentials, length
        values["seed"], values["recording"], values["state"] = wired.seed, None, state
        values["dt_ms"] = self._dt_ms
        return run
