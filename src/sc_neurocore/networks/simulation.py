"""Simulation of networks on bitstreams, and of the same networks on real numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore._tables import html_table
from sc_neurocore.networks._bit_layers import BitLayer, Bits, run_layers
from sc_neurocore.networks._inputs import check_streams, checked_densities
from sc_neurocore.networks._real_layers import chunks, drive, run_rows
from sc_neurocore.networks.fixed_point import FixedLIF, FixedNetwork, FixedPoint
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons import (
    LIF,
    SilentLayerWarning,
    rheobase,
)
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Role,
    Source,
    operands,
    stream_key,
)
from sc_neurocore.streams._bits import n_words
from sc_neurocore.streams.keys import (
    checked_seed,
    lane_streams,
)
from sc_neurocore.streams.source import (
    Sources,
    warn_of_rise,
)

__all__ = ["Simulation", "simulate", "simulate_float"]

# Rows of inputs whose mean currents explain why a layer is silent.
_SOME = 8


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
    spikes : tuple of Bitstream
        Spikes of each layer, of batch shape (..., n_neurons); empty unless recorded.
    """

    counts: NDArray[np.int64]
    potentials: NDArray[np.float64]
    length: int
    seed: int | None
    spikes: tuple[Bitstream, ...] = ()

    @property
    def classes(self) -> NDArray[np.int64]:
        """Index of the output neuron with the most spikes, of shape (...).

        Ties are broken by the highest potential, then by the lowest index. Output neurons that never
        fire are therefore compared by their potentials.
        """
        most = self.counts == self.counts.max(axis=-1, keepdims=True)
        return np.asarray(np.where(most, self.potentials, -np.inf).argmax(axis=-1))

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
    x: ArrayLike | Bitstream,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    share_weight_numbers: bool = False,
    fixed_point: FixedPoint | None = None,
    record: bool = False,
    progress: bool = False,
) -> Simulation:
    """Return the spikes of a network whose inputs and weights are bitstreams.

    Each weight of a `Dense` layer and each kernel weight of a `Conv2d` has one stream. A bias is an
    input that is always on. Delayed inputs and recurrent spikes are 0 before the first step.

    Parameters
    ----------
    network : Network
    x : array_like or Bitstream
        Densities in [0, 1] of shape (n_in,) or (batch, n_in), which are encoded; or streams of that
        batch shape.
    length : int, optional
        Number of time steps. Required unless x is a Bitstream, which has a length of its own.
    seed : int, optional
        In [0, 2**128). Drawn from system entropy by default; read it back from `Simulation.seed`.
    source : Source or tuple of Source
        Sources of the numbers for the inputs and for the weights of each layer, in this order. A single
        source stands for its `sequences`, one for each.
    share_weight_numbers : bool
        Compare the weights of all neurons of a layer with the numbers of its first neuron, as hardware
        does to save generators. The mean and variance of each current stay the same, but the currents
        of two neurons become correlated: positively where their weights agree in sign, negatively where
        they differ.
    fixed_point : FixedPoint, optional
        Round weights and inputs, and compute the neurons in fixed point, as hardware does. Inputs that
        are a Bitstream are not rounded. By default neurons are computed in float64.
    record : bool
        Keep the spikes of every layer. Without it, memory does not grow with the length.
    progress : bool
        Show a progress bar (requires the extra `progress`).

    Returns
    -------
    Simulation

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `length` is missing.
    ValueError
        If x has the wrong shape or values outside [0, 1], `source` has too few sequences for the
        layers, or the network does not fit `fixed_point`.

    Warns
    -----
    SilentLayerWarning
        If no neuron of a layer fires because its mean current does not exceed the rheobase.
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
    """
    _checks.instance("network", network, Network)
    _checks.instance("record", record, bool)
    _checks.instance("progress", progress, bool)
    return Prepared.of(
        network if fixed_point is None else in_fixed_point(network, fixed_point),
        seed=seed,
        source=source,
        share_weight_numbers=share_weight_numbers,
    ).run(x, length, record=record, progress=progress)


