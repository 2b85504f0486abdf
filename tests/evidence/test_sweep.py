"""Sweeps: rows in the order of the grid, the same for every executor, and resumed after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sc_neurocore import sweep

GRID = {"a": [1, 2, 3], "b": [0.5, 0.25]}


def scaled(a, b, seed=None):
    return {"product": a * b, "seed_used": seed}


def rows(**columns):
    return [
        {"a": a, "b": b, **{name: f(a, b) for name, f in columns.items()}}
        for a in GRID["a"]
        for b in GRID["b"]
    ]


def test_the_rows_are_in_the_order_of_the_grid():
    assert sweep(scaled, GRID) == rows(product=lambda a, b: a * b, seed_used=lambda a, b: None)
    assert sweep(lambda a, b: a + b, GRID) == rows(result=lambda a, b: a + b)
    points = [{"a": 1, "b": 2}, {"a": 5, "b": 1}]
    assert sweep(lambda a, b: a * b, points) == [
        {"a": 1, "b": 2, "result": 2},
        {"a": 5, "b": 1, "result": 5},
    ]


def test_numpy_scalars_become_numbers():
    (row,) = sweep(lambda n: np.float32(n) / 2, {"n": np.arange(3, 4)})
    assert row == {"n": 3, "result": 1.5}
    assert [type(v) for v in row.values()] == [int, float]


def test_a_point_has_the_same_seed_in_every_grid():
    one = sweep(scaled, GRID, seed=3)
    other = sweep(scaled, [{"b": 0.25, "a": 2}], seed=3)
    assert other[0]["seed_used"] == one[3]["seed_used"]
    seeds = {row["seed_used"] for row in one}
    assert len(seeds) == 6
    assert all(0 <= s < 2**63 for s in seeds)
    assert sweep(scaled, GRID, seed=4)[0]["seed_used"] not in seeds


def slow_first(a, b, seed):
    time.sleep(0.2 if a == 1 else 0)
    return {"product": a * b, "seed_used": seed}


def test_the_rows_do_not_depend_on_the_executor():
    here = sweep(slow_first, GRID, seed=1)
    assert sweep(slow_first, GRID, seed=1, executor=2) == here
    with ThreadPoolExecutor(4) as threads:
        assert sweep(slow_first, GRID, seed=1, executor=threads) == here


def dies_once(a, b, folder):
    """Kill the process in which the point (2, .25) is first computed."""
    once = os.path.join(folder, "died")
    if (a, b) == (2, 0.25) and not os.path.exists(once):
        open(once, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return a * b


def test_a_dask_cluster_gives_the_same_rows_when_a_worker_is_killed(tmp_path):
    from distributed import Client, LocalCluster

    grid = {**GRID, "folder": [str(tmp_path)]}
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        found = sweep(dies_once, grid, executor=client.get_executor(pure=False))
    assert (tmp_path / "died").exists()
    assert [row["result"] for row in found] == [a * b for a in GRID["a"] for b in GRID["b"]]


def test_a_killed_process_of_a_pool_is_reported(tmp_path):
    with pytest.warns(RuntimeWarning, match="points failed"):
        found = sweep(dies_once, {**GRID, "folder": [str(tmp_path)]}, executor=1, store=tmp_path / "s")
    assert any("BrokenProcessPool" in str(row["error"]) for row in found)
    again = sweep(dies_once, {**GRID, "folder": [str(tmp_path)]}, executor=1, store=tmp_path / "s")
    assert [row["result"] for row in again] == [a * b for a in GRID["a"] for b in GRID["b"]]


def test_a_failing_point_does_not_lose_the_rest(tmp_path):
    def inverse(a):
        return 1 / a

    with pytest.warns(
        RuntimeWarning, match=r"1 of 3 points failed, first \{\"a\": 0\}: ZeroDivisionError"
    ):
        found = sweep(inverse, {"a": [1, 0, 2]}, store=tmp_path / "s")
    assert [row.get("result") for row in found] == [1.0, None, 0.5]
    assert [row["error"] for row in found] == [None, "ZeroDivisionError: division by zero", None]
    assert len((tmp_path / "s").read_text().splitlines()) == 3


def test_a_store_computes_nothing_twice_and_grows_with_the_grid(tmp_path):
    calls = []

    def counted(a, b, seed):
        calls.append((a, b))
        return {"pair": (a, b)}

    store = tmp_path / "sweep.jsonl"
    first = sweep(counted, {"a": [1], "b": [1, 2]}, seed=0, store=store)
    assert first[1]["pair"] == [1, 2]
    again = sweep(counted, {"b": [1, 2, 3], "a": [1]}, seed=0, store=store)
    assert calls == [(1, 1), (1, 2), (1, 3)]
    assert [row["pair"] for row in again] == [[1, 1], [1, 2], [1, 3]]
    with pytest.raises(ValueError, match=r"store must be of .*use another file"):
        sweep(counted, {"a": [1], "b": [1]}, seed=1, store=store)
    assert calls == [(1, 1), (1, 2), (1, 3)]


SCRIPT = """
import sys, time
from sc_neurocore import sweep

