"""Designs on boards: a serial line around a design, its bitstream file, and a client."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._files import replacing
from sc_neurocore._progress import progress_bar
from sc_neurocore.hardware import tools
from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.emit import hex_lines, library_text, rendered
from sc_neurocore.hardware.interfaces import check_inputs, interface_verilog

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Board", "BoardBuild", "board_verilog", "build_board"]

BoardName = Literal["icebreaker", "ulx3s", "tangnano9k"]
BOARDS: tuple[BoardName, ...] = get_args(BoardName)
BAUD = 1_000_000  # which divides the clock rates of all boards
_END, _ESCAPE, _ESCAPED_END, _ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD  # RFC 1055
_WRONG = 0xFF


@dataclass(frozen=True)
class _Description:
    """A board: its clock in Hz, its pins, and how its files are made."""

    name: str
    title: str
    clock: int
    pins: dict[str, str]
    suffix: str  # of the file of constraints
    pin: str  # a line of it
    synthesis: str
    place: tuple[str, ...]
    packed: str  # suffix of the bitstream file


_LPF = 'LOCATE COMP "{port}" SITE "{pin}";\nIOBUF PORT "{port}" IO_TYPE=LVCMOS33;'
_CST = 'IO_LOC "{port}" {pin};\nIO_PORT "{port}" IO_TYPE=LVCMOS33;'
# Pins: icebreaker.pcf of the icestorm project; ulx3s_v20.lpf of the ULX3S project; Sipeed's pinout.
_DESCRIPTIONS = {
    board.name: board
    for board in (
        _Description(
            "icebreaker", "iCEBreaker (iCE40 UP5K)", 12_000_000, {"clk": "35", "rx": "6", "tx": "9"},
            "pcf", "set_io {port} {pin}", "synth_ice40 -device u -top {top} -json {out}",
            ("--up5k", "--package", "sg48"), "bin",
        ),
        _Description(
            "ulx3s", "ULX3S 85F (ECP5)", 25_000_000, {"clk": "G2", "rx": "M1", "tx": "L4"},
            "lpf", _LPF, "synth_ecp5 -top {top} -json {out}", ("--85k", "--package", "CABGA381"), "bit",
        ),
        _Description(
            "tangnano9k", "Tang Nano 9K (Gowin GW1NR-9C)", 27_000_000,
            {"clk": "52", "rx": "18", "tx": "17"},
            "cst", _CST, "synth_gowin -top {top} -json {out}",
            ("--device", "GW1NR-LV9QN88PC6/I5"), "fs",
        ),
    )
}  # fmt: skip


def board_verilog(design: Design, board: BoardName, images: ArrayLike) -> dict[str, str]:
    """Return a design for a board, with a serial line, its constraints and a testbench, by file name.

    The module `NAME_BOARD` has the ports `clk`, `rx` and `tx`. An image is a SLIP frame (RFC 1055) of
    one byte per value, at 1 Mbit/s, 8 bits, no parity. The answer is one byte, the class, or 255, sent
    at once, if the frame had another length. The testbench sends images and broken frames bit by bit;
    `run_bench` runs it with the name `NAME_BOARD`. To be compiled with the files of `verilog`.

    Parameters
    ----------
    design : Design
        With values of at most 8 bits and at most 254 classes, without `loadable` and `scores`.
    board : {"icebreaker", "ulx3s", "tangnano9k"}
    images : array_like, shape (n, n_in) or (n_in,)
        Densities in [0, 1] for the testbench.

    Returns
    -------
    dict of str

    Raises
    ------
    ValueError
        If the design does not read images, values have more than 8 bits, there are more than 254
        classes, weights can be loaded, or scores are read.
    ImportError
        If Jinja2 is missing (extra: hdl).

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import Design, board_verilog
    >>> digits = load_digits()
    >>> design = Design(digits.network, length=8, name="digits")
    >>> files = board_verilog(design, "icebreaker", digits.images[:1])
    >>> print(files["digits_icebreaker.pcf"])
    set_io clk 35
    set_io rx 6
    set_io tx 9
    <BLANKLINE>
    """
    description = _described(design, board)
    codes = np.atleast_2d(design.codes(images))
    classes = design.simulate(codes / 2**design.fixed_point.bits).classes
    top = f"{design.name}_{board}"
    values = {
        "design": design,
        "board": description,
        "baud": BAUD,
        "divisor": description.clock // BAUD,
        "n_images": len(codes),
    }
    constraints = [description.pin.format(port=port, pin=pin) for port, pin in description.pins.items()]
    return {
        **interface_verilog(design),
        **{name: library_text(name) for name in ("sc_slip.v", "sc_uart_rx.v", "sc_uart_tx.v")},
        f"{top}.v": rendered("board.v", values),
        f"{top}.{description.suffix}": "".join(f"{line}\n" for line in constraints),
        f"{top}_tb.v": rendered("board_tb.v", values),
        f"{top}_tb_images.hex": hex_lines(codes.ravel().tolist(), 8),
        f"{top}_tb_classes.hex": hex_lines(classes.tolist(), 8),
    }


def _described(design: Design, board: BoardName) -> _Description:
    """Return the description of a board on which a design can run."""
    _checks.instance("design", design, Design)
    _checks.choice("board", board, BOARDS)
    check_inputs(design)
    if design.fixed_point.bits > 8:
        _checks.fail("design", "have values of at most 8 bits on a board", design.fixed_point)
    if design.n_out >= _WRONG:
        _checks.fail("design", "have at most 254 classes on a board", design.n_out)
    if design.loadable:
        _checks.fail("design", "have loadable=False on a board, whose line carries images", design)
    if design.scores:
        _checks.fail("design", "have scores=False on a board, whose line carries classes", design)
    return _DESCRIPTIONS[board]


@dataclass(frozen=True)
class BoardBuild:
    """A design that was placed on a board. No physical board was used to test the files.

    Attributes
    ----------
    board : str
    path : Path
        The bitstream file, for example for openFPGALoader.
    mhz : float
        Clock rate in MHz at which the placed design runs by timing analysis.
    clock_mhz : float
        That of the board, which is not higher.
    used : dict of str to (int, int)
        Numbers of used and existing parts of the device, by kind.
    hold_violations : int
        Paths that are too short for the clock's skew, by nextpnr's model of the device.
    """

    board: BoardName
    path: Path
    mhz: float
    clock_mhz: float
    used: dict[str, tuple[int, int]]
    hold_violations: int = 0


def build_board(
    design: Design,
    board: BoardName,
    folder: str | os.PathLike[str],
    *,
    seed: int = 1,
) -> BoardBuild:
    """Synthesize, place and pack a design for a board with Yosys, nextpnr and a packer.

    Parameters
    ----------
    design : Design
    board : {"icebreaker", "ulx3s", "tangnano9k"}
    folder : path
        Folder with the files of `verilog` and `board_verilog`, to which the bitstream file is written.
    seed : int
        Seed of the placement.

    Returns
    -------
    BoardBuild

    Raises
    ------
    MissingToolError
        If Yosys, nextpnr or the packer of the device is missing (extra: boards).
    ToolFailedError
        If a tool ends with an error, because the design does not fit the device or is too slow for the
        clock of the board, for example.
    """
    description = _described(design, board)
    _checks.integer("seed", seed, 0, 2**31 - 1)
    place, pack = find_tools(board)
    top = f"{design.name}_{board}"
    folder = Path(folder).resolve()
    files = sorted(path for path in folder.glob("*.v") if not path.stem.endswith("_tb"))
    # Only the top module of this board: others may lie beside it.
    files = [p for p in files if p.stem not in {f"{design.name}_{b}" for b in BOARDS} - {top}]
    with tempfile.TemporaryDirectory() as place_of_files:
        made = Path(place_of_files) / "netlist.json"
        synthesis = description.synthesis.format(top=top, out=tools.quoted([made]))
        tools.yosys([f"read_verilog -defer {tools.quoted(files)}", synthesis], folder)
        constraints = (folder / f"{top}.{description.suffix}").read_text(encoding="utf-8")
        (made.parent / "pins").write_text(constraints, encoding="utf-8")
        mega = f"{description.clock / 1e6:g}"
        options = ["--json", made.name, "--freq", mega, "--seed", str(seed), "--timing-allow-fail"]
        log = tools.run([*place, *description.place, *options], made.parent)
        mhz = float(re.findall(r"Max frequency for clock[^:]*: ([\d.]+) MHz", log)[-1])
        if mhz < description.clock / 1e6:
            raise tools.ToolFailedError(f"{top} runs at {mhz:.1f} MHz, its board at {mega} MHz")
        tools.run(pack, made.parent)
        path = folder / f"{top}.{description.packed}"
        with replacing(path) as file:
            file.write((made.parent / "packed").read_bytes())
    short = re.findall(r"(\d+) Hold/min time violations", log)
    found = re.findall(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log)
    used = {kind: (int(n), int(of)) for kind, n, of in found if n != "0"}
    n_short = int(short[-1]) if short else 0
    return BoardBuild(board, path, mhz, description.clock / 1e6, used, n_short)


def find_tools(board: BoardName) -> tuple[list[str], list[str]]:
    """Return the commands that place a netlist and that pack it, for files in the current folder.

    Not for users.
    """
    if board == "tangnano9k":
        name, program = "nextpnr_himbaechel_gowin", "nextpnr-himbaechel"
        place = tools.command("a board", f"yowasp_{name}", f"run_{name}", program, "boards")
        pack = tools.command("a board", "apycula.gowin_pack", "main", "gowin_pack", "boards")
        options = ["--vopt", "family=GW1N-9C", "--vopt", "cst=pins", "--write", "placed"]
        return [*place, *options], [*pack, "-d", "GW1N-9C", "-o", "packed", "placed"]
    family, pins, out, packer, packing = {
        "icebreaker": ("ice40", "--pcf", "--asc", "icepack", []),
        "ulx3s": ("ecp5", "--lpf", "--textcfg", "ecppack", ["--compress"]),
    }[board]
    module = f"yowasp_nextpnr_{family}"
    place = tools.command("a board", module, f"run_nextpnr_{family}", f"nextpnr-{family}", "boards")
    pack = tools.command("a board", module, f"run_{packer}", packer, "boards")
    return [*place, pins, "pins", out, "placed"], [*pack, *packing, "placed", "packed"]


class Board:
    """A board that runs a design, at the other end of a serial line (extra: boards).

    Use it as a context manager, or call `close`.

    Parameters
    ----------
    port : str
        Serial port, such as "/dev/ttyUSB1" or "COM3", or a URL of pySerial.
    design : Design
        The design whose bitstream file was loaded onto the board.
    timeout : float
        Seconds to wait for an answer, beside the time that the frame and the design take.

    Raises
    ------
    ImportError
        If pySerial is missing.
    serial.SerialException
        If the port cannot be opened.

    Examples
    --------
    ::

        # of hdl digits --length 8 --bits 3 --board icebreaker: the same bits and length
        design = Design(digits.network, length=8, fixed_point=FixedPoint(bits=3))
        with Board("/dev/ttyUSB1", design) as board:
            classes = board.classify(digits.images)
    """

    def __init__(self, port: str, design: Design, *, timeout: float = 1.0) -> None:
        _described(design, "icebreaker")
        _checks.positive("timeout", timeout)
        try:
            import serial
        except ImportError as error:
            raise ImportError(_checks.missing_extra("Board", "pySerial", "boards")) from error
        self._design = design
        self._port = serial.serial_for_url(port, baudrate=BAUD)
        slowest = min(board.clock for board in _DESCRIPTIONS.values())
        frame = 2 * 10 * (design.n_in + 1) / BAUD
        self._port.timeout = float(timeout) + frame + 2 * design.clocks / slowest
        self._port.write(bytes([_END]))  # ends what another program began
        self._port.flush()

    def classify(self, images: ArrayLike, *, progress: bool = False) -> NDArray[np.int64]:
        """Send images, one after the other, and return their classes.

        Parameters
        ----------
        images : array_like, shape (n, n_in) or (n_in,)
            Densities in [0, 1].
        progress : bool
            Show progress on standard error.

        Returns
        -------
        array of int64, shape (n,) or ()

        Raises
        ------
        TimeoutError
            If the board does not answer.
        RuntimeError
            If it says that the frame had another length: it runs another design, or a byte was lost.
        """
        codes = self._design.codes(images)
        rows = np.atleast_2d(codes)
        classes = np.empty(len(rows), np.int64)
        ahead = min(int(self._design.pipelined), len(rows))  # images sent before a class is read
        self._port.reset_input_buffer()
        with progress_bar(len(rows), "board", "image", show=progress) as bar:
            for row in rows[:ahead]:
                self._port.write(_frame(row.tolist()))
            for i in range(len(rows)):
                for row in rows[i + ahead : i + ahead + 1]:
                    self._port.write(_frame(row.tolist()))
                classes[i] = self._class()
                bar.update()
        return classes.reshape(codes.shape[:-1])

    def _class(self) -> int:
        answer: bytes = self._port.read(1)
        if not answer:
            raise TimeoutError(f"the board at {self._port.name} did not answer")
        if answer[0] >= self._design.n_out:
            self._port.read(int(self._design.pipelined))  # the class of another image
            raise RuntimeError(
                f"the board at {self._port.name} answered {answer[0]} to a frame of "
                f"{self._design.n_in} values, expected a class below {self._design.n_out}; does it run "
                "this design?"
            )
        return answer[0]

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _frame(values: Sequence[int]) -> bytes:
    """Return the SLIP frame of bytes."""
    escaped: dict[int, Any] = {
        _END: [_ESCAPE, _ESCAPED_END],
        _ESCAPE: [_ESCAPE, _ESCAPED_ESCAPE],
    }
    return bytes(byte for value in values for byte in escaped.get(value, [value])) + bytes([_END])
