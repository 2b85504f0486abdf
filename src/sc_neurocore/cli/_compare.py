"""sc-neurocore compare: a stochastic design beside binary designs of the same network."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.cli._common import emit, load_images, load_network, say

if TYPE_CHECKING:
    from sc_neurocore.hardware import Candidate, Cost


def run_compare(options: argparse.Namespace) -> None:
    """Print accuracy, area, time and energy of stochastic and binary designs of a network."""
    from sc_neurocore import hardware
    from sc_neurocore.hardware import tools

    tools.find_yosys()  # missing tools raise before the work
    network = load_network(options)
    if options.data is None and options.network != "digits":
        _checks.fail("--data", "be given for a network from a file", "no images")
    images, labels = load_images(options)
    n_syntheses = _checks.integer("--syntheses", options.syntheses, 1, 100)
    found = hardware.candidates(network, images, simd=_checks.integer("--simd", options.simd, 2, 128))
    chosen = [one for one in found if options.only in one.name]
    if not chosen:
        names = "; ".join(one.name for one in found)
        _checks.fail("--only", f"be part of a name among {names}", repr(options.only))
    if options.liberty:
        _in_cells(options, chosen, images)
        return
    say(
        options,
        f"{network.shape}, {len(images)} images, folded, {options.simd} inputs per clock cycle, iCE40 "
        f"HX8K, {n_syntheses} syntheses with {len(hardware.synthesis.SEEDS)} placements each\n"
        f"{len(chosen)} designs, each of which takes up to some minutes; --only chooses",
    )
    head = (
        f"{'accuracy':>8} {'95 % interval':>13} {'cells':>7} {'memories':>8} {'MHz':>6} {'clocks':>8}"
    )
    say(options, f"{'design':52} {head} {'us':>8} {'images/s':>9} {'nJ/image':>9}")
    rows: list[Cost] = []
    begun = time.monotonic()
    for i, one in enumerate(chosen):
        with _measuring(chosen, i, begun) as folder:
            rows.append(
                hardware.measure_cost(one, images, labels, Path(folder), variants=range(n_syntheses))
            )
        say(options, _line(rows[-1]))
        if options.json:
            emit({"row": rows[-1]})
    if len(rows) > 1:
        _conclude(options, rows)
    say(options, "ranges of energy: see Energy in the reference; low to high in nJ per image")
    for row in rows:
        low, _, high = row.nanojoules()
        say(options, f"{row.name:52} {low:,.0f} to {high:,.0f}")


@contextmanager
def _measuring(chosen: list[Candidate], i: int, begun: float) -> Iterator[str]:
    """Yield a folder, and show on a terminal which design is measured and how long the rest takes."""
    seconds = (time.monotonic() - begun) / max(i, 1) * (len(chosen) - i)
    left = f", about {seconds / 60:.0f} min left" if i else ""
    shown = sys.stderr.isatty()
    if shown:
        said = f"design {i + 1} of {len(chosen)}: {chosen[i].name}{left}"
        print(said, end="", file=sys.stderr, flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield folder
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _in_cells(
    options: argparse.Namespace, chosen: list[Candidate], images: NDArray[np.float64]
) -> None:
    """Print area and energy in the cells of a library."""
    from sc_neurocore import hardware

    library = hardware.Library.read(options.liberty)
    say(options, f"{library.name}; memories of 1,024 bits or more are macros, others flip-flops")
    say(
        options,
        "without wires, clock tree and glitches; areas in the unit of the library (um2 in most)",
    )
    head = f"{'cells':>9} {'macros':>9} {'clocks':>8} {'pJ/clock':>9} {'nJ/image':>9} {'uW':>7}"
    say(options, f"{'design':52} {head}")
    begun = time.monotonic()
    for i, one in enumerate(chosen):
        with _measuring(chosen, i, begun) as folder:
            row = hardware.measure_cell_cost(one, images, library, Path(folder))
        e = row.energy
        say(
            options,
            f"{row.name:52} {row.made.area:9,.0f} {row.made.macro_area:9,.0f} {row.clocks:8,d} "
            f"{e.total:9.1f} {row.nanojoules:9,.1f} {e.leakage_microwatt:7.2f}",
        )
        if options.json:
            emit({"row": row})
        if row.made.memory_bits and not library.macros:
            missing = f"{row.made.memory_bits:,} bits of memory, for which there is no macro"
            say(options, f"{'':52} and {missing}")


def _line(row: Cost) -> str:
    """Return a line of the table."""
    low, high = row.interval()
    interval = f"{100 * low:.1f} to {100 * high:.1f}"
    mhz = f"{row.mhz:6.1f}" if not np.isnan(row.mhz) else " " * 6
    return (
        f"{row.name:52} {100 * row.accuracy:8.2f} {interval:>13} {row.area:7,.0f} "
        f"{row.memories:8d} {mhz} {row.clocks:8,d} {row.microseconds():8.1f} "
        f"{row.images_per_second:9,.0f} {row.nanojoules()[1]:9,.0f}"
    )


def _conclude(options: argparse.Namespace, rows: list[Cost]) -> None:
    """Print how the best stochastic design compares with the best binary one."""
    ours = [row for row in rows if row.group.startswith("stochastic") and not np.isnan(row.mhz)]
    others = [row for row in rows if not row.group.startswith("stochastic") and not np.isnan(row.mhz)]
    if not ours or not others:
        return
    first = min(ours, key=lambda row: row.area_time)
    # A rival must not be worse than the stochastic design beyond the interval of its accuracy.
    fair = [row for row in others if row.accuracy >= first.interval()[0]]
    if not fair:
        return
    second = min(fair, key=lambda row: row.area_time)
    energy = first.nanojoules()[1] / second.nanojoules()[1]
    say(
        options,
        f"\nThe best stochastic design ({first.name}) takes {first.area_time / second.area_time:.2g} "
        f"times the area x time and {energy:.2g} times the energy of the best binary one "
        f"({second.name}).",
    )
