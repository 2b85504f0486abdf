"""Output rates of imported networks on bits, at the recommended bits per step, and on real weights.

The graphs are like those of the NIR paper, with fixed random weights: a network of 38 recurrent neurons
with synaptic currents and time constants of their own, as for Braille letters, and a convolutional
network with sum pools. They are built in code, so that no file is needed.
"""

from itertools import pairwise

import nir
import numpy as np
import pytest
from nir_oracle import run_graph

from sc_neurocore import Bernoulli, Bitstream, Sobol, noise_budget, simulate, simulate_float
from sc_neurocore.evidence import sufficient_bits_per_step
from sc_neurocore.exchange.nir import from_nir

DT = 0.1
STEP = DT / 1000  # seconds
SEEDS = range(8)


def cuba(rng, n):
    """Neurons as snnTorch's `RSynaptic` exports them, with an alpha and a beta for each."""
    tau_syn, tau_mem = (STEP / (1 - rng.uniform(*decay, n)) for decay in ((0.3, 0.8), (0.7, 0.95)))
    zero, one = np.zeros(n), np.ones(n)
    return nir.CubaLIF(tau_syn, tau_mem, tau_mem / STEP, zero, one, zero, tau_syn / STEP)


def lif(*shape):
    one = np.ones(shape)
    return nir.LIF(1e-3 * one, 10 * one, 0 * one, one, 0 * one)


def braille(seed, mean):
    """12-38-7; a mean weight of 0 makes the outputs fire rarely, on the noise of their currents."""
    rng = np.random.default_rng(seed)
    nodes = {
        "input": nir.Input(np.array([12])),
        "fc1": nir.Linear(rng.normal(mean, 0.25, (38, 12))),
        "lif1": cuba(rng, 38),
        "recurrent": nir.Linear(rng.normal(0, 0.06, (38, 38))),
        "fc2": nir.Linear(rng.normal(mean / 4, 0.15, (7, 38))),
        "lif2": cuba(rng, 7),
        "output": nir.Output(np.array([7])),
    }
    path = ["input", "fc1", "lif1", "fc2", "lif2", "output"]
    edges = [*pairwise(path), ("lif1", "recurrent"), ("recurrent", "lif1")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def cnn(seed):
    """2x12x12, two convolutions with sum pools, and 10 outputs."""
    rng = np.random.default_rng(seed)
    pair = np.array([2, 2])
    nodes = {
        "input": nir.Input(np.array([2, 12, 12])),
        "conv1": nir.Conv2d(None, rng.normal(0.03, 0.25, (8, 2, 3, 3)), 1, 1, 1, 1, np.zeros(8)),
        "lif1": lif(8, 12, 12),
        "pool1": nir.SumPool2d(pair, pair, 0 * pair),
        "conv2": nir.Conv2d(None, rng.normal(0, 0.1, (8, 8, 3, 3)), 1, 1, 1, 1, np.zeros(8)),
        "lif2": lif(8, 6, 6),
        "pool2": nir.SumPool2d(pair, pair, 0 * pair),
        "flatten": nir.Flatten({"input": np.array([8, 3, 3])}, 0, -1),
        "fc": nir.Affine(rng.normal(0.01, 0.1, (10, 72)), np.zeros(10)),
        "lif3": lif(10),
        "output": nir.Output(np.array([10])),
    }
    return nir.NIRGraph(nodes, list(pairwise(nodes)), type_check=False)


@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=["Bernoulli", "Sobol"])
@pytest.mark.parametrize(
    ("graph", "steps", "step_noise"),
    [(braille(5, 0.08), 256, 0.15), (braille(2, 0.0), 256, 0.1), (cnn(6), 60, 0.15)],
    ids=["braille", "braille with rare spikes", "cnn"],
)
def test_output_rates_at_the_recommended_bits_per_step(graph, steps, step_noise, source):
    imported = from_nir(graph, dt_ms=DT)
    assert {row.status for row in imported.report.rows} == {"faithful"}
    network = imported.network
    bits = np.random.default_rng(1).random((40, network.n_in, steps)) < 0.15
    x = Bitstream.from_bits(bits)
    exact = simulate_float(network, x).counts
    theirs = run_graph(graph, bits[0].T.astype(int), DT)
    assert np.array_equal(theirs.sum(axis=0), exact[0])  # so these are the rates of the graph itself

    k = sufficient_bits_per_step(network, x, step_noise=step_noise, seed=0, source=source)
    assert max(
        b.step_noise for b in noise_budget(network, x, seed=0, source=source, bits_per_step=k)
    ) <= (step_noise)
    totals = [simulate(network, x, seed=s, source=source, bits_per_step=k).counts.sum() for s in SEEDS]
    ratio = np.array(totals) / exact.sum()
    # 5 %, and five standard errors of the mean of these seeds.
    allowed = 0.05 + 5 * ratio.std(ddof=1) / np.sqrt(len(SEEDS))
    assert abs(ratio.mean() - 1) <= allowed
    assert allowed < 0.1
    if source == Bernoulli():
        # The estimate without data is within a factor of two of what the inputs need.
        estimated = (0.15 / step_noise) ** 2 * imported.bits_per_step
        assert k / 2 <= estimated <= 2 * k
