"""
Your first classifier on bits
=============================

From data to a stream length in a quarter of an hour: a classifier of scikit-learn becomes a
spiking network, runs on bitstreams, and gets the fewest bits that keep its accuracy. Requires
``pip install '.[plot]' scikit-learn``.
"""

# %%
# Data and a classifier
# ---------------------
#
# The data are 1,797 handwritten digits of 8x8 pixels. Inputs of a stochastic network are
# densities in [0, 1], so the pixels are divided by 16. The classifier is an ordinary one with
# rectified linear units.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sc_neurocore import (
    Bernoulli,
    Hammersley,
    Sobol,
    convert_relu,
    encode,
    evaluate,
    plan,
    plot,
    simulate,
)

images, labels = load_digits(return_X_y=True)
images = images / 16
train, test = slice(0, 1200), slice(1200, None)
model = MLPClassifier((64,), alpha=0.1, max_iter=500, random_state=0)
model.fit(images[train], labels[train])
print(f"{model.score(images[test], labels[test]):.1%} right on real numbers")

# %%
# A pixel as a bitstream
# ----------------------
#
# A bit of the stream is 1 with the probability that the pixel says. The longer the stream, the
# closer its density is to the pixel: the standard error is ``sqrt(p * (1 - p) / length)``. A
# low-discrepancy source, such as `Sobol`, is closer.

pixels = images[1200].reshape(8, 8)
figure, axes = plt.subplots(1, 5, figsize=(9, 2.1), layout="constrained")
axes[0].imshow(pixels, cmap="gray_r", vmin=0, vmax=1)
axes[0].set_title("pixels")
shown = [(4, Bernoulli()), (32, Bernoulli()), (256, Bernoulli()), (32, Sobol())]
for axis, (length, source) in zip(axes[1:], shown, strict=True):
    densities = encode(pixels, length, key=1, source=source).probability()
    axis.imshow(densities, cmap="gray_r", vmin=0, vmax=1)
    axis.set_title(f"{length} bits" + (", Sobol" if source == Sobol() else ""))
for axis in axes:
    axis.set_axis_off()

# %%
# Conversion
# ----------
#
# `convert_relu` replaces each unit by an integrate-and-fire neuron whose firing rate is the
# unit's activation. It needs some typical inputs to choose the scale of each layer.

converted = convert_relu(model, images[:500])
print(converted)
network = converted.network

# %%
# One image on 64 bits: each output neuron collects a potential, and the highest one is the class.

run = simulate(network, images[1200], length=64, seed=1)
print("potentials", run.potentials.round(1))
print("class", run.classes, "label", labels[1200])

# %%
# Accuracy by length
# ------------------
#
# `evaluate` classifies all test images at each length with several seeds, beside the same network
# on real numbers. The error bars are the standard deviation over the seeds.

curves = {}
for name, source in {"Bernoulli": Bernoulli(), "Sobol": Sobol()}.items():
    lengths = [8, 16, 32, 64, 128, 256]
    curves[name] = evaluate(network, images[test], labels[test], lengths, seeds=range(3), source=source)
with plot.style():
    plot.accuracy(curves)

# %%
# Other images would give other accuracies. The 95 % confidence interval says how different:

last = curves["Sobol"][-1]
low, high = last.interval()
print(f"{last.mean:.1%} right at {last.length} bits; other images: {low:.1%} to {high:.1%}")

# %%
# The fewest bits
# ---------------
#
# `plan` searches for the shortest stream that loses at most one percentage point, and says how
# sure that is.

sources = {"Sobol": Sobol(), "Hammersley": Hammersley.for_length}
found = plan(network, images[test], labels[test], 0.01, sources=sources, seeds=range(3))
for row in found:
    print(row)

# %%
# A converted network carries values in rates, so it needs longer streams than a network that was
# trained on bits. The next steps: :doc:`/training` on bits, :doc:`/howto/noise`, and
# :doc:`/auto_gallery/plot_3_verilog`.
