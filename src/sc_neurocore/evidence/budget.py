"""Where the precision of a network goes: the noise budget, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence.precision import SAMPLES
from sc_neurocore.networks._bit_layers import DelayLine
from sc_neurocore.networks.layers import Dense, delays_of
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.simulation import simulate
from sc_neurocore.neurons.theory import rheobase
from sc_neurocore.streams._bits import ones
from sc_neurocore.streams.bitstream import Bitstream, encode
from sc_neurocore.streams.keys import Role, stream_key
from sc_neurocore.streams.low_discrepancy import Halton, Sobol
from sc_neurocore.streams.source import (
    Bernoulli,
    Source,
    Sources,
    operands,
)


@dataclass(frozen=True)
class LayerBudget:
    """Where the precision of a layer goes, over a batch of inputs.

    Attributes
    ----------
    current_std : float
        Standard deviation of the mean currents over neurons and inputs: the signal.
    standard_error : float
        Root mean square of the standard error of these mean currents, by sampling this layer's
        weights and, in the first layer, inputs that were encoded. By law for Bernoulli streams; for
        other sources measured on products of these spikes and weights.
    step_std : float
        Root mean square of the standard deviation of the current from one time step to another, as if
        its products were independent from step to step.
    rheobase_share : float
        Mean of the positive mean currents, in units of the rheobase: below 1 it takes noise to fire.
    above_rheobase : float
        Share of neurons and inputs whose mean current exceeds the rheobase.
    saturated : float
        Share of trains with as many spikes as the refractory period allows: what is above is lost.
    silent : float
        Share of trains without a spike.
    clipped : float
        Share of weights at -1 or 1, the ends of their range.
    """

    current_std: float
    standard_error: float
    step_std: float
    rheobase_share: float
    above_rheobase: float
    saturated: float
    silent: float
    clipped: float


def noise_budget(
    network: Network,
    x: ArrayLike | Bitstream,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
) -> list[LayerBudget]:
    """Return the budget of each layer of a network that is simulated once; arguments as `simulate`.

    Densities are over the whole run: inputs that arrive late are missing at its beginning.

    Raises
    ------
    ValueError
        If a layer is a convolution or recurrent: its products are not those of these laws.

    Examples
    --------
    >>> from sc_neurocore import load_digits, noise_budget
    >>> digits = load_digits()
    >>> for layer in noise_budget(digits.network, digits.images, 64, seed=1):
    ...     noise = layer.standard_error / layer.current_std
    ...     print(f"noise {noise:.1%} of the signal, {layer.above_rheobase:.0%} above the rheobase")
    noise 6.8% of the signal, 29% above the rheobase
    noise 4.4% of the signal, 15% above the rheobase
    """
    _checks.instance("network", network, Network)
    layers: list[Dense] = []
    for i, layer in enumerate(network.layers):
        if not isinstance(layer, Dense) or layer.recurrent is not None:
            _checks.fail(f"layers[{i}]", "be a Dense without recurrent weights", layer)
        layers.append(layer)
    result = simulate(network, x, length, seed=seed, source=source, record=True)
    of_inputs, *of_weights = operands(source, 1 + len(layers))
    trains = _as_batch(x) if isinstance(x, Bitstream) else None
    densities = np.atleast_2d(np.asarray(x, float)) if trains is None else trains.probability()
    budgets = []
    parts = zip(layers, map(_as_batch, result.spikes), of_weights, strict=True)
    for layer, spikes, of_layer in parts:
        w = layer._matrix
        trains, densities, present = _arriving(layer, trains, densities, result.length)
        currents = layer.gain * (densities * present) @ w.T
        of_step = densities * present @ np.abs(w).T - densities**2 * present @ (w**2).T
        pair = of_inputs, of_layer
        sampling = _sampling_variance(layer, densities, present, trains, result.length, pair)
        most = math.ceil(result.length / (1 + layer.neuron.refractory_period))
        threshold = rheobase(layer.neuron)
        positive = currents[currents > 0]
        budgets.append(
            LayerBudget(
                current_std=float(currents.std()),
                standard_error=layer.gain * math.sqrt(sampling),
                step_std=layer.gain * float(np.sqrt(of_step.mean())),
                rheobase_share=_share(positive, threshold),
                above_rheobase=float((currents > threshold).mean()),
                saturated=float((spikes.counts() >= most).mean()),
                silent=float((spikes.counts() == 0).mean()),
                clipped=float((np.abs(w) == 1).mean()),
            )
        )
        trains, densities = spikes, spikes.probability()
    return budgets


def _as_batch(x: Bitstream) -> Bitstream:
    return x if len(x.shape) == 2 else x[None]


def _share(positive: NDArray[np.float64], threshold: float) -> float:
    if positive.size == 0:
        return 0.0
    return float(positive.mean()) / threshold if threshold else math.inf


def _arriving(
    layer: Dense, trains: Bitstream | None, densities: NDArray[np.float64], length: int
) -> tuple[Bitstream | None, NDArray[np.float64], NDArray[np.float64]]:
    """Return what meets the weights, the bias's input last: bits, densities, share of steps present.

    Constant inputs keep their density and miss the share of the steps before they arrive; bits that
    are given are shifted.
    """
    present = np.ones(layer.n_in)
    delays = delays_of(layer)
    if delays is not None and trains is None:
        present -= np.minimum(delays, length) / length
    elif delays is not None and trains is not None:
        late = DelayLine(delays, len(trains.words), length)
        trains = Bitstream(late.shifted(trains.words, length), length)
    if layer.bias is not None:
        present = np.append(present, 1.0)
        if trains is not None:
            on = ones((len(trains.words), 1), length)
            trains = Bitstream(np.concatenate([trains.words, on], axis=1), length)
        densities = np.column_stack([densities, np.ones(len(densities))])
    return trains, densities if trains is None else trains.probability(), present


def _sampling_variance(
    layer: Dense,
    x: NDArray[np.float64],
    present: NDArray[np.float64],
    trains: Bitstream | None,
    length: int,
    pair: tuple[Source, Source],
) -> float:
    """Return the mean variance of the sum of signed products, over neurons and a batch of inputs.

    x are densities (batch, n_in) in that share of the steps; trains the bits that have them, or None if
    they are to be encoded.
    """
    w = np.abs(layer._matrix)
    if pair[1] == Bernoulli() and trains is not None:
        return float((x @ (w * (1 - w)).T).mean() / length)
    if pair == (Bernoulli(), Bernoulli()):
        return float((x * present @ w.T - x**2 * present @ (w**2).T).mean() / length)
    # No law: products of these inputs and weights at random places, under other keys.
    generator = np.random.default_rng(0)
    b, i, j = (generator.integers(n, size=SAMPLES) for n in (*x.shape, layer.n_out))
    lanes = i.astype(np.uint64)
    apart = np.arange(SAMPLES, dtype=np.uint64) << np.uint64(32) | lanes
    if trains is None:
        by_number = isinstance(pair[0], Halton) or pair[0] in (Sobol(), Sobol(randomized=False))
        streams = lanes if by_number else apart
        bits = encode(x[b, i], length, key=stream_key(0, Role.INPUT), source=pair[0], streams=streams)
    else:
        bits = trains[b, i]
    weights = encode(w[j, i], length, key=stream_key(0, Role.WEIGHT), source=pair[1], streams=apart)
    # Only present steps err; they are taken to do so independently.
    errors = ((bits & weights).probability() - x[b, i] * w[j, i]) * np.sqrt(present[i])
    # What all errors have in common adds up with the signs of the weights.
    signs = np.sign(layer._matrix).sum(axis=1)
    common = float(errors.mean() ** 2 * (signs**2).mean())
    return int(w.shape[1]) * float(errors.var()) + common
