"""Bias, delay, recurrence and convolution: bits equal their twins, reals their equations."""

import copy
import json
import pickle

import numpy as np
import pytest
import twins

from sc_neurocore import (
    LFSR,
    LIF,
    Bernoulli,
    Bitstream,
    Conv2d,
    Dense,
    Halton,
    Hammersley,
    Network,
    Permutation,
    Role,
    Sobol,
    VanDerCorput,
    encode,
    evaluate,
    noise_budget,
    simulate,
    simulate_float,
    stream_key,
)
from sc_neurocore.networks import Simulation

RNG = np.random.default_rng(0)
LENGTH = 300
SOURCES = [
    *(Bernoulli(), Bernoulli(bits=6), LFSR(9), LFSR(9, zero=True), Sobol(), Sobol(gray=True, bits=7)),
    *(Hammersley(8), VanDerCorput(3), Halton(), Permutation(100)),
]
PLAIN = LIF(tau_mem=5.0)
NOISY = LIF(tau_mem=5.0, noise_std=0.1, refractory_period=1)
CUBA = LIF(tau_mem=8.0, noise_std=0.05, refractory_period=2, tau_syn=3.0, reset="subtract")
READOUT = LIF(tau_mem=np.inf, v_threshold=np.inf)


def weights(*shape):
    return RNG.uniform(-1, 1, shape)


# Inputs of all layers: 2 channels of 5 x 4.
N_IN = 40
X = RNG.random((3, N_IN)) * (RNG.random((3, N_IN)) < 0.7)
DELAYS = RNG.permutation(np.array([0, 1, 63, 64, 65, 127, 128, 130, 299, 300, 10**9] * 4)[:N_IN])
CONV = Conv2d(
    weights(3, 2, 3, 2), (5, 4), 0.4, NOISY, bias=weights(3), stride=2, padding=1, delay=DELAYS
)
LAYERS = {
    "bias": Dense(weights(7, N_IN), 0.3, NOISY, bias=weights(7)),
    "delay": Dense(weights(7, N_IN), 0.3, PLAIN, delay=3),
    "delays": Dense(weights(7, N_IN), 0.3, NOISY, delay=DELAYS),
    "recurrent": Dense(weights(7, N_IN), 0.3, PLAIN, recurrent=weights(7, 7)),
    "all": Dense(
        weights(70, N_IN), 0.1, CUBA, bias=weights(70), recurrent=weights(70, 70), delay=DELAYS
    ),
    "readout": Dense(weights(7, N_IN), 0.3, READOUT, bias=weights(7)),
    "conv": CONV,
    "plain conv": Conv2d(weights(4, 2, 2, 2), (5, 4), 0.4, CUBA),
}
ALL = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
NETWORK = Network(
    [
        CONV,
        Dense(weights(9, CONV.n_out), 0.3, CUBA, recurrent=weights(9, 9), bias=weights(9)),
        Dense(weights(4, 9), 0.5, READOUT, delay=[0, 1, 2, 3, 4, 64, 65, 5, 6]),
    ]
)


@pytest.fixture
def short_blocks(monkeypatch):
    """Blocks of one or two words of time, a few images and rows at a time."""
    monkeypatch.setattr("sc_neurocore.networks._bit_layers._SPIKE_WORDS", 2 * 3 * N_IN)
    monkeypatch.setattr("sc_neurocore.networks._bit_layers._KEPT_WORDS", 3 * N_IN * 7)
    monkeypatch.setattr("sc_neurocore.networks._real_layers._VALUES", 64 * 128)


def late(bits, delay):
    """Return bits (rows, n_in, length) delayed by a number of steps, input by input."""
    out = np.zeros_like(bits)
    for i, steps in enumerate(np.broadcast_to(delay, bits.shape[1:2]).tolist()):
        kept = max(bits.shape[2] - steps, 0)
        out[:, i, bits.shape[2] - kept :] = bits[:, i, :kept]
    return out


def patch_indices(layer):
    """Return the input of each kernel weight, (positions, fan_in); -1 in the padding."""
    _, c_in, kh, kw = layer.weights.shape
    (h, w), (oh, ow) = layer.input_size, layer.output_size
    at = np.arange(c_in * h * w).reshape(c_in, h, w)
    p = layer.padding
    at = np.pad(at, ((0, 0), (p, p), (p, p)), constant_values=-1)
    rows = np.arange(oh)[:, None, None, None, None] * layer.stride + np.arange(kh)[:, None]
    columns = np.arange(ow)[:, None, None, None] * layer.stride + np.arange(kw)
    return at[np.arange(c_in)[:, None, None], rows, columns].reshape(oh * ow, -1)


