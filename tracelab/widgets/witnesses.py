"""The spans that show a finding: its exemplars, in the traces that they are in."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.auditing.repairs import JOINED, ORIGINAL, repair_splits
from tracelab.markup import named

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPLITS: Final = frozenset({"split-trace", "lost-in-process"})
"""Rules that find traces which belong together: both are shown as one, so that one sees the gap."""

_UNSURE: Final = "Which traces belong together is not sure here: it is shown as it was recorded."

Place = tuple[str, str]


class Witnesses:
    """The traces of a finding's exemplars.

    Attributes
    ----------
    spans
        All spans of these traces; of split ones, with what surely belongs to them, as `repair_splits` gives it.
    places
        Trace and span id of each exemplar that the frame holds, as they are in `spans`.
    notes
        What one must know to read each.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self.spans, self.places, self.notes = frame.clear(), list[Place](), list[str]()

    def call(self, finding: pl.DataFrame) -> None:
        """Find the exemplars of a finding, a frame of one row, or of none."""
        wanted = list(_exemplars(finding))
        split = bool(wanted) and finding["rule"][0] in _SPLITS
        frame = self._repaired if split else self._frame
        recorded = pl.coalesce(ORIGINAL, "trace_id") if split else pl.col("trace_id")
        found = frame.lazy().filter(recorded.is_in([trace_id for trace_id, _ in wanted]))
        at = found.select(recorded.alias("recorded"), "span_id", to="trace_id").collect()
        homes = {(trace_id, span_id): home for trace_id, span_id, home in at.iter_rows()}
        known = [place for place in wanted if place in homes]
        self.places = [(homes[place], place[1]) for place in known]
        self.spans = frame.filter(pl.col("trace_id").is_in({trace_id for trace_id, _ in self.places}))
        self.notes = [self._note(place) if split else "" for place in self.places]

    @cached_property
    def _repaired(self) -> pl.DataFrame:
        return repair_splits(self._frame)

    def _note(self, place: Place) -> str:
        """Say what was put below the exemplar, or that it was put below something itself."""
        trace_id, span_id = place
        near = self.spans.filter(JOINED, trace_id=trace_id).filter(
            (pl.col("span_id") == span_id) | (pl.col("parent_span_id") == span_id)
        )
        if near.is_empty():
            return _UNSURE
        # The exemplar itself, where it was moved, is not below itself.
        root = near.sort(pl.col("span_id") != span_id, maintain_order=True).row(0, named=True)
        return (
            f"Two traces are shown as one: {named(root['name'] or '')} of {named(root['service_name'])} began a trace "
            f"of its own, {root[ORIGINAL]}, and stands here below the span that it belongs to."
        )


def _exemplars(finding: pl.DataFrame) -> Iterator[Place]:
    for traces, spans in finding.select("exemplar_trace_ids", "exemplar_span_ids").iter_rows():
        yield from zip(traces or (), spans or (), strict=False)
