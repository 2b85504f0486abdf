"""Pictures for light and dark pages: NAME.png and NAME_dark.png, of which the theme shows one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from sc_neurocore import plot

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


def of_theme(path: Path, theme: Theme) -> Path:
    """Return the file of a picture in a theme."""
    return path if theme == "light" else path.with_stem(f"{path.stem}_dark")


def save(path: Path, draw: Callable[[], Figure], **options: Any) -> None:
    """Draw a figure in both styles of `sc_neurocore.plot`, and write it to both files."""
    for theme in THEMES:
        with plot.style(theme):
            draw().savefig(of_theme(path, theme), **{"dpi": 110, **options})
