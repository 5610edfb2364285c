"""What a query may compare and combine, checked before it runs."""

from __future__ import annotations

from typing import Final, NoReturn

from tracelab.errors import QueryTypeError
from tracelab.go_regexes import RegexError, anchored
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.folding import COMPARISONS
from tracelab.traceql.syntax.limits import check_size, plain_recursion
from tracelab.traceql.syntax.parser import parse
from tracelab.traceql.syntax.traversal import references

ARITHMETIC: Final = ("+", "-", "*", "/", "%", "^")
_EQUALITY: Final = ("=", "!=")
_ORDERING: Final = ("<", "<=", ">", ">=")
_REGEX: Final = ("=~", "!~")
_NUMBERS: Final = (*ARITHMETIC, *COMPARISONS)
_ALLOWED: Final = {
    n.BOOL: ("&&", "||", *_EQUALITY),
    n.INT: _NUMBERS,
    n.FLOAT: _NUMBERS,
    n.DURATION: _NUMBERS,
    n.STRING: (*_EQUALITY, *_REGEX, *_ORDERING),
    n.STATUS: _EQUALITY,
    n.KIND: _EQUALITY,
    n.NIL: _EQUALITY,
}
_MAX_GROUPS: Final = 5
_BUCKETED: Final = ("quantile_over_time", "histogram_over_time", "avg_over_time")
_MAX_COMPARED: Final = 1000
_WORDS: Final = {
    n.STATUS: "ok, error or unset without quotes",
    n.KIND: "server, client, internal, producer, consumer or unspecified without quotes",
    n.DURATION: "a duration without quotes, such as 1.5s",
    n.STRING: "a text in double quotes",
}


def validate(query: n.Query | str) -> None:
    """Check that the types in a query go together.

    Raises
    ------
    QueryTypeError
        Something compares or combines what never goes together; the message shows the place.
    QuerySyntaxError
        The query was given as a text that is none.
    QueryError
        It is larger than what can be answered in good time, or it is no text at all.

    Examples
    --------
    >>> validate("{ status = error }")
    >>> validate("{ status > 1 }")
    Traceback (most recent call last):
    tracelab.errors.QueryTypeError: `>` cannot compare a status and an int; `status` takes ok, error or unset ...
      { status > 1 }
               ^
    """
    checked = query if isinstance(query, n.Query) else parse(query)
    check_size(checked)
    with plain_recursion():
        _Check(checked.source or str(checked)).body(checked.body)


def implied_type(expression: n.FieldExpression) -> str:
    """Give the type of value that an expression will have; `dynamic` where only the spans can tell."""
    match expression:
        case n.Static():
            return expression.type
        case n.Attribute():
            return n.DYNAMIC
        case n.Intrinsic():
            return n.INTRINSIC_TYPES[expression.name]
        case n.Presence():
            return n.BOOL
        case n.Unary():
            return implied_type(expression.operand)
    if expression.steps[0].operator not in ARITHMETIC:
        return n.BOOL
    operands = (expression.first, *(step.operand for step in expression.steps))
    return next((kind for kind in map(implied_type, operands) if kind != n.DYNAMIC), n.DYNAMIC)