def unrolled(layer):
    """Return a convolution as a Dense with one row of weights per neuron."""
    at, kernel = patch_indices(layer), layer.weights.reshape(len(layer.weights), -1)
    matrix = np.zeros((len(kernel), len(at), layer.n_in + 1))
    positions = np.arange(len(at))[:, None]
    matrix[:, positions, at] = kernel[:, None, :]
    matrix = matrix[..., :-1].reshape(layer.n_out, layer.n_in)
    bias = None if layer.bias is None else np.repeat(layer.bias, len(at))
    return Dense(matrix, layer.gain, layer.neuron, bias=bias, delay=layer.delay)


def twin_of_layer(layer, number, bits, seed, source, shared):
    """Return spikes (rows, n_out, length) and potentials of a layer, in NumPy except for its bits."""
    rows, _, length = bits.shape
    bits = late(bits, layer.delay)
    matrix = layer.weights.reshape(len(layer.weights), -1)
    if isinstance(layer, Conv2d):
        padded = np.concatenate([bits, np.zeros_like(bits[:, :1])], axis=1)
        bits = padded[:, patch_indices(layer)].reshape(-1, matrix.shape[1], length)
    if layer.bias is not None:
        matrix = np.column_stack([matrix, layer.bias])
        bits = np.concatenate([bits, np.ones_like(bits[:, :1])], axis=1)
    own = getattr(layer, "recurrent", None)
    whole = matrix if own is None else np.column_stack([matrix, own])
    n, fan_in = whole.shape
    streams = (np.arange(n)[:, None] * (not shared) << 32) + np.arange(fan_in)
    key = stream_key(seed, Role.WEIGHT, number)
    w = encode(np.abs(whole), length, key=key, source=source, streams=streams).bits().astype(int)
    w *= np.sign(whole).astype(int)[:, :, None]
    forward, own = w[:, : matrix.shape[1]], w[:, matrix.shape[1] :]
    drive = np.einsum("rit,jit->rjt", bits.astype(int), forward)
    positions = len(drive) // rows
    out = np.zeros(drive.shape, np.uint8)
    shape = drive.shape[:2]
    v, refractory, i = np.full(shape, layer.neuron.v_rest), np.zeros(shape, np.uint64), np.zeros(shape)
    parameters, noise_key = layer.neuron.parameters[0], stream_key(seed, Role.NOISE, number)
    for row in range(len(drive)):
        state = v[row], refractory[row], i[row]
        neurons = np.arange(n) * positions + row % positions
        z = parameters.noise_std * twins.normal(noise_key, neurons, 0, length)
        spikes = np.zeros(n, int)
        for t in range(length):
            total = drive[row, :, t] + (own[:, :, t] @ spikes if own.size else 0)
            spikes = twins.lif_step(parameters, layer.gain * total, z[:, t], *state).astype(int)
            out[row, :, t] = spikes
    by_image = out.reshape(rows, positions, n, length).swapaxes(1, 2)
    potentials = v.reshape(rows, positions, n).swapaxes(1, 2)
    return by_image.reshape(rows, -1, length), potentials.reshape(rows, -1)


def twin_of_network(network, x, length, seed, source, shared):
    of_inputs, *of_weights = (
        source.sequences(1 + len(network.layers)) if not isinstance(source, tuple) else source
    )
    key = stream_key(seed, Role.INPUT)
    streams = np.arange(network.n_in)
    bits, trains = encode(x, length, key=key, source=of_inputs, streams=streams).bits(), []
    for number, (layer, of_layer) in enumerate(zip(network.layers, of_weights, strict=True)):
        bits, potentials = twin_of_layer(layer, number, bits, seed, of_layer, shared)
        trains.append(bits)
    return trains, potentials


def assert_is_its_twin(network, length, source, shared=False, seed=7):
    result = simulate(
        network, X, length, seed=seed, source=source, share_weight_numbers=shared, record=True
    )
    trains, potentials = twin_of_network(network, X, length, seed, source, shared)
    for ours, twin in zip(result.spikes, trains, strict=True):
        assert np.array_equal(ours.bits(), twin)
    assert np.array_equal(result.counts, trains[-1].sum(axis=-1))
    assert np.array_equal(result.potentials, potentials)
    return trains


