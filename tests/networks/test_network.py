import contextlib
import copy
import json
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import twins

from sc_neurocore import (
    LFSR,
    LIF,
    Bernoulli,
    Bitstream,
    Dense,
    Hammersley,
    Network,
    Permutation,
    Ramp,
    Role,
    Sobol,
    VanDerCorput,
    Weyl,
    encode,
    simulate,
    simulate_float,
    stream_key,
)

RNG = np.random.default_rng(0)


def network(noise_std=0.0, refractory_period=0):
    neuron = LIF(tau_mem=5.0, noise_std=noise_std, refractory_period=refractory_period)
    return Network(
        [
            Dense(RNG.uniform(-1, 1, (33, 20)), gain=0.3, neuron=neuron),
            Dense(RNG.uniform(-1, 1, (4, 33)), gain=0.4, neuron=LIF(tau_mem=10.0)),
        ]
    )


NETWORK = network(noise_std=0.1, refractory_period=2)
X = RNG.random((6, 20)) * (RNG.random((6, 20)) < 0.7)


@pytest.fixture
def short_blocks(monkeypatch):
    """Blocks of three words of time, two of them made ahead."""
    monkeypatch.setattr("sc_neurocore.networks._bit_layers._SPIKE_WORDS", 3 * 6 * 33)
    monkeypatch.setattr("sc_neurocore.networks._bit_layers._KEPT_WORDS", 5 * 20 * 33)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("length", [1, 64, 100, 700])
def test_simulating_equals_the_twin_layer_after_layer(isa, threads, short_blocks, length, shared):
    streams = np.tile(np.arange(20, dtype=np.uint64), 6)
    thresholds = np.rint(X.ravel() * 2.0**32).astype(np.uint64)
    words = twins.encode(stream_key(7, Role.INPUT), streams, thresholds, 0, length)
    spikes = words.reshape(6, 20, -1)
    result = simulate(NETWORK, X, length, seed=7, share_weight_numbers=shared, record=True)
    for i, layer in enumerate(NETWORK.layers):
        weights = np.rint(layer.weights.T * 2.0**32).astype(np.int64)
        keys = stream_key(7, Role.WEIGHT, i), stream_key(7, Role.NOISE, i)
        shape = (6, layer.n_out)
        state = np.full(shape, layer.neuron.v_rest), np.zeros(shape, np.uint64), np.zeros(shape)
        train = twins.dense(
            layer.neuron.parameters[0],
            *keys,
            spikes,
            weights,
            None,
            shared,
            layer.gain,
            1,
            0,
            length,
            *state,
        )
        assert np.array_equal(result.spikes[i].bits(), train)
        spikes = twins.pack(train)
    assert np.array_equal(result.counts, train.sum(axis=-1))


SOURCES = [LFSR(9), Sobol(), Hammersley(8), VanDerCorput(3), Permutation(100)]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("source", SOURCES)
def test_inputs_and_the_weights_of_each_layer_have_a_sequence_of_their_own(
    isa, threads, short_blocks, source, shared
):
    length = 600
    of_inputs, *of_weights = source.sequences(3)
    x = encode(X, length, key=stream_key(7, Role.INPUT), source=of_inputs, streams=np.arange(20))
    spikes = x.words
    result = simulate(
        NETWORK, X, length, seed=7, source=source, share_weight_numbers=shared, record=True
    )
    for i, layer in enumerate(NETWORK.layers):
        weights = np.rint(layer.weights.T * 2.0**32).astype(np.int64)
        key = stream_key(7, Role.WEIGHT, i)
        neuron = np.arange(layer.n_out)[:, None] * (not shared)
        streams = (neuron << 32) + np.arange(layer.n_in)
        w = encode(np.abs(layer.weights), length, key=key, source=of_weights[i], streams=streams)
        keys = key, stream_key(7, Role.NOISE, i)
        shape = (6, layer.n_out)
        state = np.full(shape, layer.neuron.v_rest), np.zeros(shape, np.uint64), np.zeros(shape)
        train = twins.dense(
            layer.neuron.parameters[0], *keys, spikes, weights, w.words, shared, layer.gain, 1, 0,
            length, *state,
        )  # fmt: skip
        assert np.array_equal(result.spikes[i].bits(), train)
        assert train.any()
        spikes = twins.pack(train)


