"""Write src/sc_neurocore/data/sobol.npz from SciPy's copy of Joe and Kuo's table.

python tools/sobol_table.py      (needs scipy)
"""

from pathlib import Path

import numpy as np
import scipy.stats

DIMENSIONS = 1024


def main() -> None:
    """Write the polynomials and the concatenated initial numbers of the first dimensions."""
    table = np.load(Path(scipy.stats.__file__).parent / "_sobol_direction_numbers.npz")
    polynomials = table["poly"][:DIMENSIONS].astype(np.uint32)
    initial = [row[row > 0] for row in table["vinit"][:DIMENSIONS].astype(np.uint32)]
    path = Path(__file__).parents[1] / "src" / "sc_neurocore" / "data" / "sobol.npz"
    np.savez_compressed(path, polynomials=polynomials, initial=np.concatenate(initial))


if __name__ == "__main__":
    main()
