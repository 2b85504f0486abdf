"""Run the accuracy study of the results page on a Dask cluster, and measure what the cluster costs.

Every point of the study is one source of random numbers at one stream length: the accuracy of the
shipped digits network over 20 seeds. The points run on local workers with one thread each, on one
worker and then on two, and the rows are compared with those of this process. The figures are

- the overhead: processor time of all processes per point that does nothing;
- the wall time of the study, and the time inside its points (work);
- the efficiency: work divided by the number of workers and by the wall time. Other programs on the
  machine stretch both times, so that they change it less than a speedup;
- how busy the machine was: processes that were ready to run, ours included (load average).

Run ``python examples/sweep_dask.py`` after ``pip install '.[dask]'``. With ``--address`` the study runs
on a cluster that is there already, whose workers have sc-neurocore installed. ``--figures FILE``
writes the figures as JSON, and ``--rows FILE`` the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

from sc_neurocore import evaluate, load_digits, set_threads, sweep
from sc_neurocore.evidence.evaluation import SOURCES

GRID: dict[str, list[Any]] = {
    "source": ["bernoulli", "sobol", "hammersley", "lfsr"],
    "length": [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256],
}
SEEDS = range(20)
EMPTY = 500


def measure(source: str, length: int) -> dict[str, float]:
    """Return the accuracy of a source at a length, and the time that it took."""
    begun = time.perf_counter()
    (row,) = evaluate(*load_digits(), [length], seeds=SEEDS, source=SOURCES[source])
    return {"accuracy": row.mean, "std": row.std, "seconds": time.perf_counter() - begun}


def nothing(i: int) -> int:
    """Return the number of a point, for the overhead."""
    return i


def processor_time(client: Any) -> float:
    """Return the processor time of the workers, and of this process with client and scheduler."""
    return float(time.process_time() + sum(client.run(time.process_time).values()))


def timed(client: Any) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the rows of the study on a cluster, and its figures."""
    client.run(set_threads, 1)
    executor = client.get_executor(pure=False)
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    sweep(measure, {"source": ["bernoulli"], "length": [2, 4]}, executor=executor)  # imports
    begun = processor_time(client)
    sweep(nothing, {"i": range(EMPTY)}, executor=executor)
    overhead = (processor_time(client) - begun) / EMPTY
    begun = time.perf_counter()
    rows = sweep(measure, GRID, executor=executor, progress=True)
    wall = time.perf_counter() - begun
    work = sum(row["seconds"] for row in rows)
    figures = {
        "workers": workers,
        "overhead": overhead,
        "wall": wall,
        "work": work,
        "efficiency": work / workers / wall,
        "busy": os.getloadavg()[0],
    }
    return rows, figures


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without their times."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def main() -> None:
    """Run the study on one worker and on two, compare, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--address", help="address of a Dask scheduler")
    parser.add_argument("--figures", type=Path, help="file for the figures")
    parser.add_argument("--rows", type=Path, help="file for the rows")
    options = parser.parse_args()
    found = []
    if options.address:
        with Client(options.address) as client:
            rows, figures = timed(client)
            found.append(figures)
    else:
        set_threads(1)
        rows = sweep(measure, GRID, progress=True)
        for n in (1, 2):
            with (
                LocalCluster(
                    n_workers=n, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
                ) as cluster,
                Client(cluster) as client,
            ):
                there, figures = timed(client)
            assert compared(there) == compared(rows), "the rows must not depend on the cluster"
            found.append(figures)
    for row in rows:
        print(f"{row['source']:12s} {row['length']:4d}  {row['accuracy']:.2%} +- {row['std']:.2%}")
    for figures in found:
        print(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    if options.rows:
        options.rows.write_text(json.dumps(compared(rows), indent=1) + "\n")
    if options.figures:
        options.figures.write_text(json.dumps({"points": len(rows), "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
