"""Noise budget of a network: sampling errors and losses of precision in each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.evidence._currents import Arriving, Part, noise_in_thresholds
from sc_neurocore.networks import (
    Network,
    simulate,
)
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.layers import Layer, lif_of, neurons, of_each
from sc_neurocore.networks.network import check_network, delays_of_sources
from sc_neurocore.neurons import (
    rheobase,
)
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Source,
    operands,
)
from sc_neurocore.streams.keys import checked_seed
from sc_neurocore.streams.source import (
    Sources,
)

__all__ = ["LayerBudget", "noise_budget", "sufficient_bits_per_step"]


@dataclass(frozen=True)
class LayerBudget:
    """Signal, sampling error and losses of precision in a layer, over a batch of inputs.

    Attributes
    ----------
    current_std : float
        Standard deviation of the mean currents over neurons and inputs: the signal.
    standard_error : float
        Root mean square of the standard errors of these mean currents, caused by sampling the weights
        of this layer and the densities that it receives from the network's inputs. Spikes are taken as
        given. In closed form for Bernoulli streams; for other sources measured on products of these
        inputs and weights. 0 for a layer with ``sampled=False``, as `step_std` and `step_noise`.
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
        As in `simulate`.
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
    check_network(network)
    given = Inputs.of("x", x, network)
    of_inputs, *of_weights = operands(source, 1 + len(network))
    with _checks.allocating(f"the spikes of {length} steps", "use a shorter length"):
        result = simulate(
            network, given, length, seed=seed, source=source, bits_per_step=bits_per_step, record=True
        )
    spikes = [_as_batch(train) for train in result.spikes]
    budgets = []
    for i, (layer, own, of_layer) in enumerate(zip(network, spikes, of_weights, strict=True)):
        parts = [
            _part(source, delays, given, spikes, result.length)
            for source, delays in delays_of_sources(network, i)
        ]
        inputs = Arriving.of(layer, parts, own)
        budgets.append(_budget(layer, own, inputs, bits_per_step, (of_inputs, of_layer)))
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


def _budget(
    layer: Layer,
    spikes: Bitstream,
    inputs: Arriving,
    bits_per_step: int,
    pair: tuple[Source, Source],
) -> LayerBudget:
    w, length = inputs.weights, spikes.length
    gain = np.broadcast_to(np.asarray(layer.gain), len(w))
    currents = gain * (inputs.mean @ w.T)
    of_step = inputs.mean @ np.abs(w).T - inputs.constant @ (w**2).T
    of_mean, of_each_step = inputs.variances(length, bits_per_step, *pair)
    if not layer.sampled:
        of_step, of_mean, of_each_step = (np.zeros_like(x) for x in (of_step, of_mean, of_each_step))
    threshold = np.array([rheobase(neuron) for neuron in neurons("network", layer)])
    most = np.ceil(length / (1 + of_each(layer, lif_of("network", layer).refractory_period)))
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (currents / threshold)[currents > 0]
    return LayerBudget(
        current_std=float(currents.std()),
        standard_error=math.sqrt(float((gain**2 * of_mean).mean())),
        step_std=math.sqrt(float((gain**2 * of_step).mean())),
        step_noise=noise_in_thresholds(layer, of_each_step),
        rheobase_share=float(shares.mean()) if shares.size else 0.0,
        above_rheobase=float((currents > threshold).mean()),
        saturated=float((spikes.counts() >= most).mean()),
        silent=float((spikes.counts() == 0).mean()),
        clipped=float((np.abs(w) == 1).mean()),
    )


def _as_batch(x: Bitstream) -> Bitstream:
    return x if len(x.shape) == 2 else x[None]


def _part(
    source: int | slice,
    delays: NDArray[np.int64],
    given: Inputs,
    spikes: Sequence[Bitstream],
    length: int,
) -> Part:
    """Return the inputs of a layer from one source."""
    if isinstance(source, slice):
        return Part.of(given.values[:, source], delays, length, source.start)
    return Part.of(spikes[source], delays, length)
