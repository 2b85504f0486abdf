"""Every parameter of LIF is computed or refused wherever its equation is written down again."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from sc_neurocore import LIF, Dense, FixedPoint, Network, simulate
from sc_neurocore.training import from_network, to_network

# A value of each parameter that differs from its default and changes what the neuron does.
OTHER = {
    "v_rest": -0.3,
    "v_reset": 0.25,
    "v_threshold": 1.5,
    "tau_mem": 6.0,
    "dt": 2.0,
    "noise_std": 0.2,
    "resistance": 1.7,
    "refractory_period": 3,
    "tau_syn": 4.0,
    "reset": "subtract",
}
X = np.array([[0.9, 0.7], [0.5, 1.0]])


def network(**parameters):
    return Network([Dense([[0.8, 0.5], [0.6, 0.9]], gain=0.4, neuron=LIF(**parameters))])


def test_the_table_has_every_parameter():
    assert list(OTHER) == [field.name for field in fields(LIF)]


@pytest.mark.parametrize("name", OTHER)
def test_each_parameter_changes_the_simulation(name):
    one, other = (
        simulate(network(**parameters), X, 200, seed=1) for parameters in ({}, {name: OTHER[name]})
    )
    assert not np.array_equal(one.potentials, other.potentials)


@pytest.mark.parametrize("name", OTHER)
def test_fixed_point_computes_each_parameter(name):
    def run(**parameters):
        return simulate(network(**parameters), X, 200, seed=1, fixed_point=FixedPoint())

    changed, default = run(**{name: OTHER[name]}), run()
    same = np.array_equal(changed.potentials, default.potentials)
    assert not (same and np.array_equal(changed.counts, default.counts))


@pytest.mark.parametrize("name", OTHER)
def test_training_computes_each_parameter(name):
    changed = network(**{name: OTHER[name]})
    model = from_network(changed).eval()
    with torch.no_grad():
        counts = model(torch.tensor(X), length=100, seed=1)
    assert np.array_equal(counts.numpy(), simulate(changed, X, 100, seed=1).counts)
    assert to_network(model)[0].neuron == changed[0].neuron
