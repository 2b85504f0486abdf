"""Error messages of NIR import and export, in the form of test_errors.py."""

import math
from functools import partial

import nir
import numpy as np
from error_table import test_of

from sc_neurocore import LIF, Conv2d, Dense, Network
from sc_neurocore.exchange.nir import from_nir, to_nir

ONE, NAN = np.ones(2), math.nan
IN, OUT = nir.Input(np.array([2])), nir.Output(np.array([2]))
LIF_ = nir.LIF(0.01 * ONE, ONE, 0 * ONE, ONE, 0 * ONE)
EYE = nir.Linear(np.eye(2))


def read(nodes, *edges, **more):
    whole = {"in": IN, "out": OUT, "fc": EYE, "lif": LIF_} | nodes
    pairs = edges or ("in fc", "fc lif", "lif out")
    kept = {name: node for name, node in whole.items() if node is not None}
    graph = nir.NIRGraph(kept, [tuple(pair.split()) for pair in pairs], type_check=False)
    return partial(from_nir, graph, **({"dt_ms": 1.0} | more))


def image(node):
    """Import of a graph whose input is an image of 1 x 4 x 4 pixels."""
    return read({"in": nir.Input(np.array([1, 4, 4])), "fc": node})


def conv(**more):
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(2)} | more
    return nir.Conv2d(more.get("input_shape"), given.pop("weight", np.ones((2, 1, 2, 2))), **{
        k: v for k, v in given.items() if k != "input_shape"
    })  # fmt: skip


def lif(**more):
    one = {"tau": 0.01 * ONE, "r": ONE, "v_leak": 0 * ONE, "v_threshold": ONE, "v_reset": 0 * ONE}
    return nir.LIF(**(one | more))


def nested(*edges, **nodes):
    inner = {"a": IN, "b": OUT, "lif": LIF_} | nodes
    return nir.NIRGraph(inner, list(edges), type_check=False)


def with_field(node, **fields):
    vars(node).update(fields)
    return node


THREE = np.ones(3)
READOUT = LIF(v_threshold=math.inf)
OURS = to_nir(Network([Dense([[1.0]], neuron=LIF(dt=0.5))]))

