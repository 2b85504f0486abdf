"""Network and test images that ship with the package.

The images are 8 x 8 digits from the "Optical recognition of handwritten digits" data set of the UCI
machine learning repository (E. Alpaydin, C. Kaynak; CC BY 4.0), in scikit-learn's copy. The network was
trained by examples/train_digits.py on other images of that data set.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.networks.network import Network

__all__ = ["Digits", "load_digits"]


class Digits(NamedTuple):
    """A trained network and held-out images, as returned by `load_digits`.

    Attributes
    ----------
    network : Network
        64-100-10.
    images : ndarray of float64, shape (450, 64)
        Pixels as densities in [0, 1].
    labels : ndarray of int64, shape (450,)
        Digits 0 to 9.
    """

    network: Network
    images: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"Digits({self.network.shape}, {len(self.images)} images)"


def load_digits() -> Digits:
    """Return the trained network that ships with the package, and held-out test images.

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
