"""The leaky integrate-and-fire neuron, statistics of spike trains, and closed forms."""

from sc_neurocore.neurons.lif import LIF, LIFState
from sc_neurocore.neurons.spike_trains import (
    firing_rate_hz,
    interspike_intervals,
    isi_histogram,
    spike_times,
)
from sc_neurocore.neurons.step_neuron import StepNeuron
from sc_neurocore.neurons.theory import (
    SilentLayerWarning,
    isi_ms,
    isi_steps,
    rheobase,
    stationary_std,
)

__all__ = [
    "LIF",
    "LIFState",
    "SilentLayerWarning",
    "StepNeuron",
    "firing_rate_hz",
    "interspike_intervals",
    "isi_histogram",
    "isi_ms",
    "isi_steps",
    "rheobase",
    "spike_times",
    "stationary_std",
]
