"""Draw the pictures of `sc-neurocore demo` for light and dark pages.

python docs/draw_demo.py
"""

from __future__ import annotations

import contextlib
import io
from functools import partial
from pathlib import Path
from typing import Any

import both_themes
from matplotlib.figure import Figure

from sc_neurocore import load_digits
from sc_neurocore.cli import _demo


def main() -> None:
    """Write NAME.png and NAME_dark.png for the pictures of the demo."""
    namespace: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        _demo._run_tutorial(namespace)
    trains = namespace["firing_layer"].get_spike_trains()
    digits = load_digits()
    curves = {f"{n.capitalize()} streams": _demo.measure(digits, n) for n in _demo.DEMO_SOURCES}

    def drawn(name: str) -> Figure:
        return _demo.figures(trains, digits, curves)[name]

    for name in _demo.PICTURES:
        path = Path(__file__).parent / "pictures" / f"{name}.png"
        both_themes.save(path, partial(drawn, name), dpi=120)


if __name__ == "__main__":
    main()
