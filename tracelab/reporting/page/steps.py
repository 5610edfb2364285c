"""The progress bar of a report, for who watches and waits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_LARGE: Final = 100_000


class Steps:
    """A bar over so many steps of work; without `progress` it is shown where there are many spans and a terminal.

    Used as a context, it goes away at the end, whatever the end is.
    """

    def __init__(self, steps: int, spans: int, *, progress: bool | None) -> None:
        watched = "ipykernel" in sys.modules or sys.stderr.isatty()
        shown = spans >= _LARGE and watched if progress is None else progress
        self._bar: Any = tqdm(total=steps, desc="Writing the report", unit=" steps", disable=not shown, leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def run(self, step: Callable[[], _T]) -> _T:
        """Take a step."""
        result = step()
        self._bar.update()
        return result
