"""Helpers shared by the commands: networks and data by name, output, executors, figures."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import read_arrays, replacing
from sc_neurocore.networks import Network, load_digits

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from sc_neurocore.evidence import Accuracy

MOST_SEEDS = 1_000_000


class FailedCheckError(RuntimeError):
    """A check of the command failed: exit code 3."""


def say(options: argparse.Namespace, what: str) -> None:
    """Print a line for people: to standard error if standard output is for programs."""
    print(what, file=sys.stderr if options.json else sys.stdout, flush=True)


def emit(row: Mapping[str, Any]) -> None:
    """Print an object as a line of JSON. NaN and infinities become null."""
    print(json.dumps(_plain(row), allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    """Return a value as numbers, texts, lists and mappings that JSON has."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def load_network(options: argparse.Namespace, *, share_gain: bool = False) -> Network:
    """Return the network of a file, or the shipped one by the name "digits"."""
    name = options.network
    if name == "digits":
        return load_digits().network
    if not os.path.exists(name):
        contract = "be a file of Network.save, a NIR graph (.nir), or 'digits'"
        _checks.fail("NETWORK", contract, repr(name))
    if not name.endswith(".nir"):
        if options.dt_ms is not None or options.approximate:
            _checks.fail("--dt-ms and --approximate", "be used with a NIR graph (.nir)", repr(name))
        return Network.load(name)
    try:
        from sc_neurocore.exchange.nir import from_nir
    except ImportError as error:
        raise ImportError(_checks.missing_extra("reading a NIR graph", "nir", "nir")) from error
    imported = from_nir(
        name, dt_ms=options.dt_ms, strict=not options.approximate, share_gain=share_gain
    )
    if options.approximate:
        print(imported.report, file=sys.stderr)
    return imported.network


def load_images(options: argparse.Namespace) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images and labels of the option --data, or the shipped digits."""
    shipped = load_digits()
    return load_data(options.data) if options.data else (shipped.images, shipped.labels)


def load_data(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images and labels from an .npz file."""
    try:
        arrays = read_arrays(path)
        images, labels = arrays["images"], arrays["labels"]
    except (ValueError, KeyError) as error:
        contract = "be an .npz file with the arrays 'images' and 'labels'"
        why = f"no {error}" if isinstance(error, KeyError) else error
        _checks.fail("--data", contract, f"{path} ({why})")
    for name, array in (("images", images), ("labels", labels)):
        if array.ndim == 0:
            _checks.fail("--data", f"hold {name} with one entry per image", "a single value")
    return images, labels


def seeds_of(options: argparse.Namespace) -> range:
    """Return the seeds of the option --seeds."""
    n = _checks.integer("--seeds", options.seeds, 1)
    if n > MOST_SEEDS:
        _checks.fail("--seeds", f"be at most {MOST_SEEDS}", n)
    return range(n)


@contextmanager
def executor_of(
    processes: int | None, dask: str | None, module: str | None = None
) -> Iterator[int | Executor | None]:
    """Yield the executor of the options --processes and --dask.

    The workers of a cluster get `module`, the file of a function.
    """
    if dask is None:
        if processes is not None:
            _checks.integer("--processes", processes, 1, 1024)
        yield processes
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(_checks.missing_extra("--dask", "Dask", "dask")) from error
    connect: Any = Client
    with connect(dask, timeout=10) as client:
        if module is not None:
            client.upload_file(module)
        yield client.get_executor(pure=False)


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


def save_figure(options: argparse.Namespace, figure: Any, path: Path) -> None:
    """Write a figure to a file, and print its name."""
    with replacing(path) as file:
        figure.savefig(file, format=_format(path), dpi=120)
    say(options, f"wrote {os.fspath(path)}")


# Heading of the lines of `accuracy_line`.
ACCURACIES = "length   bitstreams         95 % of images    float"


def accuracy_line(row: Accuracy) -> str:
    """Return an accuracy as a line, with the interval that holds 95 % of the images' share."""
    spread = "" if np.isnan(row.std) else f" +- {100 * row.std:.2f}"
    mean = f"{100 * row.mean:.2f}{spread} %"
    low, high = row.interval(0.95)
    between = f"{100 * low:.2f} to {100 * high:.2f}"
    return f"{row.length:6d}   {mean:17s}  {between:16s}  {100 * row.of_float:.2f} %"


def accuracy_object(source: str, row: Accuracy) -> dict[str, Any]:
    """Return an accuracy as an object for JSON."""
    return {
        "source": source,
        "length": row.length,
        "bits_per_step": row.bits_per_step,
        "accuracy": row.mean,
        "by_seed": row.by_seed,
        "interval": row.interval(0.95),
        "float_accuracy": row.of_float,
        "loss": row.loss,
        "agreement": row.agreement,
        "spike_ratio": row.spike_ratio,
    }
