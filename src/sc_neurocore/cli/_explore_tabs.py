"""Tabs of the live page: widgets, pictures, and the functions that compute them at each change."""

from __future__ import annotations

import html
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from sc_neurocore.evidence._intervals import wilson
from sc_neurocore.evidence.evaluation import SOURCES
from sc_neurocore.networks import Dense, Network, Record, Simulation, prepare, simulate, simulate_float
from sc_neurocore.neurons import (
    LIF,
    SilentLayerWarning,
    fi_curve,
    firing_rate_hz,
    interspike_intervals,
    isi_cv,
    isi_cv2,
)
from sc_neurocore.operators import scaled_add
from sc_neurocore.streams import (
    Bitstream,
    Faults,
    PeriodWarning,
    Role,
    encode,
    operands,
    scc,
    stack,
    stream_key,
)

BLUE, RED, GREEN, SKY, PINK = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#CC79A7"
GRAY, INK = "#B8BCC2", "#1F2329"
LENGTHS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
SHOWN_BITS = 96
RATES = [0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1]
ACCURACY_LENGTHS = (4, 8, 16, 32, 64)
# Seconds of processor time that the accuracy of the images may take at each change.
BUDGET = 0.06


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    Attributes
    ----------
    layout : panel.viewable.Viewable
    widgets : mapping of str to widget
        What the user changes.
    sources : mapping of str to ColumnDataSource
        Data of the pictures.
    text : panel.pane.HTML
        What was computed, in words.
    """

    layout: Any
    widgets: Mapping[str, Any]
    sources: Mapping[str, ColumnDataSource]
    text: Any


def page(network: Network, images: NDArray[Any], labels: NDArray[Any]) -> Any:
    """Return the page, with a state of its own for each browser tab."""
    tabs = pn.Tabs(
        ("Bitstreams and gates", streams_tab().layout),
        ("A neuron", neuron_tab().layout),
        ("A network", network_tab(network, images, labels).layout),
    )
    title = (
        "<h2 style='margin:0'>sc-neurocore</h2>Everything on this page is computed as you look at it."
    )
    return pn.Column(pn.pane.HTML(title), tabs, margin=(10, 20))


def streams_tab() -> Tab:
    """Return the tab of two streams and a gate."""
    widgets = {
        "p": _slider("density p of x", 0.0, 1.0, 0.6),
        "q": _slider("density q of y", 0.0, 1.0, 0.7),
        "gate": pn.widgets.Select(label="gate", options=list(GATES), value="AND"),
        "scc": _slider("correlation (SCC) of x and y", -1.0, 1.0, 0.0),
        "source": _source(),
        "length": pn.widgets.DiscreteSlider(label="length", options=LENGTHS, value=256),
        "seed": pn.widgets.IntSlider(label="seed", start=0, end=99, value=1),
    }
    bits = _figure(150, x_range=Range1d(0, SHOWN_BITS), y_range=["output", "y", "x"])
    bits.xaxis.axis_label = f"first {SHOWN_BITS} time steps"
    running = _figure(300, y_range=Range1d(-0.02, 1.02))
    running.xaxis.axis_label, running.yaxis.axis_label = "time step", "running estimate"
    sources = {name: ColumnDataSource() for name in ("bits", "estimate", "law")}
    bits.rect("t", "name", 0.9, 0.8, color="color", source=sources["bits"])
    running.varea("t", "low", "high", fill_color=GREEN, fill_alpha=0.15, source=sources["estimate"])
    for name, color in (("x", SKY), ("y", PINK), ("output", GREEN)):
        width = 2 if name == "output" else 1
        running.step(
            "t", name, color=color, line_width=width, legend_label=name, source=sources["estimate"]
        )
    running.line("t", "law", color=INK, line_dash="dashed", legend_label="law", source=sources["law"])
    _legend_above(running)

    def update() -> str:
        p, q, s = (widgets[name].value for name in ("p", "q", "scc"))
        length, gate = widgets["length"].value, GATES[widgets["gate"].value]
        x, y = correlated_pair(p, q, s, length, widgets["seed"].value, widgets["source"].value)
        z, law = gate.stream(x, y, stream_key(widgets["seed"].value, Role.SELECT)), gate.law(p, q, s)
        streams = {"x": x, "y": y, "output": z}
        sources["bits"].data = _bits_shown(streams)
        steps = np.unique(np.geomspace(1, length, 400).astype(int))
        bound = np.sqrt(law * (1 - law) / steps)
        sources["estimate"].data = {
            "t": steps, "low": law - bound, "high": law + bound,
            **{n: np.cumsum(b.bits())[steps - 1] / steps for n, b in streams.items()},
        }  # fmt: skip
        sources["law"].data = {"t": [1, length], "law": [law, law]}
        density = float(z.probability())
        return _table(
            {
                "output by law": f"{law:.4f}",
                "output": f"{density:.4f}",
                "error": f"{density - law:+.4f}",
                "standard error of independent bits": f"{np.sqrt(law * (1 - law) / length):.4f}",
                "SCC of x and y": _number(scc(x, y), "one is constant"),
            }
        )

    return _tab(widgets, sources, [bits, running], update)


@dataclass(frozen=True)
class Gate:
    """A gate on two streams, and the density of its output for densities p, q and an SCC s."""

    stream: Callable[[Bitstream, Bitstream, int], Bitstream]
    law: Callable[[float, float, float], float]


def _both(p: float, q: float, s: float) -> float:
    """Return the density of ones of both streams in the same step."""
    extreme = min(p, q) if s >= 0 else max(0.0, p + q - 1)
    return (1 - abs(s)) * p * q + abs(s) * extreme


GATES = {
    "AND": Gate(lambda x, y, _: x & y, _both),
    "OR": Gate(lambda x, y, _: x | y, lambda p, q, s: p + q - _both(p, q, s)),
    "XOR": Gate(lambda x, y, _: x ^ y, lambda p, q, s: p + q - 2 * _both(p, q, s)),
    "x AND NOT y": Gate(lambda x, y, _: x & ~y, lambda p, q, s: p - _both(p, q, s)),
    "multiplexer": Gate(
        lambda x, y, key: scaled_add(stack([x, y]), key=key), lambda p, q, _: (p + q) / 2
    ),
}


def correlated_pair(
    p: float, q: float, s: float, length: int, seed: int, source: str
) -> tuple[Bitstream, Bitstream]:
    """Return streams of expected SCC s: they share their numbers in a share abs(s) of the steps."""
    first, second = operands(SOURCES[source](length))
    one, two = stream_key(seed, Role.INPUT), stream_key(seed, Role.WEIGHT)
    with _quiet():
        x = encode(p, length, key=one, source=first)
        alone = encode(q, length, key=two, source=second)
        shared = encode(q, length, key=one, source=first)
        if s < 0:
            shared = ~encode(1 - q, length, key=one, source=first)
        chosen = encode(abs(s), length, key=stream_key(seed, Role.SELECT, 1))
    return x, chosen & shared | ~chosen & alone


def neuron_tab() -> Tab:
    """Return the tab of a neuron under a stochastic current."""
    widgets = {
        "inputs": pn.widgets.IntSlider(label="number of inputs", start=1, end=100, value=20),
        "density": _slider("density of the inputs", 0.0, 1.0, 0.5),
        "weight": _slider("weight", -1.0, 1.0, 0.5),
        "gain": _slider("total gain of all inputs", 0.01, 2.0, 0.4),
        "tau_mem": pn.widgets.FloatSlider(label="tau_mem (ms)", start=1, end=100, step=1, value=20),
        "noise_std": _slider("noise of the neuron (V per step)", 0.0, 0.5, 0.0),
        "refractory": pn.widgets.IntSlider(label="refractory period (steps)", start=0, end=10, value=0),
        "source": _source(),
        "length": pn.widgets.DiscreteSlider(
            label="length", options=[100, 200, 500, 1000, 2000, 5000], value=500
        ),
        "seed": pn.widgets.IntSlider(label="seed", start=0, end=99, value=1),
    }
    sources = {name: ColumnDataSource() for name in ("trace", "spikes", "intervals", "law", "lines")}
    current = _figure(130)
    current.yaxis.axis_label = "current"
    current.line("t", "i", color=GRAY, source=sources["trace"])
    current.line("t", "mean", color=INK, line_dash="dashed", source=sources["lines"])
    potential = _figure(210, x_range=current.x_range)
    potential.xaxis.axis_label, potential.yaxis.axis_label = "time (ms)", "potential (V)"
    potential.line("t", "v", color=BLUE, source=sources["trace"])
    potential.line("t", "threshold", color=RED, line_dash="dashed", source=sources["lines"])
    potential.segment("t", "low", "t", "high", color=RED, source=sources["spikes"])
    intervals = _figure(200)
    intervals.xaxis.axis_label, intervals.yaxis.axis_label = "interspike interval (ms)", "share"
    intervals.quad("left", "right", "top", 0, fill_color=BLUE, line_color=None, fill_alpha=0.7,
                   source=sources["intervals"], legend_label="measured")  # fmt: skip
    intervals.line("t", "share", color=RED, source=sources["law"], legend_label="independent spikes")
    _legend_above(intervals)

    def update() -> str:
        v = {name: widget.value for name, widget in widgets.items()}
        neuron = LIF(tau_mem=v["tau_mem"], noise_std=v["noise_std"], refractory_period=v["refractory"])
        layer = Dense(
            np.full((1, v["inputs"]), v["weight"]), gain=v["gain"] / v["inputs"], neuron=neuron
        )
        wanted = Record(potentials=True, currents=True)
        given = np.full(v["inputs"], v["density"])
        source = SOURCES[v["source"]](v["length"])
        with _quiet():
            run = simulate(
                Network([layer]), given, v["length"], seed=v["seed"], source=source, record=wanted
            )
        recording = run.recording
        assert recording is not None
        spikes, trace = recording.spikes[0][0], recording.potentials[0][0]
        high = max(1.0, float(trace.max()))
        at = np.flatnonzero(spikes.bits())
        mean = v["gain"] * v["weight"] * v["density"]
        ends = [0, v["length"]]
        sources["trace"].data = {"t": recording.steps, "v": trace, "i": recording.currents[0][0]}
        sources["lines"].data = {"t": ends, "mean": [mean] * 2, "threshold": [neuron.v_threshold] * 2}
        sources["spikes"].data = {
            "t": at, "low": np.full(at.size, high + 0.05), "high": np.full(at.size, high + 0.25),
        }  # fmt: skip
        sources["intervals"].data, sources["law"].data = _intervals_shown(spikes)
        (expected,) = fi_curve(replace(neuron, noise_std=0.0), [mean])
        return _table(
            {
                "mean current": f"{mean:.4f}",
                "firing rate": f"{float(firing_rate_hz(spikes)):.1f} Hz",
                "rate under the mean current": f"{expected:.1f} Hz",
                "CV of the intervals": _number(isi_cv(spikes), "too few intervals"),
                "CV2": _number(isi_cv2(spikes), "too few intervals"),
            }
        )

    return _tab(widgets, sources, [current, potential, intervals], update)


def _intervals_shown(spikes: Bitstream) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the histogram of intervals, and that of independent spikes of the same mean."""
    found = interspike_intervals(spikes)
    if found.size < 2:
        return {"left": [], "right": [], "top": []}, {"t": [], "share": []}
    width = max(int(np.ceil(found.max() / 40)), 1)
    edges = np.arange(0.5, found.max() + width + 0.5, width)
    p = 1 / found.mean()
    law = -np.diff((1 - p) ** (edges - 0.5))
    shares = np.histogram(found, edges)[0] / found.size
    bars = {"left": edges[:-1], "right": edges[1:], "top": shares}
    return bars, {"t": (edges[:-1] + edges[1:]) / 2, "share": law}


