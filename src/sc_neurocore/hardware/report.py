"""The report of a design: what it takes, how fast it is, what it errs, what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.synthesis import Energy, Synthesis
from sc_neurocore.hardware.trace import trace
from sc_neurocore.hardware.verify import Verification
from sc_neurocore.simulation import simulate, simulate_float

# Images whose sums are looked at for saturation.
_TRACED = 32


@dataclass(frozen=True)
class LayerQuantisation:
    """What rounding does to a layer.

    Attributes
    ----------
    clipped : float
        Share of weights that were cut to the largest magnitude.
    rounding : float
        The largest error of a weight.
    threshold, leak : float
        Relative errors of threshold (against its distance from rest) and leak.
    below, above : float
        Shares of the steps of all neurons in which a sum saturated at the lower and upper end.
    """

    clipped: float
    rounding: float
    threshold: float
    leak: float
    below: float
    above: float


@dataclass(frozen=True)
class Quantisation:
    """A network in real numbers, on bitstreams, and on bitstreams in fixed point.

    Attributes
    ----------
    of_float, of_streams, of_fixed : float
        Accuracies on the same images and steps; streams are those of the hardware, in float64 neurons.
    n_images : int
    layers : tuple of LayerQuantisation
    """

    of_float: float
    of_streams: float
    of_fixed: float
    n_images: int
    layers: tuple[LayerQuantisation, ...]


def quantisation(design: Design, images: ArrayLike, labels: ArrayLike) -> Quantisation:
    """Return what fixed point does to the accuracy and to the layers of a network.

    Parameters
    ----------
    design : Design
    images : array_like, shape (n, n_in)
        Densities.
    labels : array_like of int, shape (n,)

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import Design, quantisation
    >>> digits = load_digits()
    >>> report = quantisation(Design(digits.network, length=32), digits.images, digits.labels)
    >>> [round(100 * a, 1) for a in (report.of_float, report.of_streams, report.of_fixed)]
    [98.2, 97.6, 97.8]
    """
    x, wanted = np.asarray(images, np.float64), np.asarray(labels)
    network, length = design.network, design.length

    def accuracy(classes: NDArray[np.int64]) -> float:
        return float((classes == wanted).mean())

    streams = simulate(network, x, length, seed=0, source=design.source)
    traces = [trace(design, image) for image in x[:_TRACED]]
    layers = []
    for k, (layer, built) in enumerate(zip(network.layers, design.layers, strict=True)):
        weights = np.abs(layer._matrix)
        levels = 2**design.number.bits
        lif = layer.neuron
        fires = built.neuron.threshold <= built.neuron.most
        level = lif.v_threshold - lif.v_rest
        threshold = built.neuron.threshold * built.neuron.unit / level - 1 if fires and level else 0.0
        exact = lif.dt / lif.tau_mem
        leak = built.neuron.leak / 2**built.neuron.leak_shift / exact - 1 if exact else 0.0
        cut = sum(layers_[k].saturations.sum(axis=0) for layers_ in traces)
        below, above = np.asarray(cut) / (len(traces) * built.n_out * length)
        layers.append(
            LayerQuantisation(
                float((np.rint(weights * levels) == levels).mean()),
                float(np.abs(built.magnitudes / levels - weights).max()),
                float(threshold),
                float(leak),
                float(below),
                float(above),
            )
        )
    return Quantisation(
        accuracy(simulate_float(network, x, length).classes()),
        accuracy(streams.classes()),
        accuracy(design.simulate(x).classes()),
        len(x),
        tuple(layers),
    )


def report(
    design: Design,
    *,
    quantised: Quantisation | None = None,
    verified: tuple[Verification, ...] = (),
    synthesis: Synthesis | None = None,
    energy: Energy | None = None,
    said: str = "",
) -> str:
    """Return a page in Markdown about a design, of what is given."""
    lines = [f"# {design.name}", "", f"{design!r}", ""]
    lines += [f"- Latency: {design.clocks:,} clocks an image, {design.length} time steps."]
    if synthesis and synthesis.mhz:
        images = 1e6 * synthesis.mhz / design.clocks
        lines.append(f"  At {synthesis.mhz:.0f} MHz these are {images:,.0f} images a second.")
    lines += ["", "| layer | inputs | neurons | leak | threshold | one adds | word |", "|" + 7 * "---|"]
    for k, layer in enumerate(design.layers):
        n = layer.neuron
        leak = f"{n.leak}/2^{n.leak_shift}" if n.leak else "none"
        fires = str(n.threshold) if n.threshold <= n.most else "none"
        lines.append(
            f"| {k} | {layer.n_in} | {layer.n_out} | {leak} | {fires} "
            f"| 2^{n.fraction} | {n.word} bits |"
        )
    if quantised:
        q = quantised
        lines += [
            "",
            f"Accuracy on {q.n_images} images: {100 * q.of_float:.2f} % in real numbers, "
            f"{100 * q.of_streams:.2f} % on these bitstreams, {100 * q.of_fixed:.2f} % in hardware.",
            "",
            "| layer | weights clipped | largest rounding | threshold | leak | sums below | above |",
            "|" + 7 * "---|",
        ]
        for k, row in enumerate(q.layers):
            lines.append(
                f"| {k} | {100 * row.clipped:.2f} % | {row.rounding:.4f} "
                f"| {100 * row.threshold:+.2f} % "
                f"| {100 * row.leak:+.2f} % | {100 * row.below:.3f} % | {100 * row.above:.3f} % |"
            )
    if said:
        lines += ["", f"Testbench: {said}"]
    for k, seen in enumerate(verified):
        lines += [
            "",
            f"Layer {k} against the model: {seen.clocks:,} clocks, {seen.steps:,} steps, "
            f"{seen.differences} differences; seen were {seen.spikes:,} spikes, "
            f"{seen.rests:,} steps of rest, {seen.below:,} sums below the word, "
            f"{seen.above:,} above.",
        ]
    if synthesis:
        lines += [
            "",
            f"Synthesised for {synthesis.target}: {synthesis.luts} LUTs or gates, "
            f"{synthesis.flip_flops} flip-flops, memories {synthesis.memories or 'none'}.",
        ]
        if synthesis.logic_cells and synthesis.mhz:
            lines.append(
                f"Placed: {synthesis.logic_cells} logic cells, {synthesis.mhz:.1f} MHz (median)."
            )
        elif synthesis.logic_cells:
            lines.append(f"It does not fit an HX8K: {synthesis.logic_cells} logic cells.")
        lines += ["", "| cell | number |", "|---|---|"]
        lines += [f"| {kind} | {n} |" for kind, n in synthesis.cells.items()]
    if energy:
        e = energy
        lines += [
            "",
            f"Energy: {e.middle:.0f} pJ a clock ({e.low:.0f} to {e.high:.0f}), from {e.toggles:.0f} "
            f"toggles of nets a clock at 0.2 pJ and {e.clock:.0f} pJ of the clock, and "
            f"{e.static_microwatt:.0f} uW at rest: measured on iCE40 UP5K devices "
            "(tinyvision-ai-inc/ice40_power); another device, layout or voltage changes all of it. "
            f"That is {e.middle * design.clocks / 1e6:.2f} uJ an image.",
        ]
    return "\n".join(lines) + "\n"
