"""Errors of training and conversion."""

import numpy as np
import torch
from error_table import test_of
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC
from torch import nn

from sc_neurocore import LIF, Bitstream, Dense, Network, convert_relu, simulate
from sc_neurocore.training import (
    SCConv2d,
    SCLinear,
    SCNetwork,
    from_network,
    to_network,
)

LAYER = SCLinear(3, 2, gain=0.5)
MODEL = SCNetwork(LAYER)
X = torch.full((1, 3), 0.5)
DATA = np.full((2, 3), 0.5)
STREAM = Bitstream.from_bits(np.ones((1, 3, 8), int))
NEURONS = LIF(tau_mem=[5.0, 6.0, 7.0])
LOOP = Network(
    [Dense(np.full((2, 5), 0.5), delay=[0, 0, 0, 1, 1]), Dense(np.full((2, 2), 0.5))],
    [["input", 1], 0],
)
RELU = nn.ReLU()
LINEAR, NEXT, CONV = nn.Linear(3, 3), nn.Linear(3, 2), nn.Conv2d(1, 1, 2)
IMAGES = np.full((1, 1, 6, 6), 0.5)
PLAIN_POOL = "model must have pools whose windows are full, or padded with zeros, got"
LAYERS = (
    "Linear, Conv2d, BatchNorm, ReLU, AvgPool2d, AdaptiveAvgPool2d, MaxPool2d, Flatten, Dropout, "
    "Identity and a final Softmax"
)


class Residual(nn.Module):
    def forward(self, x):
        return x + torch.relu(x)


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Cubing(nn.Module):
    def forward(self, x):
        return x**3


def convert(*layers, data=DATA, **options):
    return convert_relu(nn.Sequential(*layers), data, **options)


def zeros(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def fitted(activation="relu"):
    model = MLPClassifier(
        (4,), activation=activation, max_iter=1, tol=9.0, solver="sgd", random_state=0
    )
    return model.partial_fit(DATA, [0, 1], classes=[0, 1])


def multilabel():
    model = MLPClassifier((4,), max_iter=1, tol=9.0, solver="sgd", random_state=0)
    return model.partial_fit(DATA, [[0, 1, 1], [1, 0, 1]], classes=[0, 1, 2])


BIG, STRIPES = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 2, stride=(1, 2))
REFLECT = nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")
CEILING, UNCOUNTED = nn.AvgPool2d(4, ceil_mode=True), nn.AvgPool2d(3, 3, 1, count_include_pad=False)
MAX, TANH, SOFTMAX = nn.MaxPool2d(2), nn.Tanh(), nn.Softmax(1)
CLIPPING = MinMaxScaler(clip=True).fit(DATA)

