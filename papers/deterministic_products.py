# %% [markdown]
# # Products without randomness
#
# Jenson, Riedel: A deterministic approach to stochastic computation; ICCAD 2016. Najafi, Jenson,
# Lilja, Riedel: Performing stochastic computation deterministically; IEEE TVLSI 27(12), 2019. The first
# operand repeats, and each bit of the second is held for one period (clock division), or the second is
# delayed by one step more in each period (rotation). After all n * n steps the product is exact.
# Low-discrepancy streams come close much earlier. The quotation is from the abstracts.

# %%
from __future__ import annotations

import numpy as np
from rows import Row, show

from sc_neurocore import Bitstream, Sobol, encode
from sc_neurocore.operators import exact_product


# %%
def results(*, small: bool = False) -> list[Row]:
    """Return the mean absolute error of all products of k / n after a part and all of n * n steps."""
    n = 16 if small else 64
    p, q = (axis.ravel() for axis in np.meshgrid(*[np.arange(n + 1) / n] * 2))
    rows = []
    for kind in ("unary", "Sobol"):
        if kind == "unary":
            x, y = (Bitstream.from_bits(np.arange(n) < v[:, np.newaxis] * n) for v in (p, q))
        else:
            first, second = (Sobol(i, randomized=False) for i in (0, 1))
            x, y = encode(p, n, key=0, source=first), encode(q, n, key=0, source=second)
        for method in ("division", "rotation"):
            product = exact_product(x, y, method)
            errors = []
            for steps in (n, n * n // 4, n * n):
                part = product.between(0, steps)
                errors.append(np.abs(part.probability() - p * q).mean())
            published = "completely accurate" if kind == "unary" else ""
            name = f"mean error, {method} of {kind} streams, {n}, {n * n // 4}, {n * n} steps"
            rows.append(Row(name, published, ", ".join(f"{error:.4f}" for error in errors)))
    return rows


# %%
if __name__ == "__main__":
    show(results())
