# %% [markdown]
# # Stochastic spiking attention
#
# Song, Katti, Simeone, Rajendran: Stochastic spiking attention: accelerating attention with stochastic
# computing in spiking networks; AICAS 2024 (arXiv 2402.09109). Queries, keys and values are spikes. AND
# gates replace products, and in each time step new bits replace sums::
#
#     S(n, m)    ~ Bernoulli(1 / D * sum of Q(n, d) & K(m, d) over d)
#     out(n, d)  ~ Bernoulli(1 / N * sum of S(n, m) & V(m, d) over m)
#
# The factors 1 / D and 1 / N make the sums probabilities. A bit with the mean of others is one of them,
# chosen at random: `scaled_add`. There is no softmax, so that the expected output is the linear
# attention of the densities.

# %%
from __future__ import annotations

import numpy as np
from rows import Row, show

from sc_neurocore import Bitstream, Role, encode, multiply, scaled_add, stream_key


# %%
def attention(q: Bitstream, k: Bitstream, v: Bitstream, *, key: int) -> Bitstream:
    """Return the output (N, D) of the block, from spikes q, k, v of shape (N, D)."""
    scores = scaled_add(multiply(q[:, None], k[None]), key=key)
    pairs = multiply(scores[:, None], transposed(v)[None])
    return scaled_add(pairs, key=key + 1)


def transposed(v: Bitstream) -> Bitstream:
    """Return streams (N, D) as (D, N)."""
    n, d = v.shape
    return v.reshape(n * d)[np.arange(n * d).reshape(n, d).T]


# %%
def results(*, small: bool = False) -> list[Row]:
    """Return the deviation of the output from linear attention, and that of independent bits."""
    n, d = (4, 8) if small else (16, 32)
    p = np.random.default_rng(0).random((3, n, d))
    wanted = (p[0] @ p[1].T / d) @ p[2] / n
    rows = []
    for length in (10, 100, 1000):
        q, k, v = (encode(x, length, key=stream_key(i, Role.INPUT)) for i, x in enumerate(p))
        out = attention(q, k, v, key=stream_key(0, Role.SELECT)).probability()
        found = np.sqrt(np.mean((out - wanted) ** 2))
        law = np.sqrt(np.mean(wanted * (1 - wanted)) / length)
        name = f"RMS error of attention, N = {n}, D = {d}, {length} steps; of independent bits"
        rows.append(Row(name, "", f"{found:.4f}; {law:.4f}"))
    return rows


# %%
if __name__ == "__main__":
    show(results())
