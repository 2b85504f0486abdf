"""sc-neurocore hdl: generate, verify, synthesize and report the Verilog of a network."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.cli._common import FailedCheckError, emit, load_data, load_network, say
from sc_neurocore.networks import FixedPoint, Network, load_digits, simulate_float

if TYPE_CHECKING:
    from sc_neurocore.hardware import Design, Synthesis, Verification


def run_hdl(options: argparse.Namespace) -> None:
    """Write the design of a network to a folder, and verify and synthesize it if requested."""
    from sc_neurocore import hardware
    from sc_neurocore.hardware import boards, simulators, tools
    from sc_neurocore.hardware.interfaces import SUFFIXES
    from sc_neurocore.hardware.synthesis import TARGETS
    from sc_neurocore.hardware.verify import compared_signals

    if options.check is not None:
        _check(options)
        return
    if options.network is None:
        _checks.fail("hdl", "have a NETWORK or --check FOLDER", "neither")
    # Missing tools raise before the work, not after it.
    if options.verify is not None:
        _checks.integer("--verify", options.verify, 1)
        simulators.find_verilator()
    if options.synth or options.board:
        tools.find_yosys()
    if options.board:
        simulators.find_verilator()
        boards.find_tools(options.board)
    design, images, labels = _designed(options)
    out = options.out or Path(f"hdl_{design.name}")
    in_bench = images[: _checks.integer("--images", options.images, 1)]
    modules = hardware.verilog(design)
    interfaces = [options.interface] if options.interface else []
    if options.board and "axi-stream" not in interfaces:
        interfaces.append("axi-stream")
    for interface in interfaces:
        modules |= hardware.interface_verilog(design, interface)
    text = modules | hardware.verilog_testbench(design, in_bench)
    for interface in reversed(interfaces or [None]):  # the first is the top module of the core file
        text |= hardware.interface_checks(design, text, interface)
    text |= hardware.vendor_scripts(design, modules, interfaces[0] if interfaces else None)
    if options.board:
        text |= hardware.board_verilog(design, options.board, in_bench)
    _check_folder(out, text)
    found: dict[str, Any] = {"quantized": hardware.quantization(design, images, labels)}
    if options.interface:
        found["interface"] = options.interface
    for target in TARGETS:  # netlists of an earlier run may not match
        (out / f"{design.name}_{target}.json").unlink(missing_ok=True)
    hardware.write({**text, "REPORT.md": hardware.report(design, **found)}, out)
    say(
        options,
        f"{design!r}\nwrote {len(text)} files to {out}, {len(in_bench)} images in the testbench",
    )

    if options.verify:
        say(options, "running the testbench ...")
        found["said"] = hardware.run_bench(out, design.name)
        say(options, found["said"])
        if options.interface:
            say(options, hardware.run_bench(out, f"{design.name}_{SUFFIXES[options.interface]}"))
        found["verified"] = tuple(
            _verified_layer(options, design, k) for k in range(len(design.layers))
        )
    if options.synth:
        say(options, f"synthesizing for {options.synth} ...")
        synapses = sum(layer.magnitudes.size for layer in design.layers)
        found["synthesis"] = made = hardware.synthesize(
            [out / name for name in modules if name.endswith(".v")],
            design.name,
            options.synth,
            out,
            across_registers=design.folded or synapses <= 500,
            keep=compared_signals(design) if options.verify else (),
        )
        if options.synth in ("ice40", "ecp5") and not tools.has_nextpnr(options.synth):
            extra = "hdl" if options.synth == "ice40" else "boards"
            say(options, _checks.missing_extra("estimating the clock rate", "nextpnr", extra))
        if options.synth == "ice40":
            say(options, "counting toggles ...")
            found["energy"] = hardware.energy_of(design, made, in_bench)
        if options.verify:
            found["netlist"] = _verified_netlist(options, design, made, in_bench)
    if options.board:
        say(options, f"building for {options.board} ...")
        say(options, hardware.run_bench(out, f"{design.name}_{options.board}"))
        found["board"] = built = hardware.build_board(design, options.board, out)
        say(options, f"wrote {built.path}, {built.mhz:.1f} MHz, the board has {built.clock_mhz:g} MHz")
    page = hardware.report(design, **found)
    hardware.write({"REPORT.md": page}, out)
    say(options, f"\n{page}\nwrote {out / 'REPORT.md'}")
    if options.json:
        emit({"name": design.name, "out": out, "files": sorted([*text, "REPORT.md"]), **found})


def _check(options: argparse.Namespace) -> None:
    """Run every testbench of a folder and print what each says."""
    from sc_neurocore import hardware

    if options.network is not None:
        _checks.fail("--check", "be used without NETWORK", repr(options.network))
    benches = sorted(path.stem for path in options.check.glob("*_tb.v"))
    if not benches:
        _checks.fail("--check", "contain a testbench NAME_tb.v", options.check)
    for bench in benches:
        name = bench.removesuffix("_tb")
        try:
            said = hardware.run_bench(options.check, name)
        except hardware.ToolFailedError as error:
            if "FAILED" in str(error):
                raise FailedCheckError(f"{name}: {error}") from None
            raise
        if options.json:
            emit({"name": name, "said": said})
        else:
            print(f"{name}: {said}", flush=True)


def _designed(options: argparse.Namespace) -> tuple[Design, NDArray[Any], NDArray[Any] | None]:
    """Return the design that the options describe, images, and labels or None."""
    from sc_neurocore.hardware import Design
    from sc_neurocore.hardware.design import FOLDED, is_module_name

    network = load_network(options)
    stem = re.sub(r"\W", "_", Path(options.network).stem, flags=re.ASCII)
    name = options.name or (stem if is_module_name(stem) else f"net_{stem}")
    images: NDArray[Any]
    labels: NDArray[Any] | None
    if options.data:
        images, labels = load_data(options.data)
    elif options.network == "digits":
        images, labels = load_digits().images, load_digits().labels
    else:
        n_images = max(options.images, 100)
        images, labels = np.random.default_rng(0).random((n_images, network.n_in)), None
    chosen = {option: getattr(options, option) for option in (*FOLDED, "scores", "reset")}
    if options.accuracy is not None or options.max_loss is not None:
        found = _searched(options, network, name, images, labels)
        return replace(found, **chosen), images, labels
    # For the shipped network, a point on the front of area x time against accuracy.
    length, bits = (8, 3) if options.network == "digits" else (32, 8)
    design = Design(
        network,
        length if options.length is None else _checks.integer("--length", options.length, 1),
        fixed_point=FixedPoint(
            bits=bits if options.bits is None else options.bits,
            word=options.word,
            leak_bits=options.leak_bits,
        ),
        architecture=_architecture(options),
        simd=8 if options.simd is None else options.simd,
        pe=1 if options.pe is None else options.pe,
        name=name,
        **chosen,
    )
    return design, images, labels


def _architecture(options: argparse.Namespace) -> Any:
    """Return the architecture; some options are those of the folded one."""
    from sc_neurocore.hardware.design import FOLDED

    folded = [name for name in ("simd", "pe") if getattr(options, name) is not None]
    folded += [name for name in FOLDED if getattr(options, name)]
    if folded and options.architecture == "unrolled":
        _checks.fail(f"--{folded[0]}", "be used with the folded architecture", "unrolled")
    return "folded" if folded else options.architecture


def _searched(
    options: argparse.Namespace,
    network: Network,
    name: str,
    images: NDArray[Any],
    labels: NDArray[Any] | None,
) -> Design:
    """Return the cheapest design that is accurate enough, and print the front of those tried."""
    from sc_neurocore.evidence.evaluation import labeled
    from sc_neurocore.hardware import cheapest, operating_points, pareto_front

    option = "--accuracy" if options.max_loss is None else "--max-loss"
    if options.accuracy is not None and options.max_loss is not None:
        _checks.fail("--accuracy", "be used without --max-loss", options.accuracy)
    if options.accuracy is not None and not 1 < options.accuracy <= 100:
        _checks.fail("--accuracy", "be in percent, in (1, 100]", options.accuracy)
    if labels is None:
        _checks.fail(option, "have labeled images", "random images", "add --data")
    if options.architecture == "unrolled":
        _checks.fail(option, "be used with the folded architecture", "unrolled")
    say(options, "searching bits, time steps, inputs and neurons per clock cycle, numbers first or not")
    given = {
        "bits": options.bits,
        "lengths": options.length,
        "simd": options.simd,
        "pe": options.pe,
    }
    tried = {
        "bits": (2, 3, 4, 6, 8),
        "lengths": (2, 4, 8, 16, 32, 64),
        "simd": (8, 16, 32),
        "pe": (1, 2, 4),
    }
    points = operating_points(
        network,
        images,
        labels,
        fixed_point=FixedPoint(word=options.word, leak_bits=options.leak_bits),
        name=name,
        numbers=(False, True),
        **{key: tried[key] if value is None else (value,) for key, value in given.items()},
    )
    if options.max_loss is None:
        wanted = options.accuracy / 100
    else:
        x, right = labeled(network, images, labels)
        exact = float((simulate_float(network, x, 64).classes == right).mean())
        wanted = exact - options.max_loss / 100
    say(options, f"{len(points)} designs; none is as accurate at less width x clock cycles than these:")
    for point in pareto_front(points):
        say(options, f"  {point!r}")
    chosen = cheapest(points, wanted)
    low = chosen.interval()[0]
    say(options, f"chosen: {chosen!r}")
    if low < wanted:
        say(
            options,
            f"The interval over images reaches below {100 * wanted:.2f} %, and does not know that the "
            "same images chose the design: measure it on others.",
        )
    return chosen.design


def _check_folder(folder: Path, text: Mapping[str, str]) -> None:
    """Raise if a folder contains another design, since simulators would read the files of both."""
    if not folder.exists():
        return
    if not folder.is_dir():
        _checks.fail("--out", "be a folder", folder)
    others = sorted(p.name for p in folder.iterdir() if p.suffix in (".v", ".hex"))
    others = [name for name in others if name not in text]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        _checks.fail(
            "--out",
            "hold no other design",
            f"{folder} with {others[0]}{more}",
            "remove its files, or choose another folder",
        )


def _verified_layer(options: argparse.Namespace, design: Design, k: int) -> Verification:
    """Compare a layer with its model; raise if they differ or the layer did not fire."""
    from sc_neurocore.hardware import verify_layer

    clocks = options.verify
    say(options, f"verifying layer {k} ...")
    seen = verify_layer(design, k, clocks, progress=sys.stderr.isatty())
    spikes = f"{seen.spikes:,} spikes" if seen.spikes else "no spikes"
    say(options, f"layer {k}: {seen.clocks:,} clocks, {seen.differences} differences, {spikes}")
    if seen.differences:
        raise FailedCheckError(f"the Verilog of layer {k} differs from its model: {seen}")
    if not seen.passed(design.layers[k]):
        _checks.fail(
            "--verify",
            f"be long enough for layer {k} to fire and rest",
            f"{clocks} clock cycles with {seen.spikes} spikes",
            "run more clock cycles, or lower the threshold if the layer never fires",
        )
    return seen


def _verified_netlist(
    options: argparse.Namespace, design: Design, made: Synthesis, images: NDArray[Any]
) -> tuple[Verification, ...]:
    """Compare the netlist with its model on images; raise if they differ."""
    from sc_neurocore.hardware import verify_images

    say(options, f"comparing the netlist on {len(images)} images ...")
    seen = verify_images(design, made.path, images)
    differences, spikes = (
        sum(getattr(part, name) for part in seen) for name in ("differences", "spikes")
    )
    say(options, f"netlist: {seen[0].clocks:,} clocks, {differences} differences in {spikes:,} spikes")
    if differences:
        raise FailedCheckError(f"the netlist {made.path} differs from its model: {seen}")
    return seen
