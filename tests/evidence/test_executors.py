"""`evaluate` and `plan` on executors: the same numbers, warnings and errors wherever they run."""

import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Dense,
    FixedPoint,
    Hammersley,
    Network,
    Sobol,
    encode,
    evaluate,
    plan,
    simulate_float,
)
from sc_neurocore.evidence import _executors, _runs
from sc_neurocore.streams import Faults

RNG = np.random.default_rng(5)
NETWORK = Network(
    [Dense(RNG.uniform(-1, 1, (12, 9)), gain=0.4), Dense(RNG.uniform(-1, 1, (4, 12)), gain=0.5)]
)
IMAGES, LABELS = RNG.random((23, 9)), RNG.integers(0, 4, 23)
OPTIONS = {"seeds": [3, 1], "source": Sobol.for_length, "bits_per_step": [1, 2]}


class Backwards(Executor):
    """Runs the calls that it holds last first, in copies, as another process does."""

    def __init__(self):
        self.calls = []

    def submit(self, function, /, *arguments):
        future = Future()
        self.calls.append((future, pickle.dumps((function, arguments))))
        if len(self.calls) % 5 == 0:
            self.run()
        return future

    def run(self):
        for future, call in reversed(self.calls):
            if not future.done():
                function, arguments = pickle.loads(call)
                future.set_result(function(*arguments))


def said(rows):
    return [
        (row.length, row.bits_per_step, row.right.tolist(), row.float_right.tolist(), row.same.tolist(),
         str(row.spike_ratios))
        for row in rows
    ]  # fmt: skip


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(_runs, "_IMAGES", 7)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"fixed_point": FixedPoint()}, {"faults": Faults(flip=0.01)}],
    ids=["plain", "fixed", "faults"],
)
def test_threads_give_the_accuracies_of_this_process(workers, options, small_parts):
    here = evaluate(NETWORK, IMAGES, LABELS, [8, 33, 8], **OPTIONS, **options)
    with ThreadPoolExecutor(workers) as pool:
        there = evaluate(NETWORK, IMAGES, LABELS, [8, 33, 8], **OPTIONS, **options, executor=pool)
    assert said(there) == said(here)


def test_the_order_in_which_calls_end_changes_nothing(small_parts, monkeypatch):
    monkeypatch.setattr(_executors, "_AHEAD", 10)
    here = evaluate(NETWORK, IMAGES, LABELS, [8, 33], **OPTIONS)
    assert said(evaluate(NETWORK, IMAGES, LABELS, [8, 33], **OPTIONS, executor=Backwards())) == said(
        here
    )


def test_spike_trains_are_split_and_cut(small_parts):
    trains = encode(IMAGES, 40, key=1)
    here = evaluate(NETWORK, trains, LABELS, [16, 40], seeds=[0])
    with ThreadPoolExecutor(2) as pool:
        assert said(evaluate(NETWORK, trains, LABELS, [16, 40], seeds=[0], executor=pool)) == said(here)


def test_a_plan_is_the_same_on_an_executor(small_parts):
    options = {"lengths": [4, 8, 16, 32, 64], "bits_per_step": [1, 2], "seeds": range(3)}
    labels = simulate_float(NETWORK, IMAGES, 64).classes
    here = plan(NETWORK, IMAGES, labels, 0.2, **options)
    assert [len(p.tried) for p in here] not in ([1, 1], [10, 10])
    with ThreadPoolExecutor(3) as pool:
        there = plan(NETWORK, IMAGES, labels, 0.2, **options, executor=pool)
    assert [(p.source, p.length, said(p.tried)) for p in there] == [
        (p.source, p.length, said(p.tried)) for p in here
    ]


class Murderous(Executor):
    """Passes calls on to another executor, and kills a process after the 20th."""

    def __init__(self, executor, victim):
        self.executor, self.victim, self.n = executor, victim, 0

    def submit(self, function, /, *arguments):
        self.n += 1
        if self.n == 20:
            os.kill(self.victim, signal.SIGKILL)
        return self.executor.submit(function, *arguments)


def test_dask_gives_the_same_accuracies_when_a_worker_is_killed(small_parts):
    from distributed import Client, LocalCluster

    here = evaluate(NETWORK, IMAGES, LABELS, [64, 256], seeds=range(5))
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        pool = Murderous(client.get_executor(pure=False), victim)
        there = evaluate(NETWORK, IMAGES, LABELS, [64, 256], seeds=range(5), executor=pool)
    assert pool.n == 4 * 2 * 6
    assert said(there) == said(here)


def test_the_large_digits_of_a_batch_are_sent_in_parts_of_4_mb():
    parts = _runs._parts(_runs.Inputs(np.zeros((5000, 784)), (5000,), None))
    assert all(784 * 8 * (part.stop - part.start) <= 2**22 for part in parts)
    assert len(parts) == 8
    assert _runs._parts(_runs.Inputs(np.zeros((2, 10**6)), (2,), None)) == [slice(0, 1), slice(1, 2)]


def warned(network, images, executor, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluate(network, images, LABELS % 2, [12], **options, executor=executor)
    return sorted((str(w.message), w.category.__name__, w.filename) for w in caught)


def test_warnings_are_those_of_this_process_and_point_to_the_caller(small_parts):
    weak = Network([Dense(np.full((2, 9), 0.1), gain=0.01, neuron=LIF())])
    some = np.where(np.arange(23)[:, np.newaxis] < 7, 0.0, 1.0) * np.ones((1, 9))
    awake = Network([Dense(np.full((2, 9), 1.0), gain=1.0, neuron=LIF())])
    with ThreadPoolExecutor(2) as pool:
        for network, images, n in ((weak, IMAGES, 2), (awake, some, 0)):
            here = warned(network, images, None, seeds=[0, 1])
            assert len(here) == n
            assert warned(network, images, pool, seeds=[0, 1]) == here
        options = {"seeds": [0], "source": Hammersley(16, randomized=False)}
        here = warned(awake, IMAGES, None, **options)
        assert here
        assert {name for *_, name in here} == {__file__}
        assert set(warned(awake, IMAGES, pool, **options)) == set(here)


def test_the_error_of_a_call_ends_the_evaluation():
    class Failing(Executor):
        def submit(self, function, /, *arguments):
            future = Future()
            future.set_exception(MemoryError("too small"))
            return future

    with pytest.raises(MemoryError, match="too small"):
        evaluate(NETWORK, IMAGES, LABELS, [8], executor=Failing())


@pytest.mark.parametrize("call", [evaluate, plan])
def test_an_executor_that_is_none_is_refused(call):
    given = {"max_loss": 0.1} if call is plan else {"lengths": [8]}
    with pytest.raises(ValueError, match="executor must be at least 1 and at most 1024, got 0"):
        call(NETWORK, IMAGES, LABELS, **given, executor=0)
    with pytest.raises(TypeError, match="executor must be"):
        call(NETWORK, IMAGES, LABELS, **given, executor="dask")


SCRIPT = """
import time
from sc_neurocore import evaluate, load_digits, plan

if __name__ == "__main__":
    digits = load_digits()
    print("begun", flush=True)
    evaluate(*digits, [4096] * 4, seeds=range(1000), executor=2)
"""


def is_alive(group):
    """Whether a group has processes."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_ends_local_processes_within_seconds(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options, start_new_session=True) as run:
        assert run.stdout.readline() == "begun\n"
        time.sleep(2.5)
        os.killpg(run.pid, signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and is_alive(run.pid):
        time.sleep(0.05)
    assert not is_alive(run.pid)
