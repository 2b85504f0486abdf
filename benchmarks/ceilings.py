"""The share of a core's ceiling that each kernel reaches, by instruction set.

`ceilings.cpp` measures in this process what the core can do: instructions of each kind, blocks of the
generator, bytes of each cache. A kernel's bound follows from what its work needs at least of those; the
formula stands beside it in `KERNELS`. Both sides are the best of several rounds on one thread, as the
machine may be shared. A bound is that of the method, not of mathematics: a share above 1 means that the
compiler or the kernel found something better.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from timing import timings

import sc_neurocore as sc
from sc_neurocore import _native

ROUNDS = 3
HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"
_AVX512 = "avx512f avx512bw avx512dq avx512vl avx512vpopcntdq avx512vbmi2 prefer-vector-width=512"
FLAGS = {"portable": "", "avx2": "avx2 bmi2", "avx512": f"bmi2 {_AVX512}"}


def compiler_of_native() -> str:
    """Return what the native module says of the compiler that built it."""
    found = re.findall(
        rb"GCC: \([^\0]*|[\w ]*clang version [\w.]*", Path(_native.__file__).read_bytes()
    )
    return ", ".join(sorted({name.decode() for name in found})) or "an unknown compiler"


@dataclass(frozen=True)
class Rates:
    """What a core does a second at most: instructions on whole registers, blocks, bits, bytes."""

    lanes: int
    logic: float
    shift: float
    multiply32: float
    add_double: float
    multiply_double: float
    philox: float
    and_count: float
    and_count_l1: float
    load_l1: float
    load_l2: float
    load_l3: float
    load_dram: float
    store_l2: float

    @property
    def bits(self) -> int:
        """Bits of a register."""
        return 64 * self.lanes

    def best(self, other: Rates) -> Rates:
        """Return the better of two measurements of everything."""
        mine, its = asdict(self), asdict(other)
        return Rates(**{name: max(mine[name], its[name]) for name in mine})


def _cache(level: str, otherwise: int) -> int:
    try:
        return os.sysconf(f"SC_LEVEL{level}_SIZE") or otherwise
    except (ValueError, OSError):
        return otherwise


def measure(level: str) -> Rates:
    """Return the ceilings of an instruction set."""
    source, library = HERE / "ceilings.cpp", BUILD / f"ceilings-{level}.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        flags = [f"-m{flag}" for flag in FLAGS[level].split()]
        compiler = os.environ.get("CXX", "c++")
        options = ["-std=c++20", "-O3", *flags, "-shared", "-fPIC"]
        command = [compiler, *options, str(source), "-o", str(library)]
        subprocess.run(command, check=True)
    code = ctypes.CDLL(str(library))
    l1, l2, l3 = _cache("1_DCACHE", 2**15), _cache("2_CACHE", 2**19), _cache("3_CACHE", 2**24)
    loads = {
        "load_l1": l1 // 2,
        "load_l2": l2 // 2,
        "load_l3": l3 // 4,
        "load_dram": max(4 * l3, 2**27),
    }
    rates: dict[str, float] = {}
    for name in (field.name for field in fields(Rates)):
        if name == "lanes":
            continue
        size = [ctypes.c_size_t(loads.get(name, l2 // 2))] if name.startswith(("load", "store")) else []
        function = getattr(code, name.split("_")[0] if size else name)
        function.restype = ctypes.c_double
        rates[name] = float(function(*size))
    return Rates(lanes=int(code.lanes()), **rates)


def digits_until_decided(n: int, at_once: int) -> float:
    """Return how many random digits, taken `at_once`, decide n comparisons on average.

    Each digit decides a comparison with probability 1/2, so m digits leave some of n undecided with
    probability 1 - (1 - 2**-m)**n: 10.84 for the 512 bits of an AVX-512 register in pairs.
    """
    return sum(at_once * (1 - (1 - 2.0 ** -(at_once * k)) ** n) for k in range(40))


def bernoulli(r: Rates) -> float:
    """Bits a second: a block is 128 random bits; the comparison takes two instructions a digit more."""
    digits = digits_until_decided(r.bits, 2)
    return 1 / (digits / (128 * r.philox) + 2 * digits / (r.bits * r.logic))


def counting(r: Rates) -> float:
    """Products a second: 8 ANDs, 7 full adders, 1 carry, for 8 registers; or two loads a product.

    A full adder is two instructions of three operands, else five of two.
    """
    adder = 2 if r.lanes == 8 else 5
    in_registers = 8 * r.bits * r.logic / (8 + 7 * adder + 2)
    return min(in_registers, r.load_l1 * 8 / 2)


def lif(r: Rates, *, own: bool = False, noise: bool = False) -> float:
    """Updates a second.

    Leak 3, add 1, compare 1, resting 1, reset 1, refractory 2, spike bit 1: 10 instructions a register,
    4 of them by the adders of doubles and 1 by the multipliers, which work side by side. Currents of
    its own: scale them, and their bytes from the third-level cache. Noise: a quarter of a block; 10
    instructions of a polynomial, 6 table look-ups, 8 to take a number apart, in float32, which is half
    a register; scale, add, widen.
    """
    adds, multiplies, instructions = 4 + noise, 1 + own + noise, 10 + own + 3 * noise
    cost = max(adds / r.add_double, multiplies / r.multiply_double, instructions / r.logic) / r.lanes
    if noise:
        cost += 1 / (4 * r.philox) + 24 / (2 * r.lanes) / r.logic
    return min(1 / cost, r.load_l3 / 8) if own else 1 / cost


def lfsr16(r: Rates) -> float:
    """Bits a second: for each of 16 digits a window of the sequence and a step of the comparison."""
    return r.bits * r.logic / (2 * 16)


def sobol(r: Rates) -> float:
    """Bits a second: six digits of 64 numbers leave one tie, then a digit decides half of `lanes`.

    A digit takes 4 instructions: test the word's digit, invert the pattern, two steps of comparison.
    """
    return r.bits * r.logic / (4 * (6 + digits_until_decided(r.lanes, 1)))


def van_der_corput(r: Rates) -> float:
    """Bits a second: a store into the second-level cache."""
    return 8 * r.store_l2


BATCH, INPUTS, OUTPUTS, TIME = 100, 784, 128, 512


def dense(r: Rates) -> float:
    """Products a second: a weight bit for the whole batch, a count for each image."""
    return 1 / (1 / (BATCH * bernoulli(r)) + 1 / counting(r))


@dataclass(frozen=True)
class Kernel:
    """A row: units of work of a call, what makes the call, and the bound in units a second."""

    name: str
    work: int
    make: Callable[[], Callable[[], object]]
    bound: Callable[[Rates], float]


def _encode(n: int, length: int, source: sc.Source) -> Callable[[], object]:
    return partial(sc.encode, np.random.default_rng(0).random(n), length, 1, source=source)


def _lif(noise: float, own: bool) -> Callable[[], object]:
    neurons = sc.LIF(noise_std=noise)
    return partial(
        neurons.run, np.full((1000, 1000) if own else 1000, 0.08), neurons.initial_state(1000)
    )


def _counts() -> Callable[[], object]:
    rng = np.random.default_rng(0)
    x, w = (sc.encode(rng.random(shape), 2048, 1).words for shape in (64, (100, 64)))
    return partial(_native.channel_counts, x, w, 2048)


def _dense() -> Callable[[], object]:
    rng = np.random.default_rng(0)
    network = sc.Network([sc.Dense(rng.uniform(-1, 1, (OUTPUTS, INPUTS)), gain=0.02)])
    x = sc.encode(rng.random((BATCH, INPUTS)), TIME, 1)
    return partial(sc.simulate, network, x, seed=1)


def _sources(name: str, source: sc.Source, bound: Callable[[Rates], float]) -> list[Kernel]:
    return [
        Kernel(
            f"{name}, {n:,} x {length:,} bits", n * length, partial(_encode, n, length, source), bound
        )
        for n, length in ((8, 2**20), (2048, 1024))
    ]


KERNELS = [
    *_sources("Bernoulli", sc.Bernoulli(), bernoulli),
    *_sources("LFSR(16)", sc.LFSR(16), lfsr16),
    *_sources("Sobol", sc.Sobol(1), sobol),
    *_sources("VanDerCorput", sc.VanDerCorput(), van_der_corput),
    Kernel("LIF, shared current", 10**6, partial(_lif, 0.0, False), lif),
    Kernel("LIF, own currents", 10**6, partial(_lif, 0.0, True), partial(lif, own=True)),
    Kernel("LIF, shared current, noise", 10**6, partial(_lif, 0.1, False), partial(lif, noise=True)),
    Kernel("counts a step, 100 x 64 streams", 100 * 64 * 2048, _counts, counting),
    Kernel("layer 784-128, batch 100", BATCH * INPUTS * OUTPUTS * TIME, _dense, dense),
]


def shares() -> dict[str, Any]:
    """Print and return ceilings and kernels of every level: rate, bound and share."""
    isa, threads = _native.isa(), _native.threads()
    _native.set_threads(1)
    levels = _native.isas()
    rates = {level: measure(level) for level in levels}
    found = {level: dict.fromkeys((kernel.name for kernel in KERNELS), 0.0) for level in levels}
    for _ in range(ROUNDS):
        for level in levels:
            _native.set_isa(level)
            for kernel in KERNELS:
                rate = kernel.work / min(timings(kernel.make(), 5, 0.01))
                found[level][kernel.name] = max(found[level][kernel.name], rate)
            rates[level] = rates[level].best(measure(level))
    _native.set_isa(isa)
    _native.set_threads(threads)

    print("\nCeilings of one core, 10**9 a second: instructions, blocks, bits, bytes")
    print(f"  {'':34s}" + "".join(f"{level:>10s}" for level in levels))
    for name in (field.name for field in fields(Rates) if field.name != "lanes"):
        print(
            f"  {name:34s}" + "".join(f"{getattr(rates[level], name) * 1e-9:10.3g}" for level in levels)
        )
    print("\nKernels on one thread, 10**9 bits, updates or products a second: rate, bound, share")
    print(f"  {'':34s}" + "".join(f"{level:>27s}" for level in levels))
    rows = {}
    for kernel in KERNELS:
        cells = {}
        for level in levels:
            rate, bound = found[level][kernel.name], kernel.bound(rates[level])
            cells[level] = {"rate": rate, "bound": bound, "share": rate / bound}
        rows[kernel.name] = cells
        print(
            f"  {kernel.name:34s}"
            + "".join(
                f"{c['rate'] * 1e-9:10.3g}{c['bound'] * 1e-9:10.3g}{c['share']:7.2f}"
                for c in cells.values()
            )
        )
    return {"limits": {level: asdict(rates[level]) for level in levels}, "kernels": rows}
