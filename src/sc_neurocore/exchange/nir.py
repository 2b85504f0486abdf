"""Reading and writing NIR, the Neuromorphic Intermediate Representation.

NIR (J. E. Pedersen et al., Nature Communications 15, 8122, 2024) describes a network as a graph of
differential equations and maps, which other simulators and hardware read. Requires the extra nir.
"""

from __future__ import annotations

import io
import json
import math
import os
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import __version__, _checks
from sc_neurocore._files import DAMAGED, check_regular, replacing
from sc_neurocore._tables import html_table
from sc_neurocore.evidence._currents import bernoulli_variance, noise_in_thresholds
from sc_neurocore.evidence.budget import SUFFICIENT_NOISE
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
from sc_neurocore.networks.layers import Layer, all_weights, lif_of, of_each
from sc_neurocore.networks.network import check_network, width_of
from sc_neurocore.neurons.lif import arrays_of

try:
    import h5py  # noqa: F401  imported by the process that reads files
    import nir
except ImportError as error:
    message = _checks.missing_extra("sc_neurocore.exchange.nir", "NIR", "nir")
    raise ImportError(message, name="nir") from error

from sc_neurocore.exchange._nir_data import to_nir_data

__all__ = ["Imported", "Report", "Row", "from_nir", "to_nir", "to_nir_data"]

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

    @property
    def step_noise(self) -> tuple[float, ...]:
        """Noise of a time step in each layer, in units of the distance from rest to threshold.

        This is `LayerBudget.step_noise` for Bernoulli streams with one bit per step and a tenth of the
        inputs active; a bias is always on. With k bits per step it is smaller by ``sqrt(k)``. NaN for
        readouts.
        """
        return tuple(map(_step_noise, self.network))

    @property
    def bits_per_step(self) -> int:
        """Bits per step that lower `step_noise` to 0.15 in all layers, the next power of two.

        An estimate without data for Bernoulli streams, which can be off by a factor of two:
        `sc_neurocore.evidence.sufficient_bits_per_step` measures it for given inputs and any source.
        Sobol streams need a fraction of it.
        """
        largest = max((noise for noise in self.step_noise if noise > 0), default=0.0)
        return 1 << max(math.ceil(2 * math.log2(largest / SUFFICIENT_NOISE)), 0) if largest else 1

    def __repr__(self) -> str:
        return f"Imported({self.network.shape}, {self.report!r}, bits_per_step={self.bits_per_step})"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


# Proportion of active inputs that the estimate of the noise assumes.
_ACTIVE = 0.1


def _step_noise(layer: Layer) -> float:
    weights = all_weights(layer)
    active = np.full((1, weights.shape[1]), _ACTIVE)
    if layer.bias is not None:
        active[0, layer.matrix.shape[1] - 1] = 1.0  # the bias is always on
    return noise_in_thresholds(layer, bernoulli_variance(weights, active, active)[0])


