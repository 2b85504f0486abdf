"""Time of circuits relative to hand-written calls, and of loops relative to Python loops.

    python benchmarks/circuits.py

Goals: at most 1.3 times the hand-written calls for circuits without feedback, and at least 10 times as
fast as a loop over time in NumPy for circuits with feedback. Both are measured in turn, and the fastest
of several rounds counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from sc_neurocore import Bitstream, stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import (
    absolute_difference,
    bernstein,
    maximum,
    minimum,
    multiply,
    scaled_add,
    stanh,
    toggle_add,
)


def neuron(a: Bitstream, b: Bitstream, c: Bitstream) -> Bitstream:
    """Return a product, a sum and a hyperbolic tangent."""
    return stanh(scaled_add(stack([multiply(a, b), c]), key=5), 8)


def edge(x: Bitstream) -> Bitstream:
    """Return the Roberts cross of four pixels."""
    first = absolute_difference(x[..., 0], x[..., 3])
    return toggle_add(stack([first, absolute_difference(x[..., 1], x[..., 2])]))


def median(x: Bitstream) -> Bitstream:
    """Return the median of three."""
    low, high = minimum(x[..., 0], x[..., 1]), maximum(x[..., 0], x[..., 1])
    return maximum(low, minimum(high, x[..., 2]))


def gamma(x: Bitstream) -> Bitstream:
    """Return a polynomial of degree 6."""
    return bernstein(x, [0.0955, 0.7207, 0.3476, 0.9988, 0.7017, 0.9695, 0.9939], key=7)


def gates(a: Bitstream, b: Bitstream, c: Bitstream) -> Bitstream:
    """Return a few gates, of which each takes microseconds."""
    return multiply(a, b) | minimum(b, c) & ~a


def divide(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return a quotient by a loop."""
    return feedback(lambda held: x & y | ~y & held)


def divide_step(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the step of `divide` on booleans."""
    return np.asarray(x & y | ~y & held)


def timed(*calls: Callable[[], object], rounds: int = 9) -> list[float]:
    """Return the processor seconds of each call, the least of several rounds in turn."""
    best = [np.inf] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            n, start = 0, time.process_time()
            while (took := time.process_time() - start) < 0.05:
                call()
                n += 1
            best[i] = min(best[i], took / max(n, 1))
    return best


def stepped(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return `divide` by a loop over time on arrays of booleans, all rows at once."""
    a, b = x.bits().astype(bool), y.bits().astype(bool)
    held = np.zeros(a.shape[:-1], bool)
    out = np.empty_like(a)
    for t in range(a.shape[-1]):
        held = divide_step(a[..., t], b[..., t], held)
        out[..., t] = held
    return Bitstream.from_bits(out)


def main() -> None:
    """Print the ratios."""
    print("circuit    rows  length   by hand (us)  circuit (us)  ratio")
    for function, shapes in (
        (neuron, {}),
        (edge, {"x": (4,)}),
        (median, {"x": (3,)}),
        (gamma, {"x": (6,)}),
        (gates, {}),
    ):
        circuit = Circuit.trace(function, **shapes)
        for rows, length in ((1, 256), (1, 65536), (100, 1024), (1000, 1024)):
            values = {n: np.full((rows, *net.shape), 0.4) for n, net in circuit.inputs.items()}
            streams = circuit.encode(values, length, seed=1)
            assert circuit.simulate(streams)["out"] == function(**streams)
            hand, ours = timed(lambda: function(**streams), lambda: circuit.simulate(streams))  # noqa: B023
            times = f"{hand * 1e6:12.1f} {ours * 1e6:12.1f} {ours / hand:8.2f}"
            print(f"{function.__name__:8} {rows:6} {length:7} {times}")
    print("loop       rows  length    NumPy (us)  circuit (us)  times as fast")
    circuit = Circuit.trace(divide)
    for rows, length in ((1, 1024), (64, 1024), (1000, 1024), (1, 65536)):
        streams = circuit.encode({"x": np.full(rows, 0.2), "y": np.full(rows, 0.8)}, length, seed=1)
        assert circuit.simulate(streams)["out"] == stepped(**streams)
        loop, ours = timed(lambda: stepped(**streams), lambda: circuit.simulate(streams), rounds=3)  # noqa: B023
        print(f"divide   {rows:6} {length:7} {loop * 1e6:12.1f} {ours * 1e6:12.1f} {loop / ours:8.1f}")


if __name__ == "__main__":
    main()
