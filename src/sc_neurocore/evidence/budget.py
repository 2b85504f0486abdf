"""Noise budget of a network: sampling errors and losses of precision in each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.networks import (
    Conv2d,
    Dense,
    Network,
    simulate,
)
from sc_neurocore.networks._inputs import InputLike, Inputs, with_always_on
from sc_neurocore.networks.layers import Layer, all_weights, lif_of, neurons, of_each
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
from sc_neurocore.streams.keys import checked_seed
from sc_neurocore.streams.source import (
    Sources,
)

__all__ = ["LayerBudget", "noise_budget", "sufficient_bits_per_step"]

# Products that are sampled where no law is known, at most this many bits of them.
SAMPLES, _BITS = 4096, 2**25


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
        were independent from step to step. It includes the changes of the spikes themselves.
    step_noise : float
        Root mean square of the error of the current in a time step, caused by sampling the same weights
        and encoded inputs as for `standard_error`, times ``resistance * dt`` in units of the distance
        from rest to threshold. It falls with `bits_per_step`. Far above 1, neurons fire because of the
        noise; NaN for neurons that never fire.
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
    step_noise: float
    rheobase_share: float
    above_rheobase: float
    saturated: float
    silent: float
    clipped: float

    def __repr__(self) -> str:
        return (
            f"LayerBudget(current_std={self.current_std:.4g}, "
            f"standard_error={self.standard_error:.4g}, "
            f"step_noise={self.step_noise:.3g}, above_rheobase={self.above_rheobase:.3g}, "
            f"silent={self.silent:.3g})"
        )

    def _repr_html_(self) -> str:
        return html_table(
            ("quantity", "value"), [(k.replace("_", " "), f"{v:.4g}") for k, v in vars(self).items()]
        )


def noise_budget(
    network: Network,
    x: InputLike,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    bits_per_step: int = 1,
) -> list[LayerBudget]:
    """Return the noise budget of each layer, from one simulation of the network.

    Densities are means over the whole run, including the time steps before a delayed input arrives. Of
    a convolution, at most 4,096 positions of the batch are used, chosen at random.

    Parameters
    ----------
    network : Network
    x : array_like, Bitstream or Events
        As in `simulate`. Densities that change in time are encoded, and used as spike trains.
    length : int, optional
        Number of time steps. Required for densities that are constant in time.
    seed : int, optional
        In [0, 2**128). Drawn from system entropy by default.
    source : Source or tuple of Source
        As in `simulate`.
    bits_per_step : int
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
        If an argument is outside its range.

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
    given = Inputs.of("x", x, network)
    of_inputs, *of_weights = operands(source, 1 + len(network))
    if isinstance(given.values, np.ndarray) and given.values.ndim == 3:
        given = _encoded(given, of_inputs)
    with _checks.allocating(f"the spikes of {length} steps", "use a shorter length"):
        result = simulate(
            network, given, length, seed=seed, source=source, bits_per_step=bits_per_step, record=True
        )
    spikes = [_as_batch(train) for train in result.spikes]
    budgets = []
    for layer, own, sources, of_layer in zip(
        network, spikes, network.connections, of_weights, strict=True
    ):
        inputs = _joined([given if isinstance(s, slice) else spikes[s] for s in sources], sources)
        arriving = _arriving(layer, inputs, own, result.length)
        pair = of_inputs, of_layer
        budgets.append(_budget(layer, own, arriving, result.length, bits_per_step, pair))
    return budgets


# Noise of a step with which the networks of the page on bits per time step keep their accuracy.
SUFFICIENT_NOISE = 0.15
# Largest number of bits per step that is tried.
_MOST_BITS = 2**12


def sufficient_bits_per_step(
    network: Network,
    x: InputLike,
    length: int | None = None,
    *,
    step_noise: float = SUFFICIENT_NOISE,
    seed: int | None = None,
    source: Sources = Bernoulli(),
) -> int:
    """Return the smallest power of two of bits per step that keeps the noise of a step small.

    It is the first of 1, 2, 4, ... at which `LayerBudget.step_noise` is at most `step_noise` in every
    layer that fires. The default limit comes from measurements on two networks that were trained
    elsewhere: up to a noise of 0.2 they kept their rates within 5 % and lost at most one point of
    accuracy (see the page on bits per time step). A few inputs are enough. To judge accuracy itself,
    pass several `bits_per_step` to `plan`.

    Parameters
    ----------
    network : Network
    x, length, seed, source
        As in `noise_budget`.
    step_noise : float
        Permitted noise in units of the distance from rest to threshold, greater than 0.

    Returns
    -------
    int
        A power of two, at most 4096.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is outside its range, or 4096 bits are not enough.

    Examples
    --------
    >>> from sc_neurocore import Sobol, load_digits
    >>> from sc_neurocore.evidence import sufficient_bits_per_step
    >>> digits = load_digits()
    >>> network, images = digits.network, digits.images[:50]
    >>> sufficient_bits_per_step(network, images, 16, seed=1)
    256
    >>> sufficient_bits_per_step(network, images, 16, seed=1, source=Sobol())
    32
    """
    limit = _checks.positive("step_noise", step_noise)
    seed = checked_seed("seed", seed)
    k, noise = 1, math.inf
    while noise > limit:
        if k > _MOST_BITS:
            _checks.fail("step_noise", f"be reachable with {_MOST_BITS} bits per step", limit)
        layers = noise_budget(network, x, length, seed=seed, source=source, bits_per_step=k)
        noise = max((layer.step_noise for layer in layers if layer.step_noise > 0), default=0.0)
        k *= 2
    return k // 2


