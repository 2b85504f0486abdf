"""Scripts of published results run on small sizes, and keep the laws that they state."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "papers"
sys.path.insert(0, str(FOLDER))
table = importlib.import_module("table")
sys.path.remove(str(FOLDER))


def numbers(text):
    """The numbers in the cells of a row, without those of bits, sizes and the names of sources."""
    return [float(number) for number in re.findall(r"[-+]?\d+\.?\d*(?:e-?\d+)?", text)]


@pytest.fixture(scope="module")
def found():
    """The rows of each script on a small size."""
    sys.path.insert(0, str(FOLDER))
    rows = {name: importlib.import_module(name).results(small=True) for name in table.SCRIPTS}
    sys.path.remove(str(FOLDER))
    return {name: [numbers(row.here) for row in own] for name, own in rows.items()}


def test_gates_compute_their_functions_at_exact_correlations(found):
    assert np.abs(found["scc_gates"]).max() < 1e-12


def test_flipped_bits_move_gamma_correction_little_by_little(found):
    (of_polynomial,), *rows = found["gamma_correction"]
    assert of_polynomial < 0.01
    for errors in (np.ravel(rows[:3]), np.ravel(rows[3:])):
        assert (np.diff(errors) > 0).all()
    assert rows[3][0] < rows[0][0] < 1 / np.sqrt(256)


def test_products_of_sobol_streams_have_the_smallest_errors(found):
    for sobol, halton, lfsr, bernoulli in found["sobol_products"]:
        assert sobol < halton < min(lfsr, bernoulli)


def test_deterministic_products_are_exact_at_the_end(found):
    for first, later, last in found["deterministic_products"]:
        assert first > later > last == 0


def test_correlation_circuits_bring_the_scc_to_its_ends_and_operators_closer_to_their_functions(found):
    *correlations, maximum, minimum, total = found["correlation_circuits"]
    for (_, after), wanted in zip(correlations, (1, -1, 0), strict=True):
        assert abs(after - wanted) < 0.15
    for before, after in (maximum, minimum, total):
        assert after < before / 5


def test_filters_improve_with_length_by_6_db_per_doubling_of_sobol_streams(found):
    for rows in np.split(np.array(found["image_filters"]), 2):
        assert (np.diff(rows, axis=0)[:, [0, 2]] > 0).all()
        assert rows[-1, 0] - rows[0, 0] > 4 * 4  # of 24 dB


def test_stochastic_attention_has_the_error_of_independent_bits(found):
    for error, law in found["ssa_attention"]:
        assert law / 1.6 < error < 1.6 * law


def test_the_network_of_uniform_shape_classifies_better_on_longer_streams(found):
    accuracies = np.ravel(found["ugemm_network"])
    assert len(accuracies) == 5
    assert accuracies[-1] > 50
    assert accuracies[0] < accuracies[-1] + 5


def test_the_table_shows_the_measured_figures_of_every_script(found):
    results = json.loads(table.FIGURES.read_text())
    page = table.PAGE.read_text()
    assert table.filled(page, results) == page, "run make papers"
    assert {name: len(rows) for name, rows in results.items()} == {n: len(r) for n, r in found.items()}
    scripts = {path.stem for path in FOLDER.glob("*.py")} - {"rows", "table"}
    assert scripts == set(table.SCRIPTS)
