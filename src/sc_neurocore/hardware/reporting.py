"""Report of a design: size, speed, errors and energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore._tables import html_table
from sc_neurocore.evidence.evaluation import labeled
from sc_neurocore.hardware._registers import address_bits
from sc_neurocore.hardware.boards import BoardBuild
from sc_neurocore.hardware.design import Design, LayerDesign
from sc_neurocore.hardware.emit import rendered
from sc_neurocore.hardware.interfaces import Interface
from sc_neurocore.hardware.model import LayerTrace, trace
from sc_neurocore.hardware.synthesis import SEEDS, Energy, Synthesis
from sc_neurocore.hardware.verify import Verification
from sc_neurocore.networks import simulate_float
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks._real_layers import drive
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import Dense, Layer, all_weights, lif_of, of_each
from sc_neurocore.networks.prepared import PreparedNetwork

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
        averaged over an image. The reference is the sum of weights times input densities. Layers with
        ``sampled=False`` have a sum in place of the count.
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
    steps : float
        Mean of `Design.steps`.
    """

    of_float: float | None
    of_streams: float
    of_fixed: float
    n_images: int
    layers: tuple[LayerQuantization, ...]
    steps: float

    def __repr__(self) -> str:
        return f"Quantization({', '.join(f'{name} {value}' for name, value in self._summary())})"

    def _repr_html_(self) -> str:
        return html_table(("accuracy", "value"), self._summary())

    def _summary(self) -> list[tuple[str, str]]:
        """Return names and values of what all layers together have."""
        known = self.of_float is not None
        return [
            *([("on real numbers", f"{self.of_float:.2%}")] if known else []),
            ("on bitstreams" if known else "same classes on bitstreams", f"{self.of_streams:.2%}"),
            ("in hardware", f"{self.of_fixed:.2%}"),
            ("images", str(self.n_images)),
            ("time steps", f"{self.steps:g}"),
        ]