@ALL
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_every_layer_equals_its_twin_with_every_source(short_blocks, layer, source, shared):
    trains = assert_is_its_twin(Network([layer]), LENGTH, source, shared)
    assert trains[0].any() or layer.neuron == READOUT


@ALL
def test_every_layer_equals_its_twin_at_every_level(isa, threads, layer):
    assert_is_its_twin(Network([layer]), 131, Bernoulli())


@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=str)
def test_a_network_of_all_layers_equals_its_twin(isa, threads, short_blocks, source):
    trains = assert_is_its_twin(NETWORK, LENGTH, source)
    assert trains[0].any()
    assert trains[1].any()


@pytest.mark.parametrize("source", [Bernoulli(), Permutation(100)], ids=str)
def test_every_shorter_run_is_the_beginning_of_a_longer_one(source):
    spikes = simulate(NETWORK, X, LENGTH, seed=3, source=source, record=True).spikes
    for length in range(1, LENGTH):
        short = simulate(NETWORK, X, length, seed=3, source=source, record=True)
        for a, b in zip(short.spikes, spikes, strict=True):
            assert a.words.shape[-1] == -(-length // 64)
            assert np.array_equal(a.bits(), b.bits()[..., :length]), length


@ALL
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=str)
def test_blocks_change_nothing(monkeypatch, layer, shared, source):
    arguments = {"seed": 3, "source": source, "share_weight_numbers": shared, "record": True}
    whole = simulate(Network([layer]), X, 700, **arguments)
    for words in (1, 300, 3000):
        monkeypatch.setattr("sc_neurocore.networks._bit_layers._SPIKE_WORDS", words)
        monkeypatch.setattr("sc_neurocore.networks._bit_layers._KEPT_WORDS", 10 * words)
        parts = simulate(Network([layer]), X, 700, **arguments)
        assert parts.spikes[0] == whole.spikes[0]
        assert np.array_equal(parts.potentials, whole.potentials)


@pytest.mark.parametrize("source", [Bernoulli(), Hammersley(7)], ids=str)
def test_a_row_does_not_depend_on_its_batch(source):
    together = simulate(NETWORK, X, 130, seed=3, source=source, record=True)
    real = simulate_float(NETWORK, X, 130)
    for b in range(len(X)):
        alone = simulate(NETWORK, X[b], 130, seed=3, source=source, record=True)
        assert np.array_equal(alone.potentials, together.potentials[b])
        for one, all_ in zip(alone.spikes, together.spikes, strict=True):
            assert one == all_[b]
        assert np.allclose(simulate_float(NETWORK, X[b], 130).potentials, real.potentials[b])


@pytest.mark.parametrize("name", [n for n in LAYERS if n != "readout"])
def test_the_mean_of_simulations_is_the_current_on_real_numbers(name):
    # A neuron that only integrates holds the sum of its currents: compare the means over seeds. A
    # recurrent layer that never fires has the current of its inputs alone.
    layer = LAYERS[name]
    changed = {f: getattr(layer, f) for f in ("weights", "gain", "bias", "delay")}
    kind = type(layer)
    if kind is Conv2d:
        changed |= {f: getattr(layer, f) for f in ("input_size", "stride", "padding")}
    network = Network([kind(**changed, neuron=READOUT)])
    length, n_seeds = 200, 200
    exact = simulate_float(network, X, length).potentials
    runs = np.array([simulate(network, X, length, seed=s).potentials for s in range(n_seeds)])
    error = runs.std(axis=0, ddof=1) / np.sqrt(n_seeds)
    assert (np.abs(runs.mean(axis=0) - exact) <= 5 * error + 1e-9).all()
    assert error.any()


@pytest.mark.parametrize("name", LAYERS)
def test_bits_and_real_numbers_agree_if_every_value_is_0_or_1(short_blocks, name):
    layer = LAYERS[name]
    changed = {
        f: np.rint(w)
        for f in ("weights", "bias", "recurrent")
        if (w := getattr(layer, f, None)) is not None
    }
    same = {f: getattr(layer, f) for f in ("input_size", "stride", "padding") if hasattr(layer, f)}
    neuron = LIF(tau_mem=7.0, refractory_period=1, tau_syn=layer.neuron.tau_syn)
    certain = type(layer)(**changed, **same, gain=0.25, neuron=neuron, delay=layer.delay)
    x = RNG.integers(0, 2, (5, N_IN))
    bits, real = (
        simulate(Network([certain]), x, 150, seed=0),
        simulate_float(Network([certain]), x, 150),
    )
    assert bits.counts.any()
    assert np.array_equal(bits.counts, real.counts)
    assert np.allclose(bits.potentials, real.potentials, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["conv", "plain conv"])