ERRORS = [
    (lambda: to_nir(1), TypeError, "network must be a Network, got 1"),
    (lambda: to_nir(Network([Dense([[1.0]])]), canonical=1), TypeError,
     "canonical must be a bool, got 1"),
    (lambda: to_nir(Network([Dense([[1.0]], neuron=LIF(tau_mem=math.inf, tau_syn=2.0))])), ValueError,
     "layers[0] must have a leak or no synaptic current, for NIR, got tau_mem=inf, tau_syn=2.0"),
    (lambda: to_nir(Network([Dense([[1.0]], neuron=READOUT), Dense([[1.0]])])), ValueError,
     "layers[0] must fire or feed no layer, for NIR, got v_threshold=inf"),
    (lambda: to_nir(Network([Dense([[1.0]], neuron=READOUT, recurrent=[[0.5]])])), ValueError,
     "layers[0] must fire or have no recurrent weights, for NIR, got v_threshold=inf"),
    (lambda: to_nir(Network([Dense(np.ones((12_100, 1))), Conv2d(np.ones((1, 1, 1, 1)), (110, 110))])),
     ValueError, "layers[1] must receive images of its input size, or be small enough for a matrix, "
     "for NIR, got 12100 inputs of shape (12100,)"),
    (lambda: from_nir(1, dt_ms=1.0), TypeError,
     "graph must be a nir.NIRGraph or the path of one, got 1"),
    (read({}, dt_ms=0), ValueError, "dt_ms must be greater than 0, got 0.0"),
    (read({}, strict=1), TypeError, "strict must be a bool, got 1"),
    (read({}, dt_ms=None), TypeError,
     "dt_ms must be given in ms, got None; NIR stores no time step, "
     "so only graphs written by to_nir can omit it"),
    (lambda: from_nir(OURS, dt_ms=1.0), ValueError,
     "dt_ms must be omitted or equal the step of the graph, 0.5, got 1.0"),
    (read({"fc": nir.Linear(np.array([[1, NAN], [0, 1]]))}), ValueError,
     "fc.weight must be finite, got nan at index (0, 1)"),
    (read({"fc": nir.Affine(np.eye(2), np.array([1, NAN]))}), ValueError,
     "fc.bias must be finite, got nan at index 1"),
    (read({"fc": nir.Affine(np.eye(2), THREE)}), ValueError, "fc.bias must have shape (2,), got (3,)"),
    (read({"lif": lif(tau=np.array([NAN, 1]))}), ValueError,
     "lif.tau must be finite, got nan at index 0"),
    (read({"fc": nir.Linear(np.ones((2, 3)))}), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (2,) and (3,)"),
    (read({"fc": nir.Linear(np.ones((3, 2)))}), ValueError,
     "edge 'fc' -> 'lif' must join equal shapes, got (3,) and (2,)"),
    (read({"in": nir.Input(np.array([1, 2]))}), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (1, 2) and (2,); "
     "leave out the batch axis, which shapes in NIR do not have"),
    (read({"in": nir.Input(np.array([8, 1, 4, 4])), "fc": conv()}), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (8, 1, 4, 4) and (1, 'rows', 'columns'); "
     "leave out the batch axis, which shapes in NIR do not have"),
    (read({"in": nir.Input(np.array([-2]))}), ValueError,
     f"in.input_type must hold integers of 1 or more with a product of at most {2**27}, got [-2.0]"),
    (read({"out": nir.Output(np.array([0]))}), ValueError,
     f"out.output_type must hold integers of 1 or more with a product of at most {2**27}, got [0.0]"),
    (image(conv(input_shape=(0, 4))), ValueError,
     "fc.input_shape must hold integers of 1 or more with a product of at most "
     f"{2**27}, got [0.0, 4.0]"),
    (read({"lif": nested(("a", "lif"), ("lif", "none"))}), ValueError,
     "edge 'lif.lif' -> 'lif.none' must join nodes of the graph, got 'lif.none'"),
    (read({"lif": nested(("a", "w"), ("w", "lif"), ("lif", "b"), w=nir.Linear(np.ones((3, 2))))}),
     ValueError, "edge 'lif.w' -> 'lif.lif' must join equal shapes, got (3,) and (2,)"),
    (read({"lif": with_field(nested(("a", "lif"), ("lif", "b")), reset="zero")}), ValueError,
     "graph 'lif' must have only the fields nodes, edges, input_type, output_type, metadata, "
     "got 'reset'"),
    (read({"out": nir.Output(np.array([4]))}), ValueError,
     "edge 'lif' -> 'out' must join equal shapes, got (2,) and (4,)"),
    (read({"fc": nir.Scale(THREE)}), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (2,) and (3,)"),
    (read({"w": nir.Linear(np.ones((3, 2)))}, "in fc", "fc lif", "lif w", "w lif", "lif out"),
     ValueError,
     "edge 'w' -> 'lif' must join equal shapes, got (3,) and (2,)"),
    (read({"fc": conv()}), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (2,) and (1, 'rows', 'columns')"),
    (image(conv(input_shape=(5, 5))), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (1, 4, 4) and (1, 5, 5)"),
    (image(conv(weight=np.ones((2, 1, 5, 5)))), ValueError,
     "fc must have a kernel that fits its input, (1, 4, 4), got 5x5"),
    (image(conv(stride=0)), ValueError,
     "fc must have a stride and a kernel of at least 1, got stride (0, 0)"),
    (image(conv(padding=(1, -1))), ValueError,
     "fc.padding must be one or two integers of 0 or more, got [1.0, -1.0]"),
    (image(conv(groups=3)), ValueError, "fc.groups must divide the 2 output channels, got 3"),
    (image(conv(bias=THREE)), ValueError, "fc.bias must have shape (2,), got (3,)"),
    (read({"fc": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))}), ValueError,
     "edge 'in' -> 'fc' must join equal shapes, got (2,) and ('channels', 'rows', 'columns')"),
    (read({}, "in fc", "fc lif", "lif out", "lif none"), ValueError,
     "edge 'lif' -> 'none' must join nodes of the graph, got 'none'"),
    (read({"b": EYE}, "in fc", "fc b", "b fc", "b lif", "lif out"), ValueError,
     "graph must have a neuron in every cycle, got 'fc', 'b'"),
    (read({"in": None}, "fc lif", "lif out"), ValueError, "graph must have one Input node, got none"),
    (read({"lif": nested(("a", "lif"), ("lif", "b"), a2=IN)}), ValueError,
     "graph 'lif' must have one Input node, got 'a', 'a2'"),
    (read({"lif": nested(("a", "lif"), ("lif", "b"), b2=OUT)}), ValueError,
     "graph 'lif' must have one Output node, got 'b', 'b2'"),
    (read({"w": nir.Linear(np.ones((3, 2)))}, "in fc", "in w", "w lif", "fc lif", "lif out"),
     ValueError,
     "edge 'fc' -> 'lif' must join equal shapes, got (2,) and (3,)"),
    (read({"fc": nir.NIRGraph({"a": EYE, "b": OUT}, [("a", "b")], type_check=False)}), ValueError,
     "graph 'fc' must have one Input node, got none"),
    (read({"fc": nir.NIRGraph({"a": IN, "b": OUT}, [("a", "b")], type_check=False), "fc.a": EYE}),
     ValueError, "graph must have nodes with different names, got 'fc.a' twice"),
]  # fmt: skip


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)
