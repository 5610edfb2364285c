"""TraceQL as slowly and obviously as possible: one trace after the other, one span after the other, plain Python.

It shares nothing with the engine but the parser's nodes.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tracelab.traceql.syntax import nodes as n

Value = tuple[str, Any] | None
NUMBERS = ("int", "float", "duration")
ORDERING = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
EQUALITY = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b}


@dataclass(eq=False)
class Span:
    row: dict[str, Any]
    attributes: dict[str, dict[str, Value]]
    trace: list[Span] = field(default_factory=list)
    parent: Span | None = None
    children: list[Span] = field(default_factory=list)
    rooted: bool = False


@dataclass
class Spanset:
    spans: list[Span]
    values: dict[str, str] = field(default_factory=dict)


class DivisionByZeroError(Exception):
    """An int was divided by zero."""


def matching(frame: pl.DataFrame, stages: tuple[n.Stage, ...]) -> list[tuple[str, Spanset]]:
    """Give the spansets that the stages leave, each with its trace."""
    found = []
    for trace_id, trace in traces(frame).items():
        found += [(trace_id, spanset) for spanset in run(stages, [Spanset(trace)])]
    return found


def traces(frame: pl.DataFrame) -> dict[str, list[Span]]:
    """Cut a frame into traces, with parents found by id."""
    result: dict[str, list[Span]] = {}
    nanoseconds = frame.with_columns(pl.col("start_time", "duration").to_physical())
    for row in nanoseconds.sort("tree_left").iter_rows(named=True):
        trace = result.setdefault(row["trace_id"], [])
        trace.append(Span(row, attributes_of(row), trace))
    for trace in result.values():
        by_id = {span.row["span_id"]: span for span in trace}
        for span in trace:
            # A cycle is cut at the root of its fragment, which is the tree's business and not tested here.
            span.parent = by_id.get(span.row["parent_span_id"]) if span.row["depth"] else None
            if span.parent:
                span.parent.children.append(span)
        for span in trace:
            span.rooted = is_rooted(span, len(trace))
    return result


def is_rooted(span: Span, size: int) -> bool:
    for _ in range(size + 1):
        if span.row["parent_span_id"] is None:
            return True
        if span.parent is None:
            return False
        span = span.parent
    return False


def attributes_of(row: dict[str, Any]) -> dict[str, dict[str, Value]]:
    scopes: dict[str, dict[str, Value]] = {"span": {}, "resource": {}, "event": {}, "link": {}, "instrumentation": {}}
    scopes["resource"]["service.name"] = ("string", row["service_name"])
    for column, value in row.items():
        scope, dot, key = column.partition(".")
        if dot and scope in scopes and not column.endswith(":type") and value is not None:
            scopes[scope][key] = typed(value, row.get(f"{column}:type"))
    for entry, text in dict(row["more_attributes"] or {}).items():
        scope, _, key = entry.partition(".")
        if not entry.endswith(":type"):
            scopes[scope][key] = typed(text, (row["more_attributes"] or {}).get(f"{entry}:type"))
    return scopes


def typed(value: Any, kind: str | None) -> Value:
    match kind:
        case "int":
            return "int", int(value)
        case "double":
            return "float", float(value)
        case "bool":
            return "bool", value == "true"
    names = {bool: "bool", int: "int", float: "float", str: "string"}
    return names[type(value)], value


def run(stages: tuple[n.Stage, ...], spansets: list[Spanset]) -> list[Spanset]:
    for stage in stages:
        result = []
        for spanset in spansets:
            match stage:
                case n.Filter() | n.SpansetOperation():
                    result.append(Spanset(spanset_of(stage, spanset), spanset.values))
                case n.GroupBy():
                    result += grouped(stage, spanset)
                case n.ScalarFilter():
                    result += scalar_filtered(stage, spanset)
                case n.Select():
                    result.append(spanset)
        if isinstance(stage, n.Coalesce):
            result = [Spanset([span for spanset in spansets for span in spanset.spans])]
        spansets = [spanset for spanset in result if spanset.spans]
    return spansets


def spanset_of(node: n.Spanset, spanset: Spanset) -> list[Span]:
    match node:
        case n.Filter():
            return [span for span in spanset.spans if value_of(node.expression, span) == ("bool", True)]
        case n.Pipeline():
            return [span for found in run(node.stages, [spanset]) for span in found.spans]
    left = spanset_of(node.first, spanset)
    for step in node.steps:
        left = combined(step.operator, left, spanset_of(step.operand, spanset))
    return left


def combined(operator: str, left: list[Span], right: list[Span]) -> list[Span]:
    if operator in ("&&", "||"):
        both = left and right if operator == "&&" else left or right
        return list(dict.fromkeys([*left, *right])) if both else []
    sign = operator.lstrip("!&")
    hits = [r for r in right if any(are_related(sign, lft, r) for lft in left)]
    if operator[0] == "!":
        return [r for r in right if r not in hits]
    if operator[0] == "&":
        hits += [lft for lft in left if any(are_related(sign, lft, r) for r in right)]
    return list(dict.fromkeys(hits))


def are_related(sign: str, left: Span, right: Span) -> bool:
    """Tell whether `left sign right` holds between two spans: the right one is what an operator returns."""
    if not (left.rooted and right.rooted) or left is right:
        return False
    match sign:
        case ">":
            return right.parent is left
        case "<":
            return left.parent is right
        case ">>":
            return left in ancestors(right)
        case "<<":
            return right in ancestors(left)
    return left.parent is right.parent


def ancestors(span: Span) -> list[Span]:
    found = []
    while span.parent is not None:
        span = span.parent
        found.append(span)
    return found


def grouped(stage: n.GroupBy, spanset: Spanset) -> list[Spanset]:
    groups: dict[Value, list[Span]] = {}
    for span in spanset.spans:
        groups.setdefault(value_of(stage.expression, span), []).append(span)
    return [Spanset(spans, {**spanset.values, str(stage): text_of(key)}) for key, spans in groups.items()]


def text_of(value: Value) -> str:
    if value is None:
        return "nil"
    kind, inner = value
    return str(inner).lower() if kind == "bool" else str(inner)


def scalar_filtered(stage: n.ScalarFilter, spanset: Spanset) -> list[Spanset]:
    left, right = scalar_of(stage.left, spanset), scalar_of(stage.right, spanset)
    return [spanset] if compare(stage.operator, left, right) else []


def scalar_of(node: n.Scalar, spanset: Spanset) -> Value:
    match node:
        case n.Static():
            return node.type, node.value
        case n.Aggregate():
            return aggregate(node, spanset)
        case n.ScalarOperation():
            left = scalar_of(node.first, spanset)
            for step in node.steps:
                left = arithmetic(step.operator, left, scalar_of(step.operand, spanset))
            return left
    raise AssertionError(node)


def aggregate(node: n.Aggregate, spanset: Spanset) -> Value:
    if node.argument is None:
        return "int", len(spanset.spans)
    values = [value_of(node.argument, span) for span in spanset.spans]
    numbers = [value for value in values if value is not None and value[0] in NUMBERS]
    if not numbers:
        return None
    kinds = {kind for kind, _ in numbers}
    inner = [value for _, value in numbers]
    kind = kinds.pop() if len(kinds) == 1 else "float"
    match node.function:
        case "min":
            return kind, min(inner)
        case "max":
            return kind, max(inner)
        case "sum":
            return kind, sum(inner)
    return ("duration", sum(inner) // len(inner)) if kind == "duration" else ("float", sum(inner) / len(inner))


def value_of(node: n.FieldExpression, span: Span) -> Value:
    match node:
        case n.Static():
            return node.type, node.value
        case n.Attribute():
            return attribute_of(node, span)
        case n.Intrinsic():
            return intrinsic_of(node.name, span)
        case n.Presence():
            return "bool", (value_of(node.operand, span) is not None) == node.exists
        case n.Unary():
            return signed(node.operator, value_of(node.operand, span))
    left = value_of(node.first, span)
    for step in node.steps:
        if step.operator in ("&&", "||"):
            decides = step.operator == "||"
            if left == ("bool", decides):
                continue
            right = value_of(step.operand, span)
            truths = (left == ("bool", True), right == ("bool", True))
            left = ("bool", any(truths) if decides else all(truths))
            continue
        right = value_of(step.operand, span)
        if step.operator in "+-*/%^":
            left = arithmetic(step.operator, left, right)
        else:
            left = ("bool", compare(step.operator, left, right))
    return left


def signed(operator: str, value: Value) -> Value:
    if value is None:
        return None
    kind, inner = value
    if operator == "!":
        return ("bool", not inner) if kind == "bool" else None
    return (kind, -inner) if kind in NUMBERS else None


def attribute_of(node: n.Attribute, span: Span) -> Value:
    if node.of:
        roots = [other for other in span.trace if other.row["parent_span_id"] is None]
        relative = span.parent if node.of == "parent" else roots[-1] if roots else None
        return None if relative is None else attribute_of(n.Attribute(node.scope, node.name), relative)
    scopes = [node.scope] if node.scope else list(span.attributes)
    return next((span.attributes[scope][node.name] for scope in scopes if node.name in span.attributes[scope]), None)


def intrinsic_of(name: str, span: Span) -> Value:
    row, trace = span.row, span.trace
    roots = [other for other in trace if other.row["parent_span_id"] is None]
    match name:
        case "duration":
            return "duration", row["duration"]
        case "name":
            return "string", row["name"]
        case "status":
            return "status", row["status_code"]
        case "kind":
            return "kind", row["kind"]
        case "span:childCount":
            return "int", len(span.children) if roots else 0
        case "nestedSetParent":
            if not span.rooted:
                return "int", 0
            return "int", -1 if span.parent is None else numbers(trace)[id(span.parent)][0]
        case "nestedSetLeft":
            return "int", numbers(trace).get(id(span), (0, 0))[0]
        case "nestedSetRight":
            return "int", numbers(trace).get(id(span), (0, 0))[1]
        case "traceDuration":
            ends = max(other.row["start_time"] + other.row["duration"] for other in trace)
            return "duration", ends - min(other.row["start_time"] for other in trace)
        case "rootName":
            return "string", roots[-1].row["name"] if roots else ""
        case "rootServiceName":
            return "string", roots[-1].row["service_name"] if roots else ""
    raise AssertionError(name)


def numbers(trace: list[Span]) -> dict[int, tuple[int, int]]:
    """Walk each root's tree with one counter from 1."""
    counter = itertools.count(1)
    found: dict[int, tuple[int, int]] = {}

    def walk(span: Span) -> None:
        left = next(counter)
        for child in sorted(span.children, key=lambda child: child.row["tree_left"]):
            walk(child)
        found[id(span)] = left, next(counter)

    for span in trace:
        if span.row["parent_span_id"] is None:
            walk(span)
    return found


