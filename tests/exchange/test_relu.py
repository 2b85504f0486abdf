"""A converted network matches its ReLU network within the rounding of spike counts."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from sc_neurocore import Conv2d, Network, convert_relu, simulate, simulate_float

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _seeded():
    """Give every test the same weights and data, whichever tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def sequential(*layers):
    return nn.Sequential(*layers)


def outputs(model, x):
    with torch.no_grad():
        return model.double().eval()(torch.tensor(x)).numpy()


def normalized(*modules):
    """Return a model whose BatchNorms have statistics and parameters of their own."""
    model = sequential(*modules)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                values.uniform_(-0.3, 0.8)
            module.running_var.uniform_(0.3, 2.0)
    return model.eval()


MODELS = {
    "dense": (lambda: sequential(nn.Linear(20, 40), nn.ReLU(), nn.Dropout(), nn.Linear(40, 5)), (20,)),
    "without bias": (
        lambda: sequential(nn.Linear(20, 40, bias=False), nn.ReLU(), nn.Linear(40, 5, bias=False)),
        (20,)),
    "convolution": (
        lambda: sequential(nn.Conv2d(2, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
                           nn.Linear(96, 5)),
        (2, 8, 7)),
    "pool before Linear": (
        lambda: sequential(nn.Conv2d(2, 6, (3, 2)), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                           nn.Linear(36, 5)),
        (2, 7, 8)),
    "pool before Conv2d": (
        lambda: sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 2, 2)),
        (1, 9, 10)),
    "batch normalization": (
        lambda: normalized(nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
                           nn.Linear(180, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5)),
        (2, 8, 7)),
    "pool first, padded": (
        lambda: sequential(nn.AvgPool2d(2), nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(),
                           nn.Flatten(), nn.Linear(36, 5)), (2, 12, 10)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_rates_equal_activations_within_half_a_spike(name):
    # Under a constant current that does not saturate, a count differs from rate * length by at most a
    # half: the start at half a threshold rounds. The readout weighs these errors.
    make, shape = MODELS[name]
    model, x, length = make(), RNG.random((50, *shape)), 100
    converted = convert_relu(model, x, percentile=100)
    result = simulate_float(converted.network, x.reshape(50, -1), length)
    first = Network(converted.network.layers[:1])
    counts = simulate_float(first, x.reshape(50, -1), length).counts
    relu = [isinstance(module, nn.ReLU) for module in model].index(True)
    rates = outputs(model[: relu + 1], x).reshape(50, -1) / converted.report[0].scale
    assert (abs(counts - length * rates) <= 0.5 + 1e-9).all()
    readout = converted.network.layers[-1]
    if isinstance(readout, Conv2d):
        weighed = abs(readout.weights).sum(axis=(1, 2, 3)).repeat(readout.n_out // len(readout.weights))
    else:
        weighed = abs(readout.weights).sum(axis=1)
    error = abs(result.potentials / length - outputs(model, x).reshape(50, -1))
    gain = np.repeat(np.broadcast_to(readout.gain, len(readout.weights)), readout.positions)
    assert (error <= gain * weighed * 0.5 / length + 1e-9).all()
    assert error.max() > 1e-4  # there is something to bound


def test_on_bitstreams_a_linear_model_has_the_error_of_its_products():
    model, x, length = sequential(nn.Linear(30, 4)), RNG.random((20, 30)), 4096
    (layer,) = convert_relu(model, x).network.layers
    means = [
        simulate(convert_relu(model, x).network, row, length, seed=i).potentials / length
        for i, row in enumerate(x)
    ]
    z = np.append(x, np.ones((20, 1)), 1)[:, None] * abs(
        np.append(layer.weights, layer.bias[:, None], 1)
    )
    sigma = layer.gain * np.sqrt((z * (1 - z)).sum(axis=2) / length)
    assert (abs(np.array(means) - outputs(model, x)) <= 5 * sigma).all()


def test_a_deep_network_converges_with_the_length():
    layers = [part for _ in range(3) for part in (nn.Linear(30, 30), nn.ReLU())]
    model, x = sequential(*layers, nn.Linear(30, 10)), RNG.random((60, 30))
    network = convert_relu(model, x, percentile=100).network
    wanted = outputs(model, x)
    errors = [
        np.sqrt(np.mean((simulate_float(network, x, length).potentials / length - wanted) ** 2))
        for length in (64, 1024)
    ]
    assert errors[1] < errors[0] / 8
    assert errors[1] < 0.05 * wanted.std(axis=0).mean()


def test_the_report_has_the_scale_and_the_clipped_fraction():
    model, x = sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 3)), RNG.random((200, 10))
    converted = convert_relu(model, x, percentile=90)
    activations = np.maximum(outputs(model[0], x), 0)
    hidden, readout = converted.report
    positive = activations[activations > 0]
    scale = np.percentile(activations, 90)
    assert hidden.scale == pytest.approx(scale)
    assert hidden.clipped == pytest.approx((positive > scale).mean())
    assert hidden.lost == pytest.approx(np.maximum(positive - scale, 0).sum() / positive.sum())
    assert hidden.gain == np.max(converted.network.layers[0].gain)
    assert (readout.scale, readout.clipped, readout.lost) == (1.0, 0.0, 0.0)
    assert 0 < hidden.at_bound + readout.at_bound < 0.1
    assert all(
        max(abs(layer.weights).max(), abs(layer.bias).max()) == 1 for layer in converted.network.layers
    )
    assert str(converted).splitlines()[0].split() == [
        "layer",
        "scale",
        "clipped",
        "lost",
        "at",
        "bound",
        "gain",
    ]
    assert len(str(converted).splitlines()) == 3
    assert repr(converted) == "Conversion(10-50-3, layers=2)"
    assert converted._repr_html_().count("<tr>") == 3