def network_tab(network: Network, images: NDArray[Any], labels: NDArray[Any]) -> Tab:
    """Return the tab of a network on its images."""
    images = np.asarray(images, np.float64)
    noisy = all(isinstance(layer.neuron, LIF) for layer in network)
    rate = {f"{100 * rate:g} %": rate for rate in RATES}
    widgets = {
        "image": pn.widgets.IntSlider(label="image", start=0, end=max(len(images) - 1, 1), value=0),
        "length": pn.widgets.DiscreteSlider(label="length", options=LENGTHS[:6], value=64),
        "source": _source(),
        "noise": _slider("noise of the neurons (V per step)", 0.0, 1.0, 0.0, disabled=not noisy),
        "flip": pn.widgets.DiscreteSlider(label="flipped bits", options=rate, value=0.0),
        "upset": pn.widgets.DiscreteSlider(
            label="flipped bits of stored weights", options=rate, value=0.0
        ),
        "dead": _slider("dead neurons", 0.0, 0.5, 0.0),
        "seed": pn.widgets.IntSlider(label="seed", start=0, end=99, value=1),
    }
    names = ("image", "raster", "classes", "accuracy", "float")
    sources = {name: ColumnDataSource() for name in names}
    raster = _figure(260)
    raster.yaxis.axis_label = "neuron (layers in colors)"
    raster.segment("t", "low", "t", "high", color="color", line_width=1.6, source=sources["raster"])
    forming = _figure(190, x_range=raster.x_range)
    forming.xaxis.axis_label, forming.yaxis.axis_label = "time step", "spikes of the outputs"
    forming.multi_line(
        "t", "counts", color="color", line_width="width", legend_field="name", source=sources["classes"]
    )
    _legend_above(forming)
    accuracy = _figure(200, x_axis_type="log", width=430)
    accuracy.xaxis.ticker = list(ACCURACY_LENGTHS)
    accuracy.xaxis.axis_label, accuracy.yaxis.axis_label = "length", "accuracy (%)"
    accuracy.segment("length", "low", "length", "high", color=BLUE, source=sources["accuracy"])
    accuracy.line("length", "mean", color=BLUE, source=sources["accuracy"], legend_label="bitstreams")
    accuracy.scatter("length", "mean", color=BLUE, size=6, source=sources["accuracy"])
    accuracy.line("length", "share", color=INK, line_dash="dashed", source=sources["float"],
                  legend_label="real numbers")  # fmt: skip
    _legend_above(accuracy)
    side = round(network.n_in**0.5)
    picture = _figure(200, width=200, match_aspect=True)
    picture.axis.visible = picture.grid.visible = False
    picture.image("pixels", 0, 0, 1, 1, palette=[f"#{g:02x}{g:02x}{g:02x}" for g in range(255, -1, -1)],
                  source=sources["image"])  # fmt: skip
    n = images_in_time(network, images, labels)
    known: dict[Any, dict[str, list[float]]] = {}  # the accuracies last shown
    of_float = simulate_float(network, images[:n], ACCURACY_LENGTHS[-1]).classes == labels[:n]
    sources["float"].data = {
        "length": [ACCURACY_LENGTHS[0], ACCURACY_LENGTHS[-1]],
        "share": [100 * float(of_float.mean())] * 2,
    }

    def update() -> str:
        v = {name: widget.value for name, widget in widgets.items()}
        i = min(v["image"], len(images) - 1)
        faults = Faults(flip=v["flip"], weight_upset=v["upset"], dead=v["dead"])
        chosen = _with_noise(network, v["noise"]) if v["noise"] else network
        kind = v["source"]
        with _quiet():
            run = simulate(
                chosen, images[i], v["length"], seed=v["seed"], source=SOURCES[kind](v["length"]),
                faults=faults, record=True,
            )  # fmt: skip
            options = (kind, v["seed"], v["noise"], faults)
            if options not in known:
                known.clear()
                known[options] = accuracy_by_length(
                    chosen, images[:n], labels[:n], kind, v["seed"], faults
                )
        if side * side == network.n_in:
            pixels = np.flipud(images[i].reshape(side, side))
            pixels = 255 * (pixels / (pixels.max() or 1.0))
            sources["image"].data = {"pixels": [pixels.astype(np.uint8)]}
        sources["raster"].data = _raster_shown(run)
        sources["classes"].data, since = _classes_shown(network, run, int(labels[i]))
        sources["accuracy"].data = known[options]
        found, right = int(run.classes), int(labels[i])
        verdict = "correct" if found == right else f"wrong, it is {right}"
        shown = ACCURACY_LENGTHS.index(64)
        return _table(
            {
                "classified as": f"{found} ({verdict})",
                "this class leads since step": str(since),
                f"accuracy at 64 steps, {n} images": f"{known[options]['mean'][shown]:.1f} %",
            }
        )

    below = pn.FlexBox(
        pn.pane.Bokeh(accuracy, styles={"flex": "1 1 300px"}),
        pn.pane.Bokeh(picture, styles={"flex": "0 0 200px"}),
    )
    return _tab(widgets, sources, [raster, forming], update, below)


