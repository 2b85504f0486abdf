"""Comparison of stochastic and binary designs of a network: accuracy, area, time and energy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence._intervals import wilson
from sc_neurocore.evidence.evaluation import labeled
from sc_neurocore.hardware.cell_area import (
    CellEnergy,
    CellSynthesis,
    cell_energy,
    synthesize_cells,
)
from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.emit import verilog, write
from sc_neurocore.hardware.integers import IntegerDesign, quantized
from sc_neurocore.hardware.liberty import Library
from sc_neurocore.hardware.netlist import Netlist, Run
from sc_neurocore.hardware.spiking import SpikingDesign, spiking_design
from sc_neurocore.hardware.synthesis import Energy, energy, synthesize
from sc_neurocore.networks import FixedPoint, Network
from sc_neurocore.networks.network import numbers_first

__all__ = ["Candidate", "CellCost", "Cost", "candidates", "measure_cell_cost", "measure_cost"]

AnyDesign = Design | IntegerDesign | SpikingDesign


@dataclass(frozen=True, eq=False)
class Candidate:
    """A design that takes part in a comparison.

    Attributes
    ----------
    name : str
    group : str
        Kind of arithmetic.
    design : Design, IntegerDesign or SpikingDesign
    """

    name: str
    group: str
    design: AnyDesign


@dataclass(frozen=True)
class Cost:
    """What a design costs on an iCE40 HX8K, and what it achieves.

    Attributes
    ----------
    name, group : str
        Those of the candidate.
    n_right, n_images : int
        Number of images with the right class, and of all images.
    luts, logic_cells : tuple of int
        Per synthesis.
    memories : int
        Number of block memories of 4 Kbit.
    rates : tuple of float
        Clock rates in MHz, of all placements of all syntheses.
    clocks : int
        Clock cycles from the first value of an image to its class.
    loading : int
        How many of them read the image.
    energy : Energy
    """

    name: str
    group: str
    n_right: int
    n_images: int
    luts: tuple[int, ...]
    logic_cells: tuple[int, ...]
    memories: int
    rates: tuple[float, ...]
    clocks: int
    loading: int
    energy: Energy

    @property
    def accuracy(self) -> float:
        """Fraction of the images with the right class."""
        return self.n_right / self.n_images

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the score interval of the accuracy over images (E. B. Wilson, JASA 22, 1927)."""
        return wilson(self.n_right, self.n_images, confidence)

    @property
    def area(self) -> float:
        """Median number of logic cells, or of LUTs if the design was not placed."""
        return float(median(self.logic_cells or self.luts))

    @property
    def mhz(self) -> float:
        """Median clock rate in MHz; NaN if the design was not placed."""
        return float(median(self.rates)) if self.rates else float("nan")

    def microseconds(self, mhz: float | None = None) -> float:
        """Return the latency of an image, by default at the median clock rate."""
        return self.clocks / (self.mhz if mhz is None else mhz)

    @property
    def images_per_second(self) -> float:
        """Images per second, one after the other."""
        return 1e6 * self.mhz / (self.clocks + 1)

    def nanojoules(self) -> tuple[float, float, float]:
        """Return low, middle and high energy of an image, with the static power."""
        static = 0.0 if np.isnan(self.mhz) else self.energy.static(self.mhz)
        low, middle, high = (
            1e-3 * (self.clocks + 1) * (part + static)
            for part in (self.energy.low, self.energy.middle, self.energy.high)
        )
        return low, middle, high

    @property
    def area_time(self) -> float:
        """Logic cells times latency, in cells times microseconds."""
        return self.area * self.microseconds()


