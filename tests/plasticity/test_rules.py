"""Rules within networks: what they share with networks without them, states, batches and recordings."""

import pickle

import numpy as np
import pytest

import sc_neurocore as sc
from sc_neurocore import LIF, Conv2d, Dense, Network, Record, prepare, simulate
from sc_neurocore.plasticity import (
    STDP,
    Competition,
    Homeostasis,
    RewardSTDP,
    StochasticSTDP,
    TripletSTDP,
)

RNG = np.random.default_rng(1)
WEIGHTS, X = RNG.uniform(-0.6, 0.9, (6, 20)), RNG.random(20)
RULES = {
    "STDP": STDP(a_plus=0.1, a_minus=0.05, bounds="hard"),
    "soft": STDP(keep_sign=False),
    "triplet": TripletSTDP(),
    "reward": RewardSTDP(),
    "stochastic": StochasticSTDP(level=1 / 16),
    "rate": Homeostasis(rate=0.1, period=10),
    "all": [Competition(1.0, 0.1, 50.0), Homeostasis(total=5.0, period=30), STDP(pairing="nearest")],
}


def layer(rule, **parameters):
    neuron = LIF(noise_std=0.1, refractory_period=1)
    return Dense(WEIGHTS, gain=0.3, neuron=neuron, plasticity=rule, **parameters)


def reward_of(name, steps):
    return np.sin(np.arange(steps)) if name == "reward" else None


def equal(a, b):
    own, other = (run.state._states()[0] for run in (a, b))
    assert np.array_equal(own.plastic.view(np.uint64), other.plastic.view(np.uint64))


@pytest.mark.parametrize("share", [False, True])
def test_a_rule_that_changes_nothing_leaves_every_bit_as_it_is(share):
    more = {"bias": RNG.uniform(-1, 1, 6), "recurrent": RNG.uniform(-1, 1, (6, 6)), "delay": 2}
    neuron = LIF(noise_std=0.1, tau_mem=RNG.uniform(5, 20, 6))
    for extra in ({}, more):
        plain, plastic = (
            Network([Dense(WEIGHTS, 0.3, neuron, plasticity=rule, **extra), Dense(np.eye(6))])
            for rule in (None, STDP(a_plus=0.0, a_minus=0.0))
        )
        a, b = (
            simulate(net, X, 300, seed=3, record=True, share_weight_numbers=share)
            for net in (plain, plastic)
        )
        assert a.counts.sum() > 100
        assert np.array_equal(a.potentials, b.potentials)
        for own, other in zip(a.spikes, b.spikes, strict=True):
            assert np.array_equal(own.words, other.words)


@pytest.mark.parametrize("name", RULES)
def test_a_run_can_be_cut_anywhere(name):
    network = Network([layer(RULES[name], bias=np.full(6, 0.2)), Dense(np.eye(6), delay=1)])
    reward = reward_of(name, 200)
    whole = simulate(network, X, 200, seed=1, reward=reward)
    counts, state, first = 0, None, 0
    for steps in (1, 63, 40, 96):
        own = None if reward is None else reward[first : first + steps]
        run = simulate(network, X, steps, seed=1, state=state, reward=own)
        counts, state, first = counts + run.counts, run.state, first + steps
    assert np.array_equal(counts, whole.counts)
    equal(run, whole)
    assert (whole.state.weights[0] != WEIGHTS).any()


@pytest.mark.parametrize("name", RULES)
def test_every_way_to_run_a_layer_is_the_same(name):
    prepared = prepare(Network([layer(RULES[name])]), seed=1)
    bits = sc.encode(X, 150, key=sc.stream_key(1, sc.Role.INPUT))
    reward = reward_of(name, 150)
    runs = [
        prepared.run(X, 150, reward=reward),  # densities are encoded in the core
        prepared.run(bits, reward=reward),  # blocks of packed inputs
        prepared.run(X, 150, reward=reward, record=True),
        prepared.run(np.repeat(X[None, :, None], 150, 2), reward=reward),
    ]
    for run in runs[1:]:
        equal(run, runs[0])
        assert np.array_equal(run.counts.ravel(), runs[0].counts)
        assert np.array_equal(run.potentials.ravel(), runs[0].potentials)


