"""Initial gains from data, with which no layer starts silent or saturated."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sc_neurocore import _checks
from sc_neurocore.networks import Conv2d, Network, simulate
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.layers import Layer, lif_of
from sc_neurocore.neurons import SilentLayerWarning
from sc_neurocore.training.network import SCNetwork, to_network

__all__ = ["calibrate"]

# Search of a gain: steps of a factor 2 from the given gain in either direction, then bisections to 2 %.
_DOUBLINGS, _PRECISION = 30, 1.02


def calibrate(
    model: SCNetwork,
    x: Tensor | InputLike,
    length: int | None = None,
    *,
    rate: float = 0.1,
    seed: int = 0,
    bits_per_step: int = 1,
) -> tuple[float, ...]:
    """Set the gains of a model, layer after layer, so that each layer fires at a given mean rate.

    Call it before training. A layer that is silent passes no spikes on, and the gradient of one that
    fires in every step is small; a chain of layers with one gain for all is often the former at its
    end. The gain of each layer is found by bisection, to 2 %, on the bits of `simulate`. The rate jumps
    where fewer bits of weights become enough for a spike, such as a single one at a gain of 1, and then
    misses the target. If no gain reaches it, because most weights are negative, the target is half of
    the largest rate found.

    The potentials of a readout that never fires are proportional to its gain. It is chosen so that
    their standard deviation between the outputs is ``sqrt(length) / 2``, that of the logits of
    `cross_entropy` thus 1.

    Parameters
    ----------
    model : SCNetwork
        Changed in place: the gains become initial gains, and `log_factor` 0. An array of gains keeps
        its ratios.
    x : Tensor, array_like, Bitstream or Events
        Inputs of some 100 training examples, as `SCNetwork.run` takes them.
    length : int, optional
        Time steps, as many as in training. Required for densities that are constant in time.
    rate : float
        Spikes per neuron and time step, above 0 and below 1.
    seed, bits_per_step : int
        As in `simulate`.

    Returns
    -------
    tuple of float
        Rate of each layer with its new gain, nan for a readout that never fires.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range, or a layer fires at no gain.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore.training import SCLinear, SCNetwork, calibrate
    >>> _ = torch.manual_seed(0)
    >>> model = SCNetwork(*(SCLinear(50, 50, gain=0.01) for _ in range(6)))
    >>> rates = calibrate(model, torch.rand(20, 50), length=32)
    >>> all(0.05 < rate < 0.2 for rate in rates)
    True
    """
    _checks.instance("model", model, SCNetwork)
    rate = _checks.below_one("rate", rate)
    network, rates = to_network(model), []
    given = x.detach().double().cpu().numpy() if isinstance(x, Tensor) else x
    inputs = Inputs.of_size("x", given, network.n_in, batched=True, image=_image(network[0]))

    def run(network: Network) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SilentLayerWarning)
            return simulate(
                network, inputs, length, seed=seed, bits_per_step=bits_per_step, record=True
            )

    for number, layer in enumerate(network.layers):
        if np.isfinite(lif_of("model", layer).v_threshold).any():
            factor, reached = _factor(network, number, run, rate)
        else:
            factor, reached = _readout_factor(network, number, run(network)), math.nan
        network = _scaled(network, number, factor)
        rates.append(reached)
        _set_gain(model.layers[number], factor)
    return tuple(rates)


def _image(layer: Layer) -> tuple[int, int, int] | None:
    """Return the shape of the inputs of a convolution, (channels, rows, columns)."""
    return (layer.weights.shape[1], *layer.input_size) if isinstance(layer, Conv2d) else None


def _scaled(network: Network, number: int, factor: float) -> Network:
    layers = list(network.layers)
    layers[number] = replace(layers[number], gain=np.asarray(layers[number].gain) * factor)
    return replace(network, layers=layers)


def _factor(
    network: Network, number: int, run: Callable[[Network], Any], target: float
) -> tuple[float, float]:
    """Return the factor of a gain that reaches a rate, and the rate."""
    found: dict[float, float] = {}

    def rate_at(factor: float) -> float:
        if factor not in found:
            spikes = run(_scaled(network, number, factor)).spikes[number]
            found[factor] = float(spikes.probability().mean())
        return found[factor]

    steps = range(_DOUBLINGS)
    above = next((2.0**n for n in steps if rate_at(2.0**n) >= target), None)
    if above is None:
        target = max(found.values()) / 2
        if target == 0:
            contract = f"have a neuron that fires at some gain in layers[{number}]"
            remedy = "raise its positive weights, use more data or longer streams, or lower v_threshold"
            _checks.fail("model", contract, f"none up to {max(found):.0e} times its gain", remedy)
        above = next(factor for factor in sorted(found) if found[factor] >= target)
    below = next((above / 2.0**n for n in steps if rate_at(above / 2.0**n) < target), None)
    if below is None:  # driven by its noise or bias of its own, at any gain
        return 1.0, rate_at(1.0)
    while above / below > _PRECISION:
        middle = math.sqrt(above * below)
        if rate_at(middle) >= target:
            above = middle
        else:
            below = middle
    nearest = max(
        below, above, key=lambda f: min(rate_at(f) / target, target / max(rate_at(f), target))
    )
    return nearest, rate_at(nearest)


def _readout_factor(network: Network, number: int, result: Any) -> float:
    """Return the factor of the gain of a readout that gives its logits a standard deviation of 1."""
    sizes = [network.layers[i].n_out for i in network.outputs]
    at = list(network.outputs).index(number)
    first = sum(sizes[:at])
    own = result.potentials[:, first : first + sizes[at]]
    spread = math.sqrt(float(own.var(axis=1).mean())) * 2 / math.sqrt(result.length)
    return 1 / spread if spread > 0 else 1.0


@torch.no_grad()
def _set_gain(layer: Any, factor: float) -> None:
    layer.initial_gain.copy_(layer.gain * factor)
    layer.log_factor.zero_()
