# %% [markdown]
# # Circuits that change correlation
#
# Lee, Alaghi, Ceze: Correlation manipulating circuits for stochastic computing; DATE 2018
# (arXiv 1803.04862). A synchronizer brings the SCC of two streams towards +1, a desynchronizer towards
# -1, a decorrelator towards 0. With them, single gates compute maximum, minimum and a saturating sum of
# independent streams.

# %%
from __future__ import annotations

import numpy as np
from rows import Row, show

from sc_neurocore import Halton, VanDerCorput, encode, scc
from sc_neurocore.operators import (
    decorrelate,
    desynchronize,
    maximum,
    minimum,
    saturating_add,
    synchronize,
)

LENGTH = 256


# %%
def results(*, small: bool = False) -> list[Row]:
    """Return mean SCC before and behind each circuit, and mean errors of operators with them."""
    n = 13 if small else 51
    p, q = (axis.ravel() for axis in np.meshgrid(*[np.linspace(0, 1, n)] * 2))
    first, second = Halton(randomized=False).sequences(2)
    x, y = encode(p, LENGTH, key=0, source=first), encode(q, LENGTH, key=0, source=second)
    same = encode(q, LENGTH, key=0, source=VanDerCorput(2, randomized=False))
    rows = []
    others = decorrelate(x, 4, key=1), decorrelate(same, 4, key=2)
    for name, inputs, outputs in (
        ("a synchronizer of depth 1", (x, y), synchronize(x, y, 1)),
        ("a desynchronizer of depth 1", (x, y), desynchronize(x, y, 1)),
        ("decorrelators of depth 4", (x, same), others),
    ):
        before, after = (np.nanmean(scc(*pair)) for pair in (inputs, outputs))
        rows.append(Row(f"mean SCC before and behind {name}", "", f"{before:+.3f}, {after:+.3f}"))
    for name, wanted, plain, improved in (
        ("maximum", np.maximum(p, q), x | y, maximum(*synchronize(x, y, 1))),
        ("minimum", np.minimum(p, q), x & y, minimum(*synchronize(x, y, 1))),
        ("saturating sum", np.minimum(p + q, 1), x | y, saturating_add(*desynchronize(x, y, 1))),
    ):
        errors = [np.abs(out.probability() - wanted).mean() for out in (plain, improved)]
        title = f"mean error of {name}: the gate alone, behind its circuit"
        rows.append(Row(title, "", ", ".join(f"{error:.4f}" for error in errors)))
    return rows


# %%
if __name__ == "__main__":
    show(results())