def test_rows_of_a_batch_are_examples_one_after_another():
    network = Network([layer(RULES["all"]), Dense(np.eye(6))])
    images = RNG.random((4, 20))
    batch = simulate(network, images, 70, seed=1, record=Record(weights=True, every=35))
    prepared, state = prepare(network, seed=1), None
    for row, image in enumerate(images):
        run = prepared.run(image[None], 70, state=state)
        state = run.state
        assert np.array_equal(run.counts[0], batch.counts[row])
        assert np.array_equal(run.potentials[0], batch.potentials[row])
    equal(run, batch)
    assert batch.state.batch == ()
    assert batch.state.steps == 280
    assert batch.recording.weights[0].shape == (4, 6, 20, 2)
    assert batch.spikes[0].shape == (4, 6)


def test_the_network_of_a_state_has_learned_and_learns_no_more():
    rules = [STDP(a_plus=0.1), Competition(threshold_step=0.05, tau_threshold=100.0)]
    run = simulate(Network([layer(rules)]), X, 300, seed=1)
    network = run.state.network
    assert np.array_equal(network[0].weights, run.state.weights[0])
    assert network[0].plasticity == ()
    theta = run.state.traces[0]["threshold"]
    assert (theta > 0.05).any()
    assert np.array_equal(network[0].neuron.v_threshold, 1.0 + theta)
    # It fires as the layer does whose rules change nothing more.
    frozen = Dense(
        network[0].weights, 0.3, network[0].neuron, plasticity=[STDP(a_plus=0.0, a_minus=0.0)]
    )
    counts = [simulate(net, X, 200, seed=2).counts for net in (network, Network([frozen]))]
    assert np.array_equal(*counts)
    inhibited = simulate(Network([layer(RULES["all"])]), X, 50, seed=1).state.network
    with pytest.raises(ValueError, match="only simulate knows inhibition"):
        sc.evaluate(inhibited, [X], [1], [50])
    assert inhibited[0].plasticity == (Competition(1.0),)


def test_a_state_is_stored_without_the_network_and_learns_on():
    prepared = prepare(Network([layer(STDP(a_plus=0.1))]), seed=1)
    x = np.full(prepared.network.n_in, 0.5)
    state = prepared.run(x, 100).state
    stored = pickle.loads(pickle.dumps(state))
    there, here = (prepared.run(x, 100, state=one).state for one in (stored, state))
    assert np.array_equal(there.weights[0], here.weights[0])
    assert not np.array_equal(there.weights[0], state.weights[0])
    with pytest.raises(ValueError, match="state must not be read from a file to show its weights"):
        _ = stored.weights


def test_weights_and_potentials_are_recorded_at_samples():
    network = Network([layer(RULES["STDP"])])
    record = Record(weights=True, potentials=True, every=7, neurons=[1, 4])
    run = simulate(network, X, 100, seed=1, record=record)
    assert np.array_equal(run.recording.steps, np.arange(0, 100, 7))
    at = simulate(network, X, 22, seed=1)  # after step 21
    assert np.array_equal(run.recording.weights[0][..., 3], at.state.weights[0][[1, 4]])
    assert np.array_equal(run.recording.potentials[0][..., 3], at.potentials[[1, 4]])
    equal(run, simulate(network, X, 100, seed=1))


def test_weights_keep_their_signs_and_bounds():
    for name in ("STDP", "stochastic", "all", "triplet"):
        after = simulate(Network([layer(RULES[name])]), X, 1000, seed=1).state.weights[0]
        assert np.array_equal(np.signbit(after), np.signbit(WEIGHTS)), name
    free = STDP(a_plus=0.0, a_minus=0.3, bounds="hard", keep_sign=False, w_max=0.95)
    after = simulate(Network([layer(free)]), X, 1000, seed=1).state.weights[0]
    assert after.min() == -0.95


