"""A layer combines a current and neurons: it continues, resets, and reports why it is silent."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sc_neurocore import (
    LIF,
    BitstreamCurrentSource,
    Role,
    SCDenseLayer,
    SilentLayerWarning,
    firing_rate_hz,
    rheobase,
    stream_key,
)

law = settings(deadline=None, derandomize=True, max_examples=40)
X = [0.3, 0.7, 0.5, 0.2, 0.9, 0.4, 0.6, 0.8]
W = [0.5, 0.6, 0.4, 0.3, 0.7, 0.5, 0.8, 0.2]
NOISY = {"tau_mem": 5.0, "v_reset": -0.1, "noise_std": 0.2, "refractory_period": 2}


def layer(**changes):
    """Return a layer whose neurons fire every few steps, unless the changes silence it."""
    arguments = {
        "n_neurons": 4, "x_inputs": X, "weight_values": W, "x_min": 0.0, "x_max": 1.0,
        "w_min": 0.0, "w_max": 1.0, "length": 100, "y_min": 0.0, "y_max": 2.0,
        "neuron_params": NOISY, "base_seed": 42,
    }  # fmt: skip
    return SCDenseLayer(**arguments | changes)


def test_a_layer_of_readouts_that_never_fire_is_silent_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = ran(50, neuron_params={"v_threshold": np.inf, "tau_syn": 3.0, "reset": "subtract"})
    assert not made.get_spike_trains().any()


def ran(steps, **changes):
    made = layer(**changes)
    made.run(steps)
    return made


QUIET = {"y_max": 0.1, "neuron_params": {"tau_mem": 20.0}}  # mean current 0.029, rheobase 0.05


@law
@given(st.lists(st.integers(20, 150), min_size=1, max_size=6))
def test_running_twice_continues(pieces):
    whole, continued = ran(sum(pieces)), layer()
    for steps in pieces:
        continued.run(steps)
    assert np.array_equal(continued.get_spike_trains(), whole.get_spike_trains())
    assert continued.summary() == whole.summary()


def test_reset_returns_to_the_start():
    rewound = ran(70)
    first = rewound.get_spike_trains()
    rewound.reset()
    assert rewound.get_spike_trains().shape == (4, 0)
    assert rewound.summary() == layer().summary()
    rewound.run(70)
    assert np.array_equal(rewound.get_spike_trains(), first)


def test_running_no_step_does_nothing():
    still = layer(**QUIET)
    still.run(0)
    assert still.get_spike_trains().shape == (4, 0)
    assert still.summary()["avg_firing_rate_hz"] == 0.0
    moved = ran(30)
    moved.run(0)
    assert np.array_equal(moved.get_spike_trains(), ran(30).get_spike_trains())


@pytest.mark.parametrize("n_neurons", [1, 4, 33])
@pytest.mark.parametrize("steps", [1, 64, 65, 500])
@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")
def test_spikes_are_uint8_of_neurons_by_steps(n_neurons, steps):
    spikes = ran(steps, n_neurons=n_neurons).get_spike_trains()
    assert (spikes.shape, spikes.dtype) == ((n_neurons, steps), np.uint8)


def test_the_current_is_that_of_a_source():
    for accumulate in ("mean", "sum", "or"):
        source = BitstreamCurrentSource(
            X, 0.0, 1.0, W, 0.0, 1.0, length=100, y_max=2.0, seed=42, accumulate=accumulate
        )
        assert np.array_equal(layer(accumulate=accumulate).current_trace(), [source.current_trace()])


def test_the_trace_of_the_current_is_a_copy():
    made = layer()
    made.current_trace()[:] = 0.0
    made.run(200)
    assert np.array_equal(made.get_spike_trains(), ran(200).get_spike_trains())


def test_the_neurons_integrate_the_current_over_and_over():
    made = ran(250, length=100)
    lif, key = LIF(**NOISY), stream_key(42, Role.NOISE)
    currents = np.tile(made.current_trace(), 3)[:, :250]
    expected, _ = lif.run(currents, lif.initial_state(4), key=key)
    assert np.array_equal(made.get_spike_trains(), expected.bits())
    matrix = ran(250, length=100, weight_values=[W] * 4)
    expected, _ = lif.run(np.tile(matrix.current_trace(), 3)[:, :250], key=key)
    assert np.array_equal(matrix.get_spike_trains(), expected.bits())


def test_neurons_share_the_current_and_differ_in_noise():
    spikes = ran(200).get_spike_trains()
    assert len({train.tobytes() for train in spikes}) == 4
    quiet = ran(200, neuron_params=NOISY | {"noise_std": 0.0}).get_spike_trains()
    assert len({train.tobytes() for train in quiet}) == 1


def test_equal_rows_of_weights_have_currents_of_equal_mean_from_different_bits():
    length, n = 2**14, 6
    changes = {"length": length, "n_neurons": n, "y_max": 1.0}
    shared = layer(**changes).current_trace()
    traces = layer(**changes, weight_values=[W] * n).current_trace()
    assert shared.shape == (1, length)
    assert traces.shape == (n, length)
    assert np.array_equal(traces[0], shared[0])

    x, products = np.array(X), np.multiply(X, W)
    variance = (products * (1 - products)).sum() / len(X) ** 2
    assert (np.abs(traces.mean(axis=1) - products.mean()) <= 5 * np.sqrt(variance / length)).all()
    # Rows share only the input bits, so their covariance per channel is w**2 x (1 - x).
    covariance = np.cov(traces)
    expected = (np.square(W) * x * (1 - x)).sum() / len(X) ** 2
    off_diagonal = covariance[~np.eye(n, dtype=bool)]
    sigma = np.sqrt((variance**2 + expected**2) / length)
    assert (np.abs(off_diagonal - expected) <= 5 * sigma).all()


def test_with_constant_inputs_the_rows_are_independent():
    length = 2**14
    traces = layer(length=length, x_inputs=[1.0] * 8, weight_values=[W] * 4).current_trace()
    correlation = np.corrcoef(traces) - np.eye(4)
    assert np.abs(correlation).max() <= 5 / np.sqrt(length)


def test_each_row_of_weights_drives_its_own_neuron():
    weights = np.zeros((4, 8))
    weights[2] = 1.0
    spikes = ran(100, weight_values=weights, neuron_params={"tau_mem": 5.0}).get_spike_trains()
    assert spikes.any(axis=1).tolist() == [False, False, True, False]


@pytest.mark.parametrize("dt_ms", [0.5, 1.0, 2.0])
def test_the_summary_counts_the_spike_trains(dt_ms):
    made = ran(300, dt_ms=dt_ms)
    spikes = made.get_spike_trains()
    rates = spikes.sum(axis=1) * 1000 / (300 * dt_ms)
    summary = made.summary()
    assert summary["n_neurons"] == 4
    assert [stat["neuron"] for stat in summary["stats"]] == [0, 1, 2, 3]
    assert [stat["total_spikes"] for stat in summary["stats"]] == spikes.sum(axis=1).tolist()
    assert [stat["firing_rate_hz"] for stat in summary["stats"]] == pytest.approx(rates)
    assert [stat["firing_rate_hz"] for stat in summary["stats"]] == firing_rate_hz(
        spikes, dt_ms
    ).tolist()
    assert summary["avg_firing_rate_hz"] == pytest.approx(rates.mean())


def test_dt_ms_is_the_time_step_of_the_neurons():
    assert layer().lif == LIF(**NOISY, dt=1.0)
    assert layer(dt_ms=0.5).lif == LIF(**NOISY, dt=0.5)
    assert layer(dt_ms=0.5, neuron_params=NOISY | {"dt": 0.5}).lif == LIF(**NOISY, dt=0.5)
    for dt_ms, dt in [(1.0, 0.5), (0.5, 1.0)]:
        with pytest.raises(ValueError, match="must equal dt_ms"):
            layer(dt_ms=dt_ms, neuron_params={"dt": dt})


def test_a_layer_without_parameters_has_default_neurons():
    for none in (None, {}):
        assert layer(neuron_params=none).lif == LIF()


def test_a_layer_is_repeated_by_its_seed():
    drawn = ran(200, base_seed=None)
    again = ran(200, base_seed=drawn.base_seed)
    assert np.array_equal(again.current_trace(), drawn.current_trace())
    assert np.array_equal(again.get_spike_trains(), drawn.get_spike_trains())
    assert layer(base_seed=None).base_seed != drawn.base_seed


def test_neighboring_seeds_share_neither_current_nor_noise():
    length = 2**13
    first, second = (layer(base_seed=seed, length=length) for seed in (42, 43))
    traces = np.concatenate([first.current_trace(), second.current_trace()])
    assert abs(np.corrcoef(traces)[0, 1]) <= 5 / np.sqrt(length)
    # With dt = tau_mem and a constant current, every step depends on its own noise sample only.
    coin = {"tau_mem": 1.0, "noise_std": 1.0}
    constant = {"x_inputs": [1.0], "weight_values": [1.0], "y_max": 1.0, "neuron_params": coin}
    spikes = [ran(length, base_seed=seed, **constant).get_spike_trains() for seed in (42, 43)]
    correlation = np.corrcoef(np.concatenate(spikes)) - np.eye(8)
    assert np.abs(correlation).max() <= 5 / np.sqrt(length)


# --- silence


def silence(made, steps):
    """Run a layer and return the text of its single warning."""
    with pytest.warns(SilentLayerWarning) as caught:
        made.run(steps)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    return str(caught[0].message)


def test_a_silent_layer_warns_once_per_run_with_its_numbers():
    quiet = layer(**QUIET, length=2048)
    mean = quiet.current_trace().mean()
    mean_of_or = layer(**QUIET, length=2048, accumulate="or").current_trace().mean()
    remedy = np.ceil(0.05 * 0.1 / mean * 1e4) / 1e4  # rounded up
    said = silence(quiet, 500)
    assert said == (
        f"no neuron fired: the mean current {mean:.4g} does not exceed the rheobase 0.05, the smallest "
        f"constant current that fires; raise y_max above {remedy:.4g} (now 0.1), or set "
        f'accumulate="or" (mean current {mean_of_or:.4g})'
    )
    assert silence(quiet, 500) == said
    assert not quiet.get_spike_trains().any()


def test_a_layer_that_fires_does_not_warn():
    ran(100)
    ran(100, n_neurons=4, weight_values=[[1.0] * 8, *np.zeros((3, 8))])


@law
@given(
    st.lists(st.floats(0.05, 1.0), min_size=1, max_size=9),
    st.floats(0.05, 1.0),
    st.floats(-0.5, 0.04),
    st.booleans(),
    st.sampled_from(["mean", "sum", "or"]),
    st.floats(-0.3, 0.5),
)
@example([1.0, 1.0], 1.0, -0.5, False, "sum", 0.0)  # the remedy is a y_max below 0
def test_following_the_remedy_makes_the_layer_fire(x, w, y_min, rows, accumulate, v_rest):
    n = 3
    weights = [[w / (i + 1)] * len(x) for i in range(n)] if rows else [w] * len(x)
    params = {"tau_mem": 10.0, "v_rest": v_rest}
    changes = {
        "n_neurons": n, "x_inputs": x, "weight_values": weights, "length": 200, "y_min": y_min,
        "neuron_params": params, "accumulate": accumulate,
    }  # fmt: skip
    quiet = layer(**changes, y_max=y_min + 0.01)
    assume(quiet.current_trace().max() < rheobase(quiet.lif) and quiet.current_trace().max() > y_min)
    said = silence(quiet, 300)
    y_max = float(re.search(r"raise y_max above (\S+) \(now", said)[1])
    best = layer(**changes, y_max=y_max).current_trace().mean(axis=1).max()
    # Rounding y_max up to four digits changes the current by at most 1e-3 of its share.
    needed = rheobase(quiet.lif)
    share = (needed - y_min) / (y_max - y_min)
    assert needed - 1e-12 <= best <= needed + 1e-3 * max(abs(y_max), 1) * share
    # With a mean current above the rheobase, v reaches the threshold sooner or later.
    assert ran(2000, **changes, y_max=y_max + 0.5 * (y_max - y_min)).get_spike_trains().any()


@law
@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9),
    st.floats(0.01, 1.0),
    st.floats(-0.2, 0.09),
    st.floats(0.005, 0.3),
    st.booleans(),
    st.sampled_from(["mean", "sum", "or"]),
)
def test_the_or_adder_is_named_if_and_only_if_it_makes_the_layer_fire(
    x, w, y_min, span, rows, accumulate
):
    weights = [[w / (i + 1)] * len(x) for i in range(4)] if rows else [w] * len(x)
    changes = {
        "x_inputs": x, "weight_values": weights, "length": 200,
        "y_min": y_min, "y_max": y_min + span, "neuron_params": {"tau_mem": 10.0},
    }  # fmt: skip
    quiet = layer(**changes, accumulate=accumulate)
    needed = rheobase(quiet.lif)
    assume(quiet.current_trace().mean(axis=1).max() < needed)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        quiet.run(2000)
    assume(not quiet.get_spike_trains().any())
    said = silence(quiet, 1)
    remedied = layer(**changes, accumulate="or")
    best = remedied.current_trace().mean(axis=1).max()
    assume(abs(best - needed) > 1e-6)
    assert ('accumulate="or"' in said) == (best > needed)
    if best > needed:
        assert f'or set accumulate="or" (mean current {best:.4g})' in said
        assert accumulate == "mean"
        remedied.run(4000)
        assert remedied.get_spike_trains().any()


def test_a_layer_that_has_fired_is_not_silent_between_its_spikes():
    made = ran(20, y_max=1.0, neuron_params={"tau_mem": 20.0})
    assert made.summary()["avg_firing_rate_hz"] > 0
    for _ in range(20):
        made.run(1)
    made.reset()
    silence(made, 1)


def test_without_any_product_the_reason_is_given_and_no_adder_or_range_is_recommended():
    params = {"tau_mem": 5.0}
    for accumulate in ("mean", "or"):
        quiet = layer(
            x_inputs=[0.2] * 7 + [-1.0],
            x_min=0.2,
            y_min=0.001,
            neuron_params=params,
            accumulate=accumulate,
        )
        assert silence(quiet, 300) == (
            "no neuron fired because all inputs are zero, so the current stays at y_min, 0.001; raise "
            "x_inputs above x_min, 0.2"
        )
        quiet = layer(weight_values=[0.0] * 8, neuron_params=params, accumulate=accumulate)
        assert silence(quiet, 300) == (
            "no neuron fired because all products of inputs and weights are zero, so the current stays "
            "at y_min, 0; raise weight_values or x_inputs"
        )


def test_with_inputs_of_zero_and_a_sufficient_y_min_more_time_is_recommended():
    said = silence(layer(x_inputs=[0.0] * 8, y_min=0.3, neuron_params={"tau_mem": 5.0}), 1)
    assert said.endswith("; run longer, or raise y_max")


def test_with_a_current_above_the_rheobase_more_time_is_recommended():
    said = silence(layer(y_max=1.0, neuron_params={"tau_mem": 10.0}), 1)
    assert said.endswith("; run longer, or raise y_max")


def test_the_warning_can_be_ignored_by_its_class():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SilentLayerWarning)
        ran(100, **QUIET)
