"""How a notebook shows polars frames once `%load_ext tracelab` was said there, and no longer after `%unload_ext`."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from tracelab.display.tables import show

_FRAMES: Final = (pl.DataFrame, pl.Series)
_TYPES: Final = ("text/html", "text/plain")


def install(ipython: Any) -> None:
    """Let a notebook show every polars DataFrame and Series with their durations and shares in words."""
    formatters = ipython.display_formatter.formatters
    for kind in _FRAMES:
        formatters["text/html"].for_type(kind, _html)
        formatters["text/plain"].for_type(kind, _text)


def uninstall(ipython: Any) -> None:
    """Take our way of showing frames out of a notebook again."""
    for name, ours in zip(_TYPES, (_html, _text), strict=True):
        formatter = ipython.display_formatter.formatters[name]
        for kind in _FRAMES:
            if formatter.type_printers.get(kind) is ours:
                formatter.pop(kind)


def _html(frame: pl.DataFrame | pl.Series) -> str:
    return show(frame)._repr_html_()


def _text(frame: pl.DataFrame | pl.Series, printer: Any, cycle: bool) -> None:  # noqa: ARG001 - how IPython calls it
    printer.text(show(frame).text())
