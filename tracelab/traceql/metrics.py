"""Metrics: spans counted and measured over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.errors import QueryError
from tracelab.options import flag
from tracelab.sampling.estimation.weighing import WEIGHT, checked_weights, weight_column
from tracelab.sampling.recorded import by_threshold
from tracelab.traceql.engine import checked, conditions, plain_errors
from tracelab.traceql.expressions.columns import Columns
from tracelab.traceql.expressions.unknown_names import warn_of_unknown
from tracelab.traceql.series.arithmetic import after, combined
from tracelab.traceql.series.comparing import compared_attributes
from tracelab.traceql.series.over_time import Series, counted, value_columns
from tracelab.traceql.series.weighted import SURENESS, TRACE, sureness, with_sureness
from tracelab.traceql.series.windows import Window, window
from tracelab.traceql.spansets.plans import Plan
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from tracelab.sampling.estimation.weighing import Weights
    from tracelab.traceql.expressions.values import Value

_THRESHOLD: Final = "traceql weight"
_BY_THRESHOLD: Final = pl.col(_THRESHOLD).alias(WEIGHT)


@takes_any_frame
def query_metrics(
    spans: pl.DataFrame | pl.LazyFrame,
    traceql: str,
    *,
    step: str | timedelta | int | None = None,
    start: datetime | str | int | None = None,
    end: datetime | str | int | None = None,
    instant: bool = False,
    weights: Weights = None,
) -> pl.DataFrame:
    """Count or measure the spans that a TraceQL query matches, over time.

    Parameters
    ----------
    spans
        A span frame.
    traceql
        A metrics query, such as `{ status = error } | rate() by (resource.service.name)`.
    step
        The width of an interval (`30s`); by default a round one that gives some 240 points.
    start, end
        The range of time: datetimes, ISO text or nanoseconds since 1970; by default from the first span to the last.
        It is widened to whole steps and begins one step early, as Tempo does it.
    instant
        Give one point for the whole range, from `start` to `end` and both included.
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. Without, every span counts once, unless the query says
        `with(extrapolate=true)`: then the weights are those of `ot=th` in the trace state, and null without it.

    Returns
    -------
    One row per point: `time` (Datetime, the right edge of the interval `(time - step, time]` that spans start in), one
    column per label under its canonical text (`resource.service.name`, `p` for a quantile, `__bucket` for a bucket of
    a histogram, `__meta_type` of compare()), null where a series lacks it, and `value` (Float64; durations in seconds).
    Sorted by the labels, then `time`. Counts, quantiles and histograms are 0 where nothing happened; other metrics
    have no row there.

    With weights, counts, rates, sums, averages, quantiles, histograms and compare() are of all spans that there were;
    minima and maxima are of those that were seen. A point that rests on an unknown weight is null. These columns
    follow: `lower`, `upper` (Float64, of counts and rates: a confidence interval of 95 % for what all traces would have
    shown, else null), `effective_sample_size` (Float64, how many traces, each with as many spans and the same weight,
    would tell as much), `unknown_weight` (UInt32, spans whose weight is null). They are null after arithmetic between
    series and for compare(), and arithmetic has no point where an operand is null.

    Raises
    ------
    QuerySyntaxError
        The text is no query.
    QueryTypeError
        The query compares or combines what never goes together.
    QueryError
        It is a query for `query` or `search`, it is larger than what can be answered in good time, or it is no text;
        the step or the range is none, or gives too many points.
    SchemaError
        The frame lacks a column that the query reads.
    TracelabError
        `instant` is neither True nor False, or a weight is none.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay  ========
    ...   bank::charge ..====!
    ...   bank::log    .......=
    ... ''')
    >>> points = query_metrics(spans, "{ } | count_over_time() by (resource.service.name)", instant=True)
    >>> points.drop("time").rows()
    [('bank', 2.0), ('web', 1.0)]
    """
    parsed = checked(traceql)
    if isinstance(parsed.body, n.Pipeline):
        raise QueryError(
            "this query gives spans, not metrics; ask query(spans, ...) for them, search(spans, ...) for their traces, "
            "or add a metric such as `| rate()`",
            source=traceql,
            position=len(traceql.rstrip()),
        )
    weight = weight_column(spans, weights)
    if not weight and _extrapolates(parsed):
        frame = spans.lazy().collect()
        spans, weight = frame.with_columns(by_threshold(frame).weight.alias(_THRESHOLD)), [_BY_THRESHOLD]
    columns = Columns.of(spans)
    if isinstance(weights, pl.Expr):
        # An expression may look at other spans, such as those of the same trace, so it comes before every filter.
        spans, weight = spans.with_columns(weight), [pl.col(WEIGHT)]
    lazy = spans.lazy()
    columns.require("a metrics query", "start_time")
    with plain_errors():
        warn_of_unknown(columns, _parts(parsed.body))
        asked = window(lazy, step=step, start=start, end=end, instant=flag("instant", instant))
        metrics = _Metrics(spans, columns, asked, weight)
        series = metrics.series(parsed.body)
    simple = isinstance(parsed.body, n.MetricsPipeline) and not isinstance(parsed.body.metric, n.Compare)
    frame = with_sureness(series, metrics.sureness if simple else None) if weight else series.frame
    more = SURENESS if weight else ()
    points = frame.with_columns(time=asked.time(pl.col("interval"))).select("time", *series.labels, "value", *more)
    return points.sort(*series.labels, "time", nulls_last=True)


class _Metrics:
    """The metrics of one query over one frame; a metric that occurs twice is worked out once."""

    def __init__(
        self, spans: pl.DataFrame | pl.LazyFrame, columns: Columns, asked: Window, weight: list[pl.Expr]
    ) -> None:
        self.spans = spans
        self.weight = weight
        self.sureness: Series | None = None
        self.columns = columns
        self.window = asked
        self.known: dict[tuple[tuple[n.Stage, ...], n.Metric | n.Compare], Series] = {}

    def series(self, body: n.MetricsPipeline | n.MetricsOperation) -> Series:
        if isinstance(body, n.MetricsPipeline):
            key = body.stages, body.metric
            if key not in self.known:
                self.known[key] = self.measured(*key)
            return after(self.known[key], body.second)
        return after(combined(body.operator, self.operand(body.left), self.operand(body.right)), body.second)

    def operand(self, side: n.MetricsOperand) -> Series | float:
        if isinstance(side, n.MetricsPipeline | n.MetricsOperation):
            return self.series(side)
        return float(cast("float", cast("n.Static", side).value))

    def measured(self, stages: tuple[n.Stage, ...], metric: n.Metric | n.Compare) -> Series:
        """Filter the spans, then work the metric out."""
        columns = self.columns.anew()
        plan = Plan(columns)
        tests = conditions(Plan(columns), stages)
        if isinstance(metric, n.Compare):
            return compared_attributes(self.spans.lazy(), plan, tests, metric, self.window, self.weight)
        values = {} if metric.argument is None else value_columns(metric, _metric_value(plan, metric.argument))
        keys: dict[str, dict[str, str]] = {}
        for field in metric.by:
            kinds = _metric_value(plan, field).kinds
            keys[str(field)] = {kind: plan.name(part) for kind, part in kinds.items()}
        wanted = [
            self.window.interval().alias("interval"),
            *plan.selected(),
            *(value.alias(name) for name, value in values.items()),
            *self.weight,
            *([pl.col("trace_id").alias(TRACE)] if self.weight else []),
        ]
        spans = columns.with_helpers(self.spans.lazy())
        if columns.helpers:  # these look at other spans, so they come before the filter
            names = [expression.meta.output_name() for expression in wanted]
            matching = spans.with_columns(wanted).filter(*tests).select(names)
        else:
            matching = spans.filter(*tests).select(wanted)
        found = matching.drop_nulls("interval").collect()
        if self.weight:
            found = found.with_columns(pl.Series(WEIGHT, checked_weights(found[WEIGHT])))
            self.sureness = sureness(metric, found, keys, self.window)
        return counted(metric, found, keys, self.window)


def _extrapolates(query: n.Query) -> bool:
    """Say whether the hint to weigh spans is the last word."""
    said = [hint.value.value for hint in query.hints if hint.name == "extrapolate"]
    return bool(said) and said[-1] is True


def _metric_value(plan: Plan, field: n.Attribute | n.Intrinsic) -> Value:
    """Give the value of a field; without a scope metrics look at the span and its resource only."""
    if isinstance(field, n.Attribute) and not field.scope and not field.of:
        return plan.columns.unscoped(field.name, ("span", "resource"))
    return plan.compiler.value(field)


def _parts(body: n.MetricsOperand) -> Iterator[n.Part]:
    """List what a metrics query reads of the spans."""
    match body:
        case n.MetricsPipeline():
            yield from body.stages
            if isinstance(body.metric, n.Compare):
                yield body.metric.selection
            else:
                fields = (body.metric.argument, *body.metric.by)
                yield n.Select(tuple(field for field in fields if field is not None))
        case n.MetricsOperation():
            yield from _parts(body.left)
            yield from _parts(body.right)