def test_weights_made_for_several_blocks_are_those_of_each_block(monkeypatch):
    whole = simulate(NETWORK, X, 3000, seed=3, source=Sobol(), record=True)
    monkeypatch.setattr("sc_neurocore.networks._bit_layers._KEPT_WORDS", 1000)
    monkeypatch.setattr("sc_neurocore.networks._bit_layers._SPIKE_WORDS", 1000)
    for ours, theirs in zip(
        simulate(NETWORK, X, 3000, seed=3, source=Sobol(), record=True).spikes,
        whole.spikes,
        strict=True,
    ):
        assert ours == theirs


def test_a_copy_of_a_layer_is_read_only_and_makes_its_own_codes():
    for copied in (copy.deepcopy(NETWORK), pickle.loads(pickle.dumps(NETWORK))):
        with pytest.raises(ValueError, match="read-only"):
            copied.layers[0].weights[0, 0] = 0.0
        assert np.array_equal(
            simulate(copied, X, 90, seed=3).counts, simulate(NETWORK, X, 90, seed=3).counts
        )


def test_a_source_of_two_sequences_is_for_one_layer():
    with pytest.raises(ValueError, match="3 independent sequences, got Weyl"):
        simulate(NETWORK, X, 256, seed=1, source=Weyl(256))
    simulate(Network(NETWORK.layers[:1]), X, 256, seed=1, source=Weyl(256))


@pytest.mark.parametrize("source", [Bernoulli(), Sobol(), Hammersley, LFSR(16)], ids=str)
def test_the_rates_of_all_layers_gain_precision_with_length(source):
    # Time steps of different inputs are independent, and so are spikes and weights: the spread of
    # rates over seeds halves with four times the length, in the second layer as in the first.
    quiet = network()
    spread = {}
    for length in (256, 4096):
        at = source.for_length(length) if isinstance(source, type) else source
        runs = [simulate(quiet, X[0], length, seed=s, source=at, record=True) for s in range(30)]
        for i in range(2):
            rates = np.array([run.spikes[i].probability() for run in runs])
            spread[i, length] = np.sqrt(rates.var(axis=0).mean())
    for i in range(2):
        assert spread[i, 4096] < 0.4 * spread[i, 256]


@pytest.mark.parametrize("source", [Bernoulli(), Hammersley(7), (Ramp(128), VanDerCorput(), Sobol(4))])
def test_a_row_does_not_depend_on_its_batch(source):
    together = simulate(NETWORK, X, 130, seed=3, source=source, record=True)
    for b in range(len(X)):
        alone = simulate(NETWORK, X[b], 130, seed=3, source=source, record=True)
        assert np.array_equal(alone.counts, together.counts[b])
        for one, all_ in zip(alone.spikes, together.spikes, strict=True):
            assert one == all_[b]


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    long = simulate(NETWORK, X, 600, seed=3, record=True).spikes
    short = simulate(NETWORK, X, 77, seed=3, record=True).spikes
    for a, b in zip(short, long, strict=True):
        assert np.array_equal(a.bits(), b.bits()[..., :77])


def test_packed_inputs_and_densities_are_the_same():
    streams = encode(X, 90, key=stream_key(5, Role.INPUT), streams=np.arange(20))
    assert np.array_equal(
        simulate(NETWORK, streams, seed=5).counts, simulate(NETWORK, X, 90, seed=5).counts
    )


def test_layers_compose_through_their_spikes():
    whole = simulate(NETWORK, X, 200, seed=9, record=True)
    first = simulate(Network(NETWORK.layers[:1]), X, 200, seed=9, record=True)
    assert first.spikes[0] == whole.spikes[0]
    assert first.spikes[0].counts().any()


