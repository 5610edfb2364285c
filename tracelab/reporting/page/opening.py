"""The head of the page: what the report is about, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.clocks.correcting import CORRECTION
from tracelab.display.words import counted
from tracelab.markup import plain
from tracelab.overview import contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.reporting.page.evidence import Evidence

_NAMED = 4
_LONGEST = 1_000


def heading_of(spans: pl.DataFrame, title: str | None) -> str:
    """Give the heading: the title, or the names of services."""
    if title is not None:
        return title
    services = spans["service_name"].unique().sort().to_list()
    return f"Traces of {', '.join(services[:_NAMED])}" + (" and others" if len(services) > _NAMED else "")


def opening(evidence: Evidence, heading: str, notes: Sequence[str]) -> str:
    """Give the heading, and below it what the report rests on."""
    rests = [*_rests_on(evidence), *notes]
    items = "".join(f"<li>{plain(each, longest=_LONGEST)}</li>" for each in rests)
    return f'<header id="top"><h1>{plain(heading)}</h1><ul class="rests">{items}</ul></header>'


def _rests_on(evidence: Evidence) -> list[str]:
    told = [f"{contents(evidence.spans)}."]
    if evidence.baseline is not None:
        told.append(f"Beside a baseline of {contents(evidence.baseline)}.")
    return [*told, *_lost(evidence.traces), _clocks(evidence)]


def _lost(traces: pl.DataFrame) -> list[str]:
    """Say how many spans are known to be missing, because others name them as their parents."""
    broken = traces.filter(pl.col("missing_parents") > 0)
    if broken.is_empty():
        return ["No span is known to be missing."]
    missing, among = int(broken["missing_parents"].sum()), f"{broken.height:,} of {counted(traces.height, 'trace')}"
    verb, named = ("is", "it as its parent") if missing == 1 else ("are", "them as parents")
    return [f"{counted(missing, 'span')} {verb} missing, in {among}: what is left names {named}."]


def _clocks(evidence: Evidence) -> str:
    """Say whether the clocks of hosts agree, and whether they were set right."""
    wrong = evidence.clocks.filter("skewed")["host"].n_unique()
    spans = evidence.spans
    if CORRECTION in spans.columns:
        moved = int((spans[CORRECTION].dt.total_nanoseconds() != 0).sum())
        return f"The clocks of hosts were corrected, which moved {counted(moved, 'span')}."
    if evidence.clocks.is_empty():
        return "Whether the clocks of hosts agree cannot be told: there are no calls between hosts."
    if not wrong:
        return "The clocks of hosts agree as far as calls can tell; nothing was corrected."
    which, were = (
        ("clock", "disagrees with others and was") if wrong == 1 else ("clocks", "disagree with others and were")
    )
    return f"The {which} of {counted(wrong, 'host')} {were} not corrected: some times are wrong."