def digits():
    images, labels = load_digits(return_X_y=True)
    return images / 16, labels


def test_a_classifier_of_scikit_learn_keeps_its_accuracy_on_long_streams():
    x, y = digits()
    model = MLPClassifier((64,), random_state=0, n_iter_no_change=60, tol=1.0).fit(x[:1200], y[:1200])
    network = convert_relu(model, x[:1200]).network
    accuracy = model.score(x[1200:], y[1200:])
    assert accuracy > 0.88
    result = simulate(network, x[1200:], 1024, seed=1)
    assert abs(float((result.classes == y[1200:]).mean()) - accuracy) <= 0.03
    assert (result.classes == model.predict(x[1200:])).mean() > 0.95


def test_a_binary_classifier_has_an_output_for_each_class():
    x, y = digits()
    model = MLPClassifier((16,), random_state=0, n_iter_no_change=60, tol=1.0).fit(x, y > 4)
    network = convert_relu(model, x).network
    assert network.shape == "64-16-2"
    classes = simulate_float(network, x, 500).classes
    assert (classes == model.predict(x)).mean() > 0.97


def test_conversion_does_not_change_the_model():
    model = sequential(nn.Linear(4, 30), nn.ReLU(), nn.Dropout(0.5), nn.Linear(30, 2)).train()
    before = [p.clone() for p in model.parameters()]
    network = convert_relu(model, RNG.random((9, 4))).network
    assert model.training
    assert all(
        p.dtype == torch.float32 and torch.equal(p, b)
        for p, b in zip(model.parameters(), before, strict=True)
    )
    assert [layer.neuron.tau_mem for layer in network.layers] == [math.inf, math.inf]


def test_pytorch_is_not_imported_for_scikit_learn():
    code = (
        "import sys, numpy as np; from sklearn.neural_network import MLPClassifier;"
        "from sc_neurocore import convert_relu; x = np.random.default_rng(0).random((40, 3));"
        "model = MLPClassifier((4,), max_iter=2, tol=9.0).fit(x, x[:, 0] > 0.5);"
        "convert_relu(model, x); print('torch' in sys.modules)"
    )
    run = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == "False"


class Negated(nn.Linear):
    def forward(self, x):
        return -super().forward(x)


class Inverted(nn.Sequential):
    def forward(self, x):
        return super().forward(1 - x)


def changed(change):
    model = sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    change(model)
    return model


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: sequential(Negated(6, 4), nn.ReLU(), nn.Linear(4, 2)), "model must consist of Linear"),
        (lambda: sequential(nn.Linear(6, 4), nn.ReLU(), Negated(4, 2)), "model must consist of Linear"),
        (lambda: Inverted(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), "got the function sub"),
        (lambda: changed(lambda m: m[0].register_forward_hook(lambda *a: -a[2])), "no hooks"),
        (lambda: changed(lambda m: m[2].register_forward_pre_hook(lambda *a: 1 - a[1][0])), "no hooks"),
        (lambda: changed(lambda m: m.register_forward_hook(lambda *a: -a[2])), "no hooks"),
        (lambda: changed(lambda m: setattr(m[0], "forward", torch.relu)), "no hooks and no forward"),
        (lambda: sequential(nn.Flatten(0), nn.Linear(300, 2)), "model must flatten every axis but the"),
        (lambda: sequential(nn.Flatten(3), nn.Linear(6, 2)), "data must have a shape that fits"),
        (lambda: sequential(nn.Linear(7, 2)), "data must have a shape that fits the model"),
        (
            lambda: sequential(nn.Conv2d(50, 2, 1), nn.Flatten(), nn.Linear(12, 2)),
            "data must have shape",
        ),
        (
            lambda: sequential(nn.AvgPool2d(1), nn.Linear(6, 2)),
            r"data must have shape \(n, channels, r",
        ),
    ],
)
def test_models_that_compute_something_else_are_refused(make, reason):
    with pytest.raises((TypeError, ValueError), match=reason):
        convert_relu(make(), RNG.random((50, 6)))


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: nn.utils.parametrizations.weight_norm(layer),
        lambda layer: nn.utils.spectral_norm(layer),
        lambda layer: prune.remove(prune.random_unstructured(layer, "weight", 0.5), "weight"),
    ],
)
def test_weights_that_are_computed_are_converted(change):
    model, x = changed(lambda model: change(model[0])), RNG.random((50, 6))
    result = simulate_float(convert_relu(model, x, percentile=100).network, x, 4000)
    assert np.allclose(result.potentials / 4000, outputs(model, x), atol=2e-3)


