"""Masked values inside lists."""

from __future__ import annotations

import numpy as np
import pytest

from sc_neurocore import Dense, encode

MASKED = np.ma.array([0.5, 0.9], mask=[False, True])


def test_masked_values_in_lists_and_integers_are_refused():
    for call in (
        lambda: encode([MASKED, MASKED], 64, key=1),
        lambda: Dense((MASKED, MASKED)),
        lambda: encode(0.5, np.ma.array(64, mask=True), key=1),
    ):
        with pytest.raises(ValueError, match="masked"):
            call()
