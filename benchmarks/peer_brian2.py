"""Brian2 with Cython code generation and forward Euler."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import brian2 as b2
import numpy as np
from serve import Call, serve
from timing import Outside
from workloads import CURRENT, NEURONS, NOISE, STEPS

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


if __name__ == "__main__":
    serve(
        b2.__version__,
        {
            "population shared": partial(population, 0.0, False),
            "population own": partial(population, 0.0, True),
            "population shared noise": partial(population, NOISE, False),
            "population own noise": partial(population, NOISE, True),
        },
    )
