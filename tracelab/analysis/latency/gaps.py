"""Gaps inside spans: time that no child covers, where it is long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations
from tracelab.analysis.latency.self_time import uncovered
from tracelab.clocks.doubts import timed_forest
from tracelab.conforming import takes_any_frame
from tracelab.options import nanoseconds, share
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    from datetime import timedelta

    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Ints


@takes_any_frame
def gaps(spans: Spans, *, min_duration: str | timedelta = "1ms", min_share: float = 0.1) -> pl.DataFrame:
    """Find time inside spans that no child covers, where it is long: work that nobody instrumented, or waiting.

    Parameters
    ----------
    spans
        The spans. Only those with children have gaps; a span without any is one piece of work.
    min_duration
        How long a gap must be: text such as `250ms`, or a timedelta.
    min_share
        How large a part of its span a gap must be.

    Returns
    -------
    One row per gap, longest first, then by ids and time: `trace_id`, `span_id`, `service_name`, `name` (String, of the
    span), `start_time` (Datetime), `duration` (Duration, of the gap), `share` (Float64, of the span), `after`, `before`
    (String, the names of the child that had ended last and of the one that starts next; null at the beginning and end).

    Raises
    ------
    TracelabError
        `min_duration` is no length of time, or `min_share` no share.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api      ==========
    ...   auth   ===
    ...   db     .......===
    ... ''')
    >>> gaps(spans).select("name", "duration", "share", "after", "before").row(0)
    ('api', datetime.timedelta(microseconds=4000), 0.4, 'auth', 'db')
    """
    least = share("min_share", min_share, ends=True, why="0.1 is a tenth of the span.")
    shortest = nanoseconds("min_duration", min_duration)
    frame, forest = timed_forest(spans)
    found = uncovered(frame, forest)
    length = found.end - found.start
    part = length / np.maximum(durations(frame)[found.owner], 1)
    long = np.flatnonzero((length > 0) & (length >= shortest) & (part >= least))
    owner = frame[found.owner[long]]
    return pl.DataFrame(
        [
            *owner.select("trace_id", "span_id", "service_name", "name"),
            pl.Series("start_time", found.start[long]).cast(TIME),
            pl.Series("duration", length[long]).cast(DURATION),
            pl.Series("share", part[long]),
            _names(frame, found.before[long], "after"),
            _names(frame, found.after[long], "before"),
        ]
    ).sort("duration", "trace_id", "span_id", "start_time", descending=[True, False, False, False])


def _names(frame: pl.DataFrame, places: Ints, column: str) -> pl.Series:
    """Give the names of the spans at these places; null for -1."""
    return frame["name"].gather(pl.Series(places).replace(-1, None).cast(pl.UInt32)).alias(column)