def images_in_time(network: Network, images: NDArray[Any], labels: NDArray[Any]) -> int:
    """Return how many images can be classified at each change: all, or as many as take `BUDGET`."""
    n = min(16, len(images))
    faults = Faults()
    accuracy_by_length(network, images[:n], labels[:n], "bernoulli", 0, faults)  # loads code
    while n < len(images):
        more = min(2 * n, len(images))
        start = time.process_time()  # of all threads, whatever else the machine does
        accuracy_by_length(network, images[:more], labels[:more], "bernoulli", 0, faults)
        if time.process_time() - start > BUDGET:
            break
        n = more
    return n


def accuracy_by_length(
    network: Network, images: NDArray[Any], labels: NDArray[Any], source: str, seed: int, faults: Faults
) -> dict[str, list[float]]:
    """Return accuracy in percent by length, with its 95 % confidence interval."""
    rows = []
    for n in ACCURACY_LENGTHS:
        prepared = prepare(network, seed=seed, source=SOURCES[source](n), faults=faults)
        right = int(np.count_nonzero(prepared.run(images, n).classes == labels))
        low, high = wilson(right, len(images), 0.95)
        rows.append((float(n), 100 * right / len(images), 100 * low, 100 * high))
    columns = map(list, zip(*rows, strict=True))
    return dict(zip(("length", "mean", "low", "high"), columns, strict=True))


