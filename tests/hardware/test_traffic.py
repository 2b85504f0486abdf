"""Random traffic on the ports of every kind of design is answered as by a model of a few lines."""

import random
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from test_axil import firing
from test_command import small

from sc_neurocore import FixedPoint, Network
from sc_neurocore.hardware import Design, _registers, interface_verilog, verilog, weight_words, write
from sc_neurocore.hardware.interfaces import SUFFIXES
from sc_neurocore.hardware.simulators import verilate
from sc_neurocore.networks.layers import all_weights, with_all_weights

folded = Design(
    firing, 8, fixed_point=FixedPoint(bits=3, fraction=6), simd=4, name="little", architecture="folded",
    scores=True,
)  # fmt: skip
DESIGNS = {
    "unrolled": replace(small("unrolled"), network=firing, length=9, scores=True),
    "early": replace(folded, early=True),
    "loadable": replace(folded, loadable=True),
    "pipelined": replace(folded, loadable=True, sparse=True, pipelined=True),
}
N_IMAGES = 16


class Module:
    """A wrapper that is stepped one clock cycle at a time, in reset at first."""

    def __init__(self, design, interface, folder):
        files = {**verilog(design), **interface_verilog(design, interface)}
        top = f"little_{SUFFIXES[interface]}"
        files[f"{top}.v"] = files[f"{top}.v"].replace("aclk", "clk")  # as `verilate` names it
        write(files, folder)
        self._made = verilate(sorted(folder.glob("*.v")), top, folder / "build")
        self._in = dict.fromkeys(self._made.inputs, 0)

    def step(self, **values):
        """Return the outputs under these inputs, before the edge that ends the clock cycle."""
        self._in |= values
        given = {name: np.array([[value]], np.uint32) for name, value in self._in.items()}
        return {name: int(out[0, 0]) for name, out in self._made.run(given).items()}


class Model:
    """Images with the classes and counts that a design gives them, by the weights that are loaded."""

    def __init__(self, design):
        self.design, self.images = design, np.random.default_rng(2).random((N_IMAGES, design.n_in))
        designs = [design]
        if design.loadable:
            layers = [with_all_weights(x, all_weights(x)[:, ::-1]) for x in design.network]
            designs.append(replace(design, network=Network(layers)))
        self.words = [weight_words(made).tolist() for made in designs if design.loadable]
        self.codes = design.codes(self.images).tolist()
        self.found = []
        for made in designs:
            seen = made.simulate(design.codes(self.images) / 2**design.fixed_point.bits)
            counts = seen.counts.tolist()
            if design.early:  # of the steps that were computed
                counts = [None] * N_IMAGES
            self.found.append(list(zip(seen.classes.tolist(), counts, strict=True)))