def compare(operator: str, left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    (a, x), (b, y) = left, right
    if operator in ("=~", "!~"):
        if a != "string" or b != "string":
            return False
        return (re.fullmatch(y, x, re.DOTALL) is not None) == (operator == "=~")
    if a != b and not (a in NUMBERS and b in NUMBERS):
        return False
    if operator in EQUALITY:
        return bool(EQUALITY[operator](x, y))
    if a not in (*NUMBERS, "string"):
        return False
    return bool(ORDERING[operator](x, y))


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    if left is None or right is None or left[0] not in NUMBERS or right[0] not in NUMBERS:
        return "bool", False
    (a, x), (b, y) = left, right
    if a == b == "int":
        if operator in "/%" and y == 0:
            raise DivisionByZeroError
        quotient = math.trunc(x / y) if y else 0
        results = {"+": x + y, "-": x - y, "*": x * y, "/": quotient, "%": x - quotient * y}
        return "int", int(math.pow(x, y)) if operator == "^" else results[operator]
    x, y = float(x), float(y)
    match operator:
        case "/":
            return "float", x / y if y else math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x)
        case "%":
            return "float", math.fmod(x, y) if y else math.nan
        case "^":
            return "float", math.pow(x, y)
    return "float", {"+": x + y, "-": x - y, "*": x * y}[operator]
