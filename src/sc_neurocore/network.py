"""Networks as data, and their simulation on bitstreams."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._files import read_arrays, replacing
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore.bitstream import Bitstream
from sc_neurocore.neuron import LIF
from sc_neurocore.random import (
    Bernoulli,
    Role,
    Source,
    Sources,
    checked_seed,
    lane_streams,
    operands,
    stream_key,
)

FORMAT = "sc-neurocore network"
FORMAT_VERSION = 1

# Words of spikes of a layer in a block of time, 8 MB, and of weight bits that are made in it: less than
# a second of work, which an interrupt or a bar waits for.
_SPIKE_WORDS, _MADE_WORDS = 2**20, 2**26
# Words of bits that are kept where no kernel makes them on its way: 64 MB.
_KEPT_WORDS = 2**23


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer of LIF neurons with one weight for each pair of output and input.

    A weight is sign and magnitude: its bitstream has the density abs(w), and the current at a time step
    is gain * (ones among the products of positive weights - ones among those of negative weights).

    Parameters
    ----------
    weights : array_like, shape (n_out, n_in)
        In [-1, 1].
    gain : float
        Current of a single one.
    neuron : LIF

    Examples
    --------
    >>> from sc_neurocore import LIF, Dense
    >>> Dense([[0.5, -0.25, 1.0]], gain=0.2, neuron=LIF(tau_mem=10.0))
    Dense(3 -> 1, gain=0.2, neuron=LIF(tau_mem=10.0))
    """

    weights: NDArray[np.float64]
    gain: float = 1.0
    neuron: LIF = LIF()

    def __post_init__(self) -> None:
        weights = _checks.array("weights", self.weights, [2])
        if weights.size == 0:
            _checks.fail("weights", "hold at least one value", f"shape {weights.shape}")
        _checks.within("weights", weights, -1.0, 1.0, "put a scale into gain")
        _checks.instance("neuron", self.neuron, LIF)
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "gain", _checks.positive("gain", self.gain))

    @cached_property
    def _codes(self) -> NDArray[np.int64]:
        """The weights as the native core takes them, shape (n_in, n_out)."""
        codes = np.empty((self.n_in, self.n_out), np.int64)
        block = max(2**20 // self.n_out, 1)  # of inputs; temporaries stay in the cache
        for first in range(0, self.n_in, block):
            part = self.weights[:, first : first + block].T
            codes[first : first + block] = np.rint(part * 2.0**32)
        codes.flags.writeable = False
        return codes

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weights.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.weights, self.gain, self.neuron)

    def __repr__(self) -> str:
        changed = [f"{k}={v}" for k, v in asdict(self.neuron).items() if v != getattr(LIF, k)]
        neuron = f"LIF({', '.join(changed)})"
        return f"Dense({self.n_in} -> {self.n_out}, gain={self.gain}, neuron={neuron})"


