"""NIR: imported networks follow their equations, and exported ones survive a round trip."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_oracle import run_graph, run_network
from torch import nn

from sc_neurocore import LIF, Bitstream, Conv2d, Dense, Network, noise_budget, simulate, simulate_float
from sc_neurocore._files import DAMAGED
from sc_neurocore.exchange.nir import Imported, from_nir, to_nir

T = 300
DT = 0.1


def uniform(rng, *shape, low=-1.0):
    return rng.uniform(low, 1.0, shape)


def bits_for(network, seed=0, steps=T, p=0.4):
    return (np.random.default_rng(seed).random((steps, network.n_in)) < p).astype(int)


def layers(seed, kind=""):
    """Networks with every kind of layer and neuron, all of which fire."""
    rng = np.random.default_rng(seed)
    lif = LIF(tau_mem=2.5, dt=DT, resistance=3.0)
    dense = Dense(uniform(rng, 8, 6, low=-0.3), 0.9, lif)
    image = Conv2d(
        uniform(rng, 3, 2, 3, 3, low=-0.4), (6, 5), 0.8, lif, bias=uniform(rng, 3), stride=2, padding=1
    )
    cuba = LIF(tau_mem=3.0, tau_syn=1.0, dt=DT, resistance=1.0)
    wide = Dense(uniform(rng, 4, 27, low=-0.3), 0.5, lif)
    kinds = {
        "lif": [dense, Dense(uniform(rng, 4, 8, low=-0.2), 0.7, replace(lif, v_reset=-0.2))],
        "bias": [replace(dense, bias=uniform(rng, 8))],
        "rest": [replace(dense, neuron=replace(lif, v_rest=0.2, v_reset=-0.1, v_threshold=0.8))],
        "if": [replace(dense, neuron=replace(lif, tau_mem=math.inf, resistance=0.4, v_rest=-0.3))],
        "cuba": [replace(dense, neuron=cuba)],
        "recurrent": [replace(dense, recurrent=uniform(rng, 8, 8), bias=uniform(rng, 8))],
        "recurrent cuba": [replace(dense, neuron=cuba, recurrent=uniform(rng, 8, 8))],
        "delay": [
            replace(dense, delay=rng.integers(0, 9, 6)),
            Dense(uniform(rng, 3, 8), delay=4, neuron=lif),
        ],
        "conv": [image, wide],
        "conv conv": [image, Conv2d(uniform(rng, 2, 3, 2, 3, low=-0.3), (3, 3), 0.7, lif)],
        "li": [dense, Dense(uniform(rng, 4, 8), 0.7, replace(lif, v_threshold=math.inf, v_rest=0.1))],
        "i": [
            dense,
            Dense(uniform(rng, 4, 8), 0.7, replace(lif, v_threshold=math.inf, tau_mem=math.inf)),
        ],
        "cuba li": [dense, Dense(uniform(rng, 4, 8), 0.7, replace(cuba, v_threshold=math.inf))],
    }
    return kinds[kind] if kind else kinds


KINDS = list(layers(0))


def assert_equal(a, b):
    assert len(a.layers) == len(b.layers)
    for x, y in zip(a.layers, b.layers, strict=True):
        assert type(x) is type(y)
        assert x.neuron == y.neuron
        assert np.array_equal(x.gain, y.gain)
        assert np.array_equal(x.delay, y.delay) or np.all(np.asarray(x.delay) == y.delay)
        for name in ("weights", "bias", "recurrent"):
            ours, theirs = getattr(x, name, None), getattr(y, name, None)
            assert (ours is None) == (theirs is None), name
            if ours is not None:
                np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-16)
        for name in ("input_size", "stride", "padding"):
            assert getattr(x, name, None) == getattr(y, name, None)


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_restored_from_its_file(tmp_path, kind, canonical):
    network = Network(layers(1, kind))
    graph = to_nir(network, tmp_path / "a.nir", canonical=canonical)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nir"]
    for given_ in (graph, tmp_path / "a.nir", str(tmp_path / "a.nir")):
        imported = from_nir(given_)
        assert isinstance(imported, Imported)
        assert {row.status for row in imported.report.rows} == {"faithful"}
        assert_equal(imported.network, network)
    assert_equal(from_nir(graph, dt_ms=DT).network, network)


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_runs_by_the_equations_of_nir_as_the_network_does(kind, canonical):
    network = Network(layers(2, kind))
    bits = bits_for(network)
    outputs = run_graph(to_nir(network, canonical=canonical), bits, DT)
    spikes, potentials = run_network(network, bits)
    last = network.layers[-1].neuron
    if math.isinf(last.v_threshold):
        shift = last.v_rest if canonical or math.isinf(last.tau_mem) else 0.0
        np.testing.assert_allclose(outputs[-1] + shift, potentials, rtol=1e-9)
    else:
        assert 0 < spikes.sum() < spikes.size
        assert np.array_equal(outputs, spikes)


def test_parameters_that_nir_lacks_are_restored_from_metadata():
    neuron = LIF(0.1, -0.2, 1.5, 7.0, 0.5, 0.03, 0.7, 4, 3.0, "subtract")
    network = Network([Dense([[0.5, -0.25]], 3.0, neuron, delay=[0, 2])])
    assert_equal(from_nir(to_nir(network)).network, network)


def test_a_file_records_the_version_that_wrote_it(tmp_path):
    import sc_neurocore

    to_nir(Network([Dense([[1.0]])]), tmp_path / "a.nir")
    metadata = nir.read(tmp_path / "a.nir").metadata
    assert json.loads(metadata["sc_neurocore"]) == {"version": sc_neurocore.__version__}


def test_metadata_of_an_edited_neuron_are_not_used():
    graph = to_nir(Network([Dense([[1.0]], neuron=LIF(tau_mem=10.0, refractory_period=3))]))
    graph.nodes["layer0_1_lif"].tau = np.array([0.02])
    imported = from_nir(graph)
    assert imported.network.layers[0].neuron == LIF(tau_mem=20.0, resistance=1 / 20)
    said = "its metadata belong to other fields and were not used"
    assert imported.report.rows[2].why == f"layer 0; {said}"


def test_edited_weights_are_read_as_edited():
    graph = to_nir(Network([Dense([[1.0, 0.5]], gain=0.5, neuron=LIF(refractory_period=3))]))
    graph.nodes["layer0_0_linear"].weight *= 4
    (layer,) = from_nir(graph).network.layers
    assert (layer.neuron.refractory_period, layer.gain) == (3, 2.0)
    np.testing.assert_allclose(layer.weights, [[1.0, 0.5]], rtol=1e-15)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.nir"
    to_nir(Network([Dense([[1.0]])]), path)
    before = path.read_bytes()

    def full(file, graph):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(nir, "write", full)
    with pytest.raises(OSError, match="no space left"):
        to_nir(Network([Dense([[0.5]])]), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nir"]


def test_the_canonical_form_has_no_leak_voltage_and_an_r_of_one():
    network = Network([Dense([[0.5]], 2.0, LIF(0.25, 0.0, 1.0, 5.0, 0.5, resistance=0.3))])
    lif = to_nir(network).nodes["layer0_1_lif"]
    assert (lif.r, lif.v_leak, lif.v_threshold, lif.v_reset, lif.tau) == (1, 0, 0.75, -0.25, 0.005)
    assert to_nir(network).nodes["layer0_0_linear"].weight == 0.5 * 2.0 * 0.3 * 5.0
    as_it_is = to_nir(network, canonical=False).nodes
    assert (as_it_is["layer0_1_lif"].r, as_it_is["layer0_1_lif"].v_leak) == (0.3 * 5.0, 0.25)
    assert as_it_is["layer0_0_linear"].weight == 1.0


# Graphs from other packages


def graph_of(*nodes, shape):
    """A chain whose nodes are stored in another order than that of its signal."""
    named = {f"{len(nodes) - i}_{type(node).__name__}": node for i, node in enumerate(nodes)}
    names = ["source", *named, "end"]
    ends = {"source": nir.Input(np.array(shape)), "end": nir.Output(None)}
    whole = dict(sorted((ends | named).items()))
    return nir.NIRGraph(whole, list(pairwise(names)), type_check=False)


def lif(n, tau=2.5e-3, r=1.0, v_leak=0.0, v_threshold=0.1, v_reset=0.0):
    one = np.ones(n)
    return nir.LIF(tau * one, r * one, v_leak * one, v_threshold * one, v_reset * one)


def integrate_and_fire(n, r=1000.0, v_threshold=1.0, v_reset=0.0):
    one = np.ones(n)
    return nir.IF(r * one, v_threshold * one, v_reset * one)


def check(graph, seed=3, steps=T, p=0.4, fires=True):
    imported = from_nir(graph, dt_ms=DT)
    assert {row.status for row in imported.report.rows} == {"faithful"}
    assert len(imported.report.rows) == len(graph.nodes)
    bits = bits_for(imported.network, seed, steps, p)
    spikes, _ = run_network(imported.network, bits)
    if fires:
        assert 0 < spikes.sum() < spikes.size
    assert np.array_equal(run_graph(graph, bits, DT), spikes)
    return imported.network


def test_a_lif_is_read_in_seconds():
    (layer,) = check(graph_of(nir.Linear(np.array([[0.7, -0.4]])), lif(1, r=2.0), shape=[2])).layers
    assert layer.neuron == LIF(tau_mem=2.5, dt=DT, v_threshold=0.1, resistance=0.8)
    assert layer.gain == 0.7


R = np.random.default_rng(11)
W34, W44, B4 = R.uniform(-0.4, 1, (4, 3)), R.uniform(-1, 1, (4, 4)), R.uniform(-0.2, 0.4, 4)
ONE4 = np.ones(4)
VECTORS = {
    "affine": [nir.Affine(W34, B4), lif(4)],
    "weights of any range": [nir.Linear(W34 * 1e6), lif(4, v_threshold=3e5)],
    "two maps": [nir.Affine(W34, B4), nir.Linear(W44), nir.Scale(B4 + 1), lif(4)],
    "scale first": [nir.Scale(np.array([2.0, -1.0, 0.5])), nir.Linear(W34), lif(4)],
    "no weights": [lif(3, v_threshold=0.03)],
    "if": [nir.Linear(W34), integrate_and_fire(4)],
    "if of several r": [nir.Linear(W34), integrate_and_fire(4, r=np.array([900.0, 1e3, 2e3, 3e3]))],
    "if of several thresholds": [nir.Affine(W34, B4), integrate_and_fire(4, v_threshold=1 + abs(B4))],
    "voltages": [nir.Affine(W34, B4), lif(4, v_leak=0.03, v_reset=-0.05)],
    "several r": [nir.Affine(W34, B4), lif(4, r=np.array([1.0, 2.0, -1.0, 0.7]))],
    "several thresholds": [nir.Affine(W34, B4), lif(4, v_threshold=np.array([0.1, 0.2, 0.05, 0.3]))],
    "several leaks": [
        nir.Affine(W34, B4),
        lif(4, v_leak=np.array([0.0, 0.1, -0.1, 0.2]), v_threshold=np.array([0.1, 0.2, 0.0, 0.3]),
            v_reset=np.array([0.0, 0.1, -0.1, 0.2])),
    ],
    "cuba": [
        nir.Affine(W34, B4),
        nir.CubaLIF(5e-4 * ONE4, 2e-3 * ONE4, 3 * ONE4, 0.02 * ONE4, 0.9 * ONE4, 0 * ONE4, 0.8 * ONE4),
    ],
    "cuba of several w_in": [
        nir.Affine(W34, B4),
        nir.CubaLIF(5e-4 * ONE4, 2e-3 * ONE4, 1 + abs(B4), 0 * ONE4, 0.2 + abs(B4), 0 * ONE4, 1 + B4),
    ],
    "delays": [nir.Delay(np.array([0.0, 3.0, 11.0]) * DT / 1000), nir.Linear(W34), lif(4)],
    "two delays": [
        nir.Delay(np.array([0.0, 3.0, 11.0]) * DT / 1000),
        nir.Scale(np.array([1.0, 2.0, 1.5])),
        nir.Delay(2 * np.ones(3) * DT / 1000),
        nir.Linear(W34),
        lif(4),
    ],
    "a delay behind weights": [nir.Linear(W34), nir.Delay(5 * ONE4 * DT / 1000), lif(4)],
    "two layers": [nir.Affine(W34, B4), lif(4), nir.Linear(abs(W44)), lif(4)],
}  # fmt: skip


@pytest.mark.parametrize("kind", VECTORS)
def test_nodes_on_vectors_run_by_their_equations(kind):
    check(graph_of(*VECTORS[kind], shape=[3]))


K = R.uniform(-0.3, 1, (4, 2, 3, 3))
BIAS = R.uniform(-0.2, 0.4, 4)


def conv(weight=K, stride=1, padding=0, dilation=1, groups=1, bias=BIAS, input_shape=None):
    return nir.Conv2d(input_shape, weight, stride, padding, dilation, groups, bias)


def pool(kind, kernel, stride=None, padding=(0, 0)):
    return kind(np.array(kernel), np.array(stride or kernel), np.array(padding))


PAIR = R.uniform(-0.3, 1, (4, 1, 3, 3))
NEXT = R.uniform(-0.3, 1, (2, 4, 2, 2))
W8 = R.uniform(-0.3, 1, (5, 36))
FLAT = nir.Flatten(None, 0, -1)
IMAGES = {  # nodes on images of 2 x 7 x 6, and whether they end in a convolution
    "conv": ([conv()], True),
    "conv with its size": ([conv(input_shape=(7, 6))], True),
    "stride and padding": ([conv(stride=2, padding=1)], True),
    "oblong": ([conv(weight=K[:, :, :, :2], stride=(2, 2), padding=(1, 1))], True),
    "unlike stride": ([conv(stride=(2, 1), padding=(1, 0))], False),
    "dilation": ([conv(dilation=2, padding=1)], True),
    "groups": ([conv(weight=PAIR, groups=2)], True),
    "same": ([conv(padding="same")], True),
    "same of even kernels": ([conv(weight=K[:, :, :2, :2], padding="same")], True),
    "valid": ([conv(padding="valid")], True),
    "avg pool before": ([pool(nir.AvgPool2d, (2, 2)), conv(weight=K[:, :, :2, :2])], True),
    "avg pool before padding": (
        [pool(nir.AvgPool2d, (1, 2)), conv(weight=K[:, :, :2, :2], padding=1)], False),
    "sum pool before padding": ([pool(nir.SumPool2d, (2, 2)), conv(padding=1)], False),
    "pool with its own stride": (
        [pool(nir.SumPool2d, (3, 3), (1, 1)), conv(weight=K[:, :, :2, :2])], True),
    "pool with padding": ([pool(nir.SumPool2d, (2, 2), (1, 1), (1, 1)), conv()], True),
    "pool behind": ([conv(), pool(nir.AvgPool2d, (2, 2))], True),
    "two convs": ([conv(bias=BIAS - 1), conv(weight=NEXT, bias=BIAS[:2])], True),
    "two convs and padding": ([conv(padding=1), conv(weight=NEXT, bias=BIAS[:2], padding=1)], False),
    "scale of channels": ([nir.Scale(np.array([[[0.5]], [[-2.0]]])), conv()], True),
    "scale of pixels": ([nir.Scale(R.uniform(-1, 1, (2, 7, 6))), conv()], False),
    "no weights": ([], True),
}  # fmt: skip


@pytest.mark.parametrize("kind", IMAGES)
def test_nodes_on_images_run_by_their_equations(kind):
    nodes, stays = IMAGES[kind]
    one = np.array([1.0])
    neurons = nir.LIF(2.5e-3 * one, one, 0 * one, 0.03 * one, 0 * one)
    graph = graph_of(*nodes, neurons, shape=[2, 7, 6])
    network = check(graph)
    assert isinstance(network.layers[0], Conv2d if stays else Dense)


def test_neurons_that_differ_by_channel_keep_the_convolution():
    by_channel = np.linspace(0.5, 1.5, 4)[:, np.newaxis, np.newaxis]
    for r, stays in ((by_channel, True), (R.uniform(0.5, 1.5, (4, 5, 4)), False)):
        one = np.ones(r.shape)
        neurons = nir.LIF(2.5e-3 * one, r * one, 0 * one, 0.13 * r, 0 * one)
        network = check(graph_of(conv(), neurons, shape=[2, 7, 6]))
        assert isinstance(network.layers[0], Conv2d if stays else Dense)


def test_a_pool_and_the_dense_layer_after_it_become_one_layer():
    nodes = [pool(nir.AvgPool2d, (2, 2)), FLAT, nir.Linear(R.uniform(-0.3, 1, (5, 18))), lif(5)]
    (layer,) = check(graph_of(*nodes, shape=[2, 7, 6])).layers
    assert (type(layer), layer.n_in) == (Dense, 84)


def test_a_layer_on_pooled_spikes_equals_numpy_on_repeated_weights():
    weights = R.uniform(-1, 1, (3, 1, 2, 2))
    nodes = [pool(nir.SumPool2d, (2, 2)), conv(weight=weights, bias=np.zeros(3)), lif(1)]
    graph = graph_of(*nodes, shape=[1, 6, 6])
    (layer,) = from_nir(graph, dt_ms=DT).network.layers
    assert (layer.stride, layer.padding) == (2, 0)
    np.testing.assert_allclose(
        np.reshape(layer.gain, (-1, 1, 1, 1)) * layer.weights,
        weights.repeat(2, axis=2).repeat(2, axis=3),
        rtol=1e-15,
    )


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_neurons_that_feed_themselves_are_recurrent(nested, biased):
    weights = R.uniform(-1, 1, (4, 4))
    own = nir.Affine(weights, B4) if biased else nir.Linear(weights)
    inner = {"input": nir.Input(np.array([4])), "lif": lif(4), "w_rec": own,
             "output": nir.Output(np.array([4]))}  # fmt: skip
    loop = [("lif", "w_rec"), ("w_rec", "lif")]
    ends = {"in": nir.Input(np.array([3])), "fc": nir.Linear(W34), "out": nir.Output(np.array([4]))}
    if nested:
        rnn = nir.NIRGraph(inner, [("input", "lif"), *loop, ("lif", "output")], type_check=False)
        edges = [("in", "fc"), ("fc", "rnn"), ("rnn", "out")]
        graph = nir.NIRGraph(ends | {"rnn": rnn}, edges, type_check=False)
    else:
        nodes = ends | {"lif": inner["lif"], "w_rec": own}
        edges = [*loop, ("in", "fc"), ("fc", "lif"), ("lif", "out")]
        graph = nir.NIRGraph(nodes, edges, type_check=False)
    imported = from_nir(graph, dt_ms=DT)
    assert len(imported.report.rows) == 5
    (layer,) = imported.network.layers
    np.testing.assert_allclose(layer.recurrent * np.reshape(layer.gain, (-1, 1)), weights, rtol=1e-12)
    bits = bits_for(imported.network)
    assert np.array_equal(run_graph(graph, bits, DT), run_network(imported.network, bits)[0])


@st.composite
def chains(draw):
    """Random chains; their numbers come from a seed, so that no potential equals a threshold."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = start = draw(st.sampled_from([(5,), (2, 6, 6), (1, 5, 4)]))
    nodes = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            nodes.append(nir.Delay(rng.integers(0, 5, shape) * DT / 1000))
        if len(shape) == 3 and draw(st.booleans()):
            nodes.append(pool(draw(st.sampled_from([nir.AvgPool2d, nir.SumPool2d])), (2, 2), (1, 1)))
            shape = (shape[0], shape[1] - 1, shape[2] - 1)
        if len(shape) == 3 and min(shape[1:]) > 1 and draw(st.booleans()):
            padding = draw(st.integers(0, 1))
            nodes.append(
                conv(rng.uniform(-0.3, 1, (3, shape[0], 2, 2)), 1, padding, bias=rng.random(3))
            )
            shape = (3, shape[1] + 2 * padding - 1, shape[2] + 2 * padding - 1)
        elif draw(st.booleans()):
            nodes.append(nir.Scale(rng.uniform(0.5, 2, shape)))
        if draw(st.booleans()):
            if len(shape) > 1:
                nodes.append(nir.Flatten(None, 0, -1))
            weights = rng.uniform(-0.5, 1, (4, int(np.prod(shape))))
            biased = draw(st.booleans())
            nodes.append(
                nir.Affine(weights, rng.uniform(-0.1, 0.3, 4)) if biased else nir.Linear(weights)
            )
            shape = (4,)
        one, each = np.ones(shape), rng.uniform(0.5, 2, shape)
        nodes.append(draw(st.sampled_from([
            nir.LIF(2e-3 * one, each, 0 * one, 0.137 * each, 0 * one),
            nir.LIF(2e-3 * one, one, 0.01 * one, 0.113 * one, -0.1 * one),
            nir.IF(1e3 * each, 1.13 * one, 0 * one),
            nir.CubaLIF(1e-3 * one, 2e-3 * one, each, 0 * one, 0.137 * one, 0 * one, each),
        ])))  # fmt: skip
    return graph_of(*nodes, shape=start)


