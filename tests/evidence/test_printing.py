"""Every result prints itself in one line, and as a table in a notebook."""

from xml.etree import ElementTree

import pytest

from sc_neurocore import (
    Dense,
    Network,
    decide_early,
    evaluate,
    load_digits,
    noise_budget,
    plan,
    simulate,
    simulate_float,
)

DIGITS = load_digits()
RESULTS = {
    "Simulation": simulate(*DIGITS[:2], 8, seed=2**127, record=True),
    "Simulation of real numbers": simulate_float(Network([Dense([[0.5]])]), [0.5], 8),
    "Accuracy": evaluate(*DIGITS, [8])[0],
    "Accuracy of one seed": evaluate(*DIGITS, [8], seeds=[1])[0],
    "Plan": plan(*DIGITS, max_loss=0.0, lengths=[4, 6, 8])[0],
    "EarlyDecisions": decide_early(*DIGITS[:2], 8, seed=2**127),
    "LayerBudget": noise_budget(*DIGITS[:2], 8, seed=1)[0],
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_prints_one_short_line(name):
    text = repr(RESULTS[name])
    assert text.startswith(name.split()[0] + "(")
    assert "\n" not in text
    assert len(text) < 200


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_a_small_table_in_a_notebook(name):
    text = RESULTS[name]._repr_html_()
    table = ElementTree.fromstring(text)
    (head, *body) = (len(row) for row in table.iter("tr"))
    assert body
    assert set(body) == {head}
    assert len(text) < 3000
