"""Fill in the tables of accuracy and draw the pictures of results.md, from results.json alone.

python docs/draw_results.py

Tables stand in a page between `<!-- name -->` and `<!-- /name -->`. A table that several pages show is
filled into each of them. A test compares the pages with the figures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import both_themes
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sc_neurocore.plot._style import color, ink

HERE = Path(__file__).parent
FIGURES, PICTURES = HERE / "results.json", HERE / "pictures"
PAGES = tuple(HERE / name for name in ("results.md", "training.md", "../README.md"))

NAMES = {
    "bernoulli": "Bernoulli",
    "lfsr": "LFSR",
    "vandercorput": "van der Corput",
    "sobol": "Sobol",
    "hammersley": "Hammersley",
    "permutation": "Permutation",
}
LENGTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
SHOWN = (4, 8, 16, 32, 64, 128, 256)

# Published accuracies in percent by stream length, with network and data set.
PEERS: list[dict[str, Any]] = [
    {
        "who": "uGEMM (D. Wu et al., ISCA 2020; data in UnarySim)",
        "what": "MLP 1024-512-512-10, MNIST, streaming",
        "points": {16: 9.7, 32: 51.9, 64: 82.1, 96: 95.0},
        "float": None,
    },
    {
        "who": "uSystolic (D. Wu, J. San Miguel, HPCA 2022)",
        "what": "CNN, MNIST, sums in binary",
        "points": {32: 98.94},
        "float": "99.17",
    },
    {
        "who": "sc-neurocore on PyPI (its documents, 2026)",
        "what": "SNN 784-128-10, MNIST",
        "points": {64: 17.4, 256: 25.0, 1024: 35.6},
        "float": "96.2 to 96.8",
    },
    {
        "who": "the same, trained for stochastic computing",
        "what": "SNN 784-128-10, MNIST",
        "points": {1024: 40.5},
        "float": "96.2 to 96.8",
    },
    {
        "who": "ReSCom (2026)",
        "what": "SNN, MNIST, on an FPGA; stream length not available",
        "points": {},
        "float": None,
        "without length": 92.80,
    },
]


def percent(value: float, digits: int = 1) -> str:
    """Return a proportion in percent."""
    return f"{100 * value:.{digits}f}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is left-aligned, the others right-aligned."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def accuracy_table(found: dict[str, Any]) -> str:
    """Return accuracy by source and length, and the accuracy on real numbers."""
    shown = [i for i, length in enumerate(LENGTHS) if length in SHOWN]
    lines = []
    for name, rows in found["curves"].items():
        cells = [f"{percent(rows[i]['mean'])} ± {percent(rows[i]['std'])}" for i in shown]
        lines.append([NAMES[name], *cells])
    first = found["curves"]["bernoulli"]
    lines.append(["real numbers, same length", *(percent(first[i]["float"]) for i in shown)])
    low, high = first[-1]["interval"]
    title = (
        f"{found['shape']}, {found['images']} images, mean and standard deviation in percent over "
        f"{found['seeds']} seeds. The 95 % confidence interval over images of the last Bernoulli mean "
        f"is {percent(low)} to {percent(high)} %."
    )
    return f"{title}\n\n" + table(["source", *map(str, SHOWN)], lines)


def loss_table(found: dict[str, Any]) -> str:
    """Return the loss relative to real numbers after the same number of steps, with its interval."""
    shown = [i for i, length in enumerate(LENGTHS) if length in (8, 16, 32, 64)]
    lines = []
    for name, rows in found["curves"].items():
        cells = []
        for i in shown:
            low, high = rows[i]["loss_interval"]
            cells.append(f"{percent(rows[i]['loss'], 2)} ({percent(low)} to {percent(high)})")
        lines.append([NAMES[name], *cells])
    verdicts = []
    for length, goal in ((32, 0.005), (16, 0.015)):
        at = LENGTHS.index(length)
        losses = {name: rows[at]["loss"] for name, rows in found["curves"].items()}
        missing = [NAMES[name] for name, loss in losses.items() if loss > goal]
        verdicts.append(
            f"- Within {100 * goal:g} points at {length} bits: "
            + (f"every source except {', '.join(missing)}." if missing else "every source.")
        )
    return table(["loss in points (95 % interval)", *(str(LENGTHS[i]) for i in shown)], lines) + (
        "\n\n" + "\n".join(verdicts)
    )


def plan_table(found: dict[str, Any]) -> str:
    """Return the shortest lengths that `plan` finds."""
    lines = []
    for name in found["curves"]:
        cells = []
        for plans in found["plans"].values():
            row = plans[name]
            cells.append("none" if row is None else f"{row[0]}{'' if row[1] else ' *'}")
        lines.append([NAMES[name], *cells])
    heads = [f"loss at most {100 * float(loss):g} points" for loss in found["plans"]]
    return table(["shortest length", *heads], lines) + (
        "\n\n\\* The mean meets the limit; the upper end of its 95 % interval over images does not."
    )


def ratio_table(found: dict[str, Any]) -> str:
    """Return the ratios of lengths at equal accuracy."""
    lines = []
    for name, cells in found["ratios"].items():
        parts = []
        for ratio, low, high in cells.values():
            parts.append(f"{reached(ratio)} ({reached(low)} to {reached(high)})")
        lines.append([NAMES[name], *parts])
    heads = [f"Bernoulli, {length} bits" for length in next(iter(found["ratios"].values()))]
    halves = []
    for length in ("8", "16", "32"):
        ratios = {name: cells[length] for name, cells in found["ratios"].items()}
        met = [NAMES[name] for name, (ratio, _, _) in ratios.items() if ratio <= 0.5]
        sure = [NAMES[name] for name, (_, _, high) in ratios.items() if high <= 0.5]
        halves.append(
            f"- At most half the length of {length}-bit Bernoulli streams: "
            f"{', '.join(met) or 'no source'}. The whole interval is at most one half: "
            f"{', '.join(sure) or 'no source'}."
        )
    return (
        table(["length relative to Bernoulli (95 % interval)", *heads], lines)
        + "\n\n"
        + "\n".join(halves)
    )


def reached(ratio: float) -> str:
    """Return a ratio, or "never" if the accuracy is not reached."""
    return f"{ratio:.2f}" if np.isfinite(ratio) else "never"


def layer_table(found: dict[str, Any]) -> str:
    """Return the ratios of spreads by layer."""
    lines = [[length, *(f"{r:.2f}" for r in cells)] for length, cells in found["layers"].items()]
    n = len(lines[0]) - 1
    return table(["length", *(f"layer {i + 1}" for i in range(n))], lines)


def early_table(found: dict[str, Any]) -> str:
    """Return mean steps, distribution, accuracy and changes by source, length and risk."""
    lines = [
        [
            NAMES[row["source"]],
            str(row["length"]),
            "proof" if row["risk"] == 0 else f"{100 * row['risk']:g} %",
            f"{row['mean steps']:.1f}",
            " / ".join(f"{q:.0f}" for q in row["quantiles"]),
            percent(row["changed"], 2),
            f"{row['above risk']} of {row['runs']}",
            percent(row["accuracy"]),
            percent(row["full accuracy"]),
        ]
        for row in found["early"]
    ]
    head = ["source", "length", "risk", "mean steps", "50 / 90 / 99 %", "changed %", "above risk",
            "accuracy %", "after all bits %"]  # fmt: skip
    return table(head, lines)


def pair_table(found: dict[str, Any]) -> str:
    """Return the accuracy of all pairs, and the best one on other images."""
    cells = found["pairs"]["table"]
    columns = [name for name in cells if any(name in row for row in cells.values())]
    lines = [
        [name, *(percent(row[column]) if column in row else "" for column in columns)]
        for name, row in cells.items()
    ]
    inputs, weights, source = found["pairs"]["best"]
    best, sobol, plain = (
        f"{percent(mean)} ± {percent(std)} %" for mean, std in found["pairs"]["again"]
    )
    gain, low, high = found["pairs"]["gain"]
    length, (chosen_on, kept) = found["pairs"]["length"], found["pairs"]["images"]
    return table(["inputs (rows), weights (columns)", *columns], lines) + (
        f"\n\nAccuracy in percent at {length} bits on {chosen_on} images. The best pair without "
        f"Bernoulli streams or permutations is {inputs} for the inputs and {weights} for the weights: "
        f"`source={source}`. It was selected from many pairs, so part of its lead is chance. On the "
        f"other {kept} images, with other seeds, it reaches {best}, `Sobol()` {sobol} and Bernoulli "
        f"streams {plain}. Its difference from `Sobol()` is {percent(gain, 2)} points (95 % confidence "
        f"interval {percent(low)} to {percent(high)})."
    )


def fan_in_table(found: dict[str, dict[str, float]]) -> str:
    """Return the ratios of deviations and the bias by fan-in."""
    heads = [key for key in next(iter(found.values())) if key != "bias"]
    lines = [
        [n, *(f"{cells[key]:.2f}" for key in heads), f"{percent(cells['bias'], 2)} %"]
        for n, cells in found.items()
    ]
    return table(["inputs", *(f"{key} bits" for key in heads), f"bias at {heads[-1]}"], lines)


def peer_table(cases: dict[str, Any]) -> str:
    """Return published results beside those of this package."""
    lines = []
    for peer in PEERS:
        points = ", ".join(f"{value} at {length}" for length, value in peer["points"].items())
        accuracy = points or f"{peer['without length']:.2f}"
        lines.append([peer["who"], peer["what"], accuracy, peer["float"] or ""])
    for name, found in cases.items():
        rows = found["curves"]["sobol"]
        points = ", ".join(
            f"{percent(row['mean'])} at {row['length']}"
            for row in rows
            if row["length"] in (8, 16, 32, 64)
        )
        of_float = percent(rows[LENGTHS.index(64)]["float"])
        lines.append(["this package, Sobol streams", f"SNN {found['shape']}, {name}", points, of_float])
    return table(
        ["source", "network and data", "accuracy (%) at stream length", "real numbers (%)"], lines
    )


def demo_table(found: dict[str, Any]) -> str:
    """Return what `make demo` prints."""
    lines = [
        [
            str(plain["length"]),
            f"{percent(plain['mean'])} ± {percent(plain['std'])} %",
            f"{percent(sobol['mean'])} ± {percent(sobol['std'])} %",
            f"{percent(plain['float'])} %",
        ]
        for plain, sobol in zip(found["bernoulli"], found["sobol"], strict=True)
    ]
    title = (
        f"The shipped {found['shape']} network on {found['images']} held-out images (other digits by "
        f"the same writers), as `make demo` prints and draws it. Mean and standard deviation over "
        f"{found['seeds']} seeds, each with new streams for inputs and weights:"
    )
    head = ["stream length", "Bernoulli streams", "Sobol streams", "same network on real numbers"]
    return f"{title}\n\n" + table(head, lines)


def mnist_table(cases: dict[str, Any], lengths: Sequence[int]) -> str:
    """Return the accuracy of the two MNIST networks on Bernoulli streams."""
    networks = [cases[name]["curves"]["bernoulli"] for name in ("mnist_mlp", "mnist_conv")]
    lines = []
    for length in lengths:
        cells = []
        for rows in networks:
            row = rows[LENGTHS.index(length)]
            cells += [f"{percent(row['mean'])} ± {percent(row['std'])} %", f"{percent(row['float'])} %"]
        lines.append([str(length), *cells])
    head = ["stream length", "784-128-10", "real numbers", "convolutional", "real numbers"]
    return table(head, lines)


# Tables of the cases, each with the key of the figures that it shows.
TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "accuracy": ("curves", accuracy_table),
    "loss": ("curves", loss_table),
    "plan": ("plans", plan_table),
    "ratio": ("ratios", ratio_table),
    "layers": ("layers", layer_table),
    "early": ("early", early_table),
    "pairs": ("pairs", pair_table),
}


def draw_accuracy(axes: Axes, name: str, found: dict[str, Any]) -> None:
    """Draw accuracy and its deviation over seeds against length, one curve per source."""
    for marker, (source, rows) in zip("osv^D<", found["curves"].items(), strict=True):
        lengths = [row["length"] for row in rows]
        means, stds = (np.array([row[key] for row in rows]) for key in ("mean", "std"))
        (line,) = axes.plot(lengths, 100 * means, marker + "-", ms=4, lw=1.2, label=NAMES[source])
        axes.fill_between(
            lengths, 100 * (means - stds), 100 * (means + stds), color=line.get_color(), alpha=0.1, lw=0
        )
    of_float = [100 * row["float"] for row in rows]
    axes.plot(lengths, of_float, color=ink(), ls="--", lw=1, label="real numbers")
    log_lengths(axes, LENGTHS)
    best = 100 * max(row["mean"] for row in rows)
    worst = 100 * min(row["mean"] for curve in found["curves"].values() for row in curve)
    axes.set(ylim=(max(best - 12, worst - 1), min(best + 1.5, 100.5)), ylabel="accuracy (%)")
    axes.set_title(f"{name}, {found['shape']}: mean and deviation over {found['seeds']} seeds")


def draw_early(axes: Axes, name: str, found: dict[str, Any]) -> None:
    """Draw accuracy against the mean number of steps, one marker per stopping rule."""
    for i, source in enumerate(("bernoulli", "sobol")):
        for marker, risk in zip("o^s", sorted({row["risk"] for row in found["early"]}), strict=False):
            rows = [r for r in found["early"] if r["source"] == source and r["risk"] == risk]
            label = "by proof" if risk == 0 else f"risk {100 * risk:g} %"
            steps = [row["mean steps"] for row in rows]
            values = [100 * row["accuracy"] for row in rows]
            label = f"{NAMES[source]}, {label}"
            axes.plot(steps, values, marker, color=color(i), ms=6, label=label)
        rows = found["curves"][source]
        lengths = [row["length"] for row in rows]
        means = [100 * row["mean"] for row in rows]
        axes.plot(lengths, means, color=color(i), lw=1.2, label=f"{NAMES[source]}, all bits")
    best = max(means)
    log_lengths(axes, LENGTHS)
    axes.set(ylim=(best - 8, min(best + 1, 100.5)), ylabel="accuracy (%)", xlabel="mean steps")
    axes.set_title(f"{name}: early decisions, streams of 16 to 256 bits")


def draw_peers(axes: Axes, cases: dict[str, Any]) -> None:
    """Draw published curves and ours; the legend names the data, which differ."""
    for marker, peer in zip("osv^", PEERS, strict=False):
        who = str(peer["who"]).split(" (")[0]
        points = peer["points"].items()
        axes.plot(*zip(*points, strict=True), marker + ":", ms=5, label=f"{who}: {peer['what']}")
    for i, (name, found) in enumerate(cases.items()):
        for source, style in (("bernoulli", "-"), ("sobol", "--")):
            rows = found["curves"][source]
            axes.plot(
                [row["length"] for row in rows],
                [100 * row["mean"] for row in rows],
                style,
                color=color(4 + i),
                label=f"this package, {NAMES[source]}: SNN {found['shape']}, {name}",
            )
    log_lengths(axes, 2 ** np.arange(1, 11))
    axes.set(ylim=(0, 102), ylabel="accuracy (%)")
    axes.figure.legend(loc="outside lower center")


def log_lengths(axes: Axes, lengths: Sequence[int] | NDArray[np.integer]) -> None:
    """Set up the axis of lengths."""
    ticks = [n for n in lengths if n & (n - 1) == 0]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.set_xlabel("stream length (time steps)")


def fill(text: str, name: str, content: str) -> str:
    """Return the page with the text between the markers of a name replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the page must have the markers <!-- {name} --> and <!-- /{name} -->")
    return pattern.sub(lambda markers: f"{markers[1]}\n{content}\n\n{markers[2]}", text)


