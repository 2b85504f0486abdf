"""Measure the figures of comparison.md, and draw its picture.

python docs/measure_comparison.py          measure what comparison.json lacks, update the page
python docs/measure_comparison.py SECTION  the same for the rows of a section, folded or unrolled
python docs/measure_comparison.py --draw   update page and picture from docs/comparison.json alone

Delete rows of comparison.json to measure them again. Needs PyTorch and scikit-learn, since a binarized
network and a network of a single layer are trained for the comparison, on the training images of
examples/train_digits.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import both_themes
import numpy as np
from draw_results import fill, table
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sc_neurocore import (
    LIF,
    Dense,
    FixedPoint,
    Hammersley,
    Network,
    load_digits,
    simulate,
)
from sc_neurocore.hardware import Design, Energy
from sc_neurocore.hardware.comparison import Candidate, Cost, candidates, measure_cost
from sc_neurocore.hardware.integers import IntegerDesign, IntegerNetwork, quantized
from sc_neurocore.hardware.spiking import spiking_design
from sc_neurocore.networks.network import numbers_first

DOCS = Path(__file__).parent
FIGURES, PAGE, PICTURE = (
    DOCS / "comparison.json",
    DOCS / "comparison.md",
    DOCS / "pictures" / "comparison.png",
)
VARIANTS = (0,)


def training_images() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the images and labels that the shipped network was trained on."""
    from sklearn.datasets import load_digits as load_all
    from sklearn.model_selection import train_test_split

    data = load_all()
    images = data.images.reshape(-1, 64) / 16
    x, held_out, y, _ = train_test_split(
        images, data.target, test_size=450, stratify=data.target, random_state=2024
    )
    if not np.array_equal(held_out, load_digits().images):
        raise SystemExit("the held-out images are not those of the package")
    return x, y


def binarized(hidden: int = 100, epochs: int = 200) -> IntegerNetwork:
    """Train a network with weights and hidden activations of one bit, which reads inputs of 4 bits.

    Straight-through gradients and batch normalization (M. Courbariaux et al., arXiv 1602.02830);
    the normalization becomes a threshold per neuron.
    """
    import torch

    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.where(x >= 0, 1.0, -1.0)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            (x,) = ctx.saved_tensors
            return grads[0] * (x.abs() <= 1)

    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = training_images()
    x, y = torch.tensor(np.rint(images * 15), dtype=torch.float32), torch.tensor(labels)
    w1 = torch.nn.Parameter(0.1 * torch.randn(hidden, 64))
    w2 = torch.nn.Parameter(0.1 * torch.randn(10, hidden))
    norm = torch.nn.BatchNorm1d(hidden)
    bias = torch.nn.Parameter(torch.zeros(10))
    parameters = [w1, w2, bias, *norm.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            seen = torch.nn.functional.dropout(x[batch], 0.1) * 0.9
            fires = Sign.apply(norm(seen @ Sign.apply(w1).T))
            out = (fires @ Sign.apply(w2).T + bias) / 8
            loss = torch.nn.functional.cross_entropy(out, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                w1.clamp_(-1, 1)
                w2.clamp_(-1, 1)
        schedule.step()
    norm.eval()
    with torch.no_grad():
        first, second = Sign.apply(w1).numpy(), Sign.apply(w2).numpy()
        scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).numpy()
        start = norm.running_mean.numpy() - norm.bias.detach().numpy() / scale
        # Hidden neurons output 0 or 1 instead of -1 or 1: s = sum(w * (2 h - 1)).
        last = (bias.numpy() - second.sum(axis=1)) / 2
    flips = np.where(scale < 0, -1, 1)  # a negative scale turns >= into <=
    threshold = np.where(scale < 0, np.ceil(-start), np.ceil(start))
    return IntegerNetwork(
        ((first * flips[:, np.newaxis]).astype(np.int64), second.astype(np.int64)),
        ((1 - threshold).astype(np.int64), np.rint(last).astype(np.int64)),
        (0,),
        (4, 1),
    )


def single_layer() -> Network:
    """Return a network of one layer, 64-10, of logistic regression."""
    from sklearn.linear_model import LogisticRegression

    images, labels = training_images()
    model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=2000).fit(images, labels)
    weights = model.coef_ - model.coef_.mean(axis=0)
    weights /= np.abs(weights).max()
    # Neurons that only integrate: the class is that of the highest potential.
    return Network([Dense(weights, neuron=LIF(tau_mem=np.inf, v_threshold=np.inf))])


