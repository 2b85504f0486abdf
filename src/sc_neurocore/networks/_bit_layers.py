"""Layers on bitstreams. Time goes by in blocks of steps, which bounds the memory of `simulate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sc_neurocore import _checks, _native
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._inputs import with_always_on
from sc_neurocore.networks._noise import Noise
from sc_neurocore.networks._plastic import PlasticLayer
from sc_neurocore.networks._wiring import Block, Lines, Wire
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import Conv2d, Dense, Layer, all_weights, exact_sums, of_each
from sc_neurocore.neurons import LIF, StepNeuron
from sc_neurocore.streams import (
    Bernoulli,
    Role,
    Source,
    stream_key,
)
from sc_neurocore.streams._bits import n_words
from sc_neurocore.streams.faults import Faults, FaultyWires
from sc_neurocore.streams.keys import (
    lane_streams,
)

# Limits of a block of time: words of spikes of a layer (8 MB), and words of weight bits that the
# kernels make: less than a second of work, which bounds the delay of an interrupt or a progress bar.
_SPIKE_WORDS, _MADE_WORDS = 2**20, 2**26
# Words of bits that are kept in memory (64 MB) where the kernels do not make them as they go.
_KEPT_WORDS = 2**23
# Paths of the keys of faults, with the role `FAULT`; the number of the layer follows.
FAULTY_INPUTS, FAULTY_WEIGHTS, FAULTY_SPIKES, FAULTY_WORDS = (0,), (1,), (2,), (3,)
# Sums and potentials of a layer that are held at a time (32 MB).
_SUMS = 2**22


class Bits:
    """Words of streams, made ahead of their use because some sources make whole periods at a time.

    Parameters
    ----------
    make : callable
        Returns the words of bits ``64 * first_word ... 64 * first_word + n_bits - 1``.
    ahead : int
        Number of words to make at least.
    end : int
        Number of bits from the first bit of all; none past it is made.
    """

    def __init__(self, make: Callable[[int, int], Words], ahead: int, end: int) -> None:
        self._make, self._ahead, self._end = make, ahead, end
        self._made, self._from = np.empty((0, 0, 0), np.uint64), 0

    @classmethod
    def of(
        cls,
        source: Source,
        key: int,
        streams: Words,
        thresholds: Words,
        end: int,
        faulty: FaultyWires | None = None,
    ) -> Bits:
        """Return the bits of rows of thresholds that use the same streams, perhaps on faulty wires."""

        def make(first_word: int, n_bits: int) -> Words:
            words = source.words(thresholds, streams, n_bits, key=key, first_word=first_word)
            return words if faulty is None else faulty.struck(words, 64 * first_word, n_bits)

        ahead = 0 if source == Bernoulli() else max(_KEPT_WORDS // thresholds.size, 1)
        return cls(make, ahead, end)

    @classmethod
    def kept(cls, words: Words) -> Bits:
        """Return bits that are made already, from the first bit of all on."""
        bits = cls(lambda first_word, n_bits: words, 0, 64 * words.shape[-1])
        bits._made = words
        return bits

    def words(self, first: int, n: int) -> Words:
        """Return n words from word `first` on, contiguous, shape (..., n)."""
        if first < self._from or first + n > self._from + self._made.shape[-1]:
            self._made = self._made[..., :0].copy()  # frees the memory before more is taken
            n_bits = min(64 * max(n, self._ahead), self._end - 64 * first)
            self._made, self._from = self._make(first, n_bits), first
        here = first - self._from
        return np.ascontiguousarray(self._made[..., here : here + n])


@dataclass(frozen=True, eq=False)
class Traces:
    """What a layer did in a block of time.

    Attributes
    ----------
    spikes : ndarray of uint64, shape (batch, n_out, n_words)
        Packed, one bit per time step.
    currents, potentials : ndarray of float64, shape (batch, n_out, steps), or None
        Currents before, and membrane potentials in volts after each step, if asked for.
    """

    spikes: Words
    currents: Reals | None = None
    potentials: Reals | None = None


@dataclass(frozen=True, eq=False)
class LayerState:
    """State of a layer during a run; `BitLayer.run` changes the arrays in place.

    A row is an input of the batch, or a position of one in a convolution.

    Attributes
    ----------
    v, i : ndarray of float64, shape (rows, n_rows of the matrix)
        Membrane potentials and synaptic currents.
    refractory : ndarray of uint64, shape (rows, n_rows of the matrix)
        Refractory steps that are left.
    before : ndarray of uint64, shape (batch, n_words of neurons)
        Spikes of the previous step, packed over neurons; no words without recurrent weights.
    lines : tuple of DelayLine or None
        Delay line of each wire.
    own : dict of str to ndarray of float64, shape (rows, n_rows of the matrix)
        State of neurons that a function defines; empty for others.
    plastic : ndarray of float64 or None
        State of a layer whose weights change, as `PlasticLayer` has it; the first four arrays are then
        views of it, of one row.
    """

    v: Reals
    refractory: Words
    i: Reals
    before: Words
    lines: Lines
    own: dict[str, Reals]
    plastic: Reals | None = None

    @classmethod
    def of_plastic(cls, values: Reals, n: int, lines: Lines) -> LayerState:
        """Return the state of a layer of n neurons whose weights change, from its array."""
        v, refractory, i = values[: 3 * n].reshape(3, 1, n)
        before = values[np.newaxis, 3 * n : 3 * n + n_words(n)]
        return cls(v, refractory.view(np.uint64), i, before.view(np.uint64), lines, {}, values)

    def copy(self) -> LayerState:
        """Return a state that continues from here on its own."""
        if self.plastic is not None:
            lines = tuple(None if line is None else line.copy() for line in self.lines)
            return LayerState.of_plastic(self.plastic.copy(), self.v.shape[1], lines)
        return LayerState(
            v=self.v.copy(),
            refractory=self.refractory.copy(),
            i=self.i.copy(),
            before=self.before.copy(),
            lines=tuple(None if line is None else line.copy() for line in self.lines),
            own={name: values.copy() for name, values in self.own.items()},
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class BitLayer:
    """A layer ready to run on bitstreams: everything that depends on neither inputs nor length.

    Attributes
    ----------
    layer : Dense or Conv2d
    wires : sequence of Wire
        Where its inputs come from.
    neuron : LIF, FixedLIF or StepNeuron
    parameters : list of LIFParameters
        Of each neuron (of each channel, for `Conv2d`), or one for all.
    bits_per_step : int
    gain : ndarray of float64, shape (n_rows of the matrix,)
        Current of a single one, or what it adds to a potential in fixed point; of a layer that is not
        sampled, of a sum of 1, or 1 in fixed point, where `constant` returns currents.
    weight_key, noise_key : int
    share : bool
        Whether all neurons use the weight numbers of the first one.
    source : Source
    thresholds : ndarray of uint64 or None
        Of the weights, shape (n_rows, fan_in) if numbers are shared, else (1, n_rows * fan_in). None if
        the kernel makes the bits itself, as it does for Bernoulli streams.
    streams : ndarray of uint64 or None
        Numbers of the weights' streams, one per column of `thresholds`.
    steps_kept : int
        Time steps, from the first on, whose weight bits are kept once they are made.
    faulty_weights, faulty_spikes : FaultyWires or None
        Wires of the weights' streams, in the shape of `thresholds`, and of the spikes, shape (n_out,),
        if they have faults.
    plastic : PlasticLayer or None
        The layer if its weights change.
    """

    layer: Layer
    wires: Sequence[Wire]
    neuron: LIF | FixedLIF | StepNeuron
    parameters: list[_native.LIFParameters]
    bits_per_step: int
    gain: Reals
    weight_key: int
    noise_key: int
    share: bool
    source: Source
    thresholds: Words | None
    streams: Words | None
    steps_kept: int = 0
    faulty_weights: FaultyWires | None = None
    faulty_spikes: FaultyWires | None = None
    plastic: PlasticLayer | None = None

    @classmethod
    def of(
        cls,
        layer: Layer,
        wires: Sequence[Wire],
        neuron: LIF | FixedLIF | StepNeuron,
        number: int,
        *,
        seed: int,
        source: Source,
        share: bool,
        bits_per_step: int = 1,
        steps_kept: int = 0,
        faults: Faults | None = None,
    ) -> BitLayer:
        """Return layer `number` of a network, ready to run."""
        thresholds = streams = weights = spikes = None
        strikes = faults is not None and faults.on_wires
        if faults is not None and (strikes or faults.dead):
            key = stream_key(seed, Role.FAULT, *FAULTY_SPIKES, number)
            spikes = FaultyWires(faults, key, np.arange(layer.n_out, dtype=np.uint64), of_neurons=True)
        plastic = None
        if isinstance(layer, Dense) and layer.plasticity:
            _check_plastic(source, bits_per_step, steps_kept, faults)
            plastic = PlasticLayer.of(layer, number, seed=seed, share=share)
        elif not layer.sampled:
            bits_per_step, steps_kept = 1, 0
        elif source != Bernoulli() or _recurrent(layer) is not None or steps_kept or strikes:
            thresholds = source.thresholds(np.abs(all_weights(layer)))
            rows, fan_in = thresholds.shape
            streams = lane_streams(1 if share else rows, fan_in).ravel()
            thresholds = thresholds if share else thresholds.reshape(1, -1)
            if faults is not None and strikes:
                key = stream_key(seed, Role.FAULT, *FAULTY_WEIGHTS, number)
                wired = lane_streams(rows, fan_in).reshape(thresholds.shape)
                weights = FaultyWires(faults, key, wired)
        of_one = layer.gain / bits_per_step
        if isinstance(neuron, FixedLIF):
            of_one = float(neuron.one) if layer.sampled else 1.0
        return cls(
            layer=layer,
            wires=wires,
            neuron=neuron,
            parameters=[] if isinstance(neuron, StepNeuron) else neuron.parameters,
            bits_per_step=bits_per_step,
            gain=np.broadcast_to(np.asarray(of_one, np.float64), len(layer.matrix)).copy(),
            weight_key=stream_key(seed, Role.WEIGHT, number),
            noise_key=stream_key(seed, Role.NOISE, number),
            share=share,
            source=source,
            thresholds=thresholds,
            streams=streams,
            steps_kept=steps_kept,
            faulty_weights=weights,
            faulty_spikes=spikes,
            plastic=plastic,
        )

    def on_wires(self, traces: Traces, first: int, steps: int) -> Traces:
        """Return traces with the faults of the spikes and of dead neurons.

        Neurons without a threshold have no wire for spikes.
        """
        if self.faulty_spikes is None:
            return traces
        spikes = self.faulty_spikes.struck(traces.spikes, first, steps)
        if isinstance(self.layer.neuron, LIF):
            fires = np.isfinite(of_each(self.layer, self.layer.neuron.v_threshold))
            if not fires.all():
                spikes = np.where(fires[:, np.newaxis], spikes, traces.spikes)
        v = traces.potentials
        return Traces(spikes, traces.currents, None if v is None else self._at_rest(v))

    def _at_rest(self, v: Reals) -> Reals:
        """Return potentials in volts (batch, n_out, ...) in which dead neurons are at rest."""
        if self.faulty_spikes is None or not self.faulty_spikes.faults.dead:
            return v
        neuron = self.layer.neuron
        rest = neuron.v_rest if isinstance(neuron, LIF) else neuron.initial_state["v"]
        of_neurons = of_each(self.layer, rest).reshape(-1, *(1,) * (v.ndim - 2))
        dead = self.faulty_spikes.dead.reshape(of_neurons.shape)
        return np.where(dead, of_neurons, v)

    @cached_property
    def kept(self) -> Words:
        """Words of the weight bits of the first time steps, at least `steps_kept`, whole words."""
        words = n_words(self.steps_kept * self.bits_per_step)
        bits = self._made(-(-64 * words // self.bits_per_step))
        assert bits is not None
        return bits.words(0, words)

    @property
    def form(self) -> tuple[object, ...]:
        """What the state of a layer depends on: sizes, delays, recurrence, and state variables."""
        layer, neuron = self.layer, self.neuron
        own = tuple(neuron.initial_state) if isinstance(neuron, StepNeuron) else ()
        delays = tuple(np.broadcast_to(layer.delay, (layer.n_in,)).tolist())
        recurrent = _recurrent(layer) is not None
        if self.plastic is not None:
            own = ("plastic", "rewarded" if self.plastic.is_rewarded else "")
        shape = type(layer).__name__, layer.matrix.shape, layer.positions
        return *shape, delays, recurrent, own, layer.sampled

    def start(self, batch: int) -> LayerState:
        """Return the state at rest, for a batch of inputs."""
        layer = self.layer
        if self.plastic is not None:
            lines = [wire.line(1, self.bits_per_step, packed=True) for wire in self.wires]
            return LayerState.of_plastic(self.plastic.start(), layer.n_out, tuple(lines))
        shape = batch * layer.positions, len(layer.matrix)
        words = n_words(layer.n_out) if _recurrent(layer) is not None else 0
        neuron = self.neuron
        rest = neuron.v_rest if isinstance(neuron, LIF) else 0.0
        if isinstance(neuron, StepNeuron):
            rest = neuron.initial_state["v"]
        lines = [wire.line(batch, self.bits_per_step, packed=True) for wire in self.wires]
        return LayerState(
            v=np.broadcast_to(np.asarray(rest, np.float64), shape).copy(),
            refractory=np.zeros(shape, np.uint64),
            i=np.zeros(shape),
            before=np.zeros((batch, words), np.uint64),
            lines=tuple(lines),
            own=self.neuron.start(*shape) if isinstance(self.neuron, StepNeuron) else {},
        )

    def bits(self, end: int) -> Bits | None:
        """Return the weight bits of time steps 0 .. end - 1; None if the kernel makes them."""
        if self.steps_kept and end <= self.steps_kept:
            return Bits.kept(self.kept)
        return self._made(end)

    def _made(self, end: int) -> Bits | None:
        if self.thresholds is None or self.streams is None:
            return None
        last = end * self.bits_per_step
        return Bits.of(
            self.source, self.weight_key, self.streams, self.thresholds, last, self.faulty_weights
        )

    def run(
        self,
        state: LayerState,
        bits: Bits | None,
        x: Block,
        first: int,
        steps: int,
        *,
        traced: bool = False,
    ) -> Traces:
        """Return the packed spikes of a block of time, and advance the state.

        Parameters
        ----------
        state : LayerState
        bits : Bits or None
            Weight bits, from `bits`.
        x : Block
            Inputs, after their delays.
        first, steps : int
            First time step of the block, and their number.
        traced : bool
            Return currents and potentials too.
        """
        layer, k = self.layer, self.bits_per_step
        first_word, start = divmod(first * k, 64)
        end = start + steps * k
        own_bits = None
        if bits is not None:
            words = bits.words(first_word, n_words(end))
            own_bits = words.reshape(len(layer.matrix), -1, words.shape[-1])
        whole = k == 1 and start == 0 and not traced and _recurrent(layer) is None
        whole = whole and len(self.parameters) == 1 and self._noise is None
        parts: list[Traces] = []
        for rows, part in self._parts(x, 0 if whole else steps):
            if whole:
                at = _rows_of_matrix(layer, rows)
                spikes = _native.dense(
                    self.parameters[0], self.weight_key, self.noise_key, part.aligned(1, steps),
                    layer.codes, own_bits, self.share, self.gain, layer.positions, first_word, end,
                    state.v[at], state.refractory[at], state.i[at],
                )  # fmt: skip
                parts.append(Traces(layer.flatten(spikes)))
            else:
                parts.append(self._run_sums(state, rows, own_bits, part, first, steps, traced=traced))
        return parts[0] if len(parts) == 1 else _joined(parts)

    def constant(self, x: Reals) -> Reals:
        """Return what each neuron receives in every step if it is not sampled.

        From densities (rows, n_in), shape (rows * positions, 1, n_rows of the matrix): sums of
        products, or in fixed point, currents in units of the last place.
        """
        sums = exact_sums(self.layer, x)[:, np.newaxis]
        if isinstance(self.neuron, FixedLIF):
            return self.neuron.currents(sums)
        return sums

    def run_constant(
        self, state: LayerState, drive: Reals, first: int, steps: int, *, traced: bool = False
    ) -> Traces:
        """Do the same for a layer that is not sampled, from what `constant` returns."""
        positions, of_row = self.layer.positions, self.layer.n_out * (steps if traced else 1)
        some = max(_SUMS // of_row, 1)
        parts = []
        for row in range(0, len(drive) // positions, some):
            rows = slice(row, row + some)
            at = drive[_rows_of_matrix(self.layer, rows)]
            parts.append(self._fire(state, rows, at, None, None, 0, first, steps, traced=traced))
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _parts(self, x: Block, sums: int) -> Iterator[tuple[slice, Block]]:
        """Yield rows of the batch and their patches, so few that patches and sums fit in memory."""
        layer, some = self.layer, max(len(x.words), 1)
        if sums:
            some = max(min(some, _SUMS // (layer.n_out * sums)), 1)
        if isinstance(layer, Conv2d):  # patches overlap, so they take more memory than the images
            of_image = layer.positions * layer.matrix.shape[1] * x.words.shape[-1]
            some = max(min(some, _SPIKE_WORDS // of_image), 1)
        for row in range(0, len(x.words), some):
            rows = slice(row, row + some)
            words = layer.patches(x.words[rows])
            if layer.bias is not None:
                words = with_always_on(words, 64 * words.shape[-1])
            yield rows, Block(words, x.bits, x.start)

    def _run_sums(
        self,
        state: LayerState,
        rows: slice,
        bits: Words | None,
        x: Block,
        first: int,
        steps: int,
        *,
        traced: bool,
    ) -> Traces:
        """Sum the products of each step, then step the neurons."""
        layer, k, recurrent = self.layer, self.bits_per_step, _recurrent(self.layer)
        first_word, start = divmod(first * k, 64)
        forward, own, senders = bits, None, None
        if recurrent is not None:
            assert bits is not None
            n_forward = layer.matrix.shape[1]
            forward = np.ascontiguousarray(bits[:, :n_forward])
            own = np.ascontiguousarray(bits[:, n_forward:])
            senders = np.ascontiguousarray(recurrent.T)
        sums = _native.dense_sums(
            self.weight_key, x.words, x.bits, x.start, layer.codes, forward, self.share, k, first_word,
            start, start + steps * k,
        )  # fmt: skip
        return self._fire(state, rows, sums, senders, own, start, first, steps, traced=traced)

    def _fire(
        self,
        state: LayerState,
        rows: slice,
        sums: Reals,
        senders: Reals | None,
        own: Words | None,
        start: int,
        first: int,
        steps: int,
        *,
        traced: bool,
    ) -> Traces:
        """Step the neurons of some rows; sums have shape (rows * positions, steps or 1, n_rows)."""
        layer, k = self.layer, self.bits_per_step
        at = _rows_of_matrix(layer, rows)
        if isinstance(self.neuron, StepNeuron):
            variables = {name: values[at] for name, values in state.own.items()}
            of_steps = np.broadcast_to(sums * self.gain, (len(sums), steps, sums.shape[2]))
            words, potentials = self.neuron.run(variables, of_steps)
            for name, values in variables.items():
                state.own[name][at] = values
            state.v[at] = variables["v"]
        else:
            driven, gain = sums, self.gain
            if self._noise is not None:
                driven, gain = self._with_noise(sums, first, steps), np.ones_like(gain)
            words, potentials = _native.neurons(
                self.parameters, self.noise_key, driven, gain, senders, own, k, start,
                layer.positions, first, steps, state.v[at], state.refractory[at], state.i[at],
                state.before[rows], traced,
            )  # fmt: skip
        spikes = layer.flatten(words)
        if not traced:
            return Traces(spikes)
        of_steps = np.broadcast_to(sums * self.gain, (len(sums), steps, sums.shape[2]))
        currents, v = np.swapaxes(of_steps, 1, 2), np.swapaxes(potentials, 1, 2)
        if isinstance(self.neuron, FixedLIF):
            unit = np.reshape(self.neuron.unit, (-1, 1)) / 2.0**self.neuron.syn_fraction
            v, currents = self.neuron.volts(v), currents * unit
        return Traces(spikes, layer.flatten(currents), layer.flatten(v))

    @property
    def _noise(self) -> Noise | None:
        return self.neuron.noise if isinstance(self.neuron, FixedLIF) else None

    def _with_noise(self, sums: Reals, first: int, steps: int) -> Reals:
        """Return currents with noise in units of the last place, (rows * positions, steps, n_rows)."""
        assert self._noise is not None
        noise = self._noise.values(first, steps, self.layer.n_out)
        of_positions = noise.reshape(steps, self.layer.positions, -1).swapaxes(0, 1)
        currents = (sums * self.gain).reshape(-1, self.layer.positions, *sums.shape[1:])
        return np.asarray((currents + of_positions).reshape(-1, *of_positions.shape[1:]))

    def learn(
        self,
        state: LayerState,
        x: Block,
        first: int,
        steps: int,
        rewards: Reals | None,
        *,
        traced: bool = False,
    ) -> Traces:
        """Do the same for a layer whose weights change; traced potentials are the last ones."""
        assert self.plastic is not None
        assert state.plastic is not None
        spikes = self.plastic.run(state.plastic, x.words[0], x.start, None, 0, first, steps, rewards)
        v = np.broadcast_to(state.v[..., np.newaxis], (*state.v.shape, steps)) if traced else None
        return Traces(spikes[np.newaxis], None, v)

    def rested(self, state: LayerState) -> LayerState:
        """Return a state at rest, before another example; what has been learned stays."""
        if self.plastic is None or state.plastic is None:
            return self.start(len(state.v))
        self.plastic.rest(state.plastic)
        lines = tuple(wire.line(1, self.bits_per_step, packed=True) for wire in self.wires)
        return LayerState.of_plastic(state.plastic, self.layer.n_out, lines)

    def potentials(self, state: LayerState) -> Reals:
        """Return the membrane potentials in volts, shape (batch, n_out)."""
        v = self.neuron.volts(state.v) if isinstance(self.neuron, FixedLIF) else state.v
        return self._at_rest(self.layer.flatten(v))


def steps_per_block(layers: Sequence[BitLayer], batch: int, *, traced: bool) -> int:
    """Return the time steps of a block: a multiple of 64, or fewer than 64 if those take too much."""
    k = layers[0].bits_per_step
    widest = max(layers[0].layer.n_in, *(part.layer.n_out for part in layers))
    made = sum(all_weights(part.layer).size for part in layers)
    kept = max(_kept(part) for part in layers)
    words = max(min(_SPIKE_WORDS // (batch * widest), _MADE_WORDS // made, _KEPT_WORDS // kept), 1)
    if k == 1 and not traced:
        return 64 * words
    steps = max(min(64 * words // k, _SUMS // (batch * widest)), -(-64 // k))
    return steps // 64 * 64 if steps > 64 else steps


def _kept(part: BitLayer) -> int:
    """Return the words kept per word of time: weight bits, patches of an image, currents."""
    layer, made = part.layer, 1 if part.thresholds is None else int(part.layer.matrix.size)
    if isinstance(layer, Conv2d):
        return made + layer.positions * int(layer.matrix.shape[1])
    if layer.recurrent is None:
        return made
    return 3 * made + 2 * layer.recurrent.size + 2 * 64 * layer.n_out


def _check_plastic(source: Source, bits_per_step: int, steps_kept: int, faults: Faults | None) -> None:
    """Raise unless weights can change under these options."""
    where = "for layers with plasticity"
    if source != Bernoulli():
        _checks.fail("source", f"be Bernoulli() {where}", source)
    if bits_per_step != 1:
        _checks.fail("bits_per_step", f"be 1 {where}", bits_per_step)
    if steps_kept:
        _checks.fail("steps_kept", f"be 0 {where}", steps_kept)
    if faults is not None:
        _checks.fail("faults", f"be None {where}", faults)


def _recurrent(layer: Layer) -> Reals | None:
    return layer.recurrent if isinstance(layer, Dense) else None


def _rows_of_matrix(layer: Layer, rows: slice) -> slice:
    return slice(rows.start * layer.positions, rows.stop * layer.positions)


def _joined(parts: Sequence[Traces]) -> Traces:
    currents = [part.currents for part in parts if part.currents is not None]
    potentials = [part.potentials for part in parts if part.potentials is not None]
    return Traces(
        np.concatenate([part.spikes for part in parts]),
        np.concatenate(currents) if currents else None,
        np.concatenate(potentials) if potentials else None,
    )
