"""Networks fire equally here and in snnTorch and Norse, in both directions of NIR exchange.

Their neurons follow Euler's rule too. They run in float64 here, so that rounding does not matter.
Weights are random, so that no potential equals a threshold, where NIR's > and our >= differ.
"""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nir
import norse.torch
import numpy as np
import pytest
import snntorch
import torch
from nir_oracle import run_network
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

from sc_neurocore import LIF, Conv2d, Dense, Network
from sc_neurocore.exchange.nir import from_nir, to_nir

pytestmark = pytest.mark.filterwarnings("ignore:nirtorch:DeprecationWarning")

T = 1000
DT = 0.1  # ms: the step that snnTorch takes for granted
LIF_ = LIF(tau_mem=2.5, dt=DT, resistance=3.0)
CUBA = LIF(tau_mem=3.0, tau_syn=1.0, dt=DT)


def network(kind):
    rng = np.random.default_rng(5)

    def weights(*shape, low=-0.5):
        return rng.uniform(low, 1.0, shape).astype(np.float32).astype(float)

    dense = Dense(weights(12, 8), 1.0, LIF_, bias=weights(12) / 4)
    layers = {
        "lif": [dense, Dense(weights(6, 12), 1.0, replace(LIF_, tau_mem=5.0))],
        "rest": [replace(dense, neuron=replace(LIF_, v_rest=0.3, v_reset=0.3))],
        "conv": [
            Conv2d(weights(3, 2, 3, 3), (6, 6), 1.0, LIF_, bias=weights(3), stride=2, padding=1),
            Dense(weights(6, 27), 1.0, LIF_),
        ],
        "cuba": [replace(dense, neuron=CUBA, gain=0.25)],
        "recurrent": [
            replace(dense, recurrent=weights(12, 12, low=-1.0)),
            Dense(weights(6, 12), 1.0, LIF_),
        ],
        "recurrent cuba": [replace(dense, neuron=CUBA, gain=0.25, recurrent=weights(12, 12, low=-1.0))],
        "if": [replace(dense, neuron=replace(LIF_, tau_mem=math.inf, resistance=1.0))],
    }
    return Network(layers[kind])


def run_module(module, bits, shape):
    """Spikes of a torch module that receives inputs and state at each step, in float64."""

    def widen(_, given):
        return given[0].double(), *given[1:]

    torch.set_num_threads(1)
    module = module.double()
    for part in module.modules():
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
            part.register_forward_pre_hook(widen)
    state, spikes = None, []
    with torch.no_grad():
        for step in torch.from_numpy(np.asarray(bits, float)):
            out = module(step.reshape(1, *shape), state)
            out, state = out if isinstance(out, tuple) else (out, None)
            spikes.append(out.numpy().ravel().astype(int))
    return np.array(spikes)


def inputs(n_in, constant):
    rng = np.random.default_rng(8)
    if constant:
        return np.tile(rng.random(n_in).astype(np.float32), (T, 1))
    return (rng.random((T, n_in)) < 0.4).astype(int)


READERS = {
    "snntorch": import_from_nir,
    "norse": lambda graph: norse.torch.from_nir(graph, dt=DT / 1000),
}
KINDS = ["lif", "rest", "conv", "cuba", "recurrent", "recurrent cuba"]


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize(
    ("reader", "kind"),
    [*((reader, kind) for reader in READERS for kind in KINDS), ("norse", "if")],
)
def test_other_simulators_fire_as_we_do(reader, kind, constant):
    ours = network(kind)
    graph = to_nir(ours)
    bits = inputs(ours.n_in, constant)
    shape = tuple(int(n) for n in graph.nodes["input"].input_type["input"])
    spikes = run_network(ours, bits)[0]
    assert 0.001 < spikes.mean() < 0.9
    assert np.array_equal(run_module(READERS[reader](graph), bits, shape), spikes)


def graph(kind):
    rng = np.random.default_rng(1)

    def dense(n_out, n_in, **options):
        weights = rng.uniform(-0.3, 1.0, (n_out, n_in)).astype(np.float32).astype(float)
        return Dense(weights, 1.0, LIF_, **options)

    return {
        "skip": lambda: Network([dense(5, 8), dense(4, 5), dense(3, 9)], ["input", 0, [0, 1]]),
        "inputs": lambda: Network([dense(5, 8), dense(3, 13)], ["input", ["input", 0]]),
        "branches": lambda: Network([dense(5, 8), dense(4, 8), dense(3, 9)], ["input"] * 2 + [[0, 1]]),
        "feedback": lambda: Network(
            [dense(5, 11, delay=[0] * 8 + [1] * 3), dense(3, 5)], [["input", 1], 0]
        ),
    }[kind]()


# Norse gives other spikes for branches, and neither reads several inputs.
@pytest.mark.parametrize(
    ("reader", "kind"),
    [
        *(("snntorch", kind) for kind in ("skip", "inputs", "branches", "feedback")),
        ("norse", "feedback"),
    ],
)
def test_graphs_fire_in_other_simulators_as_here(reader, kind):
    ours = graph(kind)
    bits = inputs(8, constant=False)[:200]
    spikes = run_network(ours, bits)[0]
    assert 0.001 < spikes.mean() < 0.9
    assert np.array_equal(run_module(READERS[reader](to_nir(ours)), bits, (8,)), spikes)


