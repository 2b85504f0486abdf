"""Lengths for the smallest errors and the largest confidences."""

from __future__ import annotations

import math

import pytest

from sc_neurocore import length_for_density
from sc_neurocore.evidence._intervals import cases_needed


@pytest.mark.parametrize("p", [None, 0.5])
def test_extreme_errors_and_confidences_have_lengths(p):
    assert length_for_density(1e-170, p=p) > 10**339
    assert length_for_density(1e-160, p=p) > 10**319
    assert 1000 < length_for_density(0.1, 1 - 1.2e-16, p=p) < 2000


def test_the_smallest_risk_needs_a_finite_number_of_cases():
    assert math.log10(cases_needed(5e-324, 0.95)) > 323
