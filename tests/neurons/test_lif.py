"""The neuron: one equation for all ways to advance it, the distribution of its noise, closed forms."""

import copy
import math
import os
import pickle
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sc_neurocore import LIF, Role, SCDenseLayer, StochasticLIFNeuron, stream_key
from sc_neurocore.neurons import isi_steps, stationary_std

law = settings(deadline=None, derandomize=True, max_examples=60)

parameters = st.fixed_dictionaries(
    {
        "v_rest": st.floats(-0.5, 0.5),
        "v_reset": st.floats(-1.0, 0.5),
        "v_threshold": st.floats(0.6, 2.0),
        "tau_mem": st.floats(1.0, 50.0),
        "dt": st.floats(0.05, 1.0),
        "noise_std": st.sampled_from([0.0, 0.05, 0.4]),
        "resistance": st.floats(0.1, 5.0),
        "refractory_period": st.integers(0, 6),
        "tau_syn": st.sampled_from([0.0, 1.0, 7.5]),
        "reset": st.sampled_from(["value", "subtract"]),
    }
)
seeds = st.integers(0, 2**128 - 1)
lengths = st.lists(st.integers(0, 10) | st.integers(11, 130), min_size=1, max_size=20)


def drive(lif, shape, seed=0):
    """Return currents that change v by -0.3 to 1 per step, so that most neurons fire often."""
    return np.random.default_rng(seed).uniform(-0.3, 1.0, shape) / (lif.resistance * lif.dt)


def noise_key(seed):
    return stream_key(seed, Role.NOISE)


def stepped(neuron, currents):
    return [neuron.step(current) for current in currents.tolist()]


@law
@given(parameters, seeds, lengths)
def test_stepping_running_and_batching_give_the_same_spikes(params, seed, lengths):
    lif, bounds = LIF(**params), np.cumsum(lengths)
    currents = drive(lif, bounds[-1])
    pieces = np.split(currents, bounds[:-1])
    neurons = [StochasticLIFNeuron(**params, seed=seed) for _ in range(4)]
    spikes = stepped(neurons[0], currents)

    assert np.array_equal(neurons[1].run(currents), spikes)
    assert np.array_equal(np.concatenate([neurons[2].run(piece) for piece in pieces]), spikes)
    mixed = [stepped(neurons[3], p) if i % 2 else neurons[3].run(p) for i, p in enumerate(pieces)]
    assert np.array_equal(np.concatenate(mixed), spikes)

    state, batched = lif.initial_state(), []
    for piece in pieces:
        if piece.size:
            bits, state = lif.run(piece, state, key=noise_key(seed))
            batched.append(bits.bits()[0])
    assert np.array_equal(np.concatenate([*batched, []]), spikes)
    assert {neuron.v for neuron in neurons} == {state.v[0]}


@law
@given(parameters, seeds, st.integers(1, 40), lengths)
def test_a_neuron_of_a_population_does_not_depend_on_the_others(params, seed, n, lengths):
    lif, bounds = LIF(**params), np.cumsum([1, *lengths])
    currents = drive(lif, (40, bounds[-1]))
    whole, _ = lif.run(currents, key=noise_key(seed))
    state, parts = lif.initial_state(n), []
    for piece in np.split(currents[:n], bounds[:-1], axis=1):
        if piece.size:
            bits, state = lif.run(piece, state, key=noise_key(seed))
            parts.append(bits.bits())
    assert np.array_equal(np.concatenate(parts, axis=1), whole.bits()[:n])
    alone = StochasticLIFNeuron(**params, seed=seed)
    assert np.array_equal(alone.run(currents[0]), whole[0].bits())


@law
@given(parameters, seeds, st.lists(st.booleans(), max_size=200), st.floats(-1.0, 20.0))
def test_a_bitstream_is_a_current_of_scaled_bits(params, seed, bits, scale):
    processed, ran = (StochasticLIFNeuron(**params, seed=seed) for _ in range(2))
    spikes = processed.process_bitstream(bits, input_scale=scale)
    assert np.array_equal(spikes, ran.run(np.array(bits, float) * scale))
    assert processed.v == ran.v