def test_a_written_file_runs_in_other_simulators(tmp_path):
    ours = network("recurrent")
    to_nir(ours, tmp_path / "a.nir")
    bits = inputs(ours.n_in, constant=False)[:500]
    spikes = run_network(ours, bits)[0]
    for read in READERS.values():
        assert np.array_equal(run_module(read(nir.read(tmp_path / "a.nir")), bits, (8,)), spikes)


def leaky(n, **more):
    return snntorch.Leaky(
        beta=torch.full((n,) if isinstance(n, int) else n, 0.9, dtype=torch.float64),
        threshold=torch.full((n,) if isinstance(n, int) else n, 1.3, dtype=torch.float64),
        reset_mechanism="zero", reset_delay=False, init_hidden=True, **more,
    )  # fmt: skip


def modules(kind):
    torch.manual_seed(3)
    own = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}
    if kind == "dense":
        return (9,), [torch.nn.Linear(9, 7), leaky(7), torch.nn.Linear(7, 4, bias=False), leaky(4)]
    if kind == "synaptic":
        of_7 = torch.full((7,), 0.8, dtype=torch.float64), torch.full((7,), 0.9, dtype=torch.float64)
        one = torch.ones(7, dtype=torch.float64)
        return (9,), [torch.nn.Linear(9, 7), snntorch.Synaptic(*of_7, threshold=one, **own)]
    if kind == "recurrent":
        recurrent = snntorch.RLeaky(beta=0.9, linear_features=7, all_to_all=True, **own)
        return (9,), [torch.nn.Linear(9, 7), recurrent, torch.nn.Linear(7, 4), leaky(4)]
    return (2, 7, 7), [
        torch.nn.Conv2d(2, 3, 3, padding=1), leaky((3, 7, 7)), torch.nn.AvgPool2d(2),
        torch.nn.Conv2d(3, 4, 2), leaky((4, 2, 2)), torch.nn.Flatten(),
        torch.nn.Linear(16, 5), leaky(5),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["dense", "synaptic", "recurrent", "conv"])
def test_snntorch_networks_fire_equally_after_import(kind):
    shape, parts = modules(kind)
    with torch.no_grad():
        for part in parts:
            if hasattr(part, "weight"):
                part.weight.copy_(part.weight * 3)
    module = torch.nn.Sequential(*parts)
    graph = export_to_nir(module, torch.rand(1, *shape), ignore_dims=[0])
    imported = from_nir(graph, dt_ms=DT)
    bits = inputs(imported.network.n_in, constant=False)[:1000]
    for part in parts:
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    spikes = run_network(imported.network, bits)[0]
    assert 0.001 < spikes.mean() < 0.9
    theirs = run_module(_Steps(module), bits, shape)
    assert np.array_equal(theirs, spikes)


RESETS = [  # as the table of the page on exchange says
    (snntorch.Leaky, "zero", True, {}),
    (snntorch.Leaky, "subtract", False, {"reset": "subtract"}),
    (snntorch.Synaptic, "zero", True, {"refractory_period": 1}),
    (snntorch.RLeaky, "zero", True, {"refractory_period": 1}),
    (snntorch.RSynaptic, "zero", True, {"refractory_period": 1}),
]


@pytest.mark.parametrize(("kind", "mechanism", "delayed", "parameters"), RESETS)
def test_resets_that_snntorch_does_not_export_can_be_set_after_the_import(
    kind, mechanism, delayed, parameters
):
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    alpha, beta = torch.tensor(rng.uniform(0.5, 0.8, 7)), torch.tensor(rng.uniform(0.7, 0.95, 7))
    of_kind = [beta] if kind in (snntorch.Leaky, snntorch.RLeaky) else [alpha, beta]
    recurrent = kind in (snntorch.RLeaky, snntorch.RSynaptic)
    more = {"linear_features": 7, "all_to_all": True} if recurrent else {}
    neurons = kind(
        *of_kind, threshold=torch.ones(7, dtype=torch.float64), init_hidden=True,
        reset_mechanism=mechanism, reset_delay=delayed, **more,
    )  # fmt: skip
    module = torch.nn.Sequential(torch.nn.Linear(9, 7), neurons)
    with torch.no_grad():  # potentials below twice the threshold, or snnTorch subtracts it again
        module[0].weight.mul_(0.5 if mechanism == "subtract" else 1.0)
    graph = export_to_nir(module, torch.rand(1, 9), ignore_dims=[0])
    network = from_nir(graph, dt_ms=DT).network
    layers = [replace(layer, neuron=replace(layer.neuron, **parameters)) for layer in network]
    network = replace(network, layers=layers)
    bits = inputs(9, constant=False)[:1000]
    neurons.reset_mem()
    spikes = run_network(network, bits)[0]
    assert 0.001 < spikes.mean() < 0.9
    assert np.array_equal(run_module(_Steps(module), bits, (9,)), spikes)


class _Steps(torch.nn.Module):
    """A module whose neurons keep their state."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x, state):
        return self.module(x)


@pytest.mark.long
def test_the_example_trains_in_snntorch_and_runs_on_bitstreams():
    path = Path(__file__).parents[2] / "examples" / "snntorch_to_bitstreams.py"
    run = subprocess.run(
        [sys.executable, str(path), "--epochs", "3", "--seeds", "1"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *_, last = run.stdout.splitlines()
    length, accuracy, *_ = last.split()
    assert length == "256"
    assert float(accuracy.rstrip("%")) > 80
