"""Words that give a design whose weights can be loaded those of another network."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.emit import verilog
from sc_neurocore.networks import Network

__all__ = ["weight_words"]


def weight_words(design: Design, network: Network | None = None) -> NDArray[np.uint32]:
    """Return what is written to the port of a design to load the weights of a network.

    A design with ``loadable=True`` has the ports `load_valid`, `load_ready`, `load_address` and
    `load_data`. A word of a memory is written in parts of 32 bits, in order; its last part writes it.
    `load_ready` is low, and nothing is written, during a reset, and from the last value of an image (or
    of its first time step) until its class is read. After all words are written, the design computes
    exactly the bits of ``replace(design, network=network).simulate``. A reset keeps the weights.

    The network can differ from that of the design in its weights and biases, also recurrent ones, as
    far as everything else in the Verilog stays the same. Thresholds depend on the gain, and so does, on
    the largest weights too, the fraction of a `FixedPoint` that does not state one.

    Parameters
    ----------
    design : Design
        With ``loadable=True``.
    network : Network, optional
        By default that of the design.

    Returns
    -------
    ndarray of uint32, shape (n_writes, 2)
        Address and data of each write, in order.

    Raises
    ------
    ValueError
        If the weights of the design cannot be loaded, or the network needs other Verilog.
    ImportError
        If Jinja2 is missing (extra: hdl).

    Examples
    --------
    >>> from sc_neurocore import Dense, Network
    >>> from sc_neurocore.hardware import Design, weight_words
    >>> network = Network([Dense([[0.5, -0.25]])])
    >>> design = Design(network, length=8, architecture="folded", simd=2, loadable=True)
    >>> weight_words(design, Network([Dense([[-0.25, 0.75]])]))
    array([[    0, 98624]], dtype=uint32)
    >>> 98624 == (0 << 8 | 192) << 9 | (1 << 8 | 64)  # sign and magnitude of each weight
    True
    """
    _checks.instance("design", design, Design)
    if not design.loadable:
        _checks.fail("design", "have loadable=True", design)
    if network is None:
        return design.load_port.writes()
    other = replace(design, network=network)
    _check_same(design, other)
    return other.load_port.writes()


def _check_same(design: Design, other: Design) -> None:
    """Raise unless two designs differ only in the words of their weight memories."""
    of_weights = {
        file
        for memory in design.load_port.memories
        for file in memory.files(f"{design.name}_layer{memory.layer}")
    }
    text, of_other = verilog(design), verilog(other)
    for name in [*text, *of_other]:
        lines, others = (files.get(name, "").splitlines() for files in (text, of_other))
        if name in of_weights or lines == others:
            continue
        line, seen = next(
            pair for pair in zip_longest(lines, others, fillvalue="") if len(set(pair)) > 1
        )
        _checks.fail(
            "network",
            "result in the Verilog of the design, except for weights",
            f"{seen.strip()!r} in {name} in place of {line.strip()!r}",
            "use the same layers, neurons and gains, and a FixedPoint with a fraction",
        )
