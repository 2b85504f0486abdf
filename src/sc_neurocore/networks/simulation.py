"""Simulation of networks on bitstreams, and on real numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore.networks._bit_layers import Bits, LayerRun, run_layers
from sc_neurocore.networks._real_layers import chunks, run_rows
from sc_neurocore.networks.fixed_point import FixedLIF, FixedPoint, fixed_layers
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons.lif import LIF
from sc_neurocore.streams.bitstream import Bitstream
from sc_neurocore.streams.keys import (
    Role,
    checked_seed,
    lane_streams,
    stream_key,
)
from sc_neurocore.streams.source import Bernoulli, Sources, operands


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a network did under a batch of inputs.

    Attributes
    ----------
    counts : ndarray of int64, shape (..., n_out)
        Spikes of each output neuron.
    potentials : ndarray of float64, shape (..., n_out)
        Membrane potentials of the output neurons after the last step.
    length : int
        Time steps.
    seed : int or None
        Seed that repeats the run; None for `simulate_float`, which draws nothing.
    spikes : tuple of Bitstream
        The packed spikes of every layer, of batch shape (..., n_neurons); empty unless recorded.
    """

    counts: NDArray[np.int64]
    potentials: NDArray[np.float64]
    length: int
    seed: int | None
    spikes: tuple[Bitstream, ...] = ()

    @property
    def classes(self) -> NDArray[np.int64]:
        """The output with the most spikes, of the batch shape.

        Of equals it is the one with the highest potential, of these the first: outputs that never fire
        are compared by their potentials alone.
        """
        most = self.counts == self.counts.max(axis=-1, keepdims=True)
        return np.asarray(np.where(most, self.potentials, -np.inf).argmax(axis=-1))

    def __repr__(self) -> str:
        return f"Simulation(counts of shape {self.counts.shape}, length={self.length})"


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

    A convolution has one stream a kernel weight, a bias is an input that is always on, and delays and
    recurrent weights start from bits that are 0. Noise is that of a neuron's number and the step.

    Random numbers belong to the wires of the network, as in hardware, not to the inputs: every row of a
    batch meets the same uniform numbers, so its result does not depend on the other rows. Use several
    seeds to average over them.

    Mean currents are unbiased with every randomized source. A firing rate depends on how even a current
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
    share_weight_numbers : bool
        Let all neurons of a layer compare their weights with the numbers of its first neuron, as
        hardware does to save generators. Each current keeps its mean and variance, but those of two
        neurons vary together where their weights agree, and against each other where they differ in
        sign.
    fixed_point : FixedPoint, optional
        Round weights and inputs, and compute the neurons in fixed point, as hardware does. Inputs that
        are a Bitstream stay as they are. By default neurons are in float64.
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
    _checks.instance("share_weight_numbers", share_weight_numbers, bool)
    of_inputs, *of_weights = operands(source, 1 + len(network.layers))
    neurons: Sequence[LIF | FixedLIF] = [layer.neuron for layer in network.layers]
    if fixed_point is not None:
        _checks.instance("fixed_point", fixed_point, FixedPoint)
        network, neurons = fixed_layers(network, fixed_point)
    if isinstance(x, Bitstream):
        if length is not None and length != x.length:
            _checks.fail("length", f"be left out or equal that of x, {x.length}", length)
        if len(x.shape) not in (1, 2) or x.shape[-1] != network.n_in or 0 in x.shape:
            _checks.fail("x", _input_contract(network), f"batch shape {x.shape}")
        length, batch = x.length, x.shape[:-1]
        given = x.words.reshape(-1, network.n_in, x.words.shape[-1])
        inputs = Bits(lambda first, steps: given[:, :, first : first + -(-steps // 64)], 0, length)
        rows = len(given)
    else:
        densities = _checked_densities(network, x)
        if length is None:
            _checks.wrong_type("length", "be given unless x is a Bitstream", length)
        length, batch = _checks.length_of_stream("length", length), densities.shape[:-1]
        if fixed_point is not None:
            densities = fixed_point.rounded(densities)
        thresholds = of_inputs.thresholds(densities.reshape(-1, network.n_in))
        key, rows = stream_key(seed, Role.INPUT), len(thresholds)
        inputs = Bits.of(of_inputs, key, lane_streams(1, network.n_in).ravel(), thresholds, length)
    runs = [
        LayerRun.of(layer, neuron, i, rows, length, seed, source, share_weight_numbers)
        for i, (layer, neuron, source) in enumerate(
            zip(network.layers, neurons, of_weights, strict=True)
        )
    ]
    with progress_bar(length, "simulate", "step", show=progress) as bar:
        counts, trains = run_layers(runs, inputs, rows, length, record, bar)
    spikes = tuple(Bitstream(t, length).reshape(*batch, t.shape[1]) for t in trains)
    shape = (*batch, network.n_out)
    potentials = runs[-1].potentials().reshape(shape)
    return Simulation(counts.reshape(shape), potentials, length, seed, spikes)


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
    parts = [run_rows(network.layers, part, length) for part in chunks(network.layers, rows, length)]
    shape = (*batch, network.n_out)
    counts, potentials = (np.concatenate(arrays).reshape(shape) for arrays in zip(*parts, strict=True))
    return Simulation(counts, potentials, length, seed=None)


def _checked_densities(network: Network, x: ArrayLike) -> NDArray[np.float64]:
    densities = _checks.array("x", x, [1, 2], borrow=True)
    if densities.shape[-1] != network.n_in or 0 in densities.shape:
        _checks.fail("x", _input_contract(network), densities.shape)
    _checks.within("x", densities, 0.0, 1.0, "scale the inputs to densities")
    return densities


def _input_contract(network: Network) -> str:
    return f"have shape ({network.n_in},) or (batch, {network.n_in})"
