"""Spikes for other packages: the same spikes come back."""

import csv
import sys

import nir
import numpy as np
import pandas
import pytest

import sc_neurocore as sc
from sc_neurocore.exchange import spike_table, to_neo, to_nir, to_nir_data, write_spikes

BITS = (np.random.default_rng(2).random((3, 4, 50)) < 0.2).astype(np.uint8)


def run(**record):
    layers = [sc.Dense([[0.9, 0.2], [0.1, 0.8], [0.5, 0.5]], gain=0.5), sc.Dense([[0.9, 0.5, 0.3]])]
    network = sc.Network(layers)
    recorded = sc.simulate(network, [[1.0, 0.5], [0.2, 0.9]], 60, seed=1, record=sc.Record(**record))
    return network, recorded


def test_a_table_holds_every_spike_and_pandas_takes_it():
    frame = pandas.DataFrame(spike_table(BITS, 0.5))
    assert list(frame) == ["input", "neuron", "time_ms"]
    again = np.zeros_like(BITS)
    again[frame["input"], frame["neuron"], (frame["time_ms"] / 0.5).astype(int)] = 1
    assert np.array_equal(again, BITS)
    assert list(spike_table(BITS[0])) == ["neuron", "time_ms"]
    assert list(spike_table(BITS[0, 0])) == ["time_ms"]
    assert list(spike_table(BITS[None])) == ["axis_0", "input", "neuron", "time_ms"]


def test_a_csv_file_is_the_table(tmp_path):
    _, recorded = run()
    write_spikes(tmp_path / "spikes.csv", recorded)
    rows = list(csv.DictReader((tmp_path / "spikes.csv").read_text().splitlines()))
    table = spike_table(recorded)
    assert list(rows[0]) == list(table)
    for name, column in table.items():
        assert [float(row[name]) for row in rows] == column.tolist()
    assert len(rows) == sum(layer.counts().sum() for layer in recorded.spikes)


def test_neo_has_the_times_of_every_train():
    segment = to_neo(BITS, 0.5)
    assert [train.annotations["index"] for train in segment.spiketrains] == list(np.ndindex(3, 4))
    for train in segment.spiketrains:
        assert np.array_equal(train.magnitude, sc.spike_times(BITS[train.annotations["index"]], 0.5))
        assert (float(train.t_stop), float(train.sampling_rate)) == (25.0, 2000.0)


def test_without_neo_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(ImportError, match="to_neo requires Neo; pip install neo"):
        to_neo(BITS)


def test_nir_data_belongs_to_its_graph_and_comes_back_from_a_file(tmp_path):
    network, recorded = run(potentials=True)
    graph = to_nir(network)
    data = to_nir_data(recorded, graph)
    data.check_nodes(graph)
    nir.write_data(tmp_path / "data.nir", data)
    read = nir.read_data(tmp_path / "data.nir")
    for layer, name in enumerate(("layer0_1_lif", "layer1_1_lif")):
        seen = read.nodes[name].observables
        spikes = recorded.recording.spikes[layer].bits()
        assert np.array_equal(seen["spikes"].data, np.swapaxes(spikes, 1, 2))
        assert np.array_equal(seen["v"].data, np.swapaxes(recorded.recording.potentials[layer], 1, 2))
        assert seen["spikes"].dt == 0.001


def test_nir_data_of_neurons_with_recurrent_weights_are_nested():
    layer = sc.Dense([[0.9]], gain=0.5, recurrent=[[0.2]])
    network = sc.Network([layer])
    recorded = sc.simulate(network, [1.0], 20, seed=1, record=True)
    graph = to_nir(network)
    data = to_nir_data(recorded, graph)
    data.check_nodes(graph)
    (name,) = data.nodes
    assert data.nodes[name].nodes["lif"].observables["spikes"].shape == (1, 20, 1)


def test_what_is_not_recorded_or_not_in_the_graph_is_refused():
    network, recorded = run(layers=[1])
    other = to_nir(sc.Network([network[0]]))
    with pytest.raises(ValueError, match="graph must have a node for layer 1, as to_nir writes it"):
        to_nir_data(recorded, other)
    plain = sc.simulate(network, [1.0, 0.5], 20, seed=1)
    with pytest.raises(
        ValueError, match=r"simulation must have recorded in memory.*; pass record=True"
    ):
        to_nir_data(plain, other)
