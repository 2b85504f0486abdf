# ruff: noqa: E501
"""Pictures: those of docs/plots.md are drawn again and compared, and what is special is looked up."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from error_table import test_of
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

import sc_neurocore as sc
from sc_neurocore import plot

DOCS = Path(__file__).parents[2] / "docs"
X = sc.encode([0.3, 0.8], 64, key=1)
CHAIN = sc.Network([sc.Dense(np.full((3, 2), 0.5), gain=2.0), sc.Dense(np.full((1, 3), 0.5), gain=2.0)])
ROWS = sc.evaluate(CHAIN, [[0.5, 0.25], [0.25, 0.5]], [0, 0], [4, 8])


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def axes():
    return Figure(layout="constrained").subplots()


@pytest.mark.parametrize(("theme", "ending"), [("light", ""), ("dark", "_dark")])
def test_the_pictures_of_the_page_are_those_of_its_code(theme, ending, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(DOCS)
    draw_plots = import_module("draw_plots")
    different = {}
    with plot.style(theme):
        for name, ax in draw_plots.draw().items():
            expected = DOCS / f"{name.removesuffix('.png')}{ending}.png"
            ax.figure.savefig(actual := tmp_path / expected.name, dpi=110)
            # Fonts differ a little between versions of FreeType; another curve or color differs more.
            if message := compare_images(expected, actual, tol=6):
                different[name] = message
    assert not different, "look at them, and run docs/draw_plots.py"


def test_every_function_has_its_picture_on_the_page():
    page = (DOCS / "plots.md").read_text()
    assert not [name for name in plot.__all__ if f"plot.{name}(" not in page]


def test_bits_in_an_array_are_drawn_like_streams():
    bits = [[0, 1, 1], [1, 0, 0]]
    drawn = [plot.bitstream(given, axes()) for given in (bits, sc.Bitstream.from_bits(bits))]
    lines = [[line.get_ydata().tolist() for line in ax.lines] for ax in drawn]
    assert lines[0] == lines[1]


def test_functions_draw_into_given_axes_and_return_them():
    calls = [
        lambda ax: plot.raster([0, 1, 1], ax),
        lambda ax: plot.trace([0.1, 0.5], ax),
        lambda ax: plot.isi_histogram([0, 1, 1, 0, 1], ax),
        lambda ax: plot.fi_curve(sc.LIF(), [0.0, 0.1], ax, steps=10),
        lambda ax: plot.bitstream(X, ax),
        lambda ax: plot.error_by_length(0.5, [8, 16], ax, seeds=[1]),
        lambda ax: plot.scc_matrix(X, ax),
        lambda ax: plot.accuracy(ROWS, ax),
        lambda ax: plot.noise_budget(sc.noise_budget(CHAIN, [[0.5, 0.25]], 32, seed=1), ax),
        lambda ax: plot.network(CHAIN, ax),
        lambda ax: plot.confusion([0, 1], [1, 1], ax),
        lambda ax: plot.classified([[0.5]], [1], [1], ax),
    ]
    for call in calls:
        ax = axes()
        assert call(ax) is ax
        ax.figure.draw_without_rendering()
    assert not pyplot.get_fignums()
    assert len(calls) == len(plot.__all__) - 1


def test_the_style_ends_with_its_block_and_its_colors_stay_in_the_picture():
    before = dict(mpl.rcParams)
    with plot.style("dark"):
        ax = plot.raster([0, 1, 1])
        dark = mpl.rcParams["axes.prop_cycle"].by_key()["color"][0]
    assert dict(mpl.rcParams) == before
    (lines,) = ax.collections
    assert mpl.colors.to_hex(lines.get_color()[0]).upper() == dark


def luminance(color):
    """Relative luminance of WCAG 2."""
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    return np.dot(channels, [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colors_are_readable_and_distinct_for_all_kinds_of_color_vision(theme):
    # G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE TVCG 15, 2009, severity 1.
    visions = {
        "normal": np.eye(3),
        "protanopia": [
            [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
        ],
    }  # fmt: skip
    with plot.style(theme):
        cycle = [mpl.colors.to_rgb(c) for c in mpl.rcParams["axes.prop_cycle"].by_key()["color"]]
        paper = luminance(mpl.colors.to_rgb(mpl.rcParams["axes.facecolor"]))
        ink = luminance(mpl.colors.to_rgb(mpl.rcParams["text.color"]))
    contrasts = [(max(paper, y) + 0.05) / (min(paper, y) + 0.05) for y in (ink, *map(luminance, cycle))]
    assert contrasts[0] > 12
    assert min(contrasts[1:4]) > 3  # of the curves that most pictures have
    assert min(contrasts) > 2
    for matrix in visions.values():
        seen = np.clip(np.array(cycle[:4]) @ np.transpose(matrix), 0, 1)
        apart = np.abs(seen[:, None] - seen[None]).max(axis=-1)
        assert apart[~np.eye(4, dtype=bool)].min() > 0.1


def test_a_raster_has_a_line_for_every_spike_at_its_time_and_row():
    bits = np.random.default_rng(1).integers(0, 2, (3, 20), np.uint8)
    ax = plot.raster({"a": bits, "b": sc.Bitstream.from_bits(bits[0])}, axes(), dt_ms=0.5)
    first, second = ax.collections
    places = {tuple(segment.mean(axis=0)) for segment in first.get_segments()}
    assert places == {(t * 0.5, float(row)) for row, t in zip(*np.nonzero(bits), strict=True)}
    assert {segment[:, 1].mean() for segment in second.get_segments()} == {3.0}
    assert [text.get_text() for text in ax.texts] == ["a", "b"]


def test_a_raster_of_a_simulation_has_its_layers_and_time_step():
    neuron = sc.LIF(dt=0.5)
    network = sc.Network([sc.Dense([[0.9]], gain=0.5, neuron=neuron), sc.Dense([[0.9]], neuron=neuron)])
    ax = plot.raster(sc.simulate(network, [1.0], 40, seed=1, record=True), axes())
    assert [text.get_text() for text in ax.texts] == ["layer 0", "layer 1"]
    assert ax.get_xlim() == (-0.25, 19.75)


def test_the_closed_form_of_intervals_sums_to_the_share_of_the_histogram():
    spikes = sc.encode(0.2, 20_000, key=1)
    ax = plot.isi_histogram(spikes, axes())
    measured = np.array([bar.get_height() for bar in ax.patches])
    law = ax.lines[0].get_ydata()
    n = int(spikes.counts()) - 1
    assert measured.sum() == pytest.approx(100)
    assert np.all(np.abs(measured - law) < 5 * 100 * np.sqrt(np.maximum(law / 100, 1e-3) / n))


def test_networks_with_feedback_and_several_outputs_are_drawn():
    layers = [sc.Dense([[0.5, 0.5]], delay=1), sc.Dense([[0.5]]), sc.Dense([[0.5]])]
    network = sc.Network(layers, [["input", 2], 0, 1], outputs=[1, 2])
    ax = plot.network(network, axes())
    boxes_and_arrows = [type(patch).__name__ for patch in ax.patches]
    assert boxes_and_arrows.count("FancyBboxPatch") == 4
    assert boxes_and_arrows.count("FancyArrowPatch") == 4 + 2
    assert [text.get_text() for text in ax.texts].count("output") == 2


def test_wrong_images_are_marked():
    ax = plot.classified(np.eye(4), [1, 2, 3, 4], [1, 2, 9, 4], axes())
    assert [text.get_text() for text in ax.texts] == ["1", "2", "9, is 3", "4"]
    assert len(ax.patches) == 1


def test_accuracy_draws_a_single_curve_without_deviation_at_one_seed():
    rows = sc.evaluate(CHAIN, [[0.5, 0.25]], [0], [8], seeds=[1])
    (bars,) = plot.accuracy(rows, axes()).containers
    assert np.all(np.isfinite(bars.lines[0].get_ydata()))


def test_without_matplotlib_the_error_says_what_to_install():
    code = "import sys; sys.modules['matplotlib'] = None; import sc_neurocore.plot"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "sc_neurocore.plot needs Matplotlib" in run.stderr
    assert "[plot]" in run.stderr


test_calls_are_refused = test_of(
    [
        (lambda: plot.style("blue"), ValueError, "theme must be one of 'light', 'dark', got 'blue'"),
        (lambda: plot.raster([0, 1], "here"), TypeError, "ax must be an Axes, got 'here'; pass one of matplotlib's Axes, or None for a new figure"),
        (lambda: plot.raster({}), ValueError, "spikes must hold at least one layer, got none"),
        (lambda: plot.raster(np.zeros((2, 3, 4))), ValueError, "spikes must belong to one input, got shape (2, 3, 4); select one, such as spikes[0]"),
        (lambda: plot.trace([0.5, 0.2], spikes=[1]), ValueError, "spikes must have 2 time steps, as potentials has, got (1,)"),
        (lambda: plot.trace([np.nan]), ValueError, "potentials must be finite, got nan at index 0"),
        (lambda: plot.isi_histogram([0, 1]), ValueError, "spikes must have at least two spikes, got 1"),
        (lambda: plot.isi_histogram([1, 1], neuron=sc.LIF()), ValueError, "current must be given exactly if neuron is, got None"),
        (lambda: plot.bitstream([0, 2]), ValueError, "bits must hold only the bits 0 and 1, got 2 at index 1"),
        (lambda: plot.bitstream(X[:, None]), ValueError, "streams must have the batch shape () or (n,) with n from 1 to 7, got (2, 1)"),
        (lambda: plot.bitstream(X, p=2.0), ValueError, "p must lie in [0.0, 1.0], got 2.0 at index 0"),
        (lambda: plot.error_by_length(0.5, []), ValueError, "lengths must hold at least one length, got none"),
        (lambda: plot.error_by_length(0.5, [8], seeds=[]), ValueError, "seeds must hold at least one seed, got none"),
        (lambda: plot.scc_matrix(X, names=["x"]), ValueError, "names must hold one name for each of the 2 streams, got 1"),
        (lambda: plot.accuracy({}), ValueError, "curves must hold at least one Accuracy per curve, got {}"),
        (lambda: plot.accuracy([0.5]), TypeError, "curves['bitstreams'] must be an Accuracy, got 0.5; pass results of evaluate"),
        (lambda: plot.noise_budget([]), ValueError, "budgets must hold at least one LayerBudget, got []"),
        (lambda: plot.noise_budget([1]), TypeError, "budgets must be a LayerBudget, got 1; pass the result of noise_budget"),
        (lambda: plot.network(3), TypeError, "network must be a Network, got 3"),
        (lambda: plot.confusion([0, 1], [0]), ValueError, "classes must have the shape of labels, (2,), got (1,)"),
        (lambda: plot.confusion([0.5], [0]), TypeError, "labels must hold integers of 0 or more, got [0.5]"),
        (lambda: plot.classified([[0.5, 0.5]], [0], [0]), ValueError, "images must have the shape (n, side * side), n at least 1, got (1, 2)"),
        (lambda: plot.classified([[0.5]], [0, 1], [0]), ValueError, "labels must have one entry for each of the 1 images, got (2,)"),
    ]
)  # fmt: skip
