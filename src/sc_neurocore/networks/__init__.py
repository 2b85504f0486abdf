"""Networks of LIF layers as data, and their simulation on bitstreams and on real numbers."""

from sc_neurocore.networks.digits import Digits, load_digits
from sc_neurocore.networks.events import Events
from sc_neurocore.networks.fixed_point import FixedPoint
from sc_neurocore.networks.layers import Conv2d, Dense
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.pooling import average_pool2d, max_pool2d
from sc_neurocore.networks.prepared import PreparedNetwork
from sc_neurocore.networks.recording import Record, Recording
from sc_neurocore.networks.results import Simulation, SimulationState
from sc_neurocore.networks.simulation import prepare, simulate, simulate_float

__all__ = [
    "Conv2d",
    "Dense",
    "Digits",
    "Events",
    "FixedPoint",
    "Network",
    "PreparedNetwork",
    "Record",
    "Recording",
    "Simulation",
    "SimulationState",
    "average_pool2d",
    "load_digits",
    "max_pool2d",
    "prepare",
    "simulate",
    "simulate_float",
]
