"""Changes: routes that became slower, or failed more often, at a moment, and what came at that moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.critical_paths.paths import critical_path
from tracelab.differences.attributes.comparing import compare
from tracelab.differences.causes.ranking import root_causes
from tracelab.differences.paths.diffing import trace_diff
from tracelab.display.words import format_share
from tracelab.markup import cut, visible
from tracelab.reporting.sentences.rows import FAILED, Finding
from tracelab.reporting.sentences.words import listed, named, operation, sentence, span_of
from tracelab.schema import attribute_value, is_entry
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tracelab.reporting.asking import Asked

_GROUP: Final = ["service_name", "name"]
_MOST: Final = 6
"""How many changes are looked into."""

_ALIKE: Final = 0.4
"""Share of the time of two changes, from begin to end, from which on they are one."""

_BUSIER: Final = 1.5
"""How many times the requests of other times make a burst."""

_LONGEST: Final = 10.0
"""How many times the harm of a change may count that has only begun."""

_LONGEST_TEXT: Final = 400
_ALL: Final = 0.9
_CLEARLY: Final = 0.6
_FEWEST: Final = 5


@dataclass(frozen=True)
class Concern:
    """Whom a change concerns, and what it costs them.

    Attributes
    ----------
    where
        Which of the traces after it, in words; empty where it is all.
    traces
        How many.
    step
        The operation that takes the time, in words; empty where it is not known.
    service
        The service of that.
    added, lower, upper
        Nanoseconds.
    exemplar
        A trace.
    """

    where: str
    traces: int
    step: str
    service: str
    added: int
    lower: int | None
    upper: int | None
    exemplar: str | None


def change_findings(asked: Asked, failed: list[Finding]) -> tuple[list[Finding], list[Finding], pl.DataFrame]:
    """Say what became worse at a moment.

    Returns
    -------
    The findings; those about failures, with the moment at which they began where there is one; the requests (`place`)
    that the changes concern.
    """
    points = asked.changes
    end = asked.frame["start_time"].max()
    known = points.with_columns(
        end=pl.col("until").fill_null(pl.lit(end)),
        begin=pl.col("moment").shift(1).over(*_GROUP, "measure", order_by="moment"),
    )
    worse = known.filter(pl.col("shape") == "step", pl.col("follows").is_null(), pl.col("effect") > 0)
    rates = worse.filter(pl.col("measure") == "error rate")
    dated, alone = _with_moments(failed, rates)
    slower = worse.filter(pl.col("measure") == "latency").with_columns(cost=_cost()).sort("cost", descending=True)
    clusters = _clusters(slower.iter_rows(named=True))
    busy = [cluster for cluster in clusters if _busier(asked, cluster[0])]
    told = [_slower(asked, cluster) for cluster in clusters[:_MOST] if cluster not in busy]
    found = [one for one in (*told, *_bursts(asked, busy)) if one.harm > 0]
    return [*found, *alone], dated, _concerned(asked, slower, busy)


def _cost() -> pl.Expr:
    gained = (pl.col("after_p50") - pl.col("before_p50")).dt.total_nanoseconds()
    return gained * pl.col("after_requests").cast(pl.Int64)


def _clusters(rows: Any) -> list[list[dict[str, Any]]]:
    """Put changes together that begin and end at about the same time; the most costly first in each."""
    clusters: list[list[dict[str, Any]]] = []
    for row in rows:
        home = next((one for one in clusters if _overlap(one[0], row) >= _ALIKE), None)
        if home is None:
            clusters.append([row])
        else:
            home.append(row)
    return clusters


def _overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Give the share of the time of either that they have in common; 0 where they surely began at other moments."""
    if a["moment_upper"] < b["moment_lower"] or b["moment_upper"] < a["moment_lower"]:
        return 0.0
    both = (min(a["end"], b["end"]) - max(a["moment"], b["moment"])).total_seconds()
    either = (max(a["end"], b["end"]) - min(a["moment"], b["moment"])).total_seconds()
    return both / either if either > 0 else 0.0


