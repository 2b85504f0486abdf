"""What is assigned either has an effect or is refused."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from sc_neurocore import (
    BitstreamCurrentSource,
    BitstreamEncoder,
    BitstreamSpikeRecorder,
    BitstreamSynapse,
    SCDenseLayer,
    StochasticLIFNeuron,
)

MAKE = {
    StochasticLIFNeuron: lambda: StochasticLIFNeuron(seed=1),
    BitstreamEncoder: lambda: BitstreamEncoder(length=64, seed=1),
    BitstreamSynapse: lambda: BitstreamSynapse(0.0, 1.0, 64, 0.5, 1),
    BitstreamCurrentSource: lambda: BitstreamCurrentSource([0.5], 0, 1, [0.5], 0, 1, length=64, seed=1),
    SCDenseLayer: lambda: SCDenseLayer(2, [0.5], [0.5], 0, 1, 0, 1, length=64, base_seed=1),
    BitstreamSpikeRecorder: BitstreamSpikeRecorder,
}
SETTABLE = {(StochasticLIFNeuron, "v"), (BitstreamSynapse, "w")}


def names(kind):
    """Parameters and public attributes of a class."""
    made = MAKE[kind]()
    public = {name for name in {*dir(made), *vars(made)} if not name.startswith("_")}
    return {*inspect.signature(kind).parameters} | public


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in MAKE for name in sorted(names(kind)) if (kind, name) not in SETTABLE],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_what_would_have_no_effect_cannot_be_assigned(kind, name):
    made = MAKE[kind]()
    if callable(getattr(made, name, None)) and name not in vars(made):
        return  # replacing a method of one object is nobody's mistake
    before = repr(made)
    with pytest.raises(AttributeError, match=f"^{name} of a {kind.__name__} is fixed"):
        setattr(made, name, 0.75)
    assert repr(made) == before


def test_other_attributes_of_ones_own_are_free():
    neuron = StochasticLIFNeuron(seed=1)
    neuron.note = "mine"
    assert neuron.note == "mine"


def test_the_potential_of_a_neuron_can_be_set():
    neuron = StochasticLIFNeuron(tau_mem=20.0, refractory_period=2, seed=1)
    neuron.run([0.02] * 5)
    neuron.v = 0.99
    assert neuron.v == 0.99
    assert neuron.step(0.1) == 1
    with pytest.raises(ValueError, match="v must be finite, got nan"):
        neuron.v = np.nan


def test_the_parameters_of_a_neuron_are_its_attributes():
    neuron = StochasticLIFNeuron(v_threshold=1.5, tau_mem=7.0, seed=1)
    assert (neuron.v_threshold, neuron.tau_mem, neuron.noise_std) == (1.5, 7.0, 0.0)
    with pytest.raises(AttributeError, match="no attribute 'threshold'"):
        neuron.threshold  # noqa: B018


def test_a_weight_that_is_set_is_encoded_by_the_same_numbers():
    synapse = BitstreamSynapse(0.0, 1.0, 4096, 0.5, 1)
    before = synapse.weight_bits
    synapse.w = 0.75
    again = BitstreamSynapse(0.0, 1.0, 4096, 0.75, 1)
    assert np.array_equal(synapse.weight_bits, again.weight_bits)
    assert (synapse.weight_bits >= before).all()
    with pytest.raises(ValueError, match=r"w must lie in \[0.0, 1.0\], got 1.5"):
        synapse.w = 1.5
    assert synapse.w == 0.75


@pytest.mark.parametrize("kind", MAKE, ids=lambda kind: kind.__name__)
def test_objects_can_be_copied_and_pickled(kind):
    made = MAKE[kind]()
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert repr(other) == repr(made)
