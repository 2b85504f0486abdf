"""Predicted errors of products of a fixed and a randomized source."""

from __future__ import annotations

import numpy as np
import pytest

from sc_neurocore import Bernoulli, Hammersley, Permutation, Ramp, Role, encode, stream_key
from sc_neurocore.evidence import dot_error
from sc_neurocore.streams import RotatedLFSR, operands


def _measured(p, q, length, source, n):
    first, second = operands(source)
    errors = [
        (
            encode(p, length, key=stream_key(1000 + s, Role.INPUT), source=first)
            & encode(q, length, key=stream_key(1000 + s, Role.WEIGHT), source=second)
        )
        .probability()
        .sum()
        - p @ q
        for s in range(n)
    ]
    return float(np.sqrt(np.mean(np.square(errors))))


@pytest.mark.filterwarnings("ignore::sc_neurocore.PeriodWarning")
@pytest.mark.parametrize(
    ("source", "length"),
    [
        ((Bernoulli(), Hammersley(8, randomized=False)), 64),
        ((Permutation(64), Ramp(64)), 96),
        ((Bernoulli(), Ramp(8)), 60),
        ((Ramp(64), Permutation(64)), 96),
    ],
)
def test_bias_of_a_fixed_operand_adds_up(source, length):
    p, q, n = np.full(1000, 0.7), np.full(1000, 0.4), 64
    measured = _measured(p, q, length, source, n)
    # The relative standard deviation of a root mean square of n errors is at most 1 / sqrt(2 n).
    assert dot_error(p, q, length, source=source) == pytest.approx(measured, rel=5 / np.sqrt(2 * n))


@pytest.mark.filterwarnings("ignore::sc_neurocore.PeriodWarning")
def test_bias_of_many_fixed_operands_is_measured_at_each():
    p = np.full(140_000, 0.5)
    assert dot_error(p, p, 63, source=RotatedLFSR(6)) == pytest.approx(
        _measured(p, p, 63, RotatedLFSR(6), 1)
    )
