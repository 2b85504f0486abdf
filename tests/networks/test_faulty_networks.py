"""Faults of networks: where they strike, and what they do not depend on."""

from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Conv2d,
    Dense,
    Faults,
    FixedPoint,
    Network,
    Record,
    Role,
    Sobol,
    encode,
    evaluate,
    load_digits,
    prepare,
    simulate,
    stream_key,
)
from sc_neurocore.networks.layers import all_weights
from sc_neurocore.streams import inject

RNG = np.random.default_rng(5)
WEIGHTS = RNG.uniform(-1, 1, (6, 9))
NEURON = LIF(tau_mem=8.0)
ONE = Network([Dense(WEIGHTS, gain=0.3, neuron=NEURON, bias=RNG.uniform(0, 1, 6))])
CHAIN = Network([*ONE.layers, Dense(RNG.uniform(-0.3, 1, (4, 6)), gain=0.5, neuron=NEURON)])
CONV = Network(
    [
        Conv2d(RNG.uniform(-0.3, 1, (2, 1, 2, 2)), (3, 3), gain=0.5, neuron=NEURON, bias=[0.1, 0.2]),
        Dense(RNG.uniform(-0.3, 1, (4, 8)), gain=0.5, neuron=NEURON, delay=2),
    ]
)
LOOP = Network(
    [Dense(RNG.uniform(-0.3, 1, (4, 13)), gain=0.3, neuron=NEURON, delay=[0] * 9 + [1] * 4)],
    connections=[["input", 0]],
)
X = RNG.random((5, 9))
MANY = Faults(flip=0.03, drop=0.1, stuck_at_0=0.1, stuck_at_1=0.05, dead=0.1, weight_upset=0.02)
SEED, LENGTH = 7, 200


def run(network, x=X, length=LENGTH, *, faults=MANY, **options):
    return simulate(network, x, length, seed=SEED, faults=faults, record=True, **options)


def same(one, other):
    return (one.counts == other.counts).all() and one.spikes == other.spikes


def test_bits_of_inputs_weights_and_spikes_are_struck_at_their_addresses():
    faults = replace(MANY, weight_upset=0.0, dead=0.0)
    layer = ONE[0]
    x = inject(
        encode(X, LENGTH, key=stream_key(SEED, Role.INPUT), streams=np.arange(9)),
        faults, key=stream_key(SEED, Role.FAULT, 0), streams=np.arange(9),
    )  # fmt: skip
    wires = np.arange(6)[:, np.newaxis] << 32 | np.arange(10)
    w = encode(np.abs(layer.matrix), LENGTH, key=stream_key(SEED, Role.WEIGHT, 0), streams=wires)
    w = inject(w, faults, key=stream_key(SEED, Role.FAULT, 1, 0), streams=wires).bits().astype(int)
    on = np.concatenate([x.bits(), np.ones((5, 1, LENGTH), int)], axis=1)
    counts = np.einsum("jit,bit->bjt", np.sign(layer.matrix).astype(int)[:, :, None] * w, on)
    spikes = NEURON.run((counts * layer.gain).reshape(-1, LENGTH))[0].reshape(5, 6)
    wanted = inject(spikes, faults, key=stream_key(SEED, Role.FAULT, 2, 0), streams=np.arange(6))
    found = run(ONE, faults=faults)
    assert found.spikes == (wanted,)
    assert (found.counts == wanted.counts()).all()


@pytest.mark.parametrize(
    ("network", "k", "share", "length"),
    [(CHAIN, 1, False, 200), (CHAIN, 3, True, 200), (CONV, 3, False, 200), (LOOP, 1, True, 80)],
    ids=["chain", "chain, 3 bits", "convolution", "loop"],
)
def test_results_do_not_depend_on_batch_pieces_or_threads(network, k, share, length, threads):
    options = {"bits_per_step": k, "share_weight_numbers": share}
    whole = run(network, length=length, **options)
    assert whole.counts.sum() > 0
    assert (run(network, X[3], length, **options).counts == whole.counts[3]).all()
    begun = run(network, length=70, **options)
    rest = run(network, length=length - 70, state=begun.state, **options)
    assert (begun.counts + rest.counts == whole.counts).all()
    kept = prepare(network, seed=SEED, faults=MANY, steps_kept=length, **options)
    assert same(kept.run(X, length, record=True), whole)


@pytest.mark.parametrize("source", [Sobol()])
def test_spike_trains_and_densities_in_time_are_struck_as_densities_are(source):
    streams = encode(X, LENGTH, key=stream_key(SEED, Role.INPUT), streams=np.arange(9))
    densities = np.repeat(X[:, :, np.newaxis], LENGTH, axis=2)
    whole = run(CHAIN)
    assert same(run(CHAIN, streams, None), whole)
    assert same(run(CHAIN, densities, None), whole)
    begun = run(CHAIN, streams.between(0, 70), None)
    rest = run(CHAIN, streams.between(70, LENGTH), None, state=begun.state)
    assert (begun.counts + rest.counts == whole.counts).all()
    assert run(CHAIN, source=source).counts.sum() > 0


