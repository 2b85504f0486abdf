"""Drawings of circuits, as text in the language DOT of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sc_neurocore.circuits._nets import (
    Call,
    Constant,
    Held,
    Input,
    Loop,
    Net,
    Origin,
    operands,
)

__all__ = ["dot"]

# A node of the drawing: an origin, and for an element of an input its index.
_Node = tuple[Origin, str]


def dot(inputs: Mapping[str, Net], outputs: Mapping[str, Net]) -> str:
    """Return a graph of inputs, operators, loops and outputs.

    Elements of an input are drawn as inputs. Calls that only arrange streams are not drawn.
    """
    number: dict[_Node, int] = {}
    todo = [node for net in outputs.values() for node in _nodes(net)]
    while todo:
        node = todo.pop(0)
        if node not in number:
            number[node] = len(number)
            todo += [other for other, _ in _edges(node)]
    used = {origin for origin, _ in number}
    for net in inputs.values():
        if net.origin not in used:
            number[net.origin, ""] = len(number)
    lines = ["digraph circuit {", "  rankdir=LR; node [shape=box, fontname=sans];"]
    lines += [f"  n{n} [{_style(node)}];" for node, n in number.items()]
    for node, n in number.items():
        for other, style in _edges(node):
            arrow = f"n{n} -> n{number[other]}" if style else f"n{number[other]} -> n{n}"
            lines.append(f"  {arrow}{style};")
    for i, (name, net) in enumerate(outputs.items()):
        lines.append(f"  out{i} [label={_quoted(name)}, shape=oval];")
        lines += [f"  n{number[node]} -> out{i};" for node in _nodes(net)]
    return "\n".join([*lines, "}", ""])


def _nodes(net: Net) -> Iterator[_Node]:
    """Yield the nodes that a net comes from."""
    origin = net.origin
    name = origin.name if isinstance(origin, Call) else ""
    if isinstance(origin, Call) and name in ("stack", "reshaped"):
        for operand in operands(origin):
            yield from _nodes(operand)
    elif isinstance(origin, Call) and name == "item" and isinstance(origin.args[0].origin, Input):
        yield origin.args[0].origin, _index(origin)
    else:
        yield origin, ""


def _edges(node: _Node) -> Iterator[tuple[_Node, str]]:
    """Yield the nodes that a node depends on, and the flip-flops that a loop feeds, with a style."""
    origin, index = node
    if index:
        return
    if isinstance(origin, Loop):
        for held, result in zip(origin.held, origin.results, strict=True):
            yield from ((other, "") for other in _nodes(result))
            yield (held.origin, ""), " [style=dashed, constraint=false]"
    else:
        yield from ((other, "") for net in operands(origin) for other in _nodes(net))


def _index(item: Call) -> str:
    """Return the index of a call of an item, as Python writes it."""
    parts = [
        f"{k.start or ''}:{k.stop or ''}" if isinstance(k, slice) else str(k) for k in item.args[1]
    ]
    return f"[{', '.join(parts)}]"


def _style(node: _Node) -> str:
    origin, index = node
    if isinstance(origin, Input):
        return f"label={_quoted(origin.name + index)}, shape=oval"
    if isinstance(origin, Call):
        return f"label={_quoted(_index(origin) if origin.name == 'item' else _called(origin))}"
    label = {Constant: "constant", Held: "flip-flop", Loop: "loop"}[type(origin)]
    return f'label="{label}"' + (", shape=point" if isinstance(origin, Loop) else "")


def _called(call: Call) -> str:
    """Return the name of an operator with its numbers, such as states or delays."""
    numbers = [str(a) for a in call.args if isinstance(a, int | float) and not isinstance(a, bool)]
    return call.name + (f"({', '.join(numbers)})" if numbers else "")


def _quoted(text: str) -> str:
    """Return a string of the language DOT."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
