"""Stochastic circuits of the literature: prediction, simulation and cost of each.

``python examples/circuits/literature.py`` prints a table. For each circuit the generators are those of
`Circuit.allocate`, unless the circuit names its own. The columns are the value that the operators
define, the predicted mean and standard error of one output, mean and standard deviation of 400
simulations, and, with the extra hdl, the cells of a synthesized netlist for iCE40. ``--dot FOLDER``
writes a graph of each circuit, which ``dot -Tsvg`` of Graphviz draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sc_neurocore import Bipolar, Bitstream, scaled_add, stack
from sc_neurocore.circuits import Circuit, Prediction, feedback
from sc_neurocore.operators import (
    absolute_difference,
    bernstein,
    bernstein_fit,
    isolate,
    jk_flip_flop,
    maximum,
    minimum,
    multiply,
    stanh,
    synchronize,
    toggle_add,
)

LENGTH, RUNS = 1024, 400


def roberts_cross(x: Bitstream) -> Bitstream:
    """Detect an edge between four pixels (Alaghi, Li, Hayes; DAC 2013)."""
    return scaled_add(stack([absolute_difference(x[0], x[3]), absolute_difference(x[1], x[2])]), key=1)


def gamma_correction(x: Bitstream) -> Bitstream:
    """Return x**0.45 by a Bernstein polynomial (Qian et al.; IEEE Trans. Computers, 2011)."""
    return bernstein(x, bernstein_fit(lambda t: t**0.45, 6), key=2)


def neuron(x: Bitstream, w: Bitstream) -> Bitstream:
    """Return tanh of a sum of products in bipolar code (Brown, Card; IEEE Trans. Computers, 2001)."""
    products = [Bipolar(x[i]) * Bipolar(w[i]) for i in range(4)]
    return stanh(scaled_add(stack([product.stream for product in products]), key=3), 8)


def cordiv(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x / y by a multiplexer and a flip-flop (Chen, Hayes; ISVLSI 2016)."""
    return feedback(lambda held: x & y | ~y & held)


# Comparators of the median of nine (Smith: Implementing median filters in XC4000E FPGAs; 1996).
COMPARATORS = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)


def median(x: Bitstream) -> Bitstream:
    """Return the median of nine pixels (Li, Lilja, Qian, Bazargan, Riedel; IEEE TVLSI 2014)."""
    pixels = [x[i] for i in range(9)]
    for i, j in COMPARATORS:
        pixels[i], pixels[j] = minimum(pixels[i], pixels[j]), maximum(pixels[i], pixels[j])
    return pixels[4]


def segmentation(x: Bitstream, y: Bitstream, threshold: Bitstream) -> Bitstream:
    """Return about 1 if two frames differ by more than a threshold (Li et al.; IEEE TVLSI 2014)."""
    difference = absolute_difference(x, y)
    return stanh(scaled_add(stack([difference, ~threshold]), key=4), 32)


