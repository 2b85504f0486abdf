"""Designs that hardware tests share, and folders of what was built of them once."""

from functools import cache
from pathlib import Path

import numpy as np

from sc_neurocore import LIF, Dense, FixedPoint, Network
from sc_neurocore.hardware import Design, verilog, write
from sc_neurocore.hardware.synthesis import synthesize


@cache
def one_layer(n_in, n_out, architecture, gain, simd=8, pe=1, word=16, fraction=4, refractory=2, seed=0):
    """A layer with random weights, some of them the largest and some 0."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-1, 1, (n_out, n_in))
    weights.flat[:2] = 1.0, 0.0
    lif = LIF(tau_mem=16.0, refractory_period=refractory)
    return Design(
        Network([Dense(weights, gain=gain, neuron=lif)]),
        64,
        architecture=architecture,
        simd=simd,
        pe=pe,
        name="layer",
        fixed_point=FixedPoint(word=word, fraction=fraction),
    )


class Built:
    """Designs that are written and synthesized once for all tests of a session."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._made = {}

    def files(self, design):
        key = id(design)
        if key not in self._made:
            folder = self._folder / str(len(self._made))
            write(verilog(design), folder)
            self._made[key] = (design, folder, {})
        return sorted(self._made[key][1].glob("*.v"))

    def netlist(self, design, target, top="layer_layer0", **options):
        files = self.files(design)
        _, folder, made = self._made[id(design)]
        if target not in made:
            made[target] = synthesize(files, top, target, folder, **options)
        return made[target]
