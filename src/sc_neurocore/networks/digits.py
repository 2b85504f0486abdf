"""The network that ships with the package, and its test images.

The images are 8x8 digits from the "Optical recognition of handwritten digits" data set of the UCI
machine learning repository (E. Alpaydin, C. Kaynak; CC BY 4.0), in scikit-learn's copy. The network was
trained by examples/train_digits.py on other images of that set.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.networks.network import Network


class Digits(NamedTuple):
    """A trained network, test images as densities (n, 64), and their labels (n,)."""

    network: Network
    images: NDArray[np.float64]
    labels: NDArray[np.int64]


def load_digits() -> Digits:
    """Return the network and test images that ship with the package.

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> digits = load_digits()
    >>> digits.network.shape, digits.images.shape
    ('64-100-10', (450, 64))
    """
    data = files("sc_neurocore") / "data"
    with as_file(data / "digits.npz") as path:
        network = Network.load(path)
    with as_file(data / "digits_test.npz") as path, np.load(path) as arrays:
        images = arrays["images"] / 16.0
        return Digits(network, images, arrays["labels"].astype(np.int64))
