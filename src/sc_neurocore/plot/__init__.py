"""Pictures of spikes, bitstreams, errors and networks with Matplotlib (requires the extra `plot`).

Every function draws into the axes `ax`, or into those of a new figure, and returns the axes. Colors,
fonts and grids are those of Matplotlib's settings, which `style` sets for a block of code.
"""

from sc_neurocore import _checks

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    message = _checks.missing_extra("sc_neurocore.plot", "Matplotlib", "plot")
    raise ImportError(message, name="matplotlib") from error

from sc_neurocore.plot._style import style
from sc_neurocore.plot.networks import accuracy, classified, confusion, network, noise_budget
from sc_neurocore.plot.spikes import fi_curve, isi_histogram, raster, trace
from sc_neurocore.plot.streams import bitstream, error_by_length, scc_matrix

__all__ = [
    "accuracy",
    "bitstream",
    "classified",
    "confusion",
    "error_by_length",
    "fi_curve",
    "isi_histogram",
    "network",
    "noise_budget",
    "raster",
    "scc_matrix",
    "style",
    "trace",
]
