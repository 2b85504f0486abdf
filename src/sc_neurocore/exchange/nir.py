"""Reading and writing NIR, the Neuromorphic Intermediate Representation.

NIR (J. E. Pedersen et al., Nature Communications 15, 8122, 2024) describes a network as a graph of
differential equations and maps, which other simulators and hardware read. Requires the extra nir.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import __version__, _checks
from sc_neurocore._files import DAMAGED, replacing
from sc_neurocore._tables import html_table
from sc_neurocore.exchange._affine import Convolution, Matrix, TooLargeError, as_matrix
from sc_neurocore.exchange._hdf5 import read_tree
from sc_neurocore.exchange._layers import peaks_of
from sc_neurocore.exchange._nir_graph import Ordered, kind_of, ordered
from sc_neurocore.exchange._nir_layers import STATUS, Row, layers_of
from sc_neurocore.exchange._nir_neurons import (
    FIELDS,
    METADATA,
    describe,
    noted,
    recalled,
    spread,
)
from sc_neurocore.networks import (
    Conv2d,
    Dense,
    Network,
)
from sc_neurocore.networks.layers import Layer, of_each
from sc_neurocore.networks.network import require_chain

try:
    import h5py  # noqa: F401  imported by the process that reads files
    import nir
except ImportError as error:
    message = _checks.missing_extra("sc_neurocore.exchange.nir", "NIR", "nir")
    raise ImportError(message, name="nir") from error

__all__ = ["Imported", "Report", "Row", "from_nir", "to_nir"]

Reals = NDArray[np.float64]
Shape = tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Report:
    """Status of each node of a NIR graph, in the order of the signal; `print` shows a table.

    Attributes
    ----------
    rows : tuple
        One for each node, with the attributes `node`, `kind`, `status` and `why`. The status is
        "faithful", "approximate", "unsupported", or "unchecked" for a node that comes after an
        unsupported one and has no fault of its own.
    """

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        counts = {status: sum(row.status == status for row in self.rows) for status in STATUS}
        said = ", ".join(f"{status}={n}" for status, n in counts.items() if n)
        return f"Report(nodes={len(self.rows)}, {said})"

    def _repr_html_(self) -> str:
        rows = ((row.node, row.kind, row.status, row.why) for row in self.rows)
        return html_table(("node", "kind", "status", "why"), rows)

    def __str__(self) -> str:
        cells = [(row.node, row.kind, row.status, row.why) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Imported:
    """Result of `from_nir`.

    Attributes
    ----------
    network : Network
    report : Report
    """

    network: Network
    report: Report

    def __repr__(self) -> str:
        return f"Imported({self.network.shape}, {self.report!r})"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def to_nir(
    network: Network, path: str | os.PathLike[str] | None = None, *, canonical: bool = True
) -> Any:
    """Convert a network to a NIR graph and optionally write it to a file.

    Weights are multiplied by the gain. Parameters that NIR cannot represent (time step, refractory
    period, noise, reset by subtraction, gain) are stored in the metadata of the neurons. `from_nir`
    reads them; other readers ignore them. A convolution after a dense layer, or after images of
    another size, is written as a matrix and comes back as `Dense`.

    Parameters
    ----------
    network : Network
    path : path, optional
        File to write, atomically.
    canonical : bool
        Whether to fold resistance and v_rest into weights and voltages, so that v_leak = 0 and r has
        the value that other readers assume: 1, unless the neuron has a synaptic current or no leak.

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    ValueError
        If the network is not a chain, if NIR has no node for a layer (neurons with a synaptic current
        and no leak, readouts that are recurrent or not the last layer), or if a convolution is too
        large for a matrix.
    TypeError
        If `network` is not a Network.

    Examples
    --------
    >>> from sc_neurocore import LIF, Dense, Network
    >>> from sc_neurocore.exchange.nir import from_nir, to_nir
    >>> graph = to_nir(Network([Dense([[0.5, -0.25]], gain=0.2, neuron=LIF(tau_mem=10.0))]))
    >>> graph.edges
    [('input', 'layer0_0_linear'), ('layer0_0_linear', 'layer0_1_lif'), ('layer0_1_lif', 'output')]
    >>> graph.nodes["layer0_0_linear"].weight, graph.nodes["layer0_1_lif"].tau
    (array([[ 1. , -0.5]]), array([0.01]))
    """
    _checks.instance("network", network, Network)
    _checks.instance("canonical", canonical, bool)
    require_chain("network", network, "written as NIR")
    first = network.layers[0]
    shape = _input_shape(first)
    nodes, edges, last = {"input": nir.Input(np.array(shape))}, [], "input"
    width = len(str(len(network.layers) - 1))
    for i, layer in enumerate(network.layers):
        _check_place(i, layer, is_last=i == len(network.layers) - 1)
        layer = _placed(i, layer, shape)
        # Files sort nodes by name, and nirtorch requires a nested graph after its source.
        for j, (kind, node) in enumerate(_nodes_of(layer, shape, canonical)):
            name = f"layer{i:0{width}}_{j}_{kind}"
            nodes[name] = node
            edges.append((last, name))
            last = name
        shape = _output_shape(layer)
    nodes["output"] = nir.Output(np.array(shape))
    edges.append((last, "output"))
    metadata = {METADATA: json.dumps({"version": __version__})}
    # The type check of nir assumes square kernels.
    square = all(
        isinstance(x, Dense) or x.weights.shape[2] == x.weights.shape[3] for x in network.layers
    )
    graph = nir.NIRGraph(nodes, edges, metadata=metadata, type_check=square)
    if path is not None:
        whole = io.BytesIO()
        nir.write(whole, graph)
        with replacing(path) as file:
            file.write(whole.getbuffer())
    return graph


def _input_shape(layer: Layer) -> Shape:
    return (layer.weights.shape[1], *layer.input_size) if isinstance(layer, Conv2d) else (layer.n_in,)


def _output_shape(layer: Layer) -> Shape:
    return (len(layer.weights), *layer.output_size) if isinstance(layer, Conv2d) else (layer.n_out,)


def _placed(i: int, layer: Layer, shape: Shape) -> Layer:
    """Return a layer that accepts inputs of that shape: NIR has no node from vectors to images."""
    if isinstance(layer, Dense) or shape == _input_shape(layer):
        return layer
    stride, padding = (layer.stride,) * 2, (layer.padding,) * 2
    try:
        whole = as_matrix(Convolution(layer.weights, layer.input_size, stride, padding, layer.bias))
    except TooLargeError:
        contract = "receive images of its input size, or be small enough for a matrix, for NIR"
        _checks.fail(f"layers[{i}]", contract, f"{layer.n_in} inputs of shape {shape}")
    neuron = replace(layer.neuron, **_of_each(layer))
    return Dense(whole.weights, of_each(layer, layer.gain), neuron, bias=whole.bias, delay=layer.delay)


def _of_each(layer: Layer) -> dict[str, Any]:
    """Return the parameters of a layer's neurons that are arrays, of each neuron."""
    values = {field.name: getattr(layer.neuron, field.name) for field in fields(layer.neuron)}
    return {k: np.repeat(v, layer.positions) for k, v in values.items() if isinstance(v, np.ndarray)}