@given(chains())
@settings(max_examples=40, deadline=None)
def test_random_chains_run_by_their_equations(graph):
    check(graph, steps=60, fires=False)


@given(graph=chains())
@settings(max_examples=20, deadline=None)
def test_an_imported_network_survives_a_round_trip(graph):
    network = from_nir(graph, dt_ms=DT).network
    again = from_nir(to_nir(network)).network
    bits = bits_for(network, steps=60)
    assert np.array_equal(run_network(network, bits)[0], run_network(again, bits)[0])


def test_readouts_have_the_potentials_of_their_equations():
    one = np.ones(4)
    for node in (
        nir.LI(2e-3 * one, 1.5 * one, 0.2 * one),
        nir.LI(2e-3 * one, one + B4, 0 * one),
        nir.I(30 * one),
        nir.CubaLI(1e-3 * one, 2e-3 * one, one, 0 * one, 2 * one),
    ):
        graph = graph_of(nir.Affine(W34, B4), node, shape=[3])
        network = from_nir(graph, dt_ms=DT).network
        bits = bits_for(network)
        spikes, potentials = run_network(network, bits)
        assert not spikes.any()
        np.testing.assert_allclose(run_graph(graph, bits, DT)[-1], potentials, rtol=1e-9)


def test_a_neuron_at_its_threshold_fires_here_and_not_in_nir():
    # Ours is >=, that of NIR is >: they differ where a potential meets the threshold to the last bit.
    graph = graph_of(nir.Linear(np.eye(1)), lif(1, tau=1e-3, v_threshold=1.0), shape=[1])
    network = from_nir(graph, dt_ms=1.0).network
    ones = np.ones((5, 1), int)
    assert run_network(network, ones)[0].all()
    assert not run_graph(graph, ones, 1.0).any()
    assert simulate(network, [1.0], 5, seed=0).counts == [5]