def _with_noise(network: Network, noise_std: float) -> Network:
    """Return the network with noise in all neurons."""
    layers = [
        replace(x, neuron=replace(x.neuron, noise_std=noise_std)) if isinstance(x.neuron, LIF) else x
        for x in network
    ]
    return Network(layers, network.connections, network.outputs)


def _raster_shown(run: Simulation) -> dict[str, Any]:
    """Return the spikes of all layers, one above the other, at most 8,000 of each."""
    times, rows, colors, first = [], [], [], 0
    for i, spikes in enumerate(run.spikes):
        row, t = np.nonzero(spikes.bits())
        times.append(t[:8000])
        rows.append(first + row[:8000])
        colors += [(BLUE, RED, GREEN)[i % 3]] * min(t.size, 8000)
        first += spikes.shape[-1]
    t, row = np.concatenate(times), np.concatenate(rows)
    return {"t": t, "low": row - 0.45, "high": row + 0.45, "color": colors}


def _classes_shown(network: Network, run: Simulation, right: int) -> tuple[dict[str, Any], int]:
    """Return the counts of the outputs in time, and the step since which the winner leads."""
    assert run.recording is not None
    bits = np.concatenate([run.recording.spikes[i].bits() for i in network.outputs])
    counts = np.cumsum(bits, axis=1)
    found = int(run.classes)
    ahead = (counts.argmax(axis=0) == found) & (counts.max(axis=0) > 0)
    since = int(run.length - np.argmin(ahead[::-1])) if not ahead.all() else 0
    names = ["others"] * len(counts)
    colors, widths = [GRAY] * len(counts), [1.0] * len(counts)
    if right < len(counts):
        names[right], colors[right], widths[right] = f"{right}, correct class", GREEN, 2.5
    if found != right:
        names[found], colors[found], widths[found] = f"{found}, classified as", RED, 2.5
    order = np.argsort(widths, kind="stable")
    steps = np.arange(1, run.length + 1)
    return {
        "t": [steps] * len(counts),
        "counts": [counts[i] for i in order],
        "color": [colors[i] for i in order],
        "width": [widths[i] for i in order],
        "name": [names[i] for i in order],
    }, since