def filled(text: str, tables: dict[str, str]) -> str:
    """Return the page with every table that it has markers for."""
    for name, content in tables.items():
        if f"<!-- {name} -->" in text:
            text = fill(text, name, content)
    return text


def cases_with(cases: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the cases that have the figures of a key."""
    return {case: found for case, found in cases.items() if key in found}


def all_tables(results: dict[str, Any]) -> dict[str, str]:
    """Return every table by name."""
    cases = results["cases"]
    tables = {}
    for name, (key, tabulate) in TABLES.items():
        having = cases_with(cases, key)
        many = len(having) > 1
        parts = [
            (f"**{case}**\n\n" if many else "") + tabulate(found) for case, found in having.items()
        ]
        tables[name] = "\n\n".join(parts)
    tables["fan-in"] = fan_in_table(results["fan-in"])
    tables["peers"] = peer_table(cases)
    tables["demo"] = demo_table(results["demo"])
    tables["mnist"] = mnist_table(cases, SHOWN[1:])
    tables["mnist-short"] = mnist_table(cases, (16, 64))
    return tables


def drawn_by_case(draw: Callable[[Axes, str, Any], None], cases: dict[str, Any]) -> Figure:
    """Return a figure with a panel per network."""
    figure = Figure((7.2, 0.5 + 2.5 * len(cases)), layout="constrained")
    panels = figure.subplots(len(cases), 1, squeeze=False, sharex=True).ravel()
    for axes, (case, found) in zip(panels, cases.items(), strict=True):
        draw(axes, case, found)
        axes.label_outer()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def drawn_peers(cases: dict[str, Any]) -> Figure:
    """Return a figure beside published results."""
    figure = Figure((7.2, 5.4), layout="constrained")
    draw_peers(figure.subplots(), cases)
    return figure


def publish(results: dict[str, Any]) -> None:
    """Fill in the tables of all pages and draw the pictures from the figures alone."""
    cases, tables = results["cases"], all_tables(results)
    for page in PAGES:
        page.write_text(filled(page.read_text(), tables))
    for name, key, draw in (("accuracy", "curves", draw_accuracy), ("early", "early", draw_early)):
        having = cases_with(cases, key)
        both_themes.save(PICTURES / f"results_{name}.png", partial(drawn_by_case, draw, having))
    both_themes.save(PICTURES / "results_peers.png", partial(drawn_peers, cases))
    print(f"filled in {', '.join(page.name for page in PAGES)}; drew {PICTURES}/results_*.png")


if __name__ == "__main__":
    publish(json.loads(FIGURES.read_text()))
