"""Cost of a layer against time steps, inputs and neurons, each varied alone, on one thread and on all.

The work of a layer is linear in each of the three, so the slope on logarithmic axes is near 1. It is
below 1 if a constant cost still matters, and above 1 if the data no longer fit a cache. In addition,
time and memory of one layer of 10,000 by 10,000, in a process of its own.

The largest layer alone: python benchmarks/scaling.py
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from compare import cores
from timing import timings

import sc_neurocore as sc
from sc_neurocore import _native

BASE = {"time steps": 1024, "inputs": 512, "neurons": 256}
FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4)
BATCH, ROUNDS = 8, 6
LARGE, LARGE_STEPS = 10_000, 64
# Slopes outside are reported. The range allows for a shared machine; a quadratic cost would have 2.
NEAR_ONE = (0.8, 1.2)


def simulation(steps: int, n_in: int, n_out: int) -> Callable[[], object]:
    """Return a call that simulates one layer."""
    rng = np.random.default_rng(0)
    network = sc.Network([sc.Dense(rng.uniform(-1, 1, (n_out, n_in)), gain=8 / n_in)])
    return partial(sc.simulate, network, rng.random((BATCH, n_in)), steps, seed=1)


def least_times(counts: list[int]) -> dict[tuple[str, int], list[float]]:
    """Return the minimum seconds over several rounds at each size, by axis and threads."""
    least = {(axis, threads): [np.inf] * len(FACTORS) for axis in BASE for threads in counts}
    for _ in range(ROUNDS):
        for axis, base in BASE.items():
            for i, factor in enumerate(FACTORS):
                call = simulation(*({**BASE, axis: int(base * factor)}.values()))
                for threads in counts:
                    _native.set_threads(threads)
                    best = least[axis, threads]
                    best[i] = min(best[i], *timings(call, 3, 0.01))
    return least


def slope(sizes: list[int], costs: list[float]) -> float:
    """Return the exponent of cost against size, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def curves() -> dict[str, Any]:
    """Print and return the curves, their slopes, and the large layer."""
    before = _native.threads()
    base = ", ".join(f"{size} {axis}" for axis, size in BASE.items())
    print(f"\nCost of a layer in ms: {base}, batch {BATCH}, one of them varied", flush=True)
    found = []
    for (axis, threads), costs in least_times(sorted({1, cores()})).items():
        sizes = [int(BASE[axis] * factor) for factor in FACTORS]
        exponent = slope(sizes, costs)
        linear = NEAR_ONE[0] <= exponent <= NEAR_ONE[1]
        cells = "".join(f"{size:6d}:{cost * 1e3:8.2f}" for size, cost in zip(sizes, costs, strict=True))
        mark = "" if linear else "  NOT LINEAR"
        print(f"  {axis:10s}, {threads} threads {cells}   slope {exponent:.2f}{mark}", flush=True)
        found.append(
            {"axis": axis, "threads": threads, "sizes": sizes, "seconds": costs, "slope": exponent}
        )
    _native.set_threads(before)
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    large = json.loads(done.stdout)
    print(
        f"  {LARGE:,} x {LARGE:,}, {LARGE_STEPS} steps, {cores()} threads: {large['build']:.1f} s to "
        f"build, {large['first']:.1f} s to run first, {large['run']:.1f} s to run again, "
        f"{large['shared']:.1f} s with shared numbers, "
        f"at most {large['peak'] / 2**30:.1f} GiB; "
        f"the weights are {large['weights'] / 2**30:.2f} GiB"
    )
    return {"curves": found, "large": large, "base": BASE, "batch": BATCH}


def large_layer() -> dict[str, float]:
    """Return seconds and bytes of the largest layer that the package is meant for.

    The first simulation of a layer converts its weights for the core and keeps the result.
    """
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    weights = rng.uniform(-1, 1, (LARGE, LARGE))
    network = sc.Network([sc.Dense(weights, gain=0.02)])
    build = time.perf_counter() - start
    x = rng.random(LARGE)
    times = []
    for shared in (False, False, True):
        start = time.perf_counter()
        sc.simulate(network, x, LARGE_STEPS, seed=1, share_weight_numbers=shared)
        times.append(time.perf_counter() - start)
    first, run, run_shared = times
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "build": build,
        "first": first,
        "run": run,
        "shared": run_shared,
        "peak": peak,
        "weights": weights.nbytes,
    }


if __name__ == "__main__":
    print(json.dumps(large_layer()))
