"""change_points: when latency or error rates stepped, from what to how much, and what appeared at that moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.differences.changes.appearing import VALUES, Spans, in_words, values_at
from tracelab.differences.changes.following import Candidate, origins_of
from tracelab.differences.changes.measuring import (
    QUANTILES,
    Effect,
    Side,
    error_effect,
    latency_effect,
    sides_of_change,
)
from tracelab.differences.changes.requests import requests_of
from tracelab.differences.changes.segmenting import ERROR_RATE, LATENCY, changes_of, series_of
from tracelab.errors import QueryWarning, warn_caller
from tracelab.options import flag, share, whole
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By
    from tracelab.analysis.grouping import Spans as AnySpans
    from tracelab.differences.changes.requests import Group, Requests
    from tracelab.differences.changes.segmenting import Change, Series

MEASURES: Final = ("latency", "error rate")
_SIDES: Final = ("before", "after")
_ENDS: Final = ("", "_lower", "_upper")
_MADE: Final = pl.Schema(
    {
        "measure": pl.Enum(MEASURES),
        "shape": pl.Enum(("step", "gradual")),
        "moment": TIME,
        "moment_lower": TIME,
        "moment_upper": TIME,
        "until": TIME,
        **{f"{side}_traces": pl.UInt32() for side in _SIDES},
        **{f"{side}_requests": pl.UInt32() for side in _SIDES},
        **{f"{side}_{name}{end}": DURATION for name in QUANTILES for side in _SIDES for end in _ENDS},
        **{f"{side}_error_rate{end}": pl.Float64() for side in _SIDES for end in _ENDS},
        "effect": pl.Float64(),
        "effect_lower": pl.Float64(),
        "effect_upper": pl.Float64(),
        "p_value": pl.Float64(),
        "q_value": pl.Float64(),
        "follows": pl.String(),
        "what_changed": pl.String(),
        "values": VALUES,
        "exemplars": pl.List(pl.String()),
    }
)
_EXEMPLARS: Final = 3
_SLOW: Final = 4
"""From this level on a request is a slow one: the 90th percentile."""


@takes_any_frame
def change_points(
    spans: AnySpans,
    *,
    by: By = ("service_name", "name"),
    q: float = 0.05,
    confidence: float = 0.95,
    entry_only: bool = True,
    gradual: bool = False,
    min_traces: int = 40,
) -> pl.DataFrame:
    r"""Find when latency or error rates stepped, from what to how much, and which attribute values came at that moment.

    The requests of each group are put in order of time. What differs from what is around it, and is no chance, has a
    begin and an end: a release is one step, a burst of load two. What changes little by little is no step.

    Parameters
    ----------
    spans
        The spans. Pass whole traces: a change is looked for the reason of in all services of its traces.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these. None: everything together.
        Where a group has several operations, each request is compared with those of its own.
    q
        The rate of false discoveries that is accepted, over all that was asked.
    confidence
        How sure the intervals are.
    entry_only
        Only spans at which a request enters a service (see `is_entry`).
    gradual
        Give also what changed little by little, marked as such.
    min_traces
        Groups with fewer traces are not asked, and a warning counts them.

    Returns
    -------
    One row per change. The columns of `by` under their names, `measure` (Enum: latency, error rate), `shape` (Enum:
    step, gradual), `moment` (Datetime, when the first request after it began), `moment_lower`, `moment_upper`
    (Datetime, its interval), `until` (Datetime, the next change of the group in the same measure, steps or not; null if
    it lasts), `before_traces`, `after_traces`, `before_requests`, `after_requests` (UInt32, what the figures rest on:
    from the change before it to the next one), `before_p50`, `after_p50`, `before_p95`, `after_p95` (Duration) and
    `before_error_rate`, `after_error_rate` (Float64), each of these six followed by its interval as `..._lower`,
    `..._upper` (null where there are too few requests to have it), `effect`, `effect_lower`, `effect_upper` (Float64,
    -1 to 1, above 0 for the worse: of latency Cliff's delta, how much more often a trace after the change is slower
    than one before than the other way round; of an error rate the difference), `p_value`, `q_value` (Float64),
    `follows` (String, the group of a callee in which a change at the same moment explains this one; null where it
    starts here), `what_changed` (String, what appeared or vanished, in words), `values` (List(Struct), up to 10
    attribute values that come with it: `change` (Enum: appeared, vanished, more, less), `service_name`, `attribute`,
    `value` (String), `time` (Datetime, first seen after the moment, or last seen before it), `before_share`,
    `after_share` (Float64, of the traces), `also` (List(String), what else the same traces have); empty where it
    follows from another), `exemplars` (List(String), up to 3 traces after it). What starts here comes first, and of
    that the largest change for the worse; then by moment and by the columns of `by`.

    Raises
    ------
    TracelabError
        An option is not what it should be.

    Warns
    -----
    QueryWarning
        Groups have too few traces to be asked.

    Notes
    -----
    What is counted is the trace: its requests of a group together, when the first began, so that retries and repeated
    calls are one witness. Latency is compared by ranks among requests of the same operation (service and name), so that
    neither outliers nor another mix of operations is a change; for the test see `tracelab.differences.changes.scanning`
    (a likelihood ratio over quantiles, circular binary segmentation, permutations of blocks). It assumes that blocks of
    the cube root of the number of traces are exchangeable, longer ones where traces next to each other are alike: a
    memory much longer than this is what is found. Rates of false discoveries are those of Benjamini and Hochberg, down
    the parts as Yekutieli has it. A step has to fit better than slopes that meet at its moment, or to be a clear jump
    between them, else it is gradual; of one by a factor of two, part is still called a step in about one of
    four groups. The
    interval of the moment is Hansen's. The figures before and after are for the same mix of operations, with Woodruff's
    and Wilson's intervals; they rest on requests that were chosen for being different, so that small effects are
    rather too large.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> fast = "\n".join("api::GET / ==== version=1.8 \n\n" for _ in range(30))
    >>> slow = "\n".join("api::GET / ========= version=1.9 \n\n" for _ in range(30))
    >>> change_points(draw(fast + slow)).select("what_changed", "effect", "before_traces").row(0)
    ('version = 1.9 of api appeared 12:00:30', 1.0, 30)
    """
    frame = spans.collect() if isinstance(spans, pl.LazyFrame) else spans
    q = share("q", q, ends=False, why="0.05 is usual.")
    confidence = share("confidence", confidence, ends=False, why="0.95 is usual.")
    min_traces = whole("min_traces", min_traces, least=16, why="Of fewer nothing can be said.")
    gradual = flag("gradual", gradual)
    requests = requests_of(frame, by, made=_MADE.names(), entry_only=flag("entry_only", entry_only), least=min_traces)
    if requests.small:
        warn_caller(_unasked(requests, min_traces), QueryWarning)
    return _Answer(frame, requests, q, confidence).rows(gradual=gradual)


def _unasked(requests: Requests, least: int) -> str:
    groups = f"{requests.small:,} of {requests.small + len(requests.groups):,} groups"
    have, were = ("has", "was") if requests.small == 1 else ("have", "were")
    return f"{groups} {have} fewer than {least:,} traces (`min_traces`), and {were} not asked for changes."


class _Answer:
    """One question for changes, and what came of it."""

    def __init__(self, frame: pl.DataFrame, requests: Requests, q: float, confidence: float) -> None:
        self.requests, self.q, self.confidence = requests, q, confidence
        self.groups = requests.groups
        self.series = series_of(self.groups)
        self.changes = changes_of(self.series, q=q, confidence=confidence)
        self.measured = [self._measured(change) for change in self.changes]
        self.spans = Spans.of(frame, requests.traces) if self.changes else None

    def rows(self, *, gradual: bool) -> pl.DataFrame:
        """Put what was found into order: what starts there first, and of that the largest."""
        shown = [place for place, change in enumerate(self.changes) if gradual or change.is_step]
        origins = dict(zip(shown, self._origins(shown), strict=True))
        records = []
        for place in shown:
            origin = origins[place]
            record = self._record(place) | {"follows": None if origin is None else self._name(origin)}
            values = [] if origin is not None else self._values(self.changes[place])
            record |= {"values": values, "what_changed": in_words(values)}
            key = (origin is not None, -record["effect"], record["moment"], self.changes[place].series)
            records.append((key, record))
        keys = dict(zip(self.requests.names, self.requests.dtypes, strict=True))
        ordered = [record for _, record in sorted(records, key=lambda item: item[0])]
        data = {name: [record[name] for record in ordered] for name in (*keys, *_MADE.names())}
        return pl.DataFrame(data, schema={**keys, **_MADE}, strict=False)

    def _of(self, change: Change) -> tuple[Series, Group]:
        series = self.series[change.series]
        return series, self.groups[series.group]

    def _measured(self, change: Change) -> tuple[Side, Side, Effect]:
        series, group = self._of(change)
        cut = (change.begin, change.moment.at, change.end)
        before, after = sides_of_change(group, *cut, self.confidence)
        if series.measure == LATENCY:
            return before, after, latency_effect(group, *cut, self.confidence)
        return before, after, error_effect(before, after)

    def _origins(self, shown: list[int]) -> list[int | None]:
        candidates = []
        for place in shown:
            change = self.changes[place]
            series, _ = self._of(change)
            low, high = self._interval(change)
            effect = self.measured[place][2]
            is_latency = series.measure == LATENCY
            candidates.append(
                Candidate(series.group, change.begin, change.moment.at, change.end, is_latency, low, high, effect)
            )
        return [None if found is None else shown[found] for found in origins_of(candidates, self.groups)]

    def _interval(self, change: Change) -> tuple[int, int]:
        """Give the nanoseconds between which a change is: after the last that was as before, before the next ones."""
        time = self._of(change)[0].time
        return int(time[change.moment.low - 1]), int(time[change.moment.high])

    def _record(self, place: int) -> dict[str, Any]:
        change, (before, after, effect) = self.changes[place], self.measured[place]
        series, group = self._of(change)
        low, high = self._interval(change)
        record: dict[str, Any] = dict(zip(self.requests.names, group.key, strict=True))
        record |= {
            "measure": MEASURES[series.measure],
            "shape": "step" if change.is_step else "gradual",
            "moment": int(series.time[change.moment.at]),
            "moment_lower": low,
            "moment_upper": high,
            "until": int(series.time[change.end]) if change.end < series.time.size else None,
            "effect": effect.value,
            "effect_lower": effect.low,
            "effect_upper": effect.high,
            "p_value": change.p_value,
            "q_value": change.q_value,
            "exemplars": self._exemplars(change, effect),
        }
        for name, side in zip(_SIDES, (before, after), strict=True):
            record |= {f"{name}_traces": side.traces, f"{name}_requests": side.requests}
            for quantile, bounds in side.quantiles.items():
                for end, value in zip(_ENDS, bounds, strict=True):
                    record[f"{name}_{quantile}{end}"] = None if value is None else round(value)
            for end, value in zip(_ENDS, side.error_rate, strict=True):
                record[f"{name}_error_rate{end}"] = value
        return record

    def _name(self, place: int) -> str:
        """Write what a change is of."""
        _, group = self._of(self.changes[place])
        return "::".join("null" if value is None else str(value) for value in group.key) or "all"

    def _values(self, change: Change) -> list[dict[str, Any]]:
        if self.spans is None:
            return []
        _, group = self._of(change)
        parts = slice(change.begin, change.moment.at), slice(change.moment.at, change.end)
        before, after = (group.trace[part] for part in parts)
        times = group.time[parts[0]], group.time[parts[1]]
        interval = self._interval(change)
        return values_at(self.spans, before, after, times=times, interval=interval, services=group.services, q=self.q)

    def _exemplars(self, change: Change, effect: Effect) -> list[str]:
        """Give the first traces after the change; where it is for the worse, the first that are slow or failed."""
        series, group = self._of(change)
        after = np.arange(change.moment.at, change.end)
        if effect.value > 0:
            bad = group.failed if series.measure == ERROR_RATE else group.above[:, _SLOW]
            worse = after[bad[after] > 0]
            after = worse if worse.size else after
        return self.requests.traces.gather(pl.Series(group.trace[after[:_EXEMPLARS]])).to_list()
