"""NIR graphs that are not chains: they run by their equations, and survive a round trip."""

import nir
import numpy as np
import pytest
from nir_oracle import run_graph

from sc_neurocore import Conv2d, simulate_float
from sc_neurocore.exchange.nir import from_nir

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
