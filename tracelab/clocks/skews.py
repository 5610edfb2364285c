"""clock_skew: how far the clocks of hosts are apart, pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.clocks.agreement import FAR
from tracelab.clocks.drifts import drifts
from tracelab.clocks.hosts import host_columns, named_by
from tracelab.clocks.pairs import measured
from tracelab.clocks.seen import seen_of
from tracelab.clocks.wrong import ahead, corrections, turned_of
from tracelab.conforming import takes_any_frame
from tracelab.forest import build_forest
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.clocks.calls import HostCalls
    from tracelab.clocks.pairs import Pairs

_SCHEMA: Final[dict[str, Any]] = {
    "host": pl.String, "reference": pl.String, "offset": DURATION, "lower": DURATION, "upper": DURATION,
    "skewed": pl.Boolean, "calls": pl.UInt32, "calls_to_host": pl.UInt32, "calls_to_reference": pl.UInt32,
    "agreeing": pl.UInt32, "outside": pl.UInt32, "largest_violation": DURATION, "drift": DURATION,
    "correction": DURATION, "host_named_by": pl.String, "reference_named_by": pl.String,
    "exemplar_trace_id": pl.String, "exemplar_span_id": pl.String,
}  # fmt: skip


@takes_any_frame
def clock_skew(spans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    r"""Tell how far the clocks of hosts are apart, from the calls between them.

    What answers a call cannot begin before the span that called it, nor end after it if that one waited for it: every
    call allows the two clocks some offsets, and no others. The offset that most calls allow is taken for that of the
    clocks, as NTP tells good clocks from bad ones (Marzullo's algorithm). Nobody is thought to wait for a message
    (below a producer, or a consumer), and nobody has waited for what took longer than its caller: such calls bound one
    side only.

    A span's host is what the first of these attributes of its resource says that it has: `host.id`, `host.ip`,
    `host.name`, `k8s.node.name`, `hostname`, `ip` (as Jaeger's clients write them), `k8s.pod.uid`, `k8s.pod.name`,
    `container.id`, `service.instance.id`. Without any the service stands for the host.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per pair of hosts with calls between them; first those whose clocks cannot agree, then by the size of the
    offset, then by names:

    `host`, `reference` (String; of the two `host` is the one whose clock is taken for wrong, or more wrong, else the
    one that is called), `offset`, `lower`, `upper` (Duration: how far the clock of the host is ahead of that of the
    reference, below 0 if it is behind, as it is estimated, and within which bounds; null where the calls give no bound,
    and of an offset where they give one bound and the clocks can agree), `skewed` (Boolean: the interval excludes 0,
    and at least 3 calls and a fair share of all say so; where fewer do, the interval is widened to hold 0), `calls`
    (UInt32, that this rests on), `calls_to_host`, `calls_to_reference` (UInt32, in either direction: calls in one
    direction only bound the offset by the time on the way), `agreeing` (UInt32, calls that allow one and the same
    offset: where these are not all, the offset is an estimate from most of them), `outside` (UInt32, calls that lie
    outside of their callers), `largest_violation` (Duration, how far at most; null if none does), `drift` (Duration:
    how far the offset has moved, from the earlier to the later of the two times at which it was smallest and largest;
    null where one offset fits all along), `correction` (Duration, what `correct_skew` adds to the times of the host),
    `host_named_by`, `reference_named_by` (String, the attribute that names them, `service.name` where none does),
    `exemplar_trace_id`, `exemplar_span_id` (String, the call that is furthest outside; null if none is).

    Raises
    ------
    SchemaError
        The spans cannot be conformed.

    Notes
    -----
    Bounds leave room for the digits that times lack: a clock whose times are all whole microseconds or milliseconds is
    taken to be exact to one of them. `outside` and `largest_violation` count from there.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> call = '''
    ... web::GET    ....==========  kind=client
    ...   db::query .======         kind=server
    ... '''
    >>> found = clock_skew(draw("\n".join([call] * 3)))
    >>> found.select("host", "reference", pl.col("offset", "lower", "upper").dt.total_milliseconds()).row(0)
    ('db', 'web', -5, -8, -2)
    """
    frame, forest = build_forest(spans, *host_columns(spans))
    if not frame.height:
        return pl.DataFrame(schema=_SCHEMA)
    seen = seen_of(frame, forest)
    if seen.calls is None:
        return pl.DataFrame(schema=_SCHEMA)
    pairs = measured(seen.calls, seen.hosts.len(), enough=None)
    correction = corrections(pairs, seen.hosts.len())
    turned = turned_of(pairs, correction)
    host, reference = np.where(turned, pairs.first, pairs.second), np.where(turned, pairs.second, pairs.first)
    names = named_by(frame, seen.host, seen.hosts.len())
    low, high = ahead(pairs.low, pairs.high, turned)
    moved, drift = drifts(seen.calls, pairs, frame)
    offset = np.where(turned, pairs.middle, -pairs.middle)
    bounded = (np.abs(low) < FAR // 2) & (np.abs(high) < FAR // 2)
    answer = pl.DataFrame(
        [
            seen.hosts.gather(host).alias("host"),
            seen.hosts.gather(reference).alias("reference"),
            _lengths("offset", offset, bounded | pairs.bad),
            _lengths("lower", low, np.abs(low) < FAR // 2),
            _lengths("upper", high, np.abs(high) < FAR // 2),
            pl.Series("skewed", pairs.bad),
            *_counts(seen.calls, pairs, turned),
            _lengths("drift", np.where(turned, -drift, drift), moved),
            _lengths("correction", correction[host]),
            names.gather(host).alias("host_named_by"),
            names.gather(reference).alias("reference_named_by"),
        ]
    ).with_columns(_exemplars(seen.calls, pairs, frame))
    size = pl.col("offset").abs()
    order = ("skewed", size, "host", "reference", "host_named_by", "reference_named_by")
    return answer.select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items()).sort(
        *order, descending=[True, True, False, False, False, False], nulls_last=True
    )


def _lengths(name: str, values: Ints, known: Flags | None = None) -> pl.Series:
    series = pl.Series(name, values).cast(DURATION)
    return series if known is None else series.set(pl.Series(~known), None)


def _counts(calls: HostCalls, pairs: Pairs, turned: Flags) -> list[pl.Series]:
    count = pairs.first.size
    to_second = np.bincount(calls.pair[calls.forward], minlength=count)
    to_first = np.bincount(calls.pair[~calls.forward], minlength=count)
    outside = calls.calls.outside
    return [
        pl.Series("calls", pairs.looked_at),
        pl.Series("calls_to_host", np.where(turned, to_first, to_second)),
        pl.Series("calls_to_reference", np.where(turned, to_second, to_first)),
        pl.Series("agreeing", pairs.agreeing),
        pl.Series("outside", np.bincount(calls.pair[outside], minlength=count)),
    ]


def _exemplars(calls: HostCalls, pairs: Pairs, frame: pl.DataFrame) -> list[pl.Series]:
    """Give the call of each pair that is furthest outside of its caller, the first by ids of several."""
    rows = np.flatnonzero(calls.calls.outside)
    called = calls.calls.called[rows]
    table = (
        frame[called]
        .select("trace_id", "span_id")
        .with_columns(
            pl.Series("pair", calls.pair[rows]),
            pl.Series("violation", np.maximum(calls.calls.low, -calls.calls.high)[rows]),
        )
    )
    worst = (
        table.sort("violation", "trace_id", "span_id", descending=[True, False, False])
        .group_by("pair", maintain_order=True)
        .first()
    )
    every = pl.DataFrame({"pair": np.arange(pairs.first.size)}).join(
        worst, on="pair", how="left", maintain_order="left"
    )
    return [
        every["violation"].cast(DURATION).alias("largest_violation"),
        every["trace_id"].alias("exemplar_trace_id"),
        every["span_id"].alias("exemplar_span_id"),
    ]