def test_the_published_neuron_fires_at_the_published_steps():
    # The paper's example of one LIF neuron: tau 2.5 ms, r 1, v_leak 0, v_threshold 0.1, dt 0.1 ms,
    # weight 1, and an input spike at every tenth step of those here (paper/01_lif in NIR's repository).
    # Norse, Nengo, snnTorch, SpiNNaker2 and the exact solution fire at 460, 510, 710 and 760.
    tenths = [6, 22, 27, 31, 32, 35, 37, 40, 41, *range(43, 54), *range(67, 79), 84, 85]
    times = [10 * k for k in tenths]
    bits = np.zeros((1000, 1), int)
    bits[times] = 1
    graph = graph_of(nir.Affine(np.eye(1), np.zeros(1)), lif(1), shape=[1])
    network = from_nir(graph, dt_ms=0.1).network
    recorded = simulate(network, Bitstream.from_bits(bits.T), seed=0, record=True).spikes[0]
    for spikes in (recorded.bits()[0], run_graph(graph, bits, 0.1)[:, 0]):
        assert np.flatnonzero(spikes).tolist() == [460, 510, 710, 760]


def test_constant_inputs_fire_as_the_closed_form_says():
    # v after k steps from 0 is I (1 - (1 - dt/tau)^k): the first above 0.1 at I = 0.15 is the spike.
    period = math.ceil(math.log(1 - 0.1 / 0.15) / math.log(0.96))
    graph = graph_of(nir.Linear(np.array([[0.15]])), lif(1), shape=[1])
    network = from_nir(graph, dt_ms=0.1).network
    assert simulate_float(network, [1.0], 10 * period).counts == [10]
    assert simulate_float(network, [1.0], 10 * period - 1).counts == [9]


