"""Draw the pictures of theory.md: every law as a line, measured streams as points.

python docs/draw_theory.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import both_themes
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sc_neurocore as sc
from sc_neurocore import Role, evidence, operators, stream_key, streams
from sc_neurocore.plot._style import color, ink

LENGTHS = 2 ** np.arange(3, 11)
INPUT, WEIGHT, SELECT = (stream_key(1, role) for role in (Role.INPUT, Role.WEIGHT, Role.SELECT))


def rms(errors: np.ndarray) -> float:
    """Return the root mean square of all values."""
    return float(np.sqrt(np.mean(np.square(errors))))


def log_axes(axes: Axes) -> None:
    """Set up both axes for errors over lengths."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(LENGTHS, [str(n) for n in LENGTHS])
    axes.set(xlabel="stream length L", ylabel="root mean square error")


def product_errors() -> dict[str, list[tuple[int, float]]]:
    """Return length and root mean square error over all pairs of levels, by source."""
    families: dict[str, Callable[[int], sc.Source]] = {
        "Bernoulli": lambda _: sc.Bernoulli(),
        "LFSR and its mirror": lambda n: sc.LFSR(n.bit_length() - 1),
        "random permutations": lambda n: sc.Permutation(n),
        "Halton, bases 2 and 3": lambda _: sc.Halton(randomized=False),
        "Sobol, dimensions 0 and 1": lambda _: sc.Sobol(randomized=False),
        "counter and golden ratio": lambda n: sc.Weyl(n, randomized=False),
        "Hammersley, balanced shift": lambda n: sc.Hammersley(n.bit_length() - 1, randomized=False),
    }
    errors: dict[str, list[tuple[int, float]]] = {}
    for name, source in families.items():
        # A register has one state less. Random sources are averaged over 100 seeds.
        seeds = range(100 if name in list(families)[:3] else 1)
        for n in map(int, LENGTHS):
            length = n - 1 if "LFSR" in name else n
            tables = [evidence.product_error_table(length, source=source(n), seed=s) for s in seeds]
            errors.setdefault(name, []).append((length, rms(np.stack(tables))))
    floor = [(int(n), rms(product_rounding(int(n)))) for n in LENGTHS]
    return {**errors, "rounding to 1/L": floor}


def products(axes: Axes) -> None:
    """Draw and print the error of a product, by source and length."""
    errors = product_errors()
    print(f"  {'length':28s}" + "".join(f"{n:9d}" for n in LENGTHS))
    for name, points in errors.items():
        print(f"  {name:28s}" + "".join(f"{error:9.5f}" for _, error in points))
    floor = errors.pop("rounding to 1/L")
    for marker, (name, points) in zip("osv^D<P", errors.items(), strict=True):
        axes.plot(*zip(*points, strict=True), marker, label=name, markersize=5)
    axes.plot(
        LENGTHS, np.sqrt(5 / (36 * LENGTHS)), "-", color=color(0), lw=1, label=r"$\sqrt{5/(36 L)}$"
    )
    axes.plot(
        LENGTHS, 1 / (6 * np.sqrt(LENGTHS - 1)), "-", color=color(2), lw=1, label=r"$1/(6\sqrt{L - 1})$"
    )
    axes.plot(*zip(*floor, strict=True), ":", color=ink(), lw=1, label="rounding to 1/L")
    log_axes(axes)
    axes.set_title("Product p q, over all pairs of levels")
    axes.legend(ncols=2)


def product_rounding(n: int) -> np.ndarray:
    """Return the smallest error that a count of n steps can have, for all pairs of levels."""
    exact = np.outer(np.arange(n + 1), np.arange(n + 1)) / n
    return (np.rint(exact) - exact) / n


def correlated_pair(
    p: float, q: float, s: np.ndarray, length: int
) -> tuple[sc.Bitstream, sc.Bitstream]:
    """Return streams of SCC s: shared (or inverted) numbers at random steps, else independent ones."""
    x = sc.encode(np.full(s.size, p), length, key=INPUT)
    alone = sc.encode(np.full(s.size, q), length, key=WEIGHT)
    shared = sc.encode(np.full(s.size, q), length, key=INPUT)
    inverted = ~sc.encode(np.full(s.size, 1 - q), length, key=INPUT)
    together = np.where(s[:, None] >= 0, shared.words, inverted.words)
    select = sc.encode(np.abs(s), length, key=SELECT).words
    return x, sc.Bitstream(select & together | ~select & alone.words, length)