def test_pruned_weights_are_made_permanent_first():
    model = changed(lambda model: prune.random_unstructured(model[0], "weight", 0.5))
    with pytest.raises(
        ValueError, match=r"; make pruned weights permanent with torch.nn.utils.prune.rem"
    ):
        convert_relu(model, RNG.random((50, 6)))


def test_a_single_image_is_refused_in_a_short_message():
    with pytest.raises(ValueError, match=r"data must have at least 2 axes, got shape \(6,\)$"):
        convert_relu(sequential(nn.Linear(6, 2)), RNG.random(6))


def test_a_batch_normalization_without_statistics_is_refused():
    model = sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 2))
    with pytest.raises(ValueError, match="BatchNorm that tracks its statistics"):
        convert_relu(model, RNG.random((20, 4)))


def rectified(converted, x):
    """Outputs of a converted network as a network of saturating ReLUs on real numbers."""
    *hidden, readout = converted.network.layers
    for layer in (*hidden, readout):
        rows = x.reshape(len(x), -1)
        if isinstance(layer, Conv2d):
            patches = layer.patches(rows[:, :, np.newaxis])[..., 0]
            products = layer.flatten(patches @ layer.weights.reshape(len(layer.weights), -1).T)
        else:
            products = rows @ layer.weights.T
        bias = 0.0 if layer.bias is None else np.repeat(layer.bias, layer.positions)
        current = np.repeat(np.broadcast_to(layer.gain, len(layer.weights)), layer.positions) * (
            products + bias
        )
        x = np.clip(current, 0, 1) if layer is not readout else current
    return x


class Functional(nn.Module):
    """A model of functions and methods, with blocks of its own and an unused argument."""

    def __init__(self):
        super().__init__()
        self.block = Block(1, 3)
        self.last = nn.Conv2d(3, 4, 3, padding="same")
        self.drop = nn.Dropout2d()

    def forward(self, x, verbose=False):
        x = functional.dropout(x.view(-1, 1, 8, 8), training=self.training)
        x = functional.max_pool2d(self.block(x), 2)
        x = functional.avg_pool2d(torch.relu(self.drop(self.last(x))).relu(), 2)
        x = functional.adaptive_avg_pool2d(x, (1, 2)).contiguous()
        return functional.log_softmax(torch.flatten(x.reshape(x.shape[0], x.size(1) * 2), 1), dim=1)


class Block(nn.Sequential):
    def __init__(self, c_in, c_out):
        super().__init__(nn.Conv2d(c_in, c_out, 3, padding=(0, 1)), nn.BatchNorm2d(c_out), nn.ReLU())


