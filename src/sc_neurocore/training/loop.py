"""A training loop with validation, early stopping and checkpoints."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sc_neurocore import _checks
from sc_neurocore._files import check_writable
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore.training import _checkpoints
from sc_neurocore.training._batches import Batches, length_of
from sc_neurocore.training.losses import cross_entropy
from sc_neurocore.training.network import SCNetwork

__all__ = ["fit"]

Data = tuple[Any, Any] | Iterable[tuple[Any, Any]]
Row = dict[str, float]
# Learning rates of parameters that are not weights.
_RATES = {"log_factor": "gain_rate", "steps_late": "delay_rate"}


def fit(
    model: nn.Module,
    data: Data,
    *,
    epochs: int,
    length: int | Sequence[int] | None = None,
    validation: Data | None = None,
    loss: Callable[[Tensor, Tensor, int], Tensor] = cross_entropy,
    batch_size: int = 64,
    learning_rate: float = 0.03,
    gain_rate: float | None = None,
    delay_rate: float = 0.5,
    max_norm: float | None = None,
    averaging: float | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **options: Any,
) -> list[Row]:
    """Train a model and return the history, one row per epoch.

    The optimizer is Adam with betas of 0.9 and 0.99. Learning rates rise over the first tenth of all
    batches and then fall to almost 0 (one cycle; L. N. Smith, N. Topin 2019, "Super-convergence").

    After the training the model is in evaluation mode. With `validation` it has the parameters of the
    epoch with the smallest validation loss, otherwise those of the last epoch, averaged if `averaging`.
    Ctrl-C ends the training: the model then has the parameters that it would have if the last complete
    epoch had been the last one, and the history of these epochs is returned.

    Parameters
    ----------
    model : SCNetwork or torch.nn.Module
        Called as ``model(x, length, **options)``; returns what `loss` takes.
    data : (x, labels) or iterable of such batches
        A tuple of all inputs and labels, which are divided into batches in a new random order for each
        epoch; an incomplete last batch is left out. Inputs are a Tensor, array_like, Bitstream or
        Events. Or batches to iterate over in each epoch, such as a DataLoader; they need a `len`.
    epochs : int
        Number of passes through the data.
    length : int or sequence of int, optional
        Time steps. Of a sequence each batch draws one, so that the model suits all of them, and
        validation uses the largest. Required for densities that are constant in time.
    validation : (x, labels) or iterable of such batches, optional
        Evaluated after each epoch, with the same random numbers each time.
    loss : callable
        Called as ``loss(scores, labels, length)``; returns a scalar Tensor, the mean over a batch.
    batch_size : int
        Inputs per batch of a tuple.
    learning_rate : float
        Largest learning rate of the weights.
    gain_rate : float, optional
        Largest learning rate of the logarithms of the gains (parameters named `log_factor`), by default
        a tenth of that of the weights.
    delay_rate : float
        Largest learning rate of learned delays (parameters named `steps_late`): about the number of
        time steps by which an update can change one.
    max_norm : float, optional
        Scale the gradients down to this norm of all gradients if it is larger.
    averaging : float, optional
        Decay of a running mean of the parameters, such as 0.998, which is validated and returned in
        place of the parameters.
    augment : callable, optional
        Applied to the inputs of each batch of training.
    patience : int, optional
        Stop after so many epochs without a smaller validation loss.
    checkpoint : path, optional
        File to which the state of the training is written after each epoch, in one step, so that it is
        complete whenever the process is killed. If it exists, training continues from it, with the
        result of a training without interruption. It is read without executing code.
    progress : bool
        Show a progress bar (requires the extra `progress`).
    **options
        Further arguments of the model, such as `source` and `bits_per_step`.

    Returns
    -------
    list of dict
        Rows with `epoch` (from 1), `learning_rate` of the last batch, `loss`, the mean over the epoch
        in training mode, and `validation_loss`; `accuracy` and `validation_accuracy` too if scores have
        shape (batch, n_classes) and labels are integers. ``pandas.DataFrame(history)`` is a table.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range, the loss is not finite, or the checkpoint is damaged or belongs
        to another model or other settings.

    Notes
    -----
    All random numbers are drawn from PyTorch's generator for the CPU, so ``torch.manual_seed`` makes a
    training reproducible, and from that of a DataLoader if it has one. Their states are part of the
    checkpoint; those of other generators, which data sets or `augment` may use, are not.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore.training import SCLinear, SCNetwork, fit
    >>> _ = torch.manual_seed(0)
    >>> x = torch.rand(200, 4)
    >>> labels = (x[:, 0] > x[:, 1]).long()
    >>> model = SCNetwork(SCLinear(4, 20, gain=0.8), SCLinear(20, 2, gain=0.8))
    >>> history = fit(model, (x, labels), epochs=20, length=32, validation=(x, labels))
    >>> history[-1]["validation_accuracy"] > 0.8
    True
    """
    _checks.instance("model", model, nn.Module)
    epochs = _checks.integer("epochs", epochs, 1)
    size = _checks.integer("batch_size", batch_size, 1)
    rate = _checks.positive("learning_rate", learning_rate)
    slow = rate / 10 if gain_rate is None else _checks.non_negative("gain_rate", gain_rate)
    late = _checks.non_negative("delay_rate", delay_rate)
    norm = None if max_norm is None else _checks.positive("max_norm", max_norm)
    decay = None if averaging is None else _checks.below_one("averaging", averaging)
    _checks.instance("progress", progress, bool)
    if patience is not None:
        patience = _checks.integer("patience", patience, 1)
        if validation is None:
            _checks.wrong_type("validation", "be given with patience", validation)
    train = Batches.of("data", data, size, shuffled=True)
    held = (
        validation if validation is None else Batches.of("validation", validation, size, shuffled=False)
    )
    settings = {
        "epochs": epochs, "batches": len(train), "batch_size": size, "learning_rate": rate,
        "gain_rate": slow, "delay_rate": late, "max_norm": norm, "averaging": decay,
        "lengths": _lengths(length), "validation": held is not None,
    }  # fmt: skip
    if checkpoint is not None:
        check_writable("checkpoint", checkpoint)
    run = _Run(model, train, held, loss, augment, options, settings)
    state = run.state([], None)
    if checkpoint is not None and os.path.exists(checkpoint):
        state = _checkpoints.read(checkpoint, settings)
        run.load(state, repr(os.fspath(checkpoint)))
    with _threads(model), progress_bar(epochs * len(train), "fit", "batch", show=progress) as bar:
        bar.update(len(state["history"]) * len(train))
        try:
            while len(state["history"]) < epochs and not _is_over(state["history"], patience):
                state = run.epoch(state, bar)
                if checkpoint is not None:
                    _checkpoints.write(checkpoint, state)
        except KeyboardInterrupt:
            run.load(state, "the last epoch")
    model.load_state_dict(state["best"] or run.result())
    model.eval()
    return list(state["history"])


@contextmanager
def _threads(model: nn.Module) -> Iterator[None]:
    """Run PyTorch in one thread if the core does the work: its idle threads slow down the core's."""
    before = torch.get_num_threads()
    if isinstance(model, SCNetwork):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Run:
    """A training, with the objects of PyTorch that it changes."""

    def __init__(
        self,
        model: Any,
        train: Batches,
        held: Batches | None,
        loss: Callable[[Tensor, Tensor, int], Tensor],
        augment: Callable[[Tensor], Tensor] | None,
        options: dict[str, Any],
        settings: dict[str, Any],
    ) -> None:
        self.model, self.train, self.held = model, train, held
        self.loss, self.augment, self.options, self.settings = loss, augment, options, settings
        decay = settings["averaging"]
        self.mean = None
        if decay is not None:
            self.mean = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        learned: dict[str, list[Tensor]] = {"learning_rate": [], "gain_rate": [], "delay_rate": []}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                learned[_RATES.get(name.rpartition(".")[2], "learning_rate")].append(parameter)
        groups = [{"params": own, "lr": settings[rate]} for rate, own in learned.items() if own]
        if not groups:
            _checks.fail("model", "have parameters that require gradients", type(model).__name__)
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
        total = settings["epochs"] * settings["batches"]
        self.schedule = OneCycleLR(
            self.optimizer,
            [group["lr"] for group in groups],
            total_steps=total,
            pct_start=0.2 if total == 10 else 0.1,  # a rise of one step would end in step 0
            cycle_momentum=False,
        )

    def result(self) -> Any:
        """Return the parameters to validate and to return."""
        return (self.model if self.mean is None else self.mean.module).state_dict()

    def state(self, history: list[Row], best: Any) -> dict[str, Any]:
        """Return a copy of everything that the following epochs depend on."""
        generator = self.train.generator
        state = {
            "settings": self.settings,
            "model": self.model.state_dict(),
            "average": None if self.mean is None else self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "loader_random": None if generator is None else generator.get_state(),
            "history": history,
            "best": best,
        }
        return copy.deepcopy(state)

    def load(self, state: dict[str, Any], shown: str) -> None:
        """Return to a state, which is not changed later."""
        state = copy.deepcopy(state)
        with _checkpoints.fitting(shown):
            if state["best"] is not None:  # is needed at the end only, but must fit
                self.model.load_state_dict(state["best"])
            self.model.load_state_dict(state["model"])
            if self.mean is not None:
                self.mean.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            torch.set_rng_state(state["random"])
            if self.train.generator is not None:
                self.train.generator.set_state(state["loader_random"])

    def epoch(self, state: dict[str, Any], bar: Bar) -> dict[str, Any]:
        """Train for an epoch and return the new state."""
        row: Row = {"epoch": len(state["history"]) + 1}
        self.model.train()
        sums = _Sums()
        for x, labels in self.train:
            length = self._draw()
            given = x if self.augment is None else self.augment(x)
            scores = self.model(given, length, **self.options)
            loss = self.loss(scores, labels, _steps(given, length))
            value = loss.item()
            if not math.isfinite(value):
                remedy = "lower learning_rate or set max_norm"
                _checks.fail("loss", "be finite", f"{value} in epoch {row['epoch']}", remedy)
            row["learning_rate"] = self.schedule.get_last_lr()[0]
            self._step(loss)
            sums = sums.with_batch(value, scores, labels)
            bar.update()
        row |= sums.row("")
        best = state["best"]
        if self.held is not None:
            row |= self._validated(self.held)
            before = [earlier["validation_loss"] for earlier in state["history"]]
            if row["validation_loss"] < min(before, default=math.inf):
                best = self.result()
        return self.state([*state["history"], row], best)

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        if self.settings["max_norm"] is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings["max_norm"])
        self.optimizer.step()
        self.schedule.step()
        if self.mean is not None:
            self.mean.update_parameters(self.model)

    @torch.no_grad()
    def _validated(self, held: Batches) -> Row:
        """Return loss and accuracy on data that are not trained on, with the same numbers each time."""
        model = (self.model if self.mean is None else self.mean.module).eval()
        sums, lengths = _Sums(), self.settings["lengths"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for x, labels in held:
                length = max(lengths) if lengths else None
                scores = model(x, length, **self.options)
                loss = self.loss(scores, labels, _steps(x, length))
                sums = sums.with_batch(loss.item(), scores, labels)
        return sums.row("validation_")

    def _draw(self) -> int | None:
        lengths = self.settings["lengths"]
        if len(lengths) < 2:
            return lengths[0] if lengths else None
        return int(lengths[int(torch.randint(len(lengths), ()))])


class _Sums(NamedTuple):
    """Loss and hits of the batches of a pass."""

    loss: float = 0.0
    right: int | None = 0  # None if scores or labels are not those of classes
    n: int = 0

    def with_batch(self, loss: float, scores: Any, labels: Tensor) -> _Sums:
        """Return the sums with those of a batch."""
        n, right = len(labels), None
        of_classes = isinstance(scores, Tensor) and scores.ndim == 2 and labels.ndim == 1
        if of_classes and not labels.is_floating_point() and self.right is not None:
            # NumPy's argmax returns the first of equal values; PyTorch's does not guarantee that.
            classes = scores.detach().cpu().numpy().argmax(axis=1)
            right = self.right + int((classes == labels.cpu().numpy()).sum())
        return _Sums(self.loss + n * loss, right, self.n + n)

    def row(self, prefix: str) -> Row:
        """Return the means over the inputs."""
        if self.n == 0:
            _checks.fail("data", "yield at least one batch in each pass", "none")
        row = {f"{prefix}loss": self.loss / self.n}
        return row if self.right is None else row | {f"{prefix}accuracy": self.right / self.n}


def _lengths(length: Any) -> list[int]:
    """Return the lengths to draw from; none if inputs have a length of their own."""
    if length is None:
        return []
    if isinstance(length, Sequence | np.ndarray) and not isinstance(length, str):
        lengths = [_checks.length_of_stream("length", n) for n in length]
        if not lengths:
            _checks.fail("length", "have at least one value", "none")
        return lengths
    return [_checks.length_of_stream("length", length)]


def _steps(x: Any, length: int | None) -> int:
    """Return the time steps of the scores of inputs."""
    own = length_of(x) if length is None else length
    if own is None:
        _checks.wrong_type("length", "be given unless x has a length of its own", length)
    return own


def _is_over(history: Sequence[Row], patience: int | None) -> bool:
    """Return whether the validation loss has been no smaller for `patience` epochs."""
    if patience is None or not history:
        return False
    losses = [row["validation_loss"] for row in history]
    return len(losses) - 1 - losses.index(min(losses)) >= patience
