"""Fuzz the loaders: `python tests/fuzz/loaders.py N M` tries N damaged .npz and M damaged HDF5 files.

A file is a network as it is saved, with bytes changed, inserted, deleted, repeated or cut off. A
damaged file is read or refused with a ValueError; any other error is printed and ends the run with
status 1.
"""

import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from sc_neurocore import Dense, Network
from sc_neurocore.exchange.nir import from_nir, to_nir

NETWORK = Network([Dense([[0.5, -0.25], [1.0, 0.0]], gain=0.5), Dense([[0.5, 0.25]])])
# Values at which sizes, lengths and offsets overflow.
EXTREMES = [
    b"\xff" * 8,
    bytes(8),
    b"\xff" * 4,
    b"\x00\x00\x00\x80",
    b"\x00" * 7 + b"\x80",
    b"\xff" * 7 + b"\x7f",
]


def damaged(whole, rng):
    """Return the bytes of a file with 1 to 4 changes."""
    content = bytearray(whole)
    for _ in range(rng.integers(1, 5)):
        at, kind = int(rng.integers(len(content))), rng.integers(6)
        if kind == 0:
            content[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            content[at] = int(rng.integers(256))
        elif kind == 2:
            extreme = EXTREMES[rng.integers(len(EXTREMES))]
            content[at : at + len(extreme)] = extreme
        elif kind == 3:
            content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 4:
            del content[at : at + int(rng.integers(1, 9))]
        else:
            content[at : at + 16] = content[(start := int(rng.integers(len(content)))) : start + 16]
        content = content or bytearray(1)
    return bytes(content[: rng.integers(1, len(content) + 1)] if rng.integers(8) == 0 else content)


def fuzz(name, save, load, n):
    """Print the outcomes of n damaged files, and return the number of wrong ones."""
    rng, outcomes, slowest = np.random.default_rng(0), Counter(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        save(path)
        whole = path.read_bytes()
        for i in range(n):
            path.write_bytes(damaged(whole, rng))
            start = time.monotonic()
            try:
                load(path)
                outcomes["read"] += 1
            except ValueError:
                outcomes["refused"] += 1
            except Exception:
                outcomes["wrong errors"] += 1
                print(f"{name}, file {i}:")
                traceback.print_exc(file=sys.stdout)
            slowest = max(slowest, time.monotonic() - start)
    said = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    print(f"{name}: {n} files, {said}, slowest {slowest:.2f} s", flush=True)
    return outcomes["wrong errors"]


if __name__ == "__main__":
    n, m = (int(text) for text in (sys.argv[1:] + ["20000", "1000"][len(sys.argv) - 1 :])[:2])
    wrong = fuzz("Network.load", NETWORK.save, Network.load, n)
    wrong += fuzz(
        "from_nir", lambda path: to_nir(NETWORK, path), lambda path: from_nir(path, dt_ms=1.0), m
    )
    sys.exit(bool(wrong))
