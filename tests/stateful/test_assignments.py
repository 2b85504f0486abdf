"""What is assigned either has an effect or is refused."""

import copy
import inspect
import pickle
import sys
import threading

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
    before = repr(made)
    is_method = callable(getattr(kind, name, None))
    said = f"is a method of {kind.__name__}" if is_method else f"of a {kind.__name__} is fixed"
    with pytest.raises(AttributeError, match=f"^{name} {said}"):
        setattr(made, name, 0.75)
    with pytest.raises(AttributeError, match=f"^{name} of a {kind.__name__} cannot be deleted"):
        delattr(made, name)
    assert repr(made) == before


@pytest.mark.parametrize("name", ["weights", "gain", "lenght", "weight", "threshold", "i", "t", "note"])
@pytest.mark.parametrize("kind", MAKE, ids=lambda kind: kind.__name__)
def test_names_that_are_no_attributes_cannot_be_assigned(kind, name):
    settable = [own for of, own in SETTABLE if of is kind]
    remedy = f"; only {settable[0]} can be set" if settable else ""
    with pytest.raises(AttributeError) as error:
        setattr(MAKE[kind](), name, 0.75)
    assert str(error.value) == f"a {kind.__name__} has no attribute {name} that could be set{remedy}"


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


def used(made):
    """Change the state of an object, and return what can be observed of it."""
    if isinstance(made, SCDenseLayer):
        made.run(10)
        return made.get_spike_trains().shape, repr(made)
    if isinstance(made, BitstreamSpikeRecorder):
        made.record(1)
        return made.total_spikes()
    if isinstance(made, BitstreamEncoder):
        return made.encode(0.5).tolist()
    if isinstance(made, BitstreamSynapse):
        made.w = 0.25
        return made.weight_bits.tolist()
    return made.step() if isinstance(made, BitstreamCurrentSource) else (made.step(0.02), made.v)


@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", MAKE, ids=lambda kind: kind.__name__)
def test_copies_have_their_own_state(kind, how):
    made, alone = MAKE[kind](), MAKE[kind]()
    assert used(made) == used(alone)
    other = how(made)
    assert type(other) is kind
    third = used(other)
    used(other)
    assert used(made) == third == used(alone)


def test_threads_that_share_an_encoder_get_different_streams():
    encoder, streams = BitstreamEncoder(length=256, seed=1), []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda: streams.extend(encoder.encode(0.5) for _ in range(300)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len({stream.tobytes() for stream in streams}) == 1200
