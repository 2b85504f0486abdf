"""Every module, for all states and inputs: its netlist equals its specification."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import z3
from designs import one_layer
from proof import Step, bit, held, joined, lif, low, netlists, number, prove, unsigned

import sc_neurocore.hardware
from sc_neurocore import Hammersley
from sc_neurocore.hardware import Sequence, verilog, write
from sc_neurocore.hardware.emit import _rows, _shift

RTL = sorted((Path(sc_neurocore.hardware.__file__).parent / "rtl").glob("*.v"))


def neuron(word, count, fraction, leak, leak_shift, threshold, reset, subtract, refractory):
    return {
        "WORD": word, "COUNT": count, "FRACTION": fraction, "LEAK": leak, "LEAK_SHIFT": leak_shift,
        "THRESHOLD": threshold, "RESET": reset, "SUBTRACT": subtract, "REFRACTORY": refractory,
        "REST": max(refractory.bit_length(), 1),
    }  # fmt: skip


NEURONS = [
    neuron(16, 5, 4, 1, 4, 1024, 0, 0, 2),
    neuron(16, 8, 4, 1, 3, 300, -20, 1, 0),
    neuron(16, 12, 5, 1, 6, 20000, 0, 0, 15),
    neuron(12, 5, 2, 1, 3, 200, 7, 1, 3),
    neuron(12, 5, 4, 13, 7, 500, -2048, 1, 1),
    neuron(10, 6, 3, 205, 12, 100, -5, 0, 1),
    neuron(8, 7, 5, 1, 2, 127, 0, 1, 0),  # counts reach beyond the word
    neuron(8, 7, 5, 0, 0, 100, -3, 0, 2),  # integrates
    neuron(8, 6, 3, 3, 4, 128, 0, 0, 0),  # never fires
    neuron(8, 4, 1, 1, 0, 9, 0, 0, 0),  # keeps nothing
    neuron(4, 3, 0, 1, 1, 3, -8, 1, 1),
    neuron(8, 4, 1, 1, 3, -5, -9, 0, 1),  # fires at rest
    neuron(20, 6, 12, 1, 5, 2**18 + 1, 3, 1, 0),
    neuron(6, 4, 2, 1, 2, 31, 30, 1, 7),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("proofs")


def test_neurons_step_as_specified(folder):
    for net, p in zip(netlists([("sc_lif", p) for p in NEURONS], RTL, folder), NEURONS, strict=True):
        step = Step(net)
        v, rest, count = (step.inputs[n] for n in ("v", "rest", "count"))
        enough = max(p["WORD"] + 12, p["COUNT"] + p["FRACTION"]) + 4
        spike, v_next, rest_next = lif(v, rest, count, p, enough)
        prove(
            step.outputs["spike"] == bit(spike),
            step.outputs["v_next"] == v_next,
            step.outputs["rest_next"] == rest_next,
        )


def test_thermometers_compare_with_every_number(folder):
    sizes = [1, 2, 5, 8]
    cases = [("sc_thermometer", {"BITS": bits}) for bits in sizes]
    for net, bits in zip(netlists(cases, RTL, folder), sizes, strict=True):
        step = Step(net)
        number_, below = step.inputs["number"], step.outputs["below"]
        prove(*(z3.Extract(k, k, below) == bit(z3.ULT(number_, k)) for k in range(2**bits)))


def test_counts_are_the_ones_among_products(folder):
    sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    made = netlists([("sc_count", {"N": n}) for n in sizes], RTL, folder)
    for net, n in zip(made, sizes, strict=True):
        step = Step(net)
        product = step.inputs["x"] & step.inputs["w"]
        ones = sum((unsigned(z3.Extract(i, i, product), 8) for i in range(n)), number(0, 8))
        prove(unsigned(step.outputs["ones"], 8) == ones)


def test_sequences_count_and_give_the_numbers_of_the_package(folder):
    cases = [(8, 8, 1), (8, 8, 2), (8, 5, 3), (10, 8, 4), (6, 6, 0), (12, 10, 7)]
    sequences = [
        Sequence(Hammersley(width, axis, randomized=False), bits) for width, bits, axis in cases
    ]
    parameters = [
        {"WIDTH": s.width, "BITS": s.bits, "ROWS": _rows(s).replace("_", ""), "SHIFT": _shift(s)}
        for s in sequences
    ]
    made = netlists([("sc_sequence", p) for p in parameters], RTL, folder)
    for net, s in zip(made, sequences, strict=True):
        step = Step(net, ["t"])
        t, clear, go = step.before["t"], step.inputs["clear"], step.inputs["step"]
        after = z3.If(clear == 1, number(0, s.width), z3.If(go == 1, t + 1, t))
        numbers = s.source.numbers([0], 2**s.width, key=0)[0] >> np.uint32(32 - s.bits)
        right = z3.Or(
            *(z3.And(t == i, step.outputs["number"] == int(n)) for i, n in enumerate(numbers))
        )
        prove(step.after["t"] == after)
        prove(right)


def test_the_best_is_found_one_by_one(folder):
    p = {"SPIKES": 5, "WORD": 7, "CLASS": 3}
    (net,) = netlists([("sc_best", p)], RTL, folder)
    step = Step(net, ["best", "highest"])
    best, highest = step.before["best"], step.before["highest"]
    valid, which, spikes, v = (step.inputs[n] for n in ("valid", "neuron", "spikes", "v"))
    # The score of the best so far, as it is held: spikes, then the potential without its sign.
    held_spikes = z3.Extract(11, 7, highest)
    held_v = z3.Extract(6, 0, highest) ^ 0x40
    better = z3.Or(z3.UGT(spikes, held_spikes), z3.And(spikes == held_spikes, v > held_v), which == 0)
    takes = z3.And(valid == 1, better)
    prove(
        step.after["best"] == z3.If(takes, which, best),
        step.after["highest"] == z3.If(takes, z3.Concat(spikes, v ^ 0x40), highest),
        step.outputs["best"] == best,
    )


@pytest.mark.parametrize("pipelined", [0, 1])
def test_control_takes_an_image_runs_its_steps_and_offers_the_class(folder, pipelined):
    take, run, read, offer = range(4)
    for n_in, length in ((1, 1), (5, 3), (3, 9), (8, 8)):
        size = max(n_in, length).bit_length()
        p = {"N_IN": n_in, "LENGTH": length, "COUNT": size, "PIPELINED": pipelined}
        (net,) = netlists([("sc_control", p)], RTL, folder)
        registers = ["state", "issued", "finished"] + ([] if pipelined else ["idle"])
        step = Step(net, registers)
        state, issued, finished = (step.before[n] for n in registers[:3])
        idle = number(1, 1) if pipelined else step.before["idle"]
        i, o, zero = step.inputs, step.outputs, number(0, size)
        ready = z3.And(state == take, i["rst"] == 0)
        takes = z3.And(ready, i["in_valid"] == 1)
        whole = issued == n_in - 1
        steps = z3.And(state == run, issued != length, idle == 1)
        done, last = i["step_done"] == 1, finished == length - 1
        issued_next = z3.If(
            takes,
            z3.If(whole, zero, issued + 1),
            z3.If(steps, issued + 1, z3.If(state == read, zero, issued)),
        )
        moves = [
            (z3.And(takes, whole), run),
            (z3.And(state == run, done, z3.Or(last, i["decided"] == 1)), read),
            (z3.And(state == read, i["class_valid"] == 1), offer),
            (z3.And(state == offer, i["out_ready"] == 1), take),
        ]
        state_next = state
        for condition, to in moves:
            state_next = z3.If(condition, number(to, 2), state_next)
        finished_next = z3.If(
            state == take, zero, z3.If(z3.And(state == run, done), finished + 1, finished)
        )
        held = z3.And(i["rst"] == 0)
        claims = [
            o["in_ready"] == bit(ready),
            o["clear"] == bit(state == take),
            o["take"] == bit(takes),
            o["step"] == bit(steps),
            o["last_step"] == bit(last),
            o["out_valid"] == bit(state == offer),
            z3.If(held, step.after["state"] == state_next, step.after["state"] == take),
            z3.If(held, step.after["issued"] == issued_next, step.after["issued"] == 0),
            z3.Implies(held, step.after["finished"] == finished_next),
        ]
        if not pipelined:
            waits = z3.Or(done, z3.And(idle == 1, z3.Not(steps)))
            idle_next = z3.If(state == take, 1, z3.If(state == run, bit(waits), idle))
            claims.append(z3.Implies(held, step.after["idle"] == idle_next))
        prove(*claims)


def test_encoders_shift_and_compare(folder):
    s = Sequence(Hammersley(4, 2, randomized=False), 4)
    text = {"SEQUENCE": 4, "ROWS": _rows(s).replace("_", ""), "SHIFT": _shift(s)}
    sizes = [1, 3, 6]
    made = netlists([("sc_encoder", {"N_IN": n, "BITS": 4, **text}) for n in sizes], RTL, folder)
    for net, n in zip(made, sizes, strict=True):
        step = Step(net, ["values", "g_numbers.u_sequence.t"])
        values, t = step.before["values"], step.before["g_numbers.u_sequence.t"]
        value, x = step.inputs["value"], step.outputs["x"]
        entered = value if n == 1 else z3.Concat(value, z3.Extract(4 * n - 1, 4, values))
        claims = [step.after["values"] == z3.If(step.inputs["take"] == 1, entered, values)]
        numbers = s.source.numbers([0], 16, key=0)[0] >> np.uint32(28)
        for k, i in product(range(16), range(n)):
            held = z3.Extract(4 * i + 3, 4 * i, values)
            right = z3.Extract(i, i, x) == bit(z3.UGT(held, int(numbers[k])))
            claims.append(z3.Implies(t == k, right))
        prove(*claims)


def test_readouts_count_and_scan(folder):
    n, spikes, word, size = 3, 3, 4, 2
    p = {"N": n, "SPIKES": spikes, "WORD": word, "CLASS": size}
    (net,) = netlists([("sc_readout", p)], RTL, folder)
    names = ["spikes", "scan", "neuron", "class_valid", "u_best.best", "u_best.highest"]
    step = Step(net, names)
    b, a, i = step.before, step.after, step.inputs
    clear, valid = i["clear"] == 1, i["valid"] == 1
    claims = []
    for j in range(n):
        counted = z3.Extract(spikes * j + 2, spikes * j, b["spikes"])
        fired = z3.And(valid, z3.Extract(j, j, i["spike"]) == 1)
        expected = z3.If(clear, number(0, spikes), z3.If(fired, counted + 1, counted))
        claims.append(z3.Extract(spikes * j + 2, spikes * j, a["spikes"]) == expected)
        score = z3.Concat(counted, z3.Extract(word * j + 3, word * j, i["v"]) ^ 8)
        takes = z3.And(b["scan"] == 1, b["neuron"] == j)
        better = z3.Or(number(j, size) == 0, z3.UGT(score, b["u_best.highest"]))
        best = z3.If(better, number(j, size), b["u_best.best"])
        claims.append(z3.Implies(takes, a["u_best.best"] == best))
    scans = z3.Or(z3.And(valid, i["last"] == 1), z3.And(b["scan"] == 1, b["neuron"] != n - 1))
    claims += [
        a["scan"] == bit(z3.And(z3.Not(clear), scans)),
        a["neuron"] == z3.If(b["scan"] == 1, b["neuron"] + 1, 0),
        a["class_valid"] == bit(z3.And(b["scan"] == 1, b["neuron"] == n - 1)),
        step.outputs["class_valid"] == b["class_valid"],
        step.outputs["best"] == b["u_best.best"],
    ]
    prove(*claims)


def test_spikes_are_kept_in_words(folder):
    for pe, simd, double in ((1, 4, 0), (2, 4, 0), (4, 4, 0), (1, 1, 0), (2, 4, 1)):
        columns = 4 if double else 3
        p = {"PE": pe, "SIMD": simd, "COLUMNS": columns, "COLUMN": 2, "DOUBLE": double}
        (net,) = netlists([("sc_spikes", p)], RTL, folder)
        memory = [f"words[{c}]" for c in range(columns)]
        names = ["place", "column", "x_word"] + ["word"] * (simd > pe)  # whole words are not gathered
        step = Step(net, [*names, *memory])
        b, a, i = step.before, step.after, step.inputs
        clear, valid, done = (i[n] == 1 for n in ("clear", "valid", "done"))
        parts = simd // pe
        for part in range(parts):
            at = b["place"] == 1 << (part * pe)
            before = number(0, simd) if part == 0 else b["word"]
            fired = unsigned(i["spike"], simd) << (part * pe)
            mask = number(((1 << pe) - 1) << (part * pe), simd)
            grown = (before & ~mask) | fired
            ends = z3.Or(done, z3.BoolVal(part == parts - 1))
            claims = [
                z3.If(
                    z3.And(valid, ends, b["column"] == c),
                    a[memory[c]] == grown,
                    a[memory[c]] == b[memory[c]],
                )
                for c in range(columns)
            ]
            column = z3.If(ends, b["column"] + 1, b["column"])
            begun = ~b["column"] & 2 if double else number(0, 2)  # the other half, or the only one
            column = z3.If(z3.And(valid, done), begun, z3.If(valid, column, b["column"]))
            claims.append(a["column"] == z3.If(clear, 0, column))
            if parts > 1:
                claims.append(z3.Implies(valid, a["word"] == grown))
            one = number(1, b["place"].size())  # upper bits that nothing needs are not there
            moved = z3.If(ends, one, b["place"] << pe)
            place = z3.If(clear, one, z3.If(valid, moved, b["place"]))
            claims.append(a["place"] == place)
            claims += [
                held(i["x_read"] == 1, i["x_address"] == c, b[memory[c]], step, "x_word")
                for c in range(columns)
            ]
            # Beyond the last word nothing is kept; the control never goes there.
            prove(*claims, given=[at, z3.ULT(b["column"], columns)])


@pytest.mark.long
def test_the_whole_unrolled_layer_8x4(folder):
    design = one_layer(8, 4, "unrolled", 1 / 24)
    (layer,) = design.layers
    write({n: t for n, t in verilog(design).items() if "_layer0" in n}, folder)
    files = [*RTL, folder / "layer_layer0.v"]
    (net,) = netlists([("layer_layer0", {})], files, folder)
    names = ["u_sequence.t", "fire", "valid"]
    of_neuron = [[f"u_neuron{j}.{n}" for n in ("count", "rest")] for j in range(4)]
    step = Step(net, [*names, *(n for names in of_neuron for n in names), "spike", "v"])
    b, a, i = step.before, step.after, step.inputs
    p = {
        "WORD": 16, "FRACTION": layer.neuron.fraction, "LEAK": layer.neuron.leak,
        "LEAK_SHIFT": layer.neuron.leak_shift, "THRESHOLD": layer.neuron.threshold,
        "RESET": layer.neuron.reset, "SUBTRACT": layer.neuron.subtract,
        "REFRACTORY": layer.neuron.refractory, "REST": layer.rest_bits,
    }  # fmt: skip
    clear, go, fire = i["clear"] == 1, i["step"] == 1, b["fire"] == 1
    t = b["u_sequence.t"]
    numbers = (layer.numbers.source.numbers([0], 256, key=0)[0] >> np.uint32(24)).tolist()
    seen = z3.BitVec("seen", 8)  # the number at t
    given = [z3.Or(*(z3.And(t == k, seen == n) for k, n in enumerate(numbers)))]
    claims = [
        a["u_sequence.t"] == z3.If(clear, 0, z3.If(go, t + 1, t)),
        a["fire"] == bit(z3.And(go, z3.Not(clear))),
        a["valid"] == bit(z3.And(fire, z3.Not(clear))),
        step.outputs["valid"] == b["valid"],
        step.outputs["spike"] == b["spike"],
        step.outputs["v"] == b["v"],
    ]
    for j in range(4):
        total = number(0, 5)
        for k in range(8):
            on = z3.And(z3.Extract(k, k, i["x"]) == 1, z3.ULT(seen, int(layer.magnitudes[j, k])))
            total = total + z3.If(on, number(-1 if layer.negative[j, k] else 1, 5), number(0, 5))
        count, rest = (b[n] for n in of_neuron[j])
        claims.append(a[of_neuron[j][0]] == z3.If(go, total, count))
        v = z3.Extract(16 * j + 15, 16 * j, b["v"])
        spike, v_next, rest_next = lif(v, rest, count, p, 32)
        hold = z3.Extract(j, j, b["spike"])
        claims += [
            z3.Extract(16 * j + 15, 16 * j, a["v"]) == z3.If(clear, 0, z3.If(fire, v_next, v)),
            a[of_neuron[j][1]] == z3.If(clear, 0, z3.If(fire, rest_next, rest)),
            z3.Extract(j, j, a["spike"]) == z3.If(clear, 0, z3.If(fire, bit(spike), hold)),
        ]
    for claim in claims:
        prove(claim, given=given)


def test_constants_are_read_from_every_part_of_their_memory(folder):
    # 11 words, cut into 8, 2 and 1 as those of a deep memory are.
    words = np.random.default_rng(1).integers(0, 64, 11)
    for part, (first, last) in enumerate(((0, 8), (8, 10), (10, 11))):
        text = "".join(f"{w:02x}\n" for w in words[first:last])
        (folder / f"constants_{part}.hex").write_text(text)
    p = {"DEPTH": 11, "WIDTH": 6, "ADDRESS": 4, "FILE": '"constants"'}
    cut = [f if f.stem != "sc_weights" else folder / "sc_weights.v" for f in RTL]
    text = (RTL[0].parent / "sc_weights.v").read_text()
    (folder / "sc_weights.v").write_text(text.replace("DEPTH < 2048", "DEPTH < 2"))
    (net,) = netlists([("sc_weights", p)], cut, folder)
    registers = [n for n in net.names if n.endswith(("of_bank", "beyond"))]
    step = Step(net, registers)
    address, read = step.inputs["address"], step.inputs["read"] == 1
    word = step.outputs_later["word"]
    prove(
        *(z3.Implies(z3.And(read, address == k), word == int(w)) for k, w in enumerate(words)),
        z3.Implies(z3.Not(read), word == step.outputs["word"]),
    )
    for k, part in enumerate(
        ("of_bank", "g_left.u_left.of_bank", "g_left.u_left.g_left.u_left.of_bank")
    ):
        used = (z3.ULT(address, 8), z3.And(z3.UGE(address, 8), z3.ULT(address, 10)), address == 10)[k]
        prove(
            z3.Implies(z3.Not(z3.And(read, used)), step.after[part] == step.before[part]),
            given=[z3.ULT(address, 11)],
        )


@pytest.mark.parametrize("pause", [None, 0, 1, 2])
def test_readouts_of_folded_layers_count_in_a_memory(folder, pause):
    length, early = 6, pause is not None
    p = {"N": 3, "SPIKES": 3, "WORD": 4, "CLASS": 2, "EARLY": int(early), "LENGTH": length}
    (net,) = netlists([("sc_readout_folded", {**p, "PAUSE": pause or 0})], RTL, folder)
    memory = [f"counts[{c}]" for c in range(3)]
    names = ["fresh", "class_valid", "u_best.best", "u_best.highest", *memory]
    extra = ["first", "second", "left", "ended"] + (["phase"] if pause else [])
    step = Step(net, [*names, *(f"g_early.{name}" for name in extra if early)])
    b, a, i, o = step.before, step.after, step.inputs, step.outputs
    valid, clear, last = (i[n] == 1 for n in ("valid", "clear", "last"))
    which = i["neuron"]
    claims, count_of = [], []
    for c in range(3):
        held = z3.If(b["fresh"] == 1, number(0, 3), b[memory[c]])
        count = held + unsigned(i["spike"], 3)
        count_of.append(count)
        here = z3.And(valid, which == c)
        claims.append(a[memory[c]] == z3.If(here, count, b[memory[c]]))
        score = z3.Concat(count, i["v"] ^ 8)
        better = z3.Or(z3.BoolVal(c == 0), z3.UGT(score, b["u_best.highest"]))
        compared = z3.BoolVal(True) if early else last
        best = z3.If(z3.And(compared, better), which, b["u_best.best"])
        claims.append(z3.Implies(here, a["u_best.best"] == best))
    ends = z3.And(valid, i["done"] == 1)
    fresh = z3.If(clear, number(1, 1), z3.If(ends, number(0, 1), b["fresh"]))
    claims += [
        a["fresh"] == fresh,
        o["best"] == b["u_best.best"],
        o["class_valid"] == b["class_valid"],
    ]
    if early:
        first, second, left = (b[f"g_early.{name}"] for name in ("first", "second", "left"))
        for c in range(3):
            high, low_ = (first, second) if c else (number(0, 3), number(0, 3))
            leads = z3.UGT(count_of[c], high)
            here = z3.And(valid, which == c)
            other = z3.If(z3.UGT(count_of[c], low_), count_of[c], low_)
            claims.append(
                z3.Implies(
                    here,
                    z3.And(
                        a["g_early.first"] == z3.If(leads, count_of[c], high),
                        a["g_early.second"] == z3.If(leads, high, other),
                    ),
                )
            )
        decided = z3.UGT(z3.ZeroExt(1, first), z3.ZeroExt(1, second) + z3.ZeroExt(1, left))
        ended = b["g_early.ended"] == 1
        claims += [
            a["g_early.ended"] == bit(z3.And(ends, z3.Not(clear))),
            o["decided"] == bit(decided),
            o["step_done"] == b["g_early.ended"],
            a["class_valid"] == bit(z3.And(ended, z3.Or(last, decided), z3.Not(clear))),
        ]
        # After r steps fewer, `left` is the largest number of spikes of a neuron that rests in between.
        most = [-(-(length - t) // (1 + pause)) for t in range(length + 1)]
        phases = [(length - t - 1) % (1 + pause) for t in range(length + 1)]
        phase = b["g_early.phase"] if pause else None
        for t in range(length):
            at = [left == most[t], *([phase == phases[t]] if pause else [])]
            after = [a["g_early.left"] == z3.If(ends, number(most[t + 1], 3), left)]
            if pause:
                size = phase.size()
                next_ = z3.If(ends, number(phases[t + 1] % (1 + pause), size), phase)
                after.append(a["g_early.phase"] == next_)
            claims.append(z3.Implies(z3.And(z3.Not(clear), *at), z3.And(*after)))
        start = [a["g_early.left"] == most[0]] + ([a["g_early.phase"] == phases[0]] if pause else [])
        claims.append(z3.Implies(clear, z3.And(*start)))
    else:
        claims += [
            a["class_valid"] == bit(z3.And(ends, last, z3.Not(clear))),
            o["step_done"] == bit(ends),
            o["decided"] == 0,
        ]
    prove(*claims, given=[z3.ULT(which, 3)])


def test_images_are_kept_in_words_and_compared(folder):
    s = Sequence(Hammersley(3, 2, randomized=False), 3)
    numbers = (s.source.numbers([0], 8, key=0)[0] >> np.uint32(29)).tolist()
    text = {"SEQUENCE": 3, "ROWS": _rows(s).replace("_", ""), "SHIFT": _shift(s)}
    cases = (5, 2, 0, 0), (4, 2, 0, 0), (3, 4, 0, 0), (5, 2, 1, 0), (3, 2, 1, 1)
    for n_in, simd, sparse, double in cases:
        words, last_lane = -(-n_in // simd), (n_in - 1) % simd
        words, last_word = 4 if double else words, words - 1
        p = {"N_IN": n_in, "SIMD": simd, "BITS": 3, "COLUMN": 2, "SPARSE": sparse, **text}
        p["DOUBLE"] = double
        (net,) = netlists([("sc_image", p)], RTL, folder)
        memory = [f"values[{c}]" for c in range(words)]
        flags = [f"g_sparse.actives[{c}]" for c in range(words) if sparse]
        flag = ["g_sparse.of_word"] if sparse else []
        names = ["word", "read", "column", "place", "g_numbers.u_sequence.t"]
        step = Step(net, [*names, *memory, *flags, *flag])
        b, a, i = step.before, step.after, step.inputs
        take, rst, drop = (i[name] == 1 for name in ("take", "rst", "drop"))
        for lane in range(simd):
            on_last = b["column"] & (1 if double else 3) == last_word
            whole = z3.And(z3.BoolVal(lane == last_lane), on_last)
            ends = z3.Or(z3.BoolVal(lane == simd - 1), whole)
            mask = number(7 << (3 * lane), 3 * simd)
            begun = number(0, 3 * simd) if sparse and lane == 0 else b["word"]
            grown = (begun & ~mask) | (unsigned(i["value"], 3 * simd) << (3 * lane))
            first = ~b["column"] & 2 if double else number(0, 2)
            column = z3.If(whole, first, z3.If(ends, b["column"] + 1, b["column"]))
            one = number(1, simd)
            claims = [
                a["word"] == z3.If(take, grown, b["word"]),
                a["column"]
                == z3.If(
                    rst, 0, z3.If(drop, b["column"] & 2 * double, z3.If(take, column, b["column"]))
                ),
                a["place"]
                == z3.If(
                    z3.Or(rst, drop),
                    one,
                    z3.If(take, z3.If(ends, one, b["place"] << 1), b["place"]),
                ),
            ]
            for c in range(words):
                stored = z3.And(take, ends, b["column"] == c)
                claims.append(a[memory[c]] == z3.If(stored, grown, b[memory[c]]))
                here, needed = i["x_address"] == c, i["x_read"] == 1
                if sparse:
                    active = bit(grown != 0)
                    claims.append(a[flags[c]] == z3.If(stored, active, b[flags[c]]))
                    claims.append(z3.Implies(here, a[flag[0]] == b[flags[c]]))
                    needed = z3.And(needed, b[flags[c]] == 1)
                claims.append(held(needed, here, b[memory[c]], step, "read"))
            for t, n in enumerate(numbers):
                bits = [z3.UGT(z3.Extract(3 * k + 2, 3 * k, b["read"]), n) for k in range(simd)]
                bits = [z3.And(one, b[flag[0]] == 1) for one in bits] if sparse else bits
                right = step.outputs["x_word"] == joined([bit(x) for x in bits])
                claims.append(z3.Implies(b["g_numbers.u_sequence.t"] == t, right))
            given = [
                b["place"] == 1 << lane,
                z3.BoolVal(True) if double else z3.ULT(b["column"], words),
            ]
            prove(*claims, given=given)


@pytest.mark.long
def test_folded_layers_step_their_pipeline(folder):
    rng = np.random.default_rng(2)
    for has_bias, pe, refractory, banks in ((0, 1, 2, 0), (1, 2, 0, 0), (1, 2, 0, 2)):
        n_out, simd, bits, columns = 4, 2, 3, 2
        n_in = 4 if not has_bias else 3
        lif_ = neuron(8, 4, 1, 1, 2, 9, -2, int(refractory > 0), refractory)
        groups, lane = n_out // pe, bits + 1
        words = [int(w) for w in rng.integers(0, 1 << (lane * simd * pe), columns * groups)]
        name = f"folded{has_bias}{banks}"
        of_lane = [[w >> (lane * k) & ((1 << lane) - 1) for k in range(simd * pe)] for w in words]
        # The words of a bank of one lane, with a weight of each neuron.
        split = [
            [sum(w[k * simd + n] << (lane * k) for k in range(pe)) for w in of_lane]
            for n in range(banks)
        ]
        for file, values in ((name, words), *((f"{name}_{n:02x}", split[n]) for n in range(banks))):
            (folder / f"{file}_0.hex").write_text("".join(f"{w:x}\n" for w in values))
        s = Sequence(Hammersley(3, 2, randomized=False), 3)
        numbers = (s.source.numbers([0], 8, key=0)[0] >> np.uint32(29)).tolist()
        p = {
            **lif_, "N_IN": n_in, "SIMD": simd, "PE": pe, "BITS": bits, "BIAS": has_bias,
            "BANKS": banks, "SEQUENCE": 3, "ROWS": _rows(s).replace("_", ""), "SHIFT": _shift(s),
            "COLUMNS": columns, "GROUPS": groups, "COLUMN": 1, "GROUP": (groups - 1).bit_length(),
            "ADDRESS": (columns * groups - 1).bit_length(), "WEIGHTS": f'"{name}"',
        }  # fmt: skip
        (net,) = netlists([("sc_folded", p)], RTL, folder)
        memory = [f"states[{g}]" for g in range(groups)]
        counts = [f"g_pe[{k}].count" for k in range(pe)]
        names = [
            "busy", "column_a", "group_a", "address", "valid_b", "first_b", "last_b", "group_b",
            "u_sequence.t", "state_read", "valid_c", "group_c", "fresh",
            "valid", "group", "spike", "v", "done", *counts, *memory,
        ]  # fmt: skip
        late = [
            f"g_weights.{n}" for n in ("late", "first", "last", "group_late", "address_late", "x_late")
        ]
        banked = [f"g_weights.g_bank[{n}].u_weights.of_bank" for n in range(banks)]
        names += [*late, *banked] if banks else ["g_weights.u_weights.of_bank"]
        step = Step(net, names)
        b, a, i = step.before, step.after, step.inputs
        clear, go, busy = i["clear"] == 1, i["step"] == 1, b["busy"] == 1
        last_column, last_group = b["column_a"] == columns - 1, b["group_a"] == groups - 1
        size = b["group_a"].size()
        first = (b["busy"], bit(b["column_a"] == 0), bit(last_column), b["group_a"], b["address"])
        reads, is_first, is_last, group, address = first if not banks else (b[n] for n in late[:5])
        x_now, last_x = i["x_word"], is_last if banks else b["last_b"]
        if has_bias:
            x_now = x_now | z3.If(last_x == 1, number(1 << (n_in - 1) % simd, simd), number(0, simd))
        if banks:
            used = number((1 << (n_in - 1) % simd + 1) - 1, simd)
            x_now = z3.If(last_x == 1, x_now & used, x_now)
        x = b[late[5]] if banks else x_now
        stored = [(banked[n], split[n], z3.Extract(n, n, x_now) == 1) for n in range(banks)]
        stored = stored or [("g_weights.u_weights.of_bank", words, z3.BoolVal(True))]
        claims = [
            a["busy"]
            == bit(z3.And(z3.Not(clear), z3.If(busy, z3.Not(z3.And(last_column, last_group)), go))),
            z3.Implies(
                z3.And(busy, z3.Not(clear)),
                z3.And(
                    a["column_a"] == z3.If(last_column, 0, b["column_a"] + 1),
                    a["group_a"] == z3.If(last_column, b["group_a"] + 1, b["group_a"]),
                    a["address"] == b["address"] + 1,
                ),
            ),
            z3.Implies(
                z3.And(z3.Not(busy), z3.Not(clear)),
                z3.And(a["column_a"] == 0, a["group_a"] == 0, a["address"] == 0),
            ),
            step.outputs["x_address"] == b["column_a"],
            step.outputs["x_read"] == b["busy"],
            a["valid_b"] == bit(z3.And(reads == 1, z3.Not(clear))),
            a["first_b"] == is_first,
            a["last_b"] == is_last,
            a["group_b"] == group,
            *(
                held(
                    z3.And(reads == 1, needed),
                    address == k,
                    number(w, b[of_bank].size()),
                    step,
                    of_bank,
                )
                for of_bank, each, needed in stored
                for k, w in enumerate(each)
            ),
            a["valid_c"] == bit(z3.And(b["valid_b"] == 1, b["last_b"] == 1, z3.Not(clear))),
            a["group_c"] == b["group_b"],
            a["valid"] == bit(z3.And(b["valid_c"] == 1, z3.Not(clear))),
            a["done"] == bit(z3.And(b["valid_c"] == 1, b["group_c"] == groups - 1, z3.Not(clear))),
            a["fresh"] == z3.If(clear, 1, z3.If(b["done"] == 1, 0, b["fresh"])),
            a["u_sequence.t"]
            == z3.If(clear, 0, z3.If(b["done"] == 1, b["u_sequence.t"] + 1, b["u_sequence.t"])),
            *(
                held(b["last_b"] == 1, b["group_b"] == g, b[memory[g]], step, "state_read")
                for g in range(groups)
            ),
        ]
        if banks:
            claims += [a[n] == now for n, now in zip(late[1:5], first[1:], strict=True)]
            claims += [a[late[0]] == bit(z3.And(busy, z3.Not(clear))), a[late[5]] == x_now]
        prove(*claims)
        # B: products of a word with the number of the step, added up.
        if banks:
            parts = [
                z3.Extract(lane * k + lane - 1, lane * k, b[banked[n]])
                for k in range(pe)
                for n in range(banks)
            ]
            weights = z3.Concat(*parts[::-1])
        else:
            weights = b["g_weights.u_weights.of_bank"]
        for t, seen in enumerate(numbers):
            sums = []
            for k in range(pe):
                total = z3.If(b["first_b"] == 1, number(0, 4), b[counts[k]])
                for j in range(simd):
                    at = (k * simd + j) * lane
                    magnitude = z3.Extract(at + bits - 1, at, weights)
                    on = z3.Extract(j, j, x) == 1
                    negative = z3.Extract(at + bits, at + bits, weights) == 1
                    one = z3.If(negative, number(-1, 4), number(1, 4))
                    total = total + z3.If(z3.And(on, z3.UGT(magnitude, seen)), one, number(0, 4))
                expected = z3.If(b["valid_b"] == 1, total, b[counts[k]])
                sums.append(a[counts[k]] == expected)
            prove(*sums, given=[b["u_sequence.t"] == t])
        # C: the step of a group, kept in its place and given out.
        kept = 8 + (lif_["REST"] if refractory else 0)
        after, spikes, potentials = [], [], []
        for k in range(pe):
            state = z3.Extract(kept * k + kept - 1, kept * k, b["state_read"])
            state = z3.If(b["fresh"] == 1, number(0, kept), state)
            rest = z3.Extract(kept - 1, 8, state) if refractory else number(0, 1)
            spike, v_next, rest_next = lif(z3.Extract(7, 0, state), rest, b[counts[k]], lif_, 24)
            after.append(z3.Concat(rest_next, v_next) if refractory else v_next)
            spikes.append(bit(spike))
            potentials.append(v_next)
        together = [z3.Concat(*v[::-1]) if pe > 1 else v[0] for v in (after, spikes, potentials)]
        now = b["valid_c"] == 1
        claims = [
            z3.If(
                z3.And(now, b["group_c"] == g),
                a[memory[g]] == together[0],
                a[memory[g]] == b[memory[g]],
            )
            for g in range(groups)
        ]
        claims += [
            a["spike"] == z3.If(now, together[1], b["spike"]),
            a["v"] == z3.If(now, together[2], b["v"]),
            a["group"] == z3.If(now, b["group_c"], b["group"]),
        ]
        prove(*claims)
        assert size == (groups - 1).bit_length()


def test_a_wrong_specification_is_not_proved(folder):
    (net,) = netlists([("sc_lif", NEURONS[0])], RTL, folder)
    step = Step(net)
    v, rest, count = (step.inputs[n] for n in ("v", "rest", "count"))
    wrong = {**NEURONS[0], "THRESHOLD": NEURONS[0]["THRESHOLD"] + 1}
    spike, _, _ = lif(v, rest, count, wrong, 32)
    with pytest.raises(AssertionError):
        prove(step.outputs["spike"] == bit(spike))
    assert low(joined([1, 0, 1]), 3).size() == 3
