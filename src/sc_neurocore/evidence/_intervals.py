"""Confidence intervals for proportions and their differences.

They are exact or based on score tests, and therefore valid near 0 and 1 too. Counts may be fractional:
a per-image mean over seeds has at most the variance of a Bernoulli variable, so intervals err on the
wide side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from statistics import NormalDist

import numpy as np


def wilson(right: float, n: int, confidence: float) -> tuple[float, float]:
    """Return the interval of a proportion by the score test of E. B. Wilson (JASA 22, 1927).

    Its ends are the proportions p that solve::

        (right / n - p)**2 = z**2 * p * (1 - p) / n
    """
    z = _quantile(confidence)
    middle = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(right * (n - right) / n + z**2 / 4)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def paired_difference(first: float, second: float, n: int, confidence: float) -> tuple[float, float]:
    """Return the interval of the difference of two proportions of the same n cases.

    `first` cases have only the first property, and `second` cases only the second. By the score test of
    T. Tango (Statistics in Medicine 17, 1998), which at a difference of 0 is McNemar's test.
    """
    z = _quantile(confidence)

    def score(difference: float) -> float:
        # The maximum likelihood proportion of `second` solves a quadratic equation.
        linear = first + second - (2 * n - first + second) * difference
        constant = second * difference * (1 - difference)
        proportion = (linear + math.sqrt(max(linear**2 + 8 * n * constant, 0.0))) / (4 * n)
        variance = n * (2 * proportion + difference * (1 - difference))
        gap = first - second - n * difference
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)

    middle = (first - second) / n
    low = _root(lambda d: z - score(d), -1.0, middle)
    high = _root(lambda d: -z - score(d), middle, 1.0)
    return low, high


def at_most(k: int, n: int, p: float) -> float:
    """Return the binomial probability of at most k hits in n cases, each with probability p in (0, 1).

    The upper bound of a proportion by C. J. Clopper and E. S. Pearson (Biometrika 26, 1934) is the p at
    which this equals ``1 - confidence``. The bound is at most p if this is at most ``1 - confidence``.
    """
    if k >= n:
        return 1.0
    hits = np.arange(k + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((n - hits[1:] + 1) / hits[1:]))])
    return float(np.exp(ways + hits * math.log(p) + (n - hits) * math.log1p(-p)).sum())


def cases_needed(p: float, confidence: float) -> int:
    """Return the smallest n for which no hit proves a probability of at most p."""
    needed = math.log1p(-confidence) / math.log1p(-p)
    return (
        math.ceil(needed)
        if needed < math.inf
        else math.ceil(Fraction(-math.log1p(-confidence)) / Fraction(p))
    )


def _quantile(confidence: float) -> float:
    # The lower tail: (1 + confidence) / 2 rounds to 1 for a confidence next to 1.
    return -NormalDist().inv_cdf((1 - confidence) / 2)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return the root of an increasing function, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
