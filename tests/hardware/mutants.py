"""Mutants: changes of Verilog, as (file, what is there, what is put in its place)."""

from concurrent.futures import ThreadPoolExecutor

from sc_neurocore.hardware import ToolFailedError, write


def without_place(mutants, designs):
    """Return the mutants that change no design; `designs` has the text of every file, by name."""
    return [m for m in mutants if not any(m[1] in text.get(m[0], "") for text in designs.values())]


def escaped(mutants, designs, bench, folder):
    """Return the mutants that the testbench of no design finds, as (file, new).

    `bench(name, folder)` runs the testbench of design `name` as it lies in a folder. It finds a
    difference when it fails with "FAILED"; Verilog that does not compile is not found.
    """
    assert without_place(mutants, designs) == []

    def escapes(number):
        file, old, new = mutants[number]
        for name, text in designs.items():
            if old not in text.get(file, ""):
                continue
            place = folder / f"{number} {name}"
            write({**text, file: text[file].replace(old, new)}, place)
            try:
                bench(name, place)
            except ToolFailedError as failure:
                if "FAILED" in str(failure):
                    return False
        return True

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(escapes, range(len(mutants))))
    return {(file, new) for (file, _, new), escapes in zip(mutants, found, strict=True) if escapes}
