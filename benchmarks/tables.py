"""Tables without peers except NumPy: every source by instruction set, and the operators."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import ceilings
import numpy as np
from numpy.typing import NDArray
from timing import median_and_spread, timings
from workloads import BATCH, LOOP_SIZES, NET_STEPS, SHORT_BATCH, SINGLE_STEPS
from workloads import SIZES as NETWORK

import sc_neurocore as sc
from sc_neurocore import _native
from sc_neurocore import operators as ops

SIZES = ((8, 2**20), (2048, 1024), (8192, 64))
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
Bits = NDArray[np.bool_]


def numpy_compare(source: sc.Source, p: NDArray[np.float64], length: int) -> NDArray[np.uint8]:
    """Return packed bits by comparing the numbers of a source in NumPy."""
    numbers = source.numbers(np.arange(len(p)), length, key=1)
    below = numbers < source.thresholds(p)[:, None]
    return np.packbits(below, axis=-1, bitorder="little")


def sources() -> dict[str, dict[str, list[float]]]:
    """Print and return Gbit/s of each source on one core, one column per size, NumPy last."""
    rng = np.random.default_rng(0)
    isa, threads = _native.isa(), _native.threads()
    _native.set_threads(1)
    print(
        "\nSources on one core, Gbit/s: streams x bits, and a comparison of the same numbers in NumPy"
    )
    heads = [*(f"{n} x {length}" for n, length in SIZES), "NumPy 2048 x 1024"]
    print(f"  {'':18s}" + "".join(f"{head:>18s}" for head in heads))
    found: dict[str, dict[str, list[float]]] = {}
    for level in _native.isas():
        _native.set_isa(level)
        print(f"  {level}")
        found[level] = {}
        for name, source in SOURCES.items():
            rates = []
            for n, length in SIZES:
                call = partial(sc.encode, rng.random(n), length, key=1, source=source)
                seconds, _ = median_and_spread(timings(call, 5, 0.01))
                rates.append(1e-9 * n * length / seconds)
            if level == isa:
                p = rng.random(2048)
                seconds, _ = median_and_spread(timings(partial(numpy_compare, source, p, 1024)))
                rates.append(1e-9 * 2048 * 1024 / seconds)
            print(f"    {name:16s}" + "".join(f"{rate:18.3g}" for rate in rates), flush=True)
            found[level][name] = rates
    _native.set_isa(isa)
    _native.set_threads(threads)
    return found


def _megabytes() -> float:
    """Return the memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def runs() -> dict[str, dict[str, float]]:
    """Print and return runs of a network on one core: images/s, and what bounds them.

    - By source: a network of 100 images and 100 steps, over Bernoulli streams in the same round.
    - By length: 1,000 images. The roof counts a product for each bit, at the rate of AND and count.
    - One image. The roof is that of the bits of the weights; if they are kept, of the products.
    - Numbers of single steps, and a step of a closed loop, whose inputs are compared with them: the
      roof is the generator, without Python.

    Memory is the growth of the largest amount that the process has held.
    """
    rng = np.random.default_rng(0)
    threads = _native.threads()
    _native.set_threads(1)
    layers = [
        sc.Dense(rng.uniform(-0.5, 1, (n_out, n_in)), gain=0.1) for n_in, n_out in pairwise(NETWORK)
    ]
    network, image = sc.Network(layers), rng.random(NETWORK[0])
    products = sum(n_in * n_out for n_in, n_out in pairwise(NETWORK))
    limits = ceilings.measure(_native.isa())
    rate = limits.and_count
    found: dict[str, dict[str, float]] = {}

    def seconds(call: Callable[[], object]) -> float:
        return min(timings(call, 5, 0.05, time.thread_time))

    def row(name: str, work: int, call: Callable[[], object], roof: float, unit: str) -> None:
        before = _megabytes()
        took = seconds(call) / work
        found[name] = {"seconds": took, "roof": roof, "megabytes": _megabytes() - before}
        rate, best = (1 / took, 1 / roof) if unit == "images/s" else (took * 1e6, roof * 1e6)
        print(
            f"  {name:44s}{rate:12,.4g} {unit:9s} roof {best:12,.4g}   share {roof / took:5.2f}"
            f"   +{found[name]['megabytes']:.0f} MB",
            flush=True,
        )

    print("\nRuns of a network on one core")
    x = rng.random((BATCH, NETWORK[0]))
    bernoulli = seconds(partial(sc.simulate, network, x, NET_STEPS, seed=1)) / BATCH
    for source in (sc.LFSR(16), sc.Sobol(0), sc.VanDerCorput()):
        call = partial(sc.simulate, network, x, NET_STEPS, seed=1, source=source)
        took = seconds(call) / BATCH
        found[repr(source)] = {"seconds": took, "over Bernoulli": bernoulli / took}
        print(f"  {source!r:44s}{1 / took:12,.4g} images/s  over Bernoulli {bernoulli / took:.2f}")
    many = rng.random((SHORT_BATCH, NETWORK[0]))
    for length in (4, 8, 16, 64, 100):
        roof = products * length / rate
        call = partial(sc.simulate, network, many, length, seed=1)
        row(f"{SHORT_BATCH:,} images, {length} bits", SHORT_BATCH, call, roof, "images/s")
    made = products * SINGLE_STEPS / ceilings.bernoulli(limits)
    row("one image, 64 bits", 1, partial(sc.simulate, network, image, SINGLE_STEPS, seed=1), made, "us")
    kept = sc.prepare(network, seed=1, steps_kept=SINGLE_STEPS)
    roof = products * SINGLE_STEPS / rate
    row("one image, 64 bits, kept", 1, partial(kept.run, image, SINGLE_STEPS), roof, "us")
    made = 1000 * 16 / limits.philox
    row("numbers of 1,000 streams, one step", 1, partial(_numbers, np.arange(1000)), made, "us")
    n_in, n_out = LOOP_SIZES
    loop = sc.Network([sc.Dense(rng.uniform(-1, 1, (n_out, n_in)), gain=0.2)])
    prepared = sc.prepare(loop, seed=1, steps_kept=2)
    small, state = rng.random(n_in), prepared.run(rng.random(n_in), 1).state
    digits = ceilings.digits_until_decided(limits.lanes, 2)
    made = n_in * digits / 2 / limits.philox
    row("a step of a closed loop", 1, partial(prepared.run, small, 1, state=state), made, "us")
    _native.set_threads(threads)
    return found