@law
@given(parameters, seeds, lengths)
@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")
def test_the_first_neuron_of_a_layer_is_the_neuron_with_its_seed(params, seed, lengths):
    lif = LIF(**params)
    unit = 1 / (lif.resistance * lif.dt)
    layer = SCDenseLayer(
        3, [0.5, 0.8], [0.9, 0.7], 0.0, 1.0, 0.0, 1.0, length=100, y_min=-0.3 * unit, y_max=2.0 * unit,
        dt_ms=lif.dt, neuron_params=params, base_seed=seed,
    )  # fmt: skip
    for length in lengths:
        layer.run(length)
    currents = np.resize(layer.current_trace()[0], sum(lengths))
    spikes = layer.get_spike_trains()
    assert np.array_equal(spikes[0], StochasticLIFNeuron(**params, seed=seed).run(currents))
    if currents.size:
        population, _ = lif.run(currents, lif.initial_state(3), key=noise_key(seed))
        assert np.array_equal(spikes, population.bits())


@law
@given(parameters, st.integers(1, 150))
def test_without_noise_the_neuron_is_its_equation_bit_for_bit(params, steps):
    lif = LIF(**params | {"noise_std": 0.0})
    neuron = StochasticLIFNeuron(**params | {"noise_std": 0.0})
    v, resting, i = lif.v_rest, 0, 0.0
    assert neuron.v == v
    for current in drive(lif, steps).tolist():
        i = i - i * (lif.dt / lif.tau_syn) + current if lif.tau_syn else current
        before = v
        v = v - (v - lif.v_rest) * (lif.dt / lif.tau_mem) + lif.resistance * lif.dt * i
        fires = resting == 0 and v >= lif.v_threshold
        if resting:
            v = before
        elif fires:
            down = lif.v_threshold - lif.v_reset
            v = v - down if lif.reset == "subtract" else lif.v_reset
        resting = lif.refractory_period if fires else max(resting - 1, 0)
        assert neuron.step(current) == fires
        expected = {"v": v, "refractory": resting} | ({"i": i} if lif.tau_syn else {})
        assert neuron.get_state() == expected


@law
@given(parameters, st.floats(1.02, 10.0))
def test_the_firing_period_is_the_exact_euler_interval(params, strength):
    lif = LIF(**params | {"noise_std": 0.0, "tau_syn": 0.0, "reset": "value"})
    current = strength * (lif.v_threshold - min(lif.v_rest, 0)) / (lif.resistance * lif.tau_mem)
    period = isi_steps(lif, current)
    assume(not _at_a_step_boundary(lif, current))
    from_rest = isi_steps(replace(lif, v_reset=min(lif.v_rest, lif.v_reset)), current)
    spikes, _ = lif.run(np.full(int(from_rest + 3 * period), current))
    times = np.flatnonzero(spikes[0].bits())
    assert len(times) >= 3
    assert set(np.diff(times)) == {period}


def test_without_leak_and_with_subtraction_spikes_count_the_current():
    # Charge is conserved: the input equals the charge of the spikes plus the remaining potential.
    lif = LIF(v_reset=-0.25, tau_mem=math.inf, reset="subtract")
    currents = np.random.default_rng(1).integers(0, 9, (30, 400)) / 8
    spikes, state = lif.run(currents)
    assert np.array_equal(state.v + 1.25 * spikes.counts(), currents.sum(axis=1))
    assert spikes.counts().all()


def test_without_a_threshold_v_is_the_filtered_current():
    lif = LIF(tau_mem=10.0, tau_syn=4.0, v_threshold=math.inf, refractory_period=3)
    current, steps = 0.3, 60
    spikes, state = lif.run([1.0] + [0.0] * (steps - 1))
    assert not spikes.counts().any()
    # An impulse: i = a**k, v = sum of a**k b**(n - k) with a and b the decays of the two.
    a, b = 1 - 1 / 4.0, 1 - 1 / 10.0
    exact = sum(a**k * b ** (steps - 1 - k) for k in range(steps))
    assert state.v[0] == pytest.approx(exact, rel=1e-12)
    assert state.i[0] == pytest.approx(a ** (steps - 1), rel=1e-12)
    _, state = lif.run(np.full(2000, current))
    assert state.i[0] == pytest.approx(current * lif.tau_syn / lif.dt)
    assert state.v[0] == pytest.approx(current * lif.tau_syn * lif.tau_mem)


def test_a_refractory_neuron_keeps_its_reset_potential_while_its_current_decays():
    params = {"v_reset": 0.25, "refractory_period": 3, "tau_syn": 2.0, "reset": "subtract", "seed": 1}
    neuron = StochasticLIFNeuron(**params)
    assert neuron.step(5.0) == 1
    for left, i in ((3, 5.0), (2, 2.5), (1, 1.25), (0, 0.625)):
        assert neuron.get_state() == {"v": 4.25, "refractory": left, "i": i}
        fired = neuron.step(0.0)
        assert fired == (left == 0)


