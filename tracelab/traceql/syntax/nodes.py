"""The syntax of TraceQL as data: what a parsed query is made of.

The nodes know nothing of polars and, but for the places kept for error messages, nothing of the text they came from.
`str(query)` is the canonical text, which parses to an equal query.

    Query
      Pipeline                            the spans that match
        Filter, SpansetOperation, ScalarFilter, GroupBy, Select, Coalesce
          Operation, Unary, Presence      what is asked of one span
            Attribute, Intrinsic, Static
      MetricsPipeline                     a pipeline with a metric at its end
        Metric, Compare, Rank, Threshold
      MetricsOperation                    arithmetic between metrics
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

from tracelab.traceql.syntax.literals import duration_text, float_text, name_text, string_text

NodeT = TypeVar("NodeT")

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1

# The kinds of value that a literal or an expression can have. `dynamic` is an attribute's: known only span by span.
NIL, INT, FLOAT, DURATION, STRING, BOOL, STATUS, KIND = (
    "nil",
    "int",
    "float",
    "duration",
    "string",
    "bool",
    "status",
    "kind",
)
DYNAMIC: Final = "dynamic"
NUMERIC: Final = (INT, FLOAT, DURATION)

INTRINSIC_TYPES: Final = {
    "duration": DURATION,
    "name": STRING,
    "status": STATUS,
    "statusMessage": STRING,
    "kind": KIND,
    "span:id": STRING,
    "span:parentID": STRING,
    "span:childCount": INT,
    "trace:id": STRING,
    "traceDuration": DURATION,
    "rootName": STRING,
    "rootServiceName": STRING,
    "nestedSetLeft": INT,
    "nestedSetRight": INT,
    "nestedSetParent": INT,
    "event:name": STRING,
    "event:timeSinceStart": DURATION,
    "link:traceID": STRING,
    "link:spanID": STRING,
    "instrumentation:name": DYNAMIC,
    "instrumentation:version": DYNAMIC,
    "parent": DYNAMIC,
}
"""Intrinsics under their canonical names, and the type that each implies."""

ITEM_SCOPES: Final = ("event", "link")
"""Scopes of which a span has a list of items."""


def place() -> int:
    """Declare where a node begins in the text; two nodes are equal wherever they stand."""
    return field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Static:
    """A literal: its value and which kind of value it is (durations are nanoseconds).

    `of_durations` marks a number that was calculated from durations, so that somebody wrote a unit.
    """

    value: str | int | float | bool | None
    type: str
    at: int = place()
    of_durations: bool = field(default=False, compare=False, repr=False)

    def __str__(self) -> str:
        match self.value:
            case True | False:
                return str(self.value).lower()
            case None:
                return "nil"
            case float():
                return float_text(self.value)
            case str():
                return string_text(self.value) if self.type == STRING else self.value
        if self.type == DURATION:
            return duration_text(self.value)
        return "minInt" if self.value == MIN_INT else str(self.value)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: `span.http.route`, `.http.route` (scope ""), `parent.resource.x`, `root.http.route`.

    `of` says whose attribute it is: "" (the span's own), "parent" or "root".
    """

    scope: str
    name: str
    of: str = ""
    at: int = place()

    def __str__(self) -> str:
        scopes = [part for part in (self.of, self.scope) if part]
        name = name_text(self.name, bare=not scopes)
        return ".".join([*scopes, name]) if scopes else f".{name}"


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A property that every span has, under its canonical name: `duration`, `span:id`, `rootName`."""

    name: str
    at: int = place()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `!x`."""

    operator: str
    operand: FieldExpression
    at: int = place()

    def __str__(self) -> str:
        return self.operator + operand_text(self.operand)


@dataclass(frozen=True, slots=True)
class Presence:
    """`x = nil` (`exists` is False) or `x != nil`."""

    operand: FieldExpression
    exists: bool
    at: int = place()

    def __str__(self) -> str:
        return f"{operand_text(self.operand)} {'!=' if self.exists else '='} nil"


