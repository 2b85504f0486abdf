"""Write normal_table.hpp: the half-normal inverse distribution function, octave by octave.

For a tail index f = 2**e * (1.5 + t), -0.5 <= t < 0.5, the sample is -ndtri(f / 2**32), a polynomial
of degree 5 in t for each octave e = 0 .. 30; f = 2**31 is the median, 0. Run with SciPy installed:

    python native/normal_table.py > native/normal_table.hpp
"""

import numpy as np
from scipy.special import ndtri

DEGREE = 5


def table() -> np.ndarray:
    """Return the coefficients, shape (6, 32); column (e + 127) % 32, the low bits of the exponent."""
    nodes = 0.5 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    columns = np.zeros((DEGREE + 1, 32), np.float32)
    for e in range(31):
        z = -ndtri((nodes + 1.5) * 2.0 ** (e - 32))
        fit = np.polynomial.chebyshev.Chebyshev.fit(nodes, z, DEGREE, domain=[-0.5, 0.5])
        columns[:, (e + 127) % 32] = fit.convert(kind=np.polynomial.Polynomial).coef
    return columns


def main() -> None:
    """Print the header."""
    print("// Written by normal_table.py. Row k holds the coefficients of t**k, a column an octave.")
    print("#pragma once\n\nnamespace sc {\n\n// clang-format off")
    print(f"alignas(64) inline constexpr float kNormalTable[{DEGREE + 1}][32] = {{")
    for row in table():
        print("  {" + ", ".join(f"{value:.9e}f" for value in row) + "},")
    print("};\n// clang-format on\n\n}  // namespace sc")


if __name__ == "__main__":
    main()