@dataclass(frozen=True, eq=False)
class _Arriving:
    """Inputs of the weights of a layer: delayed, as patches, followed by bias and recurrent spikes.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_rows, fan_in)
    trains : Bitstream or None
        Of batch shape (rows, fan_in); None if the inputs are still to be encoded.
    densities : ndarray of float64, shape (rows, fan_in)
    present : ndarray of float64, shape (fan_in,)
        Proportion of the time steps after a constant input has arrived; 1 for trains, which are delayed
        bit by bit.
    """

    weights: NDArray[np.float64]
    trains: Bitstream | None
    densities: NDArray[np.float64]
    present: NDArray[np.float64]


def _budget(
    layer: Layer,
    spikes: Bitstream,
    inputs: _Arriving,
    length: int,
    bits_per_step: int,
    pair: tuple[Source, Source],
) -> LayerBudget:
    w, densities, present = inputs.weights, inputs.densities, inputs.present
    gain = np.broadcast_to(np.asarray(layer.gain), len(w))
    currents = gain * ((densities * present) @ w.T)
    of_step = densities * present @ np.abs(w).T - densities**2 * present @ (w**2).T
    of_mean, of_each_step = _sampling_variances(inputs, length, bits_per_step, pair)
    each = neurons("network", layer)
    threshold = np.array([rheobase(neuron) for neuron in each])
    distance = np.array([(n.v_threshold - n.v_rest) / (n.resistance * n.dt) for n in each])
    fires = np.broadcast_to(np.isfinite(distance), len(w))
    most = np.ceil(length / (1 + of_each(layer, lif_of("network", layer).refractory_period)))
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (currents / threshold)[currents > 0]
        noise = (gain**2 * of_each_step / distance**2)[fires]
    return LayerBudget(
        current_std=float(currents.std()),
        standard_error=math.sqrt(float((gain**2 * of_mean).mean())),
        step_std=math.sqrt(float((gain**2 * of_step).mean())),
        step_noise=math.sqrt(float(noise.mean())) if fires.any() else math.nan,
        rheobase_share=float(shares.mean()) if shares.size else 0.0,
        above_rheobase=float((currents > threshold).mean()),
        saturated=float((spikes.counts() >= most).mean()),
        silent=float((spikes.counts() == 0).mean()),
        clipped=float((np.abs(w) == 1).mean()),
    )


def _as_batch(x: Bitstream) -> Bitstream:
    return x if len(x.shape) == 2 else x[None]


def _encoded(inputs: Inputs, source: Source) -> Inputs:
    """Return densities that change in time as one draw of their spikes."""
    values, streams = inputs.values, np.arange(inputs.values.shape[1], dtype=np.uint64)
    assert isinstance(values, np.ndarray)
    numbers = source.numbers(streams, values.shape[2], key=stream_key(0, Role.INPUT))
    trains = Bitstream.from_bits((numbers < source.thresholds(values)).astype(np.uint8))
    return Inputs(trains, inputs.batch, inputs.length)


def _joined(
    parts: Sequence[Inputs | Bitstream], sources: Sequence[int | slice]
) -> Bitstream | NDArray[np.float64]:
    """Return the inputs of a layer: densities if it receives only those of the network."""
    cut: list[Any] = [
        part.values[:, source] if isinstance(part, Inputs) else part
        for part, source in zip(parts, sources, strict=True)
    ]
    if all(isinstance(part, np.ndarray) for part in cut):
        return np.concatenate(cut, axis=1)
    trains = [part for part in cut if isinstance(part, Bitstream)]
    length = trains[0].length
    for i, part in enumerate(cut):
        if isinstance(part, np.ndarray):  # beside spikes, inputs count as spikes as well
            key = stream_key(0, Role.INPUT)
            cut[i] = encode(part, length, key=key, streams=np.arange(part.shape[1]))
    return Bitstream(np.concatenate([part.words for part in cut], axis=1), length)


