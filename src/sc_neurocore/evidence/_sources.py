"""Sources that may depend on the length of the streams."""

from __future__ import annotations

from collections.abc import Callable

from sc_neurocore import _checks
from sc_neurocore.streams.source import Sources

# A source, or a function of the length, such as the `for_length` of a source.
SourceByLength = Sources | Callable[[int], Sources]


def source_at(source: SourceByLength, length: int) -> Sources:
    """Return a source, or the source for that length of a function."""
    if isinstance(source, type):
        contract = "be a Source or a function of the length"
        remedy = f"write {source.__name__}() or {source.__name__}.for_length"
        _checks.wrong_type("source", contract, source, remedy)
    return source(length) if callable(source) else source
