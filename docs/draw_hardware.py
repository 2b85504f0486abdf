"""Draw the blocks of designs from their Verilog (needs Yosys, and Graphviz for the pictures).

python docs/draw_hardware.py    write docs/pictures/hardware_*.svg
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sc_neurocore import FixedPoint, load_digits
from sc_neurocore.hardware import Design, tools, verilog, write

PICTURES = Path(__file__).parent / "pictures"
CLOCKING = {"clk", "rst", "clear"}  # which reach all blocks
# Colors of text, wide nets, single bits, blocks and ground, on light and dark pages.
LIGHT = {"ink": "black", "data": "#0072b2", "control": "#777777", "block": "#e8f1f8", "ground": "white"}
DARK = {
    "ink": "#e6e6e6",
    "data": "#56b4e9",
    "control": "#a0a0a0",
    "block": "#1d2b36",
    "ground": "transparent",
}


def designs() -> dict[str, Design]:
    """Return the designs that are drawn, by the name of their picture."""
    network, bits = load_digits().network, FixedPoint(bits=3)
    return {
        f"hardware_{kind}": Design(network, 8, fixed_point=bits, architecture=kind, name="digits")
        for kind in ("unrolled", "folded")
    }


def hierarchy(design: Design) -> dict[str, Any]:
    """Return the modules of a design as Yosys reads them, by name."""
    with tempfile.TemporaryDirectory() as folder:
        text = verilog(design)
        write(text, folder)
        files = [Path(folder) / name for name in text if name.endswith(".v")]
        out = Path(folder) / "hierarchy.json"
        script = [
            f"read_verilog -defer {tools.quoted(files)}",
            f"hierarchy -top {design.name}",
            "proc",
            f"write_json {tools.quoted([out])}",
        ]
        tools.yosys(script, folder)
        return dict(json.loads(out.read_text())["modules"])


def plain(module: str) -> str:
    """Return the name of a module without the parameters that Yosys adds."""
    return next(part for part in module.split("\\") if part and not part.startswith("$"))


def contents(modules: dict[str, Any], name: str) -> Iterator[tuple[str, int]]:
    """Yield the modules and memories inside a module with their numbers, down to the leaves."""
    module = modules[name]
    for memory, shape in module.get("memories", {}).items():
        yield f"{memory}: {shape['size']} x {shape['width']} bits", 1
    inside = Counter(cell["type"] for cell in module["cells"].values() if cell["type"] in modules)
    merged: Counter[str] = Counter()
    for kind, n in inside.items():
        for line, times in [(plain(kind), 1), *contents(modules, kind)]:
            merged[line] += n * times
    yield from merged.items()


def label(modules: dict[str, Any], instance: str, kind: str, color: str) -> str:
    """Return the label of a block: instance, module, and what is inside."""
    found: Counter[str] = Counter()
    for line, n in contents(modules, kind):
        found[line] += n
    small, cell = '<font point-size="9">', '<tr><td align="left">'
    lines = [f"{line} ({n:,})" if n > 1 else line for line, n in found.items()]
    head = f"<tr><td><b>{instance}</b></td></tr>"
    head += f'<tr><td><font color="{color}">{plain(kind)}</font></td></tr>'
    rows = "".join(f"{cell}{small}{line}</font></td></tr>" for line in lines)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{head}{rows}</table>>'


def nets(modules: dict[str, Any], top: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield the nets between blocks as driver, reader, name and number of bits."""
    module = modules[top]
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if not net.get("hide_name"):
            for bit in net["bits"]:
                names.setdefault(bit, name)
    driver: dict[int, str] = {}
    readers: list[tuple[str, int]] = []
    for name, port in module["ports"].items():
        for bit in port["bits"]:
            if port["direction"] == "input":
                driver[bit] = name
            else:
                readers.append((name, bit))
    for instance, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            for bit in bits:
                if cell["port_directions"][port] == "output":
                    driver[bit] = instance
                else:
                    readers.append((instance, bit))
    width: dict[tuple[str, str, str], int] = defaultdict(int)
    for reader, bit in readers:
        if bit in driver and names[bit] not in CLOCKING:
            width[driver[bit], reader, names[bit]] += 1
    for (start, end, name), n in width.items():
        yield start, end, name, n


def dot(design: Design, colors: dict[str, str] = LIGHT) -> str:
    """Return the blocks of a design as a graph in the language DOT."""
    modules, top = hierarchy(design), design.name
    lines = [
        f"digraph {top} {{",
        "nodesep=0.45; ranksep=0.45; splines=true;",
        f'bgcolor="{colors["ground"]}"; node [fontcolor="{colors["ink"]}"];',
        'node [fontname="sans", fontsize=11]; edge [fontname="sans", fontsize=9, arrowsize=0.6];',
    ]
    ports = [name for name in modules[top]["ports"] if name not in CLOCKING]
    lines += [f"{name} [shape=plaintext];" for name in ports]
    for instance, cell in modules[top]["cells"].items():
        text = label(modules, instance, cell["type"], colors["data"])
        lines.append(
            f'{instance} [shape=box, style="rounded,filled", color="{colors["data"]}", '
            f'fillcolor="{colors["block"]}", label={text}];'
        )
    together: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for start, end, name, n in nets(modules, top):
        shown = "" if name in (start, end) else name
        together[start, end, n > 1].append(f"{shown} [{n}]".strip() if n > 1 else shown)
    for (start, end, wide), names in together.items():
        color, pen = (colors["data"], 1.6) if wide else (colors["control"], 0.8)
        text = "\\n".join(filter(None, names))
        lines.append(
            f'{start} -> {end} [label="{text}", color="{color}", fontcolor="{color}", penwidth={pen}];'
        )
    return "\n".join([*lines, "}", ""])


def main() -> None:
    """Draw all pictures."""
    for name, design in designs().items():
        for suffix, colors in (("", LIGHT), ("_dark", DARK)):
            picture = PICTURES / f"{name}{suffix}.svg"
            graph = dot(design, colors)
            subprocess.run(["dot", "-Tsvg", "-o", picture], input=graph, text=True, check=True)
            print(f"wrote {picture}")


if __name__ == "__main__":
    main()
