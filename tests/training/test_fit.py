"""The loop trains as its parts do, and interruptions do not change its result."""

import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from error_table import test_of
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from sc_neurocore import LIF, Bitstream, Events, Sobol
from sc_neurocore.training import SCLinear, SCNetwork, cross_entropy, fit, latency_loss, rate_loss

READOUT = LIF(tau_mem=math.inf, v_threshold=math.inf)


@pytest.fixture(autouse=True)
def _seeded():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small wait for other threads most of the time
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def made(seed=0, n_out=3):
    torch.manual_seed(seed)
    return SCNetwork(SCLinear(6, 12, gain=0.6), SCLinear(12, n_out, gain=0.5, neuron=READOUT))


def task(n=90, seed=5):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 6, generator=generator)
    return x, x[:, :3].argmax(1)


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def equal(one, other):
    return all(torch.equal(p, other[name]) for name, p in one.items())


def test_an_epoch_is_a_loop_of_adam_with_one_cycle_of_rates_and_a_running_mean():
    x, y = task(70)
    model, lengths, epochs, batch = made(), (8, 16), 3, 16
    mean = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    gains = [p for name, p in model.named_parameters() if name.endswith("log_factor")]
    weights = [p for name, p in model.named_parameters() if not name.endswith("log_factor")]
    groups = [{"params": weights}, {"params": gains, "lr": 0.005}]
    optimizer = torch.optim.Adam(groups, lr=0.05, betas=(0.9, 0.99))
    batches = len(x) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [0.05, 0.005], total_steps=epochs * batches, pct_start=0.1, cycle_momentum=False
    )
    torch.manual_seed(1)
    losses = []
    for _ in range(epochs):
        for index in torch.randperm(len(x))[: batches * batch].view(batches, batch):
            length = lengths[int(torch.randint(2, ()))]
            scores = model(x[index].flip(1), length)
            loss = functional.cross_entropy(scores * (2 / math.sqrt(length)), y[index])
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            optimizer.step()
            schedule.step()
            mean.update_parameters(model)
    fitted = made()
    torch.manual_seed(1)
    history = fit(
        fitted, (x, y), epochs=epochs, length=lengths, batch_size=batch, learning_rate=0.05,
        augment=lambda x: x.flip(1), averaging=0.9, max_norm=0.3,
    )  # fmt: skip
    assert equal(parameters(fitted), parameters(mean.module))
    assert not fitted.training
    by_epoch = np.reshape(losses, (epochs, batches)).mean(axis=1)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert np.allclose([row["loss"] for row in history], by_epoch)


@pytest.mark.parametrize("epochs", [1, 2, 9, 10, 11])
def test_any_number_of_batches_is_trained(epochs):
    x, y = task()
    history = fit(made(), (x, y), epochs=epochs, length=4, batch_size=len(x))
    assert [row["epoch"] for row in history] == list(range(1, epochs + 1))


def test_the_best_epoch_is_returned_and_patience_ends_the_training():
    model, held = made(), task(40, seed=6)
    history = fit(
        model, task(), epochs=60, length=8, validation=held, patience=4, learning_rate=0.2,
        batch_size=30,
    )  # fmt: skip
    losses = [row["validation_loss"] for row in history]
    best = int(np.argmin(losses))
    assert len(history) < 60
    assert len(history) == best + 1 + 4
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        total = sum(
            len(y) * cross_entropy(model(x, 8), y, 8).item()
            for x, y in zip(held[0].split(30), held[1].split(30), strict=True)
        )
    assert total / 40 == pytest.approx(losses[best], rel=1e-12)


class StoppedError(Exception):
    """Raised in the middle of an epoch, in place of a kill."""


def stopping(at):
    """A loss that raises at its call number `at`, and counts its calls."""
    calls = []

    def loss(scores, labels, length):
        calls.append(length)
        if len(calls) == at:
            raise StoppedError
        return cross_entropy(scores, labels, length)

    return loss


class Dropping(nn.Module):
    """A model with other random numbers, and with buffers that training changes."""

    def __init__(self):
        super().__init__()
        self.network, self.norm, self.drop = made(), nn.BatchNorm1d(6), nn.Dropout(0.1)

    def forward(self, x, length):
        return self.network(self.drop(self.norm(x).sigmoid()).clamp(0, 1), length)


def loader(seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(*task()), batch_size=20, shuffle=True, generator=generator)