def test_the_synaptic_currents_of_a_state_are_zero_by_default():
    state = LIF(tau_syn=3.0).initial_state(4)
    assert state.i.tolist() == [0.0] * 4
    _, after = LIF().run(np.ones(3))
    assert after.i.tolist() == [0.0]


def test_a_synaptic_time_constant_of_one_step_is_the_same_as_none():
    currents = drive(LIF(), 300)
    for more in ({}, {"noise_std": 0.3, "reset": "subtract", "refractory_period": 2}):
        a, b = (LIF(**more, tau_syn=tau).run(currents, key=3) for tau in (0.0, 1.0))
        assert a[0] == b[0]
        assert a[0].counts().any()
        assert np.array_equal(a[1].v, b[1].v)


def _at_a_step_boundary(lif, current):
    """Return whether rounding decides between n and n + 1 steps."""
    v_inf = lif.v_rest + lif.resistance * current * lif.tau_mem
    decay = math.log((v_inf - lif.v_threshold) / (v_inf - lif.v_reset))
    steps = decay / math.log1p(-lif.dt / lif.tau_mem) if lif.dt < lif.tau_mem else 0.5
    return abs(steps - round(steps)) <= 1e-9 * max(steps, 1.0)


@pytest.mark.parametrize(
    ("tau_mem", "dt", "noise_std", "steps"),
    [(1.0, 1.0, 0.3, 5), (20.0, 1.0, 0.02, 17), (20.0, 1.0, 0.02, 400), (5.0, 0.1, 3.0, 500)],
)
def test_noise_without_threshold_reaches_its_stationary_distribution(tau_mem, dt, noise_std, steps):
    n, current = 20_000, 0.3
    lif = LIF(v_rest=0.7, v_threshold=1e9, tau_mem=tau_mem, dt=dt, noise_std=noise_std)
    _, state = lif.run(np.full(steps, current), lif.initial_state(n), key=noise_key(1))
    kept = (1 - dt / tau_mem) ** steps
    mean = 0.7 + current * tau_mem * (1 - kept)
    std = stationary_std(lif) * math.sqrt(1 - kept**2)
    assert abs(state.v.mean() - mean) <= 5 * std / math.sqrt(n)
    assert abs(state.v.std() - std) <= 5 * std / math.sqrt(2 * n)


def test_noise_is_white_and_independent_between_neurons_and_seeds():
    # With dt = tau_mem, v keeps nothing from the last step, so v is the noise itself.
    steps, params = 6000, {"tau_mem": 1.0, "v_threshold": 1e9, "noise_std": 1.0}
    lif, noise = LIF(**params), np.empty((12, steps))
    states, keys = [lif.initial_state(4)] * 2, [noise_key(7), noise_key(8)]
    neurons = [StochasticLIFNeuron(**params, seed=seed) for seed in range(4)]
    for t in range(steps):
        for i in range(2):
            _, states[i] = lif.run([0.0], states[i], key=keys[i])
            noise[4 * i : 4 * i + 4, t] = states[i].v
        for i, neuron in enumerate(neurons):
            neuron.step(0.0)
            noise[8 + i, t] = neuron.v
    bound = 5 / math.sqrt(steps)
    assert (np.abs(noise.mean(axis=1)) <= bound).all()
    assert (np.abs(noise.std(axis=1) - 1) <= bound / math.sqrt(2)).all()
    assert np.abs(np.corrcoef(noise) - np.eye(12)).max() <= bound
    for lag in range(1, 9):
        products = noise[:, np.newaxis, lag:] * noise[np.newaxis, :, :-lag]
        assert np.abs(products.mean(axis=2)).max() <= bound


@pytest.mark.parametrize("refractory_period", [0, 1, 7])
@pytest.mark.parametrize("mean", [-2.0, 0.0, 1.0, 1.7])
def test_without_memory_the_rate_is_a_normal_tail(mean, refractory_period):
    # With dt = tau_mem, v is N(mean, 1) at each step, so the neuron fires with probability p whenever
    # it is not refractory, and its intervals are geometrically distributed.
    n, steps = 500, 1000
    lif = LIF(tau_mem=1.0, noise_std=1.0, refractory_period=refractory_period)
    spikes, _ = lif.run(np.full(steps, mean), lif.initial_state(n), key=noise_key(3))
    p = NormalDist().cdf(mean - 1.0)
    rate = []
    for t in range(steps):
        rate.append(p * (1 - sum(rate[max(t - refractory_period, 0) : t])))
    interval = 1 / p + refractory_period
    sigma = math.sqrt(n * steps * (1 - p) / p**2 / interval**3)
    assert abs(spikes.counts().sum() - n * sum(rate)) <= 5 * sigma


