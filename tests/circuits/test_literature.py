"""The circuits of the literature in examples/circuits: prediction beside simulation, and pictures."""

import html
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "circuits"))
literature = importlib.import_module("literature")
LENGTH, RUNS = 256, 600
RESULTS = {result.name: result for result in literature.results(LENGTH, RUNS)}


@pytest.mark.parametrize("name", RESULTS)
def test_a_circuit_is_predicted_before_it_is_simulated(name):
    result = RESULTS[name]
    predicted = result.predicted
    assert predicted.method == "exact"
    assert abs(result.mean - predicted.mean) <= 5 * predicted.standard_error / np.sqrt(RUNS)
    tolerance = 0.1 + 5 / np.sqrt(2 * RUNS)
    assert result.deviation == pytest.approx(float(predicted.standard_error), rel=tolerance)


# The quantity that each circuit is meant to compute, and its own error of approximation.
MEANT = {
    "roberts_cross": ((abs(0.2 - 0.6) + abs(0.7 - 0.5)) / 2, 0),
    "gamma_correction": (0.3**0.45, 0.01),
    "neuron": (0.5 + np.tanh(4 * np.arctanh((0.12 + 0.08 + 0.08 + 0) / 4)) / 2, 0),
    "cordiv": (0.3 / 0.8, 0),
    "median": (0.35, 0),
    "synchronized_maximum": (0.6, 0),
    "gaines_divider": (0.4, 0),
    "variable_node": (0.42 / (0.42 + 0.3 * 0.4), 0),
    "exponential": (np.exp(-0.6), 0.005),
    "convolution": (None, 0),
}


@pytest.mark.parametrize("name", MEANT)
def test_its_value_is_that_of_the_literature(name):
    wanted, error = MEANT[name]
    if wanted is None:
        (example,) = (e for e in literature.EXAMPLES if e.function.__name__ == name)
        wanted = np.dot(example.values["x"], example.values["w"]) / 8
    assert RESULTS[name].predicted.value == pytest.approx(wanted, abs=error + 1e-6)


def test_the_operands_are_as_required_except_behind_the_synchronizer():
    assert {name for name, r in RESULTS.items() if r.n_findings} <= {
        "synchronized_maximum",
        "segmentation",
    }


@pytest.mark.parametrize("name", RESULTS)
def test_its_picture_shows_the_operators_and_connections_of_the_circuit(name):
    graph = RESULTS[name].circuit.to_dot()
    docs = Path(__file__).parents[2] / "docs"
    picture = (docs / "pictures" / "circuits" / f"{name}.svg").read_text()
    shown = [html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", picture)]
    labels = re.findall(r'label="([^"]*)"(?!, shape=point)', graph)
    assert sorted(shown) == sorted(labels), "run make circuit-pictures"
    titles = [html.unescape(title) for title in re.findall(r"<title>(.*?)</title>", picture)]
    arrows = [title for title in titles if "->" in title]
    assert sorted(arrows) == sorted(re.findall(r"\w+->\w+", graph.replace(" -> ", "->")))
    assert f"pictures/circuits/{name}.svg" in (docs / "circuits.md").read_text()
