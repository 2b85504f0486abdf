"""Simulation of networks on bitstreams, and of the same networks on real numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore._tables import html_table
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._bit_layers import (
    FAULTY_INPUTS,
    FAULTY_WORDS,
    BitLayer,
    Bits,
    LayerState,
    steps_per_block,
)
from sc_neurocore.networks._chain import FEW_STEPS, Chain, ChainState, suits, takes
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks._plastic import PlasticLayer, checked_rewards
from sc_neurocore.networks._real_layers import drive, run_rows, some_rows
from sc_neurocore.networks._recorder import Recorder
from sc_neurocore.networks._wiring import Block, join_words, keep_words, wires
from sc_neurocore.networks.fixed_point import FixedLIF, FixedNetwork, FixedPoint
from sc_neurocore.networks.layers import Dense, all_weights, neurons, of_each, with_all_weights
from sc_neurocore.networks.network import Network, check_network
from sc_neurocore.networks.recording import Record, Recording, joined
from sc_neurocore.neurons import (
    LIF,
    SilentLayerWarning,
    StepNeuron,
    rheobase,
)
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Faults,
    Role,
    Source,
    operands,
    stream_key,
)
from sc_neurocore.streams._bits import count_ones, cut, n_words, pack
from sc_neurocore.streams.faults import FaultyWires, upset
from sc_neurocore.streams.keys import (
    checked_seed,
    lane_streams,
)
from sc_neurocore.streams.source import (
    Sources,
    warn_of_rise,
)

__all__ = [
    "PreparedNetwork",
    "Simulation",
    "SimulationState",
    "prepare",
    "simulate",
    "simulate_float",
]

# Rows of inputs whose mean currents explain why a layer is silent.
_SOME = 8
# Time steps that streams can have.
_LONGEST = 2**38
_FLOAT = np.dtype(np.float64)
_new = object.__new__


@dataclass(frozen=True, eq=False)
class SimulationState:
    """State of a network after a simulation, from which another can continue.

    A state is made by a simulation, and passed to the next one as its argument `state`. It is not
    changed by it: several simulations can continue from one state.

    Attributes
    ----------
    steps : int
        Number of time steps so far.
    seed : int
    batch : tuple of int
        Shape of the batch, () or (n,); () if weights change.
    """

    steps: int
    seed: int
    batch: tuple[int, ...]
    _layers: tuple[LayerState, ...] | ChainState = field(repr=False)
    _options: dict[str, object] = field(repr=False)
    _prepared: PreparedNetwork | None = field(repr=False)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:  # without the network
        parts = (self.steps, self.seed, self.batch, self._layers, self._options, None)
        return SimulationState, parts

    @property
    def _of(self) -> PreparedNetwork:
        if self._prepared is None:
            remedy = "continue from it with simulate, or read them before it is stored"
            _checks.fail("state", "not be read from a file to show its weights", self, remedy)
        return self._prepared

    @property
    def weights(self) -> tuple[Reals, ...]:
        """Weights of each layer at this point, shape (n_out, n_in) for `Dense`."""
        return tuple(layer.weights for layer in self.network)

    @property
    def traces(self) -> tuple[dict[str, Reals], ...]:
        """Other variables of the rules by which the weights of each layer change, by name.

        "pre" and "post" are traces of inputs and of neurons, "pre_slow" and "post_slow" those of
        triplets, "threshold" the rise of thresholds, "rate" the average rate in spikes per step, and
        "eligibility", of shape (n_out, n_in), waits for a reward.
        """
        return tuple(
            {}
            if layer.plastic is None or own.plastic is None
            else layer.plastic.traces(own.plastic, self.steps)
            for layer, own in zip(self._of.layers, self._states(), strict=True)
        )

    @property
    def network(self) -> Network:
        """The network with the weights and thresholds at this point, which change no more."""
        network = self._of.network
        if not self._of.learns:
            return network
        layers = [
            layer.layer
            if layer.plastic is None or own.plastic is None
            else layer.plastic.learned(own.plastic)
            for layer, own in zip(self._of.layers, self._states(), strict=True)
        ]
        return Network(layers, network.connections, network.outputs)

    def _states(self) -> tuple[LayerState, ...]:
        own = self._layers
        return own.layers(self._of.layers) if isinstance(own, ChainState) else own


@dataclass(frozen=True, eq=False)
class Simulation:
    """Result of a simulation of a network on a batch of inputs.

    Attributes
    ----------
    counts : ndarray of int64, shape (..., n_out)
        Number of spikes of each output neuron.
    potentials : ndarray of float64, shape (..., n_out)
        Membrane potentials of the output neurons in volts, after the last time step.
    length : int
        Number of time steps.
    seed : int or None
        Seed that repeats the run; None for `simulate_float`, which draws no random numbers.
    recording : Recording or None
        Recorded activity of the layers, if asked for by `record`.
    state : SimulationState or None
        State after the last time step, to continue from; None for `simulate_float`.
    dt_ms : float
        Duration of a time step in ms.
    """

    counts: NDArray[np.int64]
    potentials: NDArray[np.float64]
    length: int
    seed: int | None
    recording: Recording | None = None
    state: SimulationState | None = None
    dt_ms: float = 1.0

    @property
    def spikes(self) -> tuple[Bitstream, ...]:
        """Spikes of each recorded layer, of batch shape (..., n_neurons); empty unless recorded."""
        return () if self.recording is None else tuple(self.recording.spikes.values())

    @property
    def classes(self) -> NDArray[np.int64]:
        """Index of the output neuron with the most spikes, of shape (...).

        Ties are broken by the highest potential, then by the lowest index. Output neurons that never
        fire are therefore compared by their potentials.
        """
        most = self.counts == self.counts.max(axis=-1, keepdims=True)
        return np.asarray(np.where(most, self.potentials, -np.inf).argmax(axis=-1))

    def _spike_trains(self) -> tuple[NDArray[np.uint8], float]:
        if not self.spikes:
            remedy = "pass record=True to simulate, or read the file of the recording"
            _checks.fail("spikes", "be recorded in memory", self, remedy)
        return np.concatenate([layer.bits() for layer in self.spikes], axis=-2), self.dt_ms

    def __repr__(self) -> str:
        return (
            f"Simulation(counts of shape {self.counts.shape}, length={self.length}, seed={self.seed})"
        )

    def _repr_html_(self) -> str:
        *batch, n_out = self.counts.shape
        mean = f"{self.counts.mean():.4g}"
        header = ("inputs", "outputs", "time steps", "mean count", "recorded layers", "seed")
        return html_table(
            header, [(math.prod(batch), n_out, self.length, mean, len(self.spikes), self.seed)]
        )


def simulate(
    network: Network,
    x: InputLike,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    bits_per_step: int = 1,
    share_weight_numbers: bool = False,
    fixed_point: FixedPoint | None = None,
    faults: Faults | None = None,
    state: SimulationState | None = None,
    record: bool | Record = False,
    progress: bool = False,
    reward: ArrayLike | None = None,
) -> Simulation:
    """Return the spikes of a network whose inputs and weights are bitstreams.

    Each weight of a `Dense` layer and each kernel weight of a `Conv2d` has one stream. A bias is an
    input that is always on. Delayed inputs and recurrent spikes are 0 before the first step.

    Parameters
    ----------
    network : Network
    x : array_like, Bitstream or Events
        Densities in [0, 1], which are encoded: of shape (n_in,) or (batch, n_in) if they are constant
        in time, or (batch, n_in, length) if each time step has its own. Or spike trains: streams of
        batch shape (n_in,) or (batch, n_in), or events.
    length : int, optional
        Number of time steps. Required for densities that are constant in time; the other inputs have a
        length of their own.
    seed : int, optional
        In [0, 2**128). Drawn from system entropy by default; read it back from `Simulation.seed`.
    source : Source or tuple of Source
        Sources of the numbers for the inputs and for the weights of each layer, in this order. A single
        source stands for its `sequences`, one for each.
    bits_per_step : int
        Bits of each product per time step. A neuron receives their mean, so the noise of its current is
        smaller: its standard deviation falls like ``1 / sqrt(bits_per_step)``, and faster with
        low-discrepancy sources. Densities get as many new bits in each step; a spike is on for all bits
        of its step. Streams of weights have ``length * bits_per_step`` bits.
    share_weight_numbers : bool
        Compare the weights of all neurons of a layer with the numbers of its first neuron, as hardware
        does to save generators. The mean and variance of each current stay the same, but the currents
        of two neurons become correlated: positively where their weights agree in sign, negatively where
        they differ.
    fixed_point : FixedPoint, optional
        Round weights and inputs, and compute the neurons in fixed point, as hardware does. Inputs that
        are spike trains are not rounded. By default neurons are computed in float64.
    faults : Faults, optional
        Faults of hardware. Flips, drops and stuck wires strike the bits of the inputs, of the weights
        (the bias too) and the spikes of each layer, including the output layer if it has a threshold;
        `dead` strikes neurons, and `weight_upset` the stored words of all weights. Potentials, gains
        and comparators have no faults. Like the random numbers, faults belong to the wires, so that all
        rows of a batch have the same ones, and another seed gives others.
    state : SimulationState, optional
        Continue from the end of another simulation of this network: ``state=previous.state``. All other
        arguments but x and length must be the same; `seed` can be omitted. The results are those of one
        long simulation, bit for bit. By default the network starts at rest.
    record : bool or Record
        Record the spikes of every layer (`Simulation.spikes`), or what a `Record` says
        (`Simulation.recording`). Otherwise memory does not grow with the length.
    progress : bool
        Show a progress bar (requires the extra `progress`).
    reward : float or array_like, shape (length,) or (batch, length), optional
        Reward in each time step, by which layers with a `RewardSTDP` learn. By default 0.

    Returns
    -------
    Simulation

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `length` is missing.
    ValueError
        If x has the wrong shape or values outside [0, 1], `source` has too few sequences for the
        layers, the network does not fit `fixed_point`, a layer with recurrent weights has other faults
        than upset weights, or the state is one of another simulation.

    Warns
    -----
    SilentLayerWarning
        If no neuron of a layer fires because its mean current does not exceed the rheobase. Simulations
        that continue from a state do not warn.
    PeriodWarning
        If the numbers of a source rise through more steps than the streams have (`Source.rise`).

    Notes
    -----
    Random numbers belong to the wires of the network, as in hardware, and not to the inputs: every row
    of a batch uses the same numbers, and its result does not depend on the other rows. Average over
    several seeds to reduce the sampling error.

    Mean currents are unbiased with every randomized source. Firing rates also depend on how evenly a
    current is spread over time. Low-discrepancy streams are more even than Bernoulli streams and
    permutations, registers less; this changes the rates of neurons with two inputs by a few percent and
    is negligible above about 30 inputs. Below 8 inputs the errors of the neurons of a layer are also
    correlated, at any length; use `Bernoulli` or `Permutation` there.

    If a layer has a `plasticity`, the rows of a batch are examples presented one after another. Each
    begins with neurons and traces at rest, and with the weights, thresholds and average rates that the
    one before has left; time and random numbers go on. A single input of shape (n_in,) continues from a
    state without a break. ``run.state.network`` is the network with what it has learned.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> run = simulate(network, [1.0, 0.5], length=100, seed=1)
    >>> longer = simulate(network, [1.0, 0.5], length=100, state=run.state)
    >>> whole = simulate(network, [1.0, 0.5], length=200, seed=1)
    >>> (run.counts + longer.counts == whole.counts).all()
    np.True_
    """
    _checks.instance("progress", progress, bool)
    if state is not None and seed is None:
        _checks.instance("state", state, SimulationState)
        seed = state.seed
    prepared = prepare(
        network,
        seed=seed,
        source=source,
        bits_per_step=bits_per_step,
        share_weight_numbers=share_weight_numbers,
        fixed_point=fixed_point,
        faults=faults,
    )
    return prepared.run(x, length, state=state, record=record, progress=progress, reward=reward)


def prepare(
    network: Network,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    bits_per_step: int = 1,
    share_weight_numbers: bool = False,
    fixed_point: FixedPoint | None = None,
    faults: Faults | None = None,
    steps_kept: int = 0,
) -> PreparedNetwork:
    """Return a network ready to be simulated many times with the same random numbers.

    ``prepare(network, ...).run(x, length)`` is ``simulate(network, x, length, ...)``. Where single
    inputs come one after another, or few steps at a time, most of the time of `simulate` goes into the
    bits of the weights, which are always the same; a prepared network can keep them.

    Parameters
    ----------
    network : Network
    seed, source, bits_per_step, share_weight_numbers, fixed_point, faults
        As in `simulate`.
    steps_kept : int
        Number of time steps, from the first on, whose weight bits are made now and kept in memory, one
        bit per weight, time step and bit of the step. Later steps make theirs when they run.

    Returns
    -------
    PreparedNetwork

    Raises
    ------
    TypeError, ValueError
        As `simulate`.

    Examples
    --------
    A closed loop, in which the output spikes decide the next input:

    >>> from sc_neurocore import Dense, Network, prepare
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> prepared = prepare(network, seed=1, steps_kept=100)
    >>> x, state = [1.0, 0.0], None
    >>> for _ in range(100):
    ...     step = prepared.run(x, 1, state=state)
    ...     state, x = step.state, x[::-1] if step.counts[0] else x
    """
    check_network(network)
    k = _checks.integer("bits_per_step", bits_per_step, 1, 2**20)
    return PreparedNetwork.of(
        network if fixed_point is None else in_fixed_point(network, fixed_point, k), seed=seed,
        source=source, bits_per_step=k, share_weight_numbers=share_weight_numbers, faults=faults,
        steps_kept=steps_kept,
    )  # fmt: skip


def in_fixed_point(network: Network, fixed_point: FixedPoint, bits_per_step: int = 1) -> FixedNetwork:
    """Return `fixed_point.of(network)`; TypeError if an argument has the wrong type."""
    _checks.instance("fixed_point", fixed_point, FixedPoint)
    return fixed_point.of(network, bits_per_step)


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
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

    network: Network
    fixed_point: FixedPoint | None
    bits_per_step: int
    seed: int
    source: Source
    layers: tuple[BitLayer, ...] = field(repr=False)
    steps_kept: int = 0
    faults: Faults | None = None

    @classmethod
    def of(
        cls,
        network: Network | FixedNetwork,
        *,
        seed: int | None = None,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        share_weight_numbers: bool = False,
        faults: Faults | None = None,
        steps_kept: int = 0,
    ) -> PreparedNetwork:
        """Return a network ready to be simulated; arguments as in `prepare`. Not for users."""
        neurons: Sequence[LIF | FixedLIF | StepNeuron]
        if isinstance(network, FixedNetwork):
            fixed_point, bits_per_step = network.fixed_point, network.bits_per_step
            neurons, network = network.neurons, network.network
        else:
            fixed_point, neurons = None, [layer.neuron for layer in network]
        seed = checked_seed("seed", seed)
        _checks.instance("share_weight_numbers", share_weight_numbers, bool)
        steps_kept = _checks.integer("steps_kept", steps_kept, 0, 2**38)
        of_inputs, *of_weights = operands(source, 1 + len(network))
        if faults is not None:
            network = _with_faults(network, faults, seed, fixed_point)
        layers = tuple(
            BitLayer.of(
                layer, own, neuron, i, seed=seed, source=of_layer, share=share_weight_numbers,
                bits_per_step=bits_per_step, steps_kept=steps_kept, faults=faults,
            )
            for i, (layer, own, neuron, of_layer) in enumerate(
                zip(network, wires(network), neurons, of_weights, strict=True)
            )
        )  # fmt: skip
        prepared = cls(network, fixed_point, bits_per_step, seed, of_inputs, layers, steps_kept, faults)
        if steps_kept:  # made now, and not in the first run
            _ = prepared._chain if prepared._is_chain else [x.kept for x in layers if x.steps_kept]
        return prepared

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
            run = self._continue(x, length, state, reward)
            if run is not None:
                return run
        short = self._is_chain and record is False and not progress and reward is None
        if short and self.fixed_point is None and takes(x, length, self._n_in):
            assert length is not None
            run = self._run_chain(x, x.shape[:-1], length, state, warn=warn)
            if run is not None:
                return run
        inputs = Inputs.of("x", x, self.network)
        length, rows = inputs.steps(length), len(inputs)
        self._check_state(state, () if self.learns else inputs.batch)
        if short and isinstance(inputs.values, np.ndarray) and inputs.values.ndim == 2:
            run = self._run_chain(inputs.values, inputs.batch, length, state, warn=warn)
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
        fired = [False] * len(self.network)
        weights = [layer.bits(last) for layer in self.layers]
        results: list[tuple[NDArray[np.int64], Reals]] = []
        recordings = []
        with progress_bar(examples * length, "simulate", "step", show=progress) as bar:
            for row in range(examples):
                own = inputs[row : row + 1] if examples > 1 else inputs
                if self.learns and inputs.batch:
                    states = tuple(
                        layer.rested(part) for layer, part in zip(self.layers, states, strict=True)
                    )
                of_row, t = None if rewards is None else rewards[row], first + row * length
                with self._recorder(record, inputs.batch, t, length) as recorder:
                    counts, states = self._advance(
                        own, t, length, states, weights, fired, recorder, bar, of_row, short=short
                    )
                results.append((counts, self._potentials(states)))
                if record is not False:
                    recordings.append(recorder.recording())
        if warn and state is None and not all(fired):
            self._warn_of_silence(inputs, length, fired)
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

    def _advance(
        self,
        inputs: Inputs,
        first: int,
        length: int,
        states: tuple[LayerState, ...],
        weights: Sequence[Bits | None],
        fired: list[bool],
        recorder: Recorder,
        bar: Bar,
        rewards: Reals | None,
        *,
        short: bool,
    ) -> tuple[NDArray[np.int64], tuple[LayerState, ...]]:
        """Return the spike counts of all rows, and the states after the last step."""
        network, k, last, rows = self.network, self.bits_per_step, first + length, len(inputs)
        values = inputs.values
        sole = self._sole
        if (
            sole is not None
            and isinstance(values, np.ndarray)
            and values.ndim == 2
            and recorder.is_idle
        ):
            assert states[0].plastic is not None
            words = sole.run(
                states[0].plastic, None, 0, values[0], self._input_streams[0], first, length, rewards
            )
            ones = count_ones(words)
            fired[0] = fired[0] or bool(ones.any())
            bar.update(length)
            return ones[np.newaxis], states
        counts = np.zeros((rows, network.n_out), np.int64)
        constant = self._constant(inputs)
        if self._encodes:
            bits = self._bits_of_inputs(inputs, first, last)
        else:
            nothing = Block(np.zeros((rows, 0, 0), np.uint64))

            def bits(t: int, steps: int) -> Block:
                return nothing

        most = steps_per_block(self.layers, rows, traced=recorder.traced)
        most = min(most, network.feedback_delay or most)
        # The steps past the last whole word of time, where they are better off on their own.
        tail = 0
        if short and length > 64 and isinstance(values, np.ndarray) and values.ndim == 2:
            drawn = all(layer.source == Bernoulli() for layer in self.layers)
            suited = drawn and suits(rows, last - last % 64, last % 64, self.steps_kept)
            tail = last % 64 if suited else 0
        t = first
        while t < last - tail:
            # Blocks end with a whole word of time: there the fastest kernel can begin.
            steps = min(most if t % 64 == 0 or most < 64 else 64 - t % 64, last - tail - t)
            if self.learns:
                steps = recorder.until_sample(t, steps)
            given, outputs = bits(t, steps), list[Block]()
            for i, (layer, own) in enumerate(zip(self.layers, states, strict=True)):
                traced, drive = recorder.wants_traces(i), constant[i]
                if drive is None:
                    block = join_words(layer.wires, own.lines, given, outputs, k, steps)
                if drive is not None:
                    traces = layer.run_constant(own, drive, t, steps, traced=traced)
                elif layer.plastic is not None:
                    of_block = None if rewards is None else rewards[t - first : t - first + steps]
                    traces = layer.learn(own, block, t, steps, of_block, traced=traced)
                    recorder.add_weights(i, layer.plastic, own, t, steps)
                else:
                    traces = layer.run(own, weights[i], block, t, steps, traced=traced)
                fired[i] = fired[i] or bool(traces.spikes.any())
                traces = layer.on_wires(traces, t, steps)
                outputs.append(Block(traces.spikes))
                recorder.add(i, traces, t, steps)
            for layer, own in zip(self.layers, states, strict=True):
                keep_words(layer.wires, own.lines, outputs, k, steps)
            counts += np.concatenate([count_ones(outputs[i].words) for i in network.outputs], axis=1)
            t += steps
            bar.update(steps)
        if tail and isinstance(values, np.ndarray):
            own_values, joined = self._densities(values), ChainState.of(states)
            silent, more, _, after = self._chain.run(own_values, rows, last - tail, tail, joined)
            counts += more.reshape(counts.shape)
            states = after.layers(self.layers)
            fired[:] = [did or i + 1 != silent for i, did in enumerate(fired)]
        return counts, states

    def _constant(self, inputs: Inputs) -> list[Reals | None]:
        """Return what the layers that are not sampled receive in every step."""
        found: list[Reals | None] = []
        for layer, sources in zip(self.layers, self.network.connections, strict=True):
            if layer.layer.sampled:
                found.append(None)
                continue
            assert isinstance(inputs.values, np.ndarray)
            parts = [inputs.values[:, source] for source in sources]
            found.append(layer.constant(self._densities(np.concatenate(parts, axis=1))))
        return found

    @cached_property
    def _encodes(self) -> bool:
        """Whether a layer receives bits of the inputs."""
        return any(
            layer.layer.sampled and any(isinstance(source, slice) for source in sources)
            for layer, sources in zip(self.layers, self.network.connections, strict=True)
        )

    def _potentials(self, states: Sequence[LayerState]) -> Reals:
        """Return the potentials of the output neurons, shape (rows, n_out)."""
        parts = [self.layers[i].potentials(states[i]) for i in self.network.outputs]
        return np.concatenate(parts, axis=1)

    @cached_property
    def _dt_ms(self) -> float:
        """Duration of a time step in ms."""
        return self.network[0].neuron.dt

    @cached_property
    def learns(self) -> bool:
        """Whether a layer has a plasticity. Not for users."""
        return any(layer.plastic is not None for layer in self.layers)

    @cached_property
    def _sole(self) -> PlasticLayer | None:
        """The layer, if there is a single one whose weights change and the inputs come at once."""
        if not self.network.is_chain or len(self.layers) > 1 or self.source != Bernoulli():
            return None
        return self.layers[0].plastic if self.network[0].delays is None else None

    @cached_property
    def _learning_step(self) -> Callable[..., bool] | None:
        """The steps of such a layer: (x, first, steps, state in place, counts, potentials)."""
        key = self._input_streams[0]
        return None if self._sole is None else partial(self._sole.native.step, key)

    @cached_property
    def _options(self) -> dict[str, object]:
        """Options that a continued simulation has in common with the first one."""
        return {
            "form": (
                self.network.connections,
                self.network.outputs,
                *(layer.form for layer in self.layers),
            ),
            "source": (self.source, *(layer.source for layer in self.layers)),
            "bits_per_step": self.bits_per_step,
            "share_weight_numbers": self.layers[0].share,
            "fixed_point": self.fixed_point,
            "faults": self.faults,
        }

    @cached_property
    def _input_streams(self) -> tuple[int, Words]:
        """Key and stream numbers of the inputs."""
        return stream_key(self.seed, Role.INPUT), lane_streams(1, self.network.n_in).ravel()

    @cached_property
    def _faulty_inputs(self) -> FaultyWires | None:
        """Wires of the inputs, if they have faults."""
        if self.faults is None or not self.faults.on_wires:
            return None
        key = stream_key(self.seed, Role.FAULT, *FAULTY_INPUTS)
        return FaultyWires(self.faults, key, self._input_streams[1])

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

    @cached_property
    def _is_chain(self) -> bool:
        """Whether the network is a chain of dense layers that can run in one native call."""
        if any(layer.faulty_spikes is not None for layer in self.layers):
            return False
        return Chain.fits(self.network, self.layers, self.source)

    @cached_property
    def _n_in(self) -> int:
        return self.network.n_in

    @cached_property
    def _chain(self) -> Chain:
        """The network as such a chain."""
        key = self._input_streams[0]
        return Chain(self.network, self.layers, self.source, key, self.steps_kept)

    @cached_property
    def _longest_rise(self) -> int:
        """Number of bits below which some stream is one-sided."""
        sources = [(self.source, self._input_streams[1])]
        sources += [(part.source, part.streams) for part in self.layers if part.streams is not None]
        return max(source.rise(streams) for source, streams in sources)

    def _continue(
        self, x: object, length: object, state: SimulationState, reward: object
    ) -> Simulation | None:
        """Continue a closed loop on one input; None if it is not one, or an argument is wrong.

        Same as `run`, without what a few steps of a small network need no time for: in a loop, these
        tests take as long as the steps.
        """
        own = state._layers
        if state._options is not self._options or state.batch != () or reward is not None:
            return None
        if self.learns:
            return self._continue_learning(x, length, state)
        if type(own) is not ChainState:
            return None
        chain, first = self._chain, state.steps
        if type(x) is not np.ndarray or x.shape != chain.shape or x.dtype is not _FLOAT:
            return None
        if type(length) is not int or not 0 < length <= FEW_STEPS or self.fixed_point is not None:
            return None
        last = first + length
        if last > self.steps_kept or last < self._longest_rise:
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
        step, own, first = self._learning_step, state._layers, state.steps
        if step is None or not takes(x, length, self._n_in) or type(length) is not int:
            return None
        last = first + length
        if x.ndim != 1 or last > _LONGEST:
            return None
        before = own.values if isinstance(own, ChainState) else own[0].plastic
        assert before is not None
        n = self.network.n_out
        after, counts, potentials = before.copy(), np.empty(n, np.int64), np.empty(n)
        if not step(x, first, length, after, counts, potentials):
            return None
        return self._simulated((), counts, potentials, length, last, ChainState(1, after))

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
        state, run = _new(SimulationState), _new(Simulation)
        values = state.__dict__
        values["steps"], values["seed"], values["batch"] = last, self.seed, batch
        values["_layers"], values["_options"], values["_prepared"] = after, self._options, self
        values = run.__dict__
        values["counts"], values["potentials"], values["length"] = counts, potentials, length
        values["seed"], values["recording"], values["state"] = self.seed, None, state
        values["dt_ms"] = self._dt_ms
        return run

    def _run_chain(
        self,
        x: Reals,
        batch: tuple[int, ...],
        steps: int,
        state: SimulationState | None,
        *,
        warn: bool,
    ) -> Simulation | None:
        """Run a chain on densities; None if it is not the way to run them, or an argument is wrong."""
        rows, first, own = (batch[0] if batch else 1), 0, None
        if state is not None:
            if type(state) is not SimulationState or state.seed != self.seed or state.batch != batch:
                return None
            if state._options is not self._options and state._options != self._options:
                return None
            first, own = state.steps, state._layers
        last = first + steps
        if not suits(rows, first, steps, self.steps_kept):
            return None
        if last < self._longest_rise or last > _LONGEST:
            return None
        if isinstance(own, tuple):
            own = ChainState.of(own)
        values = x if self.fixed_point is None else self._densities(x)
        warn = warn and state is None
        silent, counts, potentials, own = self._chain.run(values, rows, first, steps, own, explain=warn)
        if silent < 0:
            return None
        if silent and warn:
            inputs = Inputs.of("x", x, self.network)
            self._warn_of_silence(inputs, steps, [i + 1 != silent for i in range(len(self.layers))])
        if batch:
            counts, potentials = counts.reshape(rows, -1), potentials.reshape(rows, -1)
        return self._simulated(batch, counts, potentials, steps, last, own)

    def _densities(self, x: Reals) -> Reals:
        """Return densities as they are encoded: rounded in fixed point."""
        return x if self.fixed_point is None else self.fixed_point.rounded(x)

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
        """Warn if a layer has not fired because its current is too small, with the reason and a remedy.

        The mean currents are those of the first rows of x.
        """
        fires = [
            isinstance(layer.neuron, LIF) and bool(np.isfinite(layer.neuron.v_threshold).any())
            for layer in self.network
        ]
        silent = [i for i, (can, did) in enumerate(zip(fires, fired, strict=True)) if can and not did]
        if not silent:
            return
        i, layer = silent[0], self.network[silent[0]]
        some = x[:_SOME]
        rates = some.mean()
        if self.network.connections[i] != (slice(0, self.network.n_in),):
            spikes = self.run(some, length, record=True, warn=False).spikes
            rates = np.concatenate(
                [
                    spikes[source].reshape(len(some), -1).probability()
                    if isinstance(source, int)
                    else rates[:, source]
                    for source in self.network.connections[i]
                ],
                axis=1,
            )
        sums = drive(layer, rates.reshape(-1, layer.n_in, 1))[..., 0]
        gain = of_each(layer, layer.gain)
        largest = gain * sums.max(axis=0)
        needed = of_each(layer, [rheobase(neuron) for neuron in neurons("network", layer)])
        if (largest > needed).any() or not rates.any():
            return
        j = int((largest - needed).argmax())
        mean = float(largest[j])
        remedy = "raise its positive weights"
        if mean > 0:
            remedy = f"raise its gain above {gain[j] * needed[j] / mean:.4g} (now {gain[j]:.4g})"
        _checks.warn(
            f"no neuron of layer {i} fired in {length} steps: its largest mean current {mean:.4g} does "
            f"not exceed the rheobase {needed[j]:.4g}; {remedy}, or lower v_threshold",
            SilentLayerWarning,
        )

    def _bits_of_inputs(self, inputs: Inputs, first: int, last: int) -> Callable[[int, int], Block]:
        """Return a function that makes the bits of the inputs, from a first step and their number."""
        values, k = inputs.values, self.bits_per_step
        faulty = self._faulty_inputs
        if isinstance(values, Bitstream):
            words = values.words

            def part(t: int, steps: int) -> Block:
                own = cut(words, t - first, t - first + steps)
                return Block(own if faulty is None else faulty.struck(own, t, steps))

            return part
        values = self._densities(values)
        thresholds = self.source.thresholds(values)
        key, streams = self._input_streams
        warn_of_rise(self.source, streams, last * k)
        if values.ndim == 2:
            made = Bits.of(self.source, key, streams, thresholds, last * k, faulty)
        else:

            def compare(first_word: int, n_bits: int) -> Words:
                """Return words of bits; those before the first step are not used."""
                numbers = self.source.numbers(streams, n_bits, key=key, first=64 * first_word)
                at = np.maximum((64 * first_word + np.arange(n_bits)) // k - first, 0)
                own = pack(numbers < thresholds[:, :, at])
                return own if faulty is None else faulty.struck(own, 64 * first_word, n_bits)

            made = Bits(compare, 0, last * k)

        def block(t: int, steps: int) -> Block:
            first_word, start = divmod(t * k, 64)
            return Block(made.words(first_word, n_words(start + steps * k)), k, start)

        return block


def _with_faults(
    network: Network, faults: Faults, seed: int, fixed_point: FixedPoint | None
) -> Network:
    """Return a network with upset weights; raise if it cannot have the faults."""
    _checks.instance("faults", faults, Faults)
    if faults.on_wires or faults.dead:
        for i, layer in enumerate(network):
            if isinstance(layer, Dense) and layer.recurrent is not None:
                remedy = "connect the layer to itself with a delay of 1"
                contract = f"be upset weights alone for recurrent layer {i}"
                _checks.fail("faults", contract, faults, remedy)
    if not faults.weight_upset:
        return network
    n_bits = faults.weight_bits if fixed_point is None else fixed_point.bits
    layers = []
    for i, layer in enumerate(network):
        weights, key = all_weights(layer), stream_key(seed, Role.FAULT, *FAULTY_WORDS, i)
        struck = upset(weights, faults, n_bits, key, lane_streams(*weights.shape))
        layers.append(with_all_weights(layer, struck))
    return Network(layers, network.connections, network.outputs)


def simulate_float(
    network: Network, x: InputLike, length: int | None = None, *, record: bool = False
) -> Simulation:
    """Return the spikes of the same network on real numbers: the reference for the error of `simulate`.

    Inputs and weights are real numbers. Neurons, time steps and spikes are those of `simulate`, without
    noise. The two differ by the sampling error alone.

    Parameters
    ----------
    network : Network
    x : array_like, Bitstream or Events
        Densities in [0, 1] of shape (n_in,), (batch, n_in) or, changing in time, (batch, n_in, length);
        or spike trains, as in `simulate`.
    length : int, optional
        Number of time steps; required for densities that are constant in time.
    record : bool
        Record the spikes of every layer (`Simulation.spikes`).

    Returns
    -------
    Simulation
        With `seed` and `state` None.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If x has the wrong shape or values outside [0, 1], or `length` is not positive.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate_float
    >>> simulate_float(Network([Dense([[0.5, -0.25]])]), [1.0, 1.0], length=100).counts
    array([20])
    """
    check_network(network)
    inputs = Inputs.of("x", x, network)
    length = inputs.steps(length)
    _checks.instance("record", record, bool)
    some = some_rows(network.layers, length)
    parts = [
        run_rows(network, inputs[row : row + some], length, record=record)
        for row in range(0, len(inputs), some)
    ]
    counts, potentials, trains = zip(*parts, strict=True)
    shape = (*inputs.batch, network.n_out)
    recording = None
    if record:
        spikes = {
            i: Bitstream(np.concatenate(words), length).reshape(*inputs.batch, -1)
            for i, words in enumerate(zip(*trains, strict=True))
        }
        recording = Recording(spikes)
    return Simulation(
        np.concatenate(counts).reshape(shape),
        np.concatenate(potentials).reshape(shape),
        length,
        seed=None,
        recording=recording,
        dt_ms=network[0].neuron.dt,
    )