@pytest.mark.parametrize("name", DESIGNS)
def test_frames_at_any_time_give_the_classes_of_the_model(name, tmp_path):
    design, rng = DESIGNS[name], random.Random(3)
    model, module = Model(design), Module(design, "axi-stream", tmp_path)
    capacity, n_in = 2 if design.pipelined else 1, design.n_in
    waiting = deque()  # (class, counts) of whole images whose class was not read
    beats, position, broken = deque(), 0, False  # of the frame that is sent
    loading, weights, image = deque(), 0, 0
    offered = shown = error = neuron = 0
    reset = 3
    seen = {"classes": 0, "broken": 0, "resets": 0, "loads": 0, "counts": 0}
    late = gap = 0.5
    for clock in range(20_000):
        if clock % 500 == 0:
            late, gap = rng.random(), rng.random() ** 2
        if reset == 0 and rng.random() < 1 / 700:
            reset = rng.randrange(1, 4)
        if not beats and not offered:
            if model.words and not loading and rng.random() < 0.05:
                loading = deque(model.words[weights := 1 - weights])
            elif not loading:
                image, kind = rng.randrange(N_IMAGES), rng.random()
                n = n_in if kind < 0.7 else rng.randrange(1, 3 * n_in)
                beats = deque((model.codes[image] * 3)[:n])
                position, broken = 0, False
        offered = offered or (bool(beats) and rng.random() >= gap)
        load = bool(loading) and rng.random() < 0.7
        wrong_load = bool(waiting) and not reset
        address, data = loading[0] if load else (0, rng.getrandbits(32))
        port = {"load_valid": load or wrong_load, "load_address": address, "load_data": data}
        accepts, before, neuron = rng.random() >= late, neuron, rng.randrange(design.n_out)
        out = module.step(
            aresetn=int(not reset), s_axis_tvalid=int(offered), s_axis_tdata=beats[0] if beats else 0,
            s_axis_tlast=int(len(beats) == 1), m_axis_tready=int(accepts), out_neuron=neuron,
            **(port if model.words else {}),
        )  # fmt: skip
        valid = out["m_axis_tvalid"]
        if reset:
            assert not any((out["s_axis_tready"], valid, out.get("load_ready")))
            reset -= 1
            seen["resets"] += 1
            waiting.clear()
            beats.clear()
            offered = shown = error = False
            continue
        assert out["frame_error"] == error
        assert valid or not shown, "a class must stay until it is read"
        assert not valid or waiting, "a class without an image"
        if out.get("load_ready"):
            assert not waiting, "weights must not be loaded while an image is computed"
            if load:
                loading.popleft()
                seen["loads"] += 1
        if valid:
            found, counts = waiting[0]
            assert out["m_axis_tdata"] == found
            if shown and counts is not None:
                assert out["out_count"] == counts[before]
                seen["counts"] += counts[before] > 0
        shown = valid and not accepts
        error = False
        if offered and out["s_axis_tready"]:
            last = len(beats) == 1
            error = not broken and last != (position == n_in - 1)
            seen["broken"] += error
            assert broken or error or not last or len(waiting) < capacity
            if last and not broken and not error:
                waiting.append(model.found[weights][image])
            broken, position, offered = broken or error, position + 1, False
            beats.popleft()
        if valid and accepts:
            waiting.popleft()
            seen["classes"] += 1
    for _ in range(3 * design.clocks):
        out = (
            module.step(aresetn=1, s_axis_tvalid=0, m_axis_tready=1, load_valid=0)
            if model.words
            else (module.step(aresetn=1, s_axis_tvalid=0, m_axis_tready=1))
        )
        if out["m_axis_tvalid"]:
            assert out["m_axis_tdata"] == waiting.popleft()[0]
    assert not waiting
    assert min(seen["classes"], seen["broken"], seen["resets"]) > 20
    assert (seen["loads"] > 100) == bool(model.words)
    assert (seen["counts"] > 20) == (not design.early)