CHAINS = {
    "nested": (
        lambda: normalized(nn.BatchNorm2d(2), nn.Sequential(nn.Sequential(nn.Conv2d(2, 4, 3)),
                           nn.Identity(), nn.BatchNorm2d(4), nn.ReLU(inplace=True)), nn.Flatten(),
                           nn.Linear(120, 5), nn.Softmax(dim=-1)), (2, 8, 7)),
    "groups and dilation": (
        lambda: sequential(nn.Conv2d(4, 8, (3, 2), groups=2, dilation=(1, 2), padding=(2, 1)),
                           nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 3, 1)),
        (4, 7, 6)),
    "same padding": (
        lambda: sequential(nn.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2)), nn.ReLU(),
                           nn.Conv2d(3, 2, 2, padding="valid")), (2, 7, 8)),
    "strides by axis": (
        lambda: sequential(nn.Conv2d(2, 3, 3, stride=(1, 2), padding=(1, 0)), nn.ReLU(),
                           nn.Conv2d(3, 2, (7, 1), stride=(3, 2))), (2, 7, 9)),
    "overlapping pools": (
        lambda: sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(3, 2, 1),
                           nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(),
                           nn.AvgPool2d((2, 1), divisor_override=3), nn.Flatten(), nn.Linear(64, 4)),
        (1, 9, 10)),
    "linear layers in a row": (
        lambda: sequential(nn.Linear(9, 3), nn.Linear(3, 8), nn.ReLU(), nn.ReLU(), nn.Linear(8, 4),
                           nn.BatchNorm1d(4)), (9,)),
    "images from rows": (
        lambda: sequential(nn.Linear(9, 18), nn.Unflatten(1, (2, 3, 3)), nn.Conv2d(2, 3, 2), nn.ReLU(),
                           nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Unflatten(1, (4, 2, 1)),
                           nn.Conv2d(4, 3, (2, 1))), (9,)),
    "max pools": (
        lambda: sequential(nn.MaxPool2d((1, 2)), nn.Conv2d(2, 4, 3), nn.MaxPool2d(3, 2, 1), nn.ReLU(),
                           nn.AvgPool2d(2), nn.MaxPool2d(2, dilation=2, stride=1), nn.Flatten(),
                           nn.Linear(4, 3)), (2, 14, 28)),
    "average at the end": (
        lambda: sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.ReLU(),
                           nn.AdaptiveAvgPool2d(1), nn.Flatten()), (1, 8, 8)),
    "functions": (lambda: normalized(Functional())[0], (64,)),
    "one layer": (lambda: nn.Linear(9, 3), (9,)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", CHAINS)
def test_layers_compute_what_the_model_computes(name):
    # Without bits and time: a layer's weights, gain and bias are an affine map, its neuron a ReLU.
    make, shape = CHAINS[name]
    model, x = make(), RNG.random((30, *shape))
    converted = convert_relu(model, x, percentile=100)
    wanted = outputs(model, x).reshape(30, -1)
    given = rectified(converted, x)
    if name in ("nested", "functions"):  # which end with a softmax
        given = np.exp(given) / np.exp(given).sum(axis=1, keepdims=True)
        wanted = np.exp(wanted) if name == "functions" else wanted
    assert wanted.std() > 1e-4
    assert np.allclose(given, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_groups_and_uneven_padding_stay_convolutions_and_uneven_strides_do_not():
    for name, kinds in (("groups and dilation", 3), ("same padding", 2), ("strides by axis", 1)):
        make, shape = CHAINS[name]
        layers = convert_relu(make(), RNG.random((9, *shape))).network.layers
        assert sum(isinstance(layer, Conv2d) for layer in layers) == kinds


def test_a_max_pool_converges_with_the_length():
    model, x = sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 4)), RNG.random((50, 2, 4, 4))
    network = convert_relu(model, x, percentile=100).network
    wanted = outputs(model, x)
    rms = [
        np.sqrt(np.mean((simulate(network, x.reshape(50, -1), n, seed=1).potentials / n - wanted) ** 2))
        for n in (64, 4096)
    ]
    assert rms[1] < rms[0] / 5
    assert rms[1] < 0.05


LINEAR = [LogisticRegression(tol=0.1), LinearSVC(), SGDClassifier(random_state=0), Perceptron(),
          RidgeClassifier(), LinearDiscriminantAnalysis()]  # fmt: skip


@pytest.mark.parametrize("two_classes", [False, True])
@pytest.mark.parametrize("classifier", LINEAR, ids=lambda model: type(model).__name__)
def test_linear_classifiers_keep_their_classes(classifier, two_classes):
    x, y = digits()
    y = np.array(["few", "many"])[(y > 4).astype(int)] if two_classes else y
    model = make_pipeline("passthrough", MinMaxScaler((-1, 2)), classifier).fit(x, y)
    converted = convert_relu(model, x[:300])
    assert (model.classes_[rectified(converted, x).argmax(axis=1)] == model.predict(x)).all()


@pytest.mark.parametrize("scaler", [
    StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False), MinMaxScaler(),
    MaxAbsScaler(), RobustScaler(), RobustScaler(with_scaling=False),
    make_pipeline(StandardScaler(), MinMaxScaler())], ids=str)  # fmt: skip
def test_scalers_are_folded_into_the_first_layer(scaler):
    x, y = digits()
    network = MLPClassifier((16,), random_state=0, n_iter_no_change=9, tol=9.0)
    model = make_pipeline(scaler, network).fit(x, y)
    converted = convert_relu(model, x, percentile=100)
    assert converted.network.shape == "64-16-10"
    exponentials = np.exp(rectified(converted, x))
    assert np.allclose(exponentials / exponentials.sum(axis=1, keepdims=True), model.predict_proba(x))