# Reports


def statuses(*nodes, shape=(3,)):
    with pytest.raises(ValueError, match="graph must hold only nodes that are faithful") as caught:
        from_nir(graph_of(*nodes, shape=list(shape)), dt_ms=DT)
    lines = str(caught.value).splitlines()[1:]
    return {line.split()[1]: " ".join(line.split()[2:]) for line in lines}


def test_a_report_prints_a_row_per_node():
    graph = graph_of(nir.Affine(W34, B4), lif(4, r=1 + abs(B4)), shape=[3])
    imported = from_nir(graph, dt_ms=DT)
    assert str(imported.report).splitlines() == [
        "source    Input   faithful",
        "2_Affine  Affine  faithful  weights of layer 0",
        "1_LIF     LIF     faithful  layer 0; r folded into the weights",
        "end       Output  faithful",
    ]


def test_approximate_nodes_require_strict_false():
    late = nir.Delay(np.array([0.0, 0.24, 0.3]) / 1000)
    graph = graph_of(late, nir.Linear(W34), lif(4), shape=[3])
    with pytest.raises(ValueError, match="strict=False also accepts approximate nodes"):
        from_nir(graph, dt_ms=DT)
    imported = from_nir(graph, dt_ms=DT, strict=False)
    assert imported.network.layers[0].delay.tolist() == [0, 2, 3]
    row = imported.report.rows[1]
    assert (row.kind, row.status) == ("Delay", "approximate")
    assert row.why.endswith("rounded to integer steps")


