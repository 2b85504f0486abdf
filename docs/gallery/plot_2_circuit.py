"""
A researcher's first hour with a circuit
========================================

A circuit is written as a function, its error is predicted without a simulation and compared with
one, its correlations are checked, and it becomes Verilog. Requires ``pip install '.[plot]'``.
"""

# %%
# A function of bitstreams
# ------------------------
#
# The edge detector of Alaghi, Li and Hayes (DAC 2013) computes ``(|a - d| + |b - c|) / 2`` of
# four neighboring pixels. Two streams from one generator have the correlation +1, and then an XOR
# gate is the absolute difference. A flip-flop that toggles adds without a random number.

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from sc_neurocore import plot, stack
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import circuit_verilog
from sc_neurocore.operators import absolute_difference, toggle_add


def edge(a, b, c, d):
    """Return the strength of an edge between four pixels."""
    return toggle_add(stack([absolute_difference(a, d), absolute_difference(b, c)]))


circuit = Circuit.trace(edge)
print(circuit)

# %%
# Which inputs may share a generator
# ----------------------------------
#
# `Circuit.allocate` follows the correlations that the operators require. The two inputs of each
# XOR must share one.

allocation = circuit.allocate()
print(allocation.n_generators, "generator(s):", dict(allocation.generators))

# %%
# With independent inputs, XOR would compute something else. `Circuit.check` says so, without any
# bits:

for finding in circuit.check():
    print(textwrap.fill(f"- {finding}", 92, subsequent_indent="  "))
findings = circuit.check(generators=allocation.generators)
print("with the allocation:", findings or "nothing to report")

# %%
# The error, before and after a simulation
# ----------------------------------------
#
# `Circuit.predict` returns mean, bias and standard error of every net. Simulations with four
# seeds per length agree.

values = {"a": 0.9, "b": 0.4, "c": 0.3, "d": 0.2}
lengths = 2 ** np.arange(3, 12)
predicted, measured = [], []
for length in lengths:
    prediction = circuit.predict(values, int(length), generators=allocation.generators)["out"]
    predicted.append(prediction.standard_error)
    found = []
    for seed in range(4):
        streams = circuit.encode(values, int(length), seed=seed, generators=allocation.generators)
        found.append(float(circuit.simulate(streams)["out"].probability()))
    measured.append(found)
print(prediction)

target = (abs(values["a"] - values["d"]) + abs(values["b"] - values["c"])) / 2
errors = abs(np.array(measured) - target)
with plot.style():
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    axis.loglog(lengths, predicted, label="standard error, predicted", base=2)
    simulated = axis.loglog(lengths, errors, "C1o", alpha=0.6, base=2)
    simulated[0].set_label("error of a simulation")
    axis.set_xlabel("stream length")
    axis.set_ylabel("error of the value")
    axis.legend()

# %%
# On an image
# -----------
#
# Arguments can be batches: all pixels of an image at once.

row, column = np.mgrid[0:64, 0:64]
image = np.clip(((row - 32) ** 2 + (column - 32) ** 2 < 400) * 0.7 + column / 320, 0, 1)
corners = {"a": image[:-1, :-1], "b": image[:-1, 1:], "c": image[1:, :-1], "d": image[1:, 1:]}
streams = circuit.encode(corners, 256, seed=1, generators=allocation.generators)
edges = circuit.simulate(streams)["out"].probability()
figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
shown = {"pixels": image, "edges, 256 bits": edges}
for axis, (title, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture, cmap="gray")
    axis.set_title(title)
    axis.set_axis_off()

# %%
# Hardware
# --------
#
# One time step per clock cycle, and the bits of `Circuit.simulate`. `verify_circuit` (extra
# ``hdl``) synthesizes the module and compares the netlist with the simulation on any streams.

print(circuit_verilog(circuit, "edge_detector"))

# %%
# The next steps: :doc:`/circuits` with loops, faults and published circuits, :doc:`/operators`
# with the law and the cost of every operator, and :doc:`/howto/extend`.
