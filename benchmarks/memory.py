"""Memory per image of a training step, of this package and of its peers.

The largest resident memory of a process that runs training steps with one number of images, and of
another with more: the difference per image is what grows with a batch. Activations, gradients and
inputs are in it; weights, the optimizer and the libraries are not.
"""

from __future__ import annotations

import subprocess

from peers import HERE, PEERS, UnavailableError, python_of
from workloads import TRAIN

PACKAGES = ("sc-neurocore", "snnTorch", "Norse")
RUNS = 3

# Memory that is returned to the system is not counted twice.
CODE = """
import resource, sys, torch
import {script} as peer
torch.set_num_threads(1)
run = peer.train({sizes}, {steps}, {batch})
for _ in range({runs}):
    run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(name: str, sizes: tuple[int, ...] | None, steps: int, batch: int) -> int:
    """Return the largest resident memory of a process in kB."""
    peer = PEERS[name]
    code = CODE.format(script=peer.script[:-3], sizes=sizes, steps=steps, batch=batch, runs=RUNS)
    done = subprocess.run(
        [str(python_of(peer)), "-c", code], cwd=HERE, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def per_image(name: str, case: str) -> str:
    """Return the memory per image in kB, or "-" if the package is unavailable."""
    sizes, steps, batch = TRAIN[case]
    try:
        few, many = (peak(name, sizes, steps, n * batch) for n in (4, 12))
    except (UnavailableError, OSError, subprocess.CalledProcessError):
        return "-"
    return f"{(many - few) / (8 * batch):.1f}"


def main() -> None:
    """Print a table."""
    print(f"kB per image of a training step {' '.join(f'{name:>14}' for name in PACKAGES)}")
    for case in TRAIN:
        row = [f"{per_image(name, case):>14}" for name in PACKAGES]
        print(f"{case:31} {' '.join(row)}", flush=True)


if __name__ == "__main__":
    main()
