"""Recorded activity as NIR data."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.networks import Simulation


def to_nir_data(simulation: Simulation, graph: nir.NIRGraph) -> nir.NIRGraphData:
    """Return recorded spikes and potentials as NIR data, named as the nodes of a NIR graph.

    Parameters
    ----------
    simulation : Simulation
        With a recording in memory; potentials only if they were recorded at every time step.
    graph : nir.NIRGraph
        Graph of the network, from `to_nir`.

    Returns
    -------
    nir.NIRGraphData
        For the neurons of each recorded layer, the observables "spikes" (bool) and "v" (volts), of
        shape (n_inputs, length, n_neurons). ``nir.write_data`` saves it, unless neurons have
        recurrent weights and so a graph of their own, which NIR 1.0 cannot save.

    Raises
    ------
    TypeError
        If `simulation` is not a Simulation.
    ValueError
        If nothing is recorded in memory, or the graph does not have the recorded layers.
    """
    _checks.instance("simulation", simulation, Simulation)
    _checks.instance("graph", graph, nir.NIRGraph)
    recording = simulation.recording
    layers = sorted({*recording.spikes, *recording.potentials}) if recording else []
    if recording is None or not layers:
        _checks.fail("simulation", "have recorded in memory", simulation, "pass record=True")
    nodes: dict[str, Any] = {}
    for i in layers:
        seen = {}
        if i in recording.spikes:
            seen["spikes"] = recording.spikes[i].bits().astype(bool)
        if i in recording.potentials and len(recording.steps) == simulation.length:
            seen["v"] = recording.potentials[i]
        data = nir.NIRNodeData(
            {name: _gridded(values, simulation.dt_ms / 1000) for name, values in seen.items()}
        )
        name = _node_of(graph, i)
        inner = graph.nodes[name]
        if isinstance(inner, nir.NIRGraph):  # neurons with recurrent weights
            nodes[name] = nir.NIRGraphData({name.rpartition("_")[2]: data})
        else:
            nodes[name] = data
    return nir.NIRGraphData(nodes)


def _gridded(values: NDArray[Any], dt: float) -> nir.TimeGriddedData:
    """Return observations of shape (..., n_neurons, T) with one axis for all inputs, time second."""
    rows = values.reshape(-1, *values.shape[-2:])
    return nir.TimeGriddedData(np.ascontiguousarray(np.swapaxes(rows, 1, 2)), dt)


def _node_of(graph: nir.NIRGraph, layer: int) -> str:
    """Return the name of the node of a layer's neurons."""
    own: dict[int, str] = {}
    for name in graph.nodes:
        head, _, rest = str(name).partition("_")
        if head.startswith("layer") and head[5:].isdecimal() and rest:
            number = int(head[5:])
            own[number] = max(own.get(number, ""), str(name))
    if layer not in own:
        _checks.fail("graph", f"have a node for layer {layer}, as to_nir writes it", list(graph.nodes))
    return own[layer]