def _bursts(asked: Asked, busy: list[list[dict[str, Any]]]) -> list[Finding]:
    """Say once what more requests than usual did to all that was asked meanwhile."""
    if not busy:
        return []
    found = [_slower(asked, cluster) for cluster in busy[:_MOST]]
    apart: list[dict[str, Any]] = []
    for lead, *_ in busy[:_MOST]:
        if not any(lead["moment"] <= one["end"] and one["moment"] <= lead["end"] for one in apart):
            apart.append(lead)
    again = [_window(row) for row in sorted(apart[1:], key=lambda row: row["moment"])]
    text = found[0].finding.removesuffix(".")
    told = f"{text}; it was the same {listed(again)}" if again else text
    return [replace(found[0], finding=sentence(told), harm=sum(one.harm for one in found))]


def _slower(asked: Asked, cluster: list[dict[str, Any]]) -> Finding:
    lead = cluster[0]
    concern = _concern(asked, lead)
    when = _window(lead)
    what = operation(lead["service_name"], lead["name"])
    version = next((one for one in lead["values"] if _is_version(one)), None)
    took = f"{format_duration(concern.added)} more{span_of(concern.lower, concern.upper)}"
    of_all = " of all requests" if concern.where else ""
    medians = f"median{of_all} {_time(lead, 'before_p50')} before, {_time(lead, 'after_p50')} after"
    if version is not None:
        if version["service_name"] == lead["service_name"]:
            what = named(lead["name"])
        head = f"{named(version['service_name'])} {named(version['value'])} made {what} {_slower_by(concern)}"
        text = f"{head}{concern.where}, {when} ({medians})"
    else:
        text = f"{when[:1].upper()}{when[1:]}, {what} took {took}{concern.where} ({medians})"
    if concern.step:
        text = f"{text}: {concern.step} takes the time"
    text = f"{text}{_others(cluster)}{_busier(asked, lead)}"
    came = lead["what_changed"]
    if came and version is None:
        text = f"{text}; what came with it: {_came(came)}"
    rest = sum(max(row["cost"], 0) for row in cluster[1:])
    harm = max(concern.lower if concern.lower is not None else concern.added, 0) * concern.traces + rest
    if lead["until"] is None:
        harm *= _goes_on(asked, lead)
    return Finding(
        sentence(text),
        "change",
        concern.service or lead["service_name"],
        lead["name"],
        concern.traces,
        max(lead["after_traces"], concern.traces),
        harm / 1e9,
        "change_points",
        concern.exemplar or next(iter(lead["exemplars"]), None),
        added=concern.added,
        added_lower=concern.lower,
        added_upper=concern.upper,
    )


def _goes_on(asked: Asked, row: Mapping[str, Any]) -> float:
    """Say how many times the harm of what lasts would be done in a time as long as that of the frame."""
    first = asked.frame["start_time"].min()
    whole, since = ((row["end"] - one).total_seconds() for one in (first, row["moment"]))
    return min(whole / since, _LONGEST) if since > 0 else 1.0


def _is_version(value: Mapping[str, Any]) -> bool:
    return value["change"] in {"appeared", "more"} and value["attribute"] == "resource.service.version"


def _slower_by(concern: Concern) -> str:
    return f"{format_duration(concern.added)} slower{span_of(concern.lower, concern.upper)}"


def _time(row: Mapping[str, Any], name: str) -> str:
    return format_duration(row[name].total_seconds() * 1e9)


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")


def _window(row: Mapping[str, Any]) -> str:
    """Say from when to when; what lasts goes on to the end of the frame."""
    end = "on" if row["until"] is None else f"to {_clock(row['until'])}"
    return f"from {_clock(row['moment'])} {end}"


def _others(cluster: list[dict[str, Any]]) -> str:
    """Name what became slower at the same time."""
    first = cluster[0]["service_name"], cluster[0]["name"]
    also = dict.fromkeys((row["service_name"], row["name"]) for row in cluster[1:])
    also.pop(first, None)
    if not also:
        return ""
    names = [operation(*one) for one in list(also)[:2]]
    more = [f"{len(also) - 2:,} more"] if len(also) > 2 else []
    return f"; so did {listed([*names, *more])} at about that time"


