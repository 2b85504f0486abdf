"""Layers with sampled=False: exact currents, the same in every step, in all that runs a network."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from error_table import test_of

from sc_neurocore import (
    LIF,
    Bitstream,
    Conv2d,
    Dense,
    Faults,
    FixedPoint,
    Hammersley,
    Network,
    Sobol,
    evaluate,
    load_digits,
    noise_budget,
    plan,
    prepare,
    simulate,
    simulate_float,
)
from sc_neurocore.exchange.nir import from_nir, to_nir
from sc_neurocore.networks import Record

RNG = np.random.default_rng(3)
INTEGRATOR = LIF(tau_mem=np.inf, v_threshold=np.inf)
OWN = LIF(
    tau_mem=RNG.uniform(3, 20, 6), v_threshold=RNG.uniform(0.5, 1.5, 6),
    refractory_period=[0, 1, 2, 0, 1, 3], tau_syn=RNG.uniform(1, 4, 6), reset="subtract",
)  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")


def weights(*shape):
    return RNG.uniform(-1, 1, shape)


def dense(n_out, n_in, **options):
    options = {"gain": 0.3, "neuron": LIF(tau_mem=8.0)} | options
    return Dense(weights(n_out, n_in), **options)


FIRST = {
    "plain": dense(6, 20, sampled=False),
    "own": dense(6, 20, neuron=OWN, gain=RNG.uniform(0.1, 0.3, 6), bias=weights(6), sampled=False),
    "conv": Conv2d(
        weights(3, 1, 2, 2), (5, 4), 0.5, LIF(tau_mem=6.0, refractory_period=1), bias=weights(3),
        padding=1, stride=2, sampled=False,
    ),
}  # fmt: skip
X = RNG.random((9, 20))


def network(kind):
    first = FIRST[kind]
    return Network([first, dense(4, first.n_out, gain=2.0)])


def sums(layer, x):
    """Weighted sums (rows, n_out), in float64."""
    patches = layer.patches(x[..., np.newaxis])[..., 0]
    kernels = layer.weights.reshape(len(layer.weights), -1)
    bias = 0 if layer.bias is None else layer.bias
    return layer.flatten((patches @ kernels.T + bias)[..., np.newaxis])[..., 0]


@pytest.mark.parametrize("kind", FIRST)
def test_the_current_is_the_exact_product_in_every_step(kind):
    record = Record(layers=(0,), currents=True)
    run = simulate(network(kind), X, 70, seed=1, record=record)
    layer = FIRST[kind]
    gain = np.repeat(np.broadcast_to(layer.gain, len(layer.weights)), layer.positions)
    wanted = gain * sums(layer, X)
    assert np.allclose(run.recording.currents[0], wanted[..., np.newaxis], rtol=0, atol=20 * 2.0**-31)


@pytest.mark.parametrize("kind", FIRST)
@pytest.mark.parametrize("length", [1, 3, 64, 100])
def test_spikes_are_those_on_real_numbers_for_every_seed_source_and_bits_per_step(kind, length):
    exact = simulate_float(network(kind), X, length, record=True).spikes[0]
    for options in ({"seed": 1}, {"seed": 2, "source": Sobol()}, {"seed": 1, "bits_per_step": 3}):
        run = simulate(network(kind), X, length, record=True, **options)
        assert np.array_equal(run.spikes[0].words, exact.words)
    assert exact.counts().any() or length < 3


def test_sums_do_not_depend_on_the_size_of_the_batch():
    wide = Network([Dense(weights(50, 784), neuron=INTEGRATOR, sampled=False)])
    x = RNG.random((33, 784))
    together = simulate(wide, x, 3, seed=1).potentials
    each = [simulate(wide, row, 3, seed=1).potentials for row in x]
    assert np.array_equal(together, each)


@pytest.mark.parametrize("kind", FIRST)
def test_a_run_continues_and_kept_weights_change_nothing(kind):
    made = network(kind)
    whole = simulate(made, X, 100, seed=4, record=True)
    first = simulate(made, X, 37, seed=4)
    rest = simulate(made, X, 63, state=first.state)
    assert np.array_equal(first.counts + rest.counts, whole.counts)
    assert np.array_equal(rest.potentials, whole.potentials)
    kept = prepare(made, seed=4, steps_kept=100).run(X, 100)
    assert np.array_equal(kept.counts, whole.counts)


def integers(layer, x, bits, neuron, steps):
    """Potentials (n_out, steps) of one image by Python's integers, and currents."""
    top = 2**bits - 1
    code = lambda v: max(-top, min(top, int(np.rint(v * 2**bits))))  # noqa: E731
    found, clamp = [], lambda n: max(neuron.least, min(neuron.most, n))
    for j, row in enumerate(layer.weights):
        lif = neuron.each[j] if len(neuron.each) > 1 else neuron
        total = sum(code(w) * code(v) for w, v in zip(row, x, strict=True))
        total += 0 if layer.bias is None else code(layer.bias[j]) << bits
        digits = 2 * bits - lif.fraction - lif.syn_fraction
        current = (2 * total + (1 << digits)) // (2 << digits) if digits > 0 else total << -digits
        v = i = rest = 0
        for _ in range(steps):
            drive = current
            if lif.syn_leak:
                i = clamp(i - (i * lif.syn_leak >> lif.syn_leak_shift) + current)
                drive = i >> lif.syn_fraction
            if rest:
                rest -= 1
            else:
                v = clamp(v - (v * lif.leak >> lif.leak_shift) + drive)
                if v >= lif.threshold:
                    v = v - (lif.threshold - lif.reset) if lif.subtract else lif.reset
                    rest = lif.refractory
            found.append(v)
    return np.array(found).reshape(-1, steps)


