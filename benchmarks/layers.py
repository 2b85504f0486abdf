"""The tutorial's layer, for both packages of this name: this one and the one on PyPI."""

from __future__ import annotations

from typing import Any

from serve import Call, Cases
from workloads import LAYER_LENGTH, LAYER_NEURONS, LAYER_STEPS

import sc_neurocore as sc


def layer_cases(x: Any, weights: Any) -> Cases:
    """Return the cases of a layer with the given inputs and weights, in the form of each package."""

    def new_layer() -> sc.SCDenseLayer:
        return sc.SCDenseLayer(
            LAYER_NEURONS,
            x,
            weights,
            0.0,
            1.0,
            0.0,
            1.0,
            length=LAYER_LENGTH,
            y_max=0.3,
            neuron_params={"noise_std": 0.02},
            base_seed=1,
        )

    def layer_run() -> Call:
        layer = new_layer()

        def run() -> None:
            layer.reset()
            layer.run(LAYER_STEPS)

        return run

    return {
        "layer build": lambda: new_layer,
        "layer run": layer_run,
        "layer": lambda: lambda: new_layer().run(LAYER_STEPS),
    }
