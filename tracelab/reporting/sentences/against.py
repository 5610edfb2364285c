"""What is worse than in a baseline, and what was there before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.differences.causes.ranking import root_causes
from tracelab.differences.significance import Tables, fisher
from tracelab.reporting.sentences.rows import FAILED, RARE, REPEATED, SLOW, Finding
from tracelab.reporting.sentences.words import named, operation, sentence
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelab.reporting.asking import Asked

_MOST: Final = 10
_NEW: Final = "New: "
"""How `root_causes` begins of a step that the baseline has not."""

_LEVEL: Final = 0.05
"""How unlikely it must be that any finding concerns more requests than in the baseline by chance."""

_UNTOLD: Final = 1e-4
"""How unlikely it must be where `root_causes`, which knows of other mixes of requests, does not name the service."""

_UNFOUND: Final = {"failure": 0, "slowness": SLOW - 1, "repetition": REPEATED - 1, "loss": 0, "context": 0}
"""How many the baseline may have had of what was not found there; other subjects are not compared."""


def cause_findings(asked: Asked, baseline: Asked) -> list[Finding]:
    """Say what surely got worse since the baseline, as `root_causes` has it."""
    causes = root_causes(asked.spans, baseline.spans, limit=_MOST)
    sure = causes.filter(pl.col("certain"), pl.col("kind") != "attribute value")
    traces, usual = asked.spans["trace_id"].n_unique(), _usual_seconds(baseline)
    return [
        _cause(row, traces, usual)
        for row in sure.with_columns(pl.col(DURATION).dt.total_nanoseconds()).iter_rows(named=True)
    ]


def _usual_seconds(baseline: Asked) -> float:
    """Give the time that a trace of the baseline takes on average."""
    whole = (
        baseline.frame.lazy()
        .group_by("trace_id")
        .agg(pl.col("start_time").min(), end=(pl.col("start_time") + pl.col("duration")).max())
    )
    mean = whole.select((pl.col("end") - pl.col("start_time")).dt.total_nanoseconds().mean()).collect().item()
    return float(mean or 0) / 1e9


def _cause(row: Mapping[str, Any], traces: int, usual: float) -> Finding:
    text = row["because"]
    head = f"{_what(row)} got worse since the baseline"
    if text.startswith(_NEW):
        text = text.removeprefix(_NEW)
        head = f"{_what(row)} {'is' if row['callee'] is None else 'are'} new since the baseline"
    goes = f" It goes with {named(row['changed'][0])}." if row["changed"] else ""
    harm = row["time_score"] * usual + row["failure_score"] * FAILED
    return Finding(
        f"{head}: {text[:1].lower()}{sentence(text[1:])}{goes}",
        "change",
        row["service_name"],
        row["name"],
        row["abnormal_traces"],
        traces,
        harm * traces,
        "root_causes",
        next(iter(row["exemplars"]), None),
        added=row["path_gained"],
        added_lower=row["path_lower"],
        added_upper=row["path_upper"],
        changed=True,
    )


def _what(row: Mapping[str, Any]) -> str:
    if row["callee"] is not None:
        calls = "Calls" if row["name"] is None else f"Calls {named(row['name'])}"
        return f"{calls} from {named(row['service_name'])} to {named(row['callee'])}"
    return named(row["service_name"]) if row["name"] is None else operation(row["service_name"], row["name"])


def laid_against(
    found: Sequence[Finding], before: Sequence[Finding], causes: Sequence[Finding], traces: tuple[int, int]
) -> list[Finding]:
    """Tell what is new since the baseline, or surely more frequent, from what was there before.

    What got worse in a service that `root_causes` does not name has to be beyond doubt to stand with what it names.
    What `root_causes` has told of is not told of again as slow, and a failure that says who failed is told instead of
    the cause that says the same of its errors.
    """
    known = {_key(one): one for one in before}
    worse = {one.service_name for one in causes}
    kept = [one for one in found if not (one.subject == "slowness" and one.service_name in worse)]
    level = _LEVEL / max(len(kept), 1)
    told = [
        _compared(one, known.get(_key(one)), traces, _UNTOLD if one.service_name not in worse else level)
        for one in kept
    ]
    failing = {one.service_name for one in told if one.changed and one.subject == "failure"}
    left = [one for one in causes if not (one.service_name in failing and not (one.added or 0) > 0)]
    return [*left, *told]


def _key(one: Finding) -> tuple[str, str, str]:
    return one.subject, one.service_name, one.same


def _compared(one: Finding, before: Finding | None, traces: tuple[int, int], level: float) -> Finding:
    """Say how it was in the baseline; what got worse does as much harm as it does more than then."""
    if one.subject not in _UNFOUND or one.same == RARE:
        return one
    # What was not found in the baseline has nothing to be counted of; its traces stand for the chances that it had.
    of = max(before.of if before is not None else round(one.of * traces[1] / max(traces[0], 1)), 1)
    had = before.requests if before is not None else _UNFOUND[one.subject]
    numbers = [np.array([number]) for number in (one.requests, had, one.of, max(of, had))]
    text = one.finding.removesuffix(".")
    was = "not so" if before is None else f"{had:,} of {of:,}"
    if float(fisher(Tables(*numbers), over_only=True)[0]) <= level:
        more = 1 - min(had / of * one.of / max(one.requests, 1), 1)
        told = sentence(f"{text}; in the baseline it was {was}")
        return replace(one, finding=told, harm=one.harm * more, changed=True)
    return one if before is None else replace(one, finding=sentence(f"{text}; in the baseline it was {was}"))
