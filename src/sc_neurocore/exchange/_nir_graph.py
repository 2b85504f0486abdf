"""Structure of a NIR graph: flatten nested graphs, find recurrence, sort nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sc_neurocore import _checks
from sc_neurocore.exchange._nir_neurons import FIELDS

Edge = tuple[str, str]

# Kinds of nodes that can form the recurrent weights of a neuron.
_LINEAR = ("Affine", "Linear", "Scale")


_GRAPH_FIELDS = ("nodes", "edges", "input_type", "output_type", "metadata")


@dataclass(frozen=True, eq=False)
class Ordered:
    """A flat graph in topological order.

    Attributes
    ----------
    nodes : dict
        Nodes by name. Each follows its sources, except nodes in `feedback` and `within`.
    sources, targets : dict
        Names of the nodes before and after each node, without recurrent edges.
    loops : dict
        For each recurrent neuron, the names of the linear nodes through which it feeds itself.
    within : dict
        For each of these linear nodes, the name of its neuron.
    feedback : set
        Nodes in a cycle through several neurons.
    """

    nodes: dict[str, Any]
    sources: dict[str, list[str]]
    targets: dict[str, list[str]]
    loops: dict[str, list[str]]
    within: dict[str, str]
    feedback: set[str]


@dataclass(frozen=True, eq=False)
class _Flat:
    """Nodes and edges of a graph and of the graphs in it, and the names of its input and output."""

    nodes: dict[str, Any]
    edges: list[Edge]
    input: str
    output: str


def kind_of(node: Any) -> str:
    """Return the name of the NIR class of a node."""
    return type(node).__name__


def ordered(graph: Any) -> Ordered:
    """Return a graph flattened and sorted. Raise ValueError if a cycle has no neuron."""
    nodes, edges = _without_inner_ends(_flat(graph, ""))
    neurons = [name for name, node in nodes.items() if kind_of(node) in FIELDS]
    _check_cycles([name for name in nodes if name not in neurons], edges)
    loops = {name: loop for name in neurons if (loop := _loop(name, nodes, edges)) is not None}
    within = {inner: name for name, loop in loops.items() for inner in loop}
    recurrent = {
        pair for name, loop in loops.items() for pair in zip([name, *loop], [*loop, name], strict=True)
    }
    forward = [edge for edge in edges if edge not in recurrent]
    outer = [name for name in nodes if name not in within]
    order = _sorted(outer, forward)
    rest = [name for name in outer if name not in order]
    feedback = _in_cycles(rest, forward)
    behind = _sorted([name for name in rest if name not in feedback], forward)
    names = [x for name in (*order, *feedback, *behind) for x in (name, *loops.get(name, ()))]
    return Ordered(
        {name: nodes[name] for name in names},
        {name: [a for a, b in forward if b == name] for name in names},
        {name: [b for a, b in forward if a == name] for name in names},
        loops,
        within,
        set(feedback),
    )


def _flat(graph: Any, prefix: str) -> _Flat:
    """Return a graph without nesting; names of inner nodes begin with that of their graph."""
    named = f"graph {prefix[:-1]!r}" if prefix else "graph"
    for field, value in vars(graph).items():
        if field not in _GRAPH_FIELDS and value is not None:
            _checks.fail(named, "have only the fields " + ", ".join(_GRAPH_FIELDS), repr(field))
    nodes: dict[str, Any] = {}
    edges: list[Edge] = []
    enters: dict[str, str] = {}
    leaves: dict[str, str] = {}
    for key, node in graph.nodes.items():
        name = f"{prefix}{key}"
        inner: dict[str, Any] = {name: node}
        enters[key] = leaves[key] = name
        if kind_of(node) == "NIRGraph":
            nested = _flat(node, f"{name}.")
            inner, enters[key], leaves[key] = nested.nodes, nested.input, nested.output
            edges += nested.edges
        for twice in set(inner) & set(nodes):
            _checks.fail("graph", "have nodes with different names", f"{twice!r} twice")
        nodes |= inner
    for a, b in graph.edges:
        for end in (a, b):
            if end not in enters:
                edge = f"edge {prefix + a!r} -> {prefix + b!r}"
                _checks.fail(edge, "join nodes of the graph", repr(prefix + end))
        edges.append((leaves[a], enters[b]))
    ends = []
    for kind in ("Input", "Output"):
        keys = [key for key, node in graph.nodes.items() if kind_of(node) == kind]
        if len(keys) != 1:
            _checks.fail(named, f"have one {kind} node", ", ".join(map(repr, keys)) or "none")
        ends.append(prefix + keys[0])
    return _Flat(nodes, list(dict.fromkeys(edges)), input=ends[0], output=ends[1])


def _without_inner_ends(flat: _Flat) -> tuple[dict[str, Any], list[Edge]]:
    """Return nodes and edges without the inputs and outputs of nested graphs."""
    nodes, edges, outer = flat.nodes, flat.edges, (flat.input, flat.output)
    ends = [n for n, node in nodes.items() if kind_of(node) in ("Input", "Output") and n not in outer]
    for end in ends:
        before = [a for a, b in edges if b == end]
        behind = [b for a, b in edges if a == end]
        kept = [edge for edge in edges if end not in edge]
        edges = list(dict.fromkeys([*kept, *((a, b) for a in before for b in behind)]))
    return {name: node for name, node in nodes.items() if name not in ends}, edges


def _loop(name: str, nodes: dict[str, Any], edges: list[Edge]) -> list[str] | None:
    """Return the linear nodes of a neuron's only recurrent path, or None without exactly one path."""
    found = []
    for first in (b for a, b in edges if a == name):
        loop, at = [], first
        while at != name and kind_of(nodes[at]) in _LINEAR:
            behind = [b for a, b in edges if a == at]
            if len(behind) != 1 or sum(b == at for _, b in edges) != 1:
                break
            loop.append(at)
            at = behind[0]
        if at == name:
            found.append(loop)
    return found[0] if len(found) == 1 else None


def _check_cycles(names: list[str], edges: list[Edge]) -> None:
    """Raise ValueError if nodes without state form a cycle."""
    if in_cycle := _in_cycles([name for name in names if name not in _sorted(names, edges)], edges):
        _checks.fail("graph", "have a neuron in every cycle", ", ".join(map(repr, in_cycle)))


def _in_cycles(names: list[str], edges: list[Edge]) -> list[str]:
    """Return the names in or before a cycle, without those after it."""
    leads = _sorted(names, [(b, a) for a, b in edges])
    return [name for name in names if name not in leads]


def _sorted(names: Iterable[str], edges: list[Edge]) -> list[str]:
    """Return names in the order of the edges between them, without those in or after a cycle."""
    names = list(names)
    inner = [(a, b) for a, b in edges if a in names and b in names]
    waits = {name: sum(b == name for _, b in inner) for name in names}
    order = [name for name in names if waits[name] == 0]
    for name in order:  # grows as it goes
        for a, b in inner:
            if a == name:
                waits[b] -= 1
                if waits[b] == 0:
                    order.append(b)
    return order
