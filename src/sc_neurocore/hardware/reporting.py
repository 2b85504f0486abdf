"""Report of a design: size, speed, errors and energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence.evaluation import labeled
from sc_neurocore.hardware.boards import BoardBuild
from sc_neurocore.hardware.design import Design, LayerDesign
from sc_neurocore.hardware.emit import rendered
from sc_neurocore.hardware.model import LayerTrace, trace
from sc_neurocore.hardware.synthesis import SEEDS, Energy, Synthesis
from sc_neurocore.hardware.verify import Verification
from sc_neurocore.networks import Network, simulate_float
from sc_neurocore.networks.layers import Layer, lif_of
from sc_neurocore.networks.simulation import PreparedNetwork

__all__ = ["LayerQuantization", "Quantization", "quantization", "report"]

# Number of images whose sums are checked for saturation.
_TRACED = 32


@dataclass(frozen=True)
class LayerQuantization:
    """Errors of a layer caused by bitstreams and fixed point.

    Attributes
    ----------
    clipped : float
        Fraction of weights clipped to the largest magnitude.
    rounding : float
        Largest absolute error of a weight.
    threshold, leak : float
        Relative errors of the threshold, measured from rest, and of the leak.
    below, above : float
        Fractions of neuron updates whose sum saturated at the lower and at the upper end, over the
        first 32 images.
    error_of_sums : float
        Root mean square error, over the first 32 images, of the count of a neuron per time step
        averaged over an image. The reference is the sum of weights times input densities.
    rate : float
        Mean firing rate in real numbers, in spikes per time step.
    error_of_streams, error_of_fixed : float
        Root mean square difference between firing rates and those in real numbers, over neurons and
        images: on bitstreams with float64 neurons, and in hardware. Includes the errors of earlier
        layers.
    """

    clipped: float
    rounding: float
    threshold: float
    leak: float
    below: float
    above: float
    error_of_sums: float
    rate: float
    error_of_streams: float
    error_of_fixed: float


@dataclass(frozen=True)
class Quantization:
    """Accuracy of a network in real numbers, on bitstreams and in hardware, and errors per layer.

    Attributes
    ----------
    of_float : float or None
        Accuracy in real numbers; None without labels.
    of_streams, of_fixed : float
        Accuracies on the same images and time steps: on bitstreams with float64 neurons, and in
        hardware. Without labels, the fraction of images with the same class as in real numbers.
    n_images : int
    layers : tuple of LayerQuantization
    """

    of_float: float | None
    of_streams: float
    of_fixed: float
    n_images: int
    layers: tuple[LayerQuantization, ...]


def quantization(design: Design, images: ArrayLike, labels: ArrayLike | None = None) -> Quantization:
    """Measure the effects of bitstreams and fixed point on the accuracy and the layers of a network.

    Parameters
    ----------
    design : Design
    images : array_like, shape (n, n_in)
        Densities in [0, 1].
    labels : array_like of int, shape (n,), optional
        Classes from 0 to n_out - 1. The classes predicted in real numbers are the default.

    Raises
    ------
    ValueError
        If images or labels have the wrong shape, or labels lie outside the classes.

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import Design, quantization
    >>> digits = load_digits()
    >>> report = quantization(Design(digits.network, length=32), digits.images, digits.labels)
    >>> [round(100 * a, 1) for a in (report.of_float, report.of_streams, report.of_fixed)]
    [98.2, 97.6, 97.8]
    """
    network, length = design.network, design.length
    x = _checks.array("images", images, [2])
    parts = [Network(network.layers[: k + 1]) for k in range(len(network.layers))]
    real = [simulate_float(part, x, length) for part in parts]
    classes = real[-1].classes
    wanted = classes if labels is None else labeled(network, x, labels)[1]
    prepared = PreparedNetwork.of(network, seed=0, source=design.source)
    streams = prepared.run(x, length, record=True, warn=False)
    fixed = design.simulate(x, record=True)
    traces = [trace(design, image) for image in x[:_TRACED]]
    layers, inputs = [], x[:_TRACED]
    for k, reals in enumerate(real):
        rate = reals.counts / length
        cuts = np.sum([seen[k].saturations.sum(axis=0) for seen in traces], axis=0)
        below, above = cuts / (len(traces) * rate.shape[1] * length)
        errors = (
            float(np.sqrt(np.mean((run.spikes[k].counts() / length - rate) ** 2)))
            for run in (streams, fixed)
        )
        layers.append(
            LayerQuantization(
                *_rounding(network.layers[k], design.layers[k]),
                float(below),
                float(above),
                _sum_error(network.layers[k], inputs, [seen[k] for seen in traces]),
                float(rate.mean()),
                *errors,
            )
        )
        inputs = np.stack([seen[k].spikes.counts() / length for seen in traces])
    return Quantization(
        None if labels is None else float((classes == wanted).mean()),
        float((streams.classes == wanted).mean()),
        float((fixed.classes == wanted).mean()),
        len(x),
        tuple(layers),
    )


def _rounding(layer: Layer, built: LayerDesign) -> tuple[float, float, float, float]:
    """Return the fraction of clipped weights, and the errors of weights, threshold and leak."""
    weights, levels = np.abs(layer.matrix), 2**built.numbers.bits
    lif, fixed = lif_of("network", layer), built.neuron
    level, leak = lif.v_threshold - lif.v_rest, lif.dt / lif.tau_mem
    fires = fixed.threshold <= fixed.most
    return (
        float((np.rint(weights * levels) == levels).mean()),
        float(np.abs(built.magnitudes / levels - weights).max()),
        float(fixed.threshold * fixed.unit / level - 1) if fires and level else 0.0,
        float(fixed.leak / 2**fixed.leak_shift / leak - 1) if leak else 0.0,
    )


def _sum_error(layer: Layer, inputs: NDArray[np.float64], seen: list[LayerTrace]) -> float:
    """Return the root mean square error of mean counts, given input densities (n, n_in)."""
    always = np.ones((len(inputs), layer.matrix.shape[1] - layer.n_in))
    expected = np.hstack([inputs, always]) @ layer.matrix.T
    counts = np.stack([one.counts.mean(axis=1) for one in seen])
    return float(np.sqrt(np.mean((counts - expected) ** 2)))


def report(
    design: Design,
    *,
    quantized: Quantization | None = None,
    verified: tuple[Verification, ...] = (),
    synthesis: Synthesis | None = None,
    netlist: tuple[Verification, ...] = (),
    energy: Energy | None = None,
    said: str = "",
    board: BoardBuild | None = None,
) -> str:
    """Return a Markdown page about a design, with a section for each result given.

    Parameters
    ----------
    design : Design
    quantized : Quantization, optional
        Result of `quantization`.
    verified : tuple of Verification
        Result of `verify_layer` for each layer.
    synthesis : Synthesis, optional
        Result of `synthesize`.
    netlist : tuple of Verification
        Result of `verify_images`.
    energy : Energy, optional
        Result of `energy_of`.
    said : str
        Result of `run_bench`.
    board : BoardBuild, optional
        Result of `build_board`.
    """
    values = {
        "design": design,
        "q": quantized,
        "verified": verified,
        "made": synthesis,
        "mhz": synthesis.mhz if synthesis else None,
        "seeds": SEEDS,
        "netlist": netlist,
        "e": energy,
        "said": said,
        "board": board,
        "joules": _joules,
    }
    return rendered("report.md", values)


def _joules(picojoules: float) -> str:
    """Return an energy with three digits and a unit."""
    for size, unit in ((1e6, "uJ"), (1e3, "nJ")):
        if picojoules >= size:
            return f"{picojoules / size:.3g} {unit}"
    return f"{picojoules:.3g} pJ"
