"""Every result prints itself in one line, and as a table in a notebook."""

from xml.etree import ElementTree

import numpy as np
import pytest

from sc_neurocore import (
    Dense,
    Network,
    decide_early,
    encode,
    evaluate,
    load_digits,
    noise_budget,
    plan,
    scaled_add,
    simulate,
    simulate_float,
    stack,
)
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import Design, quantization
from sc_neurocore.operators import cordiv

DIGITS = load_digits()
CIRCUIT = Circuit.trace(lambda x, y: scaled_add(stack([x & y, x]), key=1))
UNEVEN = Circuit.trace(lambda x, y: cordiv(x, y))
RESULTS = {
    "Circuit": CIRCUIT,
    "Prediction": CIRCUIT.predict({"x": 0.5, "y": 0.25}, 64)["out"],
    "Prediction of several": CIRCUIT.predict({"x": 0.5, "y": [0.25, 0.75]}, 64)["out"],
    "Finding": UNEVEN.check()[0],
    "Allocation": CIRCUIT.allocate(),
    "Bitstream": encode([[0.5, 0.25]], 40, key=1),
    "Bitstream of one stream": encode(0.5, 8, key=1),
    "Bitstream of many": encode(np.full(100, 0.5), 8, key=1),
    "Network": DIGITS.network,
    "Network of a graph": Network(
        [Dense([[0.5, 0.5]], bias=[0.1], delay=1)] * 2, [["input", 1], ["input", 0]]
    ),
    "Simulation": simulate(*DIGITS[:2], 8, seed=2**127, record=True),
    "Simulation of real numbers": simulate_float(Network([Dense([[0.5]])]), [0.5], 8),
    "Accuracy": evaluate(*DIGITS, [8])[0],
    "Accuracy of one seed": evaluate(*DIGITS, [8], seeds=[1])[0],
    "Plan": plan(*DIGITS, max_loss=0.0, lengths=[4, 6, 8])[0],
    "EarlyDecisions": decide_early(*DIGITS[:2], 8, seed=2**127),
    "Quantization": quantization(Design(DIGITS.network, 8), *DIGITS[1:]),
    "Quantization without labels": quantization(Design(DIGITS.network, 8), DIGITS.images[:9]),
    "LayerBudget": noise_budget(*DIGITS[:2], 8, seed=1)[0],
}


@pytest.mark.parametrize("name", sorted(set(RESULTS) - {"Finding"}))  # which is printed as its message
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


def test_cells_with_signs_of_html_are_escaped():
    circuit = Circuit.trace(lambda x: {"<b>&": x})
    assert ElementTree.fromstring(circuit._repr_html_())
    assert "&lt;b&gt;&amp;" in circuit._repr_html_()


def test_the_table_of_a_bitstream_shows_its_bits_and_that_of_many_ends_early():
    (row,) = list(ElementTree.fromstring(RESULTS["Bitstream of one stream"]._repr_html_()).iter("tr"))[
        1:
    ]
    bits = RESULTS["Bitstream of one stream"].bits()
    assert row[-1].text == "".join(map(str, bits))
    assert row[2].text == str(bits.sum())
    assert "92 more" in RESULTS["Bitstream of many"]._repr_html_()
