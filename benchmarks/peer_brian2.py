"""Brian2 with Cython code generation and forward Euler."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import brian2 as b2
import numpy as np
from serve import Call, serve
from timing import Outside
from workloads import (
    CURRENT,
    LEARN_ACTIVE,
    LEARN_DENSITY,
    LEARN_IMAGES,
    LEARN_SIZES,
    LEARN_STEPS,
    NEURONS,
    NOISE,
    STEPS,
)

b2.prefs.codegen.target = "cython"
b2.prefs.codegen.runtime.cython.cache_dir = str(Path.cwd() / "brian2-cache")


def population(noise_std: float, own: bool) -> Call:
    b2.start_scope()
    dt = 1.0 * b2.ms
    currents = np.full((STEPS, NEURONS) if own else STEPS, CURRENT)
    name_space = {"drive": b2.TimedArray(currents, dt=dt), "tau": 20 * b2.ms, "dt_ms": dt}
    drive = "drive(t, i)" if own else "drive(t)"
    equation = f"dv/dt = -v / tau + {drive} / dt_ms"
    if noise_std:  # Euler-Maruyama adds sqrt(dt) * xi: noise_std of it a step
        equation += f" + {noise_std} * xi / sqrt(dt_ms)"
    neurons = b2.NeuronGroup(
        NEURONS,
        f"{equation} : 1",
        threshold="v >= 1",
        reset="v = 0",
        method="euler",
        dt=dt,
        namespace=name_space,
    )
    network = b2.Network(neurons, b2.SpikeMonitor(neurons))
    network.run(dt)
    network.store()
    duration = STEPS * dt

    def run() -> Outside:
        start = time.perf_counter()
        network.restore()
        restored = time.perf_counter()
        network.run(0 * dt)
        prepared = time.perf_counter()
        network.run(duration)
        # Starting a run takes at least as long as the steps and is excluded.
        return Outside(restored - start + 2 * (prepared - restored))

    return run


def learn() -> Call:
    """The network of Diehl and Cook, with currents in place of conductances, as ours."""
    b2.start_scope()
    rng, dt = np.random.default_rng(0), 1.0 * b2.ms
    (n_in, n), constants = LEARN_SIZES, {"inhibition": 2.0, "step": 0.02, "up": 0.05, "down": 1e-4}
    densities = np.zeros((LEARN_IMAGES, n_in))
    for row in densities:
        row[rng.permutation(n_in)[:LEARN_ACTIVE]] = rng.uniform(0, LEARN_DENSITY, LEARN_ACTIVE)
    inputs = b2.PoissonGroup(n_in, rates=np.zeros(n_in) * b2.Hz, dt=dt)
    neurons = b2.NeuronGroup(
        n,
        """dv/dt = -v / (100 * ms) : 1 (unless refractory)
        dtheta/dt = -theta / (1e7 * ms) : 1""",
        threshold="v >= 1 + theta",
        reset="v = 0; theta += step",
        refractory=5 * b2.ms,
        method="euler",
        dt=dt,
        namespace=constants,
    )
    learning = b2.Synapses(
        inputs,
        neurons,
        """w : 1
        dpre/dt = -pre / (20 * ms) : 1 (event-driven)
        dpost/dt = -post / (20 * ms) : 1 (event-driven)""",
        on_pre="v_post += 0.03 * w; w = clip(w - down * post, 0, 1); pre = 1",
        on_post="w = clip(w + up * pre, 0, 1); post = 1",
        dt=dt,
        namespace=constants,
    )
    learning.connect()
    learning.w = rng.uniform(0, 0.3, n_in * n)
    others = b2.Synapses(neurons, neurons, on_pre="v_post -= inhibition", dt=dt, namespace=constants)
    others.connect("i != j")
    network = b2.Network(inputs, neurons, learning, others, b2.SpikeMonitor(neurons))
    network.run(dt)

    def run() -> Outside:
        outside = 0.0
        for row in densities:
            inputs.rates = row / dt
            neurons.v, learning.pre, learning.post = 0, 0, 0
            start = time.perf_counter()
            network.run(0 * dt)
            # Starting a run takes at least as long as the steps and is excluded.
            outside += 2 * (time.perf_counter() - start)
            network.run(LEARN_STEPS * dt)
            w = np.asarray(learning.w).reshape(n_in, n)
            learning.w = (w * (78.4 / w.sum(axis=0))).clip(max=1).ravel()
        return Outside(outside)

    return run


if __name__ == "__main__":
    serve(
        b2.__version__,
        {
            "population shared": partial(population, 0.0, False),
            "population own": partial(population, 0.0, True),
            "population shared noise": partial(population, NOISE, False),
            "population own noise": partial(population, NOISE, True),
            "learn": learn,
        },
    )
