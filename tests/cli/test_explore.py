# ruff: noqa: E501
"""The live page: what it computes, whom it answers, and how it looks to a browser."""

import http.client
import itertools
import statistics
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import sc_neurocore as sc
from sc_neurocore.cli import _explore, main

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sc_neurocore.cli import _explore_tabs as tabs

DOCS = Path(__file__).parents[2] / "docs"
DIGITS = sc.load_digits()


def ends(widget):
    """The values at both ends of a widget."""
    if hasattr(widget, "options"):
        options = widget.options
        values = list(options.values() if isinstance(options, dict) else options)
        return values[0], values[-1]
    return widget.start, widget.end


@pytest.fixture(params=["streams", "neuron", "network"])
def tab(request):
    make = {"streams": tabs.streams_tab, "neuron": tabs.neuron_tab}
    return make[request.param]() if request.param in make else tabs.network_tab(*DIGITS)


def test_every_widget_changes_what_is_shown_from_one_end_to_the_other(tab):
    for name, widget in tab.widgets.items():
        if widget.disabled:
            continue
        before, shown = widget.value, []
        for value in ends(widget):
            widget.value = value
            shown.append({key: repr(source.data) for key, source in tab.sources.items()})
        assert shown[0] != shown[1], name
        assert "ms</small>" in tab.text.object
        widget.value = before


def test_all_ends_together_are_shown_without_an_error(tab):
    for which in (0, 1):
        for widget in tab.widgets.values():
            widget.value = ends(widget)[which]
        for source in tab.sources.values():
            lengths = {len(column) for column in source.data.values()}
            assert len(lengths) == 1


def test_a_change_takes_less_than_a_tenth_of_a_second(tab):
    # Of processor time of all threads, whatever else the machine does.
    seed = tab.widgets["seed"]
    seed.value = 2
    taken = []
    for value in range(3, 12):
        start = time.process_time()
        seed.value = value
        taken.append(time.process_time() - start)
    assert statistics.median(taken) < 0.1


@pytest.mark.parametrize("name", tabs.GATES)
def test_gates_have_the_densities_of_their_laws(name):
    gate, length = tabs.GATES[name], 2**14
    for (p, q), s in itertools.product([(0.6, 0.7), (0.2, 0.5)], [-1.0, -0.4, 0.0, 0.3, 1.0]):
        x, y = tabs.correlated_pair(p, q, s, length, 5, "bernoulli")
        law = gate.law(p, q, s)
        found = float(gate.stream(x, y, 3).probability())
        assert abs(found - law) <= 5 * np.sqrt(max(law * (1 - law), 1e-4) / length)


def test_the_tab_of_a_network_shows_its_simulation():
    tab = tabs.network_tab(*DIGITS)
    tab.widgets["image"].value = 17
    tab.widgets["length"].value = 32
    run = sc.simulate(DIGITS.network, DIGITS.images[17], 32, seed=1, record=True)
    assert len(tab.sources["raster"].data["t"]) == sum(int(x.counts().sum()) for x in run.spikes)
    last = sorted(int(counts[-1]) for counts in tab.sources["classes"].data["counts"])
    assert last == sorted(run.counts.tolist())
    assert f"<b>{run.classes} (" in tab.text.object
    (row,) = sc.evaluate(*DIGITS, [64], seeds=[1])
    if f"{len(DIGITS.images)} images" in tab.text.object:
        assert tab.sources["accuracy"].data["mean"][-1] == pytest.approx(100 * row.mean)


def test_a_network_without_square_images_or_correct_classes_is_shown():
    network = sc.Network([sc.Dense([[0.9, 0.1, 0.2], [0.1, 0.8, 0.2]])])
    tab = tabs.network_tab(network, np.eye(3), np.array([0, 1, 7]))
    tab.widgets["image"].value = 2
    assert "wrong, it is 7" in tab.text.object
    assert not tab.sources["image"].data


@pytest.fixture(scope="module")
def draw_explore():
    sys.path.insert(0, str(DOCS))
    try:
        yield import_module("draw_explore")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def address(draw_explore):
    with draw_explore.served() as address:
        yield address