def test_a_convolution_is_the_dense_layer_of_its_unrolled_matrix(name):
    layer = LAYERS[name]
    ours, theirs = (simulate_float(Network([a]), X, 250) for a in (layer, unrolled(layer)))
    assert ours.counts.any()
    assert np.array_equal(ours.counts, theirs.counts)
    assert np.allclose(ours.potentials, theirs.potentials)


def test_a_convolution_as_large_as_its_input_is_a_dense_layer_bit_for_bit():
    w, bias = weights(6, 2, 5, 4), weights(6)
    conv = Conv2d(w, (5, 4), 0.3, CUBA, bias=bias, delay=DELAYS)
    dense = Dense(w.reshape(6, -1), 0.3, CUBA, bias=bias, delay=DELAYS)
    a, b = (simulate(Network([layer]), X, 200, seed=2, record=True) for layer in (conv, dense))
    assert a.spikes[0] == b.spikes[0]
    assert a.counts.any()


def test_a_bias_is_a_weight_of_an_input_that_is_always_on():
    layer = LAYERS["bias"]
    wider = Dense(np.column_stack([layer.weights, layer.bias]), layer.gain, layer.neuron)
    x = np.column_stack([X, np.ones(len(X))])
    a = simulate(Network([layer]), X, 130, seed=4, record=True)
    assert a.spikes[0] == simulate(Network([wider]), x, 130, seed=4, record=True).spikes[0]


def test_recurrent_weights_of_zero_change_nothing(short_blocks):
    layer = Dense(weights(7, N_IN), 0.3, NOISY, bias=weights(7), delay=2)
    silent = Dense(layer.weights, 0.3, NOISY, bias=layer.bias, recurrent=np.zeros((7, 7)), delay=2)
    for source in (Bernoulli(), LFSR(9)):
        a, b = (
            simulate(Network([la]), X, 200, seed=2, source=source, record=True)
            for la in (layer, silent)
        )
        assert a.spikes[0] == b.spikes[0]
        assert np.array_equal(a.potentials, b.potentials)


def test_a_spike_reaches_its_receivers_one_step_later():
    # A ring of neurons without memory passes a spike on; the first input starts it at step 2.
    ring = np.roll(np.eye(5), 1, axis=0)
    start = np.zeros((5, 1))
    start[0] = 1
    layer = Dense(start, 1.0, LIF(tau_mem=1.0), recurrent=ring, delay=2)
    x = Bitstream.from_bits(np.eye(1, 100, dtype=np.uint8)[np.newaxis])
    spikes = simulate(Network([layer]), x, seed=0, record=True).spikes[0].bits()[0]
    expected = (np.arange(100) - 2) % 5 == np.arange(5)[:, np.newaxis]
    assert np.array_equal(spikes, expected & (np.arange(100) >= 2))


def test_the_neurons_of_a_convolution_have_noise_of_their_own():
    layer = Conv2d(np.zeros((2, 1, 1, 1)), (3, 3), neuron=LIF(tau_mem=1.0, noise_std=1.0))
    trains = simulate(Network([layer]), np.zeros((2, 9)), 4000, seed=1, record=True).spikes[0].bits()
    assert np.array_equal(trains[0], trains[1])
    assert np.abs(np.corrcoef(trains[0]) - np.eye(18)).max() < 5 / np.sqrt(4000)


def test_the_class_has_the_most_spikes_then_the_highest_potential_then_the_lowest_index():
    counts = np.array([[1, 3, 3, 0], [0, 0, 0, 0], [2, 2, 2, 2]])
    potentials = np.array([[9, 0.1, 0.2, 9], [-3, -1, -2, -1], [0, 0, 0, 0]])
    assert Simulation(counts, potentials, 5, 0).classes.tolist() == [2, 1, 0]
    assert Simulation(counts[0], potentials[0], 5, 0).classes == 2


