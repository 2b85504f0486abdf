"""sc-neurocore noise: the noise budget of each layer."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sc_neurocore import _checks
from sc_neurocore._tables import text_table
from sc_neurocore.cli._common import emit, load_images, load_network
from sc_neurocore.evidence import noise_budget
from sc_neurocore.evidence.evaluation import SOURCES


def run_noise(options: argparse.Namespace) -> None:
    """Print signal, noise and losses of precision of each layer."""
    length = _checks.length_of_stream("--length", options.length)
    k = _checks.integer("--bits-per-step", options.bits_per_step, 1, 2**20)
    network, (images, _) = load_network(options), load_images(options)
    source = SOURCES[options.source](length * k)
    layers = noise_budget(network, images, length, seed=options.seed, source=source, bits_per_step=k)
    if options.json:
        for i, layer in enumerate(layers):
            emit({"layer": i, **asdict(layer)})
        return
    print(f"{network.shape}, {len(images)} images, {length} steps, {options.source} streams")
    names = list(asdict(layers[0]))
    rows = [["", *(f"layer {i}" for i in range(len(layers)))]]
    rows += [[n.replace("_", " "), *(f"{getattr(layer, n):.4g}" for layer in layers)] for n in names]
    print(text_table(rows))
