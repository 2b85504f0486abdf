"""Progress bars, drawn by tqdm if it is installed (extra: progress)."""

from __future__ import annotations

from typing import Protocol


class Bar(Protocol):
    """Progress bar: a context manager with `update`."""

    def update(self, n: int = 1) -> object:
        """Advance the bar by n units."""

    def __enter__(self) -> Bar: ...
    def __exit__(self, *exception: object) -> object: ...


class _Silent:
    """Bar that draws nothing."""

    def update(self, n: int = 1) -> None:
        pass

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def progress_bar(total: int, description: str, unit: str, *, show: bool) -> Bar:
    """Return a progress bar on standard error, which is erased when it closes.

    Nothing is drawn unless `show`, or if tqdm is missing.
    """
    if not show:
        return _Silent()
    try:
        from tqdm import tqdm
    except ImportError:
        return _Silent()
    bar: Bar = tqdm(total=total, desc=description, unit=unit, leave=False)
    return bar
