"""Modules of networks of every kind, for all states and inputs: netlists equal specifications."""

from pathlib import Path

import numpy as np
import pytest
import z3
from proof import Step, bit, held, joined, lif, low, netlists, number, prove, unsigned, wide

import sc_neurocore.hardware
from sc_neurocore import Hammersley
from sc_neurocore.hardware import Sequence
from sc_neurocore.hardware.emit import _rows, _shift, library_text

RTL = sorted((Path(sc_neurocore.hardware.__file__).parent / "rtl").glob("*.v"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("proofs")


def test_neurons_with_parameters_of_their_own_step_as_specified(folder):
    word, size, leak_bits, rest_bits = 6, 20, 3, 2
    for subtract in (0, 1):
        p = {
            "WORD": word, "COUNT": 4, "FRACTION": 1, "LEAK": 0, "LEAK_SHIFT": 3, "THRESHOLD": 0,
            "RESET": 0, "SUBTRACT": subtract, "REFRACTORY": 3, "REST": rest_bits,
            "LEAK_OWN": leak_bits, "LEVELS_OWN": 1, "REST_OWN": 1,
            "OWN": leak_bits + 2 * word + 1 + rest_bits,
        }  # fmt: skip
        (net,) = netlists([("sc_lif", p)], RTL, folder)
        step = Step(net)
        own = step.inputs["own"]
        at = leak_bits + word + 1
        threshold = wide(z3.Extract(at - 1, leak_bits, own), size)
        reset = z3.Extract(at + word - 1, at, own)
        period = z3.Extract(at + word + rest_bits - 1, at + word, own)
        v, rest, count = (step.inputs[n] for n in ("v", "rest", "count"))
        potential, total = wide(v, size), wide(count, size)
        lost = (potential * unsigned(z3.Extract(leak_bits - 1, 0, own), size)) >> 3
        most, least = number(31, size), number(-32, size)
        n = potential - lost + (total << 1)
        n = z3.If(n > most, most, z3.If(n < least, least, n))
        awake = rest == 0
        spike = z3.And(awake, n >= threshold)  # 32, which no potential reaches, is a threshold too
        fallen = low(n - (threshold - wide(reset, size)), word) if subtract else reset
        prove(
            step.outputs["spike"] == bit(spike),
            step.outputs["v_next"] == z3.If(spike, fallen, z3.If(awake, low(n, word), v)),
            step.outputs["rest_next"] == z3.If(spike, period, z3.If(awake, 0, rest - 1)),
            given=[threshold > -32, threshold <= 32],  # above the reset
        )


CURRENTS = {
    0: [(8, 5, 2, 1, 2, 1), (8, 7, 4, 3, 3, 0), (12, 6, 3, 13, 6, 4), (6, 4, 1, 1, 0, 2)],
    2: [(6, 4, 1, 1, 2, 2)],
}


@pytest.mark.parametrize("own", CURRENTS)
def test_synaptic_currents_step_as_specified(folder, own):
    # Word, count, fraction, leak, leak_shift, drop.
    for word, count, fraction, leak, shift, drop in CURRENTS[own]:
        p = {
            "WORD": word, "COUNT": count, "FRACTION": fraction, "LEAK": leak, "LEAK_SHIFT": shift,
            "DROP": drop, "LEAK_OWN": own, "OWN": max(own, 1),
        }  # fmt: skip
        (net,) = netlists([("sc_synapse", p)], RTL, folder)
        step, size = Step(net), word + count + fraction + 8
        i, total = (wide(step.inputs[n], size) for n in ("i", "count"))
        factor = unsigned(step.inputs["own"], size) if own else number(leak, size)
        bounded = [z3.ULE(factor, 1 << shift)]
        most, least = number(2 ** (word - 1) - 1, size), number(-(2 ** (word - 1)), size)
        n = i - (i * factor >> shift) + (total << fraction)
        n = z3.If(n > most, most, z3.If(n < least, least, n))
        prove(
            step.outputs["i_next"] == low(n, word),
            step.outputs["drive"] == low(n >> drop, word),
            given=bounded,
        )


@pytest.mark.parametrize(("slots", "double"), [(1, 0), (4, 0), (4, 1)])
def test_spikes_of_patches_and_of_the_past_are_kept(folder, slots, double):
    for pe, simd in ((1, 4), (2, 4), (2, 2)):
        words, address, stride = 4, 2, 2
        p = {
            "PE": pe, "SIMD": simd, "WORDS": words, "STRIDE": stride, "ADDRESS": address,
            "SLOTS": slots, "BACK": 2, "DOUBLE": double,
        }  # fmt: skip
        (net,) = netlists([("sc_history", p)], RTL, folder)
        inner = "g_slots."
        memory = [f"{inner}words[{k}]" for k in range(words * slots)]
        names = [*(["word", "place"] if simd > pe else []), "column", "patch", f"{inner}read", *memory]
        names += [f"{inner}{n}" for n in ("slot", "kept", "arrived")] if slots > 1 else []
        names += [f"{inner}g_passes.of_reader"] if double else []
        step = Step(net, names)
        b, a, i = step.before, step.after, step.inputs
        clear, valid, ends, done = (i[n] == 1 for n in ("clear", "valid", "ends", "done"))
        slot = b[f"{inner}slot"] if slots > 1 else number(0, 2)
        for part in range(simd // pe):
            fired = unsigned(i["spike"], simd) << (part * pe)
            mask = number(((1 << pe) - 1) << (part * pe), simd)
            given = []
            grown = fired
            if simd > pe:
                given = [b["place"] == 1 << (part * pe)]
                grown = ((number(0, simd) if part == 0 else b["word"]) & ~mask) | fired
            full = z3.Or(ends, z3.BoolVal(part == simd // pe - 1))
            claims = []
            for k in range(words * slots):
                here = z3.And(b["column"] == k % words, slot == k // words)
                claims.append(a[memory[k]] == z3.If(z3.And(valid, full, here), grown, b[memory[k]]))
            column = z3.If(full, b["column"] + stride, b["column"])
            column = z3.If(ends, b["patch"] + 1, column)
            zero = z3.Or(clear, z3.And(valid, done))
            claims.append(a["column"] == z3.If(zero, 0, z3.If(valid, column, b["column"])))
            patch = z3.If(z3.And(valid, ends), b["patch"] + 1, b["patch"])
            claims.append(a["patch"] == z3.If(zero, 0, patch))
            if simd > pe:
                one = number(1, b["place"].size())
                moved = z3.If(full, one, b["place"] << pe)
                claims.append(a["place"] == z3.If(clear, one, z3.If(valid, moved, b["place"])))
            passes = b[f"{inner}g_passes.of_reader"] if double else slot
            from_slot = passes - i["back"] if slots > 1 else slot
            for k in range(words * slots):
                here = z3.And(i["x_address"] == k % words, from_slot == k // words)
                claims.append(held(i["x_read"] == 1, here, b[memory[k]], step, f"{inner}read"))
            x = b[f"{inner}read"]
            if slots > 1:
                kept, counts = b[f"{inner}kept"], z3.And(valid, done)
                claims.append(a[f"{inner}slot"] == z3.If(clear, 0, z3.If(counts, slot + 1, slot)))
                if double:  # the reader counts passes, and the first one is done before it begins
                    counts = i["reader_done"] == 1
                    counted = z3.If(counts, passes + 1, passes)
                    claims.append(a[f"{inner}g_passes.of_reader"] == z3.If(clear, 1, counted))
                more = z3.If(z3.And(counts, kept != 3), kept + 1, kept)
                claims += [
                    a[f"{inner}kept"] == z3.If(clear, double, more),
                    a[f"{inner}arrived"] == bit(z3.ULE(i["back"], kept)),
                ]
                x = z3.If(b[f"{inner}arrived"] == 1, x, 0)
            claims.append(step.outputs["x_word"] == x)
            prove(*claims, given=given)


def test_samples_are_compared_with_the_number_of_their_bit_and_step(folder):
    s = Sequence(Hammersley(4, 2, randomized=False), 3)
    numbers = (s.source.numbers([0], 16, key=0)[0] >> np.uint32(29)).tolist()
    p = {
        "N_IN": 4, "SIMD": 2, "BITS": 3, "COLUMN": 1, "SEQUENCE": 4, "SUB": 2, "BIT": 2, "BACK": 2,
        "ROWS": _rows(s).replace("_", ""), "SHIFT": _shift(s),
    }  # fmt: skip
    halves = {**p, "N_IN": 3, "COLUMN": 2, "DOUBLE": 1}
    net, double = netlists([("sc_samples", p), ("sc_samples", halves)], RTL, folder)
    step = Step(
        double,
        [
            "word",
            "read",
            "column",
            "place",
            "t",
            "done",
            "back_read",
            *(f"values[{k}]" for k in range(4)),
        ],
    )
    b, a, i = step.before, step.after, step.inputs
    for lane in range(2):
        ends = z3.Or(z3.BoolVal(lane == 1), b["column"] & 1 == 1)
        column = z3.If(
            z3.And(z3.BoolVal(lane == 0), b["column"] & 1 == 1), ~b["column"] & 2, b["column"] + 1
        )
        column = z3.If(z3.And(i["take"] == 1, ends), column, b["column"])
        prove(
            a["column"] == z3.If(i["rst"] == 1, 0, z3.If(i["drop"] == 1, b["column"] & 2, column)),
            z3.Implies(z3.Or(i["rst"] == 1, i["drop"] == 1), a["place"] == 1),
            *(
                held(i["x_read"] == 1, i["x_address"] == k, b[f"values[{k}]"], step, "read")
                for k in range(4)
            ),
            given=[b["place"] == 1 << lane],
        )
    names = ["word", "read", "column", "place", "t", "done", "back_read", "values[0]", "values[1]"]
    step = Step(net, names)
    b, a, i = step.before, step.after, step.inputs
    clear, following = i["clear"] == 1, i["next"] == 1
    t, done = low(b["t"], 2), b["done"]  # nothing needs the upper bits
    prove(
        low(a["t"], 2) == z3.If(clear, 0, z3.If(following, t + 1, t)),
        a["done"] == z3.If(clear, 0, z3.If(z3.And(following, done != 3), done + 1, done)),
        a["back_read"] == i["back"],
        *(
            held(i["x_read"] == 1, i["x_address"] == k, b[f"values[{k}]"], step, "read")
            for k in range(2)
        ),
    )
    at = z3.Concat(t - b["back_read"], i["sub"])
    for k, n in enumerate(numbers):
        arrived = z3.ULE(b["back_read"], done)
        bits = [z3.And(arrived, z3.UGT(z3.Extract(3 * j + 2, 3 * j, b["read"]), n)) for j in (0, 1)]
        right = step.outputs["x_word"] == joined([bit(x) for x in bits])
        prove(right, given=[at == k])


def test_control_reads_the_values_of_every_step(folder):
    take, run, read, offer = range(4)
    for n_in, length in ((1, 1), (5, 3), (3, 9)):
        size = max(n_in, length).bit_length()
        p = {"N_IN": n_in, "LENGTH": length, "COUNT": size, "PIPELINED": 0, "FRAMES": 1}
        (net,) = netlists([("sc_control", p)], RTL, folder)
        step = Step(net, ["state", "issued", "finished", "idle"])
        state, issued, finished, idle = (
            step.before[n] for n in ("state", "issued", "finished", "idle")
        )
        i, o, zero = step.inputs, step.outputs, number(0, size)
        ready = z3.And(state == take, i["rst"] == 0)
        takes = z3.And(ready, i["in_valid"] == 1)
        whole, done = issued == n_in - 1, i["step_done"] == 1
        last = finished == length - 1
        steps = z3.And(state == run, issued != length, idle == 1)
        moves = [
            (z3.And(takes, whole), run),
            (z3.And(state == run, done), take),
            (z3.And(state == run, done, z3.Or(last, i["decided"] == 1)), read),
            (z3.And(state == read, i["class_valid"] == 1), offer),
            (z3.And(state == offer, i["out_ready"] == 1), take),
        ]
        state_next = state
        for condition, to in moves:
            state_next = z3.If(condition, number(to, 2), state_next)
        issued_next = z3.If(
            takes,
            z3.If(whole, zero, issued + 1),
            z3.If(
                z3.Or(state == read, z3.And(state == run, done)),
                zero,
                z3.If(steps, issued + 1, issued),
            ),
        )
        counted = z3.If(z3.And(state == run, done), finished + 1, finished)
        no_reset = i["rst"] == 0
        waits = z3.Or(done, z3.And(idle == 1, z3.Not(steps)))
        prove(
            o["in_ready"] == bit(ready),
            o["clear"] == bit(z3.Or(i["rst"] == 1, state == offer)),
            o["take"] == bit(takes),
            o["step"] == bit(steps),
            o["last_step"] == bit(last),
            o["out_valid"] == bit(state == offer),
            step.after["state"] == z3.If(no_reset, state_next, take),
            step.after["issued"] == z3.If(no_reset, issued_next, 0),
            step.after["finished"] == z3.If(z3.And(no_reset, state != offer), counted, 0),
            z3.Implies(
                no_reset,
                step.after["idle"] == z3.If(state == take, 1, z3.If(state == run, bit(waits), idle)),
            ),
        )


def test_beats_of_a_pipelined_design_are_those_of_its_layers(folder):
    wait, run, read, offer = range(4)
    for n_in, length, layers in ((1, 1, 1), (5, 3, 2), (3, 9, 3)):
        size = max(n_in, length).bit_length()
        p = {"N_IN": n_in, "LENGTH": length, "COUNT": size, "LAYERS": layers}
        (net,) = netlists([("sc_pipeline", p)], RTL, folder)
        names = ["state", "full", "half", "half_in", "values", "issued", "finished", "busy"]
        names += ["active"] if layers > 1 else []
        step = Step(net, names)
        b, a, i, o = step.before, step.after, step.inputs, step.outputs
        rst, state, busy = i["rst"] == 1, b["state"], b["busy"]
        full = [z3.Extract(k, k, b["full"]) == 1 for k in (0, 1)]
        second, second_in = b["half"] == 1, b["half_in"] == 1
        drop = i["drop"] == 1
        ready = z3.And(z3.Not(rst), z3.Not(drop), z3.Not(z3.If(second_in, full[1], full[0])))
        take = z3.And(ready, i["in_valid"] == 1)
        whole = z3.And(take, b["values"] == n_in - 1)
        beat = z3.And(state == run, busy == 0)
        more, last = b["issued"] != length, b["finished"] == length - 1
        begins = bit(more)
        if layers > 1:
            begins = z3.Concat(low(b["active"], layers - 1), begins)
        done, read_out = i["step_done"] == 1, z3.And(state == offer, i["out_ready"] == 1)
        moves = [
            (z3.And(state == wait, z3.If(second, full[1], full[0])), run),
            (z3.And(state == run, done, last), read),
            (z3.And(state == read, i["class_valid"] == 1), offer),
            (read_out, wait),
        ]
        moved = state
        for condition, to in moves:
            moved = z3.If(condition, number(to, 2), moved)
        fuller = [
            z3.Or(
                z3.And(whole, second_in == z3.BoolVal(k == 1)),
                z3.And(full[k], z3.Not(z3.And(read_out, second == z3.BoolVal(k == 1)))),
            )
            for k in (0, 1)
        ]
        goes, waits, runs = z3.Not(rst), state == wait, state == run
        values = z3.If(take, z3.If(whole, 0, b["values"] + 1), b["values"])
        counted = {
            "issued": z3.And(beat, more), "finished": z3.And(runs, done),
        }  # fmt: skip
        claims = [
            o["in_ready"] == bit(ready),
            o["take"] == bit(take),
            o["clear"] == bit(waits),
            o["half"] == b["half"],
            o["step"] == z3.If(beat, begins, 0),
            o["last_step"] == bit(last),
            o["out_valid"] == bit(state == offer),
            a["state"] == z3.If(rst, wait, moved),
            a["values"] == z3.If(z3.Or(rst, drop), 0, values),
            a["half_in"] == z3.If(rst, 0, z3.If(whole, ~b["half_in"], b["half_in"])),
            a["half"] == z3.If(rst, 0, z3.If(read_out, ~b["half"], b["half"])),
            a["full"] == z3.If(rst, 0, z3.Concat(bit(fuller[1]), bit(fuller[0]))),
            z3.Implies(
                goes,
                a["busy"] == z3.If(waits, 0, z3.If(runs, z3.If(beat, begins, busy & ~i["done"]), busy)),
            ),
            *(
                z3.Implies(goes, a[n] == z3.If(waits, 0, z3.If(counts, b[n] + 1, b[n])))
                for n, counts in counted.items()
            ),
        ]
        if layers > 1:
            kept = z3.If(waits, 0, z3.If(beat, low(begins, layers - 1), b["active"]))
            claims.append(z3.Implies(goes, a["active"] == kept))
        # Only a half that has no image is written, and only one that has is read out.
        given = [
            z3.Implies(state != wait, z3.If(second, full[1], full[0])),
        ]  # fmt: skip
        prove(*claims, given=given)
        # The rule that is given holds after a reset, and from then on.
        of_read = z3.If(a["half"] == 1, z3.Extract(1, 1, a["full"]), z3.Extract(0, 0, a["full"])) == 1
        prove(z3.Implies(a["state"] != wait, of_read), given=[*given])


def test_reads_of_a_convolution_are_where_the_patch_is(folder):
    # 5 x 4 inputs with padding 1, kernels of 3 x 3, stride 2: 3 x 2 patches.
    height, width, kernel, stride, padding, across = 5, 4, 3, 2, 1, 2
    entries = [
        1 << 9 | row << 7 | col << 5 | row * width + col  # back = 1
        for row in range(kernel)
        for col in range(kernel)
    ]
    (folder / "reads.hex").write_text("".join(f"{e:03x}\n" for e in entries))
    p = {
        "COLUMN": 4, "ADDRESS": 5, "COLUMNS": 9, "FROM": 1, "BACK": 1, "ROW": 2, "COL": 2,
        "TABLE": '"reads.hex"', "PATCHES": 6, "ACROSS": across, "AT": 4, "HEIGHT": height,
        "WIDTH": width, "STRIDE": stride, "PADDING": padding,
    }  # fmt: skip
    (net,) = netlists([("sc_reads", p)], RTL, folder)
    state = dict.fromkeys(net.registers, 0)

    def clock(**inputs):
        nonlocal state
        given = {
            name: [inputs.get(name, 0) >> k & 1 for k in range(len(bits))]
            for name, bits in net.inputs.items()
            if name != "clk"
        }
        state, out = net.next_state(1, state, given)
        return {name: sum(int(b) << k for k, b in enumerate(bits)) for name, bits in out.items()}

    clock(restart=1)
    before = None
    for patch in range(6):
        top, left = (n * stride - padding for n in divmod(patch, across))
        for k in range(9):
            last = k == 8
            row, col = top + k // 3, left + k % 3
            now = clock(next_column=0 if last else k + 1, next_patch=last)
            assert now["back"] == 1
            if 0 <= row < height and 0 <= col < width:
                assert now["address"] == row * width + col
            if before is not None:
                assert now["in_image"] == before, (patch, k)
            before = int(0 <= row < height and 0 <= col < width)


def test_a_wrong_specification_of_a_current_is_not_proved(folder):
    p = {"WORD": 6, "COUNT": 4, "FRACTION": 1, "LEAK": 1, "LEAK_SHIFT": 2, "DROP": 0}
    (net,) = netlists([("sc_synapse", p)], RTL, folder)
    step = Step(net)
    with pytest.raises(AssertionError):
        prove(step.outputs["drive"] == step.outputs["i_next"] + 1)


def test_trees_add_their_terms_whatever_came_before_and_follows(folder):
    # Terms, bits of a term, shift.
    cases = [(8, 2, 0), (5, 3, 0), (3, 2, 0), (4, 3, 1), (5, 2, 1), (3, 4, 1), (2, 1, 1)]
    made = netlists(
        [("sc_tree", {"N": n, "WIDTH": width, "SHIFT": shift}) for n, width, shift in cases],
        RTL,
        folder,
    )
    for net, (n, width, shift) in zip(made, cases, strict=True):
        depth, one, terms = (n - 1).bit_length(), z3.BitVecVal(1, 1), z3.BitVec("terms", n * width)
        state = {q: z3.BitVec(f"before.{q}", 1) for q in net.registers}
        for clock in range(depth):
            now = terms if clock == 0 else z3.BitVec(f"later.{clock}", n * width)
            bits = [z3.Extract(k, k, now) for k in range(n * width)]
            state, _ = net.next_state(one, state, {"terms": bits})
        after = [z3.BitVec(f"after.{k}", 1) for k in range(n * width)]
        _, out = net.next_state(one, state, {"terms": after})
        each = [unsigned(z3.Extract(width * (i + 1) - 1, width * i, terms), 16) for i in range(n)]
        total = sum((x << (shift * i) for i, x in enumerate(each)), number(0, 16))
        prove(unsigned(joined(out["sum"]), 16) == total)


def test_values_are_kept_in_the_lanes_of_words(folder):
    for n_in, simd, double in ((5, 2, 0), (4, 2, 0), (3, 4, 0), (3, 1, 0), (3, 2, 1)):
        words, last_lane = -(-n_in // simd), (n_in - 1) % simd
        words, last_word = 4 if double else words, words - 1
        p = {"N_IN": n_in, "SIMD": simd, "BITS": 3, "ADDRESS": 2, "DOUBLE": double}
        (net,) = netlists([("sc_values", p)], RTL, folder)
        memory = [f"values[{c}]" for c in range(words)]
        names = [n for n in ("column", "place") if simd > 1 or n == "column"]
        step = Step(net, [*names, "x_word", *memory])
        b, a, i = step.before, step.after, step.inputs
        take, rst, drop = (i[name] == 1 for name in ("take", "rst", "drop"))
        for lane in range(simd):
            size = b["column"].size()
            on_last = (b["column"] & 1 if double else b["column"]) == last_word
            whole = z3.And(z3.BoolVal(lane == last_lane), on_last)
            ends = z3.Or(z3.BoolVal(lane == simd - 1), whole)
            first = ~b["column"] & 2 if double else number(0, size)
            column = z3.If(whole, first, z3.If(ends, b["column"] + 1, b["column"]))
            moved = z3.If(drop, b["column"] & 2 * double, z3.If(take, column, b["column"]))
            claims = [a["column"] == z3.If(rst, 0, moved)]
            given = [] if double else [z3.ULT(b["column"], words)]
            if simd > 1:
                one = number(1, simd)
                moved = z3.If(take, z3.If(ends, one, b["place"] << 1), b["place"])
                claims.append(a["place"] == z3.If(z3.Or(rst, drop), one, moved))
                given.append(b["place"] == 1 << lane)
            mask = number(7 << (3 * lane), 3 * simd)
            for c in range(words):
                grown = (b[memory[c]] & ~mask) | (unsigned(i["value"], 3 * simd) << (3 * lane))
                here = z3.And(take, b["column"] == c)
                claims.append(a[memory[c]] == z3.If(here, grown, b[memory[c]]))
                claims.append(held(i["x_read"] == 1, i["x_address"] == c, b[memory[c]], step, "x_word"))
            prove(*claims, given=given)


@pytest.mark.parametrize("late", [0, 1])
def test_spikes_of_all_steps_are_kept_and_read_by_pass(folder, late):
    for pe, simd in ((1, 2), (2, 4)):
        address, length, stride = 1, 4, 1
        p = {
            "PE": pe, "SIMD": simd, "STRIDE": stride, "ADDRESS": address, "LENGTH": length, "STEP": 2,
            "BACK": 2, "LATE": late,
        }  # fmt: skip
        (net,) = netlists([("sc_steps", p)], RTL, folder)
        memory = [f"words[{k}]" for k in range(length << address)]
        step = Step(net, ["read", "place", "column", "patch", "step", "t", "arrived", *memory])
        b, a, i = step.before, step.after, step.inputs
        names = "clear", "valid", "last", "ends", "next"
        clear, valid, last, ends, following = (i[n] == 1 for n in names)
        for part in range(simd // pe):
            full = z3.Or(ends, z3.BoolVal(part == simd // pe - 1))
            group = z3.And(valid, last)
            mask = number(((1 << pe) - 1) << (part * pe), simd)
            fired = unsigned(i["spike"], simd) << (part * pe)
            claims = []
            for k in range(length << address):
                here = z3.And(valid, b["step"] == k >> address, b["column"] == k % (1 << address))
                grown = (b[memory[k]] & ~mask) | fired
                claims.append(a[memory[k]] == z3.If(here, grown, b[memory[k]]))
            one = number(1, b["place"].size())
            moved = z3.If(full, one, b["place"] << pe)
            place = z3.If(clear, one, z3.If(group, moved, b["place"]))
            column = z3.If(z3.And(group, full), b["column"] + stride, b["column"])
            patch = z3.If(z3.And(group, ends), b["patch"] + 1, b["patch"])
            column = z3.If(z3.And(group, ends), b["patch"] + 1, column)
            now = z3.If(valid, z3.If(last, number(0, 2), b["step"] + 1), b["step"])
            claims += [
                a["place"] == place,
                a["column"] == z3.If(clear, 0, column),
                a["patch"] == z3.If(clear, 0, patch),
                a["step"] == z3.If(clear, 0, now),
                a["t"] == z3.If(clear, 0, z3.If(following, b["t"] + 1, b["t"])),
            ]
            # The pass of the source: that of the reader's step if it runs later, else the one before.
            of_pass = unsigned(b["t"], 5) + (1 - late) - unsigned(i["back"], 5)
            claims.append(a["arrived"] == bit(of_pass >= 0))
            for k in range(length << address):
                here = z3.And(of_pass == k >> address, i["x_address"] == k % (1 << address))
                claims.append(held(i["x_read"] == 1, here, b[memory[k]], step, "read"))
            claims.append(step.outputs["x_word"] == z3.If(b["arrived"] == 1, b["read"], 0))
            prove(*claims, given=[b["place"] == 1 << (part * pe)])


NUMBERS = {
    # Neurons at a time, words, groups of a patch, groups, time steps, dropped bits, refractory steps.
    "more steps than words": (1, 2, 2, 4, 3, 1, 2),
    "two at a time": (2, 3, 3, 3, 2, -1, 0),
    "one step": (1, 2, 4, 4, 1, 0, 0),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", NUMBERS)
def test_layers_of_numbers_step_their_pipeline(folder, kind):
    pe, columns, channels, groups, length, drop, refractory = NUMBERS[kind]
    rng, simd, bits, total_bits = np.random.default_rng(2), 2, 2, 8
    count = total_bits - drop
    lane, turn = bits + 1, max(columns, length)
    delay = 1 + 1 + 1  # products, a tree of two lanes, a tree of two bits
    words = [int(w) for w in rng.integers(0, 1 << (lane * simd * pe), columns * channels)]
    offsets = [int(w) for w in rng.integers(0, 1 << (total_bits * pe), channels)]
    name = kind.split()[0]
    for file, values in ((name, words), (f"{name}_offsets", offsets)):
        (folder / f"{file}_0.hex").write_text("".join(f"{w:x}\n" for w in values))
    size = lambda n: max((n - 1).bit_length(), 1)  # noqa: E731
    of_neuron = {
        "WORD": 8, "COUNT": count, "FRACTION": 0, "LEAK": 1, "LEAK_SHIFT": 2, "THRESHOLD": 9,
        "RESET": -2, "SUBTRACT": int(refractory > 0), "REFRACTORY": refractory,
        "REST": max(refractory.bit_length(), 1),
    }  # fmt: skip
    p = {
        **of_neuron, "SIMD": simd, "PE": pe, "BITS": bits, "SUM": total_bits, "DROP": drop,
        "LENGTH": length, "STEP": size(length), "COLUMNS": columns, "CHANNELS": channels,
        "GROUPS": groups, "COLUMN": size(columns), "CHANNEL": size(channels), "GROUP": size(groups),
        "ADDRESS": size(columns * channels), "WEIGHTS": f'"{name}"', "OFFSETS": f'"{name}_offsets"',
    }  # fmt: skip
    (net,) = netlists([("sc_numbers", p)], RTL, folder)
    of_pe = [f"g_pe[{k}].{n}" for k in range(pe) for n in ("planes", "dot", "sum", "current")]
    of_pe += [f"g_pe[{k}].g_plane[{n}].terms" for k in range(pe) for n in range(bits)]
    of_pe += [f"g_pe[{k}].g_rest.left" for k in range(pe) if refractory]
    names = [
        "busy", "turn_a", "channel_a", "group_a", "address", "loaded", "valid_b", "last_b", "fresh",
        "channel_c", "whole", "u_weights.of_bank", "u_offsets.of_bank", "group_e", "group_f", "running",
        "first_f", "ends_f", "final_f", "valid", "group", "ends", "spike", "v", "done", *of_pe,
    ]  # fmt: skip
    names += ["t", "last"] if length > 1 else []
    names += ["g_channel.at"] if channels < groups else []
    step = Step(net, names)
    b, a, i, o = step.before, step.after, step.inputs, step.outputs
    clear, go, busy, loaded = i["clear"] == 1, i["step"] == 1, b["busy"] == 1, b["loaded"] == 1
    whole, running = b["whole"] == 1, b["running"] == 1
    ends_turn, reads = b["turn_a"] == turn - 1, z3.ULT(b["turn_a"], columns)
    reads = reads if turn > columns else z3.BoolVal(True)
    last_channel, last_group = b["channel_a"] == channels - 1, b["group_a"] == groups - 1
    turned = z3.If(z3.Or(z3.Not(busy), ends_turn), 0, b["turn_a"] + 1)
    goes = z3.If(busy, z3.Not(z3.And(ends_turn, last_group)), z3.And(go, z3.Not(loaded)))
    next_address = z3.If(reads, b["address"] + 1, b["address"])
    now = {n: z3.Extract(delay - 1, delay - 1, b[n]) == 1 for n in ("valid_b", "last_b")}
    valid_d, last_d = (z3.Extract(delay, delay, b[n]) == 1 for n in ("valid_b", "last_b"))
    final_e = b["group_e"] == groups - 1
    ends_e = final_e if channels == groups else b["g_channel.at"] == channels - 1
    last_f = b["t"] == length - 1 if length > 1 else z3.BoolVal(True)
    ends_image = z3.And(running, last_f, b["final_f"] == 1, z3.Not(clear))
    goes_on, needs, of_offsets = z3.Not(clear), z3.And(busy, reads), "u_offsets.of_bank"
    wrapped = z3.If(b["channel_c"] == channels - 1, 0, b["channel_c"] + 1)
    claims = [
        a["busy"] == bit(z3.And(goes_on, goes)),
        a["turn_a"] == turned,
        o["next_column"] == low(a["turn_a"], o["next_column"].size()),
        o["next_patch"] == bit(z3.And(ends_turn, last_channel)),
        o["restart"] == bit(z3.Not(busy)),
        *(
            z3.Implies(
                goes_on,
                a[n] == z3.If(busy, z3.If(ends_turn, ended, kept), 0),
            )
            for n, ended, kept in (
                ("group_a", b["group_a"] + 1, b["group_a"]),
                ("channel_a", z3.If(last_channel, 0, b["channel_a"] + 1), b["channel_a"]),
                ("address", z3.If(last_channel, 0, next_address), next_address),
            )
        ),
        a["valid_b"]
        == z3.If(clear, 0, z3.Concat(low(b["valid_b"], delay), bit(needs))),
        a["last_b"] == z3.Concat(low(b["last_b"], delay), bit(b["turn_a"] == columns - 1)),
        *(
            held(needs, b["address"] == k, number(w, lane * simd * pe), step, "u_weights.of_bank")
            for k, w in enumerate(words)
        ),
        *(
            held(now["valid_b"], b["channel_c"] == k, number(w, total_bits * pe), step, of_offsets)
            for k, w in enumerate(offsets)
        ),
        o["x_read"] == bit(needs),
        a["channel_c"]
        == z3.If(clear, 0, z3.If(z3.And(*now.values()), wrapped, b["channel_c"])),
        a["fresh"] == z3.If(clear, 1, z3.If(valid_d, bit(last_d), b["fresh"])),
        a["whole"] == bit(z3.And(valid_d, last_d, goes_on)),
        a["group_e"] == z3.If(clear, 0, z3.If(whole, b["group_e"] + 1, b["group_e"])),
        *(
            a[n] == z3.If(whole, value, b[n])
            for n, value in (
                ("group_f", b["group_e"]), ("ends_f", bit(ends_e)), ("final_f", bit(final_e)),
            )
        ),
        a["running"] == bit(z3.And(goes_on, z3.Or(whole, z3.And(running, z3.Not(last_f))))),
        a["first_f"] == b["whole"],
        a["valid"] == bit(z3.And(running, goes_on)),
        a["group"] == b["group_f"],
        a["ends"] == b["ends_f"],
        a["done"] == bit(z3.Or(ends_image, z3.And(go, loaded, goes_on))),
        a["loaded"] == z3.If(clear, 0, z3.If(ends_image, 1, b["loaded"])),
    ]  # fmt: skip
    if length > 1:
        claims += [a["t"] == z3.If(whole, 0, b["t"] + 1), a["last"] == bit(last_f)]
    if channels < groups:
        beyond = z3.If(ends_e, 0, b["g_channel.at"] + 1)
        claims.append(a["g_channel.at"] == z3.If(clear, 0, z3.If(whole, beyond, b["g_channel.at"])))
    spikes, potentials = [], []
    for k in range(pe):
        at = f"g_pe[{k}]."
        sums = []
        for n in range(bits):
            terms = b[f"{at}g_plane[{n}].terms"]
            for j in range(simd):
                first = (k * simd + j) * lane
                weight = z3.Extract(first + bits, first, b["u_weights.of_bank"])
                x = z3.Extract(bits * j + bits - 1, bits * j, i["x_word"])
                x = z3.If(z3.Extract(bits, bits, weight) == 1, ~x, x)
                term = z3.Extract(bits * j + bits - 1, bits * j, a[f"{at}g_plane[{n}].terms"])
                claims.append(term == z3.If(z3.Extract(n, n, weight) == 1, x, 0))
            lanes = [z3.Extract(bits * j + bits - 1, bits * j, terms) for j in range(simd)]
            sums.append(z3.Extract(n * 3 + 2, n * 3, b[f"{at}planes"]))
            after = z3.Extract(n * 3 + 2, n * 3, a[f"{at}planes"])
            claims.append(after == sum((unsigned(x, 3) for x in lanes), number(0, 3)))
        dot = unsigned(sums[0], 5) + (unsigned(sums[1], 5) << 1)
        offset = z3.Extract(total_bits * (k + 1) - 1, total_bits * k, b["u_offsets.of_bank"])
        total, current = b[f"{at}sum"], b[f"{at}current"]
        begun = z3.If(b["fresh"] == 1, offset, total)
        shifted = wide(total, 16) >> drop if drop >= 0 else wide(total, 16) << -drop
        claims += [
            a[f"{at}dot"] == dot,
            a[f"{at}sum"] == z3.If(valid_d, begun + unsigned(b[f"{at}dot"], total_bits), total),
            a[f"{at}current"] == z3.If(whole, low(shifted, count), current),
        ]
        v = z3.Extract(8 * k + 7, 8 * k, b["v"])
        rest = b[f"{at}g_rest.left"] if refractory else number(0, 1)
        begins = b["first_f"] == 1
        spike, v_next, rest_next = lif(
            z3.If(begins, 0, v), z3.If(begins, 0, rest), current, of_neuron, 24
        )  # fmt: skip
        if refractory:
            claims.append(a[f"{at}g_rest.left"] == z3.If(running, rest_next, rest))
        spikes.append(bit(spike))
        potentials.append(v_next)
    together = [z3.Concat(*x[::-1]) if pe > 1 else x[0] for x in (spikes, potentials)]
    claims += [
        a["spike"] == z3.If(running, together[0], b["spike"]),
        a["v"] == z3.If(running, together[1], b["v"]),
    ]
    # Indices beyond the last word, channel or group are not reached.
    bounds = (("turn_a", turn), ("channel_a", channels), ("address", len(words)))
    bounds += (("channel_c", channels), ("group_e", groups), ("group_a", groups))
    given = [z3.ULT(b[n], most) for n, most in bounds if most < 1 << b[n].size()]
    for claim in claims:
        prove(claim, given=given)


def test_noise_counts_new_bits_of_the_register_for_each_neuron(folder):
    for pe, coins, shift in ((1, 24, 0), (2, 5, 3), (3, 1, 0)):
        bits = coins.bit_length() + 1 + shift
        p = {"PE": pe, "COINS": coins, "SHIFT": shift, "NOISE": bits, "START": 12345}
        (net,) = netlists([("sc_noise", p)], RTL, folder)
        step = Step(net, ["state", "noise"])
        clear, following = step.inputs["clear"] == 1, step.inputs["next"] == 1
        ones, state = [], step.before["state"]
        for _ in range(pe):
            new = []
            for _ in range(24):  # one shift after another, as the recurrence says
                new.append(z3.Extract(0, 0, state))
                shifted = z3.Extract(0, 0, state) ^ z3.Extract(3, 3, state)
                state = z3.Concat(shifted, z3.Extract(30, 1, state))
            total = sum((wide(z3.ZeroExt(1, b), bits + 6) for b in new[:coins]), number(0, bits + 6))
            ones.append(low((2 * total - coins) << shift, bits))
        noise = joined(ones)
        start = number(12345, 31)
        before = step.before
        prove(
            step.after["state"] == z3.If(clear, start, z3.If(following, state, before["state"])),
            step.after["noise"] == z3.If(following, noise, before["noise"]),
            step.outputs["noise"] == before["noise"],
        )


def test_frames_count_their_values_and_drop_those_of_another_length(folder):
    for n_in in (1, 3, 4):
        size = max((n_in - 1).bit_length(), 1)
        (net,) = netlists([("sc_frames", {"N_IN": n_in, "COUNT": size})], RTL, folder)
        step = Step(net, ["dropping", "frame_error"] + ["at"] * (n_in > 1))
        b, a, i, o = step.before, step.after, step.inputs, step.outputs
        at = b["at"] if n_in > 1 else number(0, 1)
        dropping, rst, last = b["dropping"] == 1, i["rst"] == 1, i["s_last"] == 1
        at_last = at == n_in - 1
        fits = last == at_last
        taken = z3.And(i["s_valid"] == 1, i["in_ready"] == 1)
        wrong = z3.And(taken, z3.Not(dropping), z3.Not(fits))
        lost = z3.And(taken, z3.Or(dropping, z3.Not(fits)))
        claims = [
            o["s_ready"] == i["in_ready"],
            o["in_valid"] == bit(z3.And(i["s_valid"] == 1, z3.Not(dropping), fits)),
            a["frame_error"] == bit(z3.And(z3.Not(rst), wrong)),
            a["dropping"] == bit(z3.And(z3.Not(rst), z3.If(lost, z3.Not(last), dropping))),
        ]
        if n_in > 1:
            begins = z3.Or(rst, lost, z3.And(taken, at_last))
            claims.append(a["at"] == z3.If(begins, 0, z3.If(taken, at + 1, at)))
        prove(*claims)


def test_scores_of_the_outputs_are_kept_and_read(folder):
    source = folder / "scores"
    source.mkdir()
    (source / "sc_best.v").write_text(library_text("sc_best.v", scores=True))
    p = {"N": 3, "SPIKES": 2, "WORD": 3, "CLASS": 2}
    (net,) = netlists([("sc_best", p)], [source / "sc_best.v"], source)
    memory = [f"scores[{n}]" for n in range(3)]
    step = Step(net, ["highest", "best", "read", *memory])
    b, a, i, o = step.before, step.after, step.inputs, step.outputs
    claims = [z3.Concat(o["out_count"], o["out_potential"]) == b["read"]]
    for n, word in enumerate(memory):
        written = z3.And(i["valid"] == 1, i["neuron"] == n)
        claims.append(a[word] == z3.If(written, z3.Concat(i["spikes"], i["v"]), b[word]))
        claims.append(z3.Implies(i["out_neuron"] == n, a["read"] == b[word]))
    prove(*claims)
