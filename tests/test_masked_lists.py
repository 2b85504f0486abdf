"""Masked values, inside lists too, and values that their own precision rounds past a limit."""

from __future__ import annotations

import numpy as np
import pytest

from sc_neurocore import Bitstream, Dense, Network, encode, evaluate, simulate, simulate_float

NETWORK = Network([Dense([[1.0]], gain=0.3)])
MASKED = np.ma.array([0.5, 0.9], mask=[False, True])


def test_masked_values_in_lists_and_integers_are_refused():
    for call in (
        lambda: encode([MASKED, MASKED], 64, key=1),
        lambda: Dense((MASKED, MASKED)),
        lambda: encode(0.5, np.ma.array(64, mask=True), key=1),
        lambda: evaluate(NETWORK, [[0.5], [0.5]], np.ma.array([0, 0], mask=[0, 1]), [8]),
        lambda: Bitstream(np.ma.array(np.zeros(1, np.uint64), mask=[True]), 8),
    ):
        with pytest.raises(ValueError, match="masked"):
            call()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_unit_in_the_last_place_past_a_limit_is_that_limit(dtype):
    above = np.nextafter(dtype(1), dtype(2))
    one = Dense(np.array([[above]]), gain=0.3)
    assert one == Dense([[1.0]], gain=0.3)
    for function in (simulate, simulate_float):
        for length in (8,):
            ours = function(Network([one]), np.array([above]), length)
            assert np.array_equal(ours.potentials, function(NETWORK, [1.0], length).potentials)
    with pytest.raises(ValueError, match="x must lie in"):
        simulate(NETWORK, np.array([1.1], dtype), 8)
