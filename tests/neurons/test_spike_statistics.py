"""Statistics of spike trains: equal to those of Elephant, and to their laws."""

import warnings

import numpy as np
import pytest

import sc_neurocore as sc
from sc_neurocore import neurons

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import quantities as pq
    from elephant import conversion, kernels, spike_train_correlation, statistics

    from sc_neurocore.exchange import to_neo

# Of Elephant, which passes arguments that its package of units no longer uses.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

DT = 0.5
BITS = (np.random.default_rng(1).random((2, 4, 600)) < [[[0.05], [0.1], [0.2], [0.4]]]).astype(np.uint8)
TRAINS = to_neo(BITS, DT).spiketrains
STREAM = sc.Bitstream.from_bits(BITS)


def binned(trains, steps):
    width = steps * DT * pq.ms
    return conversion.BinnedSpikeTrain(trains, bin_size=width, t_start=0 * pq.ms, t_stop=300 * pq.ms)


def test_intervals_vary_as_elephant_says():
    for ours, theirs in (
        (neurons.isi_cv, statistics.cv),
        (neurons.isi_cv2, statistics.cv2),
        (neurons.isi_lv, statistics.lv),
    ):
        expected = [float(theirs(statistics.isi(train))) for train in TRAINS]
        np.testing.assert_allclose(ours(BITS).ravel(), expected, rtol=1e-12)
        assert np.array_equal(ours(STREAM), ours(BITS))


def test_rates_counts_and_correlations_are_those_of_elephant():
    whole = [float(statistics.mean_firing_rate(train).rescale("Hz")) for train in TRAINS]
    np.testing.assert_allclose(sc.firing_rate_hz(BITS, DT).ravel(), whole, rtol=1e-12)
    trials = TRAINS[:4]
    histogram = statistics.time_histogram(trials, 10 * pq.ms, output="rate").rescale("Hz")
    expected = histogram.magnitude.ravel()
    np.testing.assert_allclose(neurons.psth(BITS, 10.0, DT)[0], expected, rtol=1e-12)
    counts = np.array([binned(train, 20).to_array()[0] for train in TRAINS]) * 100.0
    np.testing.assert_allclose(neurons.binned_rate_hz(BITS, 10.0, DT).reshape(8, -1), counts)
    expected = [statistics.fanofactor(TRAINS[:4]), statistics.fanofactor(TRAINS[4:])]
    np.testing.assert_allclose(neurons.fano_factor(BITS), expected, rtol=1e-12)
    theirs = spike_train_correlation.correlation_coefficient(binned(trials, 20))
    np.testing.assert_allclose(neurons.spike_correlation(BITS, 10.0, DT)[0], theirs, atol=1e-12)


def test_correlograms_are_those_of_elephant():
    first, second = (binned(TRAINS[i], 1) for i in (2, 3))
    theirs, lags = spike_train_correlation.cross_correlation_histogram(first, second, window=[-40, 40])
    counts, ours = neurons.cross_correlogram(BITS[0, 2], BITS[0, 3], 20.0, DT)
    assert np.array_equal(counts, theirs.magnitude.ravel())
    assert np.array_equal(ours, np.array(lags) * DT)
    both, _ = neurons.cross_correlogram(STREAM, BITS[0, 3], 20.0, DT)
    assert np.array_equal(both[0, 2], counts)


def test_smoothed_rates_are_those_of_elephant_away_from_the_ends():
    kernel = kernels.GaussianKernel(8 * pq.ms)
    theirs = statistics.instantaneous_rate(TRAINS[1], DT * pq.ms, kernel=kernel, cutoff=5.0)
    rates = neurons.smoothed_rate_hz(BITS, 8.0, DT)[0, 1]
    inner = slice(80, -80)
    np.testing.assert_allclose(rates[inner], theirs.magnitude.ravel()[inner], rtol=1e-5)


