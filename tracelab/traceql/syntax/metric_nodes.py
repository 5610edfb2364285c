"""The syntax of TraceQL as data, continued: metrics, and the whole query.

Query
  Pipeline                the spans that match
  MetricsPipeline         a pipeline with a metric at its end
  MetricsOperation        arithmetic between metrics
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from tracelab.traceql.syntax import nodes as n


@dataclass(frozen=True, slots=True)
class Metric:
    """`quantile_over_time(duration, 0.9) by (name)`."""

    function: str
    argument: n.Attribute | n.Intrinsic | None = None
    quantiles: tuple[float, ...] = ()
    by: tuple[n.Attribute | n.Intrinsic, ...] = ()
    at: int = n.place()

    def __str__(self) -> str:
        arguments = [] if self.argument is None else [str(self.argument)]
        arguments += [_number_text(quantile) for quantile in self.quantiles]
        by = f" by ({', '.join(map(str, self.by))})" if self.by else ""
        return f"{self.function}({', '.join(arguments)}){by}"


@dataclass(frozen=True, slots=True)
class Compare:
    """`compare({ selection }, top, start, end)`: how the spans of a selection differ from the others."""

    selection: n.Filter
    top: int = 10
    start: int = 0
    end: int = 0
    at: int = n.place()

    def __str__(self) -> str:
        times = f", {self.start}, {self.end}" if self.start or self.end else ""
        return f"compare({self.selection}, {self.top}{times})"


@dataclass(frozen=True, slots=True)
class Rank:
    """`topk(n)` or `bottomk(n)`."""

    function: str
    limit: int
    at: int = n.place()

    def __str__(self) -> str:
        return f"{self.function}({self.limit})"


@dataclass(frozen=True, slots=True)
class Threshold:
    """`> 5` after a metric: keep the points for which it holds."""

    operator: str
    value: n.Scalar
    at: int = n.place()

    def __str__(self) -> str:
        return f"{self.operator} {n.operand_text(self.value)}"


SecondStage: TypeAlias = Rank | Threshold


@dataclass(frozen=True, slots=True)
class MetricsPipeline:
    """A pipeline that ends in a metric."""

    stages: tuple[n.Stage, ...]
    metric: Metric | Compare
    second: tuple[SecondStage, ...] = ()
    at: int = n.place()

    def __str__(self) -> str:
        return f"{n.stages_text(self.stages)} | {self.metric}{_second_text(self.second)}"


@dataclass(frozen=True, slots=True)
class MetricsOperation:
    """Arithmetic between metrics, or between a metric and a number."""

    operator: str
    left: MetricsOperand
    right: MetricsOperand
    second: tuple[SecondStage, ...] = ()
    at: int = n.place()

    def __str__(self) -> str:
        return f"{n.operand_text(self.left)} {self.operator} {n.operand_text(self.right)}{_second_text(self.second)}"


MetricsOperand: TypeAlias = MetricsPipeline | MetricsOperation | n.Scalar


@dataclass(frozen=True, slots=True)
class Hint:
    """One `name=value` of `with(...)`."""

    name: str
    value: n.Static
    at: int = n.place()

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; `source` is the text that it was parsed from."""

    body: n.Pipeline | MetricsPipeline | MetricsOperation
    hints: tuple[Hint, ...] = ()
    source: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        """Write the query in its canonical form."""
        hints = f" with({', '.join(map(str, self.hints))})" if self.hints else ""
        return f"{self.body}{hints}"


def _second_text(stages: tuple[SecondStage, ...]) -> str:
    return "".join(f" | {stage}" if isinstance(stage, Rank) else f" {stage}" for stage in stages)


def _number_text(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
