"""Files with the state of a training: written in one step, read without executing code."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import torch

from sc_neurocore import _checks
from sc_neurocore._files import DAMAGED, check_regular, replacing

_VERSION = 1
# What PyTorch raises on damaged bytes; it reads them as a file, with errors of the operating system.
_DAMAGED: tuple[type[Exception], ...] = (UnpicklingError, EOFError, OSError, RuntimeError, *DAMAGED)
_FIELDS = (
    "version", "settings", "model", "average", "optimizer", "schedule", "random", "loader_random",
    "history", "best",
)  # fmt: skip


def write(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Replace the file in one step."""
    with replacing(path) as file:
        torch.save({"version": _VERSION, **state}, file)


def read(path: str | os.PathLike[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a file of the same settings.

    Raises
    ------
    ValueError
        If the file is not a checkpoint, or one of a training with other settings.
    """
    shown = repr(os.fspath(path))
    check_regular(path)
    with open(path, "rb") as file:
        content = file.read()
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        _checks.fail("checkpoint", "be a file that fit has written", shown, _reason(error))
    if not isinstance(state, dict) or {*state} != {*_FIELDS} or state["version"] != _VERSION:
        _checks.fail("checkpoint", "be a file that fit has written", shown, "it has other content")
    given = state["settings"]
    for name, value in settings.items():
        if not isinstance(given, dict) or given.get(name) != value:
            contract = f"be one of a training with {name}={value}"
            other = f"{name}={given.get(name)}" if isinstance(given, dict) else "no settings"
            _checks.fail("checkpoint", contract, f"{other} in {shown}", "delete the file to start anew")
    with fitting(shown):
        if {type(row["loss"]) for row in state["history"]} - {float}:
            _checks.fail("checkpoint", "have a history", shown)
    return state


@contextmanager
def fitting(shown: str) -> Iterator[None]:
    """Raise ValueError if a state does not fit the model, the optimizer or the generators."""
    try:
        yield
    except _DAMAGED as error:
        _checks.fail("checkpoint", "fit the model", shown, _reason(error))


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