@pytest.mark.parametrize(
    "fields",
    [
        {"v_leak": np.array([0.0, 0.02, 0.05, -0.05])},
        {"tau": 1e-3 * np.array([1, 2, 3, 40])},
        {"v_reset": np.array([0.0, -0.1, -0.2, 0.01]), "v_leak": np.array([0.0, 0.02, 0.05, -0.05])},
        {"v_threshold": np.array([0.1, 0.2, 0.3, 0.15]), "v_reset": np.array([0.0, -0.1, 0, 0.01])},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_parameters_of_each_neuron_are_faithful(fields):
    graph = graph_of(nir.Linear(abs(W34) * 3), lif(4, **fields), shape=[3])
    imported = from_nir(graph, dt_ms=DT)
    bits = bits_for(imported.network)
    spikes = run_network(imported.network, bits)[0]
    assert np.array_equal(spikes, run_graph(graph, bits, DT))
    assert spikes.any(axis=0).sum() >= 3
    again = from_nir(to_nir(imported.network)).network
    assert again == imported.network


def test_positions_of_a_convolution_may_differ_by_channel_or_as_a_matrix():
    kernels = np.abs(np.random.default_rng(2).normal(size=(2, 1, 3, 3)))
    conv = nir.Conv2d((5, 5), kernels, 1, 0, 1, 1, np.zeros(2))
    by_channel = np.repeat([1e-3, 4e-3], 9).reshape(2, 3, 3)
    by_position = by_channel * np.linspace(1, 2, 18).reshape(2, 3, 3)
    for tau, kind in ((by_channel, Conv2d), (by_position, Dense)):
        one = np.ones((2, 3, 3))
        neurons = nir.LIF(tau=tau, r=one, v_leak=0 * one, v_threshold=0.1 * one, v_reset=0 * one)
        graph = graph_of(conv, neurons, shape=[1, 5, 5])
        network = from_nir(graph, dt_ms=DT).network
        assert isinstance(network[0], kind)
        bits = bits_for(network)
        ours = run_network(network, bits)[0]
        theirs = run_graph(graph, bits.reshape(len(bits), 1, 5, 5), DT)
        assert np.array_equal(ours, theirs.reshape(len(bits), -1))
        assert ours.any()


def test_gains_are_those_of_each_row_unless_shared():
    weights = np.array([[4.0, -1.0], [0.5, 0.25], [0.0, 0.0]])
    graph = graph_of(nir.Linear(weights), lif(3), shape=[2])
    assert from_nir(graph, dt_ms=DT).network[0].gain.tolist() == [4.0, 0.5, 1.0]
    shared = from_nir(graph, dt_ms=DT, share_gain=True).network[0]
    assert shared.gain == 4.0
    assert np.array_equal(shared.weights * 4.0, weights)


@pytest.mark.parametrize(
    ("nodes", "kind", "why"),
    [
        ([nir.Linear(W34), lif(4, tau=1e-5)], "LIF", "tau is 0.01 ms, shorter than the step of 0.1 ms"),
        ([nir.Linear(W34), lif(4, tau=-1.0)], "LIF", "tau is -1000 ms, not greater than 0"),
        ([nir.Linear(W34), lif(4, v_reset=0.2)], "LIF", "v_reset is not below v_threshold"),
        ([nir.Linear(W34), nir.LI(ONE4, ONE4, B4), nir.Linear(W44), lif(4)], "LI",
         "a readout, whose potentials can only go to the output"),
        ([nir.Linear(W34)], "Output", "the output must follow neurons directly"),
        ([nir.Linear(W34), nir.Threshold(ONE4), lif(4)], "Threshold",
         "not one of the supported kinds LIF, IF"),
        ([nir.Linear(W34), nir.Delay(np.arange(4) / 1e4), lif(4)], "Delay",
         "delays after weights differ; only the delays of a layer's inputs can"),
        ([nir.Affine(W34, B4), nir.Delay(ONE4 / 1e4), lif(4)], "Delay", "a delay after a bias"),
        ([nir.Delay(-ONE4[:3]), nir.Linear(W34), lif(4)], "Delay", "a delay is negative"),
        ([nir.Linear(W34[np.newaxis]), lif(4)], "Linear", "weights have 3 axes, not 2"),
        ([nir.Linear(np.ones((12_000, 3))), nir.Scale(np.ones(12_000)), lif(12_000), lif(12_000)],
         "LIF", "its weights are not a convolution, and too many for a matrix"),
    ],
)  # fmt: skip
def test_an_unsupported_node_is_reported_with_its_reason(nodes, kind, why):
    said = statuses(*nodes)
    assert said[kind].startswith(f"unsupported {why}")
    assert len(said) >= len({type(node) for node in nodes}) + 2


def rows_of(graph, dt_ms=DT):
    """Node, status and reason of the report in the error for a graph that is not faithful."""
    with pytest.raises(ValueError, match="graph must hold only nodes that are faithful") as caught:
        from_nir(graph, dt_ms=dt_ms)
    lines = [line.split(maxsplit=3) for line in str(caught.value).splitlines()[1:]]
    return {name: (status, "".join(why)) for name, _, status, *why in lines}


def test_nodes_after_an_unsupported_one_are_unchecked_and_not_faults_of_their_own():
    chain = [nir.Linear(W34), nir.Threshold(ONE4), lif(4), nir.Linear(W44), lif(4)]
    rows = rows_of(graph_of(*chain, shape=[3]))
    unchecked = ("unchecked", "after 4_Threshold, which is unsupported")
    assert [name for name, row in rows.items() if row[0] == "unsupported"] == ["4_Threshold"]
    assert all(rows[name] == unchecked for name in ("3_LIF", "2_Linear", "1_LIF", "end"))


def test_the_output_of_an_unsupported_neuron_has_no_fault_of_its_own():
    rows = rows_of(graph_of(nir.Linear(W34), lif(4, tau=-1.0), shape=[3]))
    assert rows["1_LIF"] == ("unsupported", "tau is -1000 ms, not greater than 0")
    assert rows["end"] == ("faithful", "")


def test_layers_keep_their_numbers_after_an_unsupported_one():
    rows = rows_of(graph_of(nir.Linear(W34), lif(4, tau=-1.0), nir.Linear(W44), lif(4), shape=[3]))
    assert (rows["2_Linear"][1], rows["1_LIF"][1]) == ("weights of layer 1", "layer 1")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("1_LIF", "reset_mode", "subtract"), ("2_Linear", "bias", B4), ("end", "scale", 2.0)],
)
def test_fields_that_nir_does_not_define_are_unsupported(kind, field, value):
    graph = graph_of(nir.Linear(W34), lif(4), shape=[3])
    setattr(graph.nodes[kind], field, value)
    status, why = rows_of(graph)[kind]
    assert (status, why) == (
        "unsupported", f"a {type(graph.nodes[kind]).__name__} of NIR has no field {field!r}"
    )  # fmt: skip


