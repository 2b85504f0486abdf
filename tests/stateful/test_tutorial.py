"""Every code block of the tutorial runs as written, in order, and prints the numbers of its text."""

import re
import warnings

import numpy as np
import pytest

from sc_neurocore import SilentLayerWarning
from sc_neurocore.cli._demo import tutorial_sections

# What each code block prints, section by section.
SAID = {
    "1. ": [["Spikes: 10\n", "Firing rate: 50.0 Hz\n"]],
    "2. ": [["expected=0.300\n"]],
    "3. ": [["Average current over 100 steps: 0.0", "Full-length estimate: 0.0"]],
    "4. ": [
        ["Spike matrix shape: (4, 500)\n", "Neuron 3: 0 spikes, 0.0 Hz\n"],
        ["Spike matrix shape: (4, 500)\n", "Neuron 0: 32 spikes, 64.0 Hz", "Neuron 3: 33 spikes, 66.0"],
    ],
    "5. ": [
        ["Layer 2 output:\n", "Neuron 1: 0.0 Hz\n"],
        ["Layer 2 output:\n", "Neuron 0: 58.0 Hz\n", "Neuron 1: 58.0 Hz\n"],
    ],
    "6. ": [
        ["Predicted: 51.0 Hz Measured: 50.0 Hz Error: 1.9%\n"],
        ["ISI peak: 20.0 ms (predicted: 19.6 ms)\n"],
    ],
    "7. ": [["rheobase 0.050\n"]],
}
SILENT = {("4. ", 0): 1, ("5. ", 0): 2}


def rates(layer):
    return np.array([stat["firing_rate_hz"] for stat in layer.summary()["stats"]])


def run(block, title, namespace):
    """Run a block; return its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(block, title, "exec"), namespace)
    return caught


def test_the_tutorial_runs_and_its_assertions_hold(capsys):
    namespace = {}
    sections = list(tutorial_sections())
    assert [(title[:3], len(blocks)) for title, blocks in sections] == [
        (title, len(said)) for title, said in SAID.items()
    ]
    for title, blocks in sections:
        for i, (block, said) in enumerate(zip(blocks, SAID[title[:3]], strict=True)):
            caught = run(block, title, namespace)
            assert len(caught) == SILENT.get((title[:3], i), 0)
            assert all(w.category is SilentLayerWarning for w in caught)
            printed = capsys.readouterr().out
            for text in said:
                assert text in printed, title
    firing = rates(namespace["firing_layer"])
    assert (firing > 0).all()
    assert firing.max() == pytest.approx(firing.min(), rel=0.2)


def blocks_of(number):
    (blocks,) = (blocks for title, blocks in tutorial_sections() if title.startswith(f"{number}. "))
    return blocks


@pytest.mark.parametrize(("number", "layers"), [(4, 1), (5, 2)])
def test_the_second_block_of_a_silent_section_is_the_first_with_one_word_changed(number, layers):
    as_written, remedied = blocks_of(number)
    word = '    accumulate="or",\n'
    assert remedied.count(word) == layers == as_written.count("SCDenseLayer(")
    assert remedied.replace(word, "") == as_written


def test_the_layer_of_section_4_is_silent_as_written_and_fires_at_65_hz_with_the_or_adder():
    as_written, remedied = blocks_of(4)
    namespace = {}
    (warning,) = run(as_written, "4", namespace)
    mean, remedy = namespace["layer"].current_trace().mean(), str(warning.message)
    assert mean == pytest.approx(0.029, abs=5e-4)
    assert "does not exceed the rheobase 0.05" in remedy
    named = re.search(r'raise y_max above (\S+) \(now 0.1\), or set accumulate="or"', remedy)
    assert float(named[1]) < 0.3  # the y_max of section 7
    assert run(remedied, "4", namespace) == []
    firing = rates(namespace["layer"])
    assert firing.mean() == pytest.approx(65, abs=2)
    assert np.ptp(firing) < 0.05 * firing.mean()
    assert namespace["layer"].current_trace().mean() == pytest.approx(0.095, abs=5e-4)


def test_the_layers_of_section_5_fire_within_their_range_with_the_or_adder():
    as_written, remedied = blocks_of(5)
    namespace = {}
    first, second = (str(warning.message) for warning in run(as_written, "5", namespace))
    assert "does not exceed the rheobase 0.05" in first
    assert 'or set accumulate="or"' in first
    assert "because all inputs are zero" in second
    assert run(remedied, "5", namespace) == []
    assert ((rates(namespace["layer1"]) >= 66) & (rates(namespace["layer1"]) <= 68)).all()
    assert max(namespace["rates_L1"]) <= 0.1  # x_max of layer 2
    assert rates(namespace["layer2"]).tolist() == [58.0, 58.0]


def test_layer_2_of_section_5_fires_at_54_hz_on_average_over_seeds():
    _, remedied = blocks_of(5)
    means = []
    for seed in range(100):
        code = remedied.replace("base_seed=100", f"base_seed={seed}")
        code = code.replace("base_seed=200", f"base_seed={seed + 1000}")
        namespace = {"print": lambda *_: None}
        exec(code, namespace)
        assert rates(namespace["layer1"]).max() <= 100
        means.append(rates(namespace["layer2"]).mean())
    assert np.mean(means) == pytest.approx(54, abs=0.5)
    assert np.std(means) == pytest.approx(2, abs=0.5)