def _busier(asked: Asked, row: Mapping[str, Any]) -> str:
    """Say whether more requests came than at other times."""
    times = asked.requests["start_time"]
    length = (row["end"] - row["moment"]).total_seconds()
    whole = (times.max() - times.min()).total_seconds() if times.len() else 0.0  # type: ignore[operator, union-attr]
    within = times.is_between(row["moment"], row["end"]).sum()
    if length <= 0 or whole <= length or within == times.len():
        return ""
    rate, usual = within / length, (times.len() - within) / (whole - length)
    if rate < _BUSIER * usual:
        return ""
    return f"; {rate:,.3g} requests a second came then, {usual:,.3g} at other times"


def _came(what: str) -> str:
    return visible(cut(what.removesuffix("."), _LONGEST_TEXT))


def _concern(asked: Asked, row: Mapping[str, Any]) -> Concern:
    """Find out whom a change concerns, and which step takes the time."""
    before, after = _sides(asked, row)
    gained = round((row["after_p50"] - row["before_p50"]).total_seconds() * 1e9)
    plain = Concern("", row["after_traces"], "", "", gained, *_bounds(row), None)
    cause = _cause(after, before)
    if cause is None:
        return plain
    step = "" if cause["name"] is None else operation(cause["service_name"], cause["name"])
    found = replace(plain, step=step, service=cause["service_name"] or "")
    if cause["name"] is None:
        return found
    who = _who(before, after, cause)
    if who is None:
        return found
    mine, theirs = (_having(side, who) for side in (after, before))
    again = _cause(mine, theirs) if theirs.height else None
    if again is None or (again["service_name"], again["name"]) != (cause["service_name"], cause["name"]):
        return found
    lower, upper = _path_bounds(again, mine, theirs)
    return replace(
        found,
        where=f" where {named(who['attribute'].split('.', 1)[-1])} = {named(who['value'])}",
        traces=who["selection_count"] + who["baseline_count"],
        added=again["path_gained"],
        lower=lower,
        upper=upper,
        exemplar=next(iter(again["exemplars"]), None),
    )


