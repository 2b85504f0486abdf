"""Pictures for light and dark pages: NAME.png and NAME_dark.png, of which the theme shows one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sc_neurocore import plot


def save(path: Path, draw: Callable[[], Figure], **options: Any) -> None:
    """Draw a figure in both styles of `sc_neurocore.plot`, and write it to both files."""
    plot_styles = {"light": plot.style("light"), "dark": plot.style("dark")}
    for theme, style in plot_styles.items():
        with style:
            target = path if theme == "light" else path.with_stem(f"{path.stem}_dark")
            draw().savefig(target, **{"dpi": 110, **options})