def test_unknown_fields_of_recurrent_weights_are_unsupported():
    graph = to_nir(Network([Dense(W34, neuron=LIF(dt=DT), recurrent=W44)]))
    graph.nodes["layer0_1_lif"].nodes["recurrent"].bias = B4
    assert rows_of(graph)["layer0_1_lif.recurrent"] == (
        "unsupported", "a Linear of NIR has no field 'bias'"
    )  # fmt: skip


def test_metadata_that_are_not_used_are_reported():
    graph = graph_of(nir.Linear(W34), lif(4), shape=[3])
    graph.nodes["1_LIF"].metadata = {"reset": "subtract"}
    graph.nodes["2_Linear"].metadata = {"delay": 3}
    rows = from_nir(graph, dt_ms=DT).report.rows
    assert rows[1].why == "weights of layer 0; its metadata 'delay' were not used"
    assert rows[2].why == "layer 0; its metadata 'reset' were not used"
    graph = to_nir(Network([Dense([[1.0]])]))
    node = graph.nodes["layer0_1_lif"]
    text = node.metadata["sc_neurocore"]
    node.metadata["sc_neurocore"] = text.replace('"value"', '"zero"')
    assert node.metadata["sc_neurocore"] != text
    row = from_nir(graph, dt_ms=1.0).report.rows[2]
    assert row.why == "layer 0; its metadata 'sc_neurocore' cannot be read and were not used"


