"""Source of numbers that the user gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._types import Words
from sc_neurocore.streams._numbers import ALL_LEVELS
from sc_neurocore.streams.source import Source

__all__ = ["TableSource"]

# Numbers that repr shows.
_SHOWN = 64


@dataclass(frozen=True, eq=False, repr=False)
class TableSource(Source):
    """Given numbers, repeated: those of a generator of your own, of a chip or of a publication.

    The number of lane i (the low half of the stream number) at step t is ::

        table[i, t % period]

    It depends neither on the key nor on the high half of the stream number. Densities
    ``k / n_levels`` are exact over a period if every number occurs equally often in it. The operands of
    a product have a table each, without a row in common.

    Parameters
    ----------
    table : array_like of int, shape (period,) or (n_lanes, period)
        Numbers in [0, n_levels). One row serves all lanes.
    n_levels : int
        Number of values that a number can have, in ``[1, 2**32]``.

    Raises
    ------
    TypeError
        If `table` does not hold integers, or `n_levels` is not an integer.
    ValueError
        If a number is outside its range, or `table` is empty or has another shape.

    Examples
    --------
    A linear congruential generator of 4 bits:

    >>> from sc_neurocore import encode
    >>> from sc_neurocore.streams import TableSource
    >>> table = [0]
    >>> while len(table) < 16:
    ...     table.append((5 * table[-1] + 3) % 16)
    >>> encode([0.25, 0.5], 16, key=1, source=TableSource(table, 16)).counts()
    array([4, 8])
    """

    table: NDArray[np.uint32]
    n_levels: int

    def __post_init__(self) -> None:
        n_levels = _checks.integer("n_levels", self.n_levels, 1, ALL_LEVELS)
        given = _checks.counting("table", self.table)
        if given.ndim not in (1, 2) or given.size == 0:
            contract = "have shape (period,) or (n_lanes, period) and hold numbers"
            _checks.fail("table", contract, f"shape {given.shape}")
        _checks.within("table", given, 0, n_levels - 1)
        table = given.astype(np.uint32)
        table.flags.writeable = False
        object.__setattr__(self, "n_levels", n_levels)
        object.__setattr__(self, "table", table)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TableSource):
            return NotImplemented
        return self.n_levels == other.n_levels and np.array_equal(self.table, other.table)

    def __hash__(self) -> int:
        return hash((TableSource, self.n_levels, self.table.shape, self.table.tobytes()))

    def __repr__(self) -> str:
        table = self.table.tolist() if self.table.size <= _SHOWN else f"shape {self.table.shape}"
        return f"TableSource({table}, {self.n_levels})"

    @property
    def levels(self) -> int:
        """Number of levels, `n_levels`."""
        return self.n_levels

    @property
    def period(self) -> int | None:
        """Period in steps, the length of a row."""
        return int(self.table.shape[-1])

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from: the rows."""
        return frozenset(("table", row.tobytes()) for row in np.atleast_2d(self.table))

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        rows = np.atleast_2d(self.table)
        lanes = streams & np.uint64(2**32 - 1) if len(rows) > 1 else np.zeros_like(streams)
        if (lanes >= len(rows)).any():
            contract = f"be in lanes below {len(rows)}, the rows of the table"
            _checks.fail("stream numbers", contract, lanes.max(), "one row serves all lanes")
        steps = (first + np.arange(length)) % rows.shape[1]
        return np.ascontiguousarray(rows[lanes[:, np.newaxis].astype(np.intp), steps])
