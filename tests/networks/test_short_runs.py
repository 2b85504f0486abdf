"""Short runs, single inputs and closed loops give the results of the general path, bit for bit."""

import warnings

import numpy as np
import pytest

from sc_neurocore import (
    LFSR,
    LIF,
    Bernoulli,
    Dense,
    FixedPoint,
    Network,
    SilentLayerWarning,
    Sobol,
    prepare,
    simulate,
    simulate_float,
)
from sc_neurocore.networks._blocks import Blocks
from sc_neurocore.streams import Permutation
from sc_neurocore.streams._bits import unpack

pytestmark = pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")


APART = {"bits_per_step": 1}  # options of the network whose neurons have parameters of their own


def network(options=None, *, noise=0.1):
    rng = np.random.default_rng(0)
    fixed = options is not None and "fixed_point" in options
    noise = 0.0 if fixed else noise
    neuron = LIF(noise_std=noise, refractory_period=1, v_rest=0.1, v_reset=0.05)
    if options is APART:
        neuron = LIF(
            tau_mem=rng.uniform(2, 20, 21),
            v_threshold=rng.uniform(0.5, 1.5, 21),
            tau_syn=rng.choice([0.0, 3.0], 21),
            refractory_period=rng.integers(0, 3, 21),
            noise_std=rng.choice([0.0, noise], 21),
        )
    hidden = Dense(
        rng.uniform(-1, 1, (21, 30)),
        gain=0.4,
        neuron=neuron,
        bias=rng.uniform(-1, 1, 21),
    )
    return Network(
        [hidden, Dense(rng.uniform(-1, 1, (5, 21)), gain=0.7 if fixed else rng.uniform(0.5, 1, 5))]
    )


def densities(*shape):
    x = np.random.default_rng(1).random((*shape, 30))
    x.flat[:2] = 0, 1
    return x


def assert_same(ours, theirs):
    assert np.array_equal(ours.counts, theirs.counts)
    assert np.array_equal(ours.potentials, theirs.potentials)
    assert (ours.length, ours.seed) == (theirs.length, theirs.seed)


CASES = [
    {"source": Bernoulli()},
    {"source": LFSR(16)},
    {"source": (Sobol(), Bernoulli(), LFSR(12))},
    {"source": (Bernoulli(), Permutation(64), LFSR(12))},
    {"share_weight_numbers": True},
    {"fixed_point": FixedPoint()},
    APART,
]


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("shape", [(), (1,), (3,), (20,)])
def test_a_short_run_is_the_recorded_run(case, shape):
    options = CASES[case]
    net = network(options)
    x = densities(*shape)
    for length in (1, 8, 32, 33, 100, 130):
        recorded = simulate(net, x, length, seed=3, record=True, **options)
        assert recorded.counts.any() or length == 1
        assert_same(simulate(net, x, length, seed=3, **options), recorded)
        assert_same(simulate(net, x.tolist(), length, seed=3, **options), recorded)
        for kept in (1, 40, 100):
            prepared = prepare(net, seed=3, steps_kept=kept, **options)
            assert_same(prepared.run(x, length), recorded)
            assert_same(prepared.run(x, length, record=True), recorded)


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("shape", [(), (3,)])
def test_runs_of_any_length_continue_one_another(case, shape):
    options = CASES[case]
    net, x = network(options), densities(*shape)
    whole = simulate(net, x, 150, seed=3, **options)
    for kept in (0, 150):
        prepared = prepare(net, seed=3, steps_kept=kept, **options)
        state, counts = None, 0
        for length, record in ((1, False), (2, True), (40, False), (30, True), (70, False), (7, False)):
            before = None if state is None else prepared.run(x, 1, state=state).counts
            run = prepared.run(x, length, state=state, record=record)
            if state is not None:  # a state can be used again
                assert np.array_equal(prepared.run(x, 1, state=state).counts, before)
            state, counts = run.state, counts + run.counts
        assert np.array_equal(counts, whole.counts)
        assert np.array_equal(run.potentials, whole.potentials)
        again = simulate(net, x, 3, state=whole.state, **options)
        assert_same(prepared.run(x, 3, state=state), again)


