"""Networks that are graphs: branches, skip connections, several inputs and outputs, feedback."""

from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Conv2d,
    Dense,
    Network,
    simulate,
    simulate_float,
)

RNG = np.random.default_rng(17)
X = RNG.random((3, 10))
FAST = LIF(tau_mem=6.0)


def dense(n_out, n_in, **options):
    return Dense(RNG.integers(-5, 9, (n_out, n_in)) / 8, gain=0.5, neuron=FAST, **options)


BRANCHES = Network(
    [dense(6, 4), dense(5, 6), dense(4, 11)], connections=[slice(0, 4), slice(4, 10), [0, 1]]
)
SKIP = Network(
    [dense(6, 10), dense(5, 6, delay=2), dense(4, 21, delay=[0] * 10 + [3] * 6 + [0] * 5)],
    connections=["input", 0, ["input", 0, 1]], outputs=[2, 0],
)  # fmt: skip
FEEDBACK = Network(
    [dense(6, 14, delay=[0] * 10 + [1, 2, 1, 70]), dense(4, 6)], connections=[["input", 1], 0]
)
GRAPHS = pytest.mark.parametrize(
    "network", [BRANCHES, SKIP, FEEDBACK], ids=["branches", "skip", "back"]
)


def delayed(trains, delays):
    out = np.zeros_like(trains)
    for i, d in enumerate(delays):
        out[:, i, d:] = trains[:, i, : trains.shape[-1] - d]
    return out


@GRAPHS
def test_every_layer_sees_the_spikes_of_its_sources(network):
    """Each layer alone, under the recorded spikes of its sources, fires as it does in the graph."""
    inputs = RNG.integers(0, 2, (3, 10, 150)).astype(float)
    run = simulate_float(network, inputs, record=True)
    spikes = [train.bits().astype(float) for train in run.spikes]
    for i, layer in enumerate(network):
        parts = [spikes[s] if isinstance(s, int) else inputs[:, s] for s in network.connections[i]]
        seen = delayed(np.concatenate(parts, axis=1), np.broadcast_to(layer.delay, layer.n_in))
        alone = simulate_float(Network([replace(layer, delay=0)]), seen, record=True)
        assert alone.spikes[0] == run.spikes[i]
        assert spikes[i].any()
    outputs = np.concatenate([spikes[i].sum(axis=-1) for i in network.outputs], axis=1)
    assert np.array_equal(run.counts, outputs)


@GRAPHS
def test_with_weights_of_0_and_1_bits_and_real_numbers_agree(network):
    binary = [replace(layer, weights=np.sign(layer.weights).round()) for layer in network]
    graph = Network(binary, network.connections, network.outputs)
    bits = RNG.integers(0, 2, (3, 10, 200)).astype(float)
    for k in (1, 2):
        ours = simulate(graph, bits, seed=1, bits_per_step=k, record=True)
        real = simulate_float(graph, bits, record=True)
        for one, other in zip(ours.spikes, real.spikes, strict=True):
            assert one == other
        assert ours.counts.any()
        assert np.array_equal(ours.counts, real.counts)


@GRAPHS
def test_a_graph_continues_in_any_split(network):
    whole = simulate(network, X, 200, seed=2, record=True)
    state, counts = None, 0
    for steps in (1, 1, 60, 3, 135):
        run = simulate(network, X, steps, seed=2, state=state)
        state, counts = run.state, counts + run.counts
    assert np.array_equal(counts, whole.counts)
    assert np.array_equal(run.potentials, whole.potentials)


def test_a_chain_that_is_written_as_a_graph_is_a_chain():
    layers = [dense(6, 10), dense(4, 6)]
    graph = Network(layers, connections=["input", 0], outputs=[1])
    assert graph == Network(layers)
    assert graph.is_chain
    assert not SKIP.is_chain
    assert repr(graph) == repr(Network(layers))
    assert np.array_equal(simulate(graph, X, 50, seed=1).counts,
                          simulate(Network(layers), X, 50, seed=1).counts)  # fmt: skip


