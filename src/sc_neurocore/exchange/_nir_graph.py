"""Structure of a NIR graph: flatten nested graphs, find feedback, order nodes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sc_neurocore import _checks
from sc_neurocore._files import DAMAGED
from sc_neurocore.exchange._nir_neurons import FIELDS, METADATA

Edge = tuple[str, str]

# Kinds of nodes that can form the recurrent weights of a neuron.
_LINEAR = ("Affine", "Linear", "Scale")


_GRAPH_FIELDS = ("nodes", "edges", "input_type", "output_type", "metadata")


@dataclass(frozen=True, eq=False)
class Ordered:
    """A flat graph in the order of the signal.

    Attributes
    ----------
    nodes : dict
        Nodes by name. Each follows its sources, except neurons from which it receives feedback.
    sources, targets : dict
        Names of the nodes before and after each node, without recurrent edges.
    loops : dict
        For each recurrent neuron, the names of the linear nodes through which it feeds itself.
    within : dict
        For each of these linear nodes, the name of its neuron.
    numbers : dict
        For each neuron, the number of its layer.
    reached : dict
        For each other node, the names of the neurons that it feeds, not through other neurons.
    feedback : set
        Pairs of layer numbers in a cycle: the second layer receives the spikes of the first of the
        previous time step.
    """

    nodes: dict[str, Any]
    sources: dict[str, list[str]]
    targets: dict[str, list[str]]
    loops: dict[str, list[str]]
    within: dict[str, str]
    numbers: dict[str, int]
    reached: dict[str, list[str]]
    feedback: set[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class _Flat:
    """Nodes and edges of a graph and of the graphs in it, and the names of its inputs and outputs."""

    nodes: dict[str, Any]
    edges: list[Edge]
    inputs: list[str]
    outputs: list[str]


def kind_of(node: Any) -> str:
    """Return the name of the NIR class of a node."""
    return type(node).__name__


def ordered(graph: Any) -> Ordered:
    """Return a graph flattened and ordered. Raise ValueError if a cycle has no neuron.

    Nodes of which none must precede the other are in the order of their names, as files store them.
    """
    nodes, edges = _without_inner_ends(_flat(graph, ""))
    _check_cycles([name for name, node in nodes.items() if kind_of(node) not in FIELDS], edges)
    nodes = dict(sorted(nodes.items()))
    neurons = [name for name, node in nodes.items() if kind_of(node) in FIELDS]
    loops = {name: loop for name in neurons if (loop := _loop(name, nodes, edges)) is not None}
    within = {inner: name for name, loop in loops.items() for inner in loop}
    recurrent = {
        pair for name, loop in loops.items() for pair in zip([name, *loop], [*loop, name], strict=True)
    }
    sources, targets = _neighbors(nodes, [edge for edge in edges if edge not in recurrent])
    before = {name: _before(name, nodes, sources) for name in neurons}
    feeds = {name: {x for x in before[name] if x in before} for name in neurons}
    inputs = {name for name, node in nodes.items() if kind_of(node) == "Input"}
    fed = {name for name in neurons if inputs & before[name]}
    behind = {name: _reach([name], feeds) for name in neurons}
    ranks = _ranks(graph)
    back = {
        (x, name)
        for name in neurons
        for x in feeds[name]
        if name in behind[x] and name in ranks and ranks.get(x, -1) >= ranks[name]
    }
    forward = {name: {x for x in feeds[name] if (x, name) not in back} for name in neurons}
    order = _order(forward, fed, ranks)
    numbers = {name: i for i, name in enumerate(order)}
    reached: dict[str, list[str]] = defaultdict(list)
    for name in order:
        for x in before[name]:
            if x not in numbers:
                reached[x].append(name)
    back |= {
        (x, name)
        for name in neurons
        for x in forward[name]
        if name in behind[x] and numbers[x] >= numbers[name]
    }
    feedback = {(numbers[x], numbers[name]) for x, name in back}
    names: dict[str, None] = {}
    for name in order:
        inner = [x for x in nodes if x in before[name] and x not in numbers and x not in names]
        inner.sort(key=lambda x: x not in inputs)
        names |= dict.fromkeys([*_sorted(inner, sources, targets), name, *loops.get(name, ())])
    rest = [x for x in nodes if x not in names]
    names |= dict.fromkeys(_sorted(rest, sources, targets))
    return Ordered(
        {name: nodes[name] for name in names},
        sources,
        targets,
        loops,
        within,
        numbers,
        dict(reached),
        feedback,
    )


def _neighbors(
    names: Iterable[str], edges: Iterable[Edge]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the sources and the targets of each node, in the order of the edges."""
    sources: dict[str, list[str]] = {name: [] for name in names}
    targets: dict[str, list[str]] = {name: [] for name in names}
    for a, b in edges:
        sources[b].append(a)
        targets[a].append(b)
    return sources, targets


