"""A converted network matches its ReLU network within the rounding of spike counts."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from torch import nn
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
    for module in model:
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
        (lambda: Inverted(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), "model must be a torch.nn.Seq"),
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


def test_a_batch_normalization_is_refused_where_it_cannot_be_folded():
    data = RNG.random((20, 4))
    for modules, message in (
        ((nn.BatchNorm1d(4), nn.Linear(4, 2)), "BatchNorm after a linear layer only"),
        ((nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2)), "after a linear layer only"),
        ((nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False), nn.ReLU(), nn.Linear(3, 2)),
         "BatchNorm that tracks its statistics"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            convert_relu(nn.Sequential(*modules), data)
