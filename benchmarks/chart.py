"""Make the pictures and the tables of README and docs/performance.md from build/bench/results.json.

Every figure comes from the one run that the file holds. Tables stand between `<!-- name -->` and
`<!-- /name -->`; the text in between is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path
from textwrap import fill as fill_line
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from peers import BUILD, BUSY, OURS, PEERS
from workloads import WORKLOADS, Workload, shown

from sc_neurocore.plot._style import color

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import both_themes  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
SLOWER_COLOR = "#9aa5b1"
Rows = list[dict[str, Any]]


def best_of_each(rows: Rows) -> Rows:
    """Return the faster of one thread and all for every package, ours first."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["name"] not in best or row["ratio"] < best[row["name"]]["ratio"]:
            best[row["name"]] = row
    ours = best[OURS]["ratio"]
    return [{**row, "ratio": row["ratio"] / ours} for row in best.values()]


def figure_of(seconds: float, unit: str) -> str:
    """Return a figure with its unit, to three digits."""
    value = shown(seconds, unit)
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:#.3g}".rstrip(".") + f" {unit}"


def ratio_of(ratio: float) -> str:
    """Return a ratio to two digits."""
    if ratio >= 10:
        return f"{float(f'{ratio:.2g}'):,.0f}"
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def table(heads: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table whose first column is left-aligned, the others right-aligned."""
    rule = "|---|" + "--:|" * (len(heads) - 1)
    return "\n".join(
        ["| " + " | ".join(heads) + " |", rule, *("| " + " | ".join(c) + " |" for c in lines)]
    )


def measured_on(results: dict[str, Any]) -> str:
    """Return the sentence that describes the run and the machine."""
    peers = {n: v for n, v in results["compare"]["versions"].items() if n not in (OURS, "plain Python")}
    versions = results["versions"]
    missing = results["compare"]["missing"]
    isa = results["isa"].upper().replace("AVX5", "AVX-5")
    load = results.get("load", 0.0)
    notes = f" The machine was not idle (load {load:.1f} at the start)." if load > BUSY else ""
    notes += f" Not installed: {', '.join(missing)}." if missing else ""
    return (
        f"`make bench` on {results['date']}: {results['processor']}, "
        f"{results['cores']} cores, {isa}; Python {versions['Python']}, "
        + ", ".join(f"{name} {version}" for name, version in peers.items())
        + f".{notes}"
    )


def readme_table(results: dict[str, Any]) -> str:
    """Return the time of each workload relative to ours, one column per package."""
    compared = results["compare"]["rows"]
    names = [name for name in PEERS if name != OURS]
    names = [n for n in names if any(r["name"] == n for rows in compared.values() for r in rows)]
    lines = []
    for workload in WORKLOADS:
        rows = {row["name"]: row for row in best_of_each(compared[workload.case])}
        cells = [ratio_of(rows[name]["ratio"]) if name in rows else "" for name in names]
        lines.append([workload.title, figure_of(rows[OURS]["seconds"], workload.unit), *cells])
    return f"{measured_on(results)}\n\n" + table(["work", OURS, *names], lines)


def compare_table(results: dict[str, Any]) -> str:
    """Return every row of the comparison, with threads and spread."""
    lines = []
    for workload in WORKLOADS:
        for i, row in enumerate(results["compare"]["rows"][workload.case]):
            spread = f"± {100 * row['spread'] / row['seconds']:.0f} %"
            what = workload.title if i == 0 else ""
            figure = figure_of(row["seconds"], workload.unit)
            lines.append([what, row["name"], row["threads"], figure, spread, ratio_of(row["ratio"])])
    body = table(["work", "package", "threads", "median", "spread", "relative time"], lines)
    goals = [
        f"- {g['title']}: {ratio_of(g['ratio'])}, goal {g['goal']:g}, "
        + ("reached" if g["holds"] else "not reached")
        for g in results["compare"]["goals"]
    ]
    return f"{measured_on(results)}\n\n{body}\n\nGoals:\n\n" + "\n".join(goals)


def ceilings_table(results: dict[str, Any]) -> str:
    """Return rates and shares of the bound, one column per instruction set, and the limits."""
    kernels, limits = results["ceilings"]["kernels"], results["ceilings"]["limits"]
    levels, goals = list(limits), results["ceilings"]["goals"]
    lines = []
    for name, cells in kernels.items():
        goal = f"{100 * goals[name]:.0f} %" if name in goals else ""
        shares = [f"{c['rate'] * 1e-9:.3g} ({100 * c['share']:.0f} %)" for c in cells.values()]
        lines.append([name, *shares, goal])
    rates = table(["10⁹ bits, updates or products per second", *levels, "goal, avx512"], lines)
    names = [name for name in limits[levels[0]] if name != "lanes"]
    lines = [[f"`{n}`", *(f"{limits[level][n] * 1e-9:.3g}" for level in levels)] for n in names]
    return f"{rates}\n\n" + table(
        ["10⁹ instructions, blocks, bits or bytes per second", *levels], lines
    )


def scaling_table(results: dict[str, Any]) -> str:
    """Return the slopes, and the large layer."""
    lines = [
        [c["axis"], str(c["threads"]), f"{c['sizes'][0]} to {c['sizes'][-1]}", f"{c['slope']:.2f}"]
        for c in results["scaling"]["curves"]
    ]
    large = results["scaling"]["large"]
    peak, weights = large["peak"] / 2**30, large["weights"] / 2**30
    slopes = table(["varied", "threads", "sizes", "slope"], lines)
    return (
        f"{slopes}\n\nA layer of 10,000 by 10,000 takes {large['build']:.1f} s to build, "
        f"{large['first']:.1f} s for its first 64 steps, {large['run']:.1f} s for 64 more steps, "
        f"{large['shared']:.1f} s if its neurons share their random numbers, and at most "
        f"{peak:.1f} GiB of memory, of which {weights:.2f} GiB are its weights."
    )


def draw_bars(axes: Axes, workload: Workload, rows: Rows) -> None:
    """Draw the time of every package relative to ours, the slowest at the bottom."""
    ours, *others = best_of_each(rows)
    others.sort(key=lambda row: float(row["ratio"]))
    ratios = [row["ratio"] for row in others]
    colors = [color(1) if ratio < 1 else SLOWER_COLOR for ratio in ratios]
    axes.barh(range(len(others)), [r - 1 for r in ratios], left=1, color=colors, height=0.7)
    for i, ratio in enumerate(ratios):
        axes.annotate(
            ratio_of(ratio),
            (max(ratio, 1), i),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(others)), [row["name"] for row in others], fontsize=8)
    axes.set_ylim(len(others) - 0.4, -0.6)
    axes.axvline(1, color=color(0), lw=2)
    axes.set_title(
        f"{fill_line(workload.title, 56)}\nsc-neurocore: {figure_of(ours['seconds'], workload.unit)}",
        fontsize=8,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)


def speed(results: dict[str, Any]) -> Figure:
    """Return one panel per workload, on one logarithmic axis."""
    cases = ("step", "step noise", "population shared", "population own", "population shared noise",
             "network", "layer", "encode", "product", "dot")  # fmt: skip
    drawn = [workload for workload in WORKLOADS if workload.case in cases]
    compared = results["compare"]["rows"]
    bars = [len(best_of_each(compared[workload.case])) for workload in drawn]
    heights = [max(pair) for pair in zip(bars[::2], bars[1::2], strict=True)]
    figure = Figure((10, 11), layout="constrained")
    grid = figure.subplots(len(heights), 2, sharex=True, height_ratios=heights).ravel()
    for axes, workload in zip(grid, drawn, strict=True):
        draw_bars(axes, workload, compared[workload.case])
    for axes in grid[-2:]:
        axes.set_xlabel("run time relative to sc-neurocore (blue: 1), log scale", fontsize=8)
    _, most = grid[0].get_xlim()
    grid[0].set_xlim(right=most * 2)  # room for the last label
    return figure


def scaling(results: dict[str, Any]) -> Figure:
    """Return one panel per varied size, with a straight line of slope 1."""
    found = results["scaling"]
    figure = Figure((10, 3.4), layout="constrained")
    panels = figure.subplots(1, len(found["base"]), sharey=True)
    for axes, axis in zip(panels, found["base"], strict=True):
        for curve in (c for c in found["curves"] if c["axis"] == axis):
            milliseconds = [1e3 * s for s in curve["seconds"]]
            plural = "s" if curve["threads"] > 1 else ""
            label = f"{curve['threads']} thread{plural}, slope {curve['slope']:.2f}"
            (line,) = axes.loglog(curve["sizes"], milliseconds, "o-", ms=4, label=label)
            anchor = milliseconds[-1] / curve["sizes"][-1]
            axes.plot(
                curve["sizes"], [anchor * n for n in curve["sizes"]], ":", lw=1, color=line.get_color()
            )
        axes.set_xlabel(axis)
        axes.set_xticks(curve["sizes"], [str(n) for n in curve["sizes"]], fontsize=8)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend()
    panels[0].set_ylabel("ms per layer (dotted: slope 1)")
    return figure


def fill(path: Path, name: str, text: str) -> None:
    """Replace the text between the markers of a name."""
    old = path.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(old):
        sys.exit(f"{path} must have the markers <!-- {name} --> and <!-- /{name} -->")
    path.write_text(pattern.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", old))


def main() -> None:
    """Draw the pictures and fill in the tables."""
    source = BUILD / "results.json"
    if not source.exists():
        sys.exit(f"{source} must exist: run make bench")
    results = json.loads(source.read_text())
    PICTURES.mkdir(exist_ok=True)
    for name, draw in (("speed", speed), ("scaling", scaling)):
        both_themes.save(PICTURES / f"{name}.png", partial(draw, results))
    fill(ROOT / "README.md", "speed", readme_table(results))
    page = ROOT / "docs" / "performance.md"
    fill(page, "compare", compare_table(results))
    fill(page, "ceilings", ceilings_table(results))
    fill(page, "scaling", scaling_table(results))


if __name__ == "__main__":
    main()
