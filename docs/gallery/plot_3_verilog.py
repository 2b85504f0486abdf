"""
From a trained network to Verilog
=================================

A trained network gets a stream length, integers instead of real numbers, and a design whose bits
are those of its simulation. Requires ``pip install '.[plot,hdl]'``.
"""

# %%
# How many bits
# -------------
#
# The shipped network classifies digits of 8x8 pixels. The hardware takes its numbers from a
# counter that is read through different matrices, as `Hammersley` does, so this source is planned
# with.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sc_neurocore import (
    FixedPoint,
    Hammersley,
    evaluate,
    load_digits,
    noise_budget,
    plan,
    plot,
    simulate,
)
from sc_neurocore.hardware import Design, quantization, verilog, verilog_testbench, write

digits = load_digits()
digits.network

# %%
# The shortest streams that lose at most half a percentage point:

(found,) = plan(*digits, max_loss=0.005, sources={"Hammersley": Hammersley.for_length})
print(found)

# %%
# Where the noise comes from
# --------------------------
#
# The noise budget says whether the sampling error of a layer is small beside its signal.

for i, layer in enumerate(noise_budget(digits.network, digits.images, 32, seed=0)):
    print(f"layer {i}: noise {layer.standard_error / layer.current_std:.1%} of the signal")

# %%
# Integers
# --------
#
# In hardware, weights and inputs have a few bits, and potentials are integers. Fewer bits save
# cells, until they cost accuracy.

widths = [2, 3, 4, 5, 6, 8]
options = {"seeds": [0], "source": Hammersley(8)}
rows = [evaluate(*digits, [32], fixed_point=FixedPoint(bits=bits), **options)[0] for bits in widths]
with plot.style():
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    axis.plot(widths, [100 * row.mean for row in rows], "o-", label="integers")
    axis.axhline(100 * rows[0].of_float, color="black", ls=":", label="real numbers")
    axis.set_xlabel("bits per weight and input")
    axis.set_ylabel("accuracy (%)")
    axis.legend()

# %%
# The design
# ----------
#
# A `Design` is the network with all decisions of the hardware. It is its own model:
# `Design.simulate` returns the classes that the Verilog outputs, bit for bit.

design = Design(digits.network, length=32, fixed_point=FixedPoint(bits=6), name="digits")
print(design)
print(f"{design.clocks:,} clock cycles per image")

# %%
# What rounding costs, on the test images:

quantization(design, digits.images, digits.labels)

# %%
# The output layer at work: potentials are integers in units of the increment per synapse.

run = simulate(
    digits.network,
    digits.images[:1],
    32,
    source=Hammersley(8, axis=1, randomized=False),
    fixed_point=FixedPoint(bits=6),
    seed=0,
)
model = design.simulate(digits.images[:1])
print("counts of the model  ", model.counts[0])
print("counts of simulate() ", run.counts[0])
assert np.array_equal(model.counts, run.counts)

# %%
# Verilog and its testbench
# -------------------------
#
# The testbench compares the class of each image and needs no Python.

files = {**verilog(design), **verilog_testbench(design, digits.images[:10])}
with tempfile.TemporaryDirectory() as folder:
    write(files, folder)
    for path in sorted(Path(folder).iterdir()):
        print(f"{path.name:28s} {path.stat().st_size:7,} bytes")

# %%
# The ports of the top module:

print(files["digits.v"].partition(");")[0] + ");")

# %%
# ``sc-neurocore hdl digits --length 32 --bits 6 --verify 100000 --synth ice40`` does all of this,
# compares every layer with its model for as many clock cycles, and estimates cells, clock rate
# and energy. The next steps: :doc:`/hardware/index`, and :doc:`/howto/sweep` to try many widths and
# lengths.
