"""Every code block of the tutorial runs as written, in order, and prints what theory says."""

import warnings

import pytest

from sc_neurocore import SilentLayerWarning
from sc_neurocore.cli._demo import tutorial_sections

SAID = {
    "1. ": ["Spikes: 10\n", "Firing rate: 50.0 Hz\n"],
    "2. ": ["expected=0.300\n"],
    "3. ": ["Average current over 100 steps: 0.0", "Full-length estimate: 0.0"],
    "4. ": ["Spike matrix shape: (4, 500)\n", "Neuron 3: 0 spikes, 0.0 Hz\n"],
    "5. ": ["Layer 2 output:\n", "Neuron 1: 0.0 Hz\n"],
    "6. ": [
        "Predicted: 51.0 Hz Measured: 50.0 Hz Error: 1.9%\n",
        "ISI peak: 20.0 ms (predicted: 19.6 ms)\n",
    ],
    "7. ": ["rheobase 0.050\n"],
}
SILENT = {"4. ": 1, "5. ": 2}


def test_the_tutorial_runs_and_its_assertions_hold(capsys):
    namespace = {}
    sections = list(tutorial_sections())
    assert [title[:3] for title, _ in sections] == list(SAID)
    for title, code in sections:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(compile(code, title, "exec"), namespace)
        assert len(caught) == SILENT.get(title[:3], 0)
        assert all(w.category is SilentLayerWarning for w in caught)
        said = capsys.readouterr().out
        for text in SAID[title[:3]]:
            assert text in said, title
    rates = [s["firing_rate_hz"] for s in namespace["firing_layer"].summary()["stats"]]
    assert all(rate > 0 for rate in rates)
    assert max(rates) == pytest.approx(min(rates), rel=0.2)
