"""Networks that are ready to be simulated many times with the same random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore._types import Reals
from sc_neurocore.networks._bit_layers import LayerState
from sc_neurocore.networks._blocks import Blocks
from sc_neurocore.networks._chain import ChainState, takes
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks._plastic import checked_rewards
from sc_neurocore.networks._recorder import Recorder
from sc_neurocore.networks._short_runs import ShortRuns
from sc_neurocore.networks._silence import warn_of_silence
from sc_neurocore.networks._wired import WiredNetwork
from sc_neurocore.networks.recording import Record, joined
from sc_neurocore.networks.results import Simulation, SimulationState
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams.source import warn_of_rise

__all__ = ["PreparedNetwork"]


@dataclass(frozen=True, eq=False)
class PreparedNetwork(WiredNetwork):
    """A network ready to be simulated, from `prepare`: everything that does not depend on the inputs.

    It runs on any number of inputs, and does not change: the state of a run is in its result.

    Attributes
    ----------
    network : Network
        With rounded weights if it is in fixed point, and with upset weights if there are such faults.
    fixed_point : FixedPoint or None
    bits_per_step : int
    seed : int
    source : Source
        Source of the numbers for the inputs.
    faults : Faults or None
    """

    def __post_init__(self) -> None:
        if self.steps_kept:  # made now, and not in the first run
            if self._short.fit:
                _ = self._short.chain
            else:
                _ = [layer.kept for layer in self.layers if layer.steps_kept]

    @cached_property
    def _short(self) -> ShortRuns:
        return ShortRuns(self)

    def run(
        self,
        x: InputLike,
        length: int | None = None,
        *,
        state: SimulationState | None = None,
        record: bool | Record = False,
        progress: bool = False,
        warn: bool = True,
        reward: ArrayLike | None = None,
    ) -> Simulation:
        """Return the spikes for inputs.

        Parameters
        ----------
        x, length, state, record, progress, reward
            As in `simulate`.
        warn : bool
            Whether to warn if a layer is silent. Runs that continue from a state never warn: silence
            in a few steps of a closed loop is no fault.

        Returns
        -------
        Simulation
        """
        if type(state) is SimulationState and record is False and not progress:
            run = self._short.continued(x, length, state, reward)
            if run is not None:
                return run
        short = self._short.fit and record is False and not progress and reward is None
        if short and self.fixed_point is None and takes(x, length, self.network.n_in):
            assert length is not None
            run = self._run_short(x, x.shape[:-1], length, state, warn=warn)
            if run is not None:
                return run
        inputs = Inputs.of("x", x, self.network)
        length, rows = inputs.steps(length), len(inputs)
        self._check_state(state, () if self.learns else inputs.batch)
        if short and isinstance(inputs.values, np.ndarray) and inputs.values.ndim == 2:
            run = self._run_short(inputs.values, inputs.batch, length, state, warn=warn)
            if run is not None:
                return run
        plastic = [layer.plastic for layer in self.layers if layer.plastic is not None]
        rewards = checked_rewards(reward, plastic, rows, length)
        first, states = self._states(state, 1 if self.learns else rows)
        # Where weights change, the rows are examples one after another.
        examples = rows if self.learns else 1
        last = _checks.length_of_stream("length", first + examples * length)
        for layer in self.layers:
            if layer.streams is not None:
                warn_of_rise(layer.source, layer.streams, last * self.bits_per_step)
        results: list[tuple[NDArray[np.int64], Reals]] = []
        recordings = []
        with progress_bar(examples * length, "simulate", "step", show=progress) as bar:
            blocks = Blocks(self, last, self._short if short else None, bar)
            for row in range(examples):
                own = inputs[row : row + 1] if examples > 1 else inputs
                if self.learns and inputs.batch:
                    states = tuple(
                        layer.rested(part) for layer, part in zip(self.layers, states, strict=True)
                    )
                of_row, t = None if rewards is None else rewards[row], first + row * length
                with self._recorder(record, inputs.batch, t, length) as recorder:
                    counts, potentials, states = blocks.run(own, t, length, states, recorder, of_row)
                results.append((counts, potentials))
                if record is not False:
                    recordings.append(recorder.recording())
        if warn and state is None and not all(blocks.fired):
            self._warn_of_silence(inputs, length, blocks.fired)
        batch = inputs.batch
        shape = (*batch, self.network.n_out)
        recording = None
        if recordings:
            recording = joined(recordings) if self.learns and batch else recordings[0]
        counts, potentials = (np.concatenate(parts) for parts in zip(*results, strict=True))
        return Simulation(
            counts.reshape(shape),
            potentials.reshape(shape),
            length,
            self.seed,
            recording,
            SimulationState(last, self.seed, () if self.learns else batch, states, self._options, self),
            self._dt_ms,
        )

    def _run_short(
        self,
        x: Reals,
        batch: tuple[int, ...],
        length: int,
        state: SimulationState | None,
        *,
        warn: bool,
    ) -> Simulation | None:
        """Run a chain on densities; None if it is not the way to run them, or an argument is wrong."""
        warn = warn and state is None
        found = self._short.run(x, batch, length, state, explain=warn)
        if found is None:
            return None
        run, silent = found
        if silent and warn:
            fired = [i + 1 != silent for i in range(len(self.layers))]
            self._warn_of_silence(Inputs.of("x", x, self.network), length, fired)
        return run

    def _recorder(
        self, record: bool | Record, batch: tuple[int, ...], first: int, length: int
    ) -> Recorder:
        if record is True:
            record = Record()
        elif record is False:
            record = Record(layers=())
        _checks.instance("record", record, Record, "pass True to record all spikes")
        if self.learns and batch:
            batch = ()
            if record.file is not None:
                _checks.fail("file", "be None for a batch of a network that learns", record.file)
            if length % record.every and (record.potentials or record.weights):
                _checks.fail("every", f"divide the length of the examples, {length}", record.every)
        return Recorder(record, self.network, batch, first, length, self.seed)

    def _check_state(self, state: SimulationState | None, batch: tuple[int, ...]) -> None:
        """Raise unless a run on a batch can continue from a state."""
        if state is None:
            return
        _checks.instance("state", state, SimulationState)
        if state.seed != self.seed:
            _checks.fail("seed", f"be that of the state, {state.seed}", self.seed)
        if state.batch != batch:
            _checks.fail("x", f"have the batch shape of the state, {state.batch}", batch)
        if state._options["form"] != self._options["form"]:
            _checks.fail("state", "be one of this network", "one of other layers or connections")
        for name, value in self._options.items():
            if state._options[name] != value:
                _checks.fail(name, f"be that of the state, {state._options[name]}", value)

    def _states(self, state: SimulationState | None, rows: int) -> tuple[int, tuple[LayerState, ...]]:
        """Return the first time step, and states of the layers that the run can change."""
        if state is None:
            return 0, tuple(layer.start(rows) for layer in self.layers)
        own = state._layers
        if isinstance(own, ChainState):
            own = own.layers(self.layers)
        return state.steps, tuple(layer.copy() for layer in own)

    def _warn_of_silence(self, x: Inputs, length: int, fired: Sequence[bool]) -> None:
        def spikes_of(some: Inputs) -> Sequence[Bitstream]:
            return self.run(some, length, record=True, warn=False).spikes

        warn_of_silence(self.network, x, length, fired, spikes_of)