def test_a_constant_rate_stays_constant_when_smoothed():
    np.testing.assert_allclose(neurons.smoothed_rate_hz(np.ones((2, 50)), 7.0), 1000.0, rtol=1e-12)
    assert neurons.smoothed_rate_hz([0, 1, 0], 1e-300).tolist() == [0.0, 1000.0, 0.0]


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_independent_bits_have_the_statistics_of_a_geometric_law(p):
    n, length = 200, 20_000
    x = sc.encode(np.full(n, p), length, key=3)
    fano = neurons.fano_factor(x, 100.0)
    # The variance of a sample variance of w counts is about 2 / w of its square.
    assert abs(fano.mean() - (1 - p)) < 5 * (1 - p) * np.sqrt(2 / (length / 100 * n)) + 1 / (
        length / 100
    )
    cv = neurons.isi_cv(x)
    assert abs(cv.mean() - np.sqrt(1 - p)) < 5 * cv.std() / np.sqrt(n) + 1 / (p * length)
    chi = neurons.synchrony(x, 1.0)
    assert abs(chi**2 - 1 / n) < 5 * np.sqrt(2 / length) / n


def test_equal_trains_are_synchronous_and_inverted_ones_cancel():
    x = sc.encode(np.full(1, 0.3), 500, key=1).bits()
    assert neurons.synchrony(np.repeat(x, 5, axis=0), 1.0) == pytest.approx(1.0)
    assert neurons.synchrony(np.concatenate([x, 1 - x]), 1.0) == pytest.approx(0.0, abs=1e-7)
    correlation = neurons.spike_correlation(np.concatenate([x, x, 1 - x]), 1.0)
    np.testing.assert_allclose(correlation, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]])


def test_trains_with_too_few_spikes_have_no_statistics():
    few = [[0, 0, 0, 0], [0, 1, 1, 0]]
    for function in (neurons.isi_cv, neurons.isi_cv2, neurons.isi_lv):
        assert np.isnan(function(few)).all()
        assert np.isnan(function(np.zeros((3, 0)))).all()
    assert np.isnan(neurons.synchrony(few, 4.0))
    assert np.isnan(neurons.spike_correlation(few, 4.0)).all()
    assert neurons.smoothed_rate_hz(np.zeros((3, 0)), 1.0).shape == (3, 0)


def test_recorders_layers_and_simulations_are_spike_trains():
    recorder = sc.BitstreamSpikeRecorder(dt_ms=DT)
    recorder.extend(BITS[0, 1])
    assert np.array_equal(sc.spike_times(recorder), sc.spike_times(BITS[0, 1], DT))
    assert np.array_equal(sc.spike_times(recorder, 2.0), sc.spike_times(BITS[0, 1], 2.0))
    assert neurons.isi_cv(recorder) == neurons.isi_cv(BITS[0, 1])
    layers = [sc.Dense([[0.9, 0.2], [0.1, 0.8]], gain=0.5, neuron=sc.LIF(dt=0.5)) for _ in range(2)]
    run = sc.simulate(sc.Network(layers), [[1.0, 0.5]], 200, seed=1, record=True)
    assert run.dt_ms == 0.5
    both = np.concatenate([layer.bits() for layer in run.spikes], axis=-2)
    assert np.array_equal(neurons.psth(run, 10.0), neurons.psth(both, 10.0, 0.5))
    assert sc.firing_rate_hz(run).shape == (1, 4)


def test_the_closed_form_of_the_f_i_curve_is_measured():
    currents = np.linspace(0.0, 0.4, 23).reshape(1, 23)
    for neuron in (
        sc.LIF(tau_mem=20.0),
        sc.LIF(tau_mem=10.0, dt=0.5, refractory_period=3, v_reset=-0.2),
        sc.LIF(tau_mem=np.inf, reset="subtract"),
        sc.LIF(tau_mem=20.0, tau_syn=5.0, resistance=0.3),
    ):
        law = neurons.fi_curve(neuron, currents)
        measured = neurons.measured_fi_curve(neuron, currents, 5000)
        assert law.shape == measured.shape == (1, 23)
        # A run begins at rest, and with a synapse its current must settle first.
        assert np.abs(law - measured).max() <= (2 + 0.2 * bool(neuron.tau_syn) * 50) * 1000 / (
            5000 * neuron.dt
        )
        assert (law > 0).any()
        assert (law == 0).any()
    assert neurons.measured_fi_curve(sc.LIF(noise_std=0.2), [0.04], 5000, seed=1) > 0
