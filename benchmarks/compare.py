"""Comparison with peers: every workload in rounds, each of which times every entry once."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Any

from peers import OURS, PEERS, Process, UnavailableError
from timing import median_and_spread
from workloads import ALL, GOALS, ONE, WORKLOADS, Entry, Workload, shown

ROUNDS = 5
# Seconds between entries: threads of OpenMP and OpenBLAS wait for work in busy loops before they sleep.
PAUSE = 0.3
Result = dict[str, Any]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Field:
    """The processes of all entries, each started at first use and kept running."""

    def __init__(self, missing: dict[str, str]) -> None:
        self.missing = missing
        self.versions: dict[str, str] = {}
        self._processes: dict[Entry, Process] = {}

    def ask(self, entry: Entry, case: str) -> list[float]:
        """Return timings, or an empty list after printing the reason."""
        name, threads = entry
        if name in self.missing:
            return []
        try:
            if entry not in self._processes:
                self._processes[entry] = Process(PEERS[name], cores() if threads == ALL else 1)
                self.versions[name] = self._processes[entry].version
            time.sleep(PAUSE)
            return self._processes[entry].ask(case)
        except (OSError, UnavailableError) as error:
            print(f"  skipped: {name}: {error}", flush=True)
            if entry in self._processes:
                self._processes.pop(entry).close()
            return []

    def close(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            process.close()


def run_workload(workload: Workload, field: Field) -> list[Result]:
    """Return, for each entry, median and spread of seconds per unit of work and the ratio to ours.

    The ratio is the median of the ratios within rounds: a slow round does not change it.
    """
    entries = [e for e in workload.entries if cores() > 1 or e[1] == ONE]
    rounds: dict[Entry, list[list[float]]] = {entry: [] for entry in entries}
    for _ in range(ROUNDS):
        for entry in list(rounds):
            samples = field.ask(entry, workload.case)
            if samples:
                rounds[entry].append([seconds / workload.work for seconds in samples])
            else:
                del rounds[entry]
    ours = [median(samples) for samples in rounds[entries[0]]]
    rows = []
    for (name, threads), found in rounds.items():
        middle, spread = median_and_spread([seconds for samples in found for seconds in samples])
        ratio = median(median(samples) / own for samples, own in zip(found, ours, strict=True))
        rows.append(
            {"name": name, "threads": threads, "seconds": middle, "spread": spread, "ratio": ratio}
        )
    return rows


def show(workload: Workload, rows: list[Result]) -> None:
    """Print the table of a workload."""
    print(f"\n{workload.title}")
    for row in rows:
        figure = shown(row["seconds"], workload.unit)
        print(
            f"  {row['name']:20s}{row['threads']:4s}{figure:14,.4g} {workload.unit:9s}"
            f"+-{100 * row['spread'] / row['seconds']:3.0f} %   x {row['ratio']:,.3g}",
            flush=True,
        )


def compare(wanted: list[str], missing: dict[str, str]) -> Result:
    """Return the rows of all workloads whose first word is wanted, the versions, and the goals."""
    print(
        f"\nMedians of {ROUNDS} rounds, half the interquartile range, time relative to ours (first row)"
    )
    print(f'"all" is {cores()} threads, "one" a single one')
    field = Field(missing)
    tables: dict[str, list[Result]] = {}
    try:
        for workload in WORKLOADS:
            if workload.case.split()[0] in wanted:
                tables[workload.case] = run_workload(workload, field)
                show(workload, tables[workload.case])
    finally:
        field.close()
    versions = {name: field.versions[name] for name in PEERS if name in field.versions}
    return {"rows": tables, "versions": versions, "missing": missing, "goals": goals(tables)}


def goals(tables: dict[str, list[Result]]) -> list[Result]:
    """Print and return the outcome of each goal whose two sides were timed."""
    found: list[Result] = []
    for goal in GOALS:
        rows = tables.get(goal.case, [])
        mine = [r["ratio"] for r in rows if (r["name"], r["threads"]) == (OURS, goal.ours)]
        name, threads = goal.peer
        # "All" includes one thread: on a busy machine several threads can be slower than one.
        its = [r["ratio"] for r in rows if r["name"] == name and threads in (ALL, r["threads"])]
        if not mine or not its:
            continue
        ratio = min(its) / mine[0]
        title = f"{goal.case}: ours ({goal.ours}) over {name} ({threads})"
        held = ratio >= goal.ratio
        verdict = "reached" if held else "NOT REACHED"
        if not found:
            print("\nGoals")
        print(f"  {title:56s} x {ratio:6.1f}   goal {goal.ratio:g}: {verdict}")
        found.append({"title": title, "ratio": ratio, "goal": goal.ratio, "holds": held})
    return found
