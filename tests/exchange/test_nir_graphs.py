"""NIR graphs that are not chains: they run by their equations, and survive a round trip."""

from dataclasses import replace

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_oracle import run_graph

from sc_neurocore import LIF, Conv2d, Dense, Network, simulate, simulate_float
from sc_neurocore.exchange.nir import from_nir, to_nir

T, DT = 200, 0.1
R = np.random.default_rng(29)


def linear(n_out, n_in, low=-0.4):
    return nir.Linear(R.uniform(low, 1.0, (n_out, n_in)))


def affine(n_out, n_in):
    return nir.Affine(R.uniform(-0.4, 1.0, (n_out, n_in)), R.uniform(-0.2, 0.4, n_out))


def lif(*shape, v_threshold=0.137):
    one = np.ones(shape)
    return nir.LIF(2e-3 * one, one, 0 * one, v_threshold * one, 0 * one)


def conv(c_out, c_in, k, padding=0, stride=1):
    weight, bias = R.uniform(-0.3, 1, (c_out, c_in, k, k)), R.uniform(-0.1, 0.3, c_out)
    return nir.Conv2d(None, weight, stride, padding, 1, 1, bias)


def delay(steps, n):
    return nir.Delay(np.broadcast_to(steps, n) * DT / 1000)


def ends(n_in, n_out):
    def shape(n):
        return np.array(n if isinstance(n, tuple) else [n])

    return {"in": nir.Input(shape(n_in)), "out": nir.Output(shape(n_out))}


def graph_of(nodes, *paths):
    """A graph of paths written as "in a x out"; nodes are stored in the order of their names."""
    pairs = (pair for path in paths for pair in zip(path.split(), path.split()[1:], strict=False))
    return nir.NIRGraph(dict(sorted(nodes.items())), list(dict.fromkeys(pairs)), type_check=False)


def pairs_of(*edges):
    return [tuple(edge.split()) for edge in edges]


def check(graph, back=(), p=0.4):
    imported = from_nir(graph, dt_ms=DT)
    assert {row.status for row in imported.report.rows} == {"faithful"}
    network = imported.network
    bits = (np.random.default_rng(3).random((T, network.n_in)) < p).astype(int)
    result = run_graph(graph, bits, DT, pairs_of(*back))
    ours = outputs_of(network, bits)
    assert np.array_equal(result, ours)
    assert all(0 < spikes.sum() < spikes.size for spikes in recorded(network, bits))
    return imported


def recorded(network, bits):
    run = simulate_float(network, np.asarray(bits, float).T[np.newaxis], record=True)
    return [train[0].bits().T.astype(int) for train in run.spikes]


def outputs_of(network, bits):
    spikes = recorded(network, bits)
    return np.concatenate([spikes[i] for i in network.outputs], axis=1)


