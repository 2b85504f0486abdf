"""Inputs that users give: silent networks, images with axes, rounding, mixed time steps."""

import warnings

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Bitstream,
    Conv2d,
    Dense,
    Events,
    Network,
    SilentLayerWarning,
    encode,
    evaluate,
    load_digits,
    prepare,
    simulate,
    simulate_float,
)


def test_a_silent_layer_is_named_with_its_current_and_a_remedy():
    network = Network([Dense(np.full((4, 3), 0.5), gain=0.5), Dense(np.full((2, 4), 0.5), gain=1e-3)])
    with pytest.warns(SilentLayerWarning) as caught:
        simulate(network, np.full((5, 3), 0.8), 64, seed=1)
    (warning,) = caught
    assert warning.filename == __file__
    message = str(warning.message)
    assert message.startswith("no neuron of layer 1 fired in 64 steps: its largest mean current 0.00")
    assert "does not exceed the rheobase 0.05; raise its gain above 0." in message
    gain = float(message.split("raise its gain above ")[1].split(" ")[0])
    loud = Network([network[0], Dense(np.full((2, 4), 0.5), gain=3 * gain)])
    assert simulate(loud, np.full((5, 3), 0.8), 256, seed=1).counts.any()


@pytest.mark.parametrize(
    ("network", "x", "said"),
    [
        (Network([Dense([[0.5, 0.5]], gain=0.01)]), [1.0, 1.0], r"layer 0 .* 0\.01 .* above 0\.05 \("),
        (Network([Dense([[-0.5, -0.5]])]), [1.0, 1.0], "raise its positive weights"),
        (Network([Conv2d(np.full((1, 1, 2, 2), 0.1), (3, 3), 0.01)]), np.ones(9), "layer 0"),
        (Network([Dense([[0.5]], gain=0.01)]), encode([0.5], 64, key=1), "layer 0"),
        (Network([Dense([[0.5]], gain=0.01, bias=[0.5])]), [0.5], r"current 0\.0075"),
    ],
)
def test_every_kind_of_silence_is_explained(network, x, said):
    length = None if isinstance(x, Bitstream) else 64
    with pytest.warns(SilentLayerWarning, match=said):
        simulate(network, x, length, seed=1)


def test_silence_without_a_cause_in_the_network_is_no_warning():
    network = Network([Dense([[0.5, 0.5]], gain=0.1)])
    assert not simulate(network, [0.0, 0.0], 64, seed=1).counts.any()  # nothing comes in
    assert not simulate(network, [1.0, 1.0], 1, seed=1).counts.any()  # too short
    readout = Network([Dense([[0.5, 0.5]], neuron=LIF(v_threshold=np.inf))])
    simulate(readout, [1.0, 1.0], 64, seed=1)


def test_a_continued_run_does_not_judge_silence():
    """In a step of a closed loop most layers are silent. A warning would also cost a second run."""
    network = Network([Dense(np.full((4, 3), 0.5), gain=0.5), Dense(np.full((2, 4), 0.5), gain=1e-3)])
    for shape in ((3,), (2, 3)):
        for steps, kept in ((64, 0), (64, 1000), (8, 0), (8, 1000)):
            loop = prepare(network, seed=1, steps_kept=kept)
            with pytest.warns(SilentLayerWarning):
                state = loop.run(np.ones(shape), 64).state
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                for _ in range(5):
                    state = loop.run(np.ones(shape), steps, state=state).state


@pytest.mark.parametrize(
    ("x", "remedy"),
    [
        (np.full((2, 10, 3), 0.5), r"got \(2, 10, 3\); .* have shape \(batch, 3, steps\)"),
        (Bitstream.from_bits(np.ones((10, 3))), "units come first and time last"),
        (Bitstream.from_bits(np.ones((2, 10, 3))), "units come first and time last"),
        (Events([1.0], [0], shape=(10, 3)), "units come first and time last"),
    ],
)
def test_swapped_axes_are_named(x, remedy):
    with pytest.raises(ValueError, match=remedy):
        simulate(Network([Dense([[0.5, 0.5, 0.5]])]), x, seed=1)


def test_times_in_another_unit_are_named():
    with pytest.raises(ValueError, match=r"got 700\.0; .* give dt in the unit of times"):
        Events([700.0], [0], shape=(3, 100), dt=0.01)


def test_evaluating_a_network_that_never_fires_warns():
    digits = load_digits()
    quiet = Network([Dense(layer.weights, gain=1e-6, neuron=layer.neuron) for layer in digits.network])
    with pytest.warns(SilentLayerWarning, match="no neuron of layer 0 fired"):
        evaluate(quiet, digits.images[:20], digits.labels[:20], [16], seeds=[0])


