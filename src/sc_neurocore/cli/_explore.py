"""sc-neurocore explore: a live page about bitstreams, neurons and networks, on this machine only."""

from __future__ import annotations

import argparse
import socket
import webbrowser
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.cli._common import emit, load_images, load_network, say
from sc_neurocore.networks import Network

if TYPE_CHECKING:
    from bokeh.server.server import Server

ADDRESS = "127.0.0.1"
NAMES = (ADDRESS, "localhost")  # by which a browser on this machine may ask for the page


def run_explore(options: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C, and open it in a browser."""
    port = _checks.integer("--port", options.port, 0, 65535)
    network, images, labels = _shown(options)
    try:
        server = server_of(network, images, labels, port)
    except ImportError as error:
        raise ImportError(_checks.missing_extra("explore", "Panel", "explore")) from error
    page = f"http://{ADDRESS}:{server.port}/"
    if options.json:
        emit({"address": page})
    say(options, f"{page} (Ctrl-C ends it)")
    if not options.no_browser:
        server.io_loop.call_later(0.1, webbrowser.open, page)
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        say(options, "stopped")
    finally:
        server.stop()


def _shown(options: argparse.Namespace) -> tuple[Network, NDArray[Any], NDArray[Any]]:
    """Return the network with images and labels that fit it."""
    network, (images, labels) = load_network(options), load_images(options)
    if images.ndim != 2 or images.shape[1] != network.n_in or len(images) == 0:
        contract = f"hold images of shape (n, {network.n_in}), n at least 1, for this network"
        _checks.fail("--data", contract, images.shape)
    if labels.shape != (len(images),):
        _checks.fail("--data", f"hold a label for each of the {len(images)} images", labels.shape)
    _checks.within("--data", images.astype(np.float64), 0.0, 1.0, "scale the images")
    return network, images, labels


def server_of(network: Network, images: NDArray[Any], labels: NDArray[Any], port: int = 0) -> Server:
    """Return a server of the page, which listens on the loopback address; port 0 is any free one.

    It refuses requests for other hosts, which a page from elsewhere could send by a name that resolves
    to this machine, and web sockets that such a page opens.
    """
    import panel
    from tornado.web import ErrorHandler

    from sc_neurocore.cli._explore_tabs import page

    if port == 0:
        with socket.socket() as any_port:
            any_port.bind((ADDRESS, 0))
            port = any_port.getsockname()[1]
    server: Server = panel.io.server.get_server(
        {"/": lambda: page(network, images, labels)},
        port=port,
        address=ADDRESS,
        websocket_origin=[f"{name}:{port}" for name in NAMES],
        title="sc-neurocore",
        show=False,
        start=False,
    )
    others = r"^(?!(?:" + "|".join(name.replace(".", r"\.") for name in NAMES) + r")$).*$"
    server._tornado.add_handlers(others, [(r".*", ErrorHandler, {"status_code": 403})])
    return server
