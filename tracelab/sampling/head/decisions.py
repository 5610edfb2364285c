"""What a head sampler decides, trace by trace."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.forest import Forest
from tracelab.sampling.decided import DECISION
from tracelab.sampling.head.replay import fleet_option, replay


@takes_any_frame
def head_decisions(spans: pl.DataFrame | pl.LazyFrame, sampler: Any, *, missing_parents: str = "root") -> pl.DataFrame:
    """Tell what a head sampler, or a fleet of them, would have decided on every trace.

    Parameters
    ----------
    spans
        A span frame.
    sampler, missing_parents
        As for `sample_head`.

    Returns
    -------
    One row per trace: `trace_id` (String), `decision` (Enum: sampled, not_sampled, partial where some of its spans are
    kept, unknown where its id is none), `policy` (String: the sampler of the span that begins the trace), `spans`,
    `spans_kept` (UInt32), `sampling_probability` (Float64: how likely each of its spans is kept; null where they
    differ or one of them is not known), `simulated` (Boolean: false, since nothing rests on arrivals), `broken`
    (UInt32: how many spans are kept whose parent is there and is not kept) and `missing_parents` (UInt32: how many
    spans have a parent that is not in the frame, of which the option of that name speaks); sorted by `trace_id`.

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
    >>> head_decisions(spans, {"web": AlwaysOff(), "*": AlwaysOn()}).select("decision", "spans_kept", "broken").row(0)
    ('partial', 1, 1)
    """
    frame = spans.lazy().collect()
    found = replay(frame, sampler, missing_parents=missing_parents)
    forest = Forest.of(frame)
    chosen = fleet_option(sampler)
    names = {name: str(each) for name, each in chosen.items()} if isinstance(chosen, dict) else {"*": str(chosen)}
    kept, known = pl.col("kept").sum(), pl.col("probability").is_not_nan().all()
    rows = frame.select("trace_id", "service_name", "tree_left").with_columns(
        kept=pl.Series(found.kept),
        decided=pl.Series(found.decided),
        probability=pl.Series(found.probability),
        broken=pl.Series(forest.broken_off(found.kept)),
        missing=pl.Series(~forest.has_parent) & frame["parent_span_id"].is_not_null(),
    )
    first = pl.col("service_name").get(pl.col("tree_left").arg_min())
    lowest, highest = pl.col("probability").min(), pl.col("probability").max()
    return (
        rows.lazy()
        .group_by("trace_id")
        .agg(
            decision=pl.when(~pl.col("decided").all())
            .then(pl.lit("unknown"))
            .when(kept == pl.len())
            .then(pl.lit("sampled"))
            .when(kept == 0)
            .then(pl.lit("not_sampled"))
            .otherwise(pl.lit("partial")),
            policy=first.replace_strict(names, default=names.get("*"), return_dtype=pl.String),
            spans=pl.len().cast(pl.UInt32),
            spans_kept=kept.cast(pl.UInt32),
            sampling_probability=pl.when(known & (lowest == highest)).then(lowest),
            simulated=pl.lit(value=False),
            broken=pl.col("broken").sum().cast(pl.UInt32),
            missing_parents=pl.col("missing").sum().cast(pl.UInt32),
        )
        .with_columns(pl.col("decision").cast(DECISION))
        .sort("trace_id")
        .collect()
    )