@pytest.mark.parametrize("at", [1, 3, 10, 18])
@pytest.mark.parametrize("kind", ["arrays", "loader", "other modules"])
def test_resuming_gives_the_result_of_no_interruption(tmp_path, kind, at):
    def run(model, loss, path=None):
        data = loader(3) if kind == "loader" else task()
        how = {"batch_size": 20, "length": (8, 16), "averaging": 0.8, "checkpoint": path, "loss": loss}
        return fit(model, data, epochs=5, validation=task(30, seed=6), **how)

    new = Dropping if kind == "other modules" else made
    torch.manual_seed(0)
    whole = new()
    torch.manual_seed(9)
    history = run(whole, cross_entropy)

    path = tmp_path / "checkpoint.pt"
    torch.manual_seed(0)
    first = new()
    torch.manual_seed(9)
    with pytest.raises(StoppedError):
        run(first, stopping(at), path)
    torch.manual_seed(123)  # a process of its own has another state and other parameters
    again = new()
    for p in again.parameters():
        p.data.mul_(0.5)
    if at < 4:  # before the first epoch there is no file, and nothing to resume
        assert not path.exists()
        return
    assert run(again, cross_entropy, path) == history
    assert equal(dict(whole.state_dict()), dict(again.state_dict()))
    finished = new()
    assert run(finished, stopping(1), path) == history  # and trains no further
    assert equal(dict(whole.state_dict()), dict(finished.state_dict()))


@pytest.mark.parametrize("validated", [False, True])
def test_an_interrupt_returns_the_state_after_the_last_epoch(tmp_path, validated):
    def run(end, path=None):
        batches = []

        def ending(x):
            batches.append(None)
            if len(batches) == 2 * 4 + 2:  # in the middle of the third epoch
                end()
            return x

        model = made()
        torch.manual_seed(2)
        held = task(30, seed=6) if validated else None
        how = {"length": 8, "batch_size": 20, "learning_rate": 0.1, "averaging": 0.5}
        history = fit(model, task(), epochs=9, augment=ending, validation=held, checkpoint=path, **how)
        return history, model

    def stop():
        raise StoppedError

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(StoppedError):
        run(stop, path)
    saved = torch.load(path, weights_only=True)
    history, model = run(lambda: signal.raise_signal(signal.SIGINT))
    assert history == saved["history"]
    assert len(history) == 2
    assert not model.training
    for name, p in parameters(model).items():
        expected = saved["best"][name] if validated else saved["average"][f"module.{name}"]
        assert torch.equal(p, expected)


def test_a_kill_leaves_a_checkpoint_that_can_be_read(tmp_path):
    path = tmp_path / "checkpoint.pt"
    code = (
        "import sys, torch; from sc_neurocore.training import *;"
        "model = SCNetwork(SCLinear(6, 12, gain=0.6), SCLinear(12, 3, gain=0.5));"
        "data = torch.rand(90, 6), torch.arange(90) % 3;"
        "fit(model, data, epochs=3000, length=4, batch_size=45, checkpoint=sys.argv[1])"
    )
    run = subprocess.Popen([sys.executable, "-c", code, path])
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    run.kill()
    run.wait()
    # A new state has another name between two system calls, when it is whole.
    names = {name for name in os.listdir(tmp_path) if not name.endswith(".part")}
    assert names == {"checkpoint.pt"}
    for name in os.listdir(tmp_path):
        assert len(torch.load(tmp_path / name, weights_only=True)["history"]) >= 1


def test_ctrl_c_ends_a_training_in_time():
    threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
    began = time.monotonic()
    history = fit(made(), task(), epochs=10**6, length=8)
    assert time.monotonic() - began < 10
    assert len(history) < 10**6


def test_a_loader_trains_as_a_list_of_its_batches():
    x, y = task()
    batches = list(zip(x.split(30), y.split(30), strict=True))
    # With a generator of its own it leaves PyTorch's alone, from which the seeds of the bits come.
    data = DataLoader(TensorDataset(x, y), batch_size=30, generator=torch.Generator())
    models = [made(), made()]
    for model, given in zip(models, (batches, data), strict=True):
        torch.manual_seed(1)
        fit(model, given, epochs=2, length=8, source=Sobol(), bits_per_step=2)
    assert equal(*map(parameters, models))


