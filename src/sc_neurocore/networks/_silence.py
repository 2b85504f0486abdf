"""The warning that a layer is silent, with its reason and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.networks._inputs import Inputs
from sc_neurocore.networks._real_layers import drive
from sc_neurocore.networks.layers import neurons, of_each
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons import LIF, SilentLayerWarning, rheobase
from sc_neurocore.streams import Bitstream

# Rows of inputs whose mean currents explain why a layer is silent.
_SOME = 8


def warn_of_silence(
    network: Network,
    x: Inputs,
    length: int,
    fired: Sequence[bool],
    spikes_of: Callable[[Inputs], Sequence[Bitstream]],
) -> None:
    """Warn if a layer has not fired because its mean current is too small.

    Parameters
    ----------
    network : Network
    x : Inputs
        The mean currents are those of its first rows.
    length : int
        Number of time steps.
    fired : sequence of bool
        Whether a neuron of each layer has fired.
    spikes_of : callable
        Returns the spikes of each layer for inputs.
    """
    fires = [
        isinstance(layer.neuron, LIF) and bool(np.isfinite(layer.neuron.v_threshold).any())
        for layer in network
    ]
    silent = [i for i, (can, did) in enumerate(zip(fires, fired, strict=True)) if can and not did]
    if not silent:
        return
    i, layer = silent[0], network[silent[0]]
    some = x[:_SOME]
    rates = some.mean()
    if network.connections[i] != (slice(0, network.n_in),):
        spikes = spikes_of(some)
        rates = np.concatenate(
            [
                spikes[source].reshape(len(some), -1).probability()
                if isinstance(source, int)
                else rates[:, source]
                for source in network.connections[i]
            ],
            axis=1,
        )
    sums = drive(layer, rates.reshape(-1, layer.n_in, 1))[..., 0]
    gain = of_each(layer, layer.gain)
    largest = gain * sums.max(axis=0)
    needed = of_each(layer, [rheobase(neuron) for neuron in neurons("network", layer)])
    if (largest > needed).any() or not rates.any():
        return
    j = int((largest - needed).argmax())
    mean = float(largest[j])
    remedy = "raise its positive weights"
    if mean > 0:
        remedy = f"raise its gain above {gain[j] * needed[j] / mean:.4g} (now {gain[j]:.4g})"
    _checks.warn(
        f"no neuron of layer {i} fired in {length} steps: its largest mean current {mean:.4g} does "
        f"not exceed the rheobase {needed[j]:.4g}; {remedy}, or lower v_threshold",
        SilentLayerWarning,
    )
