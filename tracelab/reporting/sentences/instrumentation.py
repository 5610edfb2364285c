"""What the spans cannot tell: lost spans, broken context, wrong clocks, and time that nobody measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.latency.gaps import gaps
from tracelab.auditing.examining import audit
from tracelab.clocks.skews import clock_skew
from tracelab.reporting.sentences.rows import UNSEEN, Finding
from tracelab.reporting.sentences.words import named, operation, part, sentence, span_of
from tracelab.schema import attribute_value
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.reporting.asking import Asked

_SUBJECTS: Final = {
    "missing-parent": "loss",
    "several-roots": "loss",
    "client-root": "context",
    "internal-across-services": "context",
    "lost-in-process": "context",
    "missing-client-span": "context",
    "missing-server-span": "context",
    "parentless-consumer": "context",
    "reused-trace-id": "context",
    "shared-span-id": "context",
    "split-trace": "context",
}
"""The rules of the audit that say that a trace does not tell what it should."""

_WORTH_TELLING: Final = 0.01
"""Share from which on a loss is told of although something explains it."""

_EXPLAINED: Final = 0.1
"""What is left of the harm of a loss that something explains, such as sampling."""

_FEWEST_GAPS: Final = 5
_LEAST_SHARE: Final = 0.2
_MOST_GAPS: Final = 3
_GAP: Final = ["service_name", "name", "after", "before"]


def loss_findings(asked: Asked) -> list[Finding]:
    """Say where spans are lost and where context breaks, as the audit has it."""
    known = pl.col("rule").is_in(list(_SUBJECTS))
    lost = (pl.col("rule") == "missing-parent") & (pl.col("share") >= _WORTH_TELLING)
    worth = audit(asked.spans).filter(known & ((pl.col("severity") != "info") | lost))
    return [_loss(row) for row in worth.iter_rows(named=True)]


def _loss(row: Mapping[str, Any]) -> Finding:
    explained = row["explanation"]
    text = row["finding"] if not explained else f"{row['finding'].removesuffix('.')}; what explains it: {explained}"
    return Finding(
        sentence(text),
        _SUBJECTS[row["rule"]],
        row["service_name"],
        row["detail"] if row["rule"] == "lost-in-process" else None,
        row["count"],
        row["out_of"],
        row["count"] * UNSEEN * (_EXPLAINED if explained else 1),
        "audit",
        next(iter(row["exemplar_trace_ids"]), None),
        same=" ".join(str(row[name]) for name in ("rule", "caller", "callee", "detail")),
    )


def clock_findings(asked: Asked) -> list[Finding]:
    """Say which clocks are wrong, also where `correct_skew` has set them right since."""
    spans = asked.spans
    corrected = "raw_start_time" in spans.columns
    if corrected:
        added = [name for name in ("raw_start_time", "skew_correction", "skew_note") if name in spans.columns]
        spans = spans.with_columns(start_time=pl.col("raw_start_time")).drop(added)
    worst = (
        clock_skew(spans)
        .filter("skewed")
        .sort(pl.col("offset").abs(), "host", "reference", descending=[True, False, False])
        .unique("host", keep="first", maintain_order=True)
    )
    return [_clock(asked, row, corrected=corrected) for row in _integers(worst).iter_rows(named=True)]


def _clock(asked: Asked, row: Mapping[str, Any], *, corrected: bool) -> Finding:
    offset, bounds = row["offset"], sorted((abs(row["lower"] or 0), abs(row["upper"] or 0)))
    known = row["lower"] is not None and row["upper"] is not None
    way = "ahead of" if offset > 0 else "behind"
    text = (
        f"The clock of {named(row['host'])} is {format_duration(abs(offset))} {way} that of {named(row['reference'])}"
        f"{span_of(*bounds) if known else ''}: {part(row['outside'], row['calls'], 'calls')} lie outside of who called"
    )
    note = "; the times here have been corrected" if corrected else "; `correct_skew` sets its times right"
    return Finding(
        sentence(text + note),
        "clock",
        _service_of(asked, row),
        None,
        row["outside"],
        row["calls"],
        row["outside"] * UNSEEN * (_EXPLAINED if corrected else 1),
        "clock_skew",
        row["exemplar_trace_id"],
    )


def _service_of(asked: Asked, row: Mapping[str, Any]) -> str:
    """Name the service that most of the host's spans are of."""
    if row["host_named_by"] == "service.name":
        return str(row["host"])
    here = attribute_value(f"resource.{row['host_named_by']}") == row["host"]
    services = asked.spans.lazy().filter(here).group_by("service_name").len().sort("len", "service_name").collect()
    return str(services["service_name"][-1]) if services.height else str(row["host"])


def gap_findings(asked: Asked) -> list[Finding]:
    """Say where much time passes inside an operation that no span covers."""
    # Between a call and its answer lies the network, which nobody can instrument.
    works = ~pl.col("kind").is_in(["client", "producer"])
    spans = asked.frame.lazy().select("trace_id", "span_id", "service_name", "name", "kind")
    found = gaps(asked.spans).lazy().join(spans.select("trace_id", "span_id", "kind"), on=["trace_id", "span_id"])
    groups = (
        found.filter(works)
        .sort("duration", "trace_id", "span_id")
        .group_by(_GAP, maintain_order=True)
        .agg(
            pl.col("span_id").n_unique().alias("spans"),
            pl.col("duration").sum().alias("total"),
            pl.col("duration").median().alias("usual"),
            pl.col("share").median(),
            exemplar=pl.col("trace_id").get((pl.len() - 1) // 2),
        )
        .join(spans.group_by("service_name", "name").len("of"), on=["service_name", "name"])
        .filter(pl.col("spans") >= _FEWEST_GAPS, pl.col("spans") >= _LEAST_SHARE * pl.col("of"))
        .sort("total", *_GAP, descending=[True, *(False for _ in _GAP)])
        .unique(["service_name", "name"], keep="first", maintain_order=True)
        .head(_MOST_GAPS)
        .collect()
    )
    return [_gap(row) for row in _integers(groups).iter_rows(named=True)]


def _gap(row: Mapping[str, Any]) -> Finding:
    after = f"after {named(row['after'])}" if row["after"] is not None else "at the beginning"
    before = f"before {named(row['before'])}" if row["before"] is not None else "at the end"
    if row["after"] is not None and row["before"] is not None:
        where = f"between {named(row['after'])} and {named(row['before'])}"
    else:
        where = after if row["after"] is not None else before
    text = (
        f"{part(row['spans'], row['of'], 'spans')} {operation(row['service_name'], row['name'])} spent "
        f"{format_duration(row['usual'])} {where} on what no span tells of (median; "
        f"{row['share'] * 100:.0f} % of their time)"
    )
    return Finding(
        sentence(text),
        "gap",
        row["service_name"],
        row["name"],
        row["spans"],
        row["of"],
        row["total"] / 1e9 * UNSEEN,
        "gaps",
        row["exemplar"],
        added=round(row["usual"]),
    )


def _integers(frame: pl.DataFrame) -> pl.DataFrame:
    """Give durations as nanoseconds, which Python's timedelta cannot count."""
    return frame.with_columns(pl.selectors.duration().dt.total_nanoseconds())