def test_recurrent_weights_are_feedback_of_one_step():
    w, own = RNG.uniform(-1, 1, (5, 10)), RNG.uniform(-1, 1, (5, 5))
    recurrent = Network([Dense(w, 0.4, FAST, recurrent=own)])
    joined = Dense(np.column_stack([w, own]), 0.4, FAST, delay=[0] * 10 + [1] * 5)
    graph = Network([joined], connections=[["input", 0]])
    for k in (1, 4):
        one = simulate(recurrent, X, 150, seed=3, bits_per_step=k, record=True)
        other = simulate(graph, X, 150, seed=3, bits_per_step=k, record=True)
        assert one.spikes[0] == other.spikes[0]
        assert one.counts.any()
    assert np.array_equal(
        simulate_float(recurrent, X, 150).counts, simulate_float(graph, X, 150).counts
    )


def test_channels_of_two_convolutions_are_concatenated():
    a, b = (Conv2d(RNG.uniform(-1, 1, (2, 1, 3, 3)), (5, 5), padding=1, neuron=FAST) for _ in "ab")
    c = Conv2d(RNG.uniform(-1, 1, (3, 4, 3, 3)), (5, 5), neuron=FAST)
    graph = Network([a, b, c], connections=["input", "input", [0, 1]])
    both = Conv2d(np.concatenate([a.weights, b.weights]), (5, 5), padding=1, neuron=FAST)
    images = RNG.random((2, 25))
    assert np.array_equal(
        simulate_float(graph, images, 100).counts,
        simulate_float(Network([both, c]), images, 100).counts,
    )


@GRAPHS
def test_a_graph_is_saved_and_compared(network, tmp_path):
    network.save(tmp_path / "graph.npz")
    loaded = Network.load(tmp_path / "graph.npz")
    assert loaded == network
    assert loaded.connections == network.connections
    assert replace(network, outputs=[0, 1]) != network
    assert "connections=" in repr(network)


def test_graphs_that_do_not_fit_are_refused():
    a, b = dense(6, 10), dense(4, 6)
    cases = [
        ([a, b], ["input", "input"], "layer 1 takes 6 inputs, but the network gives it 10 inputs"),
        (
            [a, b],
            ["input", [0, 1]],
            "layer 1 takes 6 inputs, but layer 0 has 6 neurons and layer 1 has 4",
        ),
        (
            [dense(6, 14), b],
            [["input", 1], 0],
            "layer 0 receives the spikes of layer 1, which runs later, ",
        ),
        (
            [dense(6, 16)],
            [["input", 0]],
            "layer 0 receives its own spikes without a delay; use recurrent",
        ),
        ([a, b], ["input"], "connections must hold the sources of 2 layers, got 1"),
        ([a, b], ["input", 2], r"connections\[1\] must be at least 0 and at most 1, got 2"),
        ([a, b], ["input", []], r"connections\[1\] must hold at least one source"),
        ([a], [slice(3, 3)], "must hold slices of at least one input"),
        ([dense(6, 4, delay=1)], [0], 'must have a layer that receives "input"'),
    ]
    for layers, connections, message in cases:
        with pytest.raises(ValueError, match=message):
            Network(layers, connections)
    for connections in ("input", 3, ["input", 1.5], ["input", slice(0, 6, 2)], ["input", "hidden"]):
        with pytest.raises((TypeError, ValueError), match="connections"):
            Network([a, b], connections)
    with pytest.raises(
        TypeError, match=r'connections\[1\] must hold indices of layers, "input", or slices'
    ):
        Network([a, b], ["input", "hidden"])
    with pytest.raises(ValueError, match="outputs must be at least 0 and at most 1, got 2"):
        Network([a, b], outputs=[2])
    with pytest.raises(ValueError, match="network must be a chain of layers to be sliced"):
        SKIP[:2]


def test_a_graph_is_shown_as_it_is_written():
    layers = [Dense(np.full((2, n), 0.5)) for n in (3, 1, 7)]
    network = Network(layers, connections=[slice(0, 3), slice(3, 4), [0, slice(1, 4), 1]])
    assert "connections=[[slice(0, 3)], [slice(3, 4)], [0, slice(1, 4), 1]], outputs=[2]" in repr(
        network
    )
    skip = Network([layers[0], Dense(np.full((2, 5), 0.5))], connections=["input", ["input", 0]])
    assert 'connections=[["input"], ["input", 0]]' in repr(skip)