@pytest.mark.parametrize("kind", ["plain", "own"])
@pytest.mark.parametrize("bits", [3, 8])
def test_in_fixed_point_the_current_is_an_integer_rounded_half_up(kind, bits):
    fixed, layer = FixedPoint(bits, word=14), FIRST[kind]
    made = fixed.of(network(kind)).neurons[0]
    record = Record(layers=(0,), potentials=True, spikes=False)
    run = simulate(network(kind), X, 30, seed=1, fixed_point=fixed, record=record)
    volts = run.recording.potentials[0]
    for row, x in zip(volts, X, strict=True):
        assert np.array_equal(row, made.volts(integers(layer, x, bits, made, 30)[np.newaxis])[0])


def test_bits_per_step_change_no_integer_of_such_a_layer():
    one, many = (FixedPoint().of(network("own"), k).neurons for k in (1, 8))
    assert one[0].fraction == many[0].fraction
    assert one[1].fraction != many[1].fraction


def test_a_neuron_that_only_integrates_has_room_for_64_steps():
    made = Network([Dense(weights(3, 20), neuron=INTEGRATOR, sampled=False)])
    run = simulate(made, X, 64, seed=1, fixed_point=FixedPoint())
    assert np.allclose(run.potentials, 64 * sums(made[0], X), atol=64 * 0.2)
    assert FixedPoint().of(made).neurons[0].fraction > 0


@pytest.mark.parametrize("kind", FIRST)
def test_files_copies_and_nir_keep_it(kind, tmp_path):
    made = network(kind)
    made.save(tmp_path / "network.npz")
    assert Network.load(tmp_path / "network.npz") == made
    assert pickle.loads(pickle.dumps(made)) == made
    read = from_nir(to_nir(made)).network
    assert [layer.sampled for layer in read] == [False, True]
    assert np.allclose(read[0].matrix, made[0].matrix, rtol=0, atol=1e-12)
    assert "sampled=False" in repr(made)
    assert "exact currents" in made._repr_html_()
    other = Network([Dense([[0.5]])])
    assert other != Network([Dense([[0.5]], sampled=False)])


def test_files_of_sampled_networks_are_those_of_version_3(tmp_path):
    Network([Dense([[0.5]])]).save(tmp_path / "network.npz")
    with np.load(tmp_path / "network.npz") as file:
        assert '"version": 3' in str(file["header"])
        assert "sampled" not in str(file["header"])