def _check_place(i: int, layer: Layer, *, is_last: bool) -> None:
    named, neuron = f"layers[{i}]", layer.neuron
    if np.any(np.isinf(neuron.tau_mem)) and np.any(neuron.tau_syn):
        contract = "have a leak or no synaptic current, for NIR"
        _checks.fail(named, contract, f"tau_mem=inf, tau_syn={neuron.tau_syn}")
    mixed = {
        "neurons with and without a leak": np.isinf(neuron.tau_mem),
        "neurons with and without a threshold": np.isinf(neuron.v_threshold),
        "neurons with and without a synaptic current": np.equal(neuron.tau_syn, 0),
    }
    for what, kind in mixed.items():
        if np.ptp(np.asarray(kind, int)):
            _checks.fail(named, f"not have {what}, for NIR", neuron)
    if np.all(np.isinf(neuron.v_threshold)):
        if not is_last:
            _checks.fail(named, "fire or be the last layer, for NIR", "v_threshold=inf")
        if isinstance(layer, Dense) and layer.recurrent is not None:
            _checks.fail(named, "fire or have no recurrent weights, for NIR", "v_threshold=inf")


def _nodes_of(layer: Layer, shape: Shape, canonical: bool) -> Iterator[tuple[str, Any]]:
    """Yield the names and nodes of a layer in the order of the signal."""
    delays, neuron = layer.delays, layer.neuron
    described = describe(neuron, canonical=canonical)
    scale = np.broadcast_to(np.asarray(layer.gain * described.factor), len(layer.weights))
    of_rows = scale.reshape(-1, *(1,) * (layer.weights.ndim - 1))
    if delays is not None:
        yield "delay", nir.Delay(delays.reshape(shape) * (neuron.dt / 1000.0))
    bias = None if layer.bias is None else layer.bias * scale
    if isinstance(layer, Conv2d):
        yield (
            "conv",
            nir.Conv2d(
                input_shape=layer.input_size,
                weight=layer.weights * of_rows,
                stride=layer.stride,
                padding=layer.padding,
                dilation=1,
                groups=1,
                bias=np.zeros(len(layer.weights)) if bias is None else bias,
            ),
        )
    else:
        if len(shape) > 1:
            yield "flatten", nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
        if bias is None:
            yield "linear", nir.Linear(layer.weights * of_rows)
        else:
            yield "affine", nir.Affine(layer.weights * of_rows, bias)
    out = _output_shape(layer)
    fields = {k: spread(v, layer.n_out).reshape(out) for k, v in described.fields.items()}
    own = layer.recurrent if isinstance(layer, Dense) else None
    peak = peaks_of(Matrix(layer.weights, layer.bias), own)
    of_each = isinstance(layer.gain, np.ndarray)
    metadata = noted(neuron, layer.gain, canonical, peak if of_each else peak.max())
    neurons = getattr(nir, described.kind)(**fields, metadata=metadata)
    if isinstance(layer, Dense) and layer.recurrent is not None:
        neurons = _recurrent(described.kind.lower(), neurons, layer.recurrent * of_rows)
    yield described.kind.lower(), neurons


