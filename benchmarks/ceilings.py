"""The share of a core's limit that each kernel reaches, by instruction set.

`ceilings.cpp` measures the limits of the core in this process: instructions of each kind, blocks of the
generator, bytes of each cache. The bound of a kernel follows from the minimum that its work needs of
those; the formula is part of `KERNELS`. Both figures are the best of several rounds on one thread, in
processor time, as the machine may be shared. A bound holds for one method: a share above 1 means that
the compiler or the kernel found a better one.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import timings

import sc_neurocore as sc
from sc_neurocore import _native

ROUNDS = 3
HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"
_AVX512 = "avx512f avx512bw avx512dq avx512vl avx512vpopcntdq avx512vbmi2 prefer-vector-width=512"
FLAGS = {"portable": "", "avx2": "avx2 bmi2", "avx512": f"bmi2 {_AVX512}"}


def compiler_of_native() -> str:
    """Return the compiler that built the native module."""
    found = re.findall(
        rb"GCC: \([^\0]*|[\w ]*clang version [\w.]*", Path(_native.__file__).read_bytes()
    )
    return ", ".join(sorted({name.decode() for name in found})) or "an unknown compiler"


@dataclass(frozen=True)
class Rates:
    """The limits of a core per second: instructions on full registers, blocks, bits, bytes."""

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
    store_l3: float

    @property
    def bits(self) -> int:
        """Bits of a register."""
        return 64 * self.lanes

    def best(self, other: Rates) -> Rates:
        """Return the higher of two measurements of each limit."""
        mine, its = asdict(self), asdict(other)
        return Rates(**{name: max(mine[name], its[name]) for name in mine})


def _cache(level: int, otherwise: int) -> int:
    """Return the size in bytes of the first core's data cache of a level, as Linux reports it.

    On virtual machines sysconf includes caches of other cores.
    """
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        kind, its_level, size = (
            (index / name).read_text().strip() for name in ("type", "level", "size")
        )
        if kind != "Instruction" and int(its_level) == level and size.endswith("K"):
            return 1024 * int(size[:-1])
    return otherwise


L1, L2, L3 = _cache(1, 2**15), _cache(2, 2**19), _cache(3, 2**24)


def measure(level: str) -> Rates:
    """Return the limits for an instruction set."""
    source, library = HERE / "ceilings.cpp", BUILD / f"ceilings-{level}.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        flags = [f"-m{flag}" for flag in FLAGS[level].split()]
        compiler = os.environ.get("CXX", "c++")
        options = ["-std=c++20", "-O3", *flags, "-shared", "-fPIC"]
        command = [compiler, *options, str(source), "-o", str(library)]
        subprocess.run(command, check=True)
    code = ctypes.CDLL(str(library))
    sizes = {"l1": L1 // 2, "l2": L2 // 2, "l3": L3 // 4, "dram": max(4 * L3, 2**27)}
    rates: dict[str, float] = {}
    for name in (field.name for field in fields(Rates)):
        if name == "lanes":
            continue
        what, _, where = name.partition("_")
        size = [ctypes.c_size_t(sizes[where])] if what in ("load", "store") else []
        function = getattr(code, what if size else name)
        function.restype = ctypes.c_double
        rates[name] = float(function(*size))
    return Rates(lanes=int(code.lanes()), **rates)


def digits_until_decided(n: int, at_once: int) -> float:
    """Return the mean number of random digits, in groups of `at_once`, that decide n comparisons.

    Each digit decides a comparison with probability 1/2, so m digits leave some of n undecided with
    probability 1 - (1 - 2**-m)**n: 10.84 for the 512 bits of an AVX-512 register in pairs.
    """
    return sum(at_once * (1 - (1 - 2.0 ** -(at_once * k)) ** n) for k in range(40))


def loads(r: Rates, size: int) -> float:
    """Return the load rate of the nearest cache at least twice as large as `size`."""
    for cache, rate in ((L1, r.load_l1), (L2, r.load_l2), (L3, r.load_l3)):
        if 2 * size <= cache:
            return rate
    return r.load_dram


def stored(r: Rates, size: int) -> float:
    """Return the store rate of the nearest cache at least twice as large as `size`."""
    return r.store_l2 if 2 * size <= L2 else r.store_l3


def _ternary(r: Rates, of_three: int, of_two: int) -> int:
    """Return the instructions of a step with or without three-operand logic (see simd/*.hpp)."""
    return of_three if r.lanes == 8 else of_two


def bernoulli(r: Rates) -> float:
    """Bits per second: a block gives 128 random bits; the comparison adds two instructions per digit.

    The block is that of the plain generator. The kernel computes rounds that all blocks of a word share
    only once, which pays for part of its comparison.
    """
    digits = digits_until_decided(r.bits, 2)
    return 1 / (digits / (128 * r.philox) + 2 * digits / (r.bits * r.logic))


def lfsr16(r: Rates) -> float:
    """Bits per second: for each of 16 digits, a window of the sequence and a step of the comparison.

    A window is one shift of two registers, or two shifts and an OR. The step is one instruction, or
    four. Shifts and other instructions alternate, as they measure no faster in parallel.
    """
    shifts, others = _ternary(r, 1, 2), _ternary(r, 1, 5)
    return r.bits / (16 * (shifts / r.shift + others / r.logic))


def sobol(r: Rates) -> float:
    """Bits per second: six digits differ within a word, the others are compared as one number.

    A digit is inverted depending on the word's number, in two instructions (or four), and merged into
    the comparison by a majority. Comparing the number takes one instruction, its other digits four.
    """
    return r.bits * r.logic / (6 * (2 + 1 if r.lanes == 8 else 4 + 4) + 1 + 4)


def van_der_corput(r: Rates) -> float:
    """Bits per second: as Sobol, but the six digits are the same for all words, or absent."""
    return r.bits * r.logic / (1 + 4 + _ternary(r, 1, 2))


def lif(
    r: Rates, *, rests: bool = False, own: bool = False, noise: bool = False, size: int = 0
) -> float:
    """Updates per second.

    Leak 3, drive 1, compare 1, reset 1, spike bit 1: 7 instructions per register, 3 of them in the
    adders of doubles and 1 in the multipliers, which work in parallel. Refractory: compare times, mask,
    keep v, set the time. Own currents: transpose rows to lanes, scale, and load. Noise: a quarter of a
    block; 10 instructions for a polynomial, 6 for table look-ups and 8 to split a number, in float32,
    two registers at once; scale, add, widen.
    """
    adds, multiplies = 3 + noise, 1 + own + noise
    instructions = (
        _ternary(r, 7, 8) + _ternary(r, 3, 4) * rests + r.lanes.bit_length() * own + 3 * noise
    )
    cost = max(adds / r.add_double, multiplies / r.multiply_double, instructions / r.logic) / r.lanes
    if noise:
        cost += 1 / (4 * r.philox) + _ternary(r, 12, 21) / (r.lanes * r.logic)
    return min(1 / cost, loads(r, size) / 8) if own else 1 / cost


def adding(r: Rates) -> float:
    """Return the instructions that add a register of products to a vertical counter.

    For 16 registers: 15 full adders of two instructions (or five), and three half adders of two for the
    carry.
    """
    return (15 * _ternary(r, 2, 5) + 3 * 2) / 16


def counting(r: Rates, channels: int) -> float:
    """Products per second: AND, add, and expand the counts of 64 steps.

    Expanding takes one masked OR per plane and 16 steps; without masks four instructions per 8 steps.
    """
    expanding = r.lanes * channels.bit_length() * _ternary(r, 4, 8 * 4)
    return r.bits * r.logic / (1 + adding(r) + expanding / channels)


def counting_from_memory(r: Rates, channels: int, size: int) -> float:
    """Products per second if each needs a weight from memory."""
    return min(counting(r, channels), 8 * loads(r, size))


INPUTS, OUTPUTS = 784, 128


def firing(r: Rates) -> float:
    """Seconds per neuron and step of a layer.

    16 planes of counts are transposed by 32 exchanges of two shifts and two selections for 64 steps. 6
    instructions extract a count, convert it, subtract negative ones and scale; 7 update the neuron.
    """
    turning = 32 * (2 + 2 * _ternary(r, 1, 3)) / 64
    return (turning + 6 + _ternary(r, 7, 8)) / (r.lanes * r.logic)


def shared_weights(r: Rates) -> float:
    """Weight bits per second if neurons share the numbers.

    Neurons compare four digits at a time, with 4 instructions (or 7) per digit. The 16 digits of an
    input are generated once for all neurons, in 8 blocks per 64 steps.
    """
    digits = digits_until_decided(r.bits, 4)
    comparing = digits * _ternary(r, 4, 7) / (r.bits * r.logic)
    return 1 / (comparing + 8 / (64 * OUTPUTS * r.philox))


def layer(r: Rates, *, batch: int, shared: bool) -> float:
    """Products per second: a weight bit for the entire batch, a count per image, then the neurons.

    A product with a signed weight is one instruction, or two.
    """
    weights = (shared_weights if shared else bernoulli)(r)
    counts = (_ternary(r, 1, 2) + adding(r)) / (r.bits * r.logic)
    return 1 / (1 / (batch * weights) + counts + firing(r) / INPUTS)


@dataclass(frozen=True)
class Kernel:
    """A row: units of work per call, a function that makes the call, the bound in units per second.

    `goal` is the share that AVX-512 should reach, if one is set.
    """

    name: str
    work: int
    make: Callable[[], Callable[[], object]]
    bound: Callable[[Rates], float]
    goal: float | None = None


def _encode(n: int, length: int, source: sc.Source) -> Callable[[], object]:
    return partial(sc.encode, np.random.default_rng(0).random(n), length, key=1, source=source)


def _lif(n: int, *, noise: float = 0.0, rests: int = 0, own: bool = False) -> Callable[[], object]:
    neurons = sc.LIF(noise_std=noise, refractory_period=rests)
    return partial(neurons.run, np.full((n, 1000) if own else 1000, 0.08), neurons.initial_state(n))


def _words(key: int, length: int, *shape: int) -> NDArray[np.uint64]:
    return sc.encode(np.random.default_rng(key).random(shape), length, key=key).words


def _counts(images: int, neurons: int, channels: int, length: int) -> Callable[[], object]:
    x, w = _words(1, length, images, channels), _words(2, length, neurons, channels)
    return partial(_native.channel_counts, x, w, length)


def _dot(length: int) -> Callable[[], object]:
    x, w = _words(1, length, 100, INPUTS).reshape(100, -1), _words(2, length, 128, INPUTS)
    return partial(_native.dot, x, w.reshape(128, -1))


def _layer(batch: int, steps: int, shared: bool) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    network = sc.Network([sc.Dense(rng.uniform(-1, 1, (OUTPUTS, INPUTS)), gain=0.02)])
    x = sc.encode(rng.random((batch, INPUTS)), steps, key=1)
    return partial(sc.simulate, network, x, seed=1, share_weight_numbers=shared)


def _sources(
    name: str, source: sc.Source, bound: Callable[[Rates], float], goal: float | None = None
) -> list[Kernel]:
    def row(n: int, length: int) -> Kernel:
        return Kernel(
            f"{name}, {n:,} x {length:,} bits",
            n * length,
            partial(_encode, n, length, source),
            lambda r: min(bound(r), 8 * stored(r, n * length // 8)),
            goal,
        )

    return [row(8, 2**20), row(2048, 1024)]


def _dots(length: int) -> Kernel:
    name = f"AND and count over whole streams, {length:,} bits"
    return Kernel(name, 100 * 128 * INPUTS * length, partial(_dot, length), lambda r: r.and_count, 0.85)


def _layers(batch: int, steps: int, shared: bool, goal: float | None = None) -> Kernel:
    kind = "shared weight numbers" if shared else "weights on the fly"
    return Kernel(
        f"layer {INPUTS}-{OUTPUTS}, batch {batch}, {kind}",
        batch * INPUTS * OUTPUTS * steps,
        partial(_layer, batch, steps, shared),
        partial(layer, batch=batch, shared=shared),
        goal,
    )


def _counts_from_memory(images: int) -> Kernel:
    """Return a row whose weights fit only the third-level cache; many images use each weight."""
    products = INPUTS * OUTPUTS * 1024
    return Kernel(
        f"counts per step, {INPUTS}-{OUTPUTS}, weights in memory, batch {images}",
        images * products,
        partial(_counts, images, OUTPUTS, INPUTS, 1024),
        partial(counting_from_memory, channels=INPUTS, size=products // 8)
        if images == 1
        else partial(counting, channels=INPUTS),
    )


KERNELS = [
    *_sources("Bernoulli", sc.Bernoulli(), bernoulli, 0.80),
    *_sources("LFSR(16)", sc.LFSR(16), lfsr16),
    *_sources("Sobol", sc.Sobol(1), sobol),
    *_sources("VanDerCorput", sc.VanDerCorput(), van_der_corput),
    Kernel("LIF, shared current", 10**6, partial(_lif, 1000), lif),
    Kernel(
        "LIF, shared current, refractory", 10**6, partial(_lif, 1000, rests=5), partial(lif, rests=True)
    ),
    Kernel(
        "LIF, shared current, noise", 10**6, partial(_lif, 1000, noise=0.1), partial(lif, noise=True)
    ),
    Kernel(
        "LIF, own currents",
        10**7,
        partial(_lif, 10_000, own=True),
        partial(lif, own=True, size=8 * 10**7),
    ),
    *(_dots(length) for length in (256, 1024)),
    Kernel(
        "counts per step, 64-100",
        64 * 100 * 2048,
        partial(_counts, 1, 100, 64, 2048),
        partial(counting, channels=64),
    ),
    *(_counts_from_memory(images) for images in (1, 16)),
    _layers(100, 256, shared=False),
    _layers(100, 256, shared=True),
    _layers(1, 4096, shared=True, goal=0.60),
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
                rate = kernel.work / min(timings(kernel.make(), 5, 0.01, time.process_time))
                found[level][kernel.name] = max(found[level][kernel.name], rate)
            rates[level] = rates[level].best(measure(level))
    _native.set_isa(isa)
    _native.set_threads(threads)

    print("\nLimits of one core, 10**9 per second: instructions, blocks, bits, bytes")
    print(f"  {'':34s}" + "".join(f"{level:>10s}" for level in levels))
    for name in (field.name for field in fields(Rates) if field.name != "lanes"):
        print(
            f"  {name:34s}" + "".join(f"{getattr(rates[level], name) * 1e-9:10.3g}" for level in levels)
        )
    print("\nKernels on one thread, 10**9 bits, updates or products per second: rate, bound, share")
    print(f"  {'':54s}" + "".join(f"{level:>27s}" for level in levels) + "   goal")
    rows = {}
    for kernel in KERNELS:
        cells = {}
        for level in levels:
            rate, bound = found[level][kernel.name], kernel.bound(rates[level])
            cells[level] = {"rate": rate, "bound": bound, "share": rate / bound}
        rows[kernel.name] = cells
        print(
            f"  {kernel.name:54s}"
            + "".join(
                f"{c['rate'] * 1e-9:10.3g}{c['bound'] * 1e-9:10.3g}{c['share']:7.2f}"
                for c in cells.values()
            )
            + (f"{kernel.goal:7.2f}" if kernel.goal else "")
        )
    return {
        "limits": {level: asdict(rates[level]) for level in levels},
        "kernels": rows,
        "goals": {kernel.name: kernel.goal for kernel in KERNELS if kernel.goal},
    }
