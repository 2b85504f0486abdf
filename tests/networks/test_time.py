"""Networks in time: several bits per step, inputs that change, states to continue from."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import (
    LFSR,
    LIF,
    Bernoulli,
    Bitstream,
    Conv2d,
    Dense,
    Events,
    FixedPoint,
    Network,
    Permutation,
    Sobol,
    encode,
    prepare,
    rheobase,
    simulate,
    simulate_float,
    stream_key,
)
from sc_neurocore.networks import PreparedNetwork
from sc_neurocore.streams import Role

RNG = np.random.default_rng(11)
N_IN = 36


def weights(*shape):
    return RNG.uniform(-1, 1, shape).round(2)


CONV = Conv2d(
    weights(3, 1, 3, 3), (6, 6), gain=0.4, stride=2, neuron=LIF(tau_mem=8.0, noise_std=0.05),
    bias=[0.5, 0.2, -0.1],
)  # fmt: skip
RECURRENT = Dense(
    weights(7, 12), gain=0.3, neuron=LIF(tau_syn=4.0, refractory_period=2, noise_std=0.02),
    bias=weights(7), recurrent=weights(7, 7), delay=[0, 1, 2, 3, 70, 5, 64, 0, 0, 130, 11, 1],
)  # fmt: skip
OF_EACH = Dense(
    weights(5, 7),
    gain=[0.5, 1.0, 0.8, 0.4, 2.0],
    neuron=LIF(
        tau_mem=[5.0, 8.0, 20.0, 20.0, 9.0], v_threshold=[1.0, 0.8, 1.5, np.inf, 1.0],
        refractory_period=[0, 1, 5, 0, 0], tau_syn=[0.0, 3.0, 0.0, 2.0, 0.0], v_rest=[0, 0, 0.1, 0, 0],
        noise_std=[0.0, 0.1, 0.0, 0.0, 0.2], reset="subtract",
    ),
)  # fmt: skip
NETWORK = Network([CONV, RECURRENT, OF_EACH])
X = RNG.random((4, N_IN))
SOURCES = [Bernoulli(), Sobol(), LFSR(10), Permutation(100)]


def spikes_of(run):
    return [train.bits() for train in run.spikes]


# Continuing


@pytest.mark.parametrize("k", [1, 3, 16])
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_continuing_equals_one_run_in_any_split(source, k):
    whole = simulate(NETWORK, X, 200, seed=2, source=source, bits_per_step=k, record=True)
    for split in ([1] * 10 + [190], [64, 136], [63, 2, 135], [100, 100], [128, 64, 8]):
        state, parts = None, []
        for steps in split:
            run = simulate(
                NETWORK, X, steps, seed=2, source=source, bits_per_step=k, state=state, record=True
            )
            state, parts = run.state, [*parts, run]
        for layer, train in enumerate(spikes_of(whole)):
            ours = np.concatenate([spikes_of(part)[layer] for part in parts], axis=-1)
            assert np.array_equal(ours, train), (split, layer)
        assert np.array_equal(sum(part.counts for part in parts), whole.counts)
        assert np.array_equal(parts[-1].potentials, whole.potentials)
        assert state.steps == 200


def test_a_state_is_not_changed_by_the_runs_that_continue_from_it():
    first = simulate(NETWORK, X, 70, seed=2)
    again = [simulate(NETWORK, X, 50, state=first.state, record=True) for _ in range(2)]
    assert spikes_of(again[0])[2].any()
    for one, other in zip(spikes_of(again[0]), spikes_of(again[1]), strict=True):
        assert np.array_equal(one, other)


def test_a_state_of_another_simulation_is_refused():
    state = simulate(NETWORK, X, 10, seed=2).state
    with pytest.raises(ValueError, match="seed must be that of the state, 2, got 3"):
        simulate(NETWORK, X, 10, seed=3, state=state)
    with pytest.raises(
        ValueError, match=r"x must have the batch shape of the state, \(4,\), got \(2,\)"
    ):
        simulate(NETWORK, X[:2], 10, state=state)
    with pytest.raises(ValueError, match="state must be one of this network"):
        simulate(Network([CONV]), X, 10, state=state)
    with pytest.raises(TypeError, match="state must be a SimulationState"):
        simulate(NETWORK, X, 10, state=1)
    for name, value in (
        ("source", Sobol()),
        ("bits_per_step", 2),
        ("share_weight_numbers", True),
    ):
        with pytest.raises(ValueError, match=f"{name} must be that of the state"):
            simulate(NETWORK, X, 10, state=state, **{name: value})


@pytest.mark.parametrize("kept", [1, 64, 100, 200])
@pytest.mark.parametrize("shared", [False, True])
def test_kept_weight_bits_are_those_of_each_call(kept, shared):
    options = {"seed": 4, "bits_per_step": 2, "share_weight_numbers": shared}
    prepared = prepare(NETWORK, steps_kept=kept, **options)
    assert isinstance(prepared, PreparedNetwork)
    for steps in (1, 100, 150):
        ours = prepared.run(X, steps, record=True)
        theirs = simulate(NETWORK, X, steps, record=True, **options)
        for one, other in zip(spikes_of(ours), spikes_of(theirs), strict=True):
            assert np.array_equal(one, other)


# Bits per step


@functools.cache
def single():
    """Return a layer whose neurons add up their currents and never fire: potentials are sums."""
    return Dense(weights(6, N_IN), gain=0.7, neuron=LIF(tau_mem=np.inf, v_threshold=np.inf))


@pytest.mark.parametrize("k", [2, 5, 64, 100])
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_a_step_receives_the_mean_of_its_products(source, k):
    length, layer = 40, single()
    of_inputs, of_weights = source.sequences(2)
    run = simulate(Network([layer]), X, length, seed=1, source=source, bits_per_step=k)
    streams = np.arange(N_IN)
    x = encode(X, length * k, key=stream_key(1, Role.INPUT), source=of_inputs, streams=streams)
    lanes = (np.arange(6)[:, None] << 32) + streams
    w = encode(
        np.abs(layer.weights), length * k, key=stream_key(1, Role.WEIGHT, 0), source=of_weights,
        streams=lanes,
    )  # fmt: skip
    signs = np.sign(layer.weights).astype(int)
    ones = np.einsum("bit,ji,jit->bj", x.bits().astype(int), signs, w.bits().astype(int))
    assert np.allclose(run.potentials, 0.7 * ones / k, rtol=0, atol=1e-12)


@pytest.mark.parametrize("k", [1, 4, 16])
def test_the_variance_of_a_current_falls_with_the_bits_per_step(k):
    """With n steps, the sum of a current has variance n * gain**2 * sum q (1 - q) / k, q = x * w."""
    layer, length, seeds = single(), 64, 60
    products = X[:, None, :] * layer.weights
    mean = 0.7 * length * products.sum(axis=-1)
    variance = 0.7**2 * length * (np.abs(products) * (1 - np.abs(products))).sum(axis=-1) / k
    runs = [
        simulate(Network([layer]), X, length, seed=s, bits_per_step=k).potentials for s in range(seeds)
    ]
    z = (np.array(runs) - mean) / np.sqrt(variance)
    # Rows share their numbers, so they are not independent: each one is tested alone.
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(seeds)
    assert np.abs(z.var(axis=0) - 1).max() < 5 * np.sqrt(2 / seeds)


def test_a_spike_is_on_for_all_bits_of_its_step():
    """The second layer copies: its weight is 1, so that it sees every spike in every bit."""
    first = Dense(weights(4, N_IN), gain=1.0, neuron=LIF(tau_mem=5.0))
    copy = Dense(np.eye(4), gain=2.0, neuron=LIF(tau_mem=1.0))
    for k in (1, 3, 64):
        run = simulate(Network([first, copy]), X, 100, seed=3, bits_per_step=k, record=True)
        assert run.spikes[0] == run.spikes[1]
        assert run.spikes[0].bits().any()


def test_more_bits_per_step_come_nearer_to_real_numbers():
    network = Network([replace(CONV, neuron=LIF(tau_mem=8.0)), replace(RECURRENT, neuron=LIF())])
    real = simulate_float(network, X, 200).counts
    errors = [
        np.abs(
            [simulate(network, X, 200, seed=s, bits_per_step=k).counts - real for s in range(4)]
        ).mean()
        for k in (1, 16, 256)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.5 * errors[1]


def test_fixed_point_rounds_the_part_of_a_gain_that_a_bit_adds():
    network = Network([Dense(weights(4, N_IN), gain=0.5, neuron=LIF(tau_mem=8.0))])
    formats = FixedPoint(bits=8, word=24, leak_bits=12)
    fixed = simulate(network, X, 100, seed=3, bits_per_step=8, fixed_point=formats)
    real = simulate(network, X, 100, seed=3, bits_per_step=8)
    assert real.counts.sum() > 50
    assert np.abs(fixed.counts - real.counts).max() <= 3
    assert np.abs(fixed.potentials - real.potentials).max() < 1.0


def test_bits_per_step_is_an_integer_of_at_least_1():
    for wrong, error in ((0, ValueError), (1.5, TypeError), (True, TypeError), (2**30, ValueError)):
        with pytest.raises(error, match="bits_per_step"):
            simulate(NETWORK, X, 10, bits_per_step=wrong)


# Inputs


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_densities_in_time_that_do_not_change_are_constant_ones(source, k):
    in_time = np.repeat(X[:, :, None], 150, axis=2)
    options = {"seed": 5, "source": source, "bits_per_step": k, "record": True}
    one = simulate(NETWORK, in_time, **options)
    other = simulate(NETWORK, X, 150, **options)
    for a, b in zip(spikes_of(one), spikes_of(other), strict=True):
        assert np.array_equal(a, b)


def test_each_step_has_the_densities_of_its_own():
    """Densities 0 and 1 are bits: the first layer sees exactly them, whenever it continues."""
    bits = RNG.integers(0, 2, (4, N_IN, 150)).astype(float)
    trains = Bitstream.from_bits(bits)
    for k in (1, 2):
        options = {"seed": 5, "bits_per_step": k, "record": True}
        one, other = simulate(NETWORK, bits, **options), simulate(NETWORK, trains, **options)
        for a, b in zip(spikes_of(one), spikes_of(other), strict=True):
            assert np.array_equal(a, b)
        half = simulate(NETWORK, bits[:, :, :70], **options)
        rest = simulate(NETWORK, bits[:, :, 70:], state=half.state, **options)
        assert np.array_equal(half.counts + rest.counts, one.counts)
    assert np.array_equal(simulate_float(NETWORK, bits).counts, simulate_float(NETWORK, trains).counts)


def test_inputs_with_a_length_need_no_other():
    with pytest.raises(ValueError, match="length must be omitted or equal the length of x, 9, got 8"):
        simulate(NETWORK, np.full((4, N_IN, 9), 0.5), 8)
    with pytest.raises(TypeError, match="length must be given unless x has a length of its own"):
        simulate_float(NETWORK, X)


def random_events(rows, n_units, steps, dt, n):
    return (
        [RNG.uniform(0, steps * dt, n) for _ in range(rows)],
        [RNG.integers(0, n_units, n) for _ in range(rows)],
    )


def test_events_are_their_packed_bits():
    times, units = random_events(3, N_IN, 100, 0.5, 2000)
    events = Events(times, units, (N_IN, 100), dt=0.5)
    bits = np.zeros((3, N_IN, 100), int)
    for row in range(3):
        np.add.at(bits[row], (units[row], np.floor(times[row] / 0.5).astype(int)), 1)
    assert np.array_equal(events.bitstream().bits(), np.minimum(bits, 1))
    assert events.merged == (bits - np.minimum(bits, 1)).sum() > 0
    for function in (simulate_float, functools.partial(simulate, seed=1, bits_per_step=2)):
        one, other = function(NETWORK, events), function(NETWORK, events.bitstream())
        assert np.array_equal(one.counts, other.counts)
        assert one.counts.any()
    (one,) = Events(times[:1], units[:1], (N_IN, 100), dt=0.5).bitstream().bits()
    assert np.array_equal(one, Events(times[0], units[0], (N_IN, 100), dt=0.5).bitstream().bits())


def test_times_in_another_unit_than_the_steps_are_reported():
    rng = np.random.default_rng(0)
    times, units = rng.random(300) * 0.3, rng.integers(0, 10, 300)  # seconds
    with pytest.warns(UserWarning, match=r"all 300 events lie in the first step of 300, and 290 .*dt="):
        assert Events(times, units, shape=(10, 300)).merged == 290
    with pytest.warns(UserWarning, match="all 600 events lie in the first 3 steps of 4000"):
        Events([10 * times, 10 * times], [units, units], shape=(10, 4000))
    assert Events(times, units, shape=(10, 300), dt=0.001).merged < 30
    assert Events([0.1, 0.2], [0, 1], shape=(10, 300)).merged == 0  # two events can be early
    assert Events([0.1, 0.2, 8.0], [0, 0, 1], shape=(10, 300)).merged == 1
    with pytest.raises(TypeError, match=r"hold integers .*, got an array of float64, shape \(300,\)"):
        Events(times, units / 1.0, shape=(10, 300))
    with pytest.raises(ValueError, match=r"\[0, 10\), got 10; units are counted from 0"):
        Events(1000 * times, units + 1, shape=(10, 300))


def test_events_that_do_not_fit_are_refused():
    cases = [
        (([1.0, 5.0], [0, 0], (2, 5)), r"times must lie in \[0.0, 5.0\), within the steps, got 5.0"),
        (([-0.1], [0], (2, 5)), "times must lie in"),
        (([1.0], [2], (2, 5)), r"units must lie in \[0, 2\), got 2"),
        (([1.0], [0, 1], (2, 5)), "units must hold one unit for each of the 1 times"),
        (([1.0], [-1], (2, 5)), "units must hold integers of 0 or more"),
        (([[1.0], [2.0]], [[0]], (2, 5)), "units must have one array for each of the 2"),
        (([np.nan], [0], (2, 5)), "times must be finite"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            Events(*arguments)
    for arguments in (([1.0], [0], 5), ([[1.0]], [0], (2, 5)), (["a"], [0], (2, 5))):
        with pytest.raises(TypeError):
            Events(*arguments)
    assert Events([], [], (2, 5)).bitstream().bits().sum() == 0


# Neurons that differ


def test_neurons_with_parameters_of_their_own_are_single_neurons():
    currents = RNG.uniform(0, 0.4, (5, 300))
    lif = OF_EACH.neuron
    spikes, state = lif.run(currents, key=9)
    still = replace(lif, noise_std=0.0)
    together, after = still.run(currents)
    for j in range(5):
        alone, of_one = still[j].run(currents[j])
        assert np.array_equal(alone.bits()[0], together.bits()[j])
        assert after.v[j] == of_one.v[0]
        assert after.i[j] == of_one.i[0]
    assert spikes.bits()[4].any()
    assert not spikes.bits()[3].any()
    half, middle = lif.run(currents[:, :131], key=9)
    rest, end = lif.run(currents[:, 131:], middle, key=9)
    assert np.array_equal(np.concatenate([half.bits(), rest.bits()], axis=1), spikes.bits())
    assert np.array_equal(end.v, state.v)


def test_equal_parameters_of_each_neuron_are_those_of_all():
    common = LIF(tau_mem=7.0, tau_syn=3.0, refractory_period=2, noise_std=0.1)
    each = LIF(
        tau_mem=[7.0] * 6, tau_syn=[3.0] * 6, refractory_period=[2] * 6, noise_std=[0.1] * 6
    )  # fmt: skip
    w = weights(6, N_IN)
    for k in (1, 2):
        one, other = (
            simulate(Network([Dense(w, 0.3, lif)]), X, 150, seed=1, bits_per_step=k, record=True)
            for lif in (common, each)
        )
        assert np.array_equal(one.spikes[0].bits(), other.spikes[0].bits())
        assert np.array_equal(one.potentials, other.potentials)
        assert one.counts.any()


def test_gains_of_each_row_scale_its_current():
    w, gain = weights(6, N_IN), RNG.uniform(0.2, 1.0, 6)
    lif = LIF(tau_mem=np.inf, v_threshold=np.inf)
    one = simulate(Network([Dense(w, gain, lif)]), X, 100, seed=1)
    other = simulate(Network([Dense(w, 1.0, lif)]), X, 100, seed=1)
    assert np.allclose(one.potentials, gain * other.potentials)
    conv = replace(CONV, neuron=lif, gain=[0.5, 1.0, 2.0])
    one = simulate(Network([conv]), X, 100, seed=1)
    other = simulate(Network([replace(conv, gain=1.0)]), X, 100, seed=1)
    ratio = np.repeat([0.5, 1.0, 2.0], conv.positions)
    assert np.allclose(one.potentials, ratio * other.potentials)


def test_a_network_of_such_layers_is_saved_and_compared(tmp_path):
    NETWORK.save(tmp_path / "network.npz")
    loaded = Network.load(tmp_path / "network.npz")
    assert loaded == NETWORK
    assert loaded[2].neuron == OF_EACH.neuron
    assert hash(loaded[2].neuron) == hash(OF_EACH.neuron)
    assert replace(OF_EACH, gain=1.0) != OF_EACH
    assert "array of 5" in repr(OF_EACH)


def test_parameters_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"tau_mem must hold one value for each of the 3 neurons, got 2"
    ):
        LIF(v_rest=[0, 0, 0], tau_mem=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"tau_mem must be greater than 0, got -1.0 \(neuron 1\)"):
        LIF(tau_mem=[1.0, -1.0])
    with pytest.raises(TypeError, match="dt must be a real number"):
        LIF(dt=[1.0, 2.0])
    with pytest.raises(ValueError, match="neuron must have parameters for 5 neurons"):
        replace(OF_EACH, neuron=LIF(tau_mem=[5.0, 6.0]))
    with pytest.raises(ValueError, match=r"gain must be a number or have shape \(5,\)"):
        replace(OF_EACH, gain=[1.0])
    with pytest.raises(ValueError, match="neuron must be a single neuron"):
        rheobase(OF_EACH.neuron)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("kept", [1, 10, 65, 100])
def test_steps_past_the_kept_ones_are_right_from_the_first_on(kept, k):
    network = Network([Dense(np.full((2, 3), 0.5), 0.3)])
    prepared = prepare(network, seed=1, steps_kept=kept, bits_per_step=k)
    whole = simulate(network, np.ones(3), 200, seed=1, bits_per_step=k, record=True)
    assert prepared.run(np.ones(3), 200, record=True).spikes == whole.spikes
    state, counts = None, 0
    for _ in range(200):
        step = prepared.run(np.ones(3), 1, state=state)
        state, counts = step.state, counts + step.counts
    assert np.array_equal(counts, whole.counts)


def test_a_state_of_another_form_is_refused():
    plain = Dense(np.full((3, 4), 0.5), 0.3)
    state = simulate(Network([plain]), np.ones(4), 10, seed=1).state
    for other in (
        Network([replace(plain, recurrent=np.eye(3))]),
        Network([replace(plain, delay=2)]),
        Network([Dense(np.full((3, 7), 0.5), 0.3, delay=[0] * 4 + [1] * 3)], [["input", 0]]),
    ):
        with pytest.raises(ValueError, match="state must be one of this network"):
            simulate(other, np.ones(4), 10, state=state)
    with pytest.raises(ValueError, match="fixed_point must be that of the state"):
        simulate(Network([plain]), np.ones(4), 10, state=state, fixed_point=FixedPoint())


@pytest.mark.parametrize("dt", [0.1, 1e-3, 0.3, 1.0])
@pytest.mark.parametrize("start", [0.0, -3.7, 1000.0])
def test_times_on_the_grid_of_the_steps_are_in_their_step(dt, start):
    times = np.array([float(f"{start + i * dt:.10g}") for i in range(1000)])
    events = Events(times, np.zeros(1000, int), (1, 1000), dt=dt, start=start)
    assert events.merged == 0
    assert events.bitstream().bits().all()