def _numbers(streams: NDArray[np.int64]) -> NDArray[np.uint32]:
    return sc.Bernoulli().numbers(streams, 1, key=1)


def numpy_cordiv(x: Bits, y: Bits) -> Bits:
    """Divide unpacked streams, with one NumPy expression per time step."""
    z = np.zeros_like(x)
    held = np.zeros(len(x), x.dtype)
    for t in range(x.shape[1]):
        held = np.where(y[:, t], x[:, t], held)
        z[:, t] = held
    return z


def operators() -> dict[str, float]:
    """Print and return Gbit/s of operators on all cores."""
    rows, length = 256, 2**14
    x, y = sc.encode([[0.3], [0.8]], length, key=1, streams=np.arange(rows))
    unpacked = np.ascontiguousarray(x.bits(), bool), np.ascontiguousarray(y.bits(), bool)
    copies = sc.encode(np.full((rows, 3), 0.3), length, key=1)
    coefficients = sc.encode(np.full((rows, 4), 0.5), length, key=2)
    calls = {
        "multiply": lambda: ops.multiply(x, y),
        "toggle_add": lambda: ops.toggle_add(sc.stack([x, y])),
        "scaled_add": lambda: ops.scaled_add(sc.stack([x, y]), key=3),
        "cordiv": lambda: ops.cordiv(x, y),
        "stanh, 16 states": lambda: ops.stanh(x, 16),
        "synchronize, depth 8": lambda: ops.synchronize(x, y, 8),
        "umul": lambda: ops.umul(x, y),
        "bernstein, degree 3": lambda: ops.bernstein(copies, coefficients),
        "addie, 8 bits": lambda: ops.addie(x, 8, key=3),
        "NumPy: cordiv, a loop over time": lambda: numpy_cordiv(*unpacked),
    }
    print(f"\nOperators on {rows} streams of {length} bits, {_native.threads()} threads")
    found = {}
    for name, call in calls.items():
        median, spread = median_and_spread(timings(call, 9))
        found[name] = 1e-9 * rows * length / median
        print(f"  {name:34s}{found[name]:9.2f} Gbit/s +-{100 * spread / median:3.0f} %", flush=True)
    return found
