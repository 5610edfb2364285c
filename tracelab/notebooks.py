"""How a notebook shows polars frames once `%load_ext tracelab` was said there, and no longer after `%unload_ext`."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from tracelab.tables import show

_TYPES: Final = ("text/html", "text/plain")


def install(ipython: Any) -> None:
    """Let a notebook show every polars DataFrame with its durations and shares in words."""
    formatters = ipython.display_formatter.formatters
    formatters["text/html"].for_type(pl.DataFrame, _html)
    formatters["text/plain"].for_type(pl.DataFrame, _text)


def uninstall(ipython: Any) -> None:
    """Take our way of showing frames out of a notebook again."""
    for name, ours in zip(_TYPES, (_html, _text), strict=True):
        formatter = ipython.display_formatter.formatters[name]
        if formatter.lookup_by_type(pl.DataFrame) is ours:
            formatter.pop(pl.DataFrame)


def _html(frame: pl.DataFrame) -> str:
    return show(frame)._repr_html_()


def _text(frame: pl.DataFrame, printer: Any, cycle: bool) -> None:  # noqa: ARG001 - how IPython calls it
    printer.text(show(frame).text())