def all_candidates() -> dict[str, Callable[[], Candidate]]:
    """Return a function that makes each candidate, by section and name."""
    digits = load_digits()
    found: dict[str, Callable[[], Candidate]] = {}
    for one in candidates(digits.network, digits.images):
        found[f"folded/{one.name}"] = partial(Candidate, one.name, one.group, one.design)
    found["folded/binarized"] = lambda: Candidate(
        "binarized", "integers", IntegerDesign(binarized(), simd=8, name="candidate")
    )
    layer = single_layer

    def stochastic(bits: int, length: int) -> Candidate:
        fixed = FixedPoint(bits=bits, word=10)
        design = Design(layer(), length, fixed_point=fixed, architecture="unrolled", name="candidate")
        return Candidate(f"stochastic, {bits} bits, {length} steps", "stochastic", design)

    for bits, length in ((8, 32), (4, 16), (3, 8), (3, 4)):
        found[f"unrolled/stochastic, {bits} bits, {length} steps"] = partial(stochastic, bits, length)

    def spiking(name: str, bits: int, length: int) -> Candidate:
        design = spiking_design(
            layer(), length, product="binary", bits=bits, folded=False, name="candidate"
        )
        return Candidate(name, "spiking", design)

    for bits, length in ((4, 8), (3, 4), (2, 8)):
        weight = "ternary" if bits == 2 else f"{bits} bits"
        name = f"binary spikes, {weight}, {length} steps"
        found[f"unrolled/{name}"] = partial(spiking, name, bits, length)

    def integers(name: str, bits: int, serial: bool) -> Candidate:
        network = quantized(layer(), digits.images, bits)
        design = IntegerDesign(network, simd=0, serial=serial, name="candidate")
        return Candidate(name, "integers", design)

    for bits in (8, 4, 3):
        for serial in (True, False):
            name = f"integers, {bits} bits, {'bit by bit' if serial else 'one shot'}"
            found[f"unrolled/{name}"] = partial(integers, name, bits, serial)
    return found


def measured(section: str = "") -> dict[str, Any]:
    """Return all figures; those in comparison.json are kept."""
    rows: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    digits = load_digits()
    found = all_candidates()
    # Those that take long come last.
    for key in sorted(found, key=lambda key: ("32 steps" in key, "8 bits" in key)):
        if key in rows or not key.startswith(section):
            continue
        with tempfile.TemporaryDirectory() as folder:
            cost = measure_cost(found[key](), digits.images, digits.labels, folder, variants=VARIANTS)
        rows[key] = asdict(cost)
        print(key, f"{100 * cost.accuracy:.2f} %", cost, flush=True)
        if FIGURES.exists():  # another process may measure other rows
            rows = json.loads(FIGURES.read_text()) | {key: rows[key]}
        rows = {one: rows[one] for one in found if one in rows}
        FIGURES.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def costs(rows: dict[str, Any], section: str) -> list[Cost]:
    """Return the rows of a section."""
    found = []
    for key in all_keys(rows, section):
        row = dict(rows[key])
        row["energy"] = Energy(**row["energy"])
        for name in ("luts", "logic_cells", "rates"):
            row[name] = tuple(row[name])
        found.append(Cost(**row))
    return found


def all_keys(rows: dict[str, Any], section: str) -> list[str]:
    """Return the keys of a section, in order."""
    return [key for key in rows if key.startswith(f"{section}/")]


def spread(values: tuple[float, ...] | tuple[int, ...], digits: int = 0) -> str:
    """Return the median and the range of values."""
    middle = f"{np.median(values):,.{digits}f}"
    low, high = f"{min(values):,.{digits}f}", f"{max(values):,.{digits}f}"
    return middle if low == high else f"{middle} ({low} to {high})"