def _bounds(row: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Bound the difference of the medians by the bounds of both."""
    ends = [row[name] for name in ("after_p50_lower", "before_p50_upper", "after_p50_upper", "before_p50_lower")]
    if any(end is None for end in ends):
        return None, None
    low, high = ends[0] - ends[1], ends[2] - ends[3]
    return round(low.total_seconds() * 1e9), round(high.total_seconds() * 1e9)


def _sides(asked: Asked, row: Mapping[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the traces of the group before and after the change."""
    spans, time = asked.spans.lazy(), pl.col("start_time")
    here = (pl.col("service_name") == row["service_name"]) & (pl.col("name") == row["name"])
    first = spans.filter(here, is_entry()).group_by("trace_id").agg(time.min()).collect()
    before = first.filter(time < row["moment"], time >= (row["begin"] or first["start_time"].min()))
    after = first.filter(time >= row["moment"], time <= row["end"])
    return asked.spans_of(before), asked.spans_of(after)


def _cause(after: pl.DataFrame, before: pl.DataFrame) -> dict[str, Any] | None:
    """Give the operation that surely takes more time now, if there is one."""
    if not after.height or not before.height:
        return None
    causes = root_causes(after, before, limit=5).filter(
        pl.col("certain"), pl.col("path_gained") > pl.duration(), pl.col("time_score") > 0
    )
    numbers = causes.with_columns(pl.selectors.duration().dt.total_nanoseconds())
    return next(numbers.iter_rows(named=True), None)


def _path_bounds(cause: Mapping[str, Any], after: pl.DataFrame, before: pl.DataFrame) -> tuple[int | None, int | None]:
    """Bound what a step gained on the path; of one that is new only the bootstrap of `trace_diff` knows."""
    if cause["path_lower"] is not None:
        return cause["path_lower"], cause["path_upper"]
    step = (pl.col("service_name") == cause["service_name"]) & (pl.col("name") == cause["name"])
    rows = trace_diff(before, after, by="operation").filter(step)
    bounds = rows.select(pl.col("critical_lower", "critical_upper").dt.total_nanoseconds()).rows()
    return bounds[0] if bounds else (None, None)


def _who(before: pl.DataFrame, after: pl.DataFrame, cause: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the attribute value that those traces have in which the step takes longer than it did before."""
    step = (pl.col("service_name") == cause["service_name"]) & (pl.col("name") == cause["name"])
    took = {
        side: critical_path(spans).filter(step).group_by("trace_id").agg(pl.col("duration").sum())
        for side, spans in (("before", before), ("after", after))
    }
    usual = took["before"]["duration"].dt.total_nanoseconds().quantile(0.95) or 0.0
    slow = took["after"].filter(pl.col("duration").dt.total_nanoseconds() > max(usual, cause["path_gained"]))
    traces = after["trace_id"].n_unique()
    if not _FEWEST <= slow.height < _ALL * traces:
        return None
    mine = after.join(slow, on="trace_id", how="semi")
    theirs = after.join(slow, on="trace_id", how="anti")
    found = compare(mine, theirs, pairs=False).filter(
        pl.col("kind") == "value", pl.col("explained_by").is_null(), pl.col("effect_lower") >= _CLEARLY
    )
    return next(found.iter_rows(named=True), None)


def _having(spans: pl.DataFrame, who: Mapping[str, Any]) -> pl.DataFrame:
    """Give the traces that have an attribute value."""
    holds = attribute_value(who["attribute"], dtype=pl.String) == who["value"]
    if who["service_name"] is not None:
        holds &= pl.col("service_name") == who["service_name"]
    return spans.join(spans.lazy().filter(holds).select("trace_id").unique().collect(), on="trace_id", how="semi")


def _concerned(asked: Asked, slower: pl.DataFrame, busy: list[list[dict[str, Any]]]) -> pl.DataFrame:
    """Give the requests that came while something in them was slower for a while, or while everything was busy.

    Of what lasts the requests are told apart as those of other times are.
    """
    entries = asked.spans.lazy().filter(is_entry()).select("trace_id", *_GROUP, "start_time")
    windows = slower.lazy().filter(pl.col("until").is_not_null()).select(*_GROUP, "moment", "until")
    within = pl.col("start_time").is_between("moment", "until")
    traces = entries.join(windows, on=_GROUP).filter(within).select("trace_id").unique()
    slow = asked.requests.lazy().join(traces, on="trace_id", how="semi").select("place").collect()
    begun = pl.col("start_time")
    bursts = [asked.requests.filter(begun.is_between(row["moment"], row["end"])) for cluster in busy for row in cluster]
    return pl.concat([slow, *(one.select("place") for one in bursts)]).unique()


def _with_moments(failed: list[Finding], rates: pl.DataFrame) -> tuple[list[Finding], list[Finding]]:
    """Say of failures when they began; give what is no part of any of them as findings of its own."""
    dated, alone = list(failed), []
    for row in rates.iter_rows(named=True):
        own = (row["service_name"], row["name"])
        at = next((n for n, one in enumerate(dated) if own[0] == one.service_name or own[1] == one.name), None)
        came = f"; what came with it: {_came(row['what_changed'])}" if row["what_changed"] else ""
        shares = f"{format_share(row['before_error_rate'])} before, {format_share(row['after_error_rate'])} after"
        if at is not None:
            if "; it began at" not in dated[at].finding:
                text = f"{dated[at].finding.removesuffix('.')}; it began at {_clock(row['moment'])} ({shares}){came}"
                dated[at] = replace(dated[at], finding=sentence(text))
            continue
        more = max(row["effect_lower"], 0)
        count = round(row["after_error_rate"] * row["after_requests"])
        text = f"{operation(*own)} fails more often since {_clock(row['moment'])} ({shares}){came}"
        alone.append(
            Finding(
                sentence(text),
                "change",
                *own,
                count,
                row["after_requests"],
                more * row["after_requests"] * FAILED,
                "change_points",
                next(iter(row["exemplars"]), None),
            )
        )
    return dated, alone