class _Check:
    """One query's check, which knows the text to point at."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, message: str, at: int) -> NoReturn:
        raise QueryTypeError(message, source=self.source, position=min(at, len(self.source)))

    def body(self, body: n.MetricsOperand | n.Spanset) -> None:
        match body:
            case n.Pipeline():
                self.stages(body.stages)
            case n.MetricsPipeline():
                self.stages(body.stages)
                self.metric(body.metric)
                self.second_stages(body.second)
                if isinstance(body.metric, n.Compare) and body.second:
                    self.fail("nothing can follow compare()", body.second[0].at)
            case n.MetricsOperation():
                for side in (body.left, body.right):
                    self.metrics_operand(side)
                self.second_stages(body.second)

    def metrics_operand(self, side: n.MetricsOperand) -> None:
        match side:
            case n.MetricsPipeline() if isinstance(side.metric, n.Compare):
                self.fail("compare() cannot take part in arithmetic", side.metric.at)
            case n.MetricsPipeline() | n.MetricsOperation():
                self.body(side)
            case n.Static() if side.type == n.DURATION:
                self.fail("a duration cannot be combined with a metric; write seconds as a plain number", side.at)
            case _:
                self.scalar(side)

    def stages(self, stages: tuple[n.Stage, ...]) -> None:
        for stage in stages:
            match stage:
                case n.Filter() | n.SpansetOperation():
                    self.spanset(stage)
                case n.ScalarFilter():
                    self.scalar(stage.left)
                    self.scalar(stage.right)
                case n.GroupBy():
                    self.field(stage.expression)
                    self.needs_span("by", stage.expression)
                case n.Select():
                    for field in stage.fields:
                        self.field(field)

    def spanset(self, spanset: n.Spanset) -> None:
        match spanset:
            case n.Filter():
                self.field(spanset.expression)
                kind = implied_type(spanset.expression)
                if kind not in (n.BOOL, n.DYNAMIC):
                    self.fail(f"a filter must be true or false, this is {_a(kind)}", spanset.expression.at)
            case n.SpansetOperation():
                self.spanset(spanset.first)
                for step in spanset.steps:
                    self.spanset(step.operand)
            case n.Pipeline():
                self.stages(spanset.stages)

    def scalar(self, scalar: n.Scalar) -> None:
        match scalar:
            case n.Aggregate():
                self.aggregate(scalar)
            case n.ScalarPipeline():
                self.stages(scalar.stages)
                self.aggregate(scalar.aggregate)
            case n.ScalarOperation():
                operands = (scalar.first, *(step.operand for step in scalar.steps))
                for operand in operands:
                    self.scalar(operand)
                if all(isinstance(operand, n.Static) for operand in operands):
                    durations = [o for o in operands if isinstance(o, n.Static) and o.type == n.DURATION]
                    if durations:
                        self.fail("durations cannot be calculated with here; write the result", durations[0].at)
                    self.fail(
                        "this cannot be calculated: a division by zero, or a number too large", scalar.steps[0].at
                    )

    def aggregate(self, aggregate: n.Aggregate) -> None:
        if aggregate.argument is None:
            return
        self.field(aggregate.argument)
        self.needs_span(aggregate.function, aggregate.argument)
        kind = implied_type(aggregate.argument)
        if kind not in (*n.NUMERIC, n.DYNAMIC):
            self.fail(f"{aggregate.function}() needs numbers or durations, this is {_a(kind)}", aggregate.argument.at)

    def needs_span(self, function: str, expression: n.FieldExpression) -> None:
        if not any(references(expression)):
            self.fail(f"{function}() needs something of the spans, this is the same for all of them", expression.at)

    def metric(self, metric: n.Metric | n.Compare) -> None:
        if isinstance(metric, n.Compare):
            self.compare(metric)
            return
        for field in (metric.argument, *metric.by):
            if field is not None:
                self.field(field)
        most = _MAX_GROUPS - 1 if metric.function in _BUCKETED else _MAX_GROUPS
        if len(metric.by) > most:
            self.fail(f"{metric.function}() can be grouped by {most} attributes at most", metric.by[most].at)
        for quantile in metric.quantiles:
            if not 0 <= quantile <= 1:
                self.fail(f"a quantile lies between 0 and 1, this is {quantile}", metric.at)

    def compare(self, metric: n.Compare) -> None:
        self.spanset(metric.selection)
        if not 1 <= metric.top <= _MAX_COMPARED:
            self.fail(f"compare() shows from 1 to {_MAX_COMPARED} values an attribute, not {metric.top}", metric.at)
        if (metric.start == 0) != (metric.end == 0) or (metric.start and metric.end <= metric.start):
            self.fail("compare() needs a start and an end after it, in nanoseconds, or neither", metric.at)

    def second_stages(self, stages: tuple[n.SecondStage, ...]) -> None:
        for stage in stages:
            match stage:
                case n.Rank() if stage.limit < 1:
                    self.fail(f"{stage.function}() needs a number of at least 1", stage.at)
                case n.Threshold():
                    self.scalar(stage.value)

    def field(self, expression: n.FieldExpression) -> None:
        """Check one expression over a span, and those within it."""
        match expression:
            case n.Unary():
                self.unary(expression)
            case n.Presence():
                self.presence(expression)
            case n.Operation():
                self.operation(expression)
            case n.Intrinsic("parent"):
                self.fail(
                    "`parent` is a span, not a value; ask `parent != nil` or for an attribute, `parent.x`",
                    expression.at,
                )

    def unary(self, unary: n.Unary) -> None:
        self.field(unary.operand)
        kind = implied_type(unary.operand)
        allowed = (n.BOOL, n.DYNAMIC) if unary.operator == "!" else (*n.NUMERIC, n.DYNAMIC)
        if kind not in allowed:
            self.fail(f"`{unary.operator}` cannot stand before {_a(kind)}", unary.at)

    def presence(self, presence: n.Presence) -> None:
        operand = presence.operand
        match operand:
            case n.Intrinsic("parent"):
                return
            case n.Intrinsic() if not presence.exists:
                self.fail(f"every span has `{operand}`, so it is never nil", operand.at)
            case n.Attribute("resource", "service.name", "") if not presence.exists:
                self.fail(f"every span has `{operand}`, so it is never nil", operand.at)
        self.field(operand)

    def operation(self, operation: n.Operation) -> None:
        self.field(operation.first)
        left: n.FieldExpression = operation.first
        kind = implied_type(left)
        for step in operation.steps:
            self.field(step.operand)
            right = implied_type(step.operand)
            self.types(step, left, kind, right)
            if step.operator in _REGEX:
                self.regex(step)
            if step.operator not in ARITHMETIC:
                kind = n.BOOL
            elif kind == n.DYNAMIC:
                kind = right
            left = operation

    def types(self, step: n.Step[n.FieldExpression], left: n.FieldExpression, a: str, b: str) -> None:
        """Check that an operator takes what stands on its two sides."""
        numbers = a in n.NUMERIC and b in n.NUMERIC
        loose = {n.DYNAMIC, n.NIL}
        if a != b and not numbers and not loose & {a, b}:
            hint = _hint(left, a) or _hint(step.operand, b)
            verb = "compare" if step.operator in COMPARISONS else "combine"
            self.fail(f"`{step.operator}` cannot {verb} {_a(a)} and {_a(b)}{hint}", step.at)
        for kind in (a, b):
            if kind != n.DYNAMIC and step.operator not in _ALLOWED[kind]:
                self.fail(
                    f"`{step.operator}` does not work on {_a(kind)}; there are {' '.join(_ALLOWED[kind])}", step.at
                )

    def regex(self, step: n.Step[n.FieldExpression]) -> None:
        pattern = step.operand
        if not isinstance(pattern, n.Static) or not isinstance(pattern.value, str):
            self.fail(f"`{step.operator}` needs a text in quotes on its right", pattern.at)
        try:
            anchored(pattern.value)
        except RegexError as error:
            self.fail(f"no regular expression: {error}", pattern.at)


def _a(kind: str) -> str:
    names = {n.BOOL: "a truth value", n.INT: "an int", n.STRING: "a text", n.NIL: "nil"}
    return names.get(kind, f"a {kind}")


def _hint(field: n.FieldExpression, kind: str) -> str:
    """Say what an intrinsic can be compared with."""
    if not isinstance(field, n.Intrinsic) or kind not in _WORDS:
        return ""
    return f"; `{field}` takes {_WORDS[kind]}"