def test_layers_with_rules_are_equal_and_survive_pickling():
    a = layer(RULES["all"])
    assert a == pickle.loads(pickle.dumps(a))
    assert a != layer(RULES["STDP"])
    assert [type(rule) for rule in a.plasticity] == [STDP, Homeostasis, Competition]
    assert "STDP(a_plus=0.01" in repr(a)


@pytest.mark.parametrize(("call", "message"), [
    (lambda n: simulate(n, X, 9, seed=1, source=sc.LFSR(8)), "source must be Bernoulli"),
    (lambda n: simulate(n, X, 9, seed=1, bits_per_step=2), "bits_per_step must be 1 for layers"),
    (lambda n: simulate(n, X, 9, seed=1, faults=sc.Faults(dead=0.1)), "faults must be None for layers"),
    (lambda n: prepare(n, steps_kept=9), "steps_kept must be 0 for layers"),
    (lambda n: simulate(n, X, 9, fixed_point=sc.FixedPoint()), "have layers without plasticity"),
    (lambda n: sc.simulate_float(n, X, 9), "have layers without plasticity"),
    (lambda n: n.save("network.npz"), "have layers without plasticity"),
    (lambda n: sc.evaluate(n, [X], [1], [9]), "have layers without plasticity"),
    (lambda n: sc.noise_budget(n, [X], 9), "have layers without plasticity"),
    (lambda n: simulate(n, X, 9, reward=1.0), "reward must be None unless a layer has a RewardSTDP"),
    (lambda n: simulate(n, X, 9, record=Record(currents=True)), "currents must be False for layer 0"),
    (lambda n: simulate(n, [X], 9, record=Record(weights=True, every=2)), "every must divide"),
    (lambda n: simulate(Network([layer(RewardSTDP())]), X, 9, reward=[1, 2]), r"have shape \(9,\)"),
    (lambda n: layer(STDP(w_max=0.1)), "have magnitudes up to the w_max of their rule, 0.1"),
    (lambda n: layer([STDP(), TripletSTDP()]), "hold at most one STDP rule"),
    (lambda n: layer("STDP"), "be a rule or a sequence of rules"),
    (lambda n: layer(RewardSTDP(tau_eligibility=0.5)), "tau_eligibility of at least the time step"),
    (lambda n: STDP(a_plus=-1), "a_plus must be 0 or more"),
    (lambda n: STDP(bounds="no"), "bounds must be one of"),
    (lambda n: StochasticSTDP(p_plus=2.0), r"p_plus must be in \[0, 1\]"),
    (lambda n: Homeostasis(), "total must be given unless rate is"),
    (lambda n: Homeostasis(total=1.0, rate=0.1), "total must be omitted where rate is given"),
    (lambda n: Record(weights=True, file="x.h5"), "file must be None where weights are recorded"),
], ids=range(23))  # fmt: skip
def test_wrong_uses_are_refused_with_a_reason(call, message):
    network = Network([layer(STDP())])
    with pytest.raises((ValueError, TypeError), match=message):
        call(network)


def test_a_convolution_has_no_rules():
    with pytest.raises(TypeError):
        Conv2d(np.full((1, 1, 2, 2), 0.5), (4, 4), plasticity=STDP())


GOLDEN = [
    [0.984375, 0.984375, 0.93311, 1.0],
    [0.984375, 0.831474, 0.984375, 1.0],
    [0.96875, 1.0, 0.602398, 0.984375],
]


def test_golden_weights_do_not_change():
    rules = [
        StochasticSTDP(0.5, 0.4, level=1 / 64),
        Homeostasis(total=4.0, period=32),
        Competition(0.5, 0.1),
    ]
    weights = (np.arange(12).reshape(3, 4) % 5) / 8 + 0.25
    run = simulate(
        Network([Dense(weights, gain=0.4, plasticity=rules)]), [0.2, 0.4, 0.6, 0.1], 200, seed=42
    )
    assert run.counts.tolist() == [24, 21, 19]
    assert run.state.weights[0].round(6).tolist() == GOLDEN
