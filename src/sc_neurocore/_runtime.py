"""Settings of the process, initialized from environment variables when the package is imported.

SC_NEUROCORE_ISA
    Instruction set: portable, avx2, avx512 or neon. By default the best one available.
SC_NEUROCORE_THREADS
    Largest number of threads per call. By default the number of cores.
SC_NEUROCORE_CHECK
    1 makes operators check the correlation of their operands and warn, as in `checking`. By default 0.

No setting changes a single bit of any result.
"""

from __future__ import annotations

import os

from sc_neurocore import _checks, _native

__all__ = ["get_threads", "set_threads"]

_MOST_THREADS = 2**16
# Number of requests for checks: one from the environment, one from each open `checking` block.
checkers = 0


def configure() -> None:
    """Apply the environment variables. Called once, when the package is imported."""
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
    """Set the largest number of threads per call, for the whole process.

    Small calls use fewer threads. The number changes no result. The initial value is that of the
    environment variable SC_NEUROCORE_THREADS, or the number of cores.

    Parameters
    ----------
    n : int or None
        Number of threads, from 1 to 65536; None for the number of cores.

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
    """Return the largest number of threads per call."""
    return _native.threads()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