def cost_table(found: list[Cost], section: str) -> str:
    """Return the table of a section."""
    lines = []
    for c in found:
        low, middle, high = c.nanojoules()
        interval = c.interval()
        lines.append(
            [
                c.name,
                f"{100 * c.accuracy:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})",
                spread(c.logic_cells or c.luts),
                str(c.memories),
                spread(c.rates, 0) if c.rates else "",
                f"{c.clocks:,}",
                f"{c.clocks - c.loading:,}",
                three(c.microseconds()),
                f"{float(f'{c.images_per_second:.3g}'):,.0f}",
                f"{three(middle)} ({three(low)} to {three(high)})",
                three((c.area_time if section == "folded" else work(c)) / 1000),
            ]
        )
    head = (
        "design|accuracy in %|logic cells|memories|MHz|clock cycles|without loading|us|images/s"
        "|nJ per image|1,000 cells x us"
    )
    # A design that does not fit the device has no clock rate, and so no time.
    return table(head.split("|"), [["" if cell == "nan" else cell for cell in line] for line in lines])


def verdict(rows: dict[str, Any]) -> str:
    """Return what the figures say."""
    folded, unrolled = costs(rows, "folded"), costs(rows, "unrolled")
    named = {c.name: c for c in folded} | {f"unrolled {c.name}": c for c in unrolled}
    lines = []
    ours, rival = (best(folded, stochastic=kind) for kind in (True, False))
    if ours and rival:
        energy = ours.nanojoules()[1] / rival.nanojoules()[1]
        lines.append(
            f"- **Folded, no.** The best stochastic design ({ours.name}) takes "
            f"{ours.area_time / rival.area_time:.1f} times the area x time and {energy:.1f} times the "
            f"energy of the best binary design that is as accurate ({rival.name}). It has "
            f"{ours.memories} block memories, the other {rival.memories}."
        )
    first = named.get("numbers first, 4 bits, 2 steps, one data path")
    drawn = best([c for c in folded if "numbers first" not in c.group], stochastic=True)
    four = named.get("integers, 4 bits")
    if first and drawn and four:
        lines.append(
            "- **Numbers first.** With exact products in the first layer, "
            f"{first.name.split(', ', 1)[1]}, area x time is "
            f"{first.area_time / four.area_time:.1f} times that of integers of 4 bits "
            f"({100 * first.accuracy:.1f} and {100 * four.accuracy:.1f} %), and "
            f"{drawn.area_time / first.area_time:.1f} times smaller than that of the best design whose "
            f"inputs are sampled ({drawn.name}), with "
            f"{drawn.nanojoules()[1] / first.nanojoules()[1]:.1f} times less energy."
        )
    name = "3 bits, 8 steps"
    one = named.get(f"stochastic, {name}, one data path")
    other = named.get(f"binary spikes, {name}")
    if one and other:
        lines.append(
            f"- **The comparators save little.** In one data path with {name}, stochastic products "
            f"take {one.area / other.area:.2f} times the logic cells of adding the weights "
            f"({one.area:,.0f} and {other.area:,.0f}), and {one.memories} block memories to "
            f"{other.memories}, in as many clock cycles. Their accuracies are "
            f"{100 * one.accuracy:.1f} and {100 * other.accuracy:.1f} %."
        )
    old = named.get("stochastic, 3 bits, 8 steps")
    new = named.get("stochastic, 3 bits, 8 steps, one data path")
    if old and new:
        lines.append(
            f"- **Writing counts, too.** One data path for all layers makes these bits "
            f"with {new.area:,.0f} logic cells instead of {old.area:,.0f}."
        )
    layers = [c for c in unrolled if c.group == "stochastic"]
    shot = named.get("unrolled integers, 4 bits, one shot")
    if layers and shot:
        small, least = (min(group, key=lambda c: c.area) for group in (layers, unrolled))
        lines.append(
            f"- **Unrolled, area only.** The smallest stochastic layer ({small.name}) takes "
            f"{small.area:,.0f} logic cells, that of 4-bit one-shot multipliers {shot.area:,.0f}. The "
            f"smallest of all ({least.name}) takes {least.area:,.0f}."
        )
        ours, rival = (best(unrolled, stochastic=kind, loading=False) for kind in (True, False))
        if ours and rival:
            lines.append(
                f"- **Unrolled, area x time.** Without loading, the best stochastic one ({ours.name}) "
                f"takes {work(ours) / work(rival):.1f} times the best binary one that is as accurate "
                f"({rival.name})."
            )
    return "\n".join(lines)