def to_nir(
    network: Network, path: str | os.PathLike[str] | None = None, *, canonical: bool = True
) -> Any:
    """Convert a network to a NIR graph and optionally write it to a file.

    Weights are multiplied by the gain. Parameters that NIR cannot represent (time step, refractory
    period, noise, reset by subtraction, gain, sampled) are stored in the metadata of the neurons.
    `from_nir` reads them; other readers ignore them. A convolution after a dense layer, or after images
    of another size, is written as a matrix and comes back as `Dense`.

    In a graph, each source of a layer has its own weights, and NIR adds the results at the neurons.
    Slices of the inputs become several input nodes, several outputs several output nodes, numbered in
    their order. Readers of NIR delay feedback by one time step, so feedback with a delay of d steps is
    written with a Delay node of d - 1.

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
        If NIR has no node for a layer (neurons with a synaptic current and no leak, readouts that are
        recurrent or feed a layer), if an input or a layer is not used, or if a convolution is too large
        for a matrix.
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
    check_network(network)
    _checks.instance("canonical", canonical, bool)
    _check_places(network)
    inputs = _input_parts(network)
    wiring = _wired(network, inputs)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    named = _numbered("input", len(inputs))
    nodes |= {name: nir.Input(np.array(part.shape)) for name, part in zip(named, inputs, strict=True)}
    starts = {part.source.start: name for name, part in zip(named, inputs, strict=True)}
    written = [_nodes_of(layer, parts, canonical) for layer, parts in wiring]
    width = len(str(len(network) - 1))
    # Files sort nodes by name, and nirtorch requires a nested graph after its source.
    names = [
        [f"layer{i:0{width}}_{j:0{len(str(len(own) - 1))}}_{kind}" for j, (kind, _) in enumerate(own)]
        for i, own in enumerate(map(_flat_nodes, written))
    ]
    neurons: list[str] = []
    for (_, parts), own, (by_part, (kind, node)) in zip(wiring, names, written, strict=True):
        *rest, last = own
        for part, chain in zip(parts, by_part, strict=True):
            source = part.source
            at = starts[source.start] if isinstance(source, slice) else names[source][-1]
            for name, (_, x) in zip(rest[: len(chain)], chain, strict=True):
                nodes[name] = x
                edges.append((at, name))
                at = name
            rest = rest[len(chain) :]
            edges.append((at, last))
        nodes[last] = node
        neurons.append(f"{last}.{kind}" if isinstance(node, nir.NIRGraph) else last)
    for name, i in zip(_numbered("output", len(network.outputs)), network.outputs, strict=True):
        nodes[name] = nir.Output(np.array(_output_shape(wiring[i][0])))
        edges.append((names[i][-1], name))
    content: dict[str, Any] = {"version": __version__}
    if not network.is_chain:
        content["layers"] = neurons
    # The type check of nir assumes square kernels.
    square = all(
        isinstance(x, Dense) or x.weights.shape[2] == x.weights.shape[3] for x in network.layers
    )
    graph = nir.NIRGraph(nodes, edges, metadata={METADATA: json.dumps(content)}, type_check=square)
    if path is not None:
        whole = io.BytesIO()
        nir.write(whole, graph)
        with replacing(path) as file:
            file.write(whole.getbuffer())
    return graph


@dataclass(frozen=True)
class _Part:
    """A source of a layer: a layer or a slice of the inputs, its shape, and its first column.

    `is_late` says whether it is feedback, so that readers of NIR delay it by one step.
    """

    source: Any  # int or slice; mypy cannot narrow the attribute in comprehensions
    shape: Shape
    first: int = 0
    is_late: bool = False

    @property
    def columns(self) -> slice:
        """Columns of the weights of the layer."""
        return slice(self.first, self.first + math.prod(self.shape))


_Chain = list[tuple[str, Any]]


def _numbered(name: str, n: int) -> list[str]:
    """Return names whose alphabetical order is that of their numbers; one name has no number."""
    width = len(str(n - 1))
    return [name] if n == 1 else [f"{name}{i:0{width}}" for i in range(n)]


def _flat_nodes(written: tuple[list[_Chain], tuple[str, Any]]) -> _Chain:
    by_part, neurons = written
    return [*(x for chain in by_part for x in chain), neurons]


def _input_parts(network: Network) -> list[_Part]:
    """Return the parts of the inputs between the ends of slices, as images if a Conv2d takes them."""
    slices = [x for own in network.connections for x in own if isinstance(x, slice)]
    ends = sorted({0, *(x.start for x in slices), *(x.stop for x in slices)})
    parts = []
    for first, last in pairwise(ends):
        if not any(x.start <= first and last <= x.stop for x in slices):
            _checks.fail(
                "network", "use all of its inputs, for NIR", f"inputs {first} to {last} unused"
            )
        parts.append(_Part(slice(first, last), _part_shape(network, first, last)))
    return parts


def _part_shape(network: Network, first: int, last: int) -> Shape:
    """Return the shape of a part of the inputs: an image if a Conv2d takes it as one, or flat."""
    for layer, own in zip(network.layers, network.connections, strict=True):
        column = 0
        for source in own:
            if isinstance(layer, Conv2d) and isinstance(source, slice):
                size = math.prod(layer.input_size)
                at = column + first - source.start
                inside = source.start <= first and last <= source.stop
                if inside and at % size == 0 and (last - first) % size == 0:
                    return ((last - first) // size, *layer.input_size)
            column += width_of(network, source)
    return (last - first,)


def _wired(network: Network, inputs: list[_Part]) -> list[tuple[Layer, list[_Part]]]:
    """Return the layers and the sources of each; a Conv2d without images as sources as a matrix."""
    layers = list(network.layers)
    while True:
        wiring = [_parts_of(network, i, layers, inputs) for i in range(len(layers))]
        placed = [_placed(i, *pair) for i, pair in enumerate(zip(layers, wiring, strict=True))]
        if all(a is b for a, b in zip(placed, layers, strict=True)):
            return list(zip(layers, wiring, strict=True))
        layers = placed


def _parts_of(network: Network, i: int, layers: list[Layer], inputs: list[_Part]) -> list[_Part]:
    """Return the sources of a layer, with slices of the inputs in parts."""
    parts: list[_Part] = []
    column = 0
    for source in network.connections[i]:
        if isinstance(source, slice):
            inner = [
                x for x in inputs if source.start <= x.source.start and x.source.stop <= source.stop
            ]
            parts += (replace(x, first=column + x.source.start - source.start) for x in inner)
        else:
            is_late = source >= i and _feeds(network, i, source)
            parts.append(_Part(source, _output_shape(layers[source]), column, is_late))
        column += width_of(network, source)
    return parts


def _feeds(network: Network, i: int, target: int) -> bool:
    """Return whether spikes of layer i reach another layer, or i is that layer."""
    reached, open_ = {i}, [i]
    while open_:
        at = open_.pop()
        more = {k for k, own in enumerate(network.connections) if at in own} - reached
        reached |= more
        open_ += more
    return target in reached


def _output_shape(layer: Layer) -> Shape:
    return (len(layer.weights), *layer.output_size) if isinstance(layer, Conv2d) else (layer.n_out,)


def _placed(i: int, layer: Layer, parts: list[_Part]) -> Layer:
    """Return a layer that accepts its sources: NIR has no node from vectors to images."""
    if isinstance(layer, Dense) or all(part.shape[1:] == layer.input_size for part in parts):
        return layer
    stride, padding = (layer.stride,) * 2, (layer.padding,) * 2
    try:
        whole = as_matrix(Convolution(layer.weights, layer.input_size, stride, padding, layer.bias))
    except TooLargeError:
        contract = "receive images of its input size, or be small enough for a matrix, for NIR"
        shapes = " and ".join(str(part.shape) for part in parts)
        _checks.fail(f"layers[{i}]", contract, f"{layer.n_in} inputs of shape {shapes}")
    lif = lif_of("network", layer)
    of_neurons: dict[str, Any] = {k: v.repeat(layer.positions) for k, v in arrays_of(lif).items()}
    neuron = replace(lif, **of_neurons)
    gain = of_each(layer, layer.gain)
    return Dense(whole.weights, gain, neuron, bias=whole.bias, delay=layer.delay, sampled=layer.sampled)


def _check_places(network: Network) -> None:
    """Raise ValueError if NIR has no node for a layer, or no place for it."""
    pairs = [(source, i) for i, own in enumerate(network.connections) for source in own]
    for i, layer in enumerate(network.layers):
        feeds = [target for source, target in pairs if source == i]
        if not set(feeds) - {i} and i not in network.outputs:
            contract = "feed a layer or be an output, for NIR"
            _checks.fail(f"layers[{i}]", contract, f"outputs={list(network.outputs)}")
        _check_place(i, layer, feeds=bool(feeds))


def _check_place(i: int, layer: Layer, *, feeds: bool) -> None:
    named, neuron = f"layers[{i}]", lif_of("network", layer)
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
        if feeds:
            _checks.fail(named, "fire or feed no layer, for NIR", "v_threshold=inf")
        if isinstance(layer, Dense) and layer.recurrent is not None:
            _checks.fail(named, "fire or have no recurrent weights, for NIR", "v_threshold=inf")


def _nodes_of(
    layer: Layer, parts: list[_Part], canonical: bool
) -> tuple[list[_Chain], tuple[str, Any]]:
    """Return the kinds and nodes of a layer: for each source those of its inputs, then the neurons."""
    neuron = lif_of("network", layer)
    described = describe(neuron, canonical=canonical)
    scale = np.broadcast_to(np.asarray(layer.gain * described.factor), len(layer.weights))
    of_rows = scale.reshape(-1, *(1,) * (layer.weights.ndim - 1))
    bias = None if layer.bias is None else layer.bias * scale
    weights = layer.weights * of_rows
    chains = [_chain_of(layer, weights, part, bias if k == 0 else None) for k, part in enumerate(parts)]
    out = _output_shape(layer)
    values = {k: spread(v, layer.n_out).reshape(out) for k, v in described.fields.items()}
    own = layer.recurrent if isinstance(layer, Dense) else None
    peak = peaks_of(Matrix(layer.weights, layer.bias), own)
    is_array = isinstance(layer.gain, np.ndarray)
    metadata = noted(neuron, layer.gain, canonical, peak if is_array else peak.max(), layer.sampled)
    neurons = getattr(nir, described.kind)(**values, metadata=metadata)
    if own is not None:
        neurons = _recurrent(described.kind.lower(), neurons, own * of_rows)
    return chains, (described.kind.lower(), neurons)


def _chain_of(layer: Layer, weights: Reals, part: _Part, bias: Reals | None) -> _Chain:
    """Return the kinds and nodes from a source to the neurons of a layer."""
    chain: _Chain = []
    delays = np.broadcast_to(layer.delay, (layer.n_in,))[part.columns] - part.is_late
    if delays.any():
        chain.append(("delay", nir.Delay(delays.reshape(part.shape) * (layer.neuron.dt / 1000.0))))
    if isinstance(layer, Conv2d):
        first = part.first // math.prod(layer.input_size)
        node = nir.Conv2d(
            input_shape=layer.input_size,
            weight=weights[:, first : first + part.shape[0]],
            stride=layer.stride,
            padding=layer.padding,
            dilation=1,
            groups=1,
            bias=np.zeros(len(weights)) if bias is None else bias,
        )
        return [*chain, ("conv", node)]
    if len(part.shape) > 1:
        flat = nir.Flatten({"input": np.array(part.shape)}, start_dim=0, end_dim=-1)
        chain.append(("flatten", flat))
    own = weights[:, part.columns]
    if bias is None:
        return [*chain, ("linear", nir.Linear(own))]
    return [*chain, ("affine", nir.Affine(own, bias))]


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
    linear nodes between two neurons become the weights of one layer. If several nodes feed one, their
    signals add up, and the layer has several sources.

    In a cycle, one neuron receives the spikes of the previous time step, in addition to the Delay nodes
    in the cycle: the first that is fed from outside of the cycle, in the order of the names. A row of
    the report says so. Several input nodes are slices of the inputs, and several output nodes are the
    outputs, both in the order of their names.

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
        If the graph is damaged, has a cycle without neurons, or a node is not accepted; the message
        contains the whole report.
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
    >>> imported.bits_per_step  # weights of 0 and 1 have no noise
    1
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
        check_regular(path)
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
