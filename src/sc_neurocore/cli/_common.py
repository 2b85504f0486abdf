"""Helpers shared by the commands: networks and data by name, tables, figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import read_arrays, replacing
from sc_neurocore.evidence import (
    Accuracy,
)
from sc_neurocore.networks import (
    Network,
    load_digits,
)


def say(what: str) -> None:
    """Print what the command does next."""
    print(f"{what} ...", flush=True)


def load_network(name: str) -> Network:
    """Return the network of a file, or the shipped one by the name "digits"."""
    if name == "digits":
        return load_digits().network
    if not os.path.exists(name):
        _checks.fail("NETWORK", "be a file of Network.save, or 'digits'", repr(name))
    return Network.load(name)


def new_figure(path: Path) -> Any:
    """Return an empty figure for `save_figure`.

    Call this before long work: it raises without Matplotlib, or if Matplotlib cannot write such a file.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(_checks.missing_extra("--plot", "Matplotlib", "plot")) from error
    figure = Figure((6, 4), layout="constrained")
    known = sorted(figure.canvas.get_supported_filetypes())
    if _format(path) not in known:
        _checks.fail("--plot", "end in ." + ", .".join(known), repr(os.fspath(path)))
    return figure


def _format(path: Path) -> str:
    """Return the format of a picture, by the end of its name."""
    return path.suffix[1:].lower() or "png"


def load_data(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images and labels from an .npz file."""
    try:
        arrays = read_arrays(path)
        images, labels = arrays["images"], arrays["labels"]
    except (ValueError, KeyError) as error:
        _checks.fail("--data", "be an .npz file of images and labels", f"{path} ({error})")
    for name, array in (("images", images), ("labels", labels)):
        if array.ndim == 0:
            _checks.fail("--data", f"hold {name} with one entry per image", "a single value")
    return images, labels


def print_table(rows: Sequence[Accuracy]) -> None:
    """Print accuracies by stream length, with the interval that holds 95 % of the images' share."""
    print("length   bitstreams         95 % of images    float")
    for row in rows:
        spread = "" if np.isnan(row.std) else f" +- {100 * row.std:.2f}"
        mean = f"{100 * row.mean:.2f}{spread} %"
        low, high = row.interval(0.95)
        between = f"{100 * low:.2f} to {100 * high:.2f}"
        print(f"{row.length:6d}   {mean:17s}  {between:16s}  {100 * row.of_float:.2f} %")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure to a file, and print its name."""
    with replacing(path) as file:
        figure.savefig(file, format=_format(path), dpi=120)
    print(f"wrote {os.fspath(path)}")