def _tab(
    widgets: dict[str, Any],
    sources: dict[str, ColumnDataSource],
    pictures: list[figure],
    update: Callable[[], str],
    *below: Any,
) -> Tab:
    """Return a tab whose pictures follow its widgets."""
    text = pn.pane.HTML(update(), width=300)

    def changed(*_: Any) -> None:
        start = time.perf_counter()
        content = update()
        text.object = f"{content}<small>{1000 * (time.perf_counter() - start):.0f} ms</small>"

    for widget in widgets.values():
        widget.param.watch(changed, "value")
    left = pn.Column(*widgets.values(), text, width=320)
    pictures_and_more = (*(pn.pane.Bokeh(picture) for picture in pictures), *below)
    right = pn.Column(*pictures_and_more, styles={"flex": "1 1 320px", "max-width": "680px"})
    return Tab(pn.FlexBox(left, right, gap="0 10px"), widgets, sources, text)


def _figure(height: int, width: int = 640, **options: Any) -> figure:
    """Return an empty picture in the colors of the package."""
    made = figure(
        height=height, sizing_mode="stretch_width", max_width=width, tools="", toolbar_location=None,
        **options,
    )  # fmt: skip
    made.grid.grid_line_color = "#E4E6E9"
    made.outline_line_color = None
    made.axis.minor_tick_line_color = None
    made.axis.axis_line_color = made.axis.major_tick_line_color = "#9AA0A8"
    made.axis.axis_label_text_font_style = "normal"
    made.axis.axis_label_text_font_size = "12px"
    made.axis.major_label_text_font_size = "11px"
    return made


