"""Time the core, its peers and the limits of the machine in one run; print and save the figures.

python benchmarks/bench.py [part ...]

Parts: step, population, network, layer, encode, product and dot (compared with peers, see
workloads.py), sources, runs, operators, ceilings, scaling. A run of all parts writes
build/bench/results.json, from which `chart.py` makes the pictures and the tables of README and
documentation. A run of some parts replaces them there, if the rest is of the same day and machine.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import ceilings
import numpy as np
import peers
import scaling
import tables
from compare import compare, cores, goals
from workloads import WORKLOADS

import sc_neurocore as sc
from sc_neurocore import _native

PARTS: dict[str, Callable[[], Any]] = {
    "sources": tables.sources,
    "runs": tables.runs,
    "operators": tables.operators,
    "ceilings": ceilings.shares,
    "scaling": scaling.curves,
}
COMPARISONS = list(dict.fromkeys(workload.case.split()[0] for workload in WORKLOADS))


def processor() -> str:
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Return a description of the machine and the software."""
    return {
        "processor": processor(),
        "cores": cores(),
        "isa": _native.isa(),
        "system": platform.platform(),
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
        "versions": {
            "sc-neurocore": sc.__version__,
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "native module built by": ceilings.compiler_of_native(),
        },
    }


def replaced(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return figures with those of new parts; nothing if they are of another day or machine."""
    same = ("processor", "cores", "isa", "system", "date", "versions")
    if not old or any(old[name] != new[name] for name in same):
        return {}
    compared, load = dict(old["compare"]), max(old["load"], new["load"])
    if "compare" in new:
        compared["rows"] = {**compared["rows"], **new["compare"]["rows"]}
        compared["goals"] = goals(compared["rows"])
    return {**old, **new, "compare": compared, "load": load}


def main() -> None:
    """Run the parts named on the command line, or all."""
    wanted = sys.argv[1:] or [*COMPARISONS, *PARTS]
    for part in wanted:
        if part not in COMPARISONS and part not in PARTS:
            sys.exit(f"part must be one of {', '.join([*COMPARISONS, *PARTS])}, got {part}")
    start = time.monotonic()
    results = machine()
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    print(f"{results['processor']}, {results['cores']} cores, {results['isa']}\n{versions}")
    if results["load"] > peers.BUSY:
        print(f"The machine is not idle (load {results['load']:.1f}): times are less reliable")
    peers.BUILD.mkdir(parents=True, exist_ok=True)
    compared = [part for part in wanted if part in COMPARISONS]
    if compared:
        print("\nEnvironments of the peers: build/bench/envs", flush=True)
        results["compare"] = compare(compared, peers.install_all())
        print("\nVersions: " + ", ".join(f"{n} {v}" for n, v in results["compare"]["versions"].items()))
    for part in wanted:
        if part in PARTS:
            results[part] = PARTS[part]()
    print(f"\n{(time.monotonic() - start) / 60:.1f} minutes")
    to = peers.BUILD / "results.json"
    if sys.argv[1:]:
        results = replaced(json.loads(to.read_text()) if to.exists() else {}, results)
    if results:
        to.write_text(json.dumps(results, indent=1) + "\n")
        print(f"wrote {to}")


if __name__ == "__main__":
    main()
