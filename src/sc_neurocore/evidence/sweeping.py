"""Sweeps: one function at every point of a grid, in this process, on many, or on a cluster."""

from __future__ import annotations

import itertools
import json
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore.evidence._executors import finished, opened

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["sweep"]

Row = dict[str, Any]


def sweep(
    function: Callable[..., Any],
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    *,
    executor: int | Executor | None = None,
    seed: int | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> list[Row]:
    """Call a function at every point of a grid, and return a table of the results.

    Parameters
    ----------
    function : callable
        Called with the parameters of a point by keyword. It returns a mapping of results by name, or
        one value, which becomes the column "result".
    grid : mapping of sequences, or sequence of mappings
        Values of each parameter, of which every combination is a point, the last parameter changing
        fastest. Or the points themselves.
    executor : int or concurrent.futures.Executor, optional
        Where the calls run. By default in this process; an integer is a number of local processes.
        Any executor will do, such as that of `dask.distributed.Client.get_executor()` or an
        `mpi4py.futures.MPIPoolExecutor`. The function and the parameters must then be picklable. Local
        processes start from nothing, so a script needs ``if __name__ == "__main__":``.
    seed : int, optional
        Gives each point a seed of its own, an integer below ``2**63`` that the function receives as
        `seed`. It depends on this number and on the parameters of the point alone.
    store : path, optional
        File to which each result is appended as it is finished, one JSON object per line. Points that
        it contains are not computed again, so that a sweep that was killed goes on where it stopped,
        and a larger grid computes only what is new. Parameters and results must then be numbers, text,
        booleans, None, or lists and mappings of these.
    progress : bool
        Show a progress bar on standard error (extra: progress).

    Returns
    -------
    list of dict
        A row per point in the order of the grid, with its parameters and results, for
        `pandas.DataFrame` or `polars.DataFrame`. The rows are the same for every executor. If calls
        raised exceptions, every row has a column "error", which is None where all went well.

    Warns
    -----
    RuntimeWarning
        If calls raised exceptions. They are not stored, so that the next sweep tries them again.

    Raises
    ------
    TypeError, ValueError
        If `grid` has no points or two equal ones, if a result has the name of a parameter, or if
        `store` has been written by a sweep with another `function` or `seed`, or cannot hold a value.

    Examples
    --------
    >>> from sc_neurocore import sweep
    >>> def area(width, height):
    ...     return {"area": width * height}
    >>> sweep(area, {"width": [1, 2], "height": [5]})
    [{'width': 1, 'height': 5, 'area': 5}, {'width': 2, 'height': 5, 'area': 10}]
    """
    points, results = each_point(
        function, grid, executor=executor, seed=seed, store=store, progress=progress
    )
    found = dict(results)
    errors = {i: result.text for i, result in found.items() if isinstance(result, Failure)}
    if errors:
        first = min(errors)
        what = f"first {_key(points[first])}: {errors[first]}"
        warnings.warn(
            f"{len(errors)} of {len(points)} points failed, {what}",
            RuntimeWarning,
            stacklevel=2,
        )
    rows = [point | ({} if i in errors else found[i]) for i, point in enumerate(points)]
    return [row | {"error": errors.get(i)} for i, row in enumerate(rows)] if errors else rows


@dataclass(frozen=True)
class Failure:
    """An exception of a call."""

    error: BaseException

    @property
    def text(self) -> str:
        """The exception as text."""
        return f"{type(self.error).__name__}: {self.error}"


def each_point(
    function: Callable[..., Any],
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    *,
    executor: int | Executor | None,
    seed: int | None,
    store: str | os.PathLike[str] | None,
    progress: bool,
) -> tuple[list[Row], Generator[tuple[int, Any], None, None]]:
    """Return the points of `sweep`, and their numbers and results as they are finished.

    Results are columns or a `Failure`. Those of the store come first.
    """
    if not callable(function):
        _checks.wrong_type("function", "be callable", function)
    points = _points(grid)
    names = [_key(point) for point in points]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        _checks.fail("grid", "have different points", f"{twice} twice")
    if seed is not None:
        seed = _checks.integer("seed", seed, 0)
        if any("seed" in point for point in points):
            _checks.fail("grid", "have no parameter 'seed' if `seed` is given", names[0])
    about = {"function": _name_of(function), "seed": seed}
    if store is not None:
        for point in points:
            _line(point)  # raises before the work
    done = {} if store is None else _stored(store, about)
    calls = [
        (i, point if seed is None else {**point, "seed": _seed_of(seed, name)})
        for i, (point, name) in enumerate(zip(points, names, strict=True))
        if name not in done
    ]

    def results() -> Generator[tuple[int, Any], None, None]:
        for i, name in enumerate(names):
            if name in done:
                yield i, done[name]
        with (
            _appending(store, about) as append,
            progress_bar(len(calls), "sweep", "point", show=progress) as bar,
        ):
            for i, result in _results(function, calls, executor):
                if not isinstance(result, Failure):
                    result = append(points[i], _columns(result, points[i]))
                bar.update()
                yield i, result

    return points, results()


def _points(grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the points of a grid, NumPy scalars as Python's."""
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            if not isinstance(values, Iterable) or isinstance(values, str):
                contract = f"have a sequence of values of {name!r}"
                _checks.wrong_type("grid", contract, values, f"write [{values!r}]")
        values = [[_plain(v) for v in values] for values in grid.values()]
        points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*values)]
    else:
        points = [{name: _plain(v) for name, v in dict(point).items()} for point in grid]
    if not any(points):
        _checks.fail("grid", "have at least one point", "none")
    for name in {name for point in points for name in point}:
        if not isinstance(name, str) or not name.isidentifier():
            _checks.fail("grid", "have parameters that are names", repr(name))
    return points


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as one of Python, and anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _key(point: Row) -> str:
    """Return the text that identifies a point."""
    return json.dumps(point, sort_keys=True, default=repr)