def test_neurons_of_their_own_run_in_one_call(isa, threads, monkeypatch):
    net, x = network(APART), densities(11)
    recorded = simulate(net, x, 8, seed=3, record=True)
    monkeypatch.setattr(Blocks, "run", None)  # the general path
    assert_same(simulate(net, x, 8, seed=3), recorded)
    prepared = prepare(net, seed=3, steps_kept=8)
    for row, counts in zip(x, recorded.counts, strict=True):
        assert np.array_equal(prepared.run(row, 8).counts, counts)


def test_a_batch_gives_the_results_of_its_rows():
    net, x = network(), densities(13)
    batch = simulate(net, x, 8, seed=1)
    for row, counts in zip(x, batch.counts, strict=True):
        assert np.array_equal(simulate(net, row, 8, seed=1).counts, counts)


def test_arguments_of_short_runs_are_checked():
    net, x = network(), densities(3)
    x[2, 7] = 1.5
    with pytest.raises(ValueError, match="x must"):
        simulate(net, x, 8, seed=1)
    run = simulate(net, densities(3), 8, seed=1)
    with pytest.raises(ValueError, match="batch shape of the state"):
        simulate(net, densities(2), 8, state=run.state)
    with pytest.raises(ValueError, match="seed must be that of the state"):
        simulate(net, densities(3), 8, seed=2, state=run.state)
    with pytest.raises(ValueError, match="length must"):
        simulate(net, densities(3), 0, seed=1)


def test_arguments_of_closed_loops_are_checked():
    prepared = prepare(network(), seed=1, steps_kept=20)
    x = densities()
    state = prepared.run(x, 1).state
    step = prepared.run(x, 1, state=state)
    spread = np.repeat(x, 2)[::2]  # not contiguous
    for same in (spread, x.astype(np.float32).astype(float).tolist(), x[np.newaxis][0]):
        assert_same(prepared.run(same, 1, state=state), prepared.run(np.array(same), 1, state=state))
    assert_same(prepared.run(spread, 1, state=state), step)
    for value in (1.5, -0.25, np.nan):
        wrong = x.copy()
        wrong[-1] = value
        with pytest.raises(ValueError, match="x must"):
            prepared.run(wrong, 1, state=state)
    with pytest.raises(ValueError, match="batch shape of the state"):
        prepared.run(x[np.newaxis], 1, state=state)
    with pytest.raises(ValueError, match="batch shape of the state"):
        prepared.run(x, 1, state=prepared.run(x[np.newaxis], 1).state)
    with pytest.raises(ValueError, match="x must"):
        prepared.run(x[:-1], 1, state=state)
    for length in (0, -1):
        with pytest.raises(ValueError, match="length must"):
            prepared.run(x, length, state=state)
    with pytest.raises(ValueError, match="seed must be that of the state"):
        prepare(network(), seed=2, steps_kept=20).run(x, 1, state=state)
    other = prepare(network(), seed=1, steps_kept=20).run(x, 1, state=state)
    assert_same(other, step)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_silent_layer_is_explained_in_short_runs_too(layer):
    gains = [1.0, 1.0]
    gains[layer] = 0.01
    net = Network(
        [Dense(np.full((4, 3), 0.9), gain=gains[0]), Dense(np.full((2, 4), 0.9), gain=gains[1])]
    )
    for kept in (0, 20):
        prepared = prepare(net, seed=1, steps_kept=kept)
        with pytest.warns(SilentLayerWarning, match=f"layer {layer} fired in 20 steps"):
            prepared.run(np.full(3, 0.9), 20)
    # A current above the rheobase that has had no time yet is no reason to warn.
    enough = Network([Dense([[1.0]], gain=0.06)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(enough, np.ones(1), 2, seed=1)


def test_real_numbers_skip_inputs_at_rest_without_a_trace():
    net = network(noise=0.0)
    run = simulate_float(net, densities(6), 100, record=True)
    # The spikes of the second layer follow from those of the first by its equation.
    spikes = np.moveaxis(unpack(run.spikes[0].words, 100).astype(float), 2, 0)
    second, v = net[1], np.zeros((6, 5))
    counts = np.zeros((6, 5))
    for s in spikes:
        v = v - v * (1 / second.neuron.tau_mem) + second.gain * (s @ second.weights.T)
        fired = v >= second.neuron.v_threshold
        counts += fired
        v[fired] = second.neuron.v_reset
    assert np.array_equal(run.counts, counts)
