"""Tables without peers except NumPy: every source by instruction set, and the operators."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from timing import median_and_spread, timings

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