def quantization(design: Design, images: InputLike, labels: ArrayLike | None = None) -> Quantization:
    """Measure the effects of bitstreams and fixed point on the accuracy and the layers of a network.

    Parameters
    ----------
    design : Design
    images : array_like, shape (n, n_in), Bitstream or Events
        Densities in [0, 1], or spikes.
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
    inputs = Inputs.of("images", images, network, batched=True)
    steps = length if inputs.length is None else None
    real = simulate_float(network, inputs, steps, record=True)
    wanted = real.classes if labels is None else labeled(network, inputs, labels)[1]
    prepared = PreparedNetwork.of(
        network, seed=0, source=design.source, bits_per_step=design.bits_per_step
    )
    streams = prepared.run(inputs, steps, record=True, warn=False)
    fixed = design.simulate(inputs, record=True)
    some = inputs[:_TRACED]
    traces = trace(design, some)
    rates = [spikes.counts() / length for spikes in real.spikes]
    layers = []
    for k, (layer, built) in enumerate(zip(network, design.layers, strict=True)):
        below, above = traces[k].saturations.reshape(-1, 2).sum(axis=0) / (
            len(some) * layer.n_out * length
        )
        errors = (
            float(np.sqrt(np.mean((run.spikes[k].counts() / length - rates[k]) ** 2)))
            for run in (streams, fixed)
        )
        layers.append(
            LayerQuantization(
                *_rounding(design.fixed.network[k], layer, built),
                float(below),
                float(above),
                _sum_error(design, k, some.mean(), traces),
                float(rates[k].mean()),
                *errors,
            )
        )
    return Quantization(
        None if labels is None else float((real.classes == wanted).mean()),
        float((streams.classes == wanted).mean()),
        float((fixed.classes == wanted).mean()),
        len(inputs),
        tuple(layers),
        float(design.steps(inputs).mean()),
    )


def _rounding(rounded: Layer, layer: Layer, built: LayerDesign) -> tuple[float, float, float, float]:
    """Return the fraction of clipped weights, and the errors of weights, threshold and leak."""
    weights, levels = np.abs(all_weights(layer)), 2**built.numbers.bits
    lif, fixed = lif_of("network", layer), built.neuron
    # Output neurons with several gains have scaled weights.
    scale = np.asarray(layer.gain * lif.resistance / (rounded.gain * lif_of("", rounded).resistance))
    exact = weights * np.reshape(scale, (-1, 1))
    level, leak = np.subtract(lif.v_threshold, lif.v_rest), lif.dt / np.asarray(lif.tau_mem)
    counts = np.isfinite(level) & (level != 0)
    of_level = np.where(
        counts, fixed.threshold * np.asarray(fixed.unit) / np.where(counts, level, 1), 1
    )
    of_leak = np.where(leak > 0, fixed.leak / 2.0 ** np.asarray(fixed.leak_shift), 1)
    return (
        float((np.rint(exact * levels) == levels).mean()) if not built.is_pool else 0.0,
        float(np.abs(built.magnitudes / levels - exact).max()),
        _largest(of_level - 1),
        _largest(of_leak / np.where(leak > 0, leak, 1) - 1),
    )


def _largest(errors: NDArray[np.float64]) -> float:
    """Return the error of the largest magnitude, with its sign."""
    flat = np.ravel(errors)
    return float(flat[np.abs(flat).argmax()])


def _sum_error(
    design: Design, k: int, densities: NDArray[np.float64], seen: tuple[LayerTrace, ...]
) -> float:
    """Return the root mean square error of the mean counts per bit, or of the sums, of layer k.

    The reference is the sum of weights times the mean densities of the inputs and the rates of the
    other layers.
    """
    network, length = design.network, design.length
    rates = [one.spikes.counts() / length for one in seen]
    inputs = np.concatenate(
        [
            rates[source] if isinstance(source, int) else densities[:, source]
            for source in network.connections[k]
        ],
        axis=1,
    )
    layer = network[k]
    expected = drive(layer, inputs[:, :, np.newaxis])[:, :, 0]
    if isinstance(layer, Dense) and layer.recurrent is not None:
        expected = expected + rates[k] @ layer.recurrent.T
    lif, rounded = lif_of("network", layer), design.fixed.network[k]
    scale = layer.gain * lif.resistance / (rounded.gain * lif_of("", rounded).resistance)
    expected = expected * of_each(layer, scale)
    one = design.bits_per_step if layer.sampled else design.fixed.neurons[k].one
    counts = seen[k].counts.mean(axis=-1) / one
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
    interface: Interface | None = None,
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
    interface : {"axi-stream", "axi-lite", "axi"}, optional
        The interface that was written by `interface_verilog`.
    """
    steps = quantized.steps if quantized and design.early else None
    values = {
        "design": design,
        "q": quantized,
        "verified": verified,
        "made": synthesis,
        "mhz": synthesis.mhz if synthesis else None,
        "steps": steps,
        "clocks": design.clocks if steps is None else design.clocks_of(steps),
        "seeds": SEEDS,
        "netlist": netlist,
        "e": energy,
        "said": said,
        "board": board,
        "interface": interface,
        "port_bytes": 2 ** address_bits(design),
        "n_writes": len(design.load_port.writes()) if design.loadable else 0,
        "joules": _joules,
        "leak_of": _leak_of,
        "threshold_of": _threshold_of,
    }
    return rendered("report.md", values)


def _leak_of(neuron: FixedLIF) -> str:
    """Return the leak of the neurons of a layer as a fraction, or its range."""
    leaks = np.divide(neuron.leak, 2.0 ** np.asarray(neuron.leak_shift))
    if leaks.ndim:
        return f"{leaks.min():.4g} to {leaks.max():.4g}"
    return f"{neuron.leak}/{2**neuron.leak_shift}" if neuron.leak else "none"


def _threshold_of(neuron: FixedLIF) -> str:
    """Return the threshold of the neurons of a layer, or its range."""
    levels = np.atleast_1d(neuron.threshold)
    finite = levels[levels <= neuron.most]
    if not finite.size:
        return "none"
    return f"{finite.min()}" if finite.min() == levels.max() else f"{finite.min()} to {finite.max()}"


def _joules(picojoules: float) -> str:
    """Return an energy with three digits and a unit."""
    for size, unit in ((1e6, "uJ"), (1e3, "nJ")):
        if picojoules >= size:
            return f"{picojoules / size:.3g} {unit}"
    return f"{picojoules:.3g} pJ"