def _name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, without the name of its module, which differs in scripts."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _seed_of(seed: int, name: str) -> int:
    """Return the seed of a point."""
    import hashlib

    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _columns(result: Any, point: Row) -> Row:
    """Return a result as columns."""
    columns = dict(result) if isinstance(result, Mapping) else {"result": result}
    for name in columns:
        if name in point or name == "error":
            _checks.fail("function", "return results that are not named as parameters", repr(name))
    return {name: _plain(value) for name, value in columns.items()}


def _results(
    function: Callable[..., Any], calls: list[tuple[int, Row]], executor: int | Executor | None
) -> Iterator[tuple[int, Any]]:
    """Yield the number of each call and its result, or its failure, as they are finished."""
    with opened(executor) as pool:
        if pool is None:
            for i, call in calls:
                yield i, _outcome(function, call)
            return
        for i, future in finished(pool, _called, ((i, (function, call)) for i, call in calls)):
            error = future.exception()
            yield i, future.result() if error is None else Failure(error)


def _called(function: Callable[..., Any], call: Row) -> Any:
    """Return the result of a call."""
    return function(**call)


def _outcome(function: Callable[..., Any], call: Row) -> Any:
    """Return the result of a call, or its failure."""
    try:
        return function(**call)
    except Exception as error:
        return Failure(error)


def _stored(path: str | os.PathLike[str], about: Row) -> dict[str, Row]:
    """Return the results in a store by the key of their point; cut a line off that was not finished."""
    try:
        with open(path, "r+b") as file:
            lines = file.read().split(b"\n")
            if lines[-1]:
                file.truncate(sum(len(line) + 1 for line in lines[:-1]))
    except FileNotFoundError:
        return {}
    try:
        first, *rows = [json.loads(line) for line in lines[:-1]] or [about]
        done = {_key(row["point"]): dict(row["result"]) for row in rows}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        _checks.fail("store", "be a file of sweep", f"{os.fspath(path)} ({error})")
    if first != about:
        _checks.fail(
            "store",
            f"be of {about}",
            f"{os.fspath(path)} of {first}",
            "use another file",
        )
    return done


@contextmanager
def _appending(path: str | os.PathLike[str] | None, about: Row) -> Iterator[Callable[[Row, Row], Row]]:
    """Yield a function that stores the result of a point, and returns it."""
    if path is None:
        yield lambda _, columns: columns
        return
    with open(path, "ab") as file:

        def append(point: Row, columns: Row) -> Row:
            line = _line({"point": point, "result": columns})
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            return dict(json.loads(line)["result"])  # as a later sweep reads it

        if file.tell() == 0:
            file.write(_line(about))
        yield append


def _line(row: Row) -> bytes:
    """Return a row of a store."""
    try:
        return f"{json.dumps(row)}\n".encode()
    except (TypeError, ValueError) as error:
        _checks.fail("store", "hold numbers, text, lists and mappings only", f"{row} ({error})")
