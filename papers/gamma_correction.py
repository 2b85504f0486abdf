# %% [markdown]
# # Gamma correction by a Bernstein polynomial
#
# Qian, Li, Riedel, Bazargan, Lilja: An architecture for fault-tolerant computation with stochastic
# logic; IEEE Transactions on Computers 60(1), 2011. The function x**0.45 becomes a Bernstein polynomial
# of degree 6, computed by an adder and a multiplexer. Flipped bits change the result little by little.

# %%
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rows import Row, show

from sc_neurocore import Faults, Role, encode, stream_key
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import bernstein, bernstein_fit, bernstein_value


def gamma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x**0.45."""
    return x**0.45


# %%
def results(*, small: bool = False) -> list[Row]:
    """Return errors of the polynomial, of streams, and of streams with flipped bits."""
    n, runs = (33, 1) if small else (129, 20)
    x = np.linspace(0, 1, n)
    coefficients = bernstein_fit(gamma, 6)
    polynomial = bernstein_value(x, coefficients)
    off = np.abs(polynomial - gamma(x)).mean()
    rows = [Row("mean error of the polynomial of degree 6", "", f"{off:.4f}")]
    circuit = Circuit.trace(lambda x: bernstein(x, coefficients, key=2), x=(6,))
    for length in (256, 1024):
        for rate in (0.0, 0.01, 0.05):
            errors = []
            for seed in range(runs):
                # Copies of x with numbers of their own.
                copies = encode(
                    np.repeat(x[:, np.newaxis], 6, axis=1), length, key=stream_key(seed, Role.INPUT)
                )
                faults = Faults(flip=rate)
                out = circuit.simulate({"x": copies}, faults=faults, key=stream_key(seed, Role.FAULT))
                errors.append(np.abs(out["out"].probability() - polynomial).mean())
            flips = f", {rate:.0%} of bits flipped".replace("%", " %") if rate else ""
            rows.append(Row(f"mean error, {length} bits{flips}", "", f"{np.mean(errors):.4f}"))
    return rows


# %%
if __name__ == "__main__":
    show(results())
