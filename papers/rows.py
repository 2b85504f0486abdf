"""Rows of the table of published results, and how a script prints its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """A quantity as published, and as computed here.

    `published` is empty where no figure was seen in the source.
    """

    quantity: str
    published: str
    here: str


def show(rows: Sequence[Row]) -> None:
    """Print rows as text."""
    width = max(len(row.quantity) for row in rows)
    for row in rows:
        published = f"  (published: {row.published})" if row.published else ""
        print(f"{row.quantity:{width}}  {row.here}{published}")