def test_a_few_units_in_the_last_place_are_rounding():
    above = [1.0000000000000002, -2e-16]  # as scikit-learn's MinMaxScaler yields them
    network = Network([Dense([[1.0, 0.5]])])
    exact = simulate(network, [1.0, 0.0], 64, seed=1)
    assert np.array_equal(simulate(network, above, 64, seed=1).counts, exact.counts)
    assert np.array_equal(simulate_float(network, above, 64).counts, exact.counts)
    assert Dense([[1.0000000000000002]]).n_in == 1
    with pytest.raises(ValueError, match=r"x must lie in \[0.0, 1.0\], got 1.00000"):
        simulate(network, [1.00000001, 0.0], 64)


def test_images_are_flattened_where_that_is_unambiguous():
    digits = load_digits()
    flat = simulate(digits.network, digits.images[:5], 16, seed=1)
    for shape in ((5, 8, 8), (5, 1, 8, 8), (5, 8, 8, 1)):
        shaped = simulate(digits.network, digits.images[:5].reshape(shape), 16, seed=1)
        assert np.array_equal(shaped.counts, flat.counts)
    one = simulate(digits.network, digits.images[0].reshape(8, 8), 16, seed=1)
    assert np.array_equal(one.counts, flat.counts[0])
    with pytest.raises(
        ValueError, match=r"x must have shape \(64,\) or \(batch, 64\), got \(5, 8, 9\)"
    ):
        simulate(digits.network, np.zeros((5, 8, 9)), 16)


@pytest.mark.parametrize("shape", [(3, 4, 4), (4, 4, 3), (2, 3, 4, 4), (2, 4, 4, 3)])
@pytest.mark.parametrize("run", [simulate, simulate_float])
def test_images_of_several_channels_are_not_flattened_for_a_dense_layer(shape, run):
    network = Network([Dense(np.full((2, 48), 0.1))])
    with pytest.raises(ValueError, match=r"; flatten .* in the order \(channel, row, column\)"):
        run(network, np.zeros(shape), 16)


def test_images_for_a_convolution_have_their_channels_first():
    kernel = np.random.default_rng(0).uniform(-1, 1, (2, 3, 3, 3))
    network = Network([Conv2d(kernel, input_size=(4, 5), gain=0.5)])
    images = np.random.default_rng(1).random((6, 3, 4, 5))
    flat = simulate(network, images.reshape(6, -1), 50, seed=1).counts
    assert np.array_equal(simulate(network, images, 50, seed=1).counts, flat)
    assert np.array_equal(simulate(network, images[0], 50, seed=1).counts, flat[0])
    for last in (images.transpose(0, 2, 3, 1), images.transpose(0, 1, 3, 2), images[0].T):
        for run in (simulate, simulate_float):
            with pytest.raises(ValueError, match=r"or \(batch, 3, 4, 5\), got .* order of axes"):
                run(network, last, 50)
    with pytest.raises(ValueError, match=r"images must have shape \(batch, 60\) or \(batch, 3, 4, 5\)"):
        evaluate(network, images.transpose(0, 2, 3, 1), np.zeros(6, int), [8])


@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 4, 5, 1), (6, 1, 4, 5), (6, 20), (6, 20, 1)])
def test_a_single_channel_can_be_left_out(shape):
    network = Network([Conv2d(np.full((1, 1, 2, 2), 0.5), input_size=(4, 5), gain=0.5)])
    images = np.random.default_rng(1).random((6, 20))
    flat = simulate(network, images, 50, seed=1).counts
    assert np.array_equal(simulate(network, images.reshape(shape), 50, seed=1).counts, flat)


def test_layers_have_one_time_step():
    with pytest.raises(ValueError, match=r"layers must have the time step of layer 0, 1\.0 ms, .*0\.5"):
        Network([Dense([[0.5]]), Dense([[0.5]], neuron=LIF(dt=0.5))])


@pytest.mark.parametrize("record", [1, [1], "potentials", None])
def test_record_is_a_bool_or_a_record(record):
    with pytest.raises(TypeError, match=r"record must be a Record, got .*; pass True to record all"):
        simulate(Network([Dense([[0.5]])]), [0.5], 8, record=record)


def test_errors_show_short_values_and_only_the_kind_of_long_ones():
    for value, shown in (
        (np.zeros(100), "an array of float64, shape (100,)"),
        (np.zeros(2), "array([0., 0.])"),
        ([0.0] * 1000, "[0.0, 0.0, 0.0, "),
        ([0.0, 1.0], "[0.0, 1.0]"),
    ):
        with pytest.raises(TypeError, match="streams must hold integers of 0 or more") as caught:
            encode(0.5, 8, key=1, streams=value)
        assert f"got {shown}" in str(caught.value)
        assert len(str(caught.value)) < 200
