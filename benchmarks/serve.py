"""The other end of `peers.Process`: a peer's script, which times the cases that it is asked for.

A line of standard input is the JSON name of a case, a line of standard output the answer. The first
answer carries the peer's version. Whatever a peer prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from timing import timings

# What is timed, and what makes it: data, compilation and warming up happen in the latter.
Call = Callable[[], object]
Cases = Mapping[str, Callable[[], Call]]


def threads() -> int:
    """Return how many threads the peer may use."""
    return int(sys.argv[1])


def serve(version: str, cases: Cases) -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    answer({"version": version})
    calls: dict[str, Call] = {}
    for line in sys.stdin:
        case = json.loads(line)
        try:
            if case not in calls:
                calls[case] = cases[case]()
                calls[case]()
            answer({"seconds": timings(calls[case])})
        except Exception as error:  # whatever a foreign package raises is reported, not our end
            answer({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
