"""Noise budget of a network: sampling errors and losses of precision in each layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.networks import (
    Dense,
    Network,
    simulate,
)
from sc_neurocore.networks._inputs import with_always_on
from sc_neurocore.neurons import (
    rheobase,
)
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Halton,
    Role,
    Sobol,
    Source,
    encode,
    operands,
    stream_key,
)
from sc_neurocore.streams._bits import delayed
from sc_neurocore.streams.source import (
    Sources,
)

__all__ = ["LayerBudget", "noise_budget"]

# Products that are sampled where no law is known.
SAMPLES = 4096


@dataclass(frozen=True)
class LayerBudget:
    """Signal, sampling error and losses of precision in a layer, over a batch of inputs.

    Attributes
    ----------
    current_std : float
        Standard deviation of the mean currents over neurons and inputs: the signal.
    standard_error : float
        Root mean square of the standard errors of these mean currents, caused by sampling the weights
        of this layer and, in the first layer, the encoded inputs. In closed form for Bernoulli streams;
        for other sources measured on products of these spikes and weights.
    step_std : float
        Root mean square of the standard deviation of the current between time steps, as if its products
        were independent from step to step.
    rheobase_share : float
        Mean of the positive mean currents, in units of the rheobase. Below 1, such a current fires the
        neuron only through noise.
    above_rheobase : float
        Proportion of neurons and inputs whose mean current exceeds the rheobase.
    saturated : float
        Proportion of spike trains with as many spikes as the refractory period allows; higher currents
        make no difference.
    silent : float
        Proportion of spike trains without a spike.
    clipped : float
        Proportion of weights at -1 or 1, the limits of their range.
    """

    current_std: float
    standard_error: float
    step_std: float
    rheobase_share: float
    above_rheobase: float
    saturated: float
    silent: float
    clipped: float

    def __repr__(self) -> str:
        return (
            f"LayerBudget(current_std={self.current_std:.4g}, "
            f"standard_error={self.standard_error:.4g}, above_rheobase={self.above_rheobase:.3g}, "
            f"silent={self.silent:.3g})"
        )

    def _repr_html_(self) -> str:
        return html_table(
            ("quantity", "value"), [(k.replace("_", " "), f"{v:.4g}") for k, v in vars(self).items()]
        )


def noise_budget(
    network: Network,
    x: ArrayLike | Bitstream,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
) -> list[LayerBudget]:
    """Return the noise budget of each layer, from one simulation of the network.

    Densities are means over the whole run, including the time steps before a delayed input arrives.

    Parameters
    ----------
    network : Network
        Of `Dense` layers without recurrent weights.
    x : array_like or Bitstream
        Densities in [0, 1] of shape (n_in,) or (batch, n_in), or streams of that batch shape.
    length : int, optional
        Number of time steps. Required unless x is a Bitstream.
    seed : int, optional
        In [0, 2**128). Drawn from system entropy by default.
    source : Source or tuple of Source
        As in `simulate`.

    Returns
    -------
    list of LayerBudget
        In the order of the layers.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a layer is a convolution or has recurrent weights, or an argument is outside its range.

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
    for i, layer in enumerate(network):
        if not isinstance(layer, Dense) or layer.recurrent is not None:
            _checks.fail(f"layers[{i}]", "be a Dense without recurrent weights", layer)
        layers.append(layer)
    with _checks.allocating(f"the spikes of {length} steps", "use a shorter length"):
        result = simulate(network, x, length, seed=seed, source=source, record=True)
    of_inputs, *of_weights = operands(source, 1 + len(layers))
    trains = _as_batch(x) if isinstance(x, Bitstream) else None
    densities = np.atleast_2d(np.asarray(x, float)) if trains is None else trains.probability()
    budgets = []
    parts = zip(layers, map(_as_batch, result.spikes), of_weights, strict=True)
    for layer, spikes, of_layer in parts:
        w = layer.matrix
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
    """Return the inputs of the weights, delayed and followed by the input of the bias.

    Returns
    -------
    trains : Bitstream or None
        Of batch shape (batch, fan_in); None if the inputs are still to be encoded.
    densities : ndarray of float64, shape (batch, fan_in)
    present : ndarray of float64, shape (fan_in,)
        Proportion of the time steps after a constant input has arrived; 1 for trains, which are delayed
        bit by bit.
    """
    delays, present = layer.delays, np.ones(layer.matrix.shape[1])
    if trains is None:
        if delays is not None:
            present[: layer.n_in] -= np.minimum(delays, length) / length
        if layer.bias is not None:
            densities = np.column_stack([densities, np.ones(len(densities))])
        return None, densities, present
    words = trains.words if delays is None else delayed(trains.words, delays, length)
    trains = Bitstream(words if layer.bias is None else with_always_on(words, length), length)
    return trains, trains.probability(), present


def _sampling_variance(
    layer: Dense,
    x: NDArray[np.float64],
    present: NDArray[np.float64],
    trains: Bitstream | None,
    length: int,
    pair: tuple[Source, Source],
) -> float:
    """Return the mean variance of the sum of signed products, over neurons and a batch of inputs.

    Arguments x, present and trains are results of `_arriving`.
    """
    w = np.abs(layer.matrix)
    if pair[1] == Bernoulli() and trains is not None:
        return float((x @ (w * (1 - w)).T).mean() / length)
    if pair == (Bernoulli(), Bernoulli()):
        return float((x * present @ w.T - x**2 * present @ (w**2).T).mean() / length)
    # Without a closed form: products of random pairs of these inputs and weights, with other keys.
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
    # Only steps after the arrival have errors; these are assumed to be independent.
    errors = ((bits & weights).probability() - x[b, i] * w[j, i]) * np.sqrt(present[i])
    # A mean of the errors beyond that of a sample is common to all products and adds up with the signs
    # of the weights.
    mean = float(errors.mean())
    if abs(mean) <= 4 * math.sqrt(float(errors.var()) / SAMPLES):
        mean = 0.0
    signs = np.sign(layer.matrix).sum(axis=1)
    common = mean**2 * float((signs**2).mean())
    return int(w.shape[1]) * float(errors.var()) + common
