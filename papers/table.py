"""Run the scripts of this folder at full size, and fill the table of README.md.

python papers/table.py [NAME ...]

Only the named scripts run, by default all; the figures of the others come from results.json.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

from rows import Row

HERE = Path(__file__).parent
FIGURES, PAGE = HERE / "results.json", HERE / "README.md"
# Scripts in the order of the table.
SCRIPTS = (
    "scc_gates",
    "gamma_correction",
    "sobol_products",
    "deterministic_products",
    "correlation_circuits",
    "image_filters",
    "ssa_attention",
    "ugemm_network",
)


def title(name: str) -> str:
    """Return the first heading of a script."""
    found = re.search(r"^# # (.*)$", (HERE / f"{name}.py").read_text(), re.MULTILINE)
    assert found
    return found[1]


def table(results: dict[str, list[list[str]]]) -> str:
    """Return the table: a row for each quantity, below the title of its script."""
    lines = ["| quantity | published | here |", "|---|--:|--:|"]
    for name in SCRIPTS:
        lines.append(f"| **[{title(name)}]({name}.py)** | | |")
        rows = [Row(*cells) for cells in results[name]]
        lines += [f"| {row.quantity} | {row.published} | {row.here} |" for row in rows]
    return "\n".join(lines)


def filled(page: str, results: dict[str, list[list[str]]]) -> str:
    """Return the page with its table."""
    marks = re.compile(r"(<!-- table -->\n).*(<!-- /table -->)", re.DOTALL)
    text: str = marks.sub(lambda found: f"{found[1]}\n{table(results)}\n\n{found[2]}", page)
    return text


def main() -> None:
    """Run scripts, and write figures and table."""
    results = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in sys.argv[1:] or SCRIPTS:
        print(name, flush=True)
        results[name] = [list(row) for row in importlib.import_module(name).results()]
        FIGURES.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
