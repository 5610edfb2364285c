"""root_causes: what to look at first, with the evidence."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from scipy import special

from tracelab.conforming import span_frame
from tracelab.differences.causes.attributes import companions
from tracelab.differences.causes.suspects import KIND, Case, case_of
from tracelab.differences.causes.wording import because, named
from tracelab.differences.sides import Where, matching_rows
from tracelab.display.words import counted
from tracelab.errors import QueryWarning, TracelabError, warn_caller
from tracelab.options import share, whole
from tracelab.schema import DURATION

CAUSES: Final = pl.Schema(
    {
        "rank": pl.UInt32(),
        "kind": KIND,
        "cause": pl.String(),
        "service_name": pl.String(),
        "name": pl.String(),
        "callee": pl.String(),
        "score": pl.Float64(),
        "time_score": pl.Float64(),
        "failure_score": pl.Float64(),
        "certain": pl.Boolean(),
        "because": pl.String(),
        "changed": pl.List(pl.String()),
        "path_gained": DURATION,
        "path_lower": DURATION,
        "path_upper": DURATION,
        "path_share": pl.Float64(),
        "self_gained": DURATION,
        "self_lower": DURATION,
        "self_upper": DURATION,
        "errors_gained": pl.Float64(),
        "errors_lower": pl.Float64(),
        "errors_upper": pl.Float64(),
        "error_traces": pl.UInt32(),
        "calls_gained": pl.Float64(),
        "calls_lower": pl.Float64(),
        "calls_upper": pl.Float64(),
        "lost_gained": pl.Float64(),
        "lost_lower": pl.Float64(),
        "lost_upper": pl.Float64(),
        "abnormal_spans": pl.UInt32(),
        "normal_spans": pl.UInt32(),
        "abnormal_traces": pl.UInt32(),
        "normal_traces": pl.UInt32(),
        "q_value": pl.Float64(),
        "exemplars": pl.List(pl.String()),
    }
)
_TIMES: Final = tuple(f"{name}_{end}" for name in ("path", "self") for end in ("gained", "lower", "upper"))
_EXPLAINED: Final = 5
_TOO_FEW: Final = 2
_EXEMPLARS: Final = 3


def root_causes(
    abnormal: Any,
    normal: Any = None,
    *,
    where: Where | None = None,
    q: float = 0.05,
    confidence: float = 0.95,
    limit: int = 20,
) -> pl.DataFrame:
    r"""List what to look at first where some traces are worse than others.

    Operations, edges (calls from a service to another, to a database or to somebody outside) and services are
    suspects. Each is compared with itself, call path by call path: does it take more self time now, do more errors
    start there, is it called more often by the same callers, do more calls of it get no answer? What only follows, such
    as the time of a caller that waits, or an error that climbed, counts for nobody but where it starts.

    Parameters
    ----------
    abnormal
        The spans of the time, or of the requests, that something is wrong with; with `where`, all spans. Traces that
        are fine may be among them.
    normal
        The spans to compare them with.
    where
        Which traces of one frame are abnormal: those with a span for which TraceQL such as `traceDuration > 800ms`, or
        an expression of polars, holds. All others are normal.
    q
        The rate of false discoveries that is accepted in what is called certain.
    confidence
        How sure the intervals are.
    limit
        How many causes are given at most.

    Returns
    -------
    One row per cause, worst first: `rank` (UInt32), `kind` (Enum: operation, edge, service, attribute value), `cause`
    (String, what to look at), `service_name`, `name`, `callee` (String; `callee` for edges, `name` null where it is
    about all operations), `score`, `time_score`, `failure_score` (Float64, see notes; the latter two add up to the
    first), `certain` (Boolean, whether it is more than chance at `q`; what
    is not comes last and says so), `because` (String, a sentence), `changed` (List(String), attribute values of the
    traces that it hits and of few that it spares, of the first five), `path_gained`, `path_lower`, `path_upper`
    (Duration, time on the critical path gained per trace, with its interval), `path_share` (Float64, that as a share of
    what traces take longer from end to end; null where that is not clear itself), `self_gained`, `self_lower`,
    `self_upper` (Duration, self time gained per trace), `errors_gained`, `errors_lower`, `errors_upper` (Float64, of
    all traces, how many more have an error that starts there), `error_traces` (UInt32, how many have one),
    `calls_gained`, `calls_lower`, `calls_upper` (Float64, calls per trace that the same callers did not make before,
    but for those after failed attempts), `lost_gained`, `lost_lower`, `lost_upper` (Float64, calls per trace whose
    answers are missing now), `abnormal_spans`, `normal_spans`, `abnormal_traces`, `normal_traces` (UInt32, how many
    have it), `q_value` (Float64, the smallest `q` at which it is certain), `exemplars` (List(String), ids of up to 3
    abnormal traces that have it, the worst first). Figures are null for attribute values, which have `score`,
    `abnormal_traces`, `normal_traces`, `q_value` and `exemplars`.

    Raises
    ------
    TracelabError
        There are both normal spans and a condition, or neither; an option is none.
    QueryError
        `where` is no query for spans.
    SchemaError
        A frame cannot be conformed.

    Warns
    -----
    QueryWarning
        A side is empty, so that there is nothing to compare, or so small that hardly anything can be told from chance.
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Notes
    -----
    The score is the harm done per trace: 1 is the time that a normal trace takes from end to end on average, or every
    trace failing. It adds up time gained on the critical path, half of the self time gained off it (nobody waits for
    that), the time of calls that are made more often, and the larger of the shares of traces with errors that start
    there and of calls lost; each only where it would not be chance (p <= 0.05) if it were asked alone. An attribute
    value has the score of what it goes with, times the lower bound of the difference of its shares.

    Times are tested by the means (of traces, with their spread) and by ranks within call paths (van Elteren), the
    better of both for twice its p-value; shares by Mantel and Haenszel's test within call paths. What times usually
    differ by in all operations, since no two windows of time are alike, is taken for drift, and has to be exceeded
    (Efron's empirical null). All p-values together are adjusted as Benjamini and Hochberg have it. A service, or an
    edge over all its operations, is only given where no one operation makes up 80 % of it. Traces count as they are:
    what a sampler dropped is not made up for.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> fast = "\n".join("api::GET / ======\n  db::read .== \n\n" for _ in range(20))
    >>> slow = "\n".join("api::GET / =========\n  db::read .===== \n\n" for _ in range(20))
    >>> root_causes(draw(slow), draw(fast)).select("cause", "path_gained", "path_share").rows()
    [('db::read', datetime.timedelta(microseconds=3000), 1.0)]
    """
    q = share("q", q, ends=True, why="0.05 is usual.")
    confidence = share("confidence", confidence, ends=False, why="0.95 is usual.")
    limit = whole("limit", limit, least=1)
    sides = _sides(abnormal, normal, where)
    if not all(side.height for side in sides):
        traces = [side["trace_id"].n_unique() for side in sides]
        warn_caller(
            f"There is nothing to compare: {traces[0]:,} abnormal traces and {traces[1]:,} normal ones.", QueryWarning
        )
        return CAUSES.to_frame()
    case = case_of(*sides, q=q, confidence=confidence)
    if (fewest := min(side.traces for side in case.sides)) < _TOO_FEW:
        warn_caller(
            f"A side has {counted(fewest, 'trace')}, of which hardly anything can be told from chance. Take more "
            "traces, or lay both sides next to each other with trace_diff.",
            QueryWarning,
        )
    rows = _rows(case, case.suspects.head(limit), sides, q)
    rows.sort(key=lambda row: (not row["certain"], -row["score"] if row["certain"] else 0.0))
    ranked = [{**row, "rank": place} for place, row in enumerate(rows[:limit], start=1)]
    return pl.DataFrame(ranked, schema=CAUSES)


def _sides(abnormal: Any, normal: Any, where: Where | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    if (normal is None) == (where is None):
        given = "neither" if where is None else "both"
        raise TracelabError(
            f"Give either `normal`, spans to compare with, or `where`, a condition that tells abnormal traces, got "
            f"{given}: for instance root_causes(spans, where='traceDuration > 800ms')."
        )
    first = _eager(abnormal)
    if where is None:
        return first, _eager(normal)
    hit = first["trace_id"].filter(pl.Series(matching_rows(first, where))).unique()
    inside = first["trace_id"].is_in(hit.implode())
    return first.filter(inside), first.filter(~inside)


def _eager(spans: Any) -> pl.DataFrame:
    frame = span_frame(spans)
    return frame.collect() if isinstance(frame, pl.LazyFrame) else frame


def _rows(
    case: Case, suspects: pl.DataFrame, spans: tuple[pl.DataFrame, pl.DataFrame], q: float
) -> list[dict[str, Any]]:
    traces = case.sides[0].traces, case.sides[1].traces
    longer = _longer(case)
    rows: list[dict[str, Any]] = []
    values: dict[str, dict[str, Any]] = {}
    for place, row in enumerate(suspects.iter_rows(named=True)):
        found = companions(case, row, spans, q) if place < _EXPLAINED and row["certain"] else pl.DataFrame()
        rows.append(
            {
                **{name: row[name] for name in CAUSES.names() if name in row},
                **{name: None if row[name] is None else round(row[name]) for name in _TIMES},
                "cause": named(row),
                "because": because(row, traces),
                "changed": found["finding"].to_list() if found.height else [],
                "path_share": _path(row) / longer if longer is not None else None,
                "exemplars": _exemplars(case, row),
            }
        )
        for value in found.iter_rows(named=True):
            values.setdefault(value["finding"], _value(value, row))
    return [*rows, *values.values()]


def _path(row: dict[str, Any]) -> float:
    """Give the time on the critical path that is gained, with that of the calls that are made more often."""
    return float(row["path_gained"] + (row["called_time"] if row["calls_counts"] else 0.0))


def _longer(case: Case) -> float | None:
    """Give what traces take longer on average, None where that may be chance."""
    one, other = (side.total.astype(np.float64) for side in case.sides)
    if min(one.size, other.size) < 2:
        return None
    difference = float(one.mean() - other.mean())
    error = float(np.sqrt(one.var(ddof=1) / one.size + other.var(ddof=1) / other.size))
    return difference if difference > float(special.ndtri(0.975)) * error else None


def _value(value: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Make a cause of an attribute value that goes with another cause."""
    shares = [f"{value[name] * 100:.3g} %" for name in ("selection_share", "baseline_share")]
    return {
        "kind": "attribute value",
        "cause": value["finding"],
        "service_name": value["service_name"],
        **{name: row[name] * value["effect_lower"] for name in ("score", "time_score", "failure_score")},
        "certain": True,
        "because": f"{shares[0]} of the traces that {named(row)} makes worse have it, {shares[1]} of others like them.",
        "changed": [],
        "abnormal_traces": value["selection_count"],
        "normal_traces": value["baseline_count"],
        "q_value": value["q_value"],
        "exemplars": value["exemplars"],
    }


def _exemplars(case: Case, row: dict[str, Any]) -> list[str]:
    """Give the ids of the abnormal traces in which the suspect took longest, those with errors of it first."""
    side = case.sides[0]
    same = (side.frame["service_name"] == row["service_name"]).to_numpy()
    if row["name"] is not None:
        same &= (side.frame["name"] == row["name"]).to_numpy()
    if row["callee"] is not None:
        same &= (side.callee == row["callee"]).fill_null(value=False).to_numpy()
    rows = np.flatnonzero(same)
    failing = side.origin[rows] if row["errors_counts"] else np.zeros(rows.size, dtype=bool)
    order = np.lexsort((rows, -side.own[rows], ~failing))
    ids = side.frame["trace_id"].gather(pl.Series(rows[order]))
    return ids.unique(maintain_order=True).head(_EXEMPLARS).to_list()