def candidates(network: Network, images: ArrayLike, *, simd: int = 8) -> list[Candidate]:
    """Return designs of a network: stochastic ones, spiking ones that add weights, and integer ones.

    In some of the stochastic ones, the layers that read the inputs take them as numbers.

    Parameters
    ----------
    network : Network
        `Dense` layers. Designs that lack a feature of the network are left out.
    images : array_like, shape (n, n_in)
        Densities in [0, 1], to which the scales of the integer networks are fitted, without labels.
    simd : int
        Inputs per clock cycle.
    """
    found: list[Candidate] = []

    def add(name: str, group: str, make: Any) -> None:
        try:
            found.append(Candidate(name, group, make()))
        except ValueError:  # a feature that the shared data path lacks
            if group == "stochastic":
                raise

    def stochastic(bits: int, length: int, word: int, *, numbers: bool = False) -> Design:
        fixed = FixedPoint(bits=bits, word=word)
        chosen = numbers_first(network) if numbers else network
        return Design(
            chosen, length, fixed_point=fixed, architecture="folded", simd=simd, name="candidate"
        )

    add("stochastic, 8 bits, 32 steps", "stochastic", lambda: stochastic(8, 32, 16))
    add("stochastic, 3 bits, 8 steps", "stochastic", lambda: stochastic(3, 8, 8))
    for bits, length in ((4, 2), (4, 4)):
        add(
            f"numbers first, {bits} bits, {length} steps",
            "stochastic, numbers first",
            lambda bits=bits, length=length: stochastic(bits, length, 8, numbers=True),
        )
    add(
        "numbers first, 4 bits, 2 steps, one data path",
        "stochastic, numbers first",
        lambda: spiking_design(network, 2, product="numbers", bits=4, simd=simd, name="candidate"),
    )
    for product, choices in (
        ("stochastic", ((3, 8), (3, 4))),
        ("binary", ((8, 8), (4, 8), (3, 8), (3, 4), (2, 8))),
    ):
        for bits, length in choices:
            weight = "ternary" if (product, bits) == ("binary", 2) else f"{bits} bits"
            group = "stochastic" if product == "stochastic" else "spiking"
            shared = ", one data path" if product == "stochastic" else ""
            made = "stochastic" if product == "stochastic" else "binary spikes"
            add(
                f"{made}, {weight}, {length} steps{shared}",
                group if product == "binary" else "stochastic, one data path",
                lambda product=product, bits=bits, length=length: spiking_design(
                    network, length, product=product, bits=bits, simd=simd, name="candidate"
                ),
            )
    for bits in (8, 4, 3):
        add(
            f"integers, {bits} bits",
            "integers",
            lambda bits=bits: IntegerDesign(
                quantized(network, images, bits), simd=simd, name="candidate"
            ),
        )
    return found


def _stimulus(design: AnyDesign, images: ArrayLike, clocks: int) -> dict[str, NDArray[np.bool_]]:
    """Return inputs of the top module: a reset, then a value per clock cycle, in a lane per image."""
    if isinstance(design, Design):
        return design.stimulus(images, clocks)
    codes = np.atleast_2d(design.codes(images)).T
    data = np.zeros((clocks, design.in_bits, codes.shape[1]), bool)
    digits = codes[:, np.newaxis] >> np.arange(design.in_bits)[:, np.newaxis] & 1
    data[1 : 1 + len(codes)] = digits[: clocks - 1]
    on = np.ones((clocks, 1, 1), bool)
    reset = np.zeros_like(on)
    reset[0] = True
    return {"rst": reset, "in_valid": on, "in_data": data, "out_ready": on}


def _classes(design: AnyDesign, images: ArrayLike) -> NDArray[Any]:
    """Return the classes of the model of a design."""
    if isinstance(design, Design):
        return np.asarray(design.simulate(images).classes)
    return design.classes(images)


@dataclass(frozen=True)
class CellCost:
    """What a design costs in the cells of a library.

    Attributes
    ----------
    name, group : str
        Those of the candidate.
    made : CellSynthesis
    energy : CellEnergy
    clocks : int
        Clock cycles from the first value of an image to its class.
    """

    name: str
    group: str
    made: CellSynthesis
    energy: CellEnergy
    clocks: int

    @property
    def nanojoules(self) -> float:
        """Energy of an image without leakage, whose share depends on the clock rate."""
        return 1e-3 * (self.clocks + 1) * self.energy.total