def _legend_above(made: figure) -> None:
    """Put the legend above the picture, where it hides nothing."""
    (legend,) = made.legend
    legend.orientation, legend.border_line_color = "horizontal", None
    legend.label_text_font_size = "11px"
    legend.margin = legend.padding = 0
    made.add_layout(legend, "above")


def _slider(name: str, start: float, end: float, value: float, **options: Any) -> Any:
    return pn.widgets.FloatSlider(label=name, start=start, end=end, step=0.01, value=value, **options)


def _source() -> Any:
    return pn.widgets.Select(label="source of random numbers", options=list(SOURCES), value="bernoulli")


def _bits_shown(streams: dict[str, Bitstream]) -> dict[str, Any]:
    """Return a square for each of the first bits, dark for ones."""
    t: list[float] = []
    names: list[str] = []
    colors: list[str] = []
    for name, stream in streams.items():
        bits = stream.bits()[:SHOWN_BITS]
        t += (np.arange(bits.size) + 0.5).tolist()
        names += [name] * bits.size
        colors += [INK if bit else "#F0F1F3" for bit in bits]
    return {"t": t, "name": names, "color": colors}


def _table(cells: dict[str, str]) -> str:
    """Return a table of two columns; cells are escaped."""
    rows = (
        f"<tr><td>{html.escape(name)}</td><td style='text-align:right;padding-left:1em'><b>"
        f"{html.escape(value)}</b></td></tr>"
        for name, value in cells.items()
    )
    return f"<table style='font-size:13px'>{''.join(rows)}</table>"


def _number(value: Any, without: str) -> str:
    return f"{float(value):.3f}" if np.isfinite(value) else without


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore warnings that a page cannot show: silence and short periods are visible."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SilentLayerWarning)
        warnings.simplefilter("ignore", PeriodWarning)
        yield