@pytest.mark.parametrize(
    ("node", "remark"),
    [
        (integrate_and_fire(1, r=1.0), "r is 1 per s, 0.001 per time step"),
        (lif(1, tau=20.0, r=20.0), "tau is 20 s"),
        (nir.CubaLIF(*np.array([[5.0], [20.0], [20.0], [0.0], [1.0]])), "tau_mem is 20 s"),
    ],
)
def test_time_constants_per_step_are_reported_with_what_to_pass(node, remark):
    graph = graph_of(nir.Linear(np.array([[1.0]])), node, shape=[1])
    imported = from_nir(graph, dt_ms=1.0)
    why = imported.report.rows[2].why
    assert why.endswith(f"{remark}; if its unit is the time step, pass dt_ms=1000")
    again = from_nir(graph, dt_ms=1000.0)
    assert "dt_ms" not in again.report.rows[2].why
    x = np.ones((40, 1), int)
    assert not run_network(imported.network, x)[0].any()
    assert run_network(again.network, x)[0].any()


def test_a_delay_in_steps_is_reported_with_what_to_pass():
    graph = graph_of(nir.Delay(np.array([3.0])), nir.Linear(np.eye(1)), lif(1), shape=[1])
    said = "the delay is 3 s; if its unit is the time step, pass dt_ms=1000"
    assert from_nir(graph, dt_ms=1.0).report.rows[1].why == f"delay of layer 0; {said}"