def answer(address, path, **headers):
    """The status of a request with these headers."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    given = {name.replace("_", "-"): value.replace("PORT", port) for name, value in headers.items()}
    connection.request("GET", path, headers=given)
    status = connection.getresponse().status
    connection.close()
    return status


SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_only_browsers_that_ask_this_machine_by_its_name_get_the_page(address):
    assert answer(address, "/", Host="127.0.0.1:PORT") == 200
    assert answer(address, "/", Host="localhost:PORT") == 200
    for foreign in (
        "example.com",
        "example.com:PORT",
        "127.0.0.1.example.com:PORT",
        "10.0.0.1:PORT",
        "localhost.x",
    ):
        for path in ("/", "/ws", "/static/js/bokeh.min.js", "/anything"):
            assert answer(address, path, Host=foreign) == 403, foreign


def test_web_sockets_of_foreign_pages_are_refused(address):
    assert answer(address, "/ws", **SOCKET, Origin="http://example.com") == 403
    assert answer(address, "/ws", **SOCKET, Origin="http://example.com:PORT") == 403
    assert answer(address, "/ws", **SOCKET, Origin="http://127.0.0.1:1") == 403


def test_the_page_listens_on_the_loopback_address_alone(address):
    port = int(address.rstrip("/").rpartition(":")[2])
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = {line.split()[1] for line in lines if line.split()[3] == "0A"}
    assert {at for at in listening if at.endswith(f":{port:04X}")} == {f"0100007F:{port:04X}"}


@pytest.mark.browser
def test_a_browser_draws_the_page_and_follows_a_slider_without_any_other_server(draw_explore, address):
    asked, failed = [], []
    with draw_explore.opened(address) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: failed.append(said.text) if said.type == "error" else None)
        page.reload()
        page.get_by_text("output by law").wait_for(timeout=120_000)
        assert all(url.startswith((address, "data:", "blob:")) for url in asked)
        sliders = ("density p of x", "number of inputs", "image")
        for i, (title, slider) in enumerate(zip(draw_explore.TABS.values(), sliders, strict=True)):
            page.get_by_text(title, exact=True).click()
            group = page.locator(".bk-input-group", has_text=f"{slider}:")
            group.locator(".noUi-handle").first.focus()
            for _ in range(5):
                page.keyboard.press("ArrowRight")
            taken = page.locator("small", has_text=" ms").nth(i)  # only texts of changes have it
            taken.wait_for(timeout=120_000)
            for width in (390, 1010):  # a phone, and back
                page.set_viewport_size({"width": width, "height": 800})
                page.wait_for_timeout(500)
                assert page.evaluate("document.documentElement.scrollWidth") == width
        assert not failed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "--port must be at least 0 and at most 65535, got 70000"),
        (["none.npz"], "NETWORK must be a file of Network.save, a NIR graph (.nir), or 'digits', got 'none.npz'"),
        (["--data", "wide.npz"], "--data must hold images of shape (n, 64), n at least 1, for this network, got (2, 2)"),
        (["--data", "few.npz"], "--data must hold a label for each of the 2 images, got (1,)"),
        (["--data", "dark.npz"], "--data must lie in [0.0, 1.0], got 255.0 at index (0, 0); scale the images"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_before_anything_is_served(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    np.savez("wide.npz", images=np.eye(2), labels=[0, 1])
    np.savez("few.npz", images=np.zeros((2, 64)), labels=[0])
    np.savez("dark.npz", images=np.full((2, 64), 255), labels=[0, 1])
    assert main(["explore", "--no-browser", *arguments]) == 1
    assert capsys.readouterr().err == f"sc-neurocore: {message}\n"


def test_without_panel_the_error_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "panel", None)
    assert main(["explore", "--no-browser"]) == 1
    assert "explore needs Panel; run pip install '.[explore]'" in capsys.readouterr().err


def test_ctrl_c_ends_the_page(monkeypatch, capsys):
    class Loop:
        def start(self):
            raise KeyboardInterrupt

    class Server:
        port, io_loop, stopped = 5077, Loop(), []

        def stop(self):
            self.stopped.append(True)

    monkeypatch.setattr(_explore, "server_of", lambda *_: Server())
    assert main(["explore", "--no-browser"]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:5077/ (Ctrl-C ends it)\nstopped\n"
    assert Server.stopped == [True]
