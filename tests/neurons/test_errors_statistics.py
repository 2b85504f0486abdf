# ruff: noqa: E501
"""Errors of the functions on spike trains."""

import numpy as np
from error_table import test_of

import sc_neurocore as sc
from sc_neurocore import neurons

TRAIN = [0, 1, 0, 1]
NETWORK = sc.Network([sc.Dense([[0.5]])])

ROWS = [
    (lambda: neurons.binned_rate_hz(TRAIN, 1.5), ValueError, "bin_ms must be a multiple of the time step, 1.0 ms, got 1.5"),
    (lambda: neurons.binned_rate_hz(TRAIN, 0.5), ValueError, "bin_ms must be a multiple of the time step, 1.0 ms, got 0.5"),
    (lambda: neurons.binned_rate_hz(TRAIN, 0), ValueError, "bin_ms must be greater than 0, got 0.0"),
    (lambda: neurons.binned_rate_hz(TRAIN, 5.0), ValueError, "bin_ms must be at most the duration of the trains, 4.0 ms, got 5.0"),
    (lambda: neurons.binned_rate_hz([0, 2], 1.0), ValueError, "spikes must hold only the bits 0 and 1, got 2 at index 1"),
    (lambda: neurons.binned_rate_hz(1, 1.0), ValueError, "spikes must have at least one axis, time, got shape ()"),
    (lambda: neurons.smoothed_rate_hz(TRAIN, 0.0), ValueError, "sigma_ms must be greater than 0, got 0.0"),
    (lambda: neurons.psth(TRAIN, 1.0), ValueError, "spikes must have at least one trial on the second to last axis, got (4,)"),
    (lambda: neurons.synchrony(np.zeros((0, 4)), 1.0), ValueError, "spikes must have at least one neuron on the second to last axis, got (0, 4)"),
    (lambda: neurons.spike_correlation(TRAIN, 1.0), ValueError, "spikes must have at least one neuron on the second to last axis, got (4,)"),
    (lambda: neurons.fano_factor(TRAIN), ValueError, "spikes must have at least one trial on the second to last axis, got (4,)"),
    (lambda: neurons.fano_factor(TRAIN, 8.0), ValueError, "window_ms must be at most the duration of the trains, 4.0 ms, got 8.0"),
    (lambda: neurons.cross_correlogram(TRAIN, [0, 1], 1.0), ValueError, "others must have 4 time steps of 1.0 ms, as spikes has, got 2 of 1.0 ms"),
    (lambda: neurons.cross_correlogram(TRAIN, TRAIN, 4.0), ValueError, "max_lag_ms must be below the duration of the trains, 4.0 ms, got 4.0"),
    (lambda: neurons.cross_correlogram([TRAIN] * 2, [TRAIN] * 3, 1.0), ValueError, "others must have a shape that broadcasts with that of spikes, (2, 0), got (3, 0)"),
    (lambda: neurons.fi_curve(sc.LIF(), [np.inf]), ValueError, "currents must be finite, got inf at index 0"),
    (lambda: neurons.fi_curve(3, [0.1]), TypeError, "neuron must be a LIF, got 3"),
    (lambda: neurons.measured_fi_curve(sc.LIF(), [0.1], 0), ValueError, "steps must be at least 1, got 0"),
    (
        lambda: sc.firing_rate_hz(sc.simulate(NETWORK, [0.5], 8, seed=1)),
        ValueError,
        "spikes must be recorded in memory, got Simulation(counts of shape (1,), length=8, seed=1); pass record=True to simulate, or read the file of the recording",
    ),
]  # fmt: skip

test_calls_are_refused = test_of(ROWS)