def test_a_readout_that_never_fires_classifies_by_its_potentials():
    network = Network([Dense(np.eye(4), 1.0, READOUT)])
    x = np.full((4, 4), 0.4) + 0.3 * np.eye(4)
    assert simulate(network, x, 500, seed=1).classes.tolist() == [0, 1, 2, 3]
    (row,) = evaluate(network, x, [0, 1, 2, 3], [500])
    assert row.mean == row.of_float == 1.0


def test_saving_and_loading_returns_every_layer(tmp_path):
    path = tmp_path / "network.npz"
    NETWORK.save(path)
    loaded = Network.load(path)
    copied = copy.deepcopy(NETWORK)
    pickled = pickle.loads(pickle.dumps(NETWORK))
    whole = simulate(NETWORK, X, 130, seed=5)
    for again in (loaded, copied, pickled):
        assert repr(again) == repr(NETWORK)
        for a, b in zip(again.layers, NETWORK.layers, strict=True):
            assert (type(a), a.gain, a.neuron) == (type(b), b.gain, b.neuron)
            for name in ("weights", "bias", "recurrent"):
                ours, theirs = getattr(a, name, None), getattr(b, name, None)
                assert (ours is None) == (theirs is None)
                assert ours is None or (np.array_equal(ours, theirs) and not ours.flags.writeable)
            assert np.array_equal(a.delay, b.delay)
        assert np.array_equal(simulate(again, X, 130, seed=5).potentials, whole.potentials)


def test_files_of_version_1_are_read(tmp_path):
    w, neuron = weights(3, 2), {"tau_mem": 5.0, "refractory_period": 2}
    old = {
        "v_rest": 0.0, "v_reset": 0.0, "v_threshold": 1.0, "tau_mem": 5.0, "dt": 1.0, "noise_std": 0.0,
        "resistance": 1.0, "refractory_period": 2,
    }  # fmt: skip
    header = {"format": "sc-neurocore network", "version": 1, "layers": [{"gain": 0.4, "neuron": old}]}
    np.savez_compressed(tmp_path / "old.npz", header=np.array(json.dumps(header)), weights_0=w)
    (layer,) = Network.load(tmp_path / "old.npz").layers
    assert repr(layer) == repr(Dense(w, 0.4, LIF(**neuron)))
    assert np.array_equal(layer.weights, w)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "Pool"}, "layer 0 is of an unknown kind, 'Pool'"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"extra": 1}, "extra"),
        ({"neuron": {"reset": "none"}}, "reset must be one of 'value', 'subtract', got 'none'"),
    ],
)
def test_a_file_with_an_invalid_layer_is_refused(tmp_path, changes, reason):
    path = tmp_path / "network.npz"
    Network([CONV]).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header["layers"][0] |= changes
    np.savez(path, **arrays | {"header": np.array(json.dumps(header))})
    with pytest.raises(ValueError, match="path must be a network saved by sc-neurocore") as error:
        Network.load(path)
    assert reason in str(error.value)


def test_the_noise_budget_includes_bias_and_delay():
    # Both are inputs: the wider network without them has the same budget.
    delays = np.array([0, 70, 200, 0, 1] * 8)
    layer = Dense(weights(7, N_IN), 0.3, PLAIN, bias=weights(7), delay=delays)
    length, n_seeds = 256, 400
    (budget,) = noise_budget(Network([layer]), X, length, seed=1)
    readout = Dense(layer.weights, 0.3, READOUT, bias=layer.bias, delay=delays)
    runs = [simulate(Network([readout]), X, length, seed=s).potentials for s in range(n_seeds)]
    exact = simulate_float(Network([readout]), X, length).potentials / length
    means = np.array(runs) / length
    assert budget.current_std == pytest.approx(exact.std())
    measured = np.sqrt(means.var(axis=0, ddof=1).mean())
    # Rows share their numbers: as if there were one row of 7 neurons.
    assert abs(measured / budget.standard_error - 1) <= 5 / np.sqrt(2 * n_seeds * 7)
    late_again = noise_budget(
        Network([layer]), encode(X, length, key=3, streams=np.arange(N_IN)), seed=1
    )
    assert late_again[0].current_std == pytest.approx(budget.current_std, rel=0.2)


def test_long_delays_take_no_more_memory_than_the_run():
    layer = Dense(weights(7, N_IN), 0.3, PLAIN, delay=2**38)
    assert not simulate(Network([layer]), X, 70, seed=1).counts.any()
    assert not simulate_float(Network([layer]), X, 70).counts.any()
