"""How tables look in a page and what lets one sort and filter them: the style and the script, each once a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_HERE: Final = Path(__file__).parent

STEPS: Final[tuple[int, ...]] = (*range(160, 600, 20), *range(600, 1_200, 40), *range(1_200, 2_401, 100))
"""The widths in pixels below which columns may be left out."""

NARROW: Final = 480
"""The width below which there is less room between columns."""


def style(steps: Iterable[int]) -> str:
    """Give the style of tables that leave out columns below some of these widths."""
    return _LOOKS + "".join(map(_rule, sorted(steps)))


def _rule(width: int) -> str:
    # A browser that knows no `:has` knows no way back to what is hidden, and by this selector hides nothing.
    return (
        f"@container tracelab-table (width < {width}px) {{"
        f" .tracelab-table.tracelab-table:not(:has(.every input:checked)) .from{width} {{ display: none; }}"
        f" .tracelab-table .under{width} {{ display: revert; }}"
        f" .tracelab-table.tracelab-table td small.under{width} {{ display: block; }} }}\n"
    )


_LOOKS: Final = (_HERE / "tables.css").read_text(encoding="utf-8")
STYLE: Final = style(STEPS)
SCRIPT: Final = (_HERE / "tables.js").read_text(encoding="utf-8")
