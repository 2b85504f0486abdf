"""A recorder returns the same statistics however its train was recorded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_neurocore import (
    BitstreamSpikeRecorder,
    firing_rate_hz,
    interspike_intervals,
    isi_histogram,
    spike_times,
)

law = settings(deadline=None, derandomize=True, max_examples=100)
trains = st.lists(st.integers(0, 1), max_size=200)
steps_ms = st.floats(0.01, 10.0)


def recorded(train, dt_ms=1.0):
    recorder = BitstreamSpikeRecorder(dt_ms=dt_ms)
    recorder.extend(train)
    return recorder


@law
@given(trains, steps_ms)
def test_every_number_is_that_of_the_train(train, dt_ms):
    recorder = recorded(train, dt_ms)
    times = [i * dt_ms for i, spike in enumerate(train) if spike]
    assert len(recorder) == len(train)
    assert recorder.total_spikes() == sum(train)
    assert recorder.as_array().tolist() == train
    assert recorder.as_array().dtype == np.uint8
    assert recorder.spike_times_ms().tolist() == times == spike_times(train, dt_ms).tolist()
    assert interspike_intervals(train, dt_ms) == pytest.approx(np.diff(times))
    seconds = len(train) * dt_ms / 1000
    assert recorder.firing_rate_hz() == pytest.approx(sum(train) / seconds if train else 0.0)
    assert recorder.firing_rate_hz() == firing_rate_hz(train, dt_ms)
    for own, pure in zip(recorder.isi_histogram(7), isi_histogram(train, 7, dt_ms), strict=True):
        assert np.array_equal(own, pure)


@law
@given(trains, st.integers(0, 200))
def test_recording_step_by_step_and_at_once_are_the_same(train, cut):
    recorder = BitstreamSpikeRecorder()
    for spike in train[:cut]:
        recorder.record(spike)
    recorder.extend(train[cut:])
    assert recorder.as_array().tolist() == train


@pytest.mark.parametrize(
    "kind", [int, bool, np.bool_, np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64]
)
def test_a_spike_is_any_integer_or_bool_of_0_or_1(kind):
    recorder = BitstreamSpikeRecorder()
    for spike in (0, 1, 1):
        recorder.record(kind(spike))
    assert recorder.as_array().tolist() == [0, 1, 1]


@pytest.mark.parametrize("spike", [2, -1, 256, np.int64(2), np.uint8(255)])
def test_another_integer_is_refused_and_nothing_is_recorded(spike):
    recorder = recorded([0, 1])
    with pytest.raises(ValueError, match="spike must be 0 or 1"):
        recorder.record(spike)
    assert recorder.as_array().tolist() == [0, 1]


@pytest.mark.parametrize(
    "spike", [0.5, 1.0, 0.0, np.float64(1.0), float("nan"), "1", b"1", None, [1], 1j]
)
def test_a_value_of_another_type_is_refused_and_nothing_is_recorded(spike):
    recorder = recorded([0, 1])
    with pytest.raises(TypeError, match="spike must be 0 or 1"):
        recorder.record(spike)
    assert recorder.as_array().tolist() == [0, 1]


@pytest.mark.parametrize(
    "kind", [list, tuple, np.array, lambda t: np.array(t, bool), lambda t: np.array(t, float)]
)
def test_a_train_is_any_array_of_0_and_1(kind):
    assert recorded(kind([0, 1, 1, 0])).as_array().tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("train", [[1, 1, 2], [1, -1], [1, 0.5], [1, np.nan], ["1"], [[1, 1]], 1, None])
def test_a_train_is_recorded_whole_or_not_at_all(train):
    recorder = recorded([0, 1])
    with pytest.raises((ValueError, TypeError), match="spikes must"):
        recorder.extend(train)
    assert recorder.as_array().tolist() == [0, 1]


def test_returned_arrays_are_copies():
    recorder = recorded([0, 1, 1])
    recorder.as_array()[:] = 0
    assert recorder.total_spikes() == 2
    train = np.array([1, 1], np.uint8)
    recorder.extend(train)
    train[:] = 0
    assert recorder.total_spikes() == 4


def test_reset_deletes_everything_but_the_time_step():
    recorder = recorded([0, 1, 1], dt_ms=0.5)
    recorder.reset()
    assert (len(recorder), recorder.total_spikes(), recorder.firing_rate_hz()) == (0, 0, 0.0)
    recorder.extend([1, 0])
    assert recorder.firing_rate_hz() == 1000.0


@pytest.mark.parametrize("train", [[], [0], [1], [0, 0, 0, 1, 0]])
@pytest.mark.parametrize("bins", [1, 2, 15])
def test_without_two_spikes_the_histogram_is_empty_over_the_duration(train, bins):
    counts, edges = recorded(train, dt_ms=0.5).isi_histogram(bins)
    assert counts.tolist() == [0] * bins
    assert edges.tolist() == np.linspace(0.0, max(len(train), 1) * 0.5, bins + 1).tolist()


@law
@given(st.integers(1, 50), st.integers(1, 5), st.integers(0, 9), st.integers(1, 40), steps_ms)
def test_the_mode_of_equal_intervals_is_the_interval_itself(steps, n, start, bins, dt_ms):
    train = np.zeros(start + n * steps + 1, np.uint8)
    train[start::steps] = 1
    counts, edges = recorded(train, dt_ms).isi_histogram(bins)
    assert edges[counts.argmax()] == steps * dt_ms
    assert counts.sum() == n
    assert (len(counts), len(edges)) == (bins, bins + 1)
    assert (np.diff(edges) > 0).all()
    assert edges[0] > 0
    assert edges[-1] - edges[0] == pytest.approx(dt_ms)


@law
@given(st.lists(st.integers(1, 30), min_size=2, max_size=40), st.integers(1, 40), steps_ms)
def test_unequal_intervals_are_counted_as_numpy_counts_them(intervals, bins, dt_ms):
    intervals.append(max(intervals) + 1)
    train = np.zeros(sum(intervals) + 1, np.uint8)
    train[np.cumsum([0, *intervals])] = 1
    counts, edges = recorded(train, dt_ms).isi_histogram(bins)
    expected_counts, expected_edges = np.histogram(np.array(intervals) * dt_ms, bins)
    assert counts.tolist() == expected_counts.tolist()
    assert edges.tolist() == expected_edges.tolist()
    assert counts.sum() == len(intervals)


def test_the_representation_shows_spikes_and_steps():
    assert repr(recorded([0, 1, 1], 0.5)) == "<BitstreamSpikeRecorder: 2 spikes in 3 steps of 0.5 ms>"
