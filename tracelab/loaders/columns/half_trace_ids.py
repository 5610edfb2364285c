"""Trace ids of two lengths: senders that speak B3, and old Jaeger clients, cut an id to its last 16 characters.

The halves of such a trace are told by two things together: the short id is the tail of exactly one long id of the same
dump, and a span of one half has its parent in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.loaders.columns.normalise import NO_SPAN_ID, NO_TRACE_ID, TRACE_ID_WIDTH
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings

_HALF: Final = TRACE_ID_WIDTH // 2
_ZEROS: Final = "0" * _HALF
_NEEDED: Final = ("trace_id", "span_id", "parent_span_id")


@dataclass(frozen=True, slots=True)
class Halves:
    """The short trace ids of a dump that end a long one: those that belong to it, and those that may not."""

    whole: dict[str, str]
    left: list[str]


def find_halves(spans: pl.DataFrame, *, in_rows: bool = False) -> Halves:
    """Find the short trace ids of spans that are the halves of long ones.

    Parameters
    ----------
    spans
        `trace_id`, `span_id` and `parent_span_id`, ids at their full width.
    in_rows
        One span may stand in several rows, so a span id that is in both halves says as much as a parent.
    """
    is_short = spans["trace_id"].str.starts_with(_ZEROS)
    if not is_short.any() or is_short.all():
        return Halves({}, [])
    short = spans["trace_id"].filter(is_short).unique()
    long = spans["trace_id"].filter(~is_short).unique()
    long = long.filter(long.str.len_bytes() == TRACE_ID_WIDTH)
    pairs = (
        pl.DataFrame({"short": short.filter(short != NO_TRACE_ID)})
        .join(pl.DataFrame({"long": long, "short": _ZEROS + long.str.slice(_HALF)}), on="short")
        .sort("short", "long")
    )
    if pairs.is_empty():
        return Halves({}, [])
    single = pairs.filter(pl.len().over("short") == 1)
    joined = single.filter(pl.col("short").is_in(_tied(spans, single, in_rows=in_rows).implode()))
    left = pairs.filter(~pl.col("short").is_in(joined["short"].implode()))["short"].unique(maintain_order=True)
    return Halves(dict(joined.rows()), left.to_list())


def join_halves(core: dict[str, pl.Series], findings: Findings) -> None:
    """Give the spans of cut trace ids, and the links that point to them, the whole ids."""
    found = find_halves(pl.DataFrame([core[name] for name in _NEEDED]))
    trace_id = core["trace_id"]
    if found.whole:
        cut = trace_id.is_in(list(found.whole))
        first = str(trace_id.gather(cut.arg_max() or 0).item())
        place = f"trace {found.whole[first]}"
        findings.add(problems.TRACE_ID_HALVES, int(cut.sum()), place=place, example=first)
        core["trace_id"] = trace_id.replace(found.whole)
        core["links"] = _followed(core["links"], found.whole)
    if found.left:
        left = trace_id.is_in(found.left)
        findings.add(problems.TRACE_ID_TAILS, int(left.sum()), place=f"trace {found.left[0]}", example=found.left[0])


def _tied(spans: pl.DataFrame, pairs: pl.DataFrame, *, in_rows: bool) -> pl.Series:
    """Give the short ids of pairs of which a span in one half has its parent in the other, and not in its own."""
    sides = pl.concat(
        [
            pairs.select(
                pl.col(side).alias("trace_id"), pl.col("short").alias("pair"), pl.lit(side == "long").alias("whole")
            )
            for side in ("short", "long")
        ]
    )
    held = spans.filter(pl.col("span_id") != NO_SPAN_ID).join(sides, on="trace_id")
    key = ["pair", "whole", "span_id"]
    parents = held.select("pair", "whole", pl.col("parent_span_id").alias("span_id")).drop_nulls()
    across = parents.join(held, on=key, how="anti").join(_other_side(held), on=key, how="semi")
    shared = held.join(_other_side(held), on=key, how="semi") if in_rows else held.clear()
    return pl.concat([across["pair"], shared["pair"]]).unique()


def _other_side(held: pl.DataFrame) -> pl.DataFrame:
    return held.with_columns(~pl.col("whole"))


def _followed(links: pl.Series, whole: dict[str, str]) -> pl.Series:
    """Let links follow the trace ids that they point to."""
    if not int(links.list.len().sum() or 0):
        return links
    link = pl.element()
    moved = link.struct.with_fields(link.struct.field("trace_id").replace(whole))
    return links.list.eval(moved)
