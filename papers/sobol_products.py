# %% [markdown]
# # Products of Sobol streams
#
# Liu, Han: Energy efficient stochastic computing with Sobol sequences; DATE 2017. Numbers of Sobol
# sequences make products converge faster than those of registers and of Halton sequences.

# %%
from __future__ import annotations

import numpy as np
from rows import Row, show

from sc_neurocore import LFSR, Bernoulli, Halton, Sobol, Source, encode_pair

SOURCES: dict[str, Source] = {
    "Sobol": Sobol(),
    "Halton": Halton(),
    "LFSR": LFSR(8),
    "Bernoulli": Bernoulli(),
}


# %%
def results(*, small: bool = False) -> list[Row]:
    """Return the mean absolute error of products of pairs of densities, by source and length."""
    n, seeds = (400, 2) if small else (5000, 20)
    p, q = np.random.default_rng(0).random((2, n))
    rows = []
    for length in (16, 64, 255):
        cells = []
        for name, source in SOURCES.items():
            errors = []
            for seed in range(seeds):
                x, y = encode_pair(p, q, length, key=seed, source=source)
                errors.append(np.abs((x & y).probability() - p * q).mean())
            cells.append(f"{name} {np.mean(errors):.4f}")
        rows.append(Row(f"mean error of a product, {length} bits", "", ", ".join(cells)))
    return rows


# %%
if __name__ == "__main__":
    show(results())
