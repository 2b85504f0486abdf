"""The settings. The environment gives their first values when the package is imported.

SC_NEUROCORE_ISA      portable, avx2 or avx512: the instruction set, by default the best there is
SC_NEUROCORE_THREADS  the largest number of threads a call may use, by default all cores
SC_NEUROCORE_CHECK    1: operators check the correlation of their operands and warn, by default 0

None changes a single bit of any result.
"""

from __future__ import annotations

import os

from sc_neurocore import _checks, _native

_MOST_THREADS = 2**16
# How many ask for checks: the environment, and each open block of correlation.checking.
checkers = 0


def configure() -> None:
    """Apply the environment variables."""
    global checkers
    check = os.environ.get("SC_NEUROCORE_CHECK") or "0"
    checkers = int(_checks.choice("SC_NEUROCORE_CHECK", check, ("0", "1")))
    isa = os.environ.get("SC_NEUROCORE_ISA")
    if isa is not None:
        _native.set_isa(_checks.choice("SC_NEUROCORE_ISA", isa, _native.isas()))
    threads = os.environ.get("SC_NEUROCORE_THREADS")
    if threads is not None and not threads.isdecimal():
        _checks.fail("SC_NEUROCORE_THREADS", "be a whole number", repr(threads))
    n = int(threads or _cores())
    _native.set_threads(_checks.integer("SC_NEUROCORE_THREADS", n, 1, _MOST_THREADS))


def set_threads(n: int | None) -> None:
    """Set the largest number of threads that a call may use; None: all cores.

    Calls take fewer where the work would not pay for more, and give the same bits with any number. The
    setting is one for the process; its first value is SC_NEUROCORE_THREADS or all cores.

    Examples
    --------
    >>> from sc_neurocore import get_threads, set_threads
    >>> before = get_threads()
    >>> set_threads(1)  # as in a pool of processes
    >>> get_threads()
    1
    >>> set_threads(before)
    """
    _native.set_threads(_cores() if n is None else _checks.integer("n", n, 1, _MOST_THREADS))


def get_threads() -> int:
    """Return the largest number of threads that a call may use."""
    return _native.threads()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
