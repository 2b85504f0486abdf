"""The other end of `peers.Process`: a peer's script, which times the requested cases.

Each line of standard input is the name of a case in JSON, each line of standard output an answer. The
first answer holds the peer's version. Output that a peer prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from timing import timings

# A call is timed. The function that makes it prepares data, compiles and warms up.
Call = Callable[[], object]
Cases = Mapping[str, Callable[[], Call]]


def threads() -> int:
    """Return the number of threads for the peer."""
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
        except Exception as error:  # an error of a peer is reported and does not end the process
            answer({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