def test_a_seed_repeats_a_run_and_a_drawn_seed_is_returned():
    drawn = simulate(NETWORK, X, 64)
    assert np.array_equal(simulate(NETWORK, X, 64, seed=drawn.seed).counts, drawn.counts)
    assert simulate(NETWORK, X, 64).seed != drawn.seed


def test_the_mean_current_is_gain_times_signed_products():
    # An integrator with a negligible leak counts its current: spikes = floor(sum I), up to resets.
    w, x, length = np.array([[0.7, -0.4, 0.9]]), np.array([0.5, 0.8, 0.6]), 2**18
    gain, mean = 0.01, 0.7 * 0.5 - 0.4 * 0.8 + 0.9 * 0.6
    z = np.abs(w[0]) * x
    neuron = LIF(tau_mem=1e9)
    count = simulate(Network([Dense(w, gain, neuron)]), x, length, seed=1).counts[0]
    sigma = gain * np.sqrt(length * (z * (1 - z)).sum())
    # Each reset loses at most gain * 2 ones.
    assert abs(count - gain * mean * length) <= 5 * sigma + 2 * gain * count + 1


def test_float_and_bits_agree_if_every_value_is_0_or_1():
    weights = [RNG.choice([-1.0, 0.0, 1.0], s) for s in ((30, 20), (5, 30))]
    layers = [Dense(w, gain=0.21, neuron=LIF(tau_mem=7.0, refractory_period=1)) for w in weights]
    x = RNG.integers(0, 2, (9, 20))
    certain = Network(layers)
    bits, real = simulate(certain, x, 150, seed=0), simulate_float(certain, x, 150)
    assert bits.counts.any()
    assert np.array_equal(bits.counts, real.counts)


def test_the_class_is_the_first_of_the_outputs_with_the_most_spikes():
    result = simulate(Network([Dense([[0.0], [1.0], [1.0]])]), [[1.0]], 10, seed=0)
    assert result.counts.tolist() == [[0, 10, 10]]
    assert result.classes.tolist() == [1]


def test_saving_and_loading_returns_the_network(tmp_path):
    path = tmp_path / "network.npz"
    NETWORK.save(path)
    loaded = Network.load(str(path))
    assert repr(loaded) == repr(NETWORK)
    for a, b in zip(loaded.layers, NETWORK.layers, strict=True):
        assert np.array_equal(a.weights, b.weights)
        assert (a.gain, a.neuron) == (b.gain, b.neuron)
    assert [p.name for p in tmp_path.iterdir()] == ["network.npz"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "network.npz"
    NETWORK.save(path)
    before = path.read_bytes()

    def full(file, **_):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="no space left"):
        NETWORK.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["network.npz"]


def rewritten(path, **changes):
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header |= {k: v for k, v in changes.items() if k in header}
    arrays["header"] = np.array(json.dumps(header))
    arrays |= {k: v for k, v in changes.items() if k not in header}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-40]), "not an .npz file, or truncated"),
        (lambda p: p.write_text("hello"), "not an .npz file"),
        (lambda p: p.write_bytes(b""), "not an .npz file"),
        (lambda p: p.write_bytes(_flip(p.read_bytes())), ""),
        (lambda p: np.savez(p, a=np.zeros(3)), "header"),
        (lambda p: np.savez(p, header=np.array("{")), ""),
        (lambda p: np.savez(p, header=np.array("[]")), ""),
        (lambda p: rewritten(p, format="other"), "its format is 'other'"),
        (lambda p: rewritten(p, version=5), "its version is 5, this release reads 1 to 4"),
        (lambda p: rewritten(p, weights_1=None), "weights_1"),
        (lambda p: rewritten(p, weights_0=np.full((33, 20), np.nan)), "weights must be finite"),
        (lambda p: rewritten(p, weights_0=np.array([object()])), ""),
        (lambda p: rewritten(p, weights_0=np.zeros((32, 20))), "layer 1 takes 33 inputs"),
        (lambda p: rewritten(p, layers=[{"gain": 1.0, "neuron": {"tau": 3}}]), "tau"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path, damage, reason):
    path = tmp_path / "network.npz"
    NETWORK.save(path)
    damage(path)
    with pytest.raises(ValueError, match="path must be a network saved by sc-neurocore") as error:
        Network.load(path) and pytest.fail("loaded")
    assert reason in str(error.value)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Network.load(tmp_path / "none.npz")


