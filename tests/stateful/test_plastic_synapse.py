"""The synapse that learns is a layer of one input and one neuron, step by step."""

import copy
import pickle

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Bitstream,
    BitstreamSynapse,
    Dense,
    Network,
    PlasticSynapse,
    simulate,
)
from sc_neurocore.plasticity import STDP


@pytest.mark.parametrize("rule", [
    STDP(0.1, 0.08), STDP(0.1, 0.08, bounds="hard", pairing="nearest", tau_plus=5.0),
])  # fmt: skip
def test_a_synapse_learns_as_a_layer_does(rule):
    pre = (np.random.default_rng(1).random((1, 300)) < 0.4).astype(np.uint8)
    layer = Dense([[0.5]], gain=0.6, neuron=LIF(tau_mem=5.0), plasticity=rule, bias=[0.3])
    run = simulate(Network([layer]), Bitstream.from_bits(pre), seed=4, record=True)
    post = run.spikes[0].bits()[0]
    synapse = PlasticSynapse(0.0, 1.0, w=0.5, rule=rule, seed=4)
    for spike, fired in zip(pre[0].tolist(), post.tolist(), strict=True):
        synapse.step(spike)
        synapse.learn(fired)
    assert post.sum() > 20
    assert synapse.w == run.state.weights[0][0, 0]
    traces = run.state.traces[0]
    assert synapse.traces == (traces["pre"][0], traces["post"][0])


def test_its_bits_are_those_of_a_synapse_with_the_same_weight():
    plain = BitstreamSynapse(0.0, 2.0, length=3000, w=0.8, seed=9)
    plastic = PlasticSynapse(0.0, 2.0, w=0.8, seed=9)
    assert [plastic.step(1) for _ in range(3000)] == plain.weight_bits.tolist()
    plain.update_weight(1.1)
    plastic.reset()
    plastic.w = 1.1
    assert [plastic.step(1) for _ in range(3000)] == plain.weight_bits.tolist()
    assert plain.w == 1.1


def test_a_synapse_can_be_copied_pickled_and_reset():
    synapse = PlasticSynapse(0.0, 1.0, w=0.4, seed=1)
    for _ in range(10):
        synapse.step(1)
        synapse.learn(1)
    others = [copy.deepcopy(synapse), pickle.loads(pickle.dumps(synapse))]
    for other in others:
        assert (other.step(1), other.w, other.traces) == (
            copy.copy(synapse).step(1), synapse.w, synapse.traces,
        )  # fmt: skip
    synapse.reset()
    assert (synapse.w, synapse.traces) == (0.4, (0.0, 0.0))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="rule must have w_max=1"):
        PlasticSynapse(0.0, 1.0, rule=STDP(w_max=0.5))
    with pytest.raises(ValueError, match=r"w must lie in"):
        PlasticSynapse(0.0, 1.0, w=2.0)
    with pytest.raises(AttributeError, match="rule of a PlasticSynapse is fixed"):
        PlasticSynapse(0.0, 1.0).rule = STDP()
    with pytest.raises(ValueError, match="pre must be 0 or 1"):
        PlasticSynapse(0.0, 1.0).step(2)