def test_importing_without_nir_names_the_extra():
    code = (
        "import sys; sys.modules['nir'] = None\nimport sc_neurocore\nimport sc_neurocore.exchange.nir"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert (
        "ImportError: sc_neurocore.exchange.nir needs NIR; run pip install '.[nir]' in a clone"
        in run.stderr
    )


def test_the_package_imports_nir_on_first_use_of_a_function():
    code = (
        "import sys; import sc_neurocore.exchange as e; before = {'nir', 'h5py'} & set(sys.modules);"
        "from sc_neurocore.exchange import from_nir, to_nir; print(before, e.nir.to_nir is to_nir)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set() True"


def test_results_have_a_one_line_repr_and_an_html_table():
    imported = from_nir(to_nir(Network([Dense([[0.5]])])))
    assert repr(imported.report) == "Report(nodes=4, faithful=4)"
    assert repr(imported) == "Imported(1-1, Report(nodes=4, faithful=4), bits_per_step=2)"
    assert imported._repr_html_().count("<tr>") == 5


def test_reading_does_not_change_the_graph(tmp_path):
    graph = graph_of(conv(), lif(1), shape=[2, 7, 6])
    before = {name: dict(vars(node)) for name, node in graph.nodes.items()}
    from_nir(graph, dt_ms=DT)
    assert {name: dict(vars(node)) for name, node in graph.nodes.items()} == before


def test_files_written_by_nir_are_read(tmp_path):
    graph = nir.NIRGraph.from_list(nir.Affine(W34, B4), lif(4))
    nir.write(tmp_path / "a.nir", graph)
    a, b = (from_nir(g, dt_ms=DT).network for g in (graph, tmp_path / "a.nir"))
    assert_equal(a, b)


@pytest.mark.parametrize("cut", [0, 100, 3000])
def test_a_damaged_file_is_refused(tmp_path, cut):
    path = tmp_path / "a.nir"
    to_nir(Network(layers(0, "conv")), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match="graph must be a NIR file, got"):
        from_nir(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f.__delitem__("node"),
        lambda f: f["node/nodes/layer0_1_lif"].__delitem__("tau"),
        lambda f: f["node"].__delitem__("edges"),
        lambda f: f["node/nodes/layer0_1_lif"].__delitem__("type"),
        lambda f: f["node/nodes/layer0_1_lif/type"].__setitem__((), "Izhikevich"),
        lambda f: f["node/nodes/layer0_1_lif"].create_dataset("more", data=1),
    ],
)
def test_a_file_with_a_missing_or_unknown_field_is_refused(tmp_path, damage):
    path = tmp_path / "a.nir"
    to_nir(Network([Dense([[1.0]])]), path)
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(ValueError, match="graph must be a NIR file, got"):
        from_nir(path)


def test_a_missing_file_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_nir(tmp_path / "none.nir")


def test_a_convolution_of_a_vector_is_restored_as_an_equal_matrix():
    rng = np.random.default_rng(4)
    first = Dense(uniform(rng, 12, 5, low=-0.2), 0.5, LIF(tau_mem=2.5, dt=DT, resistance=3.0))
    second = Conv2d(uniform(rng, 2, 1, 2, 2, low=-0.2), (3, 4), 0.9, first.neuron, bias=[0.1, -0.2])
    network = Network([first, second])
    again = from_nir(to_nir(network)).network
    assert isinstance(again.layers[1], Dense)
    bits = bits_for(network)
    spikes = run_network(network, bits)[0]
    assert spikes.any()
    assert np.array_equal(run_network(again, bits)[0], spikes)


def test_the_gain_of_weights_that_were_edited_is_not_used():
    network = Network([Dense([[1.0, 0.02, 0.03, 0.02]], gain=5.0, neuron=LIF(tau_mem=20.0))])
    graph = to_nir(network)
    assert from_nir(graph).network.layers[0].gain == 5.0
    linear = graph.nodes["layer0_0_linear"]
    linear.weight = linear.weight * [0, 1, 1, 1]  # an outlier is pruned
    imported = from_nir(graph)
    layer = imported.network.layers[0]
    said = "its metadata belong to other weights, so their gain of 5 was not used"
    assert imported.report.rows[2].why == f"layer 0; {said}"
    assert layer.gain == pytest.approx(0.15)
    assert np.allclose(layer.weights, [[0, 2 / 3, 1, 2 / 3]])


def test_a_gain_that_cannot_be_verified_is_reported():
    graph = to_nir(Network([Dense([[1.0, 0.02]], gain=5.0)]))
    node = graph.nodes["layer0_1_lif"]
    content = json.loads(node.metadata["sc_neurocore"])
    del content["peak"]  # as older versions wrote it
    node.metadata["sc_neurocore"] = json.dumps(content)
    imported = from_nir(graph)
    said = "its metadata do not say which weights their gain of 5 belongs to"
    assert imported.report.rows[2].why == f"layer 0; {said}"
    assert imported.network.layers[0].gain == 5.0


@pytest.mark.parametrize("gain", [math.nan, math.inf, 0.0, -1.0])
def test_a_gain_that_is_not_a_positive_number_is_not_used(gain):
    graph = to_nir(Network([Dense([[1.0, 0.5]], gain=5.0)]))
    node = graph.nodes["layer0_1_lif"]
    content = json.loads(node.metadata["sc_neurocore"]) | {"gain": gain}
    del content["peak"]
    node.metadata["sc_neurocore"] = json.dumps(content)
    imported = from_nir(graph, dt_ms=1.0)
    (layer,) = imported.network.layers
    np.testing.assert_allclose(
        np.reshape(layer.gain, (-1, 1)) * layer.weights * layer.neuron.resistance, [[5.0, 2.5]]
    )
    assert "cannot be read and were not used" in str(imported.report)


@pytest.mark.parametrize(
    "changed",
    [lambda t: nn.Parameter(t), lambda t: t.bfloat16(), lambda t: t.double().requires_grad_()],
    ids=["parameter", "bfloat16", "requires grad"],
)
def test_tensors_in_nodes_are_read_as_arrays(changed):
    weights, one = torch.tensor([[0.5, -0.25], [1.0, 0.75]]), torch.ones(2)
    nodes = [
        nir.Affine(changed(weights), changed(0.25 * one)),
        nir.LIF(changed(one / 64), changed(one), changed(0 * one), changed(one), changed(0 * one)),
    ]
    (layer,) = from_nir(graph_of(*nodes, shape=[2]), dt_ms=1.0).network.layers
    assert np.array_equal(layer.weights * np.reshape(layer.gain, (-1, 1)), weights.numpy())
    assert np.array_equal(layer.bias * layer.gain, [0.25, 0.25])
    assert layer.neuron == LIF(tau_mem=15.625, resistance=1 / 15.625)


@pytest.mark.parametrize("error", DAMAGED)
def test_errors_from_the_nodes_of_a_damaged_file_become_value_errors(tmp_path, monkeypatch, error):
    def broken(content):
        raise error

    path = tmp_path / "a.nir"
    to_nir(Network([Dense([[1.0]])]), path)
    monkeypatch.setattr(nir, "dict2NIRNode", broken)
    with pytest.raises(ValueError, match="graph must be a NIR file, got"):
        from_nir(path)


def test_an_unknown_padding_is_reported_as_unsupported():
    layer = Conv2d(np.full((1, 1, 2, 2), 0.5), (4, 4), neuron=LIF(tau_mem=10.0))
    graph = to_nir(Network([layer]))
    graph.nodes["layer0_0_conv"].padding = "reflect"
    with pytest.raises(ValueError, match="padding 'reflect' is neither 'same', 'valid' nor a number"):
        from_nir(graph)


def test_the_estimated_noise_of_an_imported_network_is_that_of_its_budget():
    """A tenth of the inputs is active, with one bit per step: the law of `noise_budget`."""
    rng = np.random.default_rng(4)
    graph = graph_of(nir.Affine(rng.normal(size=(5, 40)), rng.normal(size=5)), lif(5), shape=[40])
    imported = from_nir(graph, dt_ms=DT)
    # Every input is on in a tenth of the steps, and the one of the bias in all.
    bits = np.tile(np.eye(10, dtype=np.uint8), (1, 4)).T[np.newaxis]
    (budget,) = noise_budget(imported.network, Bitstream.from_bits(bits), seed=1)
    assert imported.step_noise[0] == pytest.approx(budget.step_noise, rel=1e-12)
    k = imported.bits_per_step
    assert imported.step_noise[0] / np.sqrt(k) <= 0.15 < imported.step_noise[0] / np.sqrt(k / 2)
    assert f"bits_per_step={k}" in repr(imported)