@dataclass(frozen=True, slots=True)
class Step(Generic[NodeT]):
    """An operator and its right operand."""

    operator: str
    operand: NodeT
    at: int = place()


@dataclass(frozen=True, slots=True)
class Operation:
    """Operators of one precedence level applied from left to right: `a + b - c`.

    A chain is one node, not a tree as deep as it is long, so that a long query needs no deep recursion.
    """

    first: FieldExpression
    steps: tuple[Step[FieldExpression], ...]
    at: int = place()

    def __str__(self) -> str:
        return _chain_text(self.first, self.steps)


FieldExpression: TypeAlias = Static | Attribute | Intrinsic | Unary | Presence | Operation


@dataclass(frozen=True, slots=True)
class Filter:
    """`{ expression }`."""

    expression: FieldExpression
    at: int = place()

    def __str__(self) -> str:
        return f"{{ {self.expression} }}"


@dataclass(frozen=True, slots=True)
class SpansetOperation:
    """Spanset operators of one precedence level applied from left to right: `{a} >> {b}`, `{a} && {b} || {c}`."""

    first: Spanset
    steps: tuple[Step[Spanset], ...]
    at: int = place()

    def __str__(self) -> str:
        return _chain_text(self.first, self.steps)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count()`, `avg(duration)`."""

    function: str
    argument: FieldExpression | None = None
    at: int = place()

    def __str__(self) -> str:
        return f"{self.function}({'' if self.argument is None else self.argument})"


@dataclass(frozen=True, slots=True)
class ScalarOperation:
    """Arithmetic on aggregates of one precedence level, applied from left to right."""

    first: Scalar
    steps: tuple[Step[Scalar], ...]
    at: int = place()

    def __str__(self) -> str:
        return _chain_text(self.first, self.steps)


@dataclass(frozen=True, slots=True)
class ScalarPipeline:
    """`({...} | count())`: the aggregate at the end of a pipeline, as a value."""

    stages: tuple[Stage, ...]
    aggregate: Aggregate
    at: int = place()

    def __str__(self) -> str:
        return stages_text((*self.stages, self.aggregate))


Scalar: TypeAlias = Static | Aggregate | ScalarOperation | ScalarPipeline


@dataclass(frozen=True, slots=True)
class ScalarFilter:
    """`count() > 2`."""

    operator: str
    left: Scalar
    right: Scalar
    at: int = place()

    def __str__(self) -> str:
        return f"{operand_text(self.left)} {self.operator} {operand_text(self.right)}"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """`by(expression)` as a stage of a pipeline."""

    expression: FieldExpression
    at: int = place()

    def __str__(self) -> str:
        return f"by({self.expression})"


@dataclass(frozen=True, slots=True)
class Select:
    """`select(a, b)`."""

    fields: tuple[Attribute | Intrinsic, ...]
    at: int = place()

    def __str__(self) -> str:
        return f"select({', '.join(map(str, self.fields))})"


@dataclass(frozen=True, slots=True)
class Coalesce:
    """`coalesce()`."""

    at: int = place()

    def __str__(self) -> str:
        return "coalesce()"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages, each of which takes the spansets of the one before."""

    stages: tuple[Stage, ...]
    at: int = place()

    def __str__(self) -> str:
        return stages_text(self.stages)


Spanset: TypeAlias = Filter | SpansetOperation | Pipeline
Stage: TypeAlias = Filter | SpansetOperation | ScalarFilter | GroupBy | Select | Coalesce
Part: TypeAlias = Stage | Spanset | Scalar
"""A stage, or something within one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`quantile_over_time(duration, 0.9) by (name)`."""

    function: str
    argument: Attribute | Intrinsic | None = None
    quantiles: tuple[float, ...] = ()
    by: tuple[Attribute | Intrinsic, ...] = ()
    at: int = place()

    def __str__(self) -> str:
        arguments = [] if self.argument is None else [str(self.argument)]
        arguments += [_number_text(quantile) for quantile in self.quantiles]
        by = f" by ({', '.join(map(str, self.by))})" if self.by else ""
        return f"{self.function}({', '.join(arguments)}){by}"


@dataclass(frozen=True, slots=True)
class Compare:
    """`compare({ selection }, top, start, end)`: how the spans of a selection differ from the others."""

    selection: Filter
    top: int = 10
    start: int = 0
    end: int = 0
    at: int = place()

    def __str__(self) -> str:
        times = f", {self.start}, {self.end}" if self.start or self.end else ""
        return f"compare({self.selection}, {self.top}{times})"


@dataclass(frozen=True, slots=True)
class Rank:
    """`topk(n)` or `bottomk(n)`."""

    function: str
    limit: int
    at: int = place()

    def __str__(self) -> str:
        return f"{self.function}({self.limit})"


@dataclass(frozen=True, slots=True)
class Threshold:
    """`> 5` after a metric: keep the points for which it holds."""

    operator: str
    value: Scalar
    at: int = place()

    def __str__(self) -> str:
        return f"{self.operator} {operand_text(self.value)}"


SecondStage: TypeAlias = Rank | Threshold


@dataclass(frozen=True, slots=True)
class MetricsPipeline:
    """A pipeline that ends in a metric."""

    stages: tuple[Stage, ...]
    metric: Metric | Compare
    second: tuple[SecondStage, ...] = ()
    at: int = place()

    def __str__(self) -> str:
        return f"{stages_text(self.stages)} | {self.metric}{_second_text(self.second)}"


@dataclass(frozen=True, slots=True)
class MetricsOperation:
    """Arithmetic between metrics, or between a metric and a number."""

    operator: str
    left: MetricsOperand
    right: MetricsOperand
    second: tuple[SecondStage, ...] = ()
    at: int = place()

    def __str__(self) -> str:
        return f"{operand_text(self.left)} {self.operator} {operand_text(self.right)}{_second_text(self.second)}"


MetricsOperand: TypeAlias = MetricsPipeline | MetricsOperation | Scalar


@dataclass(frozen=True, slots=True)
class Hint:
    """One `name=value` of `with(...)`."""

    name: str
    value: Static
    at: int = place()

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; `source` is the text that it was parsed from."""

    body: Pipeline | MetricsPipeline | MetricsOperation
    hints: tuple[Hint, ...] = ()
    source: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        """Write the query in its canonical form."""
        hints = f" with({', '.join(map(str, self.hints))})" if self.hints else ""
        return f"{self.body}{hints}"


def item_scope(node: FieldExpression) -> str | None:
    """Say whether something belongs to an `event` or a `link`, if it does to either."""
    match node:
        case Attribute(scope, _, "") if scope in ITEM_SCOPES:
            return scope
        case Intrinsic(name) if name.partition(":")[0] in ITEM_SCOPES:
            return name.partition(":")[0]
    return None


def operand_text(node: object) -> str:
    """Write an operand: in parentheses unless it is a literal, an attribute or an intrinsic."""
    return str(node) if isinstance(node, Static | Attribute | Intrinsic) else f"({node})"


def _chain_text(first: NodeT, steps: tuple[Step[NodeT], ...]) -> str:
    """Write a chain with its grouping spelt out: `(a + b) - c`."""
    opening = "(" * (len(steps) - 1)
    left = operand_text(first)
    if isinstance(first, Static) and str(first).startswith("-") and steps[0].operator in "*/%^":
        left = f"({left})"  # or the minus would reach further than the literal
    links = [f" {step.operator} {operand_text(step.operand)}" for step in steps]
    return opening + left + ")".join(links)


def stages_text(stages: tuple[object, ...]) -> str:
    return "|".join(map(str, stages))


def _second_text(stages: tuple[SecondStage, ...]) -> str:
    return "".join(f" | {stage}" if isinstance(stage, Rank) else f" {stage}" for stage in stages)


def _number_text(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