@pytest.mark.parametrize("period", [0, 1, 2, 9])
def test_v_rests_at_reset_for_exactly_the_refractory_period(period):
    params = {"v_reset": -0.3, "noise_std": 0.2, "refractory_period": period, "seed": 1}
    neuron = StochasticLIFNeuron(**params)  # with a current of 5 it fires in every noise
    for _ in range(3):
        assert neuron.step(5.0) == 1
        assert neuron.get_state() == {"v": -0.3, "refractory": period}
        for left in reversed(range(period)):
            assert neuron.step(5.0) == 0
            assert neuron.get_state() == {"v": -0.3, "refractory": left}
    assert neuron.step(0.0) == 0
    assert neuron.v != -0.3
    ran = StochasticLIFNeuron(**params).run(np.full(50, 5.0))
    assert np.array_equal(ran, np.arange(50) % (period + 1) == 0)


@law
@given(parameters, seeds, st.integers(0, 70))
def test_reset_rewinds_potential_refractory_steps_and_noise(params, seed, steps):
    neuron = StochasticLIFNeuron(**params, seed=seed)
    start, currents = neuron.get_state(), drive(neuron.lif, 100)
    assert start == {"v": neuron.lif.v_rest, "refractory": 0} | (
        {"i": 0.0} if params["tau_syn"] else {}
    )
    neuron.run(currents[:steps])
    neuron.reset_state()
    assert neuron.get_state() == start
    fresh = StochasticLIFNeuron(**params, seed=seed)
    assert np.array_equal(neuron.run(currents), fresh.run(currents))
    assert neuron.v == fresh.v


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda neuron: pickle.loads(pickle.dumps(neuron))]
)
@pytest.mark.parametrize("steps", range(10))
def test_a_copy_in_mid_run_continues_with_the_same_spikes(clone, steps):
    neuron = StochasticLIFNeuron(v_reset=-0.1, noise_std=0.3, refractory_period=2, seed=5)
    currents = drive(neuron.lif, 300)
    neuron.run(currents[:steps])
    twin = clone(neuron)
    assert (twin.lif, twin.seed, twin.get_state()) == (neuron.lif, neuron.seed, neuron.get_state())
    spikes = stepped(twin, currents[steps:])
    assert sum(spikes) > 20
    assert np.array_equal(neuron.run(currents[steps:]), spikes)
    assert twin.v == neuron.v
    twin.reset_state()
    neuron.reset_state()
    assert np.array_equal(twin.run(currents), neuron.run(currents))


def test_a_step_accepts_any_real_number():
    numbers = [1, 0, np.int64(1), np.uint8(1), np.float32(0.5), np.float64(0.25), np.float16(0.5)]
    taking, floats = StochasticLIFNeuron(tau_mem=3.0), StochasticLIFNeuron(tau_mem=3.0)
    for number in numbers * 5:
        assert taking.step(number) == floats.step(float(number))
        assert taking.v == floats.v
    assert type(taking.step(1)) is int


def test_a_run_accepts_real_numbers_in_any_memory_layout():
    lif = LIF(tau_mem=3.0, noise_std=0.1)
    currents = drive(lif, (6, 80))
    expected = lif.run(currents, key=1)[0]
    strided = np.repeat(currents, 2, axis=1)[:, ::2]
    for same in (np.asfortranarray(currents), strided, currents.tolist()):
        assert lif.run(same, key=1)[0] == expected
    bits = currents > 0.5
    assert lif.run(bits, key=1)[0] == lif.run(bits.astype(float), key=1)[0]


def test_spikes_are_uint8_with_time_as_the_only_axis():
    neuron = StochasticLIFNeuron(seed=0)
    for steps in (0, 1, 64, 65):
        for spikes in (neuron.run(np.zeros(steps)), neuron.process_bitstream(np.zeros(steps))):
            assert (spikes.shape, spikes.dtype) == ((steps,), np.uint8)


def test_without_a_seed_neurons_differ_and_hold_the_seed_that_repeats_them():
    params = {"tau_mem": 1.0, "noise_std": 1.0}
    first, second = StochasticLIFNeuron(**params), StochasticLIFNeuron(**params)
    currents = np.ones(200)
    spikes = first.run(currents)
    assert not np.array_equal(spikes, second.run(currents))
    assert np.array_equal(StochasticLIFNeuron(**params, seed=first.seed).run(currents), spikes)


def test_by_default_two_populations_have_different_noise():
    lif = LIF(tau_mem=1.0, noise_std=1.0)
    currents = np.ones(200)
    trains = [lif.run(currents, lif.initial_state(3))[0].bits() for _ in range(2)]
    assert len({train.tobytes() for train in np.concatenate(trains)}) == 6