@pytest.mark.parametrize(
    ("name", "interface"),
    [*((name, "axi-lite") for name in DESIGNS), ("unrolled", "axi"), ("pipelined", "axi")],
)
def test_accesses_at_any_time_have_the_answers_of_the_model(name, interface, tmp_path):
    design, rng = DESIGNS[name], random.Random(4)
    model, module = Model(design), Module(design, interface, tmp_path)
    of_stream = interface == "axi"
    beats, offered, broken, error = deque(), False, False, False  # of the frame that is sent
    at, fixed = _registers.offsets(), _registers.constants(design)
    nowhere = _registers.strangers(design)
    if design.loadable:
        nowhere += [fixed["WEIGHTS"] + 4 * hole for hole in design.load_port.holes()]
    read_only = [at[n] for n in (*fixed, "CLASS", *["INPUT"] * of_stream)] + [
        fixed["COUNTS"],
        fixed["POTENTIALS"],
    ]
    capacity, n_in, most = 2 if design.pipelined else 1, design.n_in, 2**design.fixed_point.bits - 1
    waiting = deque()  # (class, counts) of whole images whose class was not removed
    removed = 0  # classes
    loading, weights, image, position = deque(), 0, 0, 0
    write = read = None  # (address, data, strobe), and address, of the access that is made
    parts = [False] * 3  # aw, w and ar are offered
    owed = [None, None]  # functions of the response and the data that say whether they are right
    interrupt = known = restart = False  # known: a class waits; restart: of this clock cycle
    reset, slow = 3, 0.5
    seen = dict.fromkeys(("classes", "loads", "counts", "refused", "dropped", "resets", "restarts"), 0)

    def answered(response, data=None):
        return lambda r, d: r == response and data in (None, d)

    def read_answer(address):
        """Return what a read may answer: certain values, or those of a class that may wait."""
        ready, whole, sure = len(waiting) < capacity, bool(waiting), known
        if restart or error:  # a clock cycle in which the design drops something
            return lambda r, d: True
        if address == at["STATUS"]:
            rest = ready | (design.loadable and not whole) << 2
            return lambda r, d: r == 0 and d in ((rest | 2,) if sure else (rest, rest | 2 * whole))
        n = (address - fixed["COUNTS"]) // 4
        if address == at["CLASS"] or 0 <= n < design.n_out:
            found, counts = waiting[0] if waiting else (None, None)
            wanted = found if address == at["CLASS"] else counts and counts[n]
            seen["counts"] += bool(sure and counts and wanted)
            right = answered(0, wanted) if whole else answered(2)
            return right if sure else lambda r, d: (r, d) == (2, 0) or right(r, d)
        if address in names and names[address] in fixed:
            return answered(0, fixed[names[address]])
        return answered(0, interrupt << 1) if address == at["CONTROL"] else answered(2, 0)

    names = {offset: name for name, offset in at.items()}
    for clock in range(30_000):
        if clock % 500 == 0:
            slow = rng.random() ** 2
        if reset == 0 and rng.random() < 1 / 1500:
            reset = rng.randrange(1, 4)
        if write is None and owed[0] is None:
            kind, full = rng.random(), len(waiting) == capacity
            if model.words and not loading and not beats and kind < 0.01:
                loading = deque(model.words[weights := 1 - weights])
            if kind < 0.05:
                write = rng.choice(nowhere + read_only), rng.getrandbits(32), 15
            elif kind < 0.1:
                write = rng.choice(list(at.values())), 2**32 - 1, rng.randrange(15)
            elif kind < 0.12:
                write = at["CONTROL"], rng.randrange(4) if kind < 0.105 else 2 * rng.randrange(2), 15
            elif known and kind < 0.4:
                write = at["STATUS"], 2, 15
            elif loading and (not waiting or kind < 0.5):
                write = fixed["WEIGHTS"] + 4 * loading[0][0], loading[0][1], 15
            elif of_stream:
                pass
            elif (not loading or position < n_in - 1) and (not full or kind < 0.5):
                image = rng.randrange(N_IMAGES) if position == 0 else image
                value = model.codes[image][position]
                write = at["INPUT"], rng.choice((value, most + 7)) if value == most else value, 15
        if read is None and owed[1] is None:
            read = rng.choice([*at.values(), at["STATUS"], at["CLASS"], fixed["COUNTS"], *nowhere])
            read += 4 * rng.randrange(design.n_out) * (read == fixed["COUNTS"])
        if of_stream and not beats and not loading and rng.random() < 0.3:
            image, length = rng.randrange(N_IMAGES), n_in
            if rng.random() < 0.3:
                length = rng.randrange(1, 3 * n_in)
            beats, position, broken = deque((model.codes[image] * 3)[:length]), 0, False
        offered = offered or (bool(beats) and rng.random() >= slow)
        stream = {
            "s_axis_tvalid": int(offered), "s_axis_tdata": beats[0] if beats else 0,
            "s_axis_tlast": int(len(beats) == 1),
        }  # fmt: skip
        parts = [
            part or (access is not None and rng.random() >= slow)
            for part, access in zip(parts, (write, write, read), strict=True)
        ]
        accepts = [rng.random() >= slow for _ in range(2)]
        address, data, strobe = write or (0, 0, 15)
        out = module.step(
            aresetn=int(not reset), s_axi_awvalid=int(parts[0]), s_axi_wvalid=int(parts[1]),
            s_axi_arvalid=int(parts[2]), s_axi_awaddr=address, s_axi_wdata=data, s_axi_wstrb=strobe,
            s_axi_araddr=read or 0, s_axi_bready=int(accepts[0]), s_axi_rready=int(accepts[1]),
            **(stream if of_stream else {}),
        )  # fmt: skip
        taken = [out[f"s_axi_{channel}"] for channel in ("awready", "wready", "arready")]
        if reset:
            assert not any((*taken, out["s_axi_bvalid"], out["s_axi_rvalid"], out["irq"]))
            assert not out.get("s_axis_tready")
            beats.clear()
            offered = error = False
            reset -= 1
            seen["resets"] += 1
            waiting.clear()
            write, read, parts, owed, position = None, None, [False] * 3, [None] * 2, 0
            interrupt = known = restart = False
            continue
        assert restart or not out["irq"] or (interrupt and waiting)
        assert restart or out["irq"] == interrupt or not known
        known = known or bool(out["irq"])
        for k, channel in enumerate("br"):
            assert out[f"s_axi_{channel}valid"] == (owed[k] is not None)
            if owed[k] is not None:
                right, of_class = owed[k]
                answer = out[f"s_axi_{channel}resp"], out["s_axi_rdata"]
                assert right(*answer)
                seen["refused"] += answer[0] == 2 and accepts[k]
                shows = of_class == (removed, at["STATUS"]) and answer[1] & 2
                known = known or bool(shows or (of_class == (removed, at["CLASS"]) and answer[0] == 0))
                owed[k] = None if accepts[k] else owed[k]
        assert taken[0] == taken[1] <= min(parts[:2])
        assert taken[2] <= parts[2]
        if taken[2]:  # it sees what was before the write of this clock cycle
            owed[1] = read_answer(read), (None if restart or error else removed, read)
            read, parts[2] = None, False
        dropped, error = error, False
        seen["dropped"] += dropped
        if of_stream:
            assert out["frame_error"] == dropped
            if offered and out["s_axis_tready"]:
                last = len(beats) == 1
                error = not broken and last != (position == n_in - 1)
                assert broken or error or not last or len(waiting) < capacity
                if last and not broken and not error:
                    waiting.append(model.found[weights][image])
                broken, position, offered = broken or error, position + 1, False
                beats.popleft()
        if restart:
            waiting.clear()
            removed, position, known, restart = removed + 1, 0, False, False
            beats.clear()  # a new frame begins; the stream was not ready in this clock cycle
            offered = error = False
        if taken[0]:
            refused = strobe != 15
            if not refused and address == at["CONTROL"]:
                interrupt, restart = bool(data & 2), bool(data & 1)
                seen["restarts"] += restart
            elif not refused and address == at["STATUS"]:
                waiting.popleft()
                removed, known = removed + 1, False
                seen["classes"] += 1
            elif not (refused or of_stream or len(waiting) == capacity) and address == at["INPUT"]:
                position += 1
                if position == n_in:
                    waiting.append(model.found[weights][image])
                    position = 0
            elif not refused and loading and address == fixed["WEIGHTS"] + 4 * loading[0][0]:
                refused = bool(waiting) or (dropped and not design.pipelined)
                if not refused:
                    loading.popleft()
                    seen["loads"] += 1
            else:
                refused = True
            owed[0] = answered(2 if refused else 0), None
            write, parts[:2] = None, [False] * 2
    assert min(seen["classes"], seen["refused"], seen["resets"], seen["restarts"]) > 10
    assert (seen["loads"] > 100) == bool(model.words)
    assert (seen["dropped"] > 10) == of_stream
    assert (seen["counts"] > 5) == (not design.early)
