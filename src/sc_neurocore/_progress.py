"""Progress bars by tqdm, where it is installed (extra: progress)."""

from __future__ import annotations

from typing import Protocol


class Bar(Protocol):
    """What a loop tells of its progress."""

    def update(self, n: int = 1) -> object:
        """Advance by n units."""

    def __enter__(self) -> Bar: ...
    def __exit__(self, *exception: object) -> object: ...


class _Silent:
    def update(self, n: int = 1) -> None:
        pass

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def progress_bar(total: int, description: str, unit: str, *, show: bool) -> Bar:
    """Return a bar on standard error that disappears when it is done, or none where none is wanted."""
    if not show:
        return _Silent()
    try:
        from tqdm import tqdm
    except ImportError:
        return _Silent()
    bar: Bar = tqdm(total=total, desc=description, unit=unit, leave=False)
    return bar
