"""sc-neurocore sweep: a function at every point of a grid that a TOML file describes."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

from sc_neurocore import _checks
from sc_neurocore._files import check_distinct, check_writable, replacing
from sc_neurocore.cli._common import FailedCheckError, emit, executor_of, say
from sc_neurocore.evidence.sweeping import Failure, each_point

# Keys of a file, and the types of their values.
_KEYS: dict[str, type] = {
    "function": str, "grid": dict, "seed": int, "store": str, "processes": int, "dask": str,
}  # fmt: skip


def run_sweep(options: argparse.Namespace) -> None:
    """Print the row of each point as it is finished; write a table; fail if points raised."""
    described = _described(options.file)
    if options.csv:
        check_writable("--csv", options.csv)
        check_distinct("--csv", options.csv, "FILE.toml", options.file)
    folder = options.file.resolve().parent
    function, module = _function(described["function"], folder)
    store = described.get("store")
    is_given = options.processes is not None or options.dask is not None
    source: Mapping[str, Any] = vars(options) if is_given else described
    rows: dict[int, dict[str, Any]] = {}
    with executor_of(source.get("processes"), source.get("dask"), module) as executor:
        points, found = each_point(
            function,
            described["grid"],
            executor=executor,
            seed=described.get("seed"),
            store=None if store is None else folder / store,
            progress=sys.stderr.isatty(),
        )
        with closing(found):
            for i, result in found:
                failed = isinstance(result, Failure)
                rows[i] = {**points[i], **({"error": result.text} if failed else result)}
                if options.json:
                    emit(rows[i])
                else:
                    print("  ".join(f"{name}={_shown(v)}" for name, v in rows[i].items()), flush=True)
    if options.csv:
        _write(options.csv, [rows[i] for i in sorted(rows)])
        say(options, f"wrote {options.csv}")
    n_failed = sum("error" in row for row in rows.values())
    if n_failed:
        raise FailedCheckError(f"{n_failed} of {len(points)} points failed")


def _described(path: Path) -> dict[str, Any]:
    """Return the content of a file, checked."""
    try:
        toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError as error:
        raise ImportError(_checks.missing_extra("reading TOML", "tomli", "command")) from error
    with open(path, "rb") as file:
        try:
            found: dict[str, Any] = toml.load(file)
        except ValueError as error:
            _checks.fail("FILE.toml", "be a file of TOML", f"{path} ({error})")
    unknown = sorted(set(found) - set(_KEYS))
    if unknown:
        _checks.fail("FILE.toml", f"have the keys {', '.join(_KEYS)}", repr(unknown[0]))
    for name, kind in _KEYS.items():
        if name in found and (not isinstance(found[name], kind) or isinstance(found[name], bool)):
            what = {str: "text", dict: "a table", int: "an integer"}[kind]
            _checks.fail(f"{name} in FILE.toml", f"be {what}", repr(found[name]))
    for name in ("function", "grid"):
        if name not in found:
            _checks.fail("FILE.toml", f"have the key {name}", f"only {', '.join(found) or 'none'}")
    for name, values in found["grid"].items():
        if not isinstance(values, list):
            _checks.fail(f"{name} in grid", "be a list of values", repr(values))
    if {"processes", "dask"} <= set(found):
        _checks.fail("FILE.toml", "have processes or dask", "both")
    return found


def _function(text: str, folder: Path) -> tuple[Callable[..., Any], str | None]:
    """Return a function "module:name", and the file of its module if it lies in the folder."""
    module, _, name = text.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        _checks.fail("function", 'have the form "module:name"', repr(text))
    sys.path.insert(0, os.fspath(folder))  # where local processes, which copy it, look too
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        _checks.fail("function", f"be found in {folder} or be installed", f"{text!r} ({error})")
    _checks.wrong_type("function", "be callable", function) if not callable(function) else None
    own = folder / f"{module}.py"
    return function, os.fspath(own) if own.exists() else None


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV, with a column for every name that occurs."""
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(names))
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
