"""Designs on boards: the serial line in simulation, bitstream files, and the client."""

import os
import threading
import tty
from dataclasses import replace

import numpy as np
import pytest
from mutants import escaped, without_place
from test_command import small, warnings_of

from sc_neurocore import FixedPoint
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Board,
    Design,
    board_verilog,
    build_board,
    run_bench,
    verilog,
    write,
)
from sc_neurocore.hardware.boards import BOARDS

# With the two bytes that SLIP escapes.
IMAGES = np.random.default_rng(0).random((5, 10))
IMAGES[0, [0, 1, 2, 9]] = np.array([0xC0, 0xDB, 0xDC, 0xC0]) / 256


@pytest.fixture(scope="module")
def design():
    return small("folded")


def files_of(design, board):
    return {**verilog(design), **board_verilog(design, board, IMAGES)}


def test_images_arrive_on_the_serial_line_bit_by_bit(design, tmp_path):
    write(files_of(design, "icebreaker"), tmp_path)
    said = run_bench(tmp_path, "little_icebreaker")
    assert "5 images on the serial line, 9 answers" in said


def test_images_on_the_serial_line_are_computed_while_the_next_one_arrives(design, tmp_path):
    made = replace(design, pipelined=True)
    write(files_of(made, "icebreaker"), tmp_path)
    said = run_bench(tmp_path, "little_icebreaker")
    assert "5 images on the serial line, 9 answers" in said


def test_the_modules_have_no_warnings(design, tmp_path):
    text = files_of(design, "tangnano9k")
    write(text, tmp_path)
    assert warnings_of(text, "little_tangnano9k", tmp_path) == []


MUTANTS = [
    ("sc_uart_rx.v", "DIVISOR / 2 - 1", "DIVISOR - 1"),
    ("sc_uart_rx.v", "valid <= line[1]", "valid <= 1'b1"),
    ("sc_uart_rx.v", "left == 4'd10 && line[1] ? 4'd0 : left - 1'b1", "left - 1'b1"),
    ("sc_uart_tx.v", "left <= 4'd10", "left <= 4'd8"),
    ("sc_slip.v", "in_data == 8'hdc ? 8'hc0 : 8'hdb", "8'hdb"),
    ("sc_slip.v", "comes || ends", "comes"),
    ("sc_slip.v", "&& known", ""),
    ("sc_slip.v", "if (held_valid) begin", "begin"),
    ("sc_slip.v", "out_last <= ends", "out_last <= !comes && 1'b0"),
    ("little_icebreaker.v", "frame_error || wrong", "wrong"),
]


def test_every_mutant_has_a_place(design):
    assert without_place(MUTANTS, {"little": files_of(design, "icebreaker")}) == []


@pytest.mark.long
def test_mutants_of_the_serial_line_are_caught(design, tmp_path):
    def run(name, folder):
        return run_bench(folder, f"{name}_icebreaker")

    designs = {"little": files_of(design, "icebreaker")}
    assert escaped(MUTANTS, designs, run, tmp_path) == set()


def built(design, board, folder):
    write(files_of(design, board), folder)
    made = build_board(design, board, folder)
    assert made.path.stat().st_size > 10_000
    assert made.mhz > made.clock_mhz
    assert all(0 < n <= of for n, of in made.used.values())
    return made


@pytest.mark.long
@pytest.mark.parametrize("board", BOARDS[1:])
def test_a_bitstream_file_is_made(design, board, tmp_path):
    assert run_bench_of(design, board, tmp_path)
    assert "LUT4" in (used := built(design, board, tmp_path).used) or "TRELLIS_COMB" in used


def run_bench_of(design, board, folder):
    write(files_of(design, board), folder)
    return run_bench(folder, f"{design.name}_{board}")


def test_the_command_makes_a_bitstream_file_and_reports_it(tmp_path, monkeypatch, capsys):
    small("folded").network.save(tmp_path / "little.npz")
    monkeypatch.chdir(tmp_path)
    main(["hdl", "little.npz", "--length", "8", "--images", "2", "--board", "icebreaker"])
    assert "2 images on the serial line" in capsys.readouterr().out
    assert (tmp_path / "hdl_little/little_icebreaker.bin").stat().st_size > 10_000
    report = (tmp_path / "hdl_little/REPORT.md").read_text()
    assert "not on a physical board" in report
    assert "| ICESTORM_LC |" in report


def test_designs_that_do_not_suit_the_serial_line_are_refused(design):
    wide = Design(design.network, 8, fixed_point=FixedPoint(bits=9))
    with pytest.raises(ValueError, match="design must have values of at most 8 bits on a board"):
        board_verilog(wide, "icebreaker", IMAGES)
    with pytest.raises(ValueError, match=r"must have inputs=.image. for an interface, got 'frames'"):
        board_verilog(Design(design.network, 8, inputs="frames"), "icebreaker", IMAGES)
    with pytest.raises(ValueError, match="board must be one of"):
        board_verilog(design, "arty", IMAGES)


class Device(threading.Thread):
    """A board at the other end of a pseudo-terminal: what a SLIP decoder and the design do."""

    def __init__(self, design, answer=None):
        super().__init__(daemon=True)
        self.design, self.answer = design, answer
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self.start()

    def run(self):
        frame, escaped = [], False
        while True:
            for byte in os.read(self.master, 4096):
                if byte == 0xC0:
                    if frame:
                        os.write(self.master, self.of(frame))
                    frame = []
                elif byte == 0xDB:
                    escaped = True
                else:
                    frame.append({0xDC: 0xC0, 0xDD: 0xDB}[byte] if escaped else byte)
                    escaped = False

    def of(self, frame):
        if self.answer is not None:
            return self.answer
        if len(frame) != self.design.n_in:
            return b"\xff"
        return bytes([int(self.design.simulate(np.array(frame) / 256).classes)])


@pytest.mark.parametrize("pipelined", [False, True])
def test_the_client_sends_images_and_reads_classes(design, pipelined):
    design = replace(design, pipelined=pipelined)
    device = Device(design)
    with Board(device.port, design) as board:
        assert board.classify(IMAGES).tolist() == design.simulate(IMAGES_CODED).classes.tolist()
        assert board.classify(IMAGES[0]).shape == ()
    os.write(device.master, b"")  # still open


IMAGES_CODED = np.minimum(np.round(IMAGES * 256), 255) / 256


def test_the_client_says_what_went_wrong(design):
    with (
        Board(Device(design, b"\xff").port, design) as board,
        pytest.raises(RuntimeError, match="answered 255 to a frame of 10 values"),
    ):
        board.classify(IMAGES)
    with (
        Board(Device(design, b"").port, design, timeout=0.1) as board,
        pytest.raises(TimeoutError, match="did not answer"),
    ):
        board.classify(IMAGES)
    with pytest.raises(ValueError, match="timeout must"):
        Board("loop://", design, timeout=0)