def in_fixed_point(network: Network, fixed_point: FixedPoint) -> FixedNetwork:
    """Return `fixed_point.of(network)`; TypeError if an argument has the wrong type."""
    _checks.instance("fixed_point", fixed_point, FixedPoint)
    return fixed_point.of(network)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network ready to be simulated: everything that does not depend on the inputs.

    Not public yet. One prepared network runs on any number of inputs: the state of a run is made by
    `BitLayer.start` and is not kept here.

    Attributes
    ----------
    network : Network
        With rounded weights if it is in fixed point.
    fixed_point : FixedPoint or None
    seed : int
    source : Source
        Source of the numbers for the inputs.
    layers : tuple of BitLayer
    """

    network: Network
    fixed_point: FixedPoint | None
    seed: int
    source: Source
    layers: tuple[BitLayer, ...]

    @classmethod
    def of(
        cls,
        network: Network | FixedNetwork,
        *,
        seed: int | None = None,
        source: Sources = Bernoulli(),
        share_weight_numbers: bool = False,
    ) -> Prepared:
        """Return a network ready to be simulated; arguments as in `simulate`."""
        neurons: Sequence[LIF | FixedLIF]
        if isinstance(network, FixedNetwork):
            fixed_point, neurons, network = network.fixed_point, network.neurons, network.network
        else:
            fixed_point, neurons = None, [layer.neuron for layer in network]
        seed = checked_seed("seed", seed)
        _checks.instance("share_weight_numbers", share_weight_numbers, bool)
        of_inputs, *of_weights = operands(source, 1 + len(network))
        layers = tuple(
            BitLayer.of(layer, neuron, i, seed=seed, source=of_layer, share=share_weight_numbers)
            for i, (layer, neuron, of_layer) in enumerate(
                zip(network, neurons, of_weights, strict=True)
            )
        )
        return cls(network, fixed_point, seed, of_inputs, layers)

    def run(
        self,
        x: ArrayLike | Bitstream,
        length: int | None = None,
        *,
        record: bool = False,
        progress: bool = False,
        warn: bool = True,
    ) -> Simulation:
        """Return the spikes for inputs; arguments as in `simulate`, and whether to warn of silence."""
        if isinstance(x, Bitstream):
            check_streams("x", x, self.network.n_in)
            if length is not None and length != x.length:
                _checks.fail("length", f"be omitted or equal the length of x, {x.length}", length)
            given: Bitstream | NDArray[np.float64] = x
            length, batch, inputs = x.length, x.shape[:-1], self._given(x)
        else:
            densities = checked_densities("x", x, self.network.n_in)
            if length is None:
                _checks.wrong_type("length", "be given unless x is a Bitstream", length)
            length = _checks.length_of_stream("length", length)
            given, batch = densities, densities.shape[:-1]
            inputs = self._encoded(densities, length)
        for layer in self.layers:
            if layer.streams is not None:
                warn_of_rise(layer.source, layer.streams, length)
        rows = math.prod(batch)
        states = [layer.start(rows, length) for layer in self.layers]
        with progress_bar(length, "simulate", "step", show=progress) as bar:
            counts, trains, fired = run_layers(
                self.layers, states, inputs, rows, length, record=record, bar=bar
            )
        if warn and not all(fired):
            self._warn_of_silence(given, length, fired)
        spikes = tuple(Bitstream(t, length).reshape(*batch, t.shape[1]) for t in trains)
        shape = (*batch, self.network.n_out)
        potentials = self.layers[-1].potentials(states[-1]).reshape(shape)
        return Simulation(counts.reshape(shape), potentials, length, self.seed, spikes)

    def _warn_of_silence(
        self, x: Bitstream | NDArray[np.float64], length: int, fired: Sequence[bool]
    ) -> None:
        """Warn if a layer has not fired because its current is too small, with the reason and a remedy.

        The mean currents are those of the first rows of x.
        """
        fires = [math.isfinite(layer.neuron.v_threshold) for layer in self.network]
        silent = [i for i, (can, did) in enumerate(zip(fires, fired, strict=True)) if can and not did]
        if not silent:
            return
        i, layer = silent[0], self.network[silent[0]]
        some = x[:_SOME] if len(x.shape) > 1 else x
        if i > 0:
            rates = self.run(some, length, record=True, warn=False).spikes[i - 1].probability()
        else:
            rates = some.probability() if isinstance(some, Bitstream) else some
        sums = drive(layer, rates.reshape(-1, layer.n_in, 1))
        mean, needed = layer.gain * float(sums.max()), rheobase(layer.neuron)
        if mean > needed or not rates.any():
            return
        remedy = "raise its positive weights"
        if mean > 0:
            remedy = f"raise its gain above {layer.gain * needed / mean:.4g} (now {layer.gain:.4g})"
        _checks.warn(
            f"no neuron of layer {i} fired in {length} steps: its largest mean current {mean:.4g} does "
            f"not exceed the rheobase {needed:.4g}; {remedy}, or lower v_threshold",
            SilentLayerWarning,
        )

    def _given(self, x: Bitstream) -> Bits:
        words = x.words.reshape(-1, self.network.n_in, x.words.shape[-1])
        return Bits(lambda first, steps: words[:, :, first : first + n_words(steps)], 0, x.length)

    def _encoded(self, densities: NDArray[np.float64], length: int) -> Bits:
        if self.fixed_point is not None:
            densities = self.fixed_point.rounded(densities)
        n_in = self.network.n_in
        thresholds = self.source.thresholds(densities.reshape(-1, n_in))
        key, streams = stream_key(self.seed, Role.INPUT), lane_streams(1, n_in).ravel()
        warn_of_rise(self.source, streams, length)
        return Bits.of(self.source, key, streams, thresholds, length)


def simulate_float(network: Network, x: ArrayLike, length: int) -> Simulation:
    """Return the spikes of the same network on real numbers: the reference for the error of `simulate`.

    Inputs and weights are real numbers that are constant in time. Neurons, time steps and spikes are
    those of `simulate`, without noise. The two differ by the sampling error alone.

    Parameters
    ----------
    network : Network
    x : array_like, shape (n_in,) or (batch, n_in)
        In [0, 1].
    length : int
        Number of time steps.

    Returns
    -------
    Simulation
        With `seed` None and no recorded spikes.

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
    _checks.instance("network", network, Network)
    densities = checked_densities("x", x, network.n_in)
    length = _checks.length_of_stream("length", length)
    batch = densities.shape[:-1]
    rows = densities.reshape(-1, network.n_in)
    parts = [run_rows(network.layers, part, length) for part in chunks(network.layers, rows, length)]
    shape = (*batch, network.n_out)
    counts, potentials = (np.concatenate(arrays).reshape(shape) for arrays in zip(*parts, strict=True))
    return Simulation(counts, potentials, length, seed=None)
