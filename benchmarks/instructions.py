"""Compare the number of instructions of each kernel with the record.

python benchmarks/instructions.py [--update]

Valgrind counts the instructions of each kernel at two sizes of work. The difference divided by the
difference in work gives instructions per unit, without the cost of starting and checking. Valgrind has
no AVX-512, so the levels are portable and AVX2. A kernel that needs over 10 % more than
instructions.json records fails the check; over 50 % if another compiler built the module. --update
rewrites the record.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from ceilings import compiler_of_native
from numpy.typing import NDArray

import sc_neurocore as sc
from sc_neurocore import _native, hardware, operators, plasticity
from sc_neurocore.circuits import Circuit, feedback

RECORD = Path(__file__).with_suffix(".json")
LEVELS = ("portable", "avx2")
GROWTH, GROWTH_OF_OTHER_COMPILER = 0.10, 0.50
Call = Callable[[], object]

# Asks callgrind to write its counts since the last dump, under a name.
REQUEST = """
#include <valgrind/callgrind.h>
void dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
"""


def _encode(source: sc.Source, n: int) -> Call:
    return partial(sc.encode, np.linspace(0.01, 0.99, 8), 64 * n, key=1, source=source)


def _encode_rows(n: int) -> Call:
    streams, thresholds = np.arange(8, dtype=np.uint64), np.linspace(0.01, 0.99, 16 * 8) * 2.0**32
    rows = thresholds.astype(np.uint64).reshape(16, 8)
    return partial(_native.encode, 1, streams, rows, 0, 64 * n)


def _lif(noise: float, n: int) -> Call:
    neurons = sc.LIF(noise_std=noise)
    return partial(neurons.run, np.full(n, 0.08), neurons.initial_state(64))


def _lif_own(n: int) -> Call:
    neurons = sc.LIF()
    return partial(neurons.run, np.full((64, n), 0.08), neurons.initial_state(64))


def _words(rows: int) -> NDArray[np.uint64]:
    p = np.broadcast_to(np.linspace(0.1, 0.9, 64), (rows, 64))
    return sc.encode(p, 1024, key=1).words


def _counts(images: int, n: int) -> Call:
    return partial(_native.channel_counts, _words(images), _words(n), 1024)


def _ones(n: int) -> Call:
    return partial(_native.ones, _words(n).reshape(64 * n, 16))


def _draw(n: int) -> Call:
    streams, below = np.arange(n, dtype=np.uint64), np.array([1000], np.uint64)
    return partial(_native.draw, 1, 0x53000000, streams, below)


def _dot(n: int) -> Call:
    return partial(_native.dot, _words(10).reshape(10, -1), _words(n).reshape(n, -1))


def _simulate(shared: bool, n: int) -> Call:
    w = np.linspace(-1, 1, 64 * 32 * n).reshape(32 * n, 64)
    x = sc.encode(np.broadcast_to(np.linspace(0.1, 0.9, 64), (4, 64)), 256, key=1)
    return partial(
        sc.simulate, sc.Network([sc.Dense(w, gain=0.1)]), x, seed=1, share_weight_numbers=shared
    )


def _learn(n: int) -> Call:
    w = np.linspace(0, 1, 32 * 64).reshape(32, 64)
    rule = plasticity.STDP(0.01, 0.01, pairing="nearest")
    prepared = sc.prepare(sc.Network([sc.Dense(w, gain=0.05, plasticity=rule)]), seed=1)
    return partial(prepared.run, np.full(64, 0.1), 64 * n)


def _fixed_learning(n: int) -> Call:
    rule = plasticity.STDP(0.01, 0.01, bounds="hard")
    layer = sc.Dense(np.full((16, 64), 0.5), gain=0.05, plasticity=rule)
    design = hardware.LearningDesign(sc.Network([layer]))
    return partial(design.simulate, sc.encode(np.full(64, 0.1), 64 * n, key=1))


def _short(n: int) -> Call:
    w = np.linspace(-1, 1, 64 * 32).reshape(32, 64)
    prepared = sc.prepare(sc.Network([sc.Dense(w, gain=0.1)]), seed=1, steps_kept=8)
    return partial(prepared.run, np.linspace(0.01, 0.99, 64 * n).reshape(n, 64), 8)


def _real(n: int) -> Call:
    words = np.ascontiguousarray(_words(n).reshape(n, 64, -1)[:, :, :1])
    return partial(_native.real_sums, words, np.linspace(-1, 1, 64 * 32).reshape(64, 32), None, 64)


def _numbers(n: int) -> Call:
    return partial(sc.Bernoulli().numbers, np.arange(n), 8, key=1)


def _radical(n: int) -> Call:
    streams = np.arange(n)
    return partial(sc.encode, np.full(n, 0.3), 128, key=1, source=sc.VanDerCorput(3), streams=streams)


def _cordiv(n: int) -> Call:
    x, y = sc.encode([[0.3], [0.8]], 4096, key=1, streams=np.arange(n))
    return partial(operators.cordiv, x, y)


def _loop(n: int) -> Call:
    x, y = sc.encode(np.full((2, 64), 0.5), 64 * n, key=1)
    circuit = Circuit.trace(lambda x, y: feedback(lambda held: x & y | ~y & held))
    return partial(circuit.simulate, {"x": x, "y": y})


def _training(n: int) -> NDArray[np.float32]:
    steps = np.arange(n * 64 * 32, dtype=np.float32).reshape(n, 64, 32)
    return np.ascontiguousarray(steps % 29 - 9)


def _training_sums(n: int) -> Call:
    codes = np.linspace(-(2.0**32), 2.0**32, 64 * 32).astype(np.int64).reshape(64, 32)
    words = np.ascontiguousarray(_words(n).reshape(n, 64, -1)[:, :, :1])
    return partial(_native.training_sums, 1, words, 1, codes, None, 1, 64, None)


def _neuron_gradients(n: int) -> Call:
    drive, gain = _training(n), np.full(32, 0.1)
    of_v = np.zeros((n, 32), np.float32)
    lif = sc.LIF(tau_mem=8.0).parameters
    return partial(
        _native.neuron_gradients, lif, 0, False, 32, 0.5, drive, gain, drive, of_v, None, False, False
    )


def _product_gradients(n: int) -> Call:
    words = np.ascontiguousarray(_words(n).reshape(n, 64, -1)[:, :, :1])
    return partial(_native.product_gradients, _training(n), words, 1, None)


def _input_gradients(n: int) -> Call:
    of_sums, weights = np.ones((n, 16 * 8), np.float32), np.ones((1, 25, 8, 16), np.float32)
    pixels = np.arange(16 * 25, dtype=np.int32).reshape(16, 25)
    return partial(
        _native.input_gradients, of_sums, weights, pixels, np.empty((n, 400, 16), np.float32)
    )


def _codes(n: int) -> Call:
    return partial(_native.codes, np.linspace(-1, 1, 64 * n, dtype=np.float32).reshape(64, n))


# By kernel: a function that makes a call of n units, two sizes n, and the work of a unit.
KERNELS: dict[str, tuple[Callable[[int], Call], tuple[int, int], int]] = {
    "Bernoulli, per bit": (partial(_encode, sc.Bernoulli()), (32, 96), 512),
    "Bernoulli by rows, per bit": (_encode_rows, (32, 96), 16 * 512),
    "LFSR(16), per bit": (partial(_encode, sc.LFSR(16)), (64, 256), 512),
    "Sobol, per bit": (partial(_encode, sc.Sobol(1)), (64, 256), 512),
    "VanDerCorput, per bit": (partial(_encode, sc.VanDerCorput()), (64, 256), 512),
    "LIF, per update": (partial(_lif, 0.0), (256, 1024), 64),
    "LIF with noise, per update": (partial(_lif, 0.1), (64, 256), 64),
    "LIF, own currents, per update": (_lif_own, (256, 1024), 64),
    "learning, per weight": (_learn, (4, 16), 64 * 64 * 32),
    "learning in fixed point, per synapse": (_fixed_learning, (4, 16), 64 * 64 * 16),
    "counts per step, per product": (partial(_counts, 1), (2, 8), 64 * 1024),
    "counts of a batch, per product": (partial(_counts, 8), (2, 8), 8 * 64 * 1024),
    "ones of rows, per word": (_ones, (8, 24), 64 * 16),
    "starts of streams, per number": (_draw, (512, 2048), 1),
    "dot, per product": (_dot, (8, 24), 10 * 64 * 1024),
    "layer, per product": (partial(_simulate, False), (1, 3), 4 * 64 * 32 * 256),
    "layer, shared, per product": (partial(_simulate, True), (1, 3), 4 * 64 * 32 * 256),
    "short runs, per product": (_short, (64, 256), 64 * 32 * 8),
    "real sums, per product": (_real, (16, 64), 64 * 32 * 64),
    "training sums, per product": (_training_sums, (16, 64), 64 * 32 * 64),
    "gradients of neurons, per step": (_neuron_gradients, (16, 64), 64 * 32),
    "gradients of products, per product": (_product_gradients, (16, 64), 64 * 32 * 64),
    "gradients of patches, per product": (_input_gradients, (16, 64), 16 * 25 * 8 * 16),
    "codes of weights, per weight": (_codes, (64, 256), 64),
    "numbers of few steps, per number": (_numbers, (512, 2048), 8),
    "VanDerCorput(3), per bit": (_radical, (512, 2048), 128),
    "cordiv, per bit": (_cordiv, (2, 8), 4096),
    "loop of 64 rows, per step": (_loop, (16, 64), 64),
}


def worker(library: str) -> None:
    """Run every kernel at both sizes under callgrind, after one call that is not counted."""
    import ctypes

    code = ctypes.CDLL(library)
    for name, (make, sizes, _) in KERNELS.items():
        for which, n in enumerate(sizes):
            call = make(n)
            call()
            code.dump(b"making and warming up")
            call()
            code.dump(f"{name}/{which}".encode())


def count(level: str, folder: Path, library: Path) -> dict[str, float]:
    """Return instructions per unit of work of every kernel."""
    out = folder / f"{level}.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]
    done = subprocess.run(
        [*command, sys.executable, __file__, "--worker", str(library)],
        # One thread of NumPy's too: those that wait for work spin, which would be counted.
        env={
            **os.environ,
            "SC_NEUROCORE_ISA": level,
            "SC_NEUROCORE_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"under valgrind: {done.stderr.strip().splitlines()[-1:]}")
    totals: dict[str, int] = {}
    for dump in folder.glob(f"{level}.out.*"):
        text = dump.read_text()
        why = re.search(r"desc: Trigger: Client Request: (.*)", text)
        total = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
        if why and total:
            totals[why[1]] = int(total[1])
    found = {}
    for name, (_, (small, large), work) in KERNELS.items():
        more = totals[f"{name}/1"] - totals[f"{name}/0"]
        found[name] = round(more / ((large - small) * work), 4)
    return found


def request(folder: Path) -> Path:
    """Compile and return the library that sends requests to callgrind."""
    source, library = folder / "request.c", folder / "request.so"
    source.write_text(REQUEST)
    compiler = os.environ.get("CC", "cc")
    done = subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library], capture_output=True)
    if done.returncode != 0:
        sys.exit("needed: the header valgrind/callgrind.h and a C compiler (apt install valgrind gcc)")
    return library


def main() -> None:
    """Check or update the record."""
    if shutil.which("valgrind") is None:
        sys.exit("needed: valgrind (Debian, Ubuntu: apt install valgrind)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = request(folder)
        levels = {level: count(level, folder, library) for level in LEVELS if level in _native.isas()}
    compiler = compiler_of_native()
    if "--update" in sys.argv:
        RECORD.write_text(json.dumps({"compiler": compiler, **levels}, indent=1) + "\n")
        print(f"wrote {RECORD}")
        return
    record = json.loads(RECORD.read_text())
    growth = GROWTH
    if record["compiler"] != compiler:
        growth = GROWTH_OF_OTHER_COMPILER
        print(f"recorded with {record['compiler']}, built by {compiler}: ", end="")
        print(f"the limit is {growth:.0%} more instead of {GROWTH:.0%}")
    failed = 0
    print(f"{'instructions':40s}{'now':>10s}{'on record':>11s}")
    for level, found in levels.items():
        for kernel, now in found.items():
            then = record.get(level, {}).get(kernel)
            grew = then is None or now > then * (1 + growth)
            failed += grew
            change = "not on record" if then is None else f"{now / then - 1:+.1%}"
            mark = "  TOO MANY" if grew else ""
            print(f"{level:9s} {kernel:30s}{now:10.4g}{then or 0:11.4g}  {change}{mark}")
    if failed:
        sys.exit(
            f"{failed} kernels need over {growth:.0%} more instructions (use --update if intended)"
        )


if __name__ == "__main__":
    if "--worker" in sys.argv:
        worker(sys.argv[-1])
    else:
        main()