GRAPHS = {
    "skip": (
        ends(4, 3) | {"a": affine(5, 4), "x": lif(5), "b": linear(3, 5), "y": lif(3),
                      "c": affine(3, 4)},
        ["in a x b y out", "in c y"], [],
        [(slice(0, 4),), (0, slice(0, 4))],
    ),
    "skip over a layer": (
        ends(4, 3) | {"a": linear(5, 4), "x": lif(5), "b": linear(5, 5), "y": lif(5),
                      "c": affine(3, 5), "z": lif(3), "d": linear(3, 5)},
        ["in a x b y c z out", "x d z"], [],
        [(slice(0, 4),), (0,), (1, 0)],
    ),
    "one map of a sum": (
        ends(4, 3) | {"a": linear(5, 4), "x": lif(5), "b": linear(5, 5), "y": lif(5),
                      "c": affine(3, 5), "z": lif(3), "s": nir.Scale(np.array([0.5, 2.0, 1.0]))},
        ["in a x b y c s z out", "x c"], [],
        [(slice(0, 4),), (0,), (1, 0)],
    ),
    "branches": (
        ends(4, 3) | {"a": linear(5, 4), "x": lif(5), "b": linear(6, 4), "y": lif(6),
                      "c": linear(3, 5), "d": linear(3, 6), "z": lif(3)},
        ["in a x c z out", "in b y d z"], [],
        [(slice(0, 4),), (slice(0, 4),), (0, 1)],
    ),
    "two maps of one layer": (
        ends(4, 3) | {"a": linear(5, 4), "x": lif(5), "c": affine(3, 5), "d": affine(3, 5),
                      "z": lif(3)},
        ["in a x c z out", "x d z"], [],
        [(slice(0, 4),), (0,)],
    ),
    "two delays of one layer": (
        ends(4, 3) | {"a": linear(5, 4), "x": lif(5), "c": affine(3, 5), "d": affine(3, 5),
                      "l": delay([1, 2, 3, 4, 0], 5), "z": lif(3)},
        ["in a x c z out", "x l d z"], [],
        [(slice(0, 4),), (0, 0)],
    ),
    "neurons without weights": (
        ends(5, 5) | {"x": lif(5, v_threshold=0.0937), "y": lif(5, v_threshold=0.0637)},
        ["in x y out", "in y"], [],
        [(slice(0, 5),), (0, slice(0, 5))],
    ),
    "feedback": (
        ends(4, 3) | {"a": affine(5, 4), "x": lif(5), "b": affine(3, 5), "y": lif(3),
                      "c": affine(5, 3)},
        ["in a x b y out", "y c x"], ["y c"],
        [(slice(0, 4), 1), (0,)],
    ),
    "feedback with a delay": (
        ends(4, 3) | {"a": affine(5, 4), "x": lif(5), "b": affine(3, 5), "y": lif(3),
                      "c": linear(5, 3), "l": delay([1, 0, 7], 3)},
        ["in a x b y out", "y l c x"], ["y l"],
        [(slice(0, 4), 1), (0,)],
    ),
    "feedback and the output at the first layer": (
        ends(4, 5) | {"a": affine(5, 4), "x": lif(5), "b": affine(3, 5), "y": lif(3),
                      "c": linear(5, 3)},
        ["in a x b y c x out"], ["y c"],
        [(slice(0, 4), 1), (0,)],
    ),
    "feedback over three layers and names in another order": (
        ends(4, 3) | {"a": affine(5, 4), "z": lif(5), "b": affine(3, 5), "y": lif(3),
                      "c": linear(3, 3, low=0.0), "x": lif(3, v_threshold=0.0637),
                      "d": linear(5, 3, low=-1.0)},
        ["in a z b y c x out", "x d z"], ["x d"],
        [(slice(0, 4), 2), (0,), (1,)],
    ),
    "feedback and a shared map": (
        ends(4, 4) | {"a": affine(4, 4), "x": lif(4), "b": affine(4, 4), "y": lif(4),
                      "c": linear(4, 4), "z": lif(4)},
        ["in a x b y c z out", "c x"], [],
        [(slice(0, 4), 1), (0,), (1,)],
    ),
    "direct feedback": (
        ends(4, 4) | {"x": lif(4, v_threshold=0.1137),
                      "y": lif(4, v_threshold=0.03), "z": lif(4, v_threshold=0.03)},
        ["in x y z out", "y x"], ["y x"],
        [(slice(0, 4), 1), (0,), (1,)],
    ),
    "two loops of one neuron": (
        ends(4, 5) | {"a": linear(5, 4), "x": lif(5), "b": linear(5, 5, low=-1.0),
                      "c": linear(5, 5, low=-1.0), "l": delay(2, 5)},
        ["in a x b x out", "x l c x"], ["x l", "x b"],
        [(slice(0, 4), 0)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", GRAPHS)
def test_graphs_run_by_their_equations(kind):
    nodes, paths, back, connections = GRAPHS[kind]
    if kind == "feedback and a shared map":  # c gives z the spikes of this step and x those of the last
        late = nodes | {"c2": nodes["c"]}
        whole = graph_of(late, "in a x b y c z out", "y c2 x")
        network = from_nir(graph_of(nodes, *paths), dt_ms=DT).network
        bits = (np.random.default_rng(3).random((T, 4)) < 0.4).astype(int)
        result = run_graph(whole, bits, DT, [("y", "c2")])
        assert np.array_equal(result, outputs_of(network, bits))
    else:
        network = check(graph_of(nodes, *paths), back).network
    assert network.connections == tuple(connections) or kind == "two loops of one neuron"


SHAPE = (2, 6, 5)
SUMS = {  # maps of two layers on images of 2 x 6 x 5, and whether their sum is a convolution
    "equal kernels": (conv(3, 2, 3), conv(3, 2, 3), True),
    "another padding": (conv(3, 2, 3, padding=1), conv(3, 2, 1), True),
    "no map": (conv(2, 2, 3, padding=1), None, True),
    "another stride": (conv(3, 2, 1, stride=2), conv(3, 2, 3, padding=1, stride=2), True),
    "even kernels": (conv(3, 2, 2), conv(3, 2, 4, padding=1), True),
}


@pytest.mark.parametrize("same_source", [False, True])
@pytest.mark.parametrize("kind", SUMS)
def test_sums_of_convolutions_run_by_their_equations(kind, same_source):
    first, second, stays = SUMS[kind]
    sizes = {"equal kernels": (4, 3), "even kernels": (5, 4), "another stride": (3, 3)}
    out = (len(first.weight), *sizes.get(kind, (6, 5)))
    x, y = lif(*SHAPE, v_threshold=0.0637), lif(*SHAPE, v_threshold=0.04)
    nodes = ends(SHAPE, out) | {"x": x, "y": y, "a": first, "z": lif(*out)}
    nodes |= {} if second is None else {"b": second}
    other = "z" if second is None else "b z"
    paths = ["in x a z out", "in y", f"{'x' if same_source else 'y'} {other}"]
    if same_source:
        del nodes["y"], paths[1]
    network = check(graph_of(nodes, *paths), p=0.6).network
    assert isinstance(network[-1], Conv2d) == stays
    assert len(network.connections[-1]) == 1 + (not same_source)


def test_a_sum_that_is_no_convolution_becomes_a_matrix():
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    nodes = ends((2, 6, 6), (3, 3, 3)) | {
        "x": lif(2, 6, 6, v_threshold=0.0637), "a": conv(3, 2, 4), "p": pool, "b": conv(3, 2, 1),
        "z": lif(3, 3, 3),
    }  # fmt: skip
    imported = check(graph_of(nodes, "in x a z out", "x p b z"))
    assert not isinstance(imported.network[1], Conv2d)
    row = next(row for row in imported.report.rows if row.node == "z")
    assert row.why.endswith("convolution expanded to a matrix")


def test_inputs_are_slices_in_the_order_of_their_names_and_outputs_too():
    nodes = {
        "b": nir.Input(np.array([4])), "a": nir.Input(np.array([3])), "c": nir.Input(np.array([2])),
        "wa": linear(5, 3), "wb": linear(5, 4), "wc": linear(3, 2), "w": linear(3, 5),
        "x": lif(5), "y": lif(3),
        "second": nir.Output(np.array([5])), "first": nir.Output(np.array([3])),
    }  # fmt: skip
    imported = check(graph_of(nodes, "b wb x second", "a wa x", "x w y first", "c wc y"))
    network = imported.network
    assert network.connections == ((slice(3, 7), slice(0, 3)), (0, slice(7, 9)))
    assert network.outputs == (1, 0)
    stored = dict(reversed(nodes.items()))
    graph = graph_of(nodes, "a wa x", "b wb x second", "x w y first", "c wc y")
    again = from_nir(nir.NIRGraph(stored, graph.edges, type_check=False), dt_ms=DT).network
    assert again.connections == ((slice(0, 7),), (0, slice(7, 9)))


def test_images_of_two_inputs_are_channels_of_one_convolution():
    nodes = {
        "left": nir.Input(np.array([1, 5, 5])), "right": nir.Input(np.array([2, 5, 5])),
        "a": conv(3, 1, 3), "b": conv(3, 2, 3), "x": lif(3, 3, 3),
        "out": nir.Output(np.array([3, 3, 3])),
    }  # fmt: skip
    network = check(graph_of(nodes, "left a x out", "right b x")).network
    assert network.connections == ((slice(0, 75),),)
    assert isinstance(network[0], Conv2d)


def test_a_residual_block_stays_two_convolutions():
    nodes = ends((2, 6, 6), (4, 6, 6)) | {
        "a": conv(4, 2, 3, padding=1), "x": lif(4, 6, 6), "b": conv(4, 4, 3, padding=1),
        "y": lif(4, 6, 6), "c": conv(4, 4, 3, padding=1), "z": lif(4, 6, 6, v_threshold=0.3),
    }  # fmt: skip
    network = check(graph_of(nodes, "in a x b y c z out", "x z")).network
    assert all(isinstance(layer, Conv2d) for layer in network)
    assert network.connections == ((slice(0, 72),), (0,), (1, 0))


def test_feedback_of_neurons_with_one_value_for_all_has_the_size_of_its_weights():
    nodes = ends(4, 3) | {"a": affine(5, 4), "x": lif(5), "b": affine(3, 5), "y": lif(1),
                          "c": affine(5, 3)}  # fmt: skip
    assert check(graph_of(nodes, "in a x b y out", "y c x"), ["y c"]).network.shape == "4-5-3"


def rows_of(graph):
    with pytest.raises(ValueError, match="graph must hold only nodes that are faithful") as caught:
        from_nir(graph, dt_ms=DT)
    lines = [line.split(maxsplit=3) for line in str(caught.value).splitlines()[1:]]
    return {name: (status, "".join(why)) for name, _, status, *why in lines}


def test_the_report_names_feedback_and_all_layers_of_a_map():
    nodes, paths, *_ = GRAPHS["feedback and a shared map"]
    rows = from_nir(graph_of(nodes, *paths), dt_ms=DT).report.rows
    why = {row.node: row.why for row in rows}
    assert why["c"] == "weights of layers 0 and 2"
    assert why["x"] == "layer 0; spikes of layer 1 one step later"
    assert (why["y"], why["z"]) == ("layer 1", "layer 2")
    assert [row.node for row in rows] == ["in", "c", "a", "x", "b", "y", "z", "out"]


@pytest.mark.parametrize(
    ("more", "paths", "node", "why"),
    [
        ({}, ["x out"], "out", "the output is a sum of several nodes; give each its own output"),
        ({"l": nir.Delay(np.ones(4) / 1e4)}, ["out l x"], "out", "an output, but feeds l"),
        ({}, ["y in"], "in", "an input, but fed by y"),
        ({"w": linear(4, 4)}, ["w y"], "w", "fed by no node"),
        ({"w": linear(4, 4)}, ["x w"], "w", "feeds no node"),
        ({"t": nir.Threshold(np.ones(4)), "w": linear(4, 4)}, ["x t w y"], "w",
         "after t, which is unsupported"),
        ({"f": lif(1), "w": linear(4, 1)}, ["y f w x"], "f",
         "in feedback, and its fields have shape (1,), not (4,)"),
        ({"l": nir.LI(np.ones(4), np.ones(4), 0 * np.ones(4)), "w": linear(4, 4)}, ["y l w x"], "l",
         "a readout, whose potentials can only go to the output"),
    ],
)  # fmt: skip
def test_a_node_that_does_not_fit_is_named(more, paths, node, why):
    nodes = ends(4, 4) | {"x": lif(4), "a": linear(4, 4), "y": lif(4)} | more
    assert rows_of(graph_of(nodes, "in x a y out", *paths))[node][1] == why


def test_a_graph_with_very_many_paths_of_different_delays_is_refused_in_words():
    nodes, names = ends(1, 1) | {"x": lif(1)}, ["in"]
    edges = []
    for i in range(12):
        nodes |= {f"l{i}": delay(2**i, 1), f"s{i}": nir.Scale(np.ones(1))}
        edges += [(names[-1], f"l{i}"), (names[-1], f"s{i}"), (f"l{i}", f"s{i}")]
        names.append(f"s{i}")
    edges += [(names[-1], "x"), ("x", "out")]
    rows = rows_of(nir.NIRGraph(nodes, edges, type_check=False))
    assert rows["s10"] == ("unsupported", "a sum of more than 1024 signals")


# Networks that are graphs

FAST = LIF(tau_mem=2.5, dt=DT, resistance=3.0)


def dense(n_out, n_in, low=-0.3, **options):
    return Dense(R.uniform(low, 1, (n_out, n_in)), 0.7, FAST, **options)


def image(c_out, c_in, size=(5, 5), **options):
    return Conv2d(R.uniform(-0.3, 1, (c_out, c_in, 3, 3)), size, 0.5, FAST, **options)


NETWORKS = {
    "branches": Network(
        [dense(6, 4), dense(5, 6), dense(4, 11)], [slice(0, 4), slice(4, 10), [0, 1]]
    ),
    "skip": Network(
        [dense(6, 10), dense(5, 6, delay=2), dense(4, 21, delay=[0] * 10 + [3] * 6 + [0] * 5)],
        ["input", 0, ["input", 0, 1]], outputs=[2, 0],
    ),
    "feedback": Network(
        [dense(6, 14, delay=[0] * 10 + [1, 2, 1, 70]), dense(4, 6)], [["input", 1], 0]
    ),
    "feedback of one step": Network(
        [dense(6, 14, low=-0.9, delay=[0] * 10 + [1] * 4), dense(4, 6, bias=R.uniform(-0.3, 0.6, 4))],
        [["input", 1], 0], outputs=[0, 1],
    ),
    "feedback to a layer without inputs": Network(
        [dense(3, 4, delay=1), dense(4, 7)], [1, ["input", 0]]
    ),
    "a layer's own late spikes": Network(
        [dense(6, 10, low=-0.9, delay=[0] * 4 + [3] * 6), dense(4, 6)], [["input", 0], 0]
    ),
    "recurrent in a graph": Network(
        [dense(6, 8, delay=[0] * 4 + [1] * 4, recurrent=R.uniform(-1, 0.2, (6, 6))),
         dense(4, 6, bias=R.uniform(-0.2, 0.2, 4))],
        [["input", 1], 0],
    ),
    "overlapping slices": Network(
        [dense(6, 7), dense(5, 7), dense(4, 11)], [slice(0, 7), slice(3, 10), [0, 1]]
    ),
    "images": Network(
        [image(2, 1, padding=1), image(2, 1, padding=1), image(3, 4, bias=R.uniform(-0.1, 0.2, 3)),
         dense(4, 27 + 50)],
        ["input", "input", [0, 1], [2, 1]],
    ),
    "images of two inputs": Network(
        [image(2, 2, padding=1), image(2, 1), dense(4, 50 + 18)],
        [slice(0, 50), slice(25, 50), [0, 1]],
    ),
    "feedback of images": Network(
        [image(2, 3, padding=1, delay=[0] * 25 + [1] * 50), image(2, 2, padding=1)], [["input", 1], 0]
    ),
    "readout beside spikes": Network(
        [dense(6, 4), dense(5, 6), replace(dense(2, 6), neuron=replace(FAST, v_threshold=np.inf))],
        ["input", 0, 0], outputs=[1, 2],
    ),
}  # fmt: skip


def back_edges(graph, network):
    """Edges of a written graph that carry the spikes of the step before: back to earlier layers."""
    n = len(network)
    paths = np.zeros((n, n), int)
    for i, own in enumerate(network.connections):
        for source in own:
            if isinstance(source, int):
                paths[source, i] = 1
    reach = np.linalg.matrix_power(np.eye(n, dtype=int) + paths, n) > 0
    layer_of = {name: int(name[5:].split("_")[0]) for name in graph.nodes if name.startswith("layer")}
    last = {i: max(name for name in layer_of if layer_of[name] == i) for i in range(n)}
    return [
        (a, b)
        for a, b in graph.edges
        if a in last.values() and b in layer_of and layer_of[a] >= layer_of[b]
        and reach[layer_of[b], layer_of[a]] and a != b and a == last[layer_of[a]]
    ]  # fmt: skip


def check_round_trip(network, canonical, tmp_path=None, fires=True):
    graph = to_nir(network, canonical=canonical)
    bits = (np.random.default_rng(4).random((T, network.n_in)) < 0.4).astype(int)
    spikes = outputs_of(network, bits)
    if not any(np.isinf(layer.neuron.v_threshold) for layer in network):
        assert np.array_equal(run_graph(graph, bits, DT, back_edges(graph, network)), spikes)
    assert not fires or spikes.any()
    if tmp_path is not None:
        to_nir(network, tmp_path / "graph.nir", canonical=canonical)
    for given_ in [graph] + ([] if tmp_path is None else [tmp_path / "graph.nir"]):
        imported = from_nir(given_)
        assert {row.status for row in imported.report.rows} == {"faithful"}
        again = imported.network
        assert np.array_equal(outputs_of(again, bits), spikes)
    return again


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_graph_is_written_and_restored(kind, canonical, tmp_path):
    network = NETWORKS[kind]
    again = check_round_trip(network, canonical, tmp_path)
    assert (again.connections, again.outputs) == (network.connections, network.outputs)
    for x, y in zip(network, again, strict=True):
        assert type(x) is type(y)
        assert (x.neuron, x.gain) == (y.neuron, y.gain)
        assert np.array_equal(np.broadcast_to(x.delay, x.n_in), np.broadcast_to(y.delay, y.n_in))
        np.testing.assert_allclose(x.weights, y.weights, rtol=1e-14, atol=1e-16)


def test_feedback_is_where_it_was_if_the_order_of_layers_is_not_that_of_the_signal():
    """Layer 1 receives layer 3, which runs later, and is not in the cycle of layers 0, 2 and 3."""
    layers = [
        dense(4, 9, low=-0.6, delay=[1] * 4 + [0] * 5), dense(2, 4, delay=1),
        dense(4, 8, low=-0.6, delay=[0] * 4 + [1] * 4), dense(4, 9, low=-0.6),
    ]  # fmt: skip
    network = Network(layers, [[2, "input"], 3, [0, 3], ["input", 0]], outputs=[1, 2])
    check_round_trip(network, canonical=True)


@st.composite
def networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 5))
    sizes, n_in = rng.integers(1, 5, n), 5
    layers, connections = [], []
    for i in range(n):
        own = draw(st.lists(st.integers(-2, n - 1), min_size=1, max_size=3))
        own = [("input", slice(1, 3))[-1 - s] if s < 0 else s for s in own]
        own += ["input"] if i == 0 else []
        delay = np.concatenate([
            rng.integers(0, 3, n_in if s == "input" else 2) if not isinstance(s, int)
            else rng.integers(0, 3, sizes[s]) * draw(st.booleans()) + (s >= i)
            for s in own
        ])  # fmt: skip
        layers.append(dense(sizes[i], len(delay), low=-0.7, delay=delay))
        connections.append(own)
    feeding = {s for i, own in enumerate(connections) for s in own if isinstance(s, int) and s != i}
    outputs = [i for i in range(n) if i not in feeding or draw(st.booleans())] or [n - 1]
    return Network(layers, connections, outputs)


@given(networks())
@settings(max_examples=25, deadline=None)
def test_random_graphs_are_written_by_the_equations_and_read_back(network):
    check_round_trip(network, canonical=True, fires=False)


def test_bits_of_a_restored_graph_are_those_of_the_network():
    network = NETWORKS["feedback"]
    again = from_nir(to_nir(network)).network
    x = R.random((2, 10))
    ours, theirs = (simulate(net, x, 150, seed=3).counts for net in (network, again))
    assert np.array_equal(ours, theirs)


def test_edges_say_which_columns_belong_to_which_source():
    graph = to_nir(NETWORKS["feedback"])
    assert graph.edges == [
        ("input", "layer0_0_linear"),
        ("layer0_0_linear", "layer0_3_lif"),
        ("layer1_1_lif", "layer0_1_delay"),
        ("layer0_1_delay", "layer0_2_linear"),
        ("layer0_2_linear", "layer0_3_lif"),
        ("layer0_3_lif", "layer1_0_linear"),
        ("layer1_0_linear", "layer1_1_lif"),
        ("layer1_1_lif", "output"),
    ]
    steps = graph.nodes["layer0_1_delay"].delay * 1000 / DT
    np.testing.assert_allclose(steps, [0, 1, 0, 69], rtol=1e-12)


def test_readouts_beside_spikes_have_the_potentials_of_their_equations():
    network = NETWORKS["readout beside spikes"]
    bits = (np.random.default_rng(4).random((T, network.n_in)) < 0.4).astype(int)
    result = simulate_float(network, np.asarray(bits, float).T[np.newaxis], record=True)
    graph = to_nir(network)
    np.testing.assert_allclose(run_graph(graph, bits, DT)[-1, 5:], result.potentials[0, 5:], rtol=1e-9)


def test_inputs_and_layers_without_use_are_refused():
    with pytest.raises(
        ValueError, match="network must use all of its inputs, for NIR, got inputs 0 to 2"
    ):
        to_nir(Network([dense(3, 4)], [slice(2, 6)]))
    with pytest.raises(ValueError, match=r"layers\[0\] must feed a layer or be an output, for NIR"):
        to_nir(Network([dense(3, 4), dense(2, 4)], ["input", "input"]))