def steps_table() -> str:
    """Return the accuracy of the digits by time steps, sampled and with inputs as numbers."""
    digits = load_digits()
    images, labels = digits.images, digits.labels
    kinds = {"sampled": digits.network, "numbers first": numbers_first(digits.network)}
    counters = Hammersley(8, axis=1, randomized=False)
    rows = []
    for length in range(1, 9):
        row = [str(length)]
        for made in kinds.values():
            for bits in (3, 4):
                fixed = FixedPoint(bits, word=8)
                run = simulate(made, images, length, source=counters, fixed_point=fixed)
                row.append(f"{100 * (run.classes == labels).mean():.1f}")
            right = [simulate(made, images, length, seed=s).classes == labels for s in range(20)]
            row.append(f"{100 * np.mean(right):.1f}")
        rows.append(row)
    head = [f"{kind}, {of}" for kind in kinds for of in ("3 bits", "4 bits", "Bernoulli")]
    return table(["steps", *head], rows)


def work(cost: Cost) -> float:
    """Return logic cells times microseconds without loading."""
    return cost.area * (cost.clocks - cost.loading) / cost.mhz


def best(found: list[Cost], *, stochastic: bool, loading: bool = True) -> Cost | None:
    """Return the design of least area x time that is not shown to be less accurate than another."""
    top = max((c.accuracy for c in found), default=0.0)
    good = [
        c
        for c in found
        if c.group.startswith("stochastic") == stochastic and c.interval()[1] >= top and c.rates
    ]
    return min(good, key=(lambda c: c.area_time) if loading else work, default=None)


def three(value: float) -> str:
    """Return a number rounded to three digits."""
    return f"{float(f'{value:.3g}'):,g}"


def drawn(rows: dict[str, Any]) -> Figure:
    """Return area times time of each design, the least first, with its accuracy."""
    groups = [
        "stochastic", "stochastic, one data path", "spiking", "integers", "stochastic, numbers first",
    ]  # fmt: skip
    figure = Figure((8, 7.5), layout="constrained")
    sections = ("folded", "unrolled")
    found = {name: [c for c in costs(rows, name) if not np.isnan(c.mhz)] for name in sections}
    sizes = [len(found[name]) for name in sections]
    panels = figure.subplots(2, 1, height_ratios=sizes)
    titles = ("64-100-10, folded, 8 inputs per clock cycle", "64-10, unrolled, loading left out")
    for axes, section, title in zip(panels, sections, titles, strict=True):
        area_time = [
            c.area * (c.clocks - c.loading * (section == "unrolled")) / c.mhz for c in found[section]
        ]
        order = np.argsort(area_time)[::-1]
        for y, k in enumerate(order.tolist()):
            one = found[section][k]
            of = groups.index(one.group)
            axes.plot(area_time[k], y, "osD^v"[of], color=f"C{of}")
            text = f"  {100 * one.accuracy:.1f} %"
            axes.text(area_time[k], y, text, va="center", fontsize=8)
        names = [found[section][k].name for k in order.tolist()]
        axes.set_yticks(range(len(names)), names)
        axes.set_xscale("log")
        axes.set_xlim(min(area_time) / 1.5, max(area_time) * 2.5)
        axes.set_xlabel("logic cells x us (less is better)")
        axes.set_title(f"{title}, with accuracy")
        axes.grid(axis="x", which="both", alpha=0.3)
    return figure


def main() -> None:
    """Measure unless only the page is to be updated; then update the page and its picture."""
    rows = json.loads(FIGURES.read_text()) if "--draw" in sys.argv else measured(*sys.argv[1:2])
    text = PAGE.read_text()
    text = fill(text, "verdict", verdict(rows))
    text = fill(text, "steps", steps_table())
    for section in ("folded", "unrolled"):
        text = fill(text, section, cost_table(costs(rows, section), section))
    PAGE.write_text(text)
    both_themes.save(PICTURE, lambda: drawn(rows), dpi=120)


if __name__ == "__main__":
    main()