def test_such_a_layer_adds_no_noise_to_the_budget():
    first, second = noise_budget(network("plain"), X, 50, seed=1)
    assert first.standard_error == first.step_noise == first.step_std == 0
    assert second.standard_error > 0
    assert first.current_std == pytest.approx(0.3 * sums(FIRST["plain"], X).std())


def test_evaluation_and_plan_run_it():
    made = network("plain")
    labels = simulate_float(made, X, 64).classes
    (row,) = evaluate(made, X, labels, [64], seeds=[0, 1])
    assert row.of_float == 1.0
    assert plan(made, X, labels, 0.9, lengths=(16, 64), seeds=[0, 1])


def test_a_graph_gives_inputs_to_both_kinds_of_layers():
    exact, drawn = dense(6, 12, sampled=False), dense(5, 8)
    layers = [exact, drawn, dense(3, 11, gain=0.6)]
    made = Network(layers, [[slice(8, 20)], [slice(0, 8)], [0, 1]])
    run = simulate(made, X, 90, seed=1, record=True)
    own = simulate(Network([exact]), X[:, 8:], 90, seed=5, record=True)
    assert np.array_equal(run.spikes[0].words, own.spikes[0].words)
    # The sampled layer and its inputs have the bits that they have without the other one.
    alone = Network([drawn, dense(3, 5)], ["input", 0])
    assert run.spikes[1].counts().any()
    assert len(simulate(alone, X[:, :8], 90, seed=1).counts) == 9


def test_stored_weights_and_spikes_have_faults_but_no_bits_of_inputs():
    made = network("plain")
    plain = simulate(made, X, 60, seed=1, record=True).spikes[0]
    flipped = simulate(made, X, 60, seed=1, record=True, faults=Faults(dead=0.5)).spikes[0]
    assert (flipped.counts() == 0).any(axis=0).sum() >= 1
    upset = simulate(made, X, 60, seed=1, record=True, faults=Faults(weight_upset=0.05)).spikes[0]
    assert not np.array_equal(upset.words, plain.words)


def test_a_hybrid_network_needs_few_steps():
    digits = load_digits()
    first, last = digits.network
    hybrid = Network([replace(first, sampled=False), last])
    counters = Hammersley(8, axis=1, randomized=False)
    right = [
        (simulate(made, digits.images, 2, source=counters, fixed_point=FixedPoint(4, word=8)).classes
         == digits.labels).mean()
        for made in (hybrid, digits.network)
    ]  # fmt: skip
    assert right[0] > 0.975
    assert right[1] < 0.9


LAYER = Dense([[0.5, 0.5]], sampled=False)
ONE = Network([LAYER])
ERRORS = [
    (lambda: Dense([[0.5]], sampled=0), TypeError, "sampled must be a bool, got 0"),
    (lambda: Dense([[0.5]], recurrent=[[0.5]], sampled=False), ValueError,
     "recurrent must be None for a layer with sampled=False, got weights"),
    (lambda: Dense([[0.5]], delay=2, sampled=False), ValueError,
     "delay must be 0 for a layer with sampled=False, got 2"),
    (lambda: Network([Dense([[0.5]]), Dense([[0.5]], sampled=False)]), ValueError,
     "connections must give layer 1, with sampled=False, only inputs of the network, got [0]"),
    (lambda: simulate(ONE, Bitstream.from_bits([[0, 1], [1, 1]]), seed=1), ValueError,
     "x must be densities constant in time for layer 0, with sampled=False, got spikes"),
    (lambda: simulate_float(ONE, np.ones((1, 2, 5))), ValueError,
     "x must be densities constant in time for layer 0, with sampled=False, got shape (1, 2, 5)"),
    (lambda: FixedPoint(word=4, fraction=2).of(Network([Dense([[1.0, 1.0]], 0.5, sampled=False)])),
     ValueError, "fixed_point must hold the currents of layer 0, 8 in units of the last place, got "
     "FixedPoint(bits=8, word=4, fraction=2, leak_bits=8); use a larger word or a smaller fraction"),
]  # fmt: skip
test_errors = test_of(ERRORS)