def _recurrent(name: str, neurons: Any, weights: Reals) -> Any:
    """Return recurrent neurons as a nested graph, the form that other readers expect."""
    ends = {"input": nir.Input(neurons.input_type), "output": nir.Output(neurons.output_type)}
    edges = [("input", name), (name, "recurrent"), ("recurrent", name), (name, "output")]
    return nir.NIRGraph(ends | {name: neurons, "recurrent": nir.Linear(weights)}, edges)


def from_nir(
    graph: Any, *, dt_ms: float | None = None, strict: bool = True, share_gain: bool = False
) -> Imported:
    """Convert a NIR graph to a network, and report on each node.

    Neurons are integrated by Euler's rule with a step of dt_ms. Weights are scaled into [-1, 1], row by
    row, and the scales become the gains. A bias becomes the weights of an input that is always on. The
    linear nodes between two neurons become the weights of one layer.

    NIR stores times in seconds. If a file counts time in steps instead, as with IF nodes of r = 1, pass
    ``dt_ms=1000``; the report suggests it. A node with fields that NIR does not define is unsupported.
    Metadata that are not used are reported. PyTorch tensors in nodes are read as arrays.

    Parameters
    ----------
    graph : nir.NIRGraph or path
        A graph, or the path of a NIR file.
    dt_ms : float, optional
        Time step in ms. Optional for graphs written by `to_nir`, which stores it in the metadata.
    strict : bool
        Raise unless every node is faithful. If False, also accept approximate nodes.
    share_gain : bool
        Give all neurons of a layer one gain, as hardware requires. By default each neuron (each channel
        of a convolution) has the gain with which its weights use the whole range [-1, 1], so that
        streams represent them more precisely.

    Returns
    -------
    Imported
        The network and its report.

    Raises
    ------
    ValueError
        If the graph is damaged, or a node is not accepted; the message contains the whole report.
    TypeError
        If `graph` is neither a graph nor a path, or `dt_ms` is required and missing.
    FileNotFoundError
        If no file is found at the path.

    Examples
    --------
    >>> import nir
    >>> import numpy as np
    >>> from sc_neurocore.exchange.nir import from_nir
    >>> one = np.ones(2)
    >>> lif = nir.LIF(tau=0.01 * one, r=one, v_leak=0 * one, v_threshold=one)
    >>> imported = from_nir(nir.NIRGraph.from_list(nir.Linear(np.eye(2) * 4), lif), dt_ms=1.0)
    >>> imported.network.layers
    (Dense(2 -> 2, gain=4.0, neuron=LIF(tau_mem=10.0, resistance=0.1)),)
    >>> print(imported.report)
    input   Input   faithful
    linear  Linear  faithful  weights of layer 0
    lif     LIF     faithful  layer 0
    output  Output  faithful
    """
    _checks.instance("strict", strict, bool)
    _checks.instance("share_gain", share_gain, bool)
    if dt_ms is not None:
        dt_ms = _checks.positive("dt_ms", dt_ms)
    try:
        parts = ordered(graph if isinstance(graph, nir.NIRGraph) else _graph_of(graph))
    except RecursionError:
        _checks.fail("graph", "not contain itself", "a graph nested in itself")
    steps = _steps(parts, dt_ms)
    try:
        rows, built = layers_of(parts, steps, share_gain=share_gain)
    except (TypeError, OverflowError, IndexError, MemoryError) as error:
        _checks.fail("graph", "hold numbers in the fields of its nodes", f"{error}")
    report = Report(tuple(rows))
    accepted = STATUS[:1] if strict else STATUS[:2]
    wrong = [row.status for row in report.rows if row.status not in accepted]
    if wrong:
        remedy = "" if "unsupported" in wrong else "strict=False also accepts approximate nodes"
        _checks.fail(
            "graph", "hold only nodes that are " + " or ".join(accepted), f"\n{report}", remedy
        )
    outputs = [number for _, number in sorted(built.outputs.items())]
    return Imported(Network(built.layers, built.connections, outputs), report)


