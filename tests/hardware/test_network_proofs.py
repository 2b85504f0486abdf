"""Modules of networks of every kind, for all states and inputs: netlists equal specifications."""

from pathlib import Path

import numpy as np
import pytest
import z3
from proof import Step, bit, joined, low, netlists, number, prove, unsigned, wide

import sc_neurocore.hardware
from sc_neurocore import Hammersley
from sc_neurocore.hardware import Sequence
from sc_neurocore.hardware.emit import _rows, _shift

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


@pytest.mark.parametrize("slots", [1, 4])
def test_spikes_of_patches_and_of_the_past_are_kept(folder, slots):
    for pe, simd in ((1, 4), (2, 4), (2, 2)):
        words, address, stride = 4, 2, 2
        p = {
            "PE": pe, "SIMD": simd, "WORDS": words, "STRIDE": stride, "ADDRESS": address,
            "SLOTS": slots, "BACK": 2,
        }  # fmt: skip
        (net,) = netlists([("sc_history", p)], RTL, folder)
        inner = "g_slots."
        memory = [f"{inner}words[{k}]" for k in range(words * slots)]
        names = [*(["word", "place"] if simd > pe else []), "column", "patch", f"{inner}read", *memory]
        names += [f"{inner}{n}" for n in ("slot", "kept", "arrived")] if slots > 1 else []
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
            from_slot = slot - i["back"] if slots > 1 else slot
            for k in range(words * slots):
                here = z3.And(i["x_address"] == k % words, from_slot == k // words)
                claims.append(z3.Implies(here, a[f"{inner}read"] == b[memory[k]]))
            x = b[f"{inner}read"]
            if slots > 1:
                kept, counts = b[f"{inner}kept"], z3.And(valid, done)
                more = z3.If(z3.And(counts, kept != 3), kept + 1, kept)
                claims += [
                    a[f"{inner}slot"] == z3.If(clear, 0, z3.If(counts, slot + 1, slot)),
                    a[f"{inner}kept"] == z3.If(clear, 0, more),
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
    (net,) = netlists([("sc_samples", p)], RTL, folder)
    names = ["word", "read", "column", "place", "t", "done", "back_read", "values[0]", "values[1]"]
    step = Step(net, names)
    b, a, i = step.before, step.after, step.inputs
    clear, following = i["clear"] == 1, i["next"] == 1
    t, done = low(b["t"], 2), b["done"]  # nothing needs the upper bits
    prove(
        low(a["t"], 2) == z3.If(clear, 0, z3.If(following, t + 1, t)),
        a["done"] == z3.If(clear, 0, z3.If(z3.And(following, done != 3), done + 1, done)),
        a["back_read"] == i["back"],
        z3.Implies(i["x_address"] == 0, a["read"] == b["values[0]"]),
        z3.Implies(i["x_address"] == 1, a["read"] == b["values[1]"]),
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
            (z3.And(state == run, done, last), read),
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
        held = i["rst"] == 0
        waits = z3.Or(done, z3.And(idle == 1, z3.Not(steps)))
        prove(
            o["in_ready"] == bit(ready),
            o["clear"] == bit(z3.Or(i["rst"] == 1, state == offer)),
            o["take"] == bit(takes),
            o["step"] == bit(steps),
            o["last_step"] == bit(last),
            o["out_valid"] == bit(state == offer),
            step.after["state"] == z3.If(held, state_next, take),
            step.after["issued"] == z3.If(held, issued_next, 0),
            step.after["finished"] == z3.If(z3.And(held, state != offer), counted, 0),
            z3.Implies(
                held,
                step.after["idle"] == z3.If(state == take, 1, z3.If(state == run, bit(waits), idle)),
            ),
        )


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