def synchronized_maximum(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the maximum of independent streams (Lee, Alaghi, Ceze; DATE 2018)."""
    return maximum(*synchronize(x, y, 4))


def gaines_divider(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x / (x + y) by a JK flip-flop (Gaines: Stochastic computing systems; 1969)."""
    return jk_flip_flop(x, y)


def variable_node(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the product of two likelihoods (Gaudet, Rapley; Electronics Letters, 2003)."""
    return feedback(lambda held: x & y | held & (x | y))


def exponential(x: Bitstream, half: Bitstream, third: Bitstream) -> Bitstream:
    """Return exp(-x) to the third order by Horner's rule (Parhi, Liu; IEEE TETC 2019)."""
    inner = ~multiply(x, third)
    middle = ~multiply(multiply(isolate(x, 1), half), inner)
    return ~multiply(isolate(x, 2), middle)


def convolution(x: Bitstream, w: Bitstream) -> Bitstream:
    """Return the mean of eight products without random selects (Lee, Alaghi, Ceze; DATE 2017)."""
    return toggle_add(stack([multiply(x[i], w[i]) for i in range(8)]))


@dataclass(frozen=True)
class Example:
    """A circuit, values of its inputs, and the generators that it needs if operators do not say."""

    function: Callable[..., Any]
    values: Mapping[str, Any]
    generators: Mapping[str, int] | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        shapes = {name: np.shape(value) for name, value in self.values.items() if np.ndim(value)}
        object.__setattr__(self, "shapes", shapes)

    def circuit(self) -> Circuit:
        """Return the circuit."""
        return Circuit.trace(self.function, **self.shapes)


PIXELS = (0.2, 0.3, 0.25, 0.8, 0.35, 0.5, 0.1, 0.6, 0.4)
EXAMPLES = (
    Example(roberts_cross, {"x": (0.2, 0.7, 0.5, 0.6)}),
    Example(gamma_correction, {"x": (0.3,) * 6}),
    Example(neuron, {"x": (0.6, 0.7, 0.4, 0.5), "w": (0.8, 0.6, 0.3, 0.9)}),
    Example(cordiv, {"x": 0.3, "y": 0.8}, {"x": 0, "y": 0}),
    Example(median, {"x": PIXELS}),
    Example(segmentation, {"x": 0.2, "y": 0.5, "threshold": 0.25}, {"x": 0, "y": 0, "threshold": 1}),
    Example(synchronized_maximum, {"x": 0.4, "y": 0.6}, {"x": 0, "y": 1}),
    Example(gaines_divider, {"x": 0.2, "y": 0.3}),
    Example(variable_node, {"x": 0.7, "y": 0.6}),
    Example(exponential, {"x": 0.6, "half": 0.5, "third": 1 / 3}),
    Example(convolution, {"x": PIXELS[:8], "w": (0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.6, 0.4)}),
)


@dataclass(frozen=True)
class Result:
    """Prediction and simulation of a circuit."""

    name: str
    circuit: Circuit
    predicted: Prediction
    mean: float
    deviation: float
    n_generators: int
    n_findings: int


def results(length: int = LENGTH, runs: int = RUNS) -> Iterator[Result]:
    """Yield prediction and simulation of each circuit, as one batch of `runs` rows."""
    for example in EXAMPLES:
        circuit = example.circuit()
        generators = example.generators or circuit.allocate().generators
        predicted = circuit.predict(example.values, length, generators=generators)["out"]
        rows = {n: np.broadcast_to(v, (runs, *np.shape(v))) for n, v in example.values.items()}
        streams = circuit.encode(rows, length, seed=1, generators=generators)
        densities = circuit.simulate(streams)["out"].probability()
        yield Result(
            example.function.__name__,
            circuit,
            predicted,
            float(densities.mean()),
            float(densities.std()),
            len(set(generators.values())),
            len(circuit.check(example.values, generators=generators)),
        )


def cells(circuit: Circuit) -> str:
    """Return LUTs and flip-flops of the netlist for iCE40, or a dash without Yosys."""
    from sc_neurocore.hardware import MissingToolError, verify_circuit

    values = {name: np.full(net.shape, 0.5) for name, net in circuit.inputs.items()}
    try:
        found = verify_circuit(circuit, circuit.encode(values, 256, seed=1), "ice40")
    except MissingToolError:
        return "-"
    assert found.wrong == 0
    return f"{found.synthesis.luts} + {found.synthesis.flip_flops}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Stochastic circuits of the literature")
    parser.add_argument("--dot", type=Path, help="folder for graphs in the language DOT")
    folder = parser.parse_args().dot
    print("circuit               value  predicted          simulated          RNGs  LUTs + FFs")
    for r in results():
        p = r.predicted
        predicted = f"{float(p.mean):.4f} +- {float(p.standard_error):.4f}"
        simulated = f"{r.mean:.4f} +- {r.deviation:.4f}"
        cost = f"{r.n_generators:4}  {cells(r.circuit):>10}"
        print(f"{r.name:20} {float(p.value):6.4f}  {predicted}  {simulated} {cost}")
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{r.name}.dot").write_text(r.circuit.to_dot(), encoding="utf-8")


if __name__ == "__main__":
    main()
