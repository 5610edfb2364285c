"""Repeated calls: the same thing asked again and again, one after the other."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.calls.repeated_calls import repeated_calls
from tracelab.reporting.sentences.rows import REPEATED, Finding
from tracelab.reporting.sentences.words import named, operation, part, sentence
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.reporting.asking import Asked

_WIDE: Final = NormalDist().inv_cdf(0.975)
_GROUP: Final = ["parent_service_name", "parent_name", "service_name", "name", "kind"]


def repetition_findings(asked: Asked) -> list[Finding]:
    """Say which operations call the same thing again and again, and what that costs beyond one call.

    The time is that of the calls themselves: what the caller does between them it would do after one call too. Their
    number often is very uneven, so that it is the mean that tells what all lost, and its lower bound what surely: that
    of the normal distribution, which leaves nothing where one caller took nearly all of it.
    """
    runs = repeated_calls(asked.spans).filter("sequential")
    once = pl.col("total").dt.total_nanoseconds() * (pl.col("count") - 1) / pl.col("count")
    groups = (
        runs.with_columns(saved=once)
        .sort("count", "trace_id", "parent_span_id")
        .group_by(_GROUP, maintain_order=True)
        .agg(
            parents=pl.struct("trace_id", "parent_span_id").n_unique(),
            calls=pl.col("count").sum(),
            few=pl.col("count").min(),
            usual=pl.col("count").median(),
            many=pl.col("count").max(),
            saved=pl.col("saved").median(),
            sure=(pl.col("saved").sum() - _WIDE * pl.col("saved").std() * pl.len().sqrt()).clip(0),
            exemplar=pl.col("trace_id").get((pl.len() - 1) // 2),
        )
        .filter(pl.col("parents") >= REPEATED)
    )
    of = asked.frame.lazy().group_by(pl.col("service_name", "name").name.prefix("parent_")).len("of").collect()
    return [_told(row) for row in groups.join(of, on=["parent_service_name", "parent_name"]).iter_rows(named=True)]


def _told(row: dict[str, object]) -> Finding:
    count = f"{row['few']:,}" if row["few"] == row["many"] else f"{row['few']:,} to {row['many']:,}"
    parents, of = int(str(row["parents"])), int(str(row["of"]))
    saved, sure = float(str(row["saved"])), float(str(row["sure"]))
    callee = str(row["name"])
    same = "" if row["service_name"] == row["parent_service_name"] else f" of {named(row['service_name'])}"
    where = operation(str(row["parent_service_name"]), str(row["parent_name"]))
    head = f"Each of {of:,} calls" if parents == of else part(parents, of, "calls")
    text = (
        f"{head} of {where} made {count} calls {named(callee)}{same}, one after another ({row['calls']:,} in all); "
        f"all but one of them usually took {format_duration(saved)}"
    )
    return Finding(
        sentence(text),
        "repetition",
        str(row["parent_service_name"]),
        str(row["parent_name"]),
        parents,
        of,
        sure / 1e9,
        "repeated_calls",
        str(row["exemplar"]),
        added=round(saved),
        same=f"{row['parent_name']} {row['service_name']} {row['name']}",
    )
