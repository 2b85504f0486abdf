"""Intervals at the largest currents."""

from __future__ import annotations

from sc_neurocore import LIF
from sc_neurocore.neurons import isi_ms, isi_steps


def test_the_largest_currents_fire_in_every_step():
    assert isi_steps(LIF(), 1e308) == 1
    assert 0 <= isi_ms(LIF(), 1e308) < 1e-300
    assert isi_steps(LIF(), -1e308) == float("inf")
