"""What an operator outside of braces makes of its operands: spansets, numbers or metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TypeAlias, cast

from tracelab.errors import QueryError, QueryTypeError
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.cursor import MAX_NESTING
from tracelab.traceql.syntax.folding import folded

if TYPE_CHECKING:
    from tracelab.traceql.syntax.tokens import Token

STRUCTURAL: Final = (">", "<", ">>", "<<", "~", "!>", "!<", "!>>", "!<<", "!~", "&>", "&<", "&>>", "&<<", "&~")
COMPARING: Final = ("=", "!=", "<", "<=", ">", ">=")
LEVELS: Final = {
    **dict.fromkeys(("&&", "||"), 1),
    **dict.fromkeys((*STRUCTURAL, *COMPARING), 2),
    **dict.fromkeys("+-", 3),
    **dict.fromkeys("*/%", 4),
    "^": 5,
}

Node: TypeAlias = (
    n.Spanset | n.Scalar | n.ScalarFilter | n.GroupBy | n.Select | n.Coalesce | n.MetricsPipeline | n.MetricsOperation
)


class Fail(Protocol):
    """How to complain about a place in the text."""

    def __call__(self, message: str, position: int, /, *, error: type[QueryError] = ...) -> NoReturn: ...


@dataclass(slots=True)
class Operand:
    """Something parsed, and what it is: a `spanset`, `pipeline`, `stage`, `number`, `scalar` or `metric`."""

    kind: str
    node: Node
    at: int
    wrapped: bool = False


def joined(left: Operand, steps: list[tuple[Token, Operand]], fail: Fail) -> Operand:
    """Join a chain of operators of one level."""
    if left.kind in ("spanset", "pipeline"):
        return _spansets(left, steps, fail)
    for sign, right in steps:
        left = _numbers(left, sign, right, fail)
    return left


def compared(left: Operand, sign: Token, right: Operand, fail: Fail) -> Operand:
    """`CMP`: a metric with a number keeps points, an aggregate with a number or another keeps spansets."""
    if right.kind not in ("number", "scalar") or left.kind not in ("number", "scalar", "metric"):
        _misfit(left, sign, right, fail)
    scalar = _as_scalar(right)
    if left.kind == "metric":
        if right.kind != "number":
            fail("a metric can only be compared with a number", right.at)
        metric = cast("n.MetricsPipeline | n.MetricsOperation", left.node)
        threshold = n.Threshold(sign.text, scalar, sign.start)
        return Operand("metric", replace(metric, second=(*metric.second, threshold)), left.at)
    if left.kind == right.kind == "number":
        fail("two numbers say nothing about spans; compare an aggregate, such as count() > 2", left.at)
    if left.kind == "number" and isinstance(right.node, n.ScalarPipeline):
        fail("the number goes to the right of the pipeline: ({ } | count()) > 2", left.at)
    return Operand("stage", n.ScalarFilter(sign.text, _as_scalar(left), scalar, left.at), left.at)


def _spansets(left: Operand, steps: list[tuple[Token, Operand]], fail: Fail) -> Operand:
    """`spansetExpr SOP spansetExpr`, or `pipeExpr SOP pipeExpr`, where each operand stands in parentheses."""
    chain: list[n.Step[n.Spanset]] = []
    first = _as_spanset(left)
    level = LEVELS[steps[0][0].text]
    if isinstance(first, n.SpansetOperation) and LEVELS[first.steps[0].operator] == level:
        chain = list(first.steps)
        first = first.first
    for sign, right in steps:
        if sign.text not in STRUCTURAL and sign.text not in ("&&", "||"):
            fail(
                f"`{sign.text}` cannot join spans; there are && || > < >> << ~ and their forms with ! and &", sign.start
            )
        if right.kind not in ("spanset", "pipeline"):
            _misfit(left, sign, right, fail)
        chain.append(n.Step(sign.text, _as_spanset(right), sign.start))
    operands = [left, *(right for _, right in steps)]
    kind = "pipeline" if any(operand.kind == "pipeline" for operand in operands) else "spanset"
    if kind == "pipeline":
        for operand in operands:
            if operand.kind == "spanset" and not operand.wrapped:
                fail(
                    "next to a pipeline in parentheses every operand needs parentheses: ({ }) && ({ } | ...)",
                    operand.at,
                )
    return Operand(kind, n.SpansetOperation(first, tuple(chain), left.at), left.at, wrapped=False)


def _numbers(left: Operand, sign: Token, right: Operand, fail: Fail) -> Operand:
    """`scalar CMP scalar`, or arithmetic between numbers, aggregates and metrics."""
    if sign.text in COMPARING:
        return compared(left, sign, right, fail)
    kinds = {left.kind, right.kind}
    if sign.text not in "+-*/%^" or kinds - {"number", "scalar", "metric"}:
        _misfit(left, sign, right, fail)
    if "metric" in kinds:
        return _metrics(left, sign, right, fail)
    a, b = _as_scalar(left), _as_scalar(right)
    kind = "number" if kinds == {"number"} else "scalar"
    if kind == "number":
        if sign.text in "%^":
            fail(f"`{sign.text}` is not allowed between two numbers here", sign.start)
        if isinstance(a, n.Static) and isinstance(b, n.Static) and n.DURATION not in (a.type, b.type):
            literal = folded(sign.text, a, b)
            if literal is not None:
                return Operand("number", literal, left.at)
    if isinstance(a, n.ScalarOperation) and sign.text != "^" and LEVELS[a.steps[0].operator] == LEVELS[sign.text]:
        operation = n.ScalarOperation(a.first, (*a.steps, n.Step(sign.text, b, sign.start)), a.at)
    else:
        operation = n.ScalarOperation(a, (n.Step(sign.text, b, sign.start),), left.at)
    return Operand(kind, operation, left.at)


def _metrics(left: Operand, sign: Token, right: Operand, fail: Fail) -> Operand:
    """`metricsExpr (+|-|*|/) metricsExpr`, where either side may be a number."""
    if sign.text in "%^":
        fail(f"`{sign.text}` cannot join metrics; there are + - * /", sign.start)
    if _operations(left.node) + _operations(right.node) >= MAX_NESTING:
        fail(f"this query calculates with more than {MAX_NESTING} metrics", sign.start)
    for side in (left, right):
        if side.kind == "scalar":
            fail("a metric and an aggregate of spansets do not go together", side.at)
        if side.kind == "number" and (duration := _duration(_as_scalar(side))) is not None:
            message = "a duration cannot be combined with a metric; write seconds as a plain number"
            fail(message, duration.at, error=QueryTypeError)
        if side.kind == "metric" and not side.wrapped and isinstance(side.node, n.MetricsPipeline):
            fail("a metric that takes part in arithmetic needs parentheses: ({ } | rate()) / 2", side.at)
    return Operand("metric", n.MetricsOperation(sign.text, _as_metric(left), _as_metric(right), (), left.at), left.at)


def _misfit(left: Operand, sign: Token, right: Operand, fail: Fail) -> NoReturn:
    names = {
        "spanset": "spans",
        "pipeline": "a pipeline",
        "stage": "a finished stage",
        "number": "a number",
        "scalar": "a number",
        "metric": "a metric",
    }
    fail(f"`{sign.text}` cannot join {names[left.kind]} and {names[right.kind]}", sign.start)


def _operations(node: object) -> int:
    """Count the operations between metrics."""
    return 1 + _operations(node.left) + _operations(node.right) if isinstance(node, n.MetricsOperation) else 0


def _duration(number: n.Scalar) -> n.Static | None:
    """Find the first duration that a number is made of."""
    match number:
        case n.Static(type=n.DURATION):
            return number
        case n.ScalarOperation(first, steps):
            found = (_duration(operand) for operand in (first, *(step.operand for step in steps)))
            return next((duration for duration in found if duration is not None), None)
    return None


def _as_spanset(operand: Operand) -> n.Spanset:
    return cast("n.Spanset", operand.node)


def _as_scalar(operand: Operand) -> n.Scalar:
    return cast("n.Scalar", operand.node)


def _as_metric(operand: Operand) -> n.MetricsOperand:
    return cast("n.MetricsOperand", operand.node)