@pytest.mark.parametrize("kind", ["stream", "events", "in time", "array"])
def test_inputs_of_every_form_are_trained_on(kind):
    bits = np.random.default_rng(0).random((24, 6, 10)) < np.linspace(0.1, 0.9, 6)[:, None]
    x, length = Bitstream.from_bits(bits), None
    if kind == "events":
        at = [np.nonzero(row) for row in bits]
        x = Events([t for _, t in at], [u for u, _ in at], shape=(6, 10))
    elif kind == "in time":
        x = bits * 0.8
    elif kind == "array":
        x, length = bits.mean(axis=2), 10
    labels = np.arange(24) % 3
    history = fit(made(), (x, labels), epochs=2, length=length, batch_size=10, validation=(x, labels))
    assert {*history[1]} == {
        "epoch", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy"
    }  # fmt: skip
    assert all(type(value) in (int, float) for value in history[0].values())


class Spikes(nn.Module):
    """A model whose output are trains, for `latency_loss`."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 6))

    def forward(self, x, length):
        p = (x @ self.weight.T).sigmoid()
        return p.expand(length, -1, -1)


def test_losses_of_other_outputs_have_no_accuracy():
    history = fit(
        Spikes(), task(), epochs=3, length=8, loss=lambda s, y, n: latency_loss(s, y, tau=2.0)
    )
    assert {*history[0]} == {"epoch", "learning_rate", "loss"}
    assert history[-1]["loss"] < history[0]["loss"]
    x, _ = task()

    def regression(scores, targets, length):
        return functional.mse_loss(scores / length, targets)

    assert "accuracy" not in fit(made(), (x, x[:, :3]), epochs=1, length=8, loss=regression)[0]
    assert fit(made(), task(), epochs=1, length=8, loss=rate_loss)[0]["accuracy"] >= 0


def test_gains_have_a_rate_of_their_own():
    models = [made(), made()]
    for model, rate in zip(models, (0.0, None), strict=True):
        fit(model, task(), epochs=1, length=8, gain_rate=rate)
    frozen, learned = (m.layers[0].log_factor.item() for m in models)
    assert frozen == 0 != learned


def test_delays_have_a_rate_of_their_own():
    models = [SCNetwork(SCLinear(20, 2, gain=0.3, delay=4, learn=("gain", "delay"))) for _ in range(2)]
    spikes, labels = torch.randint(0, 2, (60, 20, 12)).float(), torch.arange(60) % 2
    for model, rate in zip(models, (0.0, 0.5), strict=True):
        fit(model, (spikes, labels), epochs=3, batch_size=20, delay_rate=rate)
    still, moved = ((model.layers[0].steps_late - 4).abs().max().item() for model in models)
    assert still == 0
    assert moved > 0.5


def test_pytorch_has_one_thread_while_the_core_trains_and_its_own_number_afterwards():
    torch.set_num_threads(2)
    seen = []

    def loss(scores, labels, length):
        seen.append(torch.get_num_threads())
        return cross_entropy(scores, labels, length)

    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.of_bits = made()

        def forward(self, x, length):
            return self.of_bits(x, length)

    for model, expected in ((made(), {1}), (Mixed(), {2})):
        seen.clear()
        fit(model, task(), epochs=1, length=8, loss=loss)
        assert set(seen) == expected
        assert torch.get_num_threads() == 2


class Evil:
    """An object whose unpickling runs code."""

    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("content", ["empty", "text", "code", "other", "truncated", "network"])
def test_other_files_are_refused_and_run_no_code(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    run = lambda model: fit(model, task(), epochs=1, length=8, checkpoint=path)  # noqa: E731
    if content == "code":
        torch.save({"model": Evil()}, path)
    elif content == "other":
        torch.save({"model": 3}, path)
    elif content in ("truncated", "network"):
        run(made())
        if content == "truncated":
            path.write_bytes(path.read_bytes()[:-300])
    else:
        path.write_bytes(b"text" * (content == "text"))
    other = SCNetwork(SCLinear(6, 4, gain=0.6), SCLinear(4, 3, gain=0.5))
    with pytest.raises(ValueError, match=r"checkpoint must (be a file that fit|fit the model)"):
        run(other if content == "network" else made())
    assert not (tmp_path / "evil").exists()


def resumed(tmp_path, **options):
    path = tmp_path / "checkpoint.pt"
    fit(made(), task(), epochs=2, length=8, checkpoint=path)
    return fit(made(), task(), **{"epochs": 2, "length": 8, "checkpoint": path, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 3}, {"length": [8, 9]}, {"batch_size": 30}, {"learning_rate": 0.1},
        {"averaging": 0.9}, {"max_norm": 1.0}, {"gain_rate": 0.1}, {"delay_rate": 0.1},
        {"validation": task(9)},
    ],
)  # fmt: skip
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, options):
    with pytest.raises(
        ValueError, match=r"checkpoint must be one of a training with .*; delete the fi"
    ):
        resumed(tmp_path, **options)


def test_states_that_do_not_fit_are_refused_before_the_training(tmp_path):
    path = tmp_path / "checkpoint.pt"
    held = task(30, seed=6)

    def run(epochs=2):
        return fit(made(), task(), epochs=epochs, length=8, checkpoint=path, validation=held)

    run()
    good = torch.load(path, weights_only=True)
    for name in good.keys() - {"version", "average", "loader_random"}:
        for wrong in (3, [3], {"a": 3}, torch.zeros(3)):
            torch.save({**good, name: wrong}, path)
            if name == "schedule" and wrong == {"a": 3}:
                continue  # adds an attribute that nothing reads
            with pytest.raises(ValueError, match="checkpoint must"):
                run()


X, Y = task()
MODEL = made()


def call(data=(X, Y), **options):
    return lambda: fit(MODEL, data, **{"epochs": 1, "length": 8, **options})


class Empty:
    def __iter__(self):
        return iter([])

    def __len__(self):
        return 1


class Endless:
    def __iter__(self):
        return iter([(X, Y)])

    def __repr__(self):
        return "Endless()"


class Once:
    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration

    def __repr__(self):
        return "Once()"


test_errors = test_of([
    (lambda: fit(3, (X, Y), epochs=1), TypeError, "model must be a Module, got 3"),
    (lambda: fit(nn.ReLU(), (X, Y), epochs=1), ValueError,
     "model must have parameters that require gradients, got ReLU"),
    (call(epochs=0), ValueError, "epochs must be at least 1, got 0"),
    (call(batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
    (call(learning_rate=0), ValueError, "learning_rate must be greater than 0, got 0.0"),
    (call(gain_rate=-1), ValueError, "gain_rate must be 0 or more, got -1.0"),
    (call(delay_rate=-1), ValueError, "delay_rate must be 0 or more, got -1.0"),
    (call(max_norm=0), ValueError, "max_norm must be greater than 0, got 0.0"),
    (call(averaging=1), ValueError, "averaging must be below 1, got 1.0"),
    (call(patience=3), TypeError, "validation must be given with patience, got None"),
    (call(progress=1), TypeError, "progress must be a bool, got 1"),
    (call(length=0), ValueError, "length must be at least 1, got 0"),
    (call(length=()), ValueError, "length must have at least one value, got none"),
    (call(length=None), TypeError, "length must be given unless x has a length of its own, got None"),
    (call((X, Y, Y)), ValueError,
     "data must be a tuple (x, labels) or an iterable of batches, got 3 items"),
    (call((X, Y[:9])), ValueError,
     "data must have one label for each input, and at least one input, got 90 inputs and labels of "
     "shape (9,)"),
    (call(validation=(X[:0], Y[:0])), ValueError,
     "validation must have one label for each input, and at least one input, got 0 inputs and labels "
     "of shape (0,)"),
    (call(Once()), TypeError,
     "data must be (x, labels) or batches to iterate over repeatedly, got Once(); use a list or a "
     "DataLoader, because an iterator ends after one epoch"),
    (call(3), TypeError,
     "data must be (x, labels) or batches to iterate over repeatedly, got 3; use a list or a "
     "DataLoader, because an iterator ends after one epoch"),
    (call(Endless()), TypeError,
     "data must have a length, got Endless(); the schedule of the learning rate needs the number of "
     "batches"),
    (call([]), ValueError, "data must have at least one batch, got none; use fewer inputs per batch"),
    (call(Empty()), ValueError, "data must yield at least one batch in each pass, got none"),
    (call([X]), TypeError, "data must yield pairs (x, labels), got 'Tensor'"),
    (call(loss=lambda s, y, n: s.sum() * math.nan), ValueError,
     "loss must be finite, got nan in epoch 1; lower learning_rate or set max_norm"),
    (call(checkpoint="/missing/file"), ValueError,
     "checkpoint must lie in a folder that exists, got '/missing/file'"),
    (call(mode=3), TypeError, "SCNetwork.forward() got an unexpected keyword argument 'mode'"),
])  # fmt: skip