@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers, each fed with the spikes of the one before at the same time step.

    Parameters
    ----------
    layers : sequence of Dense

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> simulate(network, [[1.0, 0.0], [0.0, 1.0]], length=200, seed=1).counts
    array([[61,  2],
           [ 0, 53]])
    """

    layers: Sequence[Dense]

    def __post_init__(self) -> None:
        if isinstance(self.layers, Dense):
            _checks.wrong_type("layers", "be a sequence of Dense", self.layers)
        layers = tuple(self.layers)
        if not layers:
            _checks.fail("layers", "hold at least one layer", "none")
        for i, layer in enumerate(layers):
            _checks.instance(f"layers[{i}]", layer, Dense)
            if i > 0 and layer.n_in != layers[i - 1].n_out:
                raise ValueError(
                    f"layer {i} takes {layer.n_in} inputs, but layer {i - 1} has "
                    f"{layers[i - 1].n_out} neurons"
                )
        object.__setattr__(self, "layers", layers)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        """Number of output neurons."""
        return self.layers[-1].n_out

    @property
    def shape(self) -> str:
        """The sizes of all layers, as "64-100-10"."""
        return "-".join(str(n) for n in (self.n_in, *(layer.n_out for layer in self.layers)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one .npz file: whole or not at all."""
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "layers": [{"gain": la.gain, "neuron": asdict(la.neuron)} for la in self.layers],
        }
        arrays: dict[str, Any] = {f"weights_{i}": layer.weights for i, layer in enumerate(self.layers)}
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that `save` wrote. Nothing in the file is executed.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind or of a newer version.
        """
        try:
            arrays = read_arrays(path)
            header = json.loads(str(arrays["header"]))
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']!r}")
            if header["version"] > FORMAT_VERSION:
                raise ValueError(
                    f"its version is {header['version']}, this release reads {FORMAT_VERSION}"
                )
            return cls(
                tuple(
                    Dense(arrays[f"weights_{i}"], layer["gain"], LIF(**layer["neuron"]))
                    for i, layer in enumerate(header["layers"])
                )
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"path must be a network saved by sc-neurocore, got {os.fspath(path)!r} ({error})"
            ) from error

    def __repr__(self) -> str:
        return f"Network({self.shape}: {', '.join(map(repr, self.layers))})"


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a network did under a batch of inputs.

    Attributes
    ----------
    counts : ndarray of int64, shape (..., n_out)
        Spikes of each output neuron.
    length : int
        Time steps.
    seed : int
        What repeats the run.
    spikes : tuple of Bitstream
        The packed spikes of every layer, of batch shape (..., n_neurons); empty unless recorded.
    """

    counts: NDArray[np.int64]
    length: int
    seed: int
    spikes: tuple[Bitstream, ...] = ()

    def classes(self) -> NDArray[np.int64]:
        """Return the output with the most spikes, the first of equals, of the batch shape."""
        return np.asarray(self.counts.argmax(axis=-1))

    def __repr__(self) -> str:
        return f"Simulation(counts of shape {self.counts.shape}, length={self.length})"


