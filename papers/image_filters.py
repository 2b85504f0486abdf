# %% [markdown]
# # Image filters: edges and median
#
# Edges by Roberts cross: Alaghi, Li, Hayes: Stochastic circuits for real-time image-processing
# applications; DAC 2013. Median of 3 x 3 pixels: Li, Lilja, Qian, Bazargan, Riedel: Computation on
# stochastic bit streams: digital image processing case studies; IEEE TVLSI 22(3), 2014. All pixels
# share one generator, so that single gates compute absolute differences, minima and maxima. PSNR is
# measured against the filters on real numbers.

# %%
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rows import Row, show
from sklearn.datasets import load_sample_image

from sc_neurocore import LFSR, Bernoulli, Bitstream, Sobol, Source, encode, stack
from sc_neurocore.operators import absolute_difference, maximum, minimum, toggle_add

# Comparators of a median of nine (Smith: Implementing median filters in XC4000E FPGAs; 1996).
COMPARATORS = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)
SOURCES: dict[str, Source] = {"Sobol": Sobol(0), "LFSR": LFSR(8), "Bernoulli": Bernoulli()}


def psnr(image: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Return the ratio of the largest signal, 1, to the mean square error, in dB."""
    return float(-10 * np.log10(np.mean((image - wanted) ** 2)))


# %%
def edges(x: Bitstream) -> Bitstream:
    """Return (|x[0, 0] - x[1, 1]| + |x[0, 1] - x[1, 0]|) / 2 of the pixels of an image."""
    first = absolute_difference(x[:-1, :-1], x[1:, 1:])
    second = absolute_difference(x[:-1, 1:], x[1:, :-1])
    return toggle_add(stack([first, second]))


def median(x: Bitstream) -> Bitstream:
    """Return the median of each pixel and its eight neighbors."""
    rows, columns = (n - 2 for n in x.shape)
    pixels = [x[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    for i, j in COMPARATORS:
        pixels[i], pixels[j] = minimum(pixels[i], pixels[j]), maximum(pixels[i], pixels[j])
    return pixels[4]


# %%
def results(*, small: bool = False) -> list[Row]:
    """Return the PSNR of both filters by source and length."""
    photo = load_sample_image("china.jpg").mean(axis=2) / 255
    image = photo[100:132, 200:240] if small else photo[50:250, 150:450]
    a, b = np.abs(image[:-1, :-1] - image[1:, 1:]), np.abs(image[:-1, 1:] - image[1:, :-1])
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    wanted = {"edges": (a + b) / 2, "median": np.median(windows, axis=(2, 3))}
    rows = []
    for name, function in {"edges": edges, "median": median}.items():
        for length in (16, 64, 255):
            cells = []
            for kind, source in SOURCES.items():
                x = encode(image, length, key=1, source=source, streams=0)
                cells.append(f"{kind} {psnr(function(x).probability(), wanted[name]):.1f}")
            size = " x ".join(map(str, image.shape))
            rows.append(
                Row(f"PSNR of {name}, {size} pixels, {length} bits", "", ", ".join(cells) + " dB")
            )
    return rows


# %%
if __name__ == "__main__":
    show(results())