def gates(axes: Axes) -> None:
    """Draw the functions of gates against the SCC of their inputs."""
    p, q = 0.6, 0.7
    s = np.linspace(-1, 1, 21)
    x, y = correlated_pair(p, q, s, 2**16)
    extreme = np.where(s >= 0, min(p, q), max(0.0, p + q - 1))
    both = (1 - np.abs(s)) * p * q + np.abs(s) * extreme
    for own, name, stream, law in (
        (color(0), "AND", x & y, both),
        (color(1), "OR", x | y, p + q - both),
        (color(2), "XOR", x ^ y, p + q - 2 * both),
        (color(3), "x AND NOT y", x & ~y, p - both),
    ):
        axes.plot(s, law, "-", color=own, lw=1)
        axes.plot(streams.scc(x, y), stream.probability(), "o", color=own, ms=4, label=name)
    axes.set(xlabel="SCC of the inputs", ylabel="density of the output")
    axes.set_title(f"One gate, many functions: p = {p}, q = {q}, L = 65,536")
    axes.legend()


def adders(axes: Axes) -> None:
    """Draw the error of adders of two inputs against the exact sum of the inputs' bits."""
    n = 4000
    p = np.random.default_rng(0).random((n, 2))
    rows: dict[str, list[float]] = {"multiplexer": [], "toggle flip-flop": [], "count": []}
    for length in map(int, LENGTHS):
        x = sc.encode(p, length, key=INPUT)
        exact = x.probability().mean(axis=-1)
        rows["multiplexer"].append(rms(operators.scaled_add(x, key=SELECT).probability() - exact))
        rows["toggle flip-flop"].append(rms(operators.toggle_add(x).probability() - exact))
        rows["count"].append(rms(operators.popcount_add(x).mean(axis=-1) / 2 - exact))
    for marker, name in zip("os", ("multiplexer", "toggle flip-flop"), strict=True):
        axes.plot(LENGTHS, rows[name], marker, label=name, ms=5)
    # Given its inputs a multiplexer errs only where they differ: P(x != y) / 4 L, 1 / 8 L in the mean.
    axes.plot(LENGTHS, np.sqrt(1 / (8 * LENGTHS)), "-", color=color(0), lw=1, label=r"$1/\sqrt{8 L}$")
    axes.plot(
        LENGTHS, 1 / (2 * np.sqrt(2) * LENGTHS), "-", color=color(1), lw=1, label=r"$1/(\sqrt{8}\,L)$"
    )
    axes.plot([], [], " ", label=f"count: {max(rows['count']):.0f} everywhere")
    log_axes(axes)
    axes.set_title("(x + y) / 2, against the inputs' own densities")
    axes.legend()


def hyperbolic_tangent(axes: Axes) -> None:
    """Draw the function of the linear machine whose upper half of states writes ones."""
    x = np.linspace(-1, 1, 41)
    fine = np.linspace(-0.999, 0.999, 400)
    streams = sc.encode((1 + x) / 2, 2**16, key=INPUT)
    for own, n in zip(map(color, range(3)), (4, 8, 16), strict=True):
        axes.plot(fine, np.tanh(n / 2 * np.arctanh(fine)), "-", color=own, lw=1)
        axes.plot(fine, np.tanh(n / 2 * fine), ":", color=own, lw=1)
        values = 2 * operators.stanh(streams, n).probability() - 1
        axes.plot(x, values, "o", color=own, ms=3, label=f"{n} states")
    axes.plot([], [], "-", color=ink(), lw=1, label=r"tanh(N/2 artanh x)")
    axes.plot([], [], ":", color=ink(), lw=1, label=r"tanh(N x / 2)")
    axes.set(xlabel="x", ylabel="output, bipolar", title="Stanh, L = 65,536")
    axes.legend()


