"""Take the pictures of explore.md in headless Chromium, from the page as it is served.

python docs/draw_explore.py [CHROMIUM]
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops
from playwright.sync_api import sync_playwright

from sc_neurocore import load_digits
from sc_neurocore.cli._explore import server_of

PICTURES = Path(__file__).parent / "pictures"
TABS = {"streams": "Bitstreams and gates", "neuron": "A neuron", "network": "A network"}


@contextmanager
def served() -> Iterator[str]:
    """Serve the page of the digits in a thread of its own, and return its address."""
    ready, found = threading.Event(), list[Any]()

    def serve() -> None:
        import asyncio

        asyncio.set_event_loop(asyncio.new_event_loop())
        found.append(server := server_of(*load_digits()))
        server.io_loop.add_callback(ready.set)
        server.start()
        server.io_loop.start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ready.wait(120)
    (server,) = found
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.io_loop.add_callback(server.io_loop.stop)
        thread.join(30)


@contextmanager
def opened(address: str, chromium: str | None = None) -> Iterator[Any]:
    """Open the page in headless Chromium, and return it when the first tab is drawn."""
    path = chromium or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1010, "height": 700})
        page.goto(address)
        page.locator("canvas").first.wait_for(timeout=120_000)
        page.get_by_text("output by law").wait_for(timeout=60_000)
        yield page
        browser.close()


def trim(path: Path) -> None:
    """Cut empty rows off the bottom of a picture, down to a margin."""
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    used = ImageChops.invert(whole).getbbox()
    bottom = min(used[3] + 15, whole.height) if used else whole.height
    whole.crop((0, 0, whole.width, bottom)).save(path)


def main() -> None:
    """Write one picture per tab."""
    with served() as address, opened(address, *sys.argv[1:]) as page:
        for name, title in TABS.items():
            page.get_by_text(title, exact=True).click()
            page.set_viewport_size({"width": 1010, "height": 300})
            page.wait_for_timeout(3000)
            height = page.evaluate("document.body.scrollHeight")
            page.set_viewport_size({"width": 1010, "height": height})
            page.wait_for_timeout(1000)
            path = PICTURES / f"explore_{name}.png"
            page.screenshot(path=path)
            trim(path)
            print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
