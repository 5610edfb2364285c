"""How large a query may be, checked on its nodes before anything is worked out.

What a program writes for a person fits in easily: hundreds of different conditions, thousands of ids of one field.
Beyond that polars would plan for minutes, so it is refused at once.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from tracelab.errors import QueryError
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.cursor import MAX_NESTING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_CHAIN: Final = 300
"""Operators, stages, quantiles or fields in a row that are applied one after the other."""

MAX_ALTERNATIVES: Final = 1000
"""Conditions that `&&` or `||` alone joins; comparisons of one field with literals count as one."""

MAX_TERMS: Final = 2500
"""Conditions, calculations and stages in the whole query, where those of a field with literals count as one again."""

MAX_REGEXES: Final = 300
"""Regular expressions in the whole query; each is compiled before it is used."""

MAX_DEPTH: Final = MAX_NESTING + 10
"""Nodes within each other: what can be nested, and the pipeline and filter around it."""

LOGIC: Final = ("&&", "||")
_REGEX: Final = ("=~", "!~")

_Link = tuple[n.Attribute | n.Intrinsic, str, n.Static]
_Node: TypeAlias = (
    n.FieldExpression
    | n.Stage
    | n.Pipeline
    | n.Scalar
    | n.MetricsPipeline
    | n.MetricsOperation
    | n.Compare
    | n.Metric
    | n.Threshold
    | n.Rank
)


def check_size(query: n.Query) -> None:
    """Refuse a query that is longer, deeper or wider than the limits."""
    source = query.source or str(query)
    terms = regexes = 0
    stack: list[tuple[_Node, int]] = [(query.body, 1)]
    while stack:
        node, depth = stack.pop()
        at = min(node.at, len(source))
        if depth > MAX_DEPTH:
            raise QueryError(f"this query nests more than {MAX_NESTING} levels deep", source=source, position=at)
        children, length, most = _contents(node)
        is_logic = isinstance(node, n.Operation) and node.steps[0].operator in LOGIC
        terms += sum(not isinstance(child, n.Operation) for child in children) if is_logic else length
        if length > most:
            message = f"this query chains {length:,} operations, {most:,} are the most; split it up"
            raise QueryError(message, source=source, position=at)
        if isinstance(node, n.Operation):
            regexes += sum(step.operator in _REGEX for step in node.steps)
        if terms > MAX_TERMS or regexes > MAX_REGEXES:
            message = (
                f"this query has more than {MAX_TERMS:,} conditions and stages; split it up"
                if terms > MAX_TERMS
                else f"this query has more than {MAX_REGEXES:,} regular expressions; join them with `|`"
            )
            raise QueryError(message, source=source, position=at)
        stack += [(child, depth + 1) for child in children]


@contextmanager
def plain_recursion() -> Iterator[None]:
    """Say that a query nests too deeply where the caller's own calls have left too little of the stack."""
    try:
        yield
    except RecursionError:
        raise QueryError("this query nests too deeply for the stack that is left; split it up") from None


def alike(operator: str, operands: list[n.FieldExpression]) -> Iterator[list[n.FieldExpression]]:
    """Group neighbours that compare one field with literals: `.a = 1 || .a = 2`, `.a != 1 && .a != 2`."""
    wanted = "=" if operator == "||" else "!="

    def key(pair: tuple[int, n.FieldExpression]) -> object:
        number, operand = pair
        link = field_and_literal(operand)
        if link is None or link[1] != wanted or n.item_scope(link[0]) is not None:
            return number
        return link[0], link[2].type

    for _, group in groupby(enumerate(operands), key=key):
        yield [operand for _, operand in group]


def field_and_literal(node: n.FieldExpression) -> _Link | None:
    """Take `field = literal` apart."""
    match node:
        case n.Operation(n.Attribute() | n.Intrinsic() as field, (n.Step(operator, n.Static() as literal),)):
            return (field, operator, literal) if literal.type in (n.STRING, n.INT) else None
    return None


def runs(operation: n.Operation) -> list[tuple[str, list[n.FieldExpression]]]:
    """Cut a chain of `&&` and `||` into runs of the same one, each with the operands that it adds."""
    cut = [
        (operator, [step.operand for step in steps])
        for operator, steps in groupby(operation.steps, key=lambda step: step.operator)
    ]
    cut[0][1].insert(0, operation.first)
    return cut


def _contents(node: _Node) -> tuple[Iterable[_Node], int, int]:
    """Give what is within a node, how many operations it chains, and how many it may."""
    match node:
        case n.Operation() if node.steps[0].operator in LOGIC:
            cut = runs(node)
            # One of a group stands for all: they differ in their literals only.
            heads = [[group[0] for group in alike(operator, operands)] for operator, operands in cut]
            within = [head for run in heads for head in run]
            if len(cut) > MAX_CHAIN:  # of runs each has to wait for the one before
                return within, len(cut), MAX_CHAIN
            return within, max(map(len, heads)), MAX_ALTERNATIVES
        case n.Operation() | n.SpansetOperation() | n.ScalarOperation():
            return [node.first, *(step.operand for step in node.steps)], len(node.steps), MAX_CHAIN
        case n.Unary() | n.Presence():
            return [node.operand], 0, 1
        case n.Filter() | n.GroupBy():
            return [node.expression], 1, 1
        case n.Aggregate():
            return [] if node.argument is None else [node.argument], 1, 1
        case n.ScalarFilter():
            return [node.left, node.right], 1, 1
        case n.ScalarPipeline():
            return [*node.stages, node.aggregate], len(node.stages), MAX_CHAIN
        case n.Pipeline():
            return node.stages, len(node.stages), MAX_CHAIN
        case n.Select():
            return [], len(node.fields), MAX_ALTERNATIVES
        case n.MetricsPipeline():
            return [*node.stages, node.metric, *node.second], len(node.stages) + len(node.second), MAX_CHAIN
        case n.MetricsOperation():
            return [node.left, node.right, *node.second], 1 + len(node.second), MAX_CHAIN
        case n.Metric():
            return [], len(node.quantiles), MAX_CHAIN
        case n.Compare():
            return [node.selection], 1, 1
        case n.Threshold():
            return [node.value], 1, 1
    return [], 0, 1
