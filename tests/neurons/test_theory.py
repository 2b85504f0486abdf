"""Closed forms agree with simulation."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sc_neurocore import LIF, firing_rate_hz, interspike_intervals, isi_histogram, rheobase, spike_times
from sc_neurocore.neurons import isi_ms, isi_steps, stationary_std

law = settings(deadline=None, derandomize=True, max_examples=100)
neurons = st.builds(
    LIF,
    v_rest=st.floats(-0.5, 0.5),
    v_reset=st.floats(-1.0, 0.5),
    v_threshold=st.floats(0.6, 2.0),
    tau_mem=st.floats(1.0, 30.0),
    dt=st.floats(0.05, 1.0),
    resistance=st.floats(0.1, 5.0),
    refractory_period=st.integers(0, 5),
)


def intervals_of(lif, current, steps):
    spikes, _ = lif.run(np.full(steps, current))
    return interspike_intervals(spikes[0].bits())


def test_the_textbook_neuron_has_its_textbook_numbers():
    lif = LIF(tau_mem=20.0)
    assert rheobase(lif) == 0.05
    assert isi_steps(lif, 0.08) == 20.0
    assert isi_ms(lif, 0.08) == pytest.approx(20 * math.log(1.6 / 0.6), rel=1e-15)
    assert round(isi_ms(lif, 0.08), 1) == 19.6
    spikes, _ = lif.run([0.08] * 5000)
    assert float(firing_rate_hz(spikes.bits())[0]) == 50.0
    assert set(intervals_of(lif, 0.08, 5000)) == {20.0}


@law
@given(neurons)
def test_nothing_fires_below_the_rheobase(lif):
    below, above = (rheobase(lif) * f for f in ((0.99, 1.01) if rheobase(lif) > 0 else (1.01, 0.99)))
    steps = math.ceil(12 * lif.tau_mem / lif.dt)
    assert isi_steps(lif, below) == isi_ms(lif, below) == math.inf
    assert not lif.run([below] * steps)[0].counts().any()
    assert math.isfinite(isi_steps(lif, above))
    assert lif.run([above] * steps)[0].counts().all()


@law
@given(neurons, st.floats(-5.0, 5.0))
def test_intervals_are_finite_exactly_above_the_rheobase(lif, current):
    assume(abs(current - rheobase(lif)) > 1e-9)
    assert math.isfinite(isi_steps(lif, current)) == (current > rheobase(lif))
    assert math.isfinite(isi_ms(lif, current)) == (current > rheobase(lif))


def test_at_the_rheobase_itself_the_threshold_is_never_reached():
    assert isi_steps(LIF(tau_mem=20.0), 0.05) == math.inf
    assert isi_ms(LIF(tau_mem=20.0), 0.05) == math.inf


@law
@given(neurons, st.floats(1.05, 20.0))
def test_the_euler_interval_is_the_simulated_one(lif, strength):
    current = rheobase(replace(lif, v_rest=min(lif.v_rest, 0.0))) * strength
    v, steps = lif.v_reset, 0
    gain, leak = lif.resistance * lif.dt * current, lif.dt / lif.tau_mem
    while v < lif.v_threshold:
        v, steps = v - (v - lif.v_rest) * leak + gain, steps + 1
        assume(abs(v - lif.v_threshold) > 1e-9)
    assert isi_steps(lif, current) == steps + lif.refractory_period


@law
@given(neurons, st.floats(1.05, 20.0))
def test_the_euler_interval_converges_to_the_continuous_one(lif, strength):
    # ln(1 - r) lies between -r / (1 - r) and -r, and rounding up adds less than a step.
    current = rheobase(replace(lif, v_rest=min(lif.v_rest, 0.0))) * strength
    for dt in (lif.dt, lif.dt / 10, lif.dt / 1000):
        fine = replace(lif, dt=dt, refractory_period=0)
        excess = isi_steps(fine, current) * dt - isi_ms(fine, current)
        rounding = 1e-9 * isi_ms(fine, current)
        assert -isi_ms(fine, current) * dt / lif.tau_mem - rounding <= excess < dt + rounding


@law
@given(neurons, st.floats(1.05, 20.0), st.integers(0, 50))
def test_the_refractory_period_is_added_to_the_interval(lif, strength, period):
    current = rheobase(replace(lif, v_rest=min(lif.v_rest, 0.0))) * strength
    ready, resting = (replace(lif, refractory_period=n) for n in (0, period))
    assert isi_steps(resting, current) == isi_steps(ready, current) + period
    assert isi_ms(resting, current) == pytest.approx(isi_ms(ready, current) + period * lif.dt)


@law
@given(neurons, st.floats(1.05, 20.0), st.floats(1.0, 20.0))
def test_a_synaptic_current_settles_at_tau_syn_steps_of_the_current(lif, strength, tau_syn):
    slow = replace(lif, tau_syn=tau_syn)
    at_rest = replace(lif, v_rest=min(lif.v_rest, 0.0))
    current = rheobase(at_rest) * strength
    given = current / (tau_syn / lif.dt)
    assert rheobase(slow) == pytest.approx(rheobase(lif) / (tau_syn / lif.dt))
    assume(math.isfinite(isi_ms(lif, current)))
    assert isi_ms(slow, given) == pytest.approx(isi_ms(lif, current))
    settle = math.ceil(40 * tau_syn / lif.dt)
    assume(isi_steps(slow, given) == isi_steps(slow, given * (1 + 1e-9)))
    assume(isi_steps(slow, given) == isi_steps(slow, given * (1 - 1e-9)) < 1000)
    steps = settle + 4 * int(isi_steps(slow, given))
    spikes, _ = slow.run(np.full(steps, given))
    times = np.flatnonzero(spikes[0].bits())
    assert set(np.diff(times[times > settle])) == {isi_steps(slow, given)}


@law
@given(neurons, st.floats(0.01, 3.0))
def test_without_a_leak_each_spike_uses_up_the_same_charge(lif, rise):
    flat = replace(lif, tau_mem=math.inf)
    current = rise / (lif.resistance * lif.dt)
    assert rheobase(flat) == 0.0
    assert isi_steps(flat, 0.0) == isi_steps(flat, -current) == isi_ms(flat, 0.0) == math.inf
    height = lif.v_threshold - lif.v_reset
    v, steps = lif.v_reset, 0
    while v < lif.v_threshold:
        v, steps = v + lif.resistance * lif.dt * current, steps + 1
        assume(abs(v - lif.v_threshold) > 1e-9)
    assert isi_steps(flat, current) == steps + lif.refractory_period
    rest = lif.refractory_period * lif.dt
    assert isi_ms(flat, current) == pytest.approx(height / rise * lif.dt + rest)
    subtracting = replace(flat, reset="subtract")
    assert isi_ms(subtracting, current) == isi_ms(flat, current)
    spikes, _ = subtracting.run(np.full(3000, current))
    intervals = np.diff(np.flatnonzero(spikes[0].bits()))
    mean = isi_steps(subtracting, current)
    if rise < height:  # otherwise v grows without bound and the neuron fires in every step
        assert abs(intervals.sum() - mean * len(intervals)) <= 1 + 1e-6 + lif.refractory_period
    assert isi_steps(subtracting, current) == pytest.approx(
        max(height / rise, 1.0) + lif.refractory_period
    )


def test_a_neuron_without_a_threshold_never_fires_in_theory_either():
    lif = LIF(v_threshold=math.inf)
    assert rheobase(lif) == isi_steps(lif, 1e9) == isi_ms(lif, 1e9) == math.inf
    assert rheobase(replace(lif, tau_mem=math.inf)) == math.inf


def test_noise_without_a_leak_has_no_stationary_distribution():
    assert stationary_std(LIF(tau_mem=math.inf, noise_std=0.1)) == math.inf
    assert stationary_std(LIF(tau_mem=math.inf)) == 0.0


def test_both_resets_have_the_same_interval_in_continuous_time():
    assert isi_ms(LIF(reset="subtract"), 0.08) == isi_ms(LIF(), 0.08)


def test_without_memory_every_step_fires():
    lif = LIF(tau_mem=1.0, dt=1.0)
    assert isi_steps(lif, 1.5) == 1.0
    assert set(intervals_of(lif, 1.5, 50)) == {1.0}


@law
@given(neurons, st.floats(0.0, 3.0))
def test_the_stationary_deviation_is_the_fixed_point_of_its_recursion(lif, noise_std):
    lif = replace(lif, noise_std=noise_std)
    variance = stationary_std(lif) ** 2
    decay = 1 - lif.dt / lif.tau_mem
    assert variance == pytest.approx(decay**2 * variance + noise_std**2)


@pytest.mark.parametrize("dt", [1e-9, 1e-12, 1e-15, 1e-18])
def test_closed_forms_stay_exact_as_the_time_step_vanishes(dt):
    lif = LIF(dt=dt, noise_std=0.1)
    assert stationary_std(lif) == pytest.approx(0.1 * math.sqrt(20.0 / (2 * dt)), rel=1e-9)
    assert isi_steps(lif, 0.08) * dt == pytest.approx(isi_ms(lif, 0.08), rel=1e-9)


@law
@given(st.lists(st.lists(st.integers(0, 1), min_size=30, max_size=30), min_size=1, max_size=4))
def test_rates_are_along_the_last_axis(trains):
    rates = firing_rate_hz(trains, 0.5)
    assert rates.shape == (len(trains),)
    assert rates.tolist() == [float(firing_rate_hz(train, 0.5)) for train in trains]
    assert rates == pytest.approx([sum(train) / 0.015 for train in trains])


def test_an_empty_train_has_no_spikes_no_intervals_and_no_rate():
    assert firing_rate_hz([]) == 0.0
    assert firing_rate_hz(np.zeros((3, 0))).tolist() == [0.0, 0.0, 0.0]
    assert spike_times([]).tolist() == interspike_intervals([]).tolist() == []
    assert isi_histogram([], 3)[0].tolist() == [0, 0, 0]


@law
@given(st.lists(st.integers(0, 1), max_size=100), st.floats(0.01, 10.0))
def test_intervals_are_differences_of_times(train, dt_ms):
    times = spike_times(train, dt_ms)
    assert times.tolist() == [t * dt_ms for t, spike in enumerate(train) if spike]
    assert interspike_intervals(train, dt_ms) == pytest.approx(np.diff(times))
    counts, edges = isi_histogram(train, 6, dt_ms)
    assert (counts.dtype, edges.dtype) == (np.int64, np.float64)
    assert counts.sum() == max(sum(train) - 1, 0)


@pytest.mark.parametrize("tau_mem", [1.0, 2.0, 3.7, 10.0, 20.0, np.inf])
@pytest.mark.parametrize("tau_syn", [0.0, 5.0])
def test_isi_steps_counts_as_the_recurrence_does(tau_mem, tau_syn):
    # Round numbers among them, where v lands on the threshold but for rounding.
    for current, dt, v_reset, period in itertools.product(
        (0.05, 0.08, 0.1, 0.2, 0.5, 1.0, 1.5), (0.1, 0.5, 1.0), (0.0, -0.5), (0, 3)
    ):
        neuron = LIF(
            tau_mem=tau_mem,
            tau_syn=tau_syn,
            dt=min(dt, tau_mem),
            v_reset=v_reset,
            refractory_period=period,
        )
        spikes, _ = neuron.run(np.full(4000, current))
        intervals = np.diff(np.flatnonzero(spikes.bits()[0]))
        counted = isi_steps(neuron, current)
        if intervals.size:
            assert intervals[-1] == counted
        else:
            assert counted > 1500


def test_isi_steps_of_currents_that_take_long_or_for_ever():
    assert isi_steps(LIF(tau_mem=np.inf), 1e-9) == 1e9
    assert isi_steps(LIF(), 0.05) == isi_steps(LIF(), -1.0) == np.inf
    assert isi_steps(LIF(tau_mem=np.inf), 0.0) == np.inf
