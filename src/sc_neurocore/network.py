"""Networks as data, and their simulation on bitstreams."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._files import read_arrays, replacing
from sc_neurocore.bitstream import Bitstream, encode
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

# Words of weight bits of one neuron per block of time; several neurons' share the second-level cache.
_BLOCK_WORDS = 4096
# Words of all weight bits of a layer that are kept, where the kernel does not make them: 64 MB.
_WEIGHT_WORDS = 2**23


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

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weights.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[0])

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
    record: bool = False,
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
    record : bool
        Keep the packed spikes of every layer.

    Returns
    -------
    Simulation
    """
    _checks.instance("network", network, Network)
    seed = checked_seed("seed", seed)
    of_inputs, *of_weights = operands(source, 1 + len(network.layers))
    if isinstance(x, Bitstream):
        if length is not None and length != x.length:
            _checks.fail("length", f"be left out or equal that of x, {x.length}", length)
        bits = x
    else:
        densities = _checked_densities(network, x)
        numbers = np.arange(network.n_in)
        if length is None:
            _checks.wrong_type("length", "be given unless x is a Bitstream", length)
        length = _checks.length_of_stream("length", length)
        key = stream_key(seed, Role.INPUT)
        bits = encode(densities, length, key, source=of_inputs, streams=numbers)
    if len(bits.shape) not in (1, 2) or bits.shape[-1] != network.n_in or 0 in bits.shape:
        _checks.fail("x", _input_contract(network), f"batch shape {bits.shape}")

    batch = bits.shape[:-1]
    words = bits.words.reshape(-1, network.n_in, bits.words.shape[-1])
    trains = _run_layers(network, words, bits.length, seed, of_weights, record)
    counts = np.bitwise_count(trains[-1]).sum(axis=-1, dtype=np.int64)
    recorded = trains if record else []
    spikes = tuple(Bitstream(t, bits.length).reshape(*batch, t.shape[1]) for t in recorded)
    return Simulation(counts.reshape(*batch, network.n_out), bits.length, seed, spikes)


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


@dataclass
class _LayerState:
    """A layer's weights as the native core takes them, its keys, and the state of its neurons."""

    coefficients: tuple[float, ...]
    weight_key: int
    noise_key: int
    weights: NDArray[np.int64]
    source: Source
    thresholds: NDArray[np.uint64]
    gain: float
    v: NDArray[np.float64]
    refractory: NDArray[np.uint64]
    n_words: int
    made: NDArray[np.uint64]
    made_from: int = 0

    @classmethod
    def of(
        cls, layer: Dense, number: int, batch: int, n_words: int, seed: int, source: Source
    ) -> _LayerState:
        return cls(
            layer.neuron.coefficients,
            stream_key(seed, Role.WEIGHT, number),
            stream_key(seed, Role.NOISE, number),
            np.rint(layer.weights * 2.0**32).astype(np.int64),
            source,
            source.thresholds(np.abs(layer.weights)).ravel(),
            layer.gain,
            np.full((batch, layer.n_out), layer.neuron.v_rest),
            np.zeros((batch, layer.n_out), np.uint64),
            n_words,
            np.empty((layer.n_out, layer.n_in, 0), np.uint64),
        )

    @property
    def most_words(self) -> int:
        """How many words of time of all weights are made at once."""
        return max(_WEIGHT_WORDS // self.weights.size, 1)

    def run(self, x: NDArray[np.uint64], first_word: int, length: int) -> NDArray[np.uint64]:
        return _native.dense(
            self.coefficients, self.weight_key, self.noise_key, x, self.weights,
            self._weight_bits(first_word, length), self.gain, first_word, length, self.v,
            self.refractory,
        )  # fmt: skip

    def _weight_bits(self, first_word: int, length: int) -> NDArray[np.uint64] | None:
        if self.source == Bernoulli():  # the kernel makes these itself, where it needs them
            return None
        n_words = -(-length // 64)
        if first_word + n_words > self.made_from + self.made.shape[-1]:
            # Some sources make whole periods, so several blocks of time are made at once.
            streams = lane_streams(*self.weights.shape).ravel()
            steps = 64 * min(max(n_words, self.most_words), self.n_words - first_word)
            words = self.source._words(self.weight_key, streams, self.thresholds, first_word, steps)
            self.made, self.made_from = words.reshape(*self.weights.shape, -1), first_word
        here = first_word - self.made_from
        return np.ascontiguousarray(self.made[:, :, here : here + n_words])


def _run_layers(
    network: Network,
    x: NDArray[np.uint64],
    length: int,
    seed: int,
    sources: Sequence[Source],
    record: bool,
) -> list[NDArray[np.uint64]]:
    """Return the packed spikes of every layer, or of the last; block by block of time."""
    batch, _, n_words = x.shape
    states = [
        _LayerState.of(layer, i, batch, n_words, seed, source)
        for i, (layer, source) in enumerate(zip(network.layers, sources, strict=True))
    ]
    kept = network.layers if record else network.layers[-1:]
    trains = [np.empty((batch, layer.n_out, n_words), np.uint64) for layer in kept]
    widest = max(layer.n_in for layer in network.layers)
    step = min(max(_BLOCK_WORDS // widest, 1), 8, *(state.most_words for state in states))
    for first in range(0, n_words, step):
        block = slice(first, min(first + step, n_words))
        steps = min(64 * block.stop, length) - 64 * first
        spikes = np.ascontiguousarray(x[:, :, block])
        for i, state in enumerate(states):
            spikes = state.run(spikes, first, steps)
            if record:
                trains[i][:, :, block] = spikes
        if not record:
            trains[0][:, :, block] = spikes
    return trains


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
    densities = _checks.array("x", x, [1, 2])
    if densities.shape[-1] != network.n_in or 0 in densities.shape:
        _checks.fail("x", _input_contract(network), densities.shape)
    _checks.within("x", densities, 0.0, 1.0, "scale the inputs to densities")
    return densities


def _input_contract(network: Network) -> str:
    return f"have shape ({network.n_in},) or (batch, {network.n_in})"