def simulate(
    network: Network,
    x: ArrayLike | Bitstream,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    shared: bool = False,
    record: bool = False,
    progress: bool = False,
) -> Simulation:
    """Return the spikes of a network whose inputs and weights are bitstreams.

    Random numbers belong to the wires of the network, as in hardware, not to the inputs: every row of a
    batch meets the same uniform numbers, so its result does not depend on the other rows. Use several
    seeds to average over them.

    Mean currents are unbiased with every randomised source. A firing rate depends on how even a current
    is in time too, and low-discrepancy streams are more even, registers less than Bernoulli streams and
    permutations: by some percent for neurons of two inputs, not to be seen from some 30 on. Below 8
    inputs the neurons of a layer also err together at any length; take `Bernoulli` or `Permutation`.

    Parameters
    ----------
    network : Network
    x : array_like or Bitstream
        Densities in [0, 1] of shape (n_in,) or (batch, n_in), to be encoded; or packed streams of that
        batch shape.
    length : int, optional
        Time steps. A Bitstream brings its own.
    seed : int, optional
        In [0, 2**128). By default drawn from the system's entropy; the result tells it.
    source : Source or tuple
        Where the numbers of the inputs and of the weights of each layer come from; one source stands
        for as many of its `sequences`.
    shared : bool
        Let all neurons of a layer compare their weights with the numbers of its first neuron, as
        hardware does to save generators. Each current keeps its mean and variance, but those of two
        neurons vary together where their weights agree, and against each other where they differ in
        sign.
    record : bool
        Keep the packed spikes of every layer. Otherwise the memory does not grow with the length.
    progress : bool
        Show a bar (extra: progress).

    Returns
    -------
    Simulation
    """
    _checks.instance("network", network, Network)
    seed = checked_seed("seed", seed)
    _checks.instance("shared", shared, bool)
    of_inputs, *of_weights = operands(source, 1 + len(network.layers))
    if isinstance(x, Bitstream):
        if length is not None and length != x.length:
            _checks.fail("length", f"be left out or equal that of x, {x.length}", length)
        if len(x.shape) not in (1, 2) or x.shape[-1] != network.n_in or 0 in x.shape:
            _checks.fail("x", _input_contract(network), f"batch shape {x.shape}")
        length, batch = x.length, x.shape[:-1]
        given = x.words.reshape(-1, network.n_in, x.words.shape[-1])
        inputs = _Bits(lambda first, steps: given[:, :, first : first + -(-steps // 64)], 0, length)
        rows = len(given)
    else:
        densities = _checked_densities(network, x)
        if length is None:
            _checks.wrong_type("length", "be given unless x is a Bitstream", length)
        length, batch = _checks.length_of_stream("length", length), densities.shape[:-1]
        thresholds = of_inputs.thresholds(densities.reshape(-1, network.n_in))
        key, rows = stream_key(seed, Role.INPUT), len(thresholds)
        inputs = _Bits.of(of_inputs, key, lane_streams(1, network.n_in).ravel(), thresholds, length)
    states = [
        _LayerState.of(layer, i, rows, length, seed, source, shared)
        for i, (layer, source) in enumerate(zip(network.layers, of_weights, strict=True))
    ]
    with progress_bar(length, "simulate", "step", show=progress) as bar:
        counts, trains = _run_layers(network, inputs, states, length, record, bar)
    spikes = tuple(Bitstream(t, length).reshape(*batch, t.shape[1]) for t in trains)
    return Simulation(counts.reshape(*batch, network.n_out), length, seed, spikes)


def simulate_float(network: Network, x: ArrayLike, length: int) -> Simulation:
    """Return the spikes of the same network without bitstreams: the reference for their error.

    Inputs and weights are real numbers, constant in time; neurons, time steps and spikes are those of
    `simulate`, without noise. What differs between the two is the sampling error alone.

    Parameters
    ----------
    network : Network
    x : array_like, shape (n_in,) or (batch, n_in)
        In [0, 1].
    length : int
        Time steps.
    """
    _checks.instance("network", network, Network)
    densities = _checked_densities(network, x)
    length = _checks.length_of_stream("length", length)
    batch = densities.shape[:-1]
    rows = densities.reshape(-1, network.n_in)
    counts = np.concatenate([_float_counts(network, part, length) for part in _chunks(rows, length)])
    return Simulation(counts.reshape(*batch, network.n_out), length, seed=0)


class _Bits:
    """Words of streams, made some time ahead: some sources make whole periods."""

    def __init__(self, make: Callable[[int, int], NDArray[np.uint64]], ahead: int, length: int) -> None:
        self._make, self._ahead, self._length = make, ahead, length
        self._made, self._from = np.empty((0, 0, 0), np.uint64), 0

    @classmethod
    def of(
        cls,
        source: Source,
        key: int,
        streams: NDArray[np.uint64],
        thresholds: NDArray[np.uint64],
        length: int,
    ) -> _Bits:
        """Return those of rows of thresholds that see the same streams."""

        def make(first: int, steps: int) -> NDArray[np.uint64]:
            return source._words_of_rows(key, streams, thresholds, first, steps)

        ahead = 0 if source == Bernoulli() else max(_KEPT_WORDS // thresholds.size, 1)
        return cls(make, ahead, length)

    def words(self, first: int, n: int) -> NDArray[np.uint64]:
        """Return n words from a word on, of shape (..., n), contiguous."""
        if first + n > self._from + self._made.shape[-1]:
            self._made = self._made[..., :0].copy()  # lets go of the memory
            steps = min(64 * max(n, self._ahead), self._length - 64 * first)
            self._made, self._from = self._make(first, steps), first
        here = first - self._from
        return np.ascontiguousarray(self._made[..., here : here + n])


@dataclass
class _LayerState:
    """A layer as the native core takes it, its keys, and the state of its neurons."""

    layer: Dense
    weight_key: int
    noise_key: int
    shared: bool
    bits: _Bits | None
    v: NDArray[np.float64]
    refractory: NDArray[np.uint64]

    @classmethod
    def of(
        cls, layer: Dense, number: int, rows: int, length: int, seed: int, source: Source, shared: bool
    ) -> _LayerState:
        key = stream_key(seed, Role.WEIGHT, number)
        bits = None  # the kernel makes those of Bernoulli streams itself, where it needs them
        if source != Bernoulli():
            thresholds = source.thresholds(np.abs(layer.weights))
            if shared:
                bits = _Bits.of(source, key, lane_streams(1, layer.n_in).ravel(), thresholds, length)
            else:
                streams = lane_streams(layer.n_out, layer.n_in).ravel()
                bits = _Bits.of(source, key, streams, thresholds.reshape(1, -1), length)
        return cls(
            layer,
            key,
            stream_key(seed, Role.NOISE, number),
            shared,
            bits,
            np.full((rows, layer.n_out), layer.neuron.v_rest),
            np.zeros((rows, layer.n_out), np.uint64),
        )

    def run(self, x: NDArray[np.uint64], first: int, steps: int) -> NDArray[np.uint64]:
        """Return the spikes under packed inputs, for a block of time from a word on."""
        bits = None
        if self.bits is not None:
            bits = self.bits.words(first, x.shape[-1]).reshape(*self.layer.weights.shape, -1)
        return _native.dense(
            self.layer.neuron.coefficients, self.weight_key, self.noise_key, x, self.layer._codes,
            bits, self.shared, self.layer.gain, first, steps, self.v, self.refractory,
        )  # fmt: skip


def _run_layers(
    network: Network,
    inputs: _Bits,
    states: Sequence[_LayerState],
    length: int,
    record: bool,
    bar: Bar,
) -> tuple[NDArray[np.int64], list[NDArray[np.uint64]]]:
    """Return the counts of the last layer and, if recorded, the spikes of all; block by block."""
    n_words = -(-length // 64)
    rows = len(states[0].v)
    counts = np.zeros((rows, network.n_out), np.int64)
    trains = [np.empty((*state.v.shape, n_words), np.uint64) for state in states if record]
    widest = max(network.n_in, *(layer.n_out for layer in network.layers))
    made = sum(layer.weights.size for layer in network.layers)
    kept = max((state.layer.weights.size for state in states if state.bits is not None), default=1)
    step = max(min(_SPIKE_WORDS // (rows * widest), _MADE_WORDS // made, _KEPT_WORDS // kept), 1)
    for first in range(0, n_words, step):
        block = slice(first, min(first + step, n_words))
        steps = min(64 * block.stop, length) - 64 * first
        spikes = inputs.words(first, block.stop - first)
        for i, state in enumerate(states):
            spikes = state.run(spikes, first, steps)
            if record:
                trains[i][:, :, block] = spikes
        counts += np.bitwise_count(spikes).sum(axis=-1, dtype=np.int64)
        bar.update(steps)
    return counts, trains


def _float_counts(network: Network, rows: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """Return the output counts of a part of a batch; spikes as float64 (batch, time, neurons)."""
    signal = rows[:, np.newaxis, :]  # constant in time until the first neurons fire
    for layer in network.layers:
        neuron = LIF(**{**asdict(layer.neuron), "noise_std": 0.0})
        currents = layer.gain * np.swapaxes(signal @ layer.weights.T, 1, 2)
        n = len(rows) * layer.n_out
        traces = np.ascontiguousarray(currents.reshape(n, -1))
        spikes, _ = neuron.run_periodic(traces, 0, length, neuron.initial_state(n), key=0)
        train = spikes.bits().reshape(len(rows), layer.n_out, length)
        signal = np.swapaxes(train, 1, 2).astype(np.float64)
    return np.asarray(train.sum(axis=-1, dtype=np.int64))


def _chunks(rows: NDArray[np.float64], length: int) -> list[NDArray[np.float64]]:
    """Split a batch so that the float reference holds some 10 million values at a time."""
    size = max(1, 10_000_000 // (length * max(rows.shape[1], 128)))
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _checked_densities(network: Network, x: ArrayLike) -> NDArray[np.float64]:
    densities = _checks.array("x", x, [1, 2], borrow=True)
    if densities.shape[-1] != network.n_in or 0 in densities.shape:
        _checks.fail("x", _input_contract(network), densities.shape)
    _checks.within("x", densities, 0.0, 1.0, "scale the inputs to densities")
    return densities


def _input_contract(network: Network) -> str:
    return f"have shape ({network.n_in},) or (batch, {network.n_in})"