def division(axes: Axes) -> None:
    """Draw CORDIV with streams that share their numbers and with independent ones."""
    q = 0.8
    p = np.linspace(0, q, 17)
    y = sc.encode(np.full(p.size, q), 2**14, key=INPUT, streams=0)
    shared = operators.cordiv(sc.encode(p, 2**14, key=INPUT, streams=0), y)
    independent = operators.cordiv(sc.encode(p, 2**14, key=WEIGHT), y)
    axes.plot(p, p / q, "-", color=color(0), lw=1, label="p / q")
    axes.plot(p, shared.probability(), "o", color=color(0), ms=4, label="SCC +1")
    axes.plot(p, p, "-", color=color(1), lw=1, label="p")
    axes.plot(p, independent.probability(), "s", color=color(1), ms=4, label="SCC 0")
    axes.set(xlabel="p", ylabel="density of the output", title=f"CORDIV, q = {q}, L = 16,384")
    axes.legend()


def polynomials(axes: Axes) -> None:
    """Draw Bernstein polynomials: a given one, and the best of degree 6 for two functions."""
    x = np.linspace(0, 1, 21)
    fine = np.linspace(0, 1, 200)

    def gamma(t: np.ndarray) -> np.ndarray:
        return np.asarray(t**0.45)

    def decay(t: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-2 * t))

    cases = (
        ("b = .25, .625, .375, .75", np.array([0.25, 0.625, 0.375, 0.75]), None),
        (r"$x^{0.45}$, degree 6", operators.bernstein_fit(gamma, 6), gamma),
        (r"$e^{-2x}$, degree 4", operators.bernstein_fit(decay, 4), decay),
    )
    for own, (name, b, function) in zip(map(color, range(3)), cases, strict=True):
        copies = sc.encode(np.repeat(x[:, None], b.size - 1, axis=1), 2**14, key=INPUT)
        values = operators.bernstein(copies, b, key=WEIGHT).probability()
        axes.plot(fine, operators.bernstein_value(fine, b), "-", color=own, lw=1)
        if function:
            axes.plot(fine, function(fine), ":", color=ink(), lw=1)
        axes.plot(x, values, "o", color=own, ms=4, label=name)
    axes.plot([], [], ":", color=ink(), lw=1, label="fitted function")
    axes.set(
        xlabel="x", ylabel="density of the output", title="Bernstein polynomials (ReSC), L = 16,384"
    )
    axes.legend()


def circuits(axes: Axes) -> None:
    """Draw the SCC that circuits produce from independent streams, by depth."""
    p, q, length = 0.5, 0.7, 2**16
    depths = np.arange(1, 11)
    x, y = sc.encode(np.repeat([[p], [q]], 64, axis=1), length, key=INPUT)
    up = [float(streams.scc(*operators.synchronize(x, y, int(d))).mean()) for d in depths]
    down = [float(streams.scc(*operators.desynchronize(x, y, int(d))).mean()) for d in depths]
    axes.plot(depths, 1 - np.array(up), "o", color=color(0), ms=4, label="synchronize: 1 - SCC")
    axes.plot(depths, 1 + np.array(down), "s", color=color(1), ms=4, label="desynchronize: 1 + SCC")
    ratio = p * (1 - q) / ((1 - p) * q)
    sums = np.array([np.sum(ratio ** np.arange(-d, d + 1.0)) for d in depths])
    overlap = p - p * (1 - q) * ratio**depths / sums
    axes.plot(depths, 1 - (overlap - p * q) / (min(p, q) - p * q), "-", color=color(0), lw=1)
    ratio = p * q / ((1 - p) * (1 - q))
    sums = np.array([np.sum(ratio ** np.arange(d + 1.0)) for d in depths])
    overlap = p * q * ratio**depths / sums
    axes.plot(depths, 1 + (overlap - p * q) / (p * q - max(0, p + q - 1)), "-", color=color(1), lw=1)
    axes.set(xlabel="depth", ylabel="distance to full correlation", yscale="log", ylim=(5e-4, 1))
    axes.set_title(f"Circuits that change correlation: p = {p}, q = {q}, L = {length}")
    axes.legend()


PICTURES = {
    "products": products,
    "gates": gates,
    "adders": adders,
    "stanh": hyperbolic_tangent,
    "cordiv": division,
    "bernstein": polynomials,
    "circuits": circuits,
}


def main() -> None:
    """Write one picture per law."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        path = folder / f"theory_{name}.png"
        both_themes.save(path, partial(drawn, draw))
        print(f"wrote {path}")


def drawn(draw: Callable[[Axes], None]) -> Figure:
    """Return a figure of one law."""
    figure = Figure((6.4, 4.2), layout="constrained")
    draw(figure.subplots())
    return figure


if __name__ == "__main__":
    main()
