"""Timing by one function for everybody. Imports the standard library alone: every peer uses it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


class Outside(float):
    """Seconds of a call that are no part of the work: a call returns them to have them left out."""


def timings(
    call: Callable[[], object],
    samples: int = 3,
    least: float = 0.03,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Return seconds a call, `samples` times, each over as many calls as take about `least` seconds.

    One more sample goes before them and does not count: a rested core takes a while to its full clock.
    """
    start = clock()
    call()
    loops = max(1, int(least / max(clock() - start, 1e-7)))
    found = []
    for _ in range(samples + 1):
        outside = 0.0
        start = clock()
        for _ in range(loops):
            returned = call()
            if type(returned) is Outside:
                outside += returned
        found.append((clock() - start - outside) / loops)
    return found[1:]


def median_and_spread(samples: Sequence[float]) -> tuple[float, float]:
    """Return the median and half the interquartile range."""
    low, median, high = statistics.quantiles(samples, n=4)
    return median, (high - low) / 2
