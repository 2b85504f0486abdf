"""The timing function that all peers use. Imports only the standard library."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


class Outside(float):
    """Seconds that a call returns to exclude them from its time."""


def timings(
    call: Callable[[], object],
    samples: int = 3,
    least: float = 0.03,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Return `samples` measurements of seconds per call, each over calls of about `least` seconds.

    One more sample comes first and is dropped, because an idle core needs time to reach its full clock.
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
