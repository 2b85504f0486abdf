"""Nengo's reference simulator. Its unit of current is the rheobase and its time is in seconds."""

from __future__ import annotations

from functools import partial

import nengo
import numpy as np
from serve import Call, serve
from workloads import CURRENT, NEURONS, NOISE, STEPS, STEPS_OF_ONE

DT, TAU = 0.001, 0.020


def simulator(n: int, noise_std: float, probe: bool) -> nengo.Simulator:
    with nengo.Network(seed=0) as model:
        neurons = nengo.Ensemble(
            n, 1, neuron_type=nengo.LIF(tau_rc=TAU, tau_ref=0.0), gain=np.ones(n), bias=np.zeros(n)
        ).neurons
        # A current of 0.08 per step of 1 ms with a leak of 1 / 20 settles at 1.6.
        drive = nengo.Node(CURRENT * TAU / DT)
        nengo.Connection(drive, neurons, transform=np.ones((n, 1)), synapse=None)
        if noise_std:
            noise = nengo.dists.Gaussian(0.0, noise_std * TAU / DT)
            neurons.ensemble.noise = nengo.processes.WhiteNoise(noise, scale=False)
        if probe:
            nengo.Probe(neurons)
    return nengo.Simulator(model, dt=DT, progress_bar=False)


def step(noise_std: float) -> Call:
    sim = simulator(1, noise_std, probe=False)

    def run() -> None:
        for _ in range(STEPS_OF_ONE):
            sim.step()

    return run


def population(noise_std: float) -> Call:
    sim = simulator(NEURONS, noise_std, probe=True)

    def run() -> None:
        sim.reset()
        sim.run_steps(STEPS)

    return run


if __name__ == "__main__":
    serve(
        nengo.__version__,
        {
            "step": partial(step, 0.0),
            "step noise": partial(step, NOISE),
            "population shared": partial(population, 0.0),
            "population shared noise": partial(population, NOISE),
        },
    )
