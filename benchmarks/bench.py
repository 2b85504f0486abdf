"""Time the core beside plain Python and NumPy, all in one run; print medians, spread and ratios.

python benchmarks/bench.py [step encode sources operators population layer network]
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import sc_neurocore as sc
from sc_neurocore import _native

REPEATS = 9


def timed(call: Callable[[], Any], per: int) -> tuple[float, float]:
    """Return median and half the interquartile range of the seconds per unit of work."""
    call()
    start = time.perf_counter()
    call()
    loops = max(1, int(0.03 / max(time.perf_counter() - start, 1e-7)))
    samples = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(loops):
            call()
        samples.append((time.perf_counter() - start) / loops / per)
    low, median, high = statistics.quantiles(samples, n=4)
    return median, (high - low) / 2


def show(title: str, unit: str, rows: dict[str, tuple[float, float]]) -> None:
    """Print a table; the first row is ours and the ratios are to it."""
    print(f"\n{title}")
    ours = next(iter(rows.values()))[0]
    for name, (median, spread) in rows.items():
        scale = 1e9
        print(
            f"  {name:44s} {median * scale:12.3f} +- {spread * scale:.3f} {unit}  x{median / ours:.1f}"
        )


class PlainNeuron:
    """The same neuron in plain Python, with attributes."""

    def __init__(self) -> None:
        self.v, self.left = 0.0, 0

    def step(self, current: float) -> int:
        if self.left > 0:
            self.left -= 1
            return 0
        self.v = self.v - self.v / 20.0 + current
        if self.v >= 1.0:
            self.v = 0.0
            return 1
        return 0


def bench_step() -> None:
    n = 100_000

    def loop(step: Callable[[float], int]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(n):
                step(0.08)

        return run

    quiet, noisy = sc.StochasticLIFNeuron(seed=1), sc.StochasticLIFNeuron(noise_std=0.1, seed=1)
    rows = {
        "StochasticLIFNeuron.step": timed(loop(quiet.step), n),
        "StochasticLIFNeuron.step, with noise": timed(loop(noisy.step), n),
        "plain Python": timed(loop(PlainNeuron().step), n),
    }
    show("One step from a Python loop, the loop included", "ns", rows)


def numpy_encode(p: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return packed bits with 24-bit thresholds."""
    numbers = rng.random((len(p), length), dtype=np.float32)
    return np.packbits(numbers < p[:, None], axis=-1, bitorder="little")


def bench_encode() -> None:
    rng = np.random.default_rng(0)
    for streams, length in ((8, 2**20), (8192, 1024), (100_000, 64)):
        p = np.full(streams, 0.3)
        bits = streams * length

        rows = {
            "encode": timed(partial(sc.encode, p, length, 1), bits),
            "NumPy: random < p, packbits": timed(partial(numpy_encode, p, length, rng), bits),
        }
        show(f"Encode {streams} values as {length} bits, 32-bit exact", "ns/bit", rows)
        print(f"  {1e-9 / rows['encode'][0]:.2f} Gbit/s")


# What a core at 3 GHz with AVX-512 can do at most, in Gbit/s: Philox by its instructions on two ports
# for the digits it needs, the register by two instructions a digit, van der Corput by one store a line
# in the second-level cache, Sobol as fast as anybody has seen it.
CEILINGS = {"Bernoulli": 8.3, "LFSR(16)": 102, "VanDerCorput": 146, "Sobol": 51}
SOURCES: dict[str, sc.Source] = {
    "Bernoulli": sc.Bernoulli(),
    "LFSR(8)": sc.LFSR(8),
    "LFSR(16)": sc.LFSR(16),
    "LFSR(32)": sc.LFSR(32),
    "Sobol": sc.Sobol(1),
    "Hammersley(8)": sc.Hammersley(8, 1),
    "VanDerCorput": sc.VanDerCorput(),
    "VanDerCorput(3)": sc.VanDerCorput(3),
    "Weyl(256)": sc.Weyl(256),
    "Ramp(64)": sc.Ramp(64),
    "Permutation(256)": sc.Permutation(256),
}


def numpy_compare(source: sc.Source, p: np.ndarray, length: int) -> np.ndarray:
    """Return packed bits from the numbers of a source."""
    numbers = source.numbers(1, np.arange(len(p)), length)
    below = numbers < source.thresholds(p)[:, None]
    return np.packbits(below, axis=-1, bitorder="little")


def bench_sources() -> None:
    rng = np.random.default_rng(0)
    isa, threads = _native.isa(), _native.threads()
    _native.set_threads(1)
    sizes = ((8, 2**20), (2048, 1024), (8192, 64))
    print("\nSources on one core, Gbit/s: streams x bits, and NumPy's comparison of the same numbers")
    heads = [f"{n} x {length}" for n, length in sizes]
    print(f"  {'':18s}" + "".join(f"{head:>14s}" for head in (*heads, "2048 x 1024", "ceiling")))
    for level in _native.isas():
        _native.set_isa(level)
        print(f"  {level}")
        for name, source in SOURCES.items():
            cells = []
            for n, length in sizes:
                seconds, _ = timed(
                    partial(sc.encode, rng.random(n), length, 1, source=source), n * length
                )
                cells.append(f"{1e-9 / seconds:14.2f}")
            if level == isa:
                p = rng.random(2048)
                seconds, _ = timed(partial(numpy_compare, source, p, 1024), p.size * 1024)
                cells.append(f"{1e-9 / seconds:14.3f}{CEILINGS.get(name, ''):>14}")
            print(f"    {name:16s}" + "".join(cells))
    _native.set_isa(isa)
    _native.set_threads(threads)


