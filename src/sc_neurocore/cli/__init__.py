"""Command line: the command sc-neurocore and its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sc_neurocore.cli._parser import parser_of_all

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of sc-neurocore.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments of the command line, by default those of the process.

    Returns
    -------
    int
        Exit code: 0 for success, 1 for an error (printed in one line to standard error), 2 for wrong
        usage, 3 if a check failed (hardware that differs from its model, no length that keeps the
        accuracy, points of a sweep that raised), 130 for an interrupt from the keyboard, 141 if the
        reader of standard output is gone.
    """
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # of head, for example, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141


def _run(arguments: Sequence[str] | None) -> int:
    parser = parser_of_all()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for the words that fit
        _complete(parser)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help(sys.stderr)
        return 2
    try:
        from importlib import import_module

        module, name = options.run.split(":")
        getattr(import_module(f"{__name__}.{module}"), name)(options)
    except KeyboardInterrupt:
        print("sc-neurocore: interrupted", file=sys.stderr)
        return 130
    except (MemoryError, OverflowError) as error:
        reason = "" if isinstance(error, MemoryError) and str(error) == "std::bad_alloc" else str(error)
        print(f"sc-neurocore: {reason or 'out of memory'}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:  # standard output
            raise
        reason = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            reason = f"{error.filename}: {error.strerror}"
        print(f"sc-neurocore: {reason}", file=sys.stderr)
        return 3 if type(error).__name__ == "FailedCheckError" else 1
    return 0


def _complete(parser: ArgumentParser) -> None:
    """Answer a shell that completes the command line, and end; extra `command`."""
    try:
        from argcomplete import autocomplete
    except ImportError:
        return
    autocomplete(parser)
