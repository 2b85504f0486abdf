"""The page on the command shows what the commands print. Run this file to update it."""

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest

from sc_neurocore.cli import main

PAGE = Path(__file__).parents[1] / "docs" / "command.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What depends on the machine.
VARIES = (
    r"^(folder|Python|NumPy|system|processor|instruction set|threads|settings|packages|programs) .*"
)


def shown(command):
    """What a command prints in the current folder."""
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        main(shlex.split(command)[1:])
    text = said.getvalue() + errors.getvalue()
    return re.sub(VARIES, lambda line: f"{line[1]:16s} ...", text, flags=re.MULTILINE)


def filled(page):
    """The page with the output of its commands, whose files are made in the current folder."""

    def block(found):
        kind, text = found.groups()
        name = re.match(r"# (\w+\.\w+)\n", text)
        if name:
            Path(name[1]).write_text(text)
        if kind != "console":
            return found[0]
        commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
        return "```console\n" + "\n".join(f"$ {c}\n{shown(c)}" for c in commands) + "```"

    return BLOCK.sub(block, page)


def test_the_page_shows_what_the_commands_print(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert filled(PAGE.read_text()) == PAGE.read_text(), "run tests/test_command_page.py as a program"


def test_the_page_has_all_commands_and_exit_codes():
    page = PAGE.read_text()
    with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        main(["--help"])
    described = said.getvalue()
    commands = re.findall(r"^    ([a-z]+) ", described, re.MULTILINE)
    assert re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE) == commands
    codes = re.findall(r"^  (\d+)  ", described, re.MULTILINE)
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == codes


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        PAGE.write_text(filled(PAGE.read_text()))