def numpy_cordiv(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Divide unpacked streams, one NumPy expression a time step."""
    z = np.zeros_like(x)
    held = np.zeros(len(x), x.dtype)
    for t in range(x.shape[1]):
        held = np.where(y[:, t], x[:, t], held)
        z[:, t] = held
    return z


def bench_operators() -> None:
    rows, length = 256, 2**14
    x, y = sc.encode([[0.3], [0.8]], length, 1, streams=np.arange(rows))
    unpacked = np.ascontiguousarray(x.bits()), np.ascontiguousarray(y.bits())
    copies = sc.encode(np.full((rows, 3), 0.3), length, 1)
    coefficients = sc.encode(np.full((rows, 4), 0.5), length, 2)
    per = rows * length
    table = {
        "multiply": timed(lambda: sc.multiply(x, y), per),
        "toggle_add": timed(lambda: sc.toggle_add(sc.stack([x, y])), per),
        "scaled_add": timed(lambda: sc.scaled_add(sc.stack([x, y]), 3), per),
        "cordiv": timed(lambda: sc.cordiv(x, y), per),
        "stanh, 16 states": timed(lambda: sc.stanh(x, 16), per),
        "synchronise, depth 8": timed(lambda: sc.synchronise(x, y, 8), per),
        "umul": timed(lambda: sc.umul(x, y), per),
        "bernstein, degree 3": timed(lambda: sc.bernstein(copies, coefficients), per),
        "addie, 8 bits": timed(lambda: sc.addie(x, 8, 3), per),
        "NumPy: cordiv, a loop over time": timed(lambda: numpy_cordiv(*unpacked), per),
    }
    print(f"\nOperators on {rows} streams of {length} bits, {_native.threads()} threads")
    for name, (median, spread) in table.items():
        rate = 1e-9 / median
        print(f"  {name:34s}{rate:9.2f} Gbit/s +- {100 * spread / median:.0f} %")


def numpy_lif(currents: np.ndarray, noise_std: float, rng: np.random.Generator) -> np.ndarray:
    """Step a population with one NumPy expression a time step."""
    v = np.zeros(currents.shape[1])
    spikes = np.zeros(currents.shape, bool)
    for t, current in enumerate(currents):
        v = v - v / 20.0 + current
        if noise_std:
            v += noise_std * rng.standard_normal(v.shape)
        spikes[t] = v >= 1.0
        v[spikes[t]] = 0.0
    return spikes


def bench_population() -> None:
    n, steps = 10_000, 200
    rng = np.random.default_rng(0)
    current = np.full(steps, 0.08)
    shared = np.broadcast_to(current[:, None], (steps, n))
    for noise_std in (0.0, 0.1):
        lif = sc.LIF(noise_std=noise_std)
        state = lif.initial_state(n)
        rows = {
            "LIF.run": timed(partial(lif.run, current, state), n * steps),
            "NumPy": timed(partial(numpy_lif, shared, noise_std, rng), n * steps),
        }
        show(f"{n} LIF neurons, {steps} steps, noise {noise_std}", "ns/step", rows)


def bench_layer() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.random(64), rng.random((100, 64))

    def build() -> sc.SCDenseLayer:
        return sc.SCDenseLayer(
            100,
            x,
            w,
            0,
            1,
            0,
            1,
            length=2048,
            y_max=0.3,
            neuron_params={"noise_std": 0.02},
            base_seed=1,
        )

    def in_numpy() -> np.ndarray:
        bits = rng.random((64, 2048), dtype=np.float32) < x[:, None]
        weights = rng.random((100, 64, 2048), dtype=np.float32) < w[:, :, None]
        trace = 0.3 * (bits & weights).mean(axis=1)
        return numpy_lif(trace.T[:500], 0.02, rng)

    layer = build()

    def run_again() -> None:
        layer.reset()
        layer.run(500)

    rows = {
        "SCDenseLayer, run of 500 steps": timed(run_again, 1),
        "SCDenseLayer, built and run": timed(lambda: build().run(500), 1),
        "NumPy, built and run": timed(in_numpy, 1),
    }
    show("A layer of 100 neurons and 64 inputs, length 2048", "ns", rows)


def bench_network() -> None:
    digits = sc.load_digits()
    n = len(digits.images)
    rows = {
        "simulate, 64 bits": timed(lambda: sc.simulate(digits.network, digits.images, 64, seed=0), n),
        "simulate_float, 64 steps": timed(
            lambda: sc.simulate_float(digits.network, digits.images, 64), n
        ),
    }
    show(f"Digits, {digits.network.shape}, {n} images", "ns/image", rows)


def main() -> None:
    print(
        f"sc-neurocore {sc.__version__}, {_native.isa()}, {_native.threads()} threads, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"
    )
    benches = (
        bench_step,
        bench_encode,
        bench_sources,
        bench_operators,
        bench_population,
        bench_layer,
        bench_network,
    )
    wanted = sys.argv[1:]
    for bench in benches:
        if not wanted or bench.__name__.removeprefix("bench_") in wanted:
            bench()


if __name__ == "__main__":
    main()
