"""Where traces break: the calls whose callee is kept by a head sampler and whose caller is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.forest import Forest
from tracelab.sampling.head.replay import replay


@takes_any_frame
def broken_calls(spans: pl.DataFrame | pl.LazyFrame, sampler: Any, *, missing_parents: str = "root") -> pl.DataFrame:
    """Count the spans that lose their parents to a head sampler, by the services on both sides.

    Parameters
    ----------
    spans
        A span frame.
    sampler, missing_parents
        As for `sample_head`.

    Returns
    -------
    One row per pair of services in which a span has a parent: `caller`, `callee` (String), `calls` (UInt32: spans of
    the callee below one of the caller, both in the frame), `callees_kept` (UInt32: how many of these are kept),
    `broken` (UInt32: and their parents are not), `traces` (UInt32: in how many traces) and `exemplar_trace_id`
    (String: the first of them); most broken first, then by `caller` and `callee`.

    Raises
    ------
    TracelabError
        It is no sampler, or the fleet has none for a service.
    SchemaError
        It cannot be conformed.

    Warns
    -----
    SamplingWarning
        Some spans have a trace id that their sampler cannot decide on.
    QueryWarning
        A fleet names a service that no span is of, and one of nearly that name is not in it.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOff, AlwaysOn
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /     =====
    ...   db::SELECT   ...=
    ... ''')
    >>> broken_calls(spans, {"web": AlwaysOff(), "*": AlwaysOn()}).select("caller", "callee", "broken").row(0)
    ('web', 'db', 1)
    """
    frame = spans.lazy().collect()
    found = replay(frame, sampler, missing_parents=missing_parents)
    forest = Forest.of(frame)
    rows = np.flatnonzero(forest.has_parent)
    below, above = pl.Series(rows), pl.Series(forest.parent[rows])
    calls = pl.DataFrame(
        {
            "caller": frame["service_name"].gather(above),
            "callee": frame["service_name"].gather(below),
            "trace_id": frame["trace_id"].gather(below),
            "kept": found.kept[rows],
            "broken": forest.broken_off(found.kept)[rows],
        }
    )
    lost = pl.col("trace_id").filter("broken")
    return (
        calls.lazy()
        .group_by("caller", "callee")
        .agg(
            calls=pl.len().cast(pl.UInt32),
            callees_kept=pl.col("kept").sum().cast(pl.UInt32),
            broken=pl.col("broken").sum().cast(pl.UInt32),
            traces=lost.n_unique().cast(pl.UInt32),
            exemplar_trace_id=lost.min(),
        )
        .sort("broken", "caller", "callee", descending=[True, False, False])
        .collect()
    )
