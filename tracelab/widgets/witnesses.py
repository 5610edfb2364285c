"""The spans that show a finding: its exemplars, with the traces that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator


class Witnesses:
    """The traces of a finding's exemplars.

    Attributes
    ----------
    spans
        All spans of these traces.
    places
        Trace and span id of each exemplar that the frame holds.
    note
        What one must know to read them.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self.call(pl.DataFrame())

    def call(self, finding: pl.DataFrame) -> None:
        """Find the exemplars of a finding, a frame of one row, or of none."""
        wanted = list(_exemplars(finding))
        self.spans = self._frame.filter(pl.col("trace_id").is_in({trace_id for trace_id, _ in wanted}))
        known = set(self.spans.select("trace_id", "span_id").iter_rows())
        self.places = [place for place in wanted if place in known]
        self.note = ""


def _exemplars(finding: pl.DataFrame) -> Iterator[tuple[str, str]]:
    for traces, spans in finding.select(pl.col("^exemplar_(trace|span)_ids$")).iter_rows():
        yield from zip(traces or (), spans or (), strict=False)