def test_dead_neurons_never_fire_and_the_others_do_as_before():
    without, found = run(ONE, faults=None), run(ONE, faults=Faults(dead=0.5))
    dead = (found.counts == 0).all(axis=0)
    assert 0 < dead.sum() < 6
    assert (found.counts[:, ~dead] == without.counts[:, ~dead]).all()
    assert run(CHAIN, faults=Faults(dead=1.0)).counts.sum() == 0


def test_neurons_without_a_threshold_have_no_wire_for_spikes_and_are_at_rest_if_dead():
    last = Dense(RNG.uniform(-1, 1, (40, 6)), neuron=LIF(tau_mem=np.inf, v_threshold=np.inf))
    network = Network([*ONE.layers, last])
    spikes = Record(potentials=True)
    faults = Faults(flip=0.3, stuck_at_1=0.3)
    assert simulate(network, X, 100, seed=1, faults=faults).counts.sum() == 0
    without = simulate(network, X, 100, seed=1, record=spikes)
    found = simulate(network, X, 100, seed=1, record=spikes, faults=Faults(dead=0.3))
    dead = (found.potentials == 0).all(axis=0)
    assert 3 < dead.sum() < 25
    assert (found.recording.potentials[1][:, dead] == 0).all()
    assert (found.recording.potentials[1][:, ~dead, -1] == found.potentials[:, ~dead]).all()
    alive = simulate(Network(network.layers[:1]), X, 100, seed=1, faults=Faults(dead=0.3))
    assert ((alive.counts == 0) >= (without.spikes[0].counts() == 0)).all()
    mixed = LIF(tau_mem=8.0, v_threshold=np.where(np.arange(6) < 3, 1.0, np.inf))
    some = Network([Dense(WEIGHTS, gain=0.3, neuron=mixed)])
    counts = simulate(some, X, 100, seed=1, faults=faults).counts
    assert (counts[:, 3:] == 0).all()
    assert (counts[:, :3] > 0).all()


def test_the_proportion_of_dead_neurons_is_the_rate():
    n = 4000
    network = Network([Dense(np.ones((n, 1)), gain=5.0)])
    dead = (simulate(network, [1.0], 8, seed=1, faults=Faults(dead=0.1)).counts == 0).mean()
    assert abs(dead - 0.1) <= 5 * np.sqrt(0.09 / n)


def test_upset_weights_are_those_of_the_stored_words():
    faults = Faults(weight_upset=0.05, weight_bits=6)
    struck = prepare(CHAIN, seed=SEED, faults=faults).network
    assert (
        simulate(struck, X, 50, seed=SEED).counts == run(CHAIN, length=50, faults=faults).counts
    ).all()
    changed = all_weights(struck[0]) != all_weights(CHAIN[0])
    assert 0.1 < changed.mean() < 0.5  # 1 - 0.95**7 = 0.30
    assert struck[0].bias is not None
    words = np.abs(all_weights(struck[0])[changed]) * 2**6
    assert (words == np.rint(words)).all()
    fixed = prepare(CHAIN, seed=SEED, faults=faults, fixed_point=FixedPoint(bits=4)).network
    assert (np.abs(all_weights(fixed[0])) * 16 == np.rint(np.abs(all_weights(fixed[0])) * 16)).all()


def test_recurrent_weights_can_be_upset_and_nothing_else_can_strike_their_layer():
    layer = Dense(WEIGHTS, gain=0.3, neuron=NEURON, recurrent=np.full((6, 6), -0.5))
    struck = prepare(Network([layer]), seed=1, faults=Faults(weight_upset=0.3)).network[0]
    assert (struck.recurrent != layer.recurrent).any()
    with pytest.raises(ValueError) as caught:
        simulate(Network([layer]), X, 10, faults=Faults(dead=0.1))
    assert str(caught.value) == (
        "faults must be upset weights alone for recurrent layer 0, got Faults(dead=0.1); connect the "
        "layer to itself with a delay of 1"
    )


def test_rates_of_0_change_no_bit_and_a_state_continues_with_its_faults_only():
    assert same(run(CHAIN, faults=Faults()), run(CHAIN, faults=None))
    begun = run(CHAIN, length=70)
    with pytest.raises(ValueError, match=r"faults must be that of the state, Faults\(flip=0.03"):
        run(CHAIN, length=70, state=begun.state, faults=None)
    with pytest.raises(TypeError, match=r"faults must be a Faults, got 0\.1"):
        run(CHAIN, faults=0.1)


def test_evaluate_has_other_faults_for_each_seed_and_a_reference_without():
    digits = load_digits()
    some = digits.images[:100], digits.labels[:100]
    (found,) = evaluate(digits.network, *some, [32], seeds=[3, 4], faults=Faults(flip=0.2))
    (without,) = evaluate(digits.network, *some, [32], seeds=[3, 4])
    assert found.of_float == without.of_float
    assert found.mean < without.mean
    alone = simulate(digits.network, some[0], 32, seed=4, faults=Faults(flip=0.2))
    assert (found.right[1] == (alone.classes == some[1])).all()
