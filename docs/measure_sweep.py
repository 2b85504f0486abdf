"""Run examples/sweep_dask.py, write its figures to sweep_dask.json, and fill in the page on sweeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from draw_results import fill, table

HERE = Path(__file__).parent
FIGURES, PAGE = HERE / "sweep_dask.json", HERE / "howto" / "sweep.md"


def content(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    rows = [
        [
            str(run["workers"]),
            f"{1000 * run['overhead']:.0f} ms",
            f"{run['wall']:.0f} s",
            f"{run['work']:.0f} s",
            f"{run['efficiency']:.0%}",
        ]
        for run in figures["runs"]
    ]
    header = ["workers", "overhead per point", "wall time", "work", "efficiency"]
    busy = max(run["busy"] for run in figures["runs"])
    said = (
        f"{figures['points']} points on a machine of two cores, on which about {busy:.0f} programs "
        "were ready to run at a time, so that wall times say little."
    )
    return f"{said}\n\n{table(header, rows)}"


if __name__ == "__main__":
    example = HERE.parent / "examples" / "sweep_dask.py"
    subprocess.run([sys.executable, example, "--figures", FIGURES], check=True)
    PAGE.write_text(fill(PAGE.read_text(), "dask", content(json.loads(FIGURES.read_text()))))