def _before(name: str, nodes: Mapping[str, Any], sources: Mapping[str, list[str]]) -> set[str]:
    """Return the nodes from which a path without neurons in between leads to a neuron."""
    found: set[str] = set()
    open_ = list(sources[name])
    while open_:
        at = open_.pop()
        if at not in found:
            found.add(at)
            open_ += [] if kind_of(nodes[at]) in FIELDS else sources[at]
    return found


def _ranks(graph: Any) -> dict[str, int]:
    """Return the numbers of the layers by the name of their neurons, as `to_nir` stored them."""
    try:
        names = json.loads(graph.metadata[METADATA])["layers"]
        return {str(name): i for i, name in enumerate(names)}
    except DAMAGED:
        return {}


def _order(feeds: Mapping[str, set[str]], fed: set[str], ranks: Mapping[str, int]) -> list[str]:
    """Return neurons in the order in which they run, given the neurons that feed each.

    A neuron follows those that feed it. In a cycle, the first is one that is fed from outside of the
    cycle. If the numbers that `to_nir` stored are such an order, they are the order.
    """
    by_rank = sorted((name for name in feeds if name in ranks), key=lambda name: ranks[name])
    pairs = [(x, name) for name in feeds for x in sorted(feeds[name])]
    if len(by_rank) == len(feeds) and all(ranks[x] <= ranks[name] for x, name in pairs):
        return by_rank
    _, targets = _neighbors(feeds, pairs)
    waits = {name: len(feeds[name] - {name}) for name in feeds}
    order: list[str] = []
    fed = set(fed)
    ready = [name for name in feeds if waits[name] == 0]
    left = dict.fromkeys(feeds)
    while left:
        first = ready.pop(0) if ready else _first_of_cycle(left, feeds, fed)
        del left[first]
        order.append(first)
        for name in targets[first]:
            fed.add(name)
            waits[name] -= name != first
            if waits[name] == 0 and name in left and name not in ready:
                ready.append(name)
    return order


def _first_of_cycle(left: Iterable[str], feeds: Mapping[str, set[str]], fed: set[str]) -> str:
    """Return the neuron that runs first of a cycle that waits for no neuron outside of it."""
    left = list(left)
    inner = {name: {x for x in feeds[name] if x in left} for name in left}
    behind = {name: _reach([name], inner) for name in left}
    cycle = [name for name in left if all(name in behind[x] for x in behind[name])]
    return next((name for name in cycle if name in fed), cycle[0])


def _reach(names: Iterable[str], feeds: Mapping[str, set[str]]) -> set[str]:
    """Return all neurons from which a path leads to one of the named neurons."""
    found: set[str] = set()
    open_ = list(names)
    while open_:
        more = feeds[open_.pop()] - found
        found |= more
        open_ += more
    return found


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
            inner, (enters[key],), (leaves[key],) = nested.nodes, nested.inputs, nested.outputs
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
    ends: list[list[str]] = []
    for kind in ("Input", "Output"):
        keys = [key for key, node in graph.nodes.items() if kind_of(node) == kind]
        if not keys or (prefix and len(keys) > 1):
            _checks.fail(named, f"have one {kind} node", ", ".join(map(repr, keys)) or "none")
        ends.append([prefix + key for key in sorted(keys)])
    return _Flat(nodes, list(dict.fromkeys(edges)), *ends)


def _without_inner_ends(flat: _Flat) -> tuple[dict[str, Any], list[Edge]]:
    """Return nodes and edges without the inputs and outputs of nested graphs."""
    nodes, edges, outer = flat.nodes, flat.edges, (*flat.inputs, *flat.outputs)
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
    if sum(b == name for _, b in edges) < 2:
        return None  # only its own spikes reach it: it is its own source
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
    sources, targets = _neighbors(names, [(a, b) for a, b in edges if a in names and b in names])
    in_order = _sorted(names, sources, targets)
    waiting = [name for name in names if name not in in_order]
    ends = _sorted(waiting, targets, sources)  # nodes after a cycle
    if in_cycle := [name for name in waiting if name not in ends]:
        _checks.fail("graph", "have a neuron in every cycle", ", ".join(map(repr, in_cycle)))


def _sorted(
    names: list[str], sources: Mapping[str, list[str]], targets: Mapping[str, list[str]]
) -> list[str]:
    """Return some nodes in the order of the edges between them, without those in or after a cycle."""
    inner = set(names)
    waits = {name: sum(x in inner for x in sources[name]) for name in names}
    order = [name for name in names if waits[name] == 0]
    for name in order:  # grows as it goes
        for target in targets[name]:
            if target in inner:
                waits[target] -= 1
                if waits[target] == 0:
                    order.append(target)
    return order