def _arriving(
    layer: Layer, x: Bitstream | NDArray[np.float64], spikes: Bitstream, length: int
) -> _Arriving:
    """Return the inputs of the weights of a layer that fires `spikes`."""
    w, delays = layer.matrix, layer.delays
    if isinstance(x, np.ndarray):
        present = np.ones((1, layer.n_in, 1))
        if delays is not None:
            present[0, :, 0] -= np.minimum(delays, length) / length
        rows, arrived = _some(layer, x[..., np.newaxis])[..., 0], layer.patches(present)[..., 0]
        if layer.bias is not None:
            rows = np.column_stack([rows, np.ones(len(rows))])
            arrived = np.column_stack([arrived, np.ones(len(arrived))])
        if isinstance(layer, Conv2d) or layer.recurrent is None:
            return _Arriving(w, None, rows, arrived.mean(axis=0))
        # Recurrent spikes are trains; the encoded inputs count as constant ones that have arrived.
        own = delayed(spikes.words, 1, length)
        rows = np.concatenate([rows * arrived, Bitstream(own, length).probability()], axis=1)
        return _Arriving(all_weights(layer), None, rows, np.ones(rows.shape[1]))
    words = x.words if delays is None else delayed(x.words, delays, length)
    words = _some(layer, words)
    if layer.bias is not None:
        words = with_always_on(words, length)
    if isinstance(layer, Dense) and layer.recurrent is not None:
        words = np.concatenate([words, delayed(spikes.words, 1, length)], axis=1)
    trains = Bitstream(words, length)
    return _Arriving(all_weights(layer), trains, trains.probability(), np.ones(words.shape[1]))


def _some(layer: Layer, x: NDArray[Any]) -> NDArray[Any]:
    """Return the inputs of each position, or of some of them at random where there are many."""
    n = max(SAMPLES // layer.positions, 1)
    chosen = (
        np.random.default_rng(0).permutation(len(x))[:n] if len(x) * layer.positions > SAMPLES else ...
    )
    return layer.patches(np.ascontiguousarray(x if layer.positions == 1 else x[chosen]))


def _sampling_variances(
    inputs: _Arriving,
    length: int,
    k: int,
    pair: tuple[Source, Source],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of the mean sum of products, and of that of a time step.

    Both have shape (n_rows,) and are means over the rows of the inputs. Without a closed form, they are
    measured on random products, whose errors are the same for all neurons.
    """
    x, trains, present = inputs.densities, inputs.trains, inputs.present
    w = np.abs(inputs.weights)
    if pair[1] == Bernoulli() and trains is not None:
        of_step = (x @ (w * (1 - w)).T).mean(axis=0) / k
        return of_step / length, of_step
    if pair == (Bernoulli(), Bernoulli()):
        of_step = (x * present @ w.T - x**2 * present @ (w**2).T).mean(axis=0) / k
        return of_step / length, of_step
    # Products of random pairs of these inputs and weights, with other keys.
    generator = np.random.default_rng(0)
    n = min(SAMPLES, max(_BITS // (length * k), 64))
    b, i = (generator.integers(size, size=n) for size in x.shape)
    j = generator.permutation(n) % len(w)  # each row as often as any other
    lanes = i.astype(np.uint64)
    apart = np.arange(n, dtype=np.uint64) << np.uint64(32) | lanes
    bits = length * k
    weights = encode(w[j, i], bits, key=stream_key(0, Role.WEIGHT), source=pair[1], streams=apart)
    products: NDArray[np.float64]
    expected: NDArray[np.float64]
    if trains is None:
        by_number = isinstance(pair[0], Halton) or pair[0] in (Sobol(), Sobol(randomized=False))
        streams = lanes if by_number else apart
        given = encode(x[b, i], bits, key=stream_key(0, Role.INPUT), source=pair[0], streams=streams)
        products = _means(given & weights, k)
        expected = np.broadcast_to((x[b, i] * w[j, i])[:, np.newaxis], products.shape)
    else:
        fired = trains[b, i].bits().astype(np.float64)
        products = _means(weights, k) * fired
        expected = fired * w[j, i][:, np.newaxis]
    # Only steps after the arrival have errors; these are assumed to be independent.
    errors = (products - expected) * np.sqrt(present[i])[:, np.newaxis]
    of_mean = errors.mean(axis=1)
    # A mean of the errors beyond that of a sample is common to all products and adds up with the signs
    # of the weights.
    common = float(of_mean.mean())
    if abs(common) <= 4 * math.sqrt(float(of_mean.var()) / n):
        common = 0.0
    signs = np.sign(inputs.weights).sum(axis=1)
    variances = _by_row((of_mean - of_mean.mean()) ** 2, j, w.shape)
    return variances + (common * signs) ** 2, _by_row((errors**2).mean(axis=1), j, w.shape)


def _by_row(squares: NDArray[np.float64], j: NDArray[np.integer], shape: tuple[int, ...]) -> Any:
    """Return the sum over the inputs of each row, from samples of rows j.

    Rows with too few samples get the mean of all.
    """
    n_rows, fan_in = shape
    counts = np.bincount(j, minlength=n_rows)
    sums = np.bincount(j, squares, n_rows)
    return fan_in * np.where(counts >= 8, sums / np.maximum(counts, 1), squares.mean())


def _means(streams: Bitstream, k: int) -> NDArray[np.float64]:
    """Return the mean of each k successive bits, shape (n, n_steps)."""
    return np.asarray(streams.bits().reshape(len(streams.words), -1, k).mean(axis=2))
