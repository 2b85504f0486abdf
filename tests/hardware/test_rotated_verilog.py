"""Designs whose inputs read one register rotated compute the bits of the simulation."""

import numpy as np
import pytest
import z3
from mutants import escaped, without_place
from proof import Step, joined, netlists, number, prove
from test_command import small, warnings_of
from test_proofs import RTL

from sc_neurocore import Conv2d, Network, load_digits, simulate
from sc_neurocore.hardware import (
    Design,
    run_bench,
    simulators,
    synthesize,
    trace,
    verify_images,
    verilog,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware.design import RotatedRegister
from sc_neurocore.hardware.verify import compared_signals
from sc_neurocore.streams import RotatedLFSR, Sobol

IMAGES = np.random.default_rng(0).random((5, 10))


def rotated(architecture, source=None):
    plain, source = small(architecture), source or RotatedLFSR(8, start=0x5A)
    return Design(
        plain.network, 37, source=source, architecture=architecture, simd=4, pe=plain.pe, name="little"
    )


def written(design, folder):
    text = {**verilog(design), **verilog_testbench(design, IMAGES)}
    write(text, folder)
    return text


@pytest.mark.parametrize("width", [4, 8, 16])
def test_lanes_read_the_register_rotated_and_inverted_as_the_package_does(width, tmp_path):
    bits, shapes = min(width, 5), [(5, 1), (2, 3), (16, 2)]
    source = RotatedLFSR(width, start=3)
    mask = RotatedRegister(source, bits, 64).feedback
    given = {"WIDTH": width, "BITS": bits, "START": 3, "FEEDBACK": mask}
    cases = [("sc_rotated", {**given, "LANES": n, "COLUMN": c}) for n, c in shapes]
    for net, (lanes, column_bits) in zip(netlists(cases, RTL, tmp_path), shapes, strict=True):
        step = Step(net, ["state"])
        state, column = step.before["state"], step.inputs["column"]
        entered = joined([z3.Extract(k, k, state & mask) for k in range(width)])
        parity = z3.Extract(0, 0, sum((z3.LShR(entered, k) for k in range(1, width)), entered))
        shifted = z3.Concat(parity, z3.Extract(width - 1, 1, state))
        kept = z3.If(step.inputs["step"] == 1, shifted, state)
        claims = [step.after["state"] == z3.If(step.inputs["clear"] == 1, number(3, width), kept)]
        for c in range(2**column_bits):
            read = []
            for i in range(c * lanes, (c + 1) * lanes):
                turned = z3.RotateLeft(state, i % width) ^ (i // width * 0x9E37 % 2**width)
                read.append(z3.Extract(width - 1, width - bits, turned))
            claims.append(z3.Implies(column == c, step.outputs["numbers"] == joined(read)))
        prove(*claims)


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
@pytest.mark.parametrize("source", [RotatedLFSR(8, start=0x5A), RotatedLFSR(16, start=0xACE1)], ids=str)
def test_the_testbench_passes_and_the_model_is_simulate(architecture, source, tmp_path):
    design = rotated(architecture, source)
    run = simulate(
        design.network, IMAGES, 37, fixed_point=design.fixed_point, source=source, record=True
    )
    for k, seen in enumerate(trace(design, IMAGES)):
        assert seen.spikes == run.spikes[k]
    assert run.spikes[0] != small(architecture).simulate(IMAGES, record=True).spikes[0]
    text = written(design, tmp_path)
    assert "PASSED: 5 images" in run_bench(tmp_path, "little")
    assert warnings_of(text, "little", tmp_path) == []


def test_the_netlist_of_the_digits_is_right_on_many_images(tmp_path):
    digits = load_digits()
    design = Design(digits.network, 4, source=RotatedLFSR(16, start=0xACE1), name="digits")
    text = verilog(design)
    write(text, tmp_path)
    files = [tmp_path / name for name in text if name.endswith(".v")]
    made = synthesize(files, "digits", "ice40", tmp_path, place=False, keep=compared_signals(design))
    seen = verify_images(design, made.path, digits.images[:64])
    assert all(part.passed(layer) for part, layer in zip(seen, design.layers, strict=True))


MUTANTS = [
    ("sc_rotated.v", "state <= START", "state <= ~START"),
    ("sc_rotated.v", "^(state & FEEDBACK)", "|(state & FEEDBACK)"),
    ("sc_rotated.v", "twice[WIDTH - lane", "twice[WIDTH - 1 - lane"),
    ("sc_rotated.v", "32'h9e37", "32'h9e35"),
    ("sc_rotated.v", "rotated ^ spread", "rotated + spread"),
    ("sc_image.v", ".column(column_read)", ".column(x_address)"),
    ("sc_image.v", "column_read <= x_address", "column_read <= {COLUMN{1'b0}}"),
]


def run(name, folder):
    return simulators.run_testbench(sorted(folder.glob("*.v")), "little_tb", folder)


def test_every_mutant_has_a_place(tmp_path):
    assert without_place(MUTANTS, {"folded": written(rotated("folded"), tmp_path)}) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_register_are_caught(tmp_path):
    designs = {"folded": written(rotated("folded"), tmp_path / "sound")}
    assert escaped(MUTANTS, designs, run, tmp_path) == set()


def test_designs_without_such_a_register_are_refused():
    network = small("folded").network
    with pytest.raises(
        ValueError, match="source must have 4, 8 or 16 bits, and not fewer than weights"
    ):
        Design(network, 8, source=RotatedLFSR(12))
    with pytest.raises(ValueError, match="source must have 4, 8 or 16 bits"):
        Design(network, 8, source=RotatedLFSR(4))
    with pytest.raises(TypeError, match="source must be a Hammersley or a RotatedLFSR, got Sobol"):
        Design(network, 8, source=Sobol())
    with pytest.raises(ValueError, match="source must be a counter for such layers in hardware"):
        Design(network, 8, source=RotatedLFSR(16), bits_per_step=2)
    image = Network([Conv2d(np.ones((4, 1, 3, 3)), (3, 3))])
    with pytest.raises(ValueError, match="use a Hammersley source, or dense layers"):
        Design(image, 8, source=RotatedLFSR(16), architecture="folded")
