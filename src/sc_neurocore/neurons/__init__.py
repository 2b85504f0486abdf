"""The leaky integrate-and-fire neuron, statistics of spike trains, and closed forms."""

from sc_neurocore.neurons.lif import LIF, LIFState
from sc_neurocore.neurons.spike_trains import (
    firing_rate_hz,
    interspike_intervals,
    isi_histogram,
    spike_times,
)
from sc_neurocore.neurons.statistics import (
    binned_rate_hz,
    cross_correlogram,
    fano_factor,
    isi_cv,
    isi_cv2,
    isi_lv,
    psth,
    smoothed_rate_hz,
    spike_correlation,
    synchrony,
)
from sc_neurocore.neurons.step_neuron import StepNeuron
from sc_neurocore.neurons.theory import (
    SilentLayerWarning,
    fi_curve,
    isi_ms,
    isi_steps,
    measured_fi_curve,
    rheobase,
    stationary_std,
)

__all__ = [
    "LIF",
    "LIFState",
    "SilentLayerWarning",
    "StepNeuron",
    "binned_rate_hz",
    "cross_correlogram",
    "fano_factor",
    "fi_curve",
    "firing_rate_hz",
    "interspike_intervals",
    "isi_cv",
    "isi_cv2",
    "isi_histogram",
    "isi_lv",
    "isi_ms",
    "isi_steps",
    "measured_fi_curve",
    "psth",
    "rheobase",
    "smoothed_rate_hz",
    "spike_correlation",
    "spike_times",
    "stationary_std",
    "synchrony",
]
