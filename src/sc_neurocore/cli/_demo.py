"""sc-neurocore demo: run the tutorial and classify handwritten digits by stream length."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import check_folder, check_writable
from sc_neurocore.cli._common import (
    ACCURACIES,
    accuracy_line,
    accuracy_object,
    emit,
    save_figure,
    say,
)
from sc_neurocore.evidence import (
    Accuracy,
    evaluate,
)
from sc_neurocore.evidence.evaluation import (
    SOURCES,
)
from sc_neurocore.networks import (
    Digits,
    load_digits,
    simulate,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEMO_LENGTHS = (8, 16, 32, 64, 128)
DEMO_SEEDS = range(50)
DEMO_SOURCES = ("bernoulli", "sobol")
PICTURES = ("raster", "digits", "accuracy")


def run_demo(options: argparse.Namespace) -> None:
    """Run the tutorial, print the accuracy on digits, and draw three pictures."""
    if find_spec("matplotlib"):
        _check_pictures(options.out)
    namespace: dict[str, Any] = {}
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        _run_tutorial(namespace)
    digits = load_digits()
    sizes = f"{len(digits.images)} test images, {digits.network.shape}, {len(DEMO_SEEDS)} seeds"
    say(options, _heading(f"Handwritten digits: {sizes}"))
    curves = {}
    for name in DEMO_SOURCES:
        title = f"{name.capitalize()} streams"
        say(options, f"{title}:")
        rows = curves[title] = measure(digits, name)
        say(options, "\n".join([ACCURACIES, *map(accuracy_line, rows)]))
        for row in rows if options.json else ():
            emit(accuracy_object(name, row))
    _draw(options, namespace["firing_layer"].get_spike_trains(), digits, curves)


def measure(digits: Digits, source: str) -> list[Accuracy]:
    """Return the accuracy of the digits at each length."""
    return evaluate(
        *digits,
        DEMO_LENGTHS,
        seeds=DEMO_SEEDS,
        source=SOURCES[source],
        progress=sys.stderr.isatty(),
    )


def _check_pictures(folder: Path) -> None:
    """Raise unless the pictures can be written."""
    check_folder("--out", folder)
    if folder.exists():
        for name in PICTURES:
            check_writable("--out", folder / f"{name}.png")


def _heading(title: str) -> str:
    return f"\n{title}\n{'-' * len(title)}"


def _run_tutorial(namespace: dict[str, Any]) -> None:
    """Run the code blocks of the tutorial, and print their warnings where they occur."""
    for title, blocks in tutorial_sections():
        print(_heading(title))
        for block in blocks:
            if 'accumulate="or"' in block:
                print('\nThe same with accumulate="or":')
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                exec(compile(block, title, "exec"), namespace)
            for warning in caught:
                print(f"{warning.category.__name__}: {warning.message}")


def tutorial_sections() -> Iterator[tuple[str, list[str]]]:
    """Yield the title and the code blocks of each section of the tutorial."""
    text = (files("sc_neurocore") / "data" / "tutorial.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```python\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
        yield section.splitlines()[0], blocks


def _draw(
    options: argparse.Namespace,
    trains: NDArray[np.uint8],
    digits: Digits,
    curves: dict[str, list[Accuracy]],
) -> None:
    try:
        from sc_neurocore import plot
    except ImportError:
        say(options, "\n" + _checks.missing_extra("drawing the pictures", "Matplotlib", "plot"))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    say(options, "")
    with plot.style():
        for name, figure in figures(trains, digits, curves).items():
            save_figure(options, figure, options.out / f"{name}.png")


def figures(
    trains: NDArray[np.uint8], digits: Digits, curves: dict[str, list[Accuracy]]
) -> dict[str, Figure]:
    """Return the three pictures in the current style."""
    from matplotlib.figure import Figure

    from sc_neurocore import plot

    length = 32
    classes = simulate(digits.network, digits.images, length, seed=0).classes
    wrong = np.flatnonzero(classes != digits.labels)
    shown = np.concatenate([wrong, np.flatnonzero(classes == digits.labels)])[:32]
    drawn = [Figure(size, layout="constrained") for size in ((7, 2.4), (7.2, 4.8), (6.4, 3.8))]
    raster, pictures, curve = (figure.subplots() for figure in drawn)
    plot.raster(trains, raster)
    raster.set_title("Dense layer of 4 neurons that share a stochastic current")
    plot.classified(digits.images[shown], digits.labels[shown], classes[shown], pictures)
    pictures.set_title(
        f"Streams of {length} bits: {len(wrong)} of {len(classes)} images are wrong, and come first"
    )
    plot.accuracy(curves, curve)
    curve.set_title(f"Digits, {digits.network.shape}: accuracy by stream length")
    return dict(zip(PICTURES, drawn, strict=True))
