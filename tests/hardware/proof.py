"""Proofs: the netlist of a module equals a specification on integers, for all states and inputs."""

import itertools
import re

import z3

from sc_neurocore.hardware import tools
from sc_neurocore.hardware.cells import Cells
from sc_neurocore.hardware.netlist import Netlist


def netlists(cases, files, folder):
    """Return the netlists of gates of (module, parameters), synthesized by one run of Yosys."""
    script = []
    for i, (module, parameters) in enumerate(cases):
        (own,) = (f for f in files if f.stem == module)
        changed = folder / f"{i}.v"
        changed.write_text(_with_parameters(own.read_text(), parameters))
        read = " ".join(f'"{f}"' for f in (changed, *(f for f in files if f != own)))
        script += [
            "design -reset",
            f"read_verilog -defer {read}",
            f"hierarchy -check -top {module}",
            f"synth -flatten -noabc -nofsm -top {module}",
            "setattr -unset init w:*",
            "dfflegalize -cell $_DFF_P_ x",
            "opt_clean",
            "abc -g AND,XOR,MUX",
            "opt_clean",
            f"write_json {i}.json",
        ]
    tools.yosys(script, folder)
    return [Netlist.read(folder / f"{i}.json", module) for i, (module, _) in enumerate(cases)]


def _with_parameters(text, parameters):
    """Return a module with other defaults."""
    for name, value in parameters.items():
        pattern = rf"(parameter (?:\[[^\]]*\] )?{name} = )[^\s,)]+"
        text, n = re.subn(pattern, rf"\g<1>{value}", text)
        assert n == 1, name
    return text


def prove_machine(module, next_state, outputs, start):
    """Assert that a netlist has the outputs of a machine, for every sequence of inputs.

    All pairs of states that inputs can reach have equal outputs, and the machine reaches all states.
    """
    netlist, cells = Netlist(module), Cells.of(module)
    names = [name for name in netlist.inputs if name not in ("clk", "clear")]
    by_output = outputs if outputs.ndim > next_state.ndim else outputs[None]
    first = tuple(register.start for register in cells.registers.values())
    known, todo = {(first, start)}, [(first, start)]
    while todo:
        registers, state = todo.pop()
        for symbol in itertools.product((0, 1), repeat=len(names)):
            now = dict(zip(netlist.registers, registers, strict=True))
            given = {name: [bit] for name, bit in zip(names, symbol, strict=True)}
            after, out = netlist.next_state(1, now, {**given, "clear": [0]})
            wanted = [int(output[(state, *symbol)]) for output in by_output]
            assert [bit for port in out.values() for bit in port] == wanted, (state, symbol)
            pair = tuple(after[q] for q in netlist.registers), int(next_state[(state, *symbol)])
            if pair not in known:
                known.add(pair)
                todo.append(pair)
    assert {state for _, state in known} == set(range(len(next_state)))


class Step:
    """A clock of a netlist as formulas: registers before and after, inputs and outputs by name.

    Registers that synthesis found to be equal are one.
    """

    def __init__(self, netlist, registers=()):
        self.inputs = {name: z3.BitVec(name, len(bits)) for name, bits in netlist.inputs.items()}
        bits = {}
        for name in registers:
            for k, net in enumerate(netlist.names[name]):
                bits.setdefault(net, z3.BitVec(f"{name}.{k}", 1))
        nets = {**bits, "0": 0, "1": 1, "x": 0}
        self.before = {name: joined(nets[n] for n in netlist.names[name]) for name in registers}
        rest = [q for q in netlist.registers if q not in bits]
        named = {net: name for name, nets in netlist.names.items() for net in nets}
        assert not rest, f"registers without a name: {sorted({named[q] for q in rest})}"
        given = {
            name: [z3.Extract(k, k, value) for k in range(value.size())]
            for name, value in self.inputs.items()
        }
        after, outputs = netlist.next_state(z3.BitVecVal(1, 1), bits, given)
        nets.update(after)
        self.after = {name: joined(nets[n] for n in netlist.names[name]) for name in registers}
        self.outputs = {name: joined(values) for name, values in outputs.items()}
        _, later = netlist.next_state(z3.BitVecVal(1, 1), after, given)
        self.outputs_later = {name: joined(values) for name, values in later.items()}


def joined(bits):
    """Return bits, least significant first, as one vector; constants come as integers."""
    whole = [z3.BitVecVal(b, 1) if isinstance(b, int) else b for b in bits][::-1]
    return z3.Concat(*whole) if len(whole) > 1 else whole[0]


def wide(value, size):
    """Return a number with a sign in more bits, as many as no sum overflows."""
    return z3.SignExt(size - value.size(), value)


def unsigned(value, size):
    return z3.ZeroExt(size - value.size(), value)


def number(value, size):
    return z3.BitVecVal(value, size)


def low(value, size):
    """Return the lower bits: the number itself, where it fits."""
    return z3.Extract(size - 1, 0, value) if value.size() > size else value


def bit(condition):
    return z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def held(reads, here, word, step, name):
    """Return the claim that a register has a word at an address if it is read, else what it had."""
    return z3.Implies(here, step.after[name] == z3.If(reads, word, step.before[name]))


def prove(*claims, given=()):
    """Fail with a counterexample unless all claims hold for all values (for which `given` does)."""
    solver = z3.Solver()
    solver.set("timeout", 240_000)
    solver.add(*given)
    solver.add(z3.Or(*(z3.Not(claim) for claim in claims)))
    result = solver.check()
    assert result == z3.unsat, solver.model() if result == z3.sat else result


def lif(v, rest, count, p, enough):
    """Return (spike, v, rest) of a neuron in fixed point, on numbers of `enough` bits."""
    size = enough
    potential, total = wide(v, size), wide(count, size)
    lost = (potential * p["LEAK"]) >> p["LEAK_SHIFT"] if p["LEAK"] else number(0, size)
    most, least = number(2 ** (p["WORD"] - 1) - 1, size), number(-(2 ** (p["WORD"] - 1)), size)
    n = potential - lost + (total << p["FRACTION"])
    n = z3.If(n > most, most, z3.If(n < least, least, n))
    awake = rest == 0
    spike = z3.And(awake, n >= p["THRESHOLD"])
    fallen = n - (p["THRESHOLD"] - p["RESET"]) if p["SUBTRACT"] else number(p["RESET"], size)
    v_next = z3.If(spike, low(fallen, p["WORD"]), z3.If(awake, low(n, p["WORD"]), v))
    period = number(p["REFRACTORY"], p["REST"])
    rest_next = z3.If(spike, period, z3.If(awake, number(0, p["REST"]), rest - 1))
    return spike, v_next, rest_next
