"""The classes of the tutorial, the only objects of the package with mutable state."""

from sc_neurocore.stateful.encoder import BitstreamEncoder
from sc_neurocore.stateful.layer import SCDenseLayer
from sc_neurocore.stateful.neuron import StochasticLIFNeuron
from sc_neurocore.stateful.plastic import PlasticSynapse
from sc_neurocore.stateful.recorder import BitstreamSpikeRecorder
from sc_neurocore.stateful.synapse import BitstreamCurrentSource, BitstreamSynapse

__all__ = [
    "BitstreamCurrentSource",
    "BitstreamEncoder",
    "BitstreamSpikeRecorder",
    "BitstreamSynapse",
    "PlasticSynapse",
    "SCDenseLayer",
    "StochasticLIFNeuron",
]
