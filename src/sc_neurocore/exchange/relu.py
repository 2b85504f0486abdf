"""Conversion of ReLU networks to spiking networks with rate coding."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.exchange._affine import Convolution, Map, Matrix, TooLargeError, after, pool, scaled
from sc_neurocore.exchange._layers import layer_of, peaks_of
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
    model : torch.nn.Sequential or sklearn.neural_network.MLPClassifier
        A Sequential of Linear, Conv2d, BatchNorm, ReLU, AvgPool2d, Flatten and Dropout (ignored), with
        a ReLU between any two linear layers, or a fitted MLPClassifier with activation="relu". A
        BatchNorm is folded into the linear layer before it, by its running statistics, and an average
        pool into the next one. The single output z of a binary MLPClassifier
        becomes the two outputs -z and z. Class k of the network is ``model.classes_[k]``. Multilabel
        classifiers are refused.
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
        If the model is of another class. A subclass of Sequential is refused, as its forward pass can
        be another.
    ValueError
        If the model has other layers (subclasses are others), hooks, or another order of layers, or is
        a multilabel classifier, if data are outside [0, 1] or do not fit the model, or if a layer has
        no positive activation or only weights of 0.

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
    torch, sklearn = sys.modules.get("torch"), sys.modules.get("sklearn.neural_network")
    if torch is not None and type(model) is torch.nn.Sequential:
        stages = _stages_of_torch(model, checked_densities("data", data, None, ndims=range(2, 65)))
    elif sklearn is not None and isinstance(model, sklearn.MLPClassifier):
        stages = _stages_of_sklearn(model, checked_densities("data", data, None, ndims=[2]))
    else:
        _checks.wrong_type("model", "be a torch.nn.Sequential or an sklearn MLPClassifier", model)
    return _normalized(stages, percentile)


@dataclass(eq=False)
class _Stage:
    """A linear map and the activations of the ReLU after it; None after the last map."""

    map: Map
    activations: Floats | None = None


def _normalized(stages: Sequence[_Stage], percentile: float) -> Conversion:
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


# --- scikit-learn


def _stages_of_sklearn(model: Any, data: Floats) -> list[_Stage]:
    if model.activation != "relu":
        _checks.fail("model", 'have activation="relu"', repr(model.activation))
    if not hasattr(model, "coefs_"):
        _checks.fail("model", "be fitted", model, "call fit first")
    if model.out_activation_ == "logistic" and len(model.coefs_[-1].T) > 1:
        given = f"a multilabel classifier of {len(model.coefs_[-1].T)} labels"
        remedy = "its labels are not exclusive, but the classes of a Network are"
        _checks.fail("model", "be trained on one class per input", given, remedy)
    if data.shape[1] != len(model.coefs_[0]):
        _checks.fail("data", f"have shape (n, {len(model.coefs_[0])})", data.shape)
    stages, signal = [], data
    for coefficients, intercepts in zip(model.coefs_, model.intercepts_, strict=True):
        signal = np.maximum(signal @ coefficients + intercepts, 0)
        affine = Matrix(coefficients.T.astype(float), intercepts.astype(float))
        stages.append(_Stage(affine, signal))
    weights, bias = stages.pop().map.weights, model.intercepts_[-1].astype(float)
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
    return [*stages, _Stage(Matrix(weights, bias))]


# --- PyTorch


def _stages_of_torch(model: Any, data: Floats) -> list[_Stage]:
    torch = sys.modules["torch"]
    nn = torch.nn
    signal = torch.from_numpy(np.array(data))
    stages: list[_Stage] = []
    pooled: Convolution | None = None  # a mean pool that waits for the linear layer after it
    _check_plain(model)
    for module in _copied(model):
        _check_plain(module)
        _check_order(model, module, stages, pooled, nn)
        shape = tuple(signal.shape[1:])
        if isinstance(module, nn.Conv2d | nn.AvgPool2d) and len(shape) != 3:
            contract = f"have shape (n, channels, rows, columns) for {module}"
            _checks.fail("data", contract, f"{len(shape) + 1} axes")
        signal = _output(module, signal)
        if isinstance(module, nn.Linear | nn.Conv2d):
            linear = isinstance(module, nn.Linear)
            own = _linear(module, shape) if linear else _convolution(module, shape, pooled)
            stages.append(_Stage(_folded(own, pooled)))
            pooled = None
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            stages[-1].map = scaled(stages[-1].map, *_normalization(module))
        elif isinstance(module, nn.ReLU):
            stages[-1].activations = signal.numpy().copy()
        elif isinstance(module, nn.AvgPool2d):
            side = _side(module)
            pooled = pool(shape[0], shape[1:], (side, side), (side, side), (0, 0), 1 / side**2)
    if not stages or stages[-1].activations is not None:
        _checks.fail("model", "end with a Linear or Conv2d", model)
    return stages


def _copied(model: Any) -> Any:
    try:
        return copy.deepcopy(model).double().eval()
    except RuntimeError:  # PyTorch cannot copy weights that a pruning hook computes
        remedy = "make pruned weights permanent with torch.nn.utils.prune.remove"
        _checks.fail("model", "be one that copy.deepcopy can copy", model, remedy)


def _check_plain(module: Any) -> None:
    """Raise if a module can compute something else than its class does.

    The hooks of torch.nn.utils, such as spectral_norm, only compute the weights.
    """
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    if "forward" in vars(module) or not all(
        type(hook).__module__.startswith("torch.nn.utils.") for hook in hooks
    ):
        _checks.fail("model", "have no hooks and no forward of its own", module)


def _output(module: Any, signal: Any) -> Any:
    """Return the output of a module; raise if its input has another shape than it takes."""
    torch = sys.modules["torch"]
    try:
        with torch.no_grad():
            output = module(signal)
    except (RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        _checks.fail("data", f"have a shape that fits the model, {module}", tuple(signal.shape), reason)
    if len(output) != len(signal):
        _checks.fail("model", "flatten every axis but the first, that of the batch", module)
    return output


def _check_order(
    model: Any, module: Any, stages: Sequence[_Stage], pooled: Map | None, nn: Any
) -> None:
    linear_last = bool(stages) and stages[-1].activations is None
    parametrize = sys.modules["torch"].nn.utils.parametrize
    kind = parametrize.type_before_parametrizations(module)
    if kind in (nn.Linear, nn.Conv2d):
        if linear_last:
            _checks.fail("model", "have a ReLU between any two linear layers", model)
    elif kind in (nn.BatchNorm1d, nn.BatchNorm2d):
        if not linear_last:
            _checks.fail("model", "have a BatchNorm after a linear layer only", model)
    elif kind is nn.ReLU:
        if not linear_last:
            _checks.fail("model", "have a ReLU after a linear layer only", model)
    elif kind is nn.AvgPool2d:
        if linear_last or pooled is not None:
            _checks.fail("model", "have an AvgPool2d first or after a ReLU only", model)
    elif kind not in (nn.Flatten, nn.Dropout, nn.Dropout2d):
        known = "Linear, Conv2d, BatchNorm, ReLU, AvgPool2d, Flatten and Dropout"
        _checks.fail("model", f"consist of {known}", module)


def _linear(module: Any, shape: tuple[int, ...]) -> Map:
    if len(shape) != 1:
        _checks.fail("model", "have a Flatten before a Linear", f"an input of shape {shape}")
    return Matrix(*_arrays(module))


def _convolution(module: Any, shape: tuple[int, ...], pooled: Convolution | None) -> Map:
    plain = module.groups == 1 and module.dilation == (1, 1) and module.padding_mode == "zeros"
    square = isinstance(module.padding, tuple) and all(
        len(set(pair)) == 1 for pair in (module.stride, module.padding)
    )
    if not (plain and square):
        contract = "have Conv2d with one stride and padding, of zeros, without groups and dilation"
        _checks.fail("model", contract, module)
    if pooled is not None and any(module.padding):
        side, size = pooled.stride[0], pooled.size
        if size[0] % side or size[1] % side:
            given = f"{side} of {(pooled.weights.shape[1], *size)}"
            _checks.fail("model", "pool whole windows before a padded Conv2d", given)
    weights, bias = _arrays(module)
    return Convolution(weights, (shape[1], shape[2]), module.stride, module.padding, bias)


def _folded(linear: Map, pooled: Convolution | None) -> Map:
    """Return a linear map with the pool before it."""
    if pooled is None:
        return linear
    try:
        return after(linear, pooled)
    except TooLargeError:
        given = f"{len(linear.weights)} neurons on inputs of size {pooled.size}"
        _checks.fail("model", "pool inputs small enough for one matrix of weights", given)


def _side(pool: Any) -> int:
    sides = {*np.ravel(pool.kernel_size).tolist(), *np.ravel(pool.stride).tolist()}
    plain = not np.any(pool.padding) and not pool.ceil_mode and pool.divisor_override is None
    if len(sides) != 1 or not plain:
        contract = "have AvgPool2d with square windows side by side, without padding"
        _checks.fail("model", contract, pool)
    return int(sides.pop())


def _normalization(module: Any) -> tuple[Floats, Floats]:
    """Return factor and offset of each channel of a BatchNorm, from its running statistics."""
    if module.running_var is None:
        _checks.fail("model", "have a BatchNorm that tracks its statistics", module)
    factor = 1 / np.sqrt(module.running_var.numpy() + module.eps)
    if module.affine:
        factor = factor * module.weight.detach().numpy()
    offset = -module.running_mean.numpy() * factor
    if module.affine:
        offset = offset + module.bias.detach().numpy()
    return factor, offset


def _arrays(module: Any) -> tuple[Floats, Floats | None]:
    weights = module.weight.detach().numpy().copy()
    return weights, None if module.bias is None else module.bias.detach().numpy().copy()
