# %% [markdown]
# # Correlation decides what a gate computes
#
# Alaghi, Hayes: Exploiting correlation in stochastic circuit design; ICCD 2013. They define the SCC,
# and give the functions of gates at SCC +1, 0 and -1. Here the streams have these correlations exactly,
# so that the functions hold exactly, for all pairs of densities k / 16.

# %%
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rows import Row, show

from sc_neurocore import Bitstream, scc

Reals = NDArray[np.float64]
AND: dict[int, Callable[[Reals, Reals], Reals]] = {
    +1: np.minimum,
    0: np.multiply,
    -1: lambda p, q: np.maximum(p + q - 1, 0),
}


def functions(p: Reals, q: Reals, correlation: int) -> dict[str, Reals]:
    """Return the densities of AND, OR and XOR, which follow from that of the AND."""
    both = AND[correlation](p, q)
    return {"AND": both, "OR": p + q - both, "XOR": p + q - 2 * both}


# %%
def pair(p: Reals, q: Reals, correlation: int, n: int) -> tuple[Bitstream, Bitstream]:
    """Return streams of n * n bits: ones first, at SCC +1, 0 or -1."""
    t = np.arange(n * n)
    x = Bitstream.from_bits(t // n < (p * n)[..., np.newaxis])
    late = t // n if correlation else t % n
    y = Bitstream.from_bits((late if correlation >= 0 else n - 1 - late) < (q * n)[..., np.newaxis])
    return x, y


def results(*, small: bool = False) -> list[Row]:
    """Return the largest error of the SCC, and of three gates, at each correlation."""
    n = 8 if small else 16
    p, q = np.meshgrid(*[np.arange(1, n) / n] * 2)
    rows = []
    for correlation in AND:
        x, y = pair(p, q, correlation, n)
        errors = [np.abs(scc(x, y) - correlation).max()]
        for gate, out in {"AND": x & y, "OR": x | y, "XOR": x ^ y}.items():
            errors.append(np.abs(out.probability() - functions(p, q, correlation)[gate]).max())
        at = f"{correlation:+d}" if correlation else "0"
        name = f"largest error of SCC, AND, OR, XOR at SCC {at}, {p.size} pairs"
        rows.append(Row(name, "", ", ".join(f"{error:.0g}" for error in errors)))
    return rows


# %%
if __name__ == "__main__":
    show(results())