def test_a_given_key_repeats_the_noise_and_other_keys_do_not():
    lif = LIF(tau_mem=1.0, noise_std=1.0)
    currents = np.ones(200)
    runs = [lif.run(currents, key=key) for key in (0, 0, noise_key(1), noise_key(1), 2**64 - 1)]
    spikes, states = zip(*runs, strict=True)
    assert spikes[0] == spikes[1]
    assert spikes[2] == spikes[3]
    assert states[2].v == states[3].v
    assert len({spikes[i].words.tobytes() for i in (0, 2, 4)}) == 3


def test_without_noise_nothing_is_drawn_and_no_key_matters(monkeypatch):
    def refused(n_bytes):
        raise AssertionError("entropy was drawn")

    monkeypatch.setattr(os, "urandom", refused)
    quiet = LIF(tau_mem=5.0)
    currents = drive(quiet, (4, 200))
    spikes, state = quiet.run(currents)
    assert spikes.counts().all()
    for key in (0, noise_key(1), 2**64 - 1):
        keyed, keyed_state = quiet.run(currents, key=key)
        assert keyed == spikes
        assert np.array_equal(keyed_state.v, state.v)
    noisy = LIF(tau_mem=5.0, noise_std=0.1)
    noisy.run(currents, key=0)
    with pytest.raises(AssertionError, match="entropy was drawn"):
        noisy.run(currents)


def test_the_seed_affects_only_the_noise():
    currents = drive(LIF(), 300)
    trains = [StochasticLIFNeuron(seed=seed).run(currents) for seed in (None, 0, 2**128 - 1)]
    assert trains[0].any()
    assert (trains[0] == trains).all()


@law
@given(parameters, seeds)
def test_the_representation_of_a_neuron_rebuilds_it(params, seed):
    neuron = StochasticLIFNeuron(**params, seed=seed)
    again = eval(repr(neuron))
    assert (again.lif, again.seed) == (neuron.lif, neuron.seed)


def test_currents_are_not_changed():
    currents = np.linspace(0.0, 0.3, 3 * 70).reshape(3, 70)
    before = currents.copy()
    spikes, _ = LIF().run(currents)
    strided = np.asfortranarray(np.repeat(currents, 2, axis=1))[:, ::2]
    assert LIF().run(strided)[0] == spikes
    assert np.array_equal(currents, before)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_current_that_is_not_finite_is_found_wherever_it_is(wrong):
    currents = np.full((3, 70), 1e308)
    LIF().run(currents)  # finite, though its sum is not
    currents[2, 69] = wrong
    with pytest.raises(ValueError, match=rf"^currents must be finite, got {wrong} at index \(2, 69\)$"):
        LIF().run(currents)


def test_parameters_of_a_population_are_those_of_each_neuron():
    rng = np.random.default_rng(0)
    neuron = LIF(
        v_rest=rng.uniform(-1, 0, 9), v_threshold=[*rng.uniform(1, 2, 8), math.inf], dt=0.5,
        tau_mem=rng.uniform(3, 9, 9).astype(np.float32), tau_syn=[0.0, 0.5] * 4 + [2.0],
        refractory_period=np.arange(9), resistance=rng.uniform(1, 2, 9), reset="subtract",
    )  # fmt: skip
    for j, of_population in enumerate(neuron.parameters):
        (alone,) = neuron[j].parameters
        for name in dir(alone):
            if not name.startswith("_"):
                assert getattr(of_population, name) == getattr(alone, name)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("v_rest", math.nan), ("v_reset", 1.0), ("v_reset", -math.inf), ("v_threshold", math.nan),
        ("v_threshold", -math.inf), ("tau_mem", 0.5), ("tau_mem", math.nan), ("tau_syn", 0.5),
        ("tau_syn", math.inf), ("tau_syn", -1.0), ("noise_std", -0.1), ("noise_std", math.nan),
        ("resistance", 0.0), ("resistance", math.inf), ("refractory_period", -1),
        ("refractory_period", 2**32 + 1),
    ],
)  # fmt: skip
def test_a_wrong_neuron_of_a_population_is_named_as_if_it_were_alone(name, wrong):
    with pytest.raises((TypeError, ValueError)) as alone:
        LIF(**{name: wrong})
    right = getattr(LIF(), name)
    with pytest.raises(alone.type) as of_many:
        LIF(**{name: [right, right, wrong, right]})
    assert f"{of_many.value}" == f"{alone.value} (neuron 2)"