def measure_cell_cost(
    candidate: Candidate,
    images: ArrayLike,
    library: Library,
    folder: str | os.PathLike[str],
    *,
    most_images: int = 16,
) -> CellCost:
    """Synthesize a design to the cells of a library, and simulate the netlist on images.

    Parameters
    ----------
    candidate : Candidate
    images : array_like, shape (n, n_in)
        Densities in [0, 1].
    library : Library
    folder : path
        Folder for the files of the design.
    most_images : int
        Most images that the netlist is run on.

    Raises
    ------
    RuntimeError
        If the netlist computes another class than the model.
    """
    design = candidate.design
    x = _checks.array("images", images, [2])[:most_images]
    files = _written(design, folder)
    made = synthesize_cells(files, design.name, library, folder)
    netlist = Netlist.read(made.path, design.name, library=library)
    run = _checked_run(candidate, netlist, x)
    found = cell_energy(run, made, design.name, library)
    return CellCost(candidate.name, candidate.group, made, found, design.clocks)


def _written(design: AnyDesign, folder: str | os.PathLike[str]) -> list[Path]:
    """Write a design to a folder and return its modules."""
    text = verilog(design) if isinstance(design, Design) else design.verilog
    write(text, folder)
    return [Path(folder) / name for name in text if name.endswith(".v")]


def _checked_run(candidate: Candidate, netlist: Netlist, images: NDArray[np.float64]) -> Run:
    """Return a run with toggles on images; raise if a class differs from the model."""
    design = candidate.design
    run = netlist.run(_stimulus(design, images, design.clocks + 2), toggles=True)
    end = slice(design.clocks + 1, design.clocks + 2)
    last, done = run.at(end, "out_class")[0], run.at(end, "out_valid")[0]
    seen = (last.astype(np.int64) << np.arange(len(last))[:, np.newaxis]).sum(axis=0)
    if not done.all() or not np.array_equal(seen, _classes(design, images)):
        raise RuntimeError(f"the netlist of {candidate.name} differs from its model")
    return run


def measure_cost(
    candidate: Candidate,
    images: ArrayLike,
    labels: ArrayLike,
    folder: str | os.PathLike[str],
    *,
    variants: Sequence[int] = (0, 1),
    placed: Sequence[int] = (0,),
    most_images: int = 64,
) -> Cost:
    """Synthesize, place and simulate a design on an iCE40 HX8K.

    The netlist is run on images; its classes must be those of the model.

    Parameters
    ----------
    candidate : Candidate
    images : array_like, shape (n, n_in)
        Densities in [0, 1].
    labels : array_like of int, shape (n,)
    folder : path
        Folder for the files of the design.
    variants : sequence of int
        Variants of the synthesis, as for `synthesize`.
    placed : sequence of int
        The variants whose netlists are placed, three times each.
    most_images : int
        Most images that the netlist of the last synthesis is run on.

    Raises
    ------
    RuntimeError
        If the netlist computes another class than the model.
    """
    design = candidate.design
    net = design.network if not isinstance(design, SpikingDesign) else design.design.network
    x = _checks.array("images", images, [2])
    wanted = labeled(net, x, labels)[1] if isinstance(net, Network) else np.asarray(labels, np.int64)
    files = _written(design, folder)
    made = [
        synthesize(
            files,
            design.name,
            "ice40",
            folder,
            across_registers=design.folded,
            variant=variant,
            place=variant in placed,
        )
        for variant in sorted(variants, key=lambda variant: variant in placed)
    ]
    classes = _classes(design, x)
    netlist = Netlist.read(made[-1].path, design.name)
    run = _checked_run(candidate, netlist, x[:most_images])
    cells = tuple(one.logic_cells for one in made if one.logic_cells)
    return Cost(
        candidate.name,
        candidate.group,
        int((classes == wanted).sum()),
        len(x),
        tuple(one.luts for one in made),
        cells,
        sum(made[0].memories.values()),
        tuple(rate for one in made for rate in one.rates),
        design.clocks,
        design.n_in if isinstance(design, Design) else design.loading,
        energy(run, int(median(cells or [one.luts for one in made]))),
    )