def test_recorded_spikes_are_bitstreams_of_every_layer():
    spikes = simulate(NETWORK, X, 65, seed=1, record=True).spikes
    assert [s.shape for s in spikes] == [(6, 33), (6, 4)]
    assert all(isinstance(s, Bitstream) and s.length == 65 for s in spikes)
    assert simulate(NETWORK, X, 65, seed=1).spikes == ()


def _flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes(b ^ 0xFF for b in data[middle : middle + 64]) + data[middle + 64 :]


FULL = Network(
    [Dense([[0.9, -0.4], [0.3, 0.8]], 0.5, bias=[0.1, 0.2], recurrent=[[0.5, 0], [0, 1]], delay=[1, 2])]
)


def test_no_flipped_bit_of_a_file_loads_another_network(tmp_path):
    FULL.save(tmp_path / "whole.npz")
    whole, path, others = (tmp_path / "whole.npz").read_bytes(), tmp_path / "flipped.npz", []
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        with contextlib.suppress(ValueError):
            if Network.load(path) != FULL:
                others.append(position)
    assert others == []


@pytest.mark.parametrize("name", ["weights_0", "weights_0.npy", "header"])
def test_a_second_array_of_one_name_is_refused(tmp_path, name):
    FULL.save(path := tmp_path / "network.npz")
    with zipfile.ZipFile(path, "a") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr(name, file.read("recurrent_0.npy"))
    with pytest.raises(ValueError, match="it holds two arrays of the name"):
        Network.load(path)


@pytest.mark.parametrize("name", ["bias_1", "bhas_0", "junk"])
@pytest.mark.parametrize("version", [2, 3])
def test_an_unknown_array_is_refused(tmp_path, name, version):
    FULL.save(path := tmp_path / "network.npz")
    rewritten(path, version=version, **{name: np.ones(2)})
    with pytest.raises(ValueError, match=f"it holds unknown arrays, {name}"):
        Network.load(path)


@pytest.mark.parametrize("name", ["weights_0", "bias_0", "recurrent_0", "delay_0"])
def test_a_missing_array_is_refused(tmp_path, name):
    FULL.save(path := tmp_path / "network.npz")
    rewritten(path, **{name: None})
    with pytest.raises(ValueError, match=f"it lacks {name}"):
        Network.load(path)


@pytest.mark.parametrize("version", [True, 0, -1, 1.0, 2.5, "2", None])
def test_a_version_that_is_none_is_refused(tmp_path, version):
    FULL.save(path := tmp_path / "network.npz")
    rewritten(path, version=version)
    with pytest.raises(ValueError, match=f"its version is {version!r}, this release reads 1 to 4"):
        Network.load(path)


@pytest.mark.parametrize("extra", [{"extra": 1}, {"outputs": [0]}, {"connections": [["input"]]}])
def test_a_header_with_other_keys_is_refused(tmp_path, extra):
    FULL.save(path := tmp_path / "network.npz")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["header"] = np.array(json.dumps(json.loads(str(arrays["header"])) | extra))
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f"its header has the keys {next(iter(extra))}"):
        Network.load(path)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ["kind", "gain", "neuron", "tau_mem", "reset", "arrays"])
def test_a_layer_with_a_missing_field_is_refused(tmp_path, name, version):
    FULL.save(path := tmp_path / "network.npz")
    with np.load(path) as file:
        (entry,) = json.loads(str(file["header"]))["layers"]
    del (entry if name in entry else entry["neuron"])[name]
    rewritten(path, version=version, layers=[entry])
    if (name, version) == ("arrays", 2):
        assert Network.load(path) == FULL
        return
    with pytest.raises(ValueError, match=name):
        Network.load(path)
