"""PyTorch modules for training networks on bitstreams (extra torch)."""

from sc_neurocore import _checks

try:
    import torch as _  # noqa: F401
except ImportError as error:
    missing = _checks.missing_extra("sc_neurocore.training", "PyTorch", "torch")
    raise ImportError(missing, name="torch") from error

from sc_neurocore.training.calibration import calibrate
from sc_neurocore.training.layers import SCConv2d, SCLinear
from sc_neurocore.training.loop import fit
from sc_neurocore.training.losses import cross_entropy, latency_loss, rate_loss
from sc_neurocore.training.network import Outputs, SCNetwork, from_network, to_network

__all__ = [
    "Outputs",
    "SCConv2d",
    "SCLinear",
    "SCNetwork",
    "calibrate",
    "cross_entropy",
    "fit",
    "from_network",
    "latency_loss",
    "rate_loss",
    "to_network",
]
