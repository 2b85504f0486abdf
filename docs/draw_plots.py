"""Draw the pictures of plots.md with the code of that page, on light and on dark paper.

python docs/draw_plots.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import both_themes
from matplotlib import pyplot
from matplotlib.axes import Axes

from sc_neurocore import plot

PAGE = Path(__file__).parent / "plots.md"


def blocks(text: str) -> list[tuple[str, str | None]]:
    """Return each block of code of the page, with the picture that follows it directly."""
    pattern = r"```python\n(.*?)```\n(?:\n!\[[^\]]*\]\(([^)]*)\))?"
    return [(code, name or None) for code, name in re.findall(pattern, text, flags=re.DOTALL)]


def draw() -> dict[str, Axes]:
    """Run the code of the page, and return the axes of each picture by its path."""
    namespace: dict[str, Any] = {}
    pictures = {}
    for code, name in blocks(PAGE.read_text()):
        exec(compile(code, PAGE.name, "exec"), namespace)
        if name:
            pictures[name] = namespace["ax"]
    return pictures


def main() -> None:
    """Write NAME.png and NAME_dark.png for every picture of the page."""
    for theme in both_themes.THEMES:
        save(theme)


def save(theme: both_themes.Theme) -> None:
    """Write the pictures in a theme."""
    with plot.style(theme):
        for name, axes in draw().items():
            path = both_themes.of_theme(PAGE.parent / name, theme)
            path.parent.mkdir(parents=True, exist_ok=True)
            figure = axes.get_figure(root=True)
            assert figure is not None
            figure.savefig(path, dpi=110)
            print(f"wrote {path.relative_to(PAGE.parent)}")
    pyplot.close("all")


if __name__ == "__main__":
    main()
