"""Stages of the classifiers and pipelines of scikit-learn, without importing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.exchange._affine import Matrix, Reals, Stage, after

_LINEAR = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "LinearSVC",
    "SGDClassifier",
    "Perceptron",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "LinearDiscriminantAnalysis",
)
_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def is_of_sklearn(model: Any) -> bool:
    """Return whether a model is an object of scikit-learn, or of a subclass."""
    return any(kind.__module__.split(".")[0] == "sklearn" for kind in type(model).__mro__)


def stages_of_sklearn(model: Any, data: Reals) -> list[Stage]:
    """Return the stages of a classifier, with the scalers before it folded into the first one."""
    *scalers, classifier = _flat(model)
    affine: Matrix | None = None
    for scaler in scalers:
        own = _scaler(scaler)
        affine = own if affine is None else _composed(own, affine)
    first, *rest = _layers(classifier)
    n_in = len((first if affine is None else affine).weights.T)
    if data.shape[1] != n_in:
        _checks.fail("data", f"have shape (n, {n_in})", data.shape)
    stages, signal = [], data
    maps = [first if affine is None else _composed(first, affine), *rest]
    for own in maps[:-1]:
        assert own.bias is not None
        signal = np.maximum(signal @ own.weights.T + own.bias, 0)
        stages.append(Stage(own, signal))
    return [*stages, Stage(_of_classes(maps[-1], classifier))]


def _flat(model: Any) -> Iterator[Any]:
    """Yield the estimators of a pipeline in order."""
    if type(model).__name__ != "Pipeline":
        yield model
        return
    for _, step in model.steps:
        if step is not None and step != "passthrough":
            yield from _flat(step)


def _composed(second: Matrix, first: Matrix) -> Matrix:
    both = after(second, first)
    assert isinstance(both, Matrix)
    return both


def _scaler(scaler: Any) -> Matrix:
    """Return a fitted scaler as a diagonal matrix and a bias."""
    name = type(scaler).__name__
    if name not in _SCALERS:
        contract = f"have only {', '.join(_SCALERS[:-1])} and {_SCALERS[-1]} before the classifier"
        _checks.fail("model", contract, scaler)
    if not hasattr(scaler, "n_features_in_"):
        _checks.fail("model", "be fitted", scaler, "call fit first")
    if getattr(scaler, "clip", False):
        _checks.fail("model", "have scalers with clip=False", scaler, "clipping is not linear")
    n = scaler.n_features_in_
    if name == "MinMaxScaler":
        factor, offset = scaler.scale_, scaler.min_
    else:
        is_centered = getattr(scaler, "with_mean", getattr(scaler, "with_centering", False))
        factor = np.ones(n) if scaler.scale_ is None else 1 / scaler.scale_
        center = scaler.center_ if name == "RobustScaler" else getattr(scaler, "mean_", None)
        offset = -np.asarray(center) * factor if is_centered else np.zeros(n)
    return Matrix(np.diag(np.asarray(factor, float)), np.asarray(offset, float))


def _layers(model: Any) -> list[Matrix]:
    """Return the linear maps of a classifier, of which all but the last are followed by a ReLU."""
    name = type(model).__name__
    is_network = any(kind.__name__ == "MLPClassifier" for kind in type(model).__mro__)
    if not is_network and name not in _LINEAR:
        contract = f"be or end with an MLPClassifier or a linear classifier ({', '.join(_LINEAR)})"
        _checks.fail("model", contract, model)
    if is_network and model.activation != "relu":
        _checks.fail("model", 'have activation="relu"', repr(model.activation))
    if not hasattr(model, "coefs_" if is_network else "coef_"):
        _checks.fail("model", "be fitted", model, "call fit first")
    if not is_network:
        weights = np.atleast_2d(np.asarray(model.coef_, float))
        bias = np.broadcast_to(np.asarray(model.intercept_, float), (len(weights),))
        return [Matrix(weights, bias.copy())]
    return [
        Matrix(weights.T.astype(float), bias.astype(float))
        for weights, bias in zip(model.coefs_, model.intercepts_, strict=True)
    ]


def _of_classes(last: Matrix, model: Any) -> Matrix:
    """Return the last map with one output for each class: -z and z for the z of two classes."""
    weights, bias = last.weights, last.bias
    classes = len(model.classes_)
    is_multilabel = getattr(model, "out_activation_", "") == "logistic" and len(weights) > 1
    if is_multilabel or len(weights) not in (classes, 1) or (len(weights) == 1 and classes != 2):
        given = f"a multilabel classifier of {len(weights)} labels"
        remedy = "its labels are not exclusive, but the classes of a Network are"
        _checks.fail("model", "be trained on one class per input", given, remedy)
    assert bias is not None
    if len(weights) == 1:
        return Matrix(np.concatenate([-weights, weights]), np.concatenate([-bias, bias]))
    return last