test_errors = test_of([
    (lambda: SCLinear(0, 2, gain=1), ValueError, "in_features must be at least 1, got 0"),
    (lambda: SCLinear(2, 2.5, gain=1), TypeError, "out_features must be an integer, got 2.5"),
    (lambda: SCLinear(2, 2, gain=0), ValueError, "gain must be greater than 0, got 0.0"),
    (lambda: SCLinear(2, 2, gain=1, neuron=8.0), TypeError, "neuron must be a LIF, got 8.0"),
    (lambda: SCLinear(2, 2, gain=1, bias=1), TypeError, "bias must be a bool, got 1"),
    (lambda: SCLinear(2, 2, gain=1, recurrent=1), TypeError, "recurrent must be a bool, got 1"),
    (lambda: SCLinear(2, 2, gain=1, learn="weights"), ValueError,
     "learn must be one of 'gain', 'delay', 'tau_mem', 'tau_syn', 'v_threshold', got 'weights'"),
    (lambda: SCLinear(2, 2, gain=1, surrogate=0), ValueError,
     "surrogate must be greater than 0, got 0.0"),
    (lambda: SCLinear(2, 2, gain=1, learn=["tau_syn"]), ValueError,
     "neuron must have tau_syn finite and not 0, if it is learned, got 0.0"),
    (lambda: SCConv2d(0, 1, 2, (3, 3), gain=1), ValueError, "in_channels must be at least 1, got 0"),
    (lambda: SCConv2d(1, 0, 2, (3, 3), gain=1), ValueError, "out_channels must be at least 1, got 0"),
    (lambda: SCConv2d(1, 1, (2, 0), (3, 3), gain=1), ValueError,
     "kernel_size must be at least 1, got 0"),
    (lambda: SCNetwork(LAYER, LIF()), TypeError,
     f"layers[1] must be a SCLinear or SCConv2d, got {LIF()!r}"),
    (lambda: SCNetwork(LAYER, LAYER), ValueError, "layer 1 takes 3 inputs, but layer 0 has 2 neurons"),
    (lambda: SCNetwork(LAYER, independent=1), TypeError, "independent must be a bool, got 1"),
    (lambda: SCLinear(2, 2, gain=[1, 2, 3]), ValueError,
     "gain must be a number or have shape (2,), got shape (3,)"),
    (lambda: SCLinear(2, 2, gain=[1, 0]), ValueError, "gain must be greater than 0, got 0.0"),
    (lambda: SCLinear(2, 2, gain=1, neuron=NEURONS), ValueError,
     "neuron must have parameters for 2 neurons, the rows of the weights, got "
     "LIF(tau_mem=array of 3)"),
    (lambda: MODEL("x", 8), TypeError, "x must hold real numbers, got 'x'"),
    (lambda: MODEL([0.5] * 3, 8), ValueError, "x must have shape (batch, 3), got (3,)"),
    (lambda: MODEL(STREAM[0]), ValueError, "x must have shape (batch, 3), got batch shape (3,)"),
    (lambda: MODEL(STREAM[:, :2]), ValueError,
     "x must have shape (batch, 3), got batch shape (1, 2)"),
    (lambda: MODEL(STREAM, 9), ValueError,
     "length must be omitted or equal the length of x, 8, got 9"),
    (lambda: MODEL(X), TypeError,
     "length must be given unless x has a length of its own, got None"),
    (lambda: MODEL(X[:, :, None].expand(1, 3, 4) + 1), ValueError,
     "x must lie in [0.0, 1.0], got 1.5 at index (0, 0, 0); scale the inputs to densities"),
    (lambda: MODEL(X, 8, bits_per_step=0), ValueError,
     "bits_per_step must be at least 1 and at most 1048576, got 0"),
    (lambda: MODEL(X, 8, bits_per_step=1.5), TypeError, "bits_per_step must be an integer, got 1.5"),
    (lambda: MODEL(X + 0j, 8), TypeError,
     f"x must be a dense tensor of real numbers, got {X + 0j!r}"),
    (lambda: MODEL(X.to_sparse(), 8), TypeError,
     f"x must be a dense tensor of real numbers, got {X.to_sparse()!r}"),
    (lambda: MODEL(X.to("meta"), 8), TypeError,
     f"x must be a dense tensor of real numbers, got {X.to('meta')!r}"),
    (lambda: MODEL(X, 8, sampled=1), TypeError, "sampled must be a bool, got 1"),
    (lambda: MODEL(X[0], 8), ValueError, "x must have shape (batch, 3), got (3,)"),
    (lambda: MODEL(X[:, :2], 8), ValueError, "x must have shape (batch, 3), got (1, 2)"),
    (lambda: MODEL(X + 1, 8), ValueError,
     "x must lie in [0.0, 1.0], got 1.5 at index (0, 0); scale the inputs to densities"),
    (lambda: MODEL(X / 0, 8), ValueError, "x must be finite, got inf at index (0, 0)"),
    (lambda: MODEL(X, 0), ValueError, "length must be at least 1, got 0"),
    (lambda: MODEL(X, 8, -1), ValueError, "seed must lie in [0, 2**128), got -1"),
    (lambda: to_network(3), TypeError, "model must be a SCNetwork, got 3"),
    (lambda: from_network(3), TypeError, "network must be a Network, got 3"),
    (lambda: simulate(MODEL, X, 8), TypeError,
     f"network must be a Network, got {MODEL!r}; convert it by to_network or convert_relu"),
    (lambda: from_network(LOOP), ValueError,
     "connections must have sources that come before their layers, to be trained, got layer 0 after "
     "[slice(0, 3, None), 1]; use recurrent weights for feedback within a layer"),
    (lambda: convert_relu(3, DATA), TypeError,
     "model must be a torch.nn.Module or a classifier of scikit-learn, got 3"),
    (lambda: convert_relu(MLPClassifier(), DATA), ValueError,
     f"model must be fitted, got {MLPClassifier()}; call fit first"),
    (lambda: convert_relu(fitted("tanh"), DATA), ValueError,
     "model must have activation=\"relu\", got 'tanh'"),
    (lambda: convert_relu(multilabel(), DATA), ValueError,
     "model must be trained on one class per input, got a multilabel classifier of 3 labels; its "
     "labels are not exclusive, but the classes of a Network are"),
    (lambda: convert_relu(fitted(), DATA[:, :2]), ValueError,
     "data must have shape (n, 3), got (2, 2)"),
    (lambda: convert(NEXT, percentile=0), ValueError, "percentile must be greater than 0, got 0.0"),
    (lambda: convert(NEXT, percentile=101), ValueError, "percentile must be at most 100, got 101.0"),
    (lambda: convert(NEXT, data=DATA[:0]), ValueError,
     "data must hold at least one input, got shape (0, 3)"),
    (lambda: convert(NEXT, data=DATA + 1), ValueError,
     "data must lie in [0.0, 1.0], got 1.5 at index (0, 0); scale the inputs to densities"),
    (lambda: convert(LINEAR, TANH, NEXT), ValueError, f"model must consist of {LAYERS}, got Tanh()"),
    (lambda: convert(RELU), ValueError,
     f"model must end with a Linear or Conv2d, got {nn.Sequential(RELU)}"),
    (lambda: convert(LINEAR, RELU), ValueError,
     f"model must end with a Linear or Conv2d, got {nn.Sequential(LINEAR, RELU)}"),
    (lambda: convert(LINEAR, SOFTMAX, NEXT), ValueError,
     "model must have a Softmax at its end only, got Softmax(dim=1)"),
    (lambda: convert(NEXT, nn.Softmax(0)), ValueError,
     "model must have a Softmax over axis 1, got Softmax(dim=0)"),
    (lambda: convert(nn.Linear(6, 2), data=IMAGES), ValueError,
     "model must have a Flatten before a Linear, got an input of shape (1, 6, 6)"),
    (lambda: convert(REFLECT, data=IMAGES), ValueError,
     f'model must have Conv2d with padding_mode="zeros", got {REFLECT}'),
    (lambda: convert(CEILING, data=IMAGES), ValueError, f"{PLAIN_POOL} {CEILING}"),
    (lambda: convert(UNCOUNTED, data=IMAGES), ValueError, f"{PLAIN_POOL} {UNCOUNTED}"),
    (lambda: convert(nn.AdaptiveAvgPool2d(4), data=IMAGES), ValueError,
     "model must have pools whose output size divides (6, 6), got AdaptiveAvgPool2d(output_size=4)"),
    (lambda: convert(CONV, MAX, CONV, data=IMAGES), ValueError,
     f"model must have a ReLU just before or after a MaxPool2d, got {MAX}"),
    (lambda: convert(CONV, MAX, data=IMAGES), ValueError,
     f"model must have a ReLU just before or after a MaxPool2d, got {MAX}"),
    (lambda: convert(nn.MaxPool2d(2, return_indices=True), data=IMAGES), ValueError,
     "model must return one tensor from each layer, got MaxPool2d(kernel_size=2, stride=2, padding=0, "
     "dilation=1, ceil_mode=False)"),
    (lambda: convert(CONV, data=IMAGES[0]), ValueError,
     f"data must have shape (n, channels, rows, columns) for {CONV}, got 3 axes"),
    (lambda: convert(Residual()), ValueError,
     "model must be a chain of layers, each with the output of the one before it as its only input, "
     "got add with 2 inputs"),
    (lambda: convert(Branching()), ValueError,
     "model must be one that torch.fx can trace, whose code does not depend on the values of its data, "
     "got Sequential; TraceError: symbolically traced variables cannot be used as inputs to control "
     "flow"),
    (lambda: convert(Cubing()), ValueError, f"model must consist of {LAYERS}, got the function pow"),
    (lambda: convert(BIG, STRIPES, data=np.full((1, 1, 200, 200), 0.5)), ValueError,
     "model must have linear layers that are one convolution or a matrix of at most 2**27 weights, got "
     "Sequential; use one stride for rows and columns, and images that the pools divide"),
    (lambda: convert_relu(SVC(), DATA), ValueError,
     "model must be or end with an MLPClassifier or a linear classifier (LogisticRegression, "
     "LogisticRegressionCV, LinearSVC, SGDClassifier, Perceptron, RidgeClassifier, RidgeClassifierCV, "
     "LinearDiscriminantAnalysis), got SVC()"),
    (lambda: convert_relu(LogisticRegression(), DATA), ValueError,
     "model must be fitted, got LogisticRegression(); call fit first"),
    (lambda: convert_relu(make_pipeline(StandardScaler(), fitted()), DATA), ValueError,
     "model must be fitted, got StandardScaler(); call fit first"),
    (lambda: convert_relu(make_pipeline(Normalizer(), fitted()), DATA), ValueError,
     "model must have only StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler before the "
     "classifier, got Normalizer()"),
    (lambda: convert_relu(make_pipeline(CLIPPING, fitted()), DATA), ValueError,
     f"model must have scalers with clip=False, got {CLIPPING}; clipping is not linear"),
    (lambda: convert(zeros(nn.Linear(3, 3)), RELU, NEXT), ValueError,
     "data must activate layer 0, got zeros only"),
    (lambda: convert(zeros(nn.Linear(3, 2))), ValueError,
     "model must have weights other than 0 in layer 0, got zeros only"),
])  # fmt: skip
