"""Error origins: where failures start, and how far they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.errors.exceptions import FAILED, REFUSED, exceptions_of, failure_columns
from tracelab.analysis.errors.propagation import propagated
from tracelab.analysis.errors.requests import callers_of
from tracelab.conforming import takes_any_frame
from tracelab.forest import build_forest

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_GROUP: Final = ("service_name", "name", "exception_type", "message")


@takes_any_frame
def error_origins(spans: Spans) -> pl.DataFrame:
    """Find where failures start: the deepest failing span of each failing branch.

    A failing span that no failing child passed its failure to is an origin. From there the failure climbs as long as
    parents fail too; it has reached the root, or the first ancestor that did not fail has swallowed it (a retry, a
    fallback, a message that nobody waits for). What counts as failing is told at `error_rates`. A span without a status
    that answered 4xx, or with a code of gRPC other than OK, did not fail, but passed on what failed below it: who asked
    has seen it.

    Not every failing parent failed for its child. Attempts at one thing are siblings of one service, name and kind:
    where one failed and another one, started after it had ended, went well, the parent has swallowed the failure. It
    has also swallowed what it did not wait for: a child that was left running (see `critical_path`), and the consumer
    of a message.

    Many libraries leave the status of their internal spans unset whatever happens. Such a span (kind internal or
    unspecified, status unset) has passed a failure on if a span further up failed or answered so, and nothing was
    started below it after the last failing attempt had ended, which is how an exception that gets out looks. The same
    is asked of spans that say by their answer alone that something was wrong.

    One request may fail in several spans: three attempts are three errors. So requests are counted too. A request is a
    root that somebody asked: a server span without a parent, one of kind internal or unspecified that has the code of
    an answer (HTTP, gRPC), or one of another kind in a service that has no server or consumer spans, such as a client
    or a script. Any other root in a service that is otherwise called has lost its caller on the way, or is a job that
    nobody waits for: like the top of a fragment whose parent is missing it is no request, and no root that was reached.
    A consumer span without a parent is a root, but no request, as who sent the message does not wait.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per kind of failure, most errors first, then by the next four columns: `service_name`, `name`,
    `exception_type`, `message` (String, of the origin; the last exception event of the span says what happened, else
    its attributes, codes, such as `HTTP 503` or `gRPC UNAVAILABLE`, and status; null where nothing does; in messages
    numbers are folded to `<n>`, ids to `<id>`), `errors`, `traces` (UInt32, origins and the traces that they are in),
    `requests` (UInt32, the requests that they are in), `reached_root` (UInt32, how many of the errors got to the root
    of the trace), `reached_requests` (UInt32, the requests whose root they got to), `reached_fragment` (UInt32, how
    many of the errors got to the top of a part of the trace whose caller is not known), `swallowed_by` (String,
    `service::name` of who swallowed most of the others; null if nobody did), `climbed` (Float64, levels that they
    climbed on average), `first_seen`, `last_seen` (Datetime), `exemplar_trace_id`, `exemplar_span_id` (String, the
    first one).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web      ==========!
    ...   pay    .========!
    ...     bank ..=====!  exception.type=Timeout exception.message="no answer in 250 ms"
    ...   mail   .=!
    ... ''')
    >>> error_origins(spans).select("name", "exception_type", "message", "reached_root", "climbed").rows()
    [('bank', 'Timeout', 'no answer in <n> ms', 1, 2.0), ('mail', None, None, 1, 1.0)]
    """
    frame, forest = build_forest(spans, *failure_columns(spans))
    failing, refusing = (frame[name].to_numpy() for name in (FAILED, REFUSED))
    failures = propagated(frame, forest, failing, refusing)
    root, above = forest.root[failures.origin], forest.parent[failures.top]
    callers = callers_of(frame, forest)
    swallowers = frame[np.maximum(above, 0)].select(pl.format("{}::{}", "service_name", "name").alias("swallower"))
    reached = above < 0
    return _by_kind(
        exceptions_of(frame[failures.origin], pl.Series(failures.origin)).with_columns(
            swallowers.to_series(),
            pl.Series("request", root),
            pl.Series("asked", callers.asked[root]),
            pl.Series("reached_root", reached & callers.known[root]),
            pl.Series("reached_fragment", reached & ~callers.known[root]),
            pl.Series("climbed", forest.depth[failures.origin] - forest.depth[failures.top]),
        )
    )


def _by_kind(origins: pl.DataFrame) -> pl.DataFrame:
    swallowed = (
        origins.lazy()
        .filter(~pl.col("reached_root") & ~pl.col("reached_fragment"))
        .group_by(*_GROUP, "swallower")
        .len()
        .sort("len", "swallower", descending=[True, False])
        .group_by(_GROUP, maintain_order=True)
        .agg(swallowed_by=pl.col("swallower").first())
    )
    return (
        origins.lazy()
        .sort("start_time", "trace_id", "span_id")
        .group_by(_GROUP, maintain_order=True)
        .agg(
            errors=pl.len().cast(pl.UInt32),
            traces=pl.col("trace_id").n_unique().cast(pl.UInt32),
            requests=pl.col("request").filter("asked").n_unique().cast(pl.UInt32),
            reached_root=pl.col("reached_root").sum().cast(pl.UInt32),
            reached_requests=pl.col("request")
            .filter(pl.col("asked") & pl.col("reached_root"))
            .n_unique()
            .cast(pl.UInt32),
            reached_fragment=pl.col("reached_fragment").sum().cast(pl.UInt32),
            climbed=pl.col("climbed").mean(),
            first_seen=pl.col("start_time").first(),
            last_seen=pl.col("start_time").last(),
            exemplar_trace_id=pl.col("trace_id").first(),
            exemplar_span_id=pl.col("span_id").first(),
        )
        .join(swallowed, on=_GROUP, how="left", nulls_equal=True)
        .select(
            *_GROUP,
            "errors",
            "traces",
            "requests",
            "reached_root",
            "reached_requests",
            "reached_fragment",
            "swallowed_by",
            "climbed",
            "first_seen",
            "last_seen",
            "exemplar_trace_id",
            "exemplar_span_id",
        )
        .sort("errors", *_GROUP, descending=[True, *(False for _ in _GROUP)], nulls_last=True)
        .collect()
    )
