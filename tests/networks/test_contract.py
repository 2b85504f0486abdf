"""The contract of layers and networks: shapes, equality, sequences, and one delay for all."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import LIF, Bitstream, Conv2d, Dense, FixedPoint, Network, Sobol, encode, simulate
from sc_neurocore.networks._delays import DelayLine
from sc_neurocore.networks._inputs import checked_densities, with_always_on
from sc_neurocore.networks.prepared import PreparedNetwork
from sc_neurocore.streams._bits import delayed

RNG = np.random.default_rng(1)
DENSE = Dense(RNG.uniform(-1, 1, (6, 24)), 0.3, LIF(tau_mem=5.0), bias=RNG.uniform(-1, 1, 6))
CONV = Conv2d(RNG.uniform(-1, 1, (3, 2, 2, 3)), (4, 3), 0.4, padding=1, bias=RNG.uniform(-1, 1, 3))
OUT = Dense(RNG.uniform(-1, 1, (4, 6)), 0.5, recurrent=RNG.uniform(-1, 1, (4, 4)), delay=2)
NETWORK = Network([DENSE, OUT, replace(OUT, weights=RNG.uniform(-1, 1, (4, 4)))])


@pytest.mark.parametrize("layer", [DENSE, CONV, OUT], ids=["dense", "conv", "out"])
def test_a_layer_has_the_shapes_of_its_contract(layer):
    n_rows, fan_in = layer.matrix.shape
    has_bias = layer.bias is not None
    assert n_rows * layer.positions == layer.n_out
    assert layer.codes.shape == (fan_in, n_rows)
    assert np.array_equal(layer.codes, np.rint(layer.matrix.T * 2.0**32))
    patches = layer.patches(np.ones((5, layer.n_in, 7)))
    assert patches.shape == (5 * layer.positions, fan_in - has_bias, 7)
    flat = layer.flatten(np.zeros((5 * layer.positions, n_rows, 7)))
    assert flat.shape == (5, layer.n_out, 7)
    assert layer.delays is None or layer.delays.shape == (layer.n_in,)


def test_a_layer_is_its_matrix_on_patches():
    x = RNG.random((5, CONV.n_in, 1))
    counts = CONV.flatten(CONV.matrix[:, :-1] @ CONV.patches(x) + CONV.matrix[:, -1:])
    image = np.pad(x.reshape(5, 2, 4, 3), ((0, 0), (0, 0), (1, 1), (1, 1)))
    (rows, columns), (kh, kw) = CONV.output_size, CONV.weights.shape[2:]
    direct = [
        [
            (image[:, :, r : r + kh, c : c + kw][:, None] * CONV.weights).sum((2, 3, 4))
            for c in range(columns)
        ]
        for r in range(rows)
    ]
    expected = np.moveaxis(np.array(direct), (0, 1), (2, 3)) + CONV.bias[:, None, None]
    assert np.allclose(counts.reshape(5, 3, rows, columns), expected)


CHANGES = {
    "weights": DENSE.weights * 0.5,
    "gain": 0.31,
    "neuron": LIF(tau_mem=6.0),
    "bias": None,
    "recurrent": np.zeros((6, 6)),
    "delay": 1,
}


def test_layers_are_equal_if_all_their_parameters_are():
    for layer in (DENSE, CONV, OUT):
        for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), replace(layer)):
            assert layer == same
    for name, value in CHANGES.items():
        assert replace(DENSE, **{name: value}) != DENSE, name
    for name, value in {"stride": 2, "padding": 2, "input_size": (3, 4), "bias": None}.items():
        assert replace(CONV, **{name: value}) != CONV, name
    assert DENSE != CONV
    assert DENSE != "Dense"
    assert replace(DENSE, delay=2) == replace(DENSE, delay=[2] * 24)


def test_networks_are_equal_if_their_layers_are():
    assert copy.deepcopy(NETWORK) == NETWORK
    assert NETWORK[:2] != NETWORK
    assert Network([replace(DENSE, gain=1.0), *NETWORK[1:]]) != NETWORK
    assert list(NETWORK) != NETWORK
    for unhashable in (NETWORK, DENSE, CONV):
        with pytest.raises(TypeError, match="unhashable"):
            hash(unhashable)


def test_a_network_is_a_sequence_of_layers():
    assert len(NETWORK) == 3
    assert list(NETWORK) == list(NETWORK.layers)
    assert NETWORK[0] is DENSE
    assert NETWORK[np.int64(-1)] is NETWORK.layers[2]
    assert NETWORK[1:] == Network(NETWORK.layers[1:])
    assert isinstance(NETWORK[:1], Network)
    with pytest.raises(IndexError):
        NETWORK[3]
    with pytest.raises(TypeError):
        NETWORK[1.0]
    with pytest.raises(ValueError, match="layers must hold at least one layer"):
        NETWORK[3:]


def late(x, delays):
    out = np.zeros_like(x)
    for i, steps in enumerate(delays):
        out[:, i, steps:] = x[:, i, : max(x.shape[-1] - steps, 0)]
    return out


DELAYS = np.array([0, 1, 63, 64, 65, 127, 128, 199, 200, 201, 10**9])


@pytest.mark.parametrize("block", [1, 7, 64, 100, 128, 256])
@pytest.mark.parametrize("packed", [True, False])
def test_a_delay_line_is_a_shift_in_time_block_by_block(block, packed):
    x = RNG.integers(0, 2, (3, len(DELAYS), 200)).astype(np.uint8)
    line, parts = DelayLine(DELAYS, 3, packed=packed), []
    for first in range(0, 200, block):
        part = x[..., first : first + block]
        steps = part.shape[-1]
        if packed:
            words = Bitstream.from_bits(part).words
            parts.append(Bitstream(line.delayed_words(words, steps), steps).bits())
            line.keep_words(words, steps)
        else:
            parts.append(line.delayed_reals(part.astype(float)))
            line.keep_reals(part.astype(float))
    assert np.array_equal(np.concatenate(parts, axis=-1), late(x, DELAYS))


def test_packed_streams_are_delayed_by_one_number_or_one_each():
    x = RNG.integers(0, 2, (3, len(DELAYS), 200)).astype(np.uint8)
    words = Bitstream.from_bits(x).words
    assert np.array_equal(Bitstream(delayed(words, DELAYS, 200), 200).bits(), late(x, DELAYS))
    for steps in DELAYS.tolist():
        ours = Bitstream(delayed(words, steps, 200), 200).bits()
        assert np.array_equal(ours, late(x, [steps] * len(DELAYS)))


def test_the_input_of_a_bias_comes_last_and_is_always_on():
    x = encode(np.full((2, 3), 0.5), 100, key=1)
    wider = Bitstream(with_always_on(x.words, 100), 100)
    assert wider.shape == (2, 4)
    assert wider[:, :3] == x
    assert wider[:, 3].bits().all()


def test_the_check_of_inputs_names_the_argument_of_the_caller():
    assert checked_densities("data", [[0.5, 1.0]], None, ndims=[2]).tolist() == [[0.5, 1.0]]
    for values, n_in, message in (
        ([[0.5]], 2, r"images must have shape \(2,\) or \(batch, 2\), got \(1, 1\)"),
        ([], None, r"images must hold at least one input, got shape \(0,\)"),
        ([1.5], 1, "images must lie in"),
    ):
        with pytest.raises(ValueError, match=message):
            checked_densities("images", values, n_in)


@pytest.mark.parametrize("fixed_point", [None, FixedPoint(bits=4)])
def test_a_prepared_network_simulates_any_number_of_inputs(fixed_point):
    net = Network([DENSE])
    fixed = None if fixed_point is None else fixed_point.of(net)
    prepared = PreparedNetwork.of(fixed or net, seed=3, source=Sobol())
    for rows, length in ((1, 70), (4, 200), (4, 70)):
        x = RNG.random((rows, 24))
        ours = prepared.run(x, length, record=True)
        same = simulate(net, x, length, seed=3, source=Sobol(), fixed_point=fixed_point, record=True)
        assert ours.spikes == same.spikes
        assert np.array_equal(ours.potentials, same.potentials)
        assert ours.seed == 3


def test_a_network_in_fixed_point_keeps_its_formats_and_its_rounded_weights():
    fixed_point = FixedPoint(bits=3)
    fixed = fixed_point.of(Network([DENSE]))
    assert fixed.fixed_point == fixed_point
    assert fixed.network == Network(
        [
            replace(
                DENSE, weights=fixed_point.rounded(DENSE.weights), bias=fixed_point.rounded(DENSE.bias)
            )
        ]
    )
    assert len(fixed.neurons) == 1
    assert fixed_point.codes(np.array([-1.0, -0.5, 0.07, 1.0])).tolist() == [-7, -4, 1, 7]
    with pytest.raises(
        TypeError,
        match="network must be a Network, got 1",
    ):
        fixed_point.of(1)
