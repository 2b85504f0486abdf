"""Drawings of circuits, as text in the language DOT of Graphviz."""

from __future__ import annotations

from collections.abc import Mapping

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


def dot(inputs: Mapping[str, Net], outputs: Mapping[str, Net]) -> str:
    """Return a graph of inputs, operators, loops and outputs."""
    number: dict[Origin, int] = {}
    lines = ["digraph circuit {", "  rankdir=LR; node [shape=box, fontname=sans];"]
    todo: list[Origin] = [net.origin for net in (*inputs.values(), *outputs.values())]
    while todo:
        origin = todo.pop(0)
        if origin in number:
            continue
        number[origin] = len(number)
        sources = list(origin.results) if isinstance(origin, Loop) else operands(origin)
        if isinstance(origin, Loop):
            todo += [held.origin for held in origin.held]
        todo += [net.origin for net in sources]
    for origin, n in number.items():
        lines.append(f"  n{n} [{_style(origin)}];")
    for origin, n in number.items():
        if isinstance(origin, Loop):
            for held, result in zip(origin.held, origin.results, strict=True):
                lines.append(f"  n{number[result.origin]} -> n{n};")
                lines.append(f"  n{n} -> n{number[held.origin]} [style=dashed, constraint=false];")
        else:
            lines += [f"  n{number[net.origin]} -> n{n};" for net in operands(origin)]
    for i, (name, net) in enumerate(outputs.items()):
        lines.append(f'  out{i} [label="{name}", shape=oval];')
        lines.append(f"  n{number[net.origin]} -> out{i};")
    return "\n".join([*lines, "}", ""])


def _style(origin: Origin) -> str:
    if isinstance(origin, Input):
        return f'label="{origin.name}", shape=oval'
    if isinstance(origin, Call):
        return f'label="{origin.name}"'
    label = {Constant: "constant", Held: "flip-flop", Loop: "loop"}[type(origin)]
    return f'label="{label}"' + (", shape=point" if isinstance(origin, Loop) else "")
