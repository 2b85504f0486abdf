"""Measure the figures of operators.md: cells, clock rate and run time of each operator.

python docs/measure_operators.py          measure, write docs/operators.json, update the page
python docs/measure_operators.py uMUL     measure run times, and cells only of the operators named
python docs/measure_operators.py --draw   update the page from docs/operators.json alone
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from draw_results import fill, table

from sc_neurocore import LFSR, Bipolar, encode, operators, scaled_add, stack
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import circuit_verilog, synthesize

DOCS = Path(__file__).parent
FIGURES, PAGE = DOCS / "operators.json", DOCS / "operators.md"


class Row(NamedTuple):
    """An operator: the names it goes by, its function, where else it is, and its law in short.

    `built` is the function in hardware, if that is another one.
    """

    name: str
    ours: str
    function: Callable[..., Any]
    others: str
    value: str
    variance: str
    needs: str
    hardware: bool = True
    built: Callable[..., Any] | None = None


def three(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of three streams from one of a batch."""
    return lambda x, y, z: function(stack([x, y, z]))


def two_of_four(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of eight streams from one of a batch of shape (2, 4)."""
    return lambda a, b, c, d, e, f, g, h: function(
        stack([stack(pair) for pair in ((a, e), (b, f), (c, g), (d, h))])
    )


op = operators
ROWS = [
    Row("product", "`multiply`", op.multiply, "UnarySim, napl, BitSAD", "pq", "z(1-z)/L", "SCC 0"),
    Row(
        "product, bipolar",
        "`Bipolar *`",
        lambda x, y: (Bipolar(x) * Bipolar(y)).stream,
        "UnarySim, napl, BitSAD",
        "xy",
        "(1-x²y²)/L",
        "SCC 0",
    ),
    Row(
        "uMUL",
        "`umul`",
        op.umul,
        "UnarySim, napl",
        "pq",
        "pq(1-q)/L",
        "any",
        built=lambda x: op.umul(x, encode(0.4, x.length, key=1, source=LFSR(8))),
    ),
    Row(
        "uMUL, bipolar",
        "`umul(bipolar=True)`",
        lambda x, y: op.umul(x, y, bipolar=True),
        "UnarySim, napl",
        "xy",
        "abs(2n/L-1) q(1-q)/L",
        "any",
        built=lambda x: op.umul(x, encode(0.4, x.length, key=1, source=LFSR(8)), bipolar=True),
    ),
    Row(
        "uMUL, in-stream",
        "`umul(window=64)`",
        lambda x, y: op.umul(x, y, window=64, key=1),
        "UnarySim, napl",
        "pq",
        "(pq(1-pq) + p²q(1-q))/L",
        "SCC 0",
        built=lambda x, y: op.umul(x, y, window=64, key=1, source=LFSR(8, zero=True)),
    ),
    Row(
        "square by delay", "`square`", lambda x: op.square(x), "napl", "p²", "p²(1-p)(1+3p)/L", "white"
    ),
    Row(
        "scaled sum, multiplexer",
        "`scaled_add`",
        lambda x, y: scaled_add(stack([x, y]), key=1, source=LFSR(8)),
        "UnarySim, napl, BitSAD, scsynth",
        "(p+q)/2",
        "z(1-z)/L",
        "any; selects SCC 0",
    ),
    Row(
        "scaled sum, flip-flop",
        "`toggle_add`",
        lambda x, y: op.toggle_add(stack([x, y])),
        "-",
        "(p+q)/2",
        "that of the inputs / 4",
        "any",
    ),
    Row(
        "scaled sum, counter (uSADD)",
        "`uadd(x)`, three inputs",
        three(lambda x: op.uadd(x)),
        "UnarySim, napl, BitSAD",
        "mean of p_i",
        "that of the inputs / n²",
        "any",
    ),
    Row(
        "non-scaled sum (uNSADD), bipolar",
        "`uadd(x, 1, bipolar=True, depth=16)`",
        three(lambda x: op.uadd(x, 1, bipolar=True, depth=16)),
        "UnarySim, napl, BitSAD",
        "clipped sum of x_i",
        "chain",
        "any",
    ),
    Row(
        "saturating sum, buffer",
        "`buffered_add(x, y, 4)`",
        lambda x, y: op.buffered_add(x, y, 4),
        "-",
        "min(1, p+q)",
        "chain",
        "any",
    ),
    Row(
        "OR sum", "`saturating_add`", op.saturating_add, "UnarySim", "min(1, p+q)", "z(1-z)/L", "SCC -1"
    ),
    Row(
        "majority",
        "`majority`, three inputs",
        three(lambda x: op.majority(x)),
        "-",
        "P(more than half)",
        "z(1-z)/L",
        "SCC 0 (vote), +1 (median)",
    ),
    Row(
        "multiplexer",
        "`multiplex`",
        op.multiplex,
        "UnarySim, scsynth",
        "sp + (1-s)q",
        "z(1-z)/L",
        "selects SCC 0",
    ),
    Row(
        "sorting-network sum",
        "`Integral(x).sorted()`, three lines",
        lambda x, y, z: op.Integral(stack([x, y, z])).sorted().lines,
        "-",
        "sum of x_i",
        "that of the inputs",
        "any",
    ),
    Row(
        "quotient, CORDIV",
        "`cordiv`",
        op.cordiv,
        "UnarySim, napl",
        "p/q",
        "Q(1-Q)(2-q)/(qL)",
        "SCC +1, white",
    ),
    Row(
        "quotient, bipolar in-stream",
        "`Bipolar /`",
        lambda x, y: (Bipolar(x) / Bipolar(y)).stream,
        "UnarySim, napl",
        "x/y",
        "-",
        "white",
    ),
    Row(
        "square root, counter",
        "`gaines_sqrt(x, 5)`",
        lambda x: op.gaines_sqrt(x, 5, key=1)[0],
        "UnarySim, napl, BitSAD",
        "√p",
        "√p(1-p)/2^(n+1) of the counter",
        "white",
        False,
    ),
    Row(
        "square root, JK flip-flop",
        "`jk_sqrt(x, 0)`",
        lambda x: op.jk_sqrt(x, 0),
        "UnarySim, napl",
        "2p/(1+p)",
        "chain",
        "white",
    ),
    Row(
        "square root, JK flip-flop and buffer",
        "`jk_sqrt(x, 4)`",
        lambda x: op.jk_sqrt(x, 4, key=1, source=LFSR(8)),
        "-",
        "√p",
        "chain",
        "white",
    ),
    Row(
        "minimum",
        "`minimum`",
        lambda x, y: op.minimum(x, y),
        "napl, BitSAD",
        "min(p, q)",
        "z(1-z)/L",
        "SCC +1",
    ),
    Row(
        "maximum",
        "`maximum`",
        lambda x, y: op.maximum(x, y),
        "napl, BitSAD",
        "max(p, q)",
        "z(1-z)/L",
        "SCC +1",
    ),
    Row(
        "maximum, counter",
        "`maximum(x, y, 8)`",
        lambda x, y: op.maximum(x, y, 8),
        "napl",
        "max(p, q)",
        "chain",
        "any, white",
    ),
    Row(
        "comparison",
        "`greater(x, y, 8)`",
        lambda x, y: op.greater(x, y, 8),
        "napl",
        "p > q",
        "chain",
        "any, white",
    ),
    Row(
        "max pooling",
        "`max_pool(x, 8)`, three inputs",
        three(lambda x: op.max_pool(x, 8)),
        "napl, BitSAD",
        "max p_i",
        "chain",
        "any, white",
    ),
    Row(
        "sign, hyperbolic tangent",
        "`stanh(x, 16)`",
        lambda x: op.stanh(x, 16),
        "UnarySim, napl",
        "tanh(8 artanh(x))",
        "chain",
        "white",
    ),
    Row(
        "magnitude",
        "`maximum(x, ~x, 8)`",
        lambda x: op.maximum(x, ~x, 8),
        "UnarySim, napl",
        "abs(x)",
        "chain",
        "white",
    ),
    Row(
        "rectifier (ReLU)",
        "`Bipolar.to_unipolar(16)`",
        lambda x: Bipolar(x).to_unipolar(16).stream,
        "UnarySim, napl",
        "max(0, x)",
        "chain",
        "white",
    ),
    Row(
        "Btanh",
        "`btanh(x, 6)`, three inputs",
        three(lambda x: op.btanh(x, 6)),
        "-",
        "tanh(x)",
        "chain",
        "SCC 0, white",
    ),
    Row(
        "softmax, two values of four lines, eight lines each",
        "`Integral.softmax(2, 8, 2)`",
        two_of_four(lambda x: op.Integral(x).softmax(2, 8, 2).lines),
        "-",
        "softmax(x/2)",
        "-",
        "any",
    ),
]


def cells(row: Row, folder: str) -> dict[str, Any]:
    """Return LUTs, registers and the clock rate of an operator on iCE40."""
    path = Path(folder) / "operator.v"
    path.write_text(circuit_verilog(Circuit.trace(row.built or row.function), "operator"))
    made = synthesize([path], "operator", "ice40", folder, place=True)
    return {"luts": made.luts, "flip_flops": made.flip_flops, "mhz": made.mhz and round(made.mhz)}


def picoseconds(row: Row) -> float:
    """Return processor time per time step, for 256 rows of 4,096 steps: the least of 28 runs."""
    parameters = inspect.signature(row.function).parameters.values()
    n = sum(p.default is p.empty for p in parameters)
    x = encode(np.full((n, 256), 0.4), 4096, key=5)
    times = []
    for _ in range(28):
        begin = time.process_time()
        row.function(*x)
        times.append(time.process_time() - begin)
    return float(f"{1e12 * min(times) / (256 * 4096):.2g}")


def measured(known: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the figures of operators by name: known ones, with new run times and cells of `names`."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            found[row.name] = known.get(row.name, {}) | {"picoseconds": picoseconds(row)}
            if row.hardware and (not names or row.name in names):
                found[row.name] |= cells(row, folder)
    return found


def operator_table(found: dict[str, Any]) -> str:
    """Return the table of the page."""
    head = [
        "operator",
        "here",
        "also in",
        "value",
        "variance",
        "correlation",
        "LUTs",
        "FFs",
        "MHz",
        "ps per bit",
    ]
    lines = []
    for row in ROWS:
        figures = found[row.name]
        hardware = [str(figures.get(key) or "-") for key in ("luts", "flip_flops", "mhz")]
        time = f"{figures['picoseconds']:,.0f}"
        lines.append([*(str(row[i]) for i in (0, 1, 3, 4, 5, 6)), *hardware, time])
    return table(head, lines)


def main() -> None:
    """Measure, unless --draw is given, and update the page."""
    names = sys.argv[1:]
    if names != ["--draw"]:
        known = json.loads(FIGURES.read_text()) if names else {}
        FIGURES.write_text(json.dumps(measured(known, names), indent=1) + "\n")
    content = operator_table(json.loads(FIGURES.read_text()))
    PAGE.write_text(fill(PAGE.read_text(), "operators", content))


if __name__ == "__main__":
    main()