def square(n):
    with open(sys.argv[2], "a") as log:
        print(n, file=log)
    time.sleep(0.02)
    return n * n

sweep(square, {"n": range(40)}, store=sys.argv[1])
"""


def test_a_sweep_that_was_killed_goes_on(tmp_path):
    store, log = tmp_path / "s", tmp_path / "log"
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", store, log]
    for _ in range(2):
        before = len(log.read_text().split()) if log.exists() else 0
        run = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if log.exists() and len(log.read_text().split()) > before + 5:
                break
        run.kill()
        run.wait()
    subprocess.run(command, check=True)
    lines = [json.loads(line) for line in store.read_text().splitlines()]
    assert [row["point"]["n"] for row in lines[1:]] == list(range(40))
    assert all(row["result"] == {"result": row["point"]["n"] ** 2} for row in lines[1:])
    assert len(log.read_text().split()) <= 42  # only the call that a kill met is made again


PARENT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sc_neurocore import sweep
from worker import call
if __name__ == "__main__":
    sweep(call, {"n": range(2)}, executor=2)
"""
WORKER = """
import os, time
from pathlib import Path
def call(n):
    Path(f"pid{n}").write_text(str(os.getpid()))
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill asks for no signal there")
def test_processes_end_with_the_one_that_was_killed(tmp_path):
    (tmp_path / "script.py").write_text(PARENT)
    (tmp_path / "worker.py").write_text(WORKER)
    run = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path)
    deadline = time.monotonic() + 120
    while len(pids := [p.read_text() for p in tmp_path.glob("pid*")]) < 2 or not all(pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.kill()
    run.wait()
    while any(_lives(int(pid)) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_line_that_was_not_finished_is_computed_again(tmp_path):
    store = tmp_path / "s"
    whole = sweep(scaled, GRID, store=store)
    text = store.read_bytes()
    for cut in range(1, len(text), 7):
        store.write_bytes(text[:cut])
        assert sweep(scaled, GRID, store=store) == whole
        assert store.read_bytes() == text


def test_tables_take_the_rows():
    import pandas

    table = pandas.DataFrame(sweep(lambda a, b: a * b, GRID))
    assert list(table.columns) == ["a", "b", "result"]
    assert table.result.sum() == 4.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: sweep(3, GRID), TypeError, "function must be callable, got 3"),
        (lambda p: sweep(scaled, {}), ValueError, "grid must have at least one point, got none"),
        (lambda p: sweep(scaled, []), ValueError, "grid must have at least one point, got none"),
        (lambda p: sweep(scaled, {"a": []}), ValueError, "grid must have at least one point, got none"),
        (
            lambda p: sweep(scaled, {"a": [1, 1], "b": [2]}),
            ValueError,
            'grid must have different points, got {"a": 1, "b": 2} twice',
        ),
        (lambda p: sweep(scaled, {"a b": [1]}), ValueError, "grid must have parameters that are names"),
        (
            lambda p: sweep(scaled, {"a": [1], "seed": [2]}, seed=3),
            ValueError,
            "grid must have no parameter 'seed' if `seed` is given",
        ),
        (
            lambda p: sweep(scaled, GRID, executor=0),
            ValueError,
            "executor must be at least 1 and at most 1024, got 0",
        ),
        (
            lambda p: sweep(lambda a, b: {"a": 2}, GRID),
            ValueError,
            "function must return results that are not named as parameters, got 'a'",
        ),
        (
            lambda p: sweep(lambda a: 1, {"a": [{1}]}, store=p / "s"),
            ValueError,
            "store must hold numbers, text, lists and mappings only",
        ),
        (
            lambda p: sweep(scaled, GRID, store=(p / "x").write_text("hello\nyou\n") and p / "x"),
            ValueError,
            "store must be a file of sweep",
        ),
    ],
)
def test_wrong_arguments_raise_clear_errors(call, error, message, tmp_path):
    with pytest.raises(error) as raised:
        call(tmp_path)
    assert message in str(raised.value)
