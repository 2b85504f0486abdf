"""Conversion of ReLU networks to spiking networks with rate coding."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.exchange._affine import Stage
from sc_neurocore.exchange._layers import layer_of, peaks_of
from sc_neurocore.exchange._relu_sklearn import is_of_sklearn, stages_of_sklearn
from sc_neurocore.exchange._relu_torch import stages_of_torch
from sc_neurocore.exchange._tensors import plain
from sc_neurocore.networks import (
    Network,
)
from sc_neurocore.networks._inputs import checked_densities
from sc_neurocore.networks.layers import (
    Layer,
)
from sc_neurocore.neurons import (
    LIF,
)

__all__ = ["Conversion", "LayerConversion", "convert_relu"]

Floats = NDArray[np.float64]

# Without a leak, and with a reset by subtraction, the rate is the mean current. A start at half a
# threshold rounds the count to the nearest integer instead of down (Bu et al. 2022).
INTEGRATE_AND_FIRE = LIF(v_rest=0.5, tau_mem=math.inf, reset="subtract")
INTEGRATOR = LIF(tau_mem=math.inf, v_threshold=math.inf)


@dataclass(frozen=True)
class LayerConversion:
    """Scales and clipping of one converted layer.

    Attributes
    ----------
    scale : float
        Activation that a spike at every step represents. It is 1 for the readout, which never spikes.
    clipped : float
        Fraction of the positive activations on the given data that exceed the scale.
    lost : float
        Fraction of the sum of activations on the given data that saturation removes.
    at_bound : float
        Fraction of weights at -1 or 1, at least one per neuron. A small fraction means that a few large
        weights set the gain of a neuron and its other weights use little of their range.
    gain : float
        Current of one spike through a weight of 1, the largest of the neurons.
    """

    scale: float
    clipped: float
    lost: float
    at_bound: float
    gain: float


@dataclass(frozen=True)
class Conversion:
    """Result of `convert_relu`; `print` shows the report as a table.

    Attributes
    ----------
    network : Network
    report : tuple of LayerConversion
        One for each layer.
    """

    network: Network
    report: tuple[LayerConversion, ...]

    def __repr__(self) -> str:
        return f"Conversion({self.network.shape}, layers={len(self.report)})"

    def _repr_html_(self) -> str:
        header = ("layer", "scale", "clipped", "lost", "at bound", "gain")
        rows = (
            (
                i,
                f"{x.scale:.4g}",
                f"{x.clipped:.2%}",
                f"{x.lost:.2%}",
                f"{x.at_bound:.2%}",
                f"{x.gain:.4g}",
            )
            for i, x in enumerate(self.report)
        )
        return html_table(header, rows)

    def __str__(self) -> str:
        lines = [f"{'layer':>5} {'scale':>9} {'clipped':>8} {'lost':>7} {'at bound':>9} {'gain':>9}"]
        for i, row in enumerate(self.report):
            lines.append(
                f"{i:5d} {row.scale:9.4g} {row.clipped:8.2%} {row.lost:7.2%} {row.at_bound:9.2%} "
                f"{row.gain:9.4g}"
            )
        return "\n".join(lines)


def convert_relu(model: Any, data: ArrayLike, *, percentile: float = 99.9) -> Conversion:
    """Convert a ReLU network to integrate-and-fire neurons whose firing rates are its activations.

    The rate of a neuron is its activation divided by the scale of its layer. The scale is the given
    percentile of the layer's activations on the data (Rueckauer et al. 2017); larger activations
    saturate. The last layer integrates without firing: after L steps its potentials are L times the
    model's outputs (before a softmax), up to rounding and sampling errors. With a constant current, a
    rate after L steps is off by at most ``1 / (2 L)``. Spikes take some steps to reach deeper layers.

    Parameters
    ----------
    model : torch.nn.Module or classifier of scikit-learn
        A PyTorch model that `torch.fx` can trace to a chain of Linear, Conv2d, BatchNorm, ReLU,
        AvgPool2d, AdaptiveAvgPool2d, MaxPool2d, Flatten, Dropout and Identity, modules or functions,
        with a Softmax at its end or none. Linear layers without a ReLU between them become one. Or a
        fitted MLPClassifier with activation="relu" or linear classifier (LogisticRegression, LinearSVC,
        SGDClassifier, ...), or a Pipeline of scalers and one of these. Notes say what becomes of each.
    data : array_like, shape (n, ...)
        Typical inputs in [0, 1], in the shape that the model accepts: a few hundred training images.
    percentile : float
        In (0, 100]. Lower values raise firing rates, so shorter streams suffice, but clip more.

    Returns
    -------
    Conversion

    Raises
    ------
    TypeError
        If the model is of another package.
    ValueError
        If the model has other layers (subclasses are others), hooks, branches, or a code that cannot be
        traced, or is a multilabel classifier, if data are outside [0, 1] or do not fit the model, or if
        a layer has no positive activation or only weights of 0.

    Notes
    -----
    Everything is exact for constant currents that do not saturate, up to rounding:

    - Groups, dilation and padding by axis become zeros in the kernels of a `Conv2d`. Different strides
      of rows and columns, and maps that are no convolution, become a `Dense`.
    - A BatchNorm (with its running statistics), a scaler (StandardScaler, MinMaxScaler, MaxAbsScaler,
      RobustScaler) and an average pool are folded into the weights next to them.
    - A max pool of n values per window becomes layers of pairwise maxima, n neurons per window in the
      first of ceil(log2(n)) layers and half as many in each further one::

          max(a, b) = relu(a - b) + relu(b)    for a, b >= 0

    - A Softmax is left out. The single output z of a binary classifier becomes the two outputs -z
      and z. Class k of the network is ``model.classes_[k]``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sc_neurocore import convert_relu, simulate
    >>> images, labels = load_digits(return_X_y=True)
    >>> images = images / 16
    >>> model = MLPClassifier((40,), random_state=0, n_iter_no_change=40, tol=1.0).fit(images, labels)
    >>> converted = convert_relu(model, images[:500])
    >>> classes = simulate(converted.network, images, 256, seed=1).classes
    >>> bool((classes == model.predict(images)).mean() > 0.97)
    True
    """
    percentile = _checks.positive("percentile", percentile)
    if percentile > 100:
        _checks.fail("percentile", "be at most 100", percentile)
    data = plain(data)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        stages = stages_of_torch(model, checked_densities("data", data, None, ndims=range(2, 65)))
    elif is_of_sklearn(model):
        stages = stages_of_sklearn(model, checked_densities("data", data, None, ndims=[2]))
    else:
        _checks.wrong_type("model", "be a torch.nn.Module or a classifier of scikit-learn", model)
    return _normalized(stages, percentile)


def _normalized(stages: Sequence[Stage], percentile: float) -> Conversion:
    layers: list[Layer] = []
    report, before = [], 1.0
    for number, stage in enumerate(stages):
        scale, clipped, lost = _scale_of(stage.activations, percentile, number)
        weights = stage.map.weights * (before / scale)
        bias = None if stage.map.bias is None else stage.map.bias / scale
        normal = replace(stage.map, weights=weights, bias=bias)
        gain = peaks_of(normal)
        if not (normal.weights.any() or (bias is not None and bias.any())):
            _checks.fail("model", f"have weights other than 0 in layer {number}", "zeros only")
        neuron = INTEGRATOR if stage.activations is None else INTEGRATE_AND_FIRE
        layers.append(layer_of(normal, gain, neuron))
        at_bound = float((abs(layers[-1].weights) == 1).mean())
        report.append(LayerConversion(scale, clipped, lost, at_bound, float(gain.max())))
        before = scale
    return Conversion(Network(layers), tuple(report))


def _scale_of(activations: Floats | None, percentile: float, number: int) -> tuple[float, float, float]:
    """Return scale, clipped and lost of `LayerConversion`."""
    if activations is None:
        return 1.0, 0.0, 0.0
    active = activations[activations > 0]
    scale = float(np.percentile(activations, percentile)) or float(active.max(initial=0))
    if scale == 0:
        _checks.fail("data", f"activate layer {number}", "zeros only")
    lost = np.maximum(active - scale, 0).sum() / active.sum()
    return scale, float((active > scale).mean()), float(lost)