def _graph_of(path: str | os.PathLike[str]) -> Any:
    """Return the graph of a file without nir's type check, which refuses valid graphs."""
    if not isinstance(path, str | os.PathLike):
        _checks.wrong_type("graph", "be a nir.NIRGraph or the path of one", path)
    try:
        tree = read_tree(path, "node")
        if tree["type"] != "NIRGraph":
            raise ValueError(f"its root is a {tree['type']}")
        return nir.dict2NIRNode(_unchecked(tree))
    except DAMAGED as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        reason = reason or type(error).__name__
        _checks.fail("graph", "be a NIR file", f"{os.fspath(path)!r} ({reason})")


def _unchecked(graph: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a graph, and of the graphs in it, with nir's type check turned off."""
    nodes = {}
    for name, node in graph["nodes"].items():
        if node["type"] not in nir.ir.__all__:
            raise ValueError(f"its node {name!r} is of unknown kind {node['type']!r}")
        nodes[name] = _unchecked(node) if node["type"] == "NIRGraph" else node
    return graph | {"nodes": nodes, "type_check": False}


def _steps(parts: Ordered, dt_ms: float | None) -> dict[str, float]:
    """Return the time step of each node: that of the next neurons, else the caller's."""
    of_neurons = {name: recalled(node) for name, node in parts.nodes.items() if kind_of(node) in FIELDS}
    steps: dict[str, float] = {}
    for name in reversed(parts.nodes):
        if name in of_neurons:
            metadata = of_neurons[name]
            if metadata is None and dt_ms is None:
                remedy = "NIR stores no time step, so only graphs written by to_nir can omit it"
                _checks.wrong_type("dt_ms", "be given in ms", dt_ms, remedy)
            own = metadata.neuron.dt if metadata is not None else dt_ms
            if dt_ms is not None and own != dt_ms:
                _checks.fail("dt_ms", f"be omitted or equal the step of the graph, {own}", dt_ms)
            steps[name] = float(own or 0.0)
        else:
            behind = [steps[target] for target in parts.targets[name] if target in steps]
            steps[name] = behind[0] if behind else dt_ms or 1.0
    return steps
