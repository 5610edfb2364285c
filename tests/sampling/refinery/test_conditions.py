"""Conditions: the truth of each operator and datatype by hand, and thousands of pairs against Refinery itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from tracelab.errors import QueryWarning
from tracelab.sampling.refinery import samplers as s
from tracelab.sampling.refinery.conditions import meets
from tracelab.sampling.refinery.rules import refinery_rules
from tracelab.sampling.refinery.values import BOOL, FLOAT, INT, TEXT, Values, first_of
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from tests.sampling.refinery.conftest import Ask

NAN = float("nan")
FIELD_VALUES: list[Any] = [
    None, "", "5", "05", "+5", "-7", "5.0", "5.5", "1e3", "abc", "abd", "ab", "true", "True", "1", "t", "false", "yes",
    "<nil>", "inf", "nan", " 5", "9223372036854775808", "1e400", "grün",
    5, 0, 1, -7, 9223372036854775807, 5.0, 5.5, -7.5, 0.00001, 1e21, NAN, float("inf"), True, False,
]  # fmt: skip
WANTED: list[Any] = [
    None, "", "5", "5.5", "abc", "ab", "true", "yes", "<nil>", "1e3", "1", 5, -7, 0, 1, 5.0, 5.5, -7.5, True, False,
]  # fmt: skip
OLD_OPERATORS = [operator for operator in s.OPERATORS if operator not in (s.HAS_ROOT, s.MATCHES, s.IN, s.NOT_IN)]


def values(*found: Any) -> Values:
    """A field with these values, one per event; None is an event without it."""
    kinds: tuple[tuple[str, type, pl.DataType], ...] = (
        (TEXT, str, pl.String()), (INT, int, pl.Int64()), (FLOAT, float, pl.Float64()), (BOOL, bool, pl.Boolean()),
    )  # fmt: skip
    columns = [
        Values.of(kind, pl.Series([value if type(value) is python else None for value in found], dtype=dtype))
        for kind, python, dtype in kinds
    ]
    return first_of(len(found), columns)


def met(operator: str, value: Any, *found: Any, datatype: str | None = None) -> list[bool]:
    return list(meets(values(*found), s.Condition(("field",), operator, value, datatype)).tolist())


@pytest.mark.parametrize(
    ("operator", "value", "datatype", "met_by", "not_met_by"),
    [
        ("=", "a", None, ["a"], ["b", "A", 1, True, None]),
        ("=", 5, None, [5, 5.0], [5.5, "5", True, None]),
        ("=", 5.0, None, [5, 5.0], ["5", None]),
        ("=", True, None, [True], [False, "true", 1, None]),
        ("!=", "a", None, ["b", ""], ["a", 1, True, None]),
        ("!=", 5, None, [4, 5.5], [5, 5.0, "4", None]),
        (">", 5, None, [6, 5.1], [5, "6", True, None]),
        (">=", 5, None, [5, 5.0, 6], [4, "5", None]),
        ("<", "b", None, ["a", "B", ""], ["b", 1, None]),
        ("<=", 5.5, None, [5, 5.5], [6, "5", None]),
        (">", None, None, ["a", 0, False], [None]),
        ("=", "5", "string", ["5", 5, 5.0], ["5.0", 5.5, None]),
        ("!=", "5", "string", ["x", None], [5, "5"]),
        ("<", "10", "string", ["1", "09"], ["2", 2]),
        ("=", 5, "int", [5, 5.9, "5", "+5"], ["5.0", " 5", True, "x", None]),
        (">", "5", "int", [6, "6", 6.1], [5, 5.9, None]),
        ("=", 5.5, "float", [5.5, "5.5", "55e-1"], [5, True, None]),
        (">=", 5, "float", [5, "5", "inf", 5.5], [4.9, "nan", "x", None]),
        ("=", True, "bool", [True, "true", "T", 1, "1", 1.0], [False, "yes", 2, None]),
        ("!=", True, "bool", [False, "yes", 2], [True, "1", None]),
        ("starts-with", "ab", None, ["ab", "abc"], ["cab", None]),
        ("starts-with", 5, None, [5, 55, 5.5, "5x"], [4, None]),
        ("contains", "nil", None, [None, "vanilla"], ["x"]),
        ("does-not-contain", "a", None, ["b", 1, None], ["a", "bab"]),
        ("exists", None, None, ["", 0, False], [None]),
        ("not-exists", None, None, [None], ["", 0, False]),
        ("matches", r"^a\d+$", None, ["a1", "a12"], ["xa1", "a", None]),
        ("matches", "5", None, [5, 1.5, "15"], [4, None]),
        ("in", ["a", 5, True], None, ["a", "5", 5, 5.0, "true", True], ["b", 5.5, None]),
        ("in", "a", None, ["a"], ["b", None]),
        ("not-in", ["a"], None, ["b", 1, None], ["a"]),
        ("in", [5, "6"], "int", [5, "5", 6, 6.9], [7, "x", None]),
        ("not-in", [5], "int", [7, "x", None], [5, "5", 5.5]),
        ("in", [5.5, "6"], "float", [5.5, "5.5", 6], [5, None]),
    ],
)  # fmt: skip
def test_operators_and_datatypes(
    operator: str, value: Any, datatype: str | None, met_by: list[Any], not_met_by: list[Any]
) -> None:
    assert met(operator, value, *met_by, datatype=datatype) == [True] * len(met_by)
    assert met(operator, value, *not_met_by, datatype=datatype) == [False] * len(not_met_by)


def test_a_number_that_is_none_is_neither_less_nor_more() -> None:
    assert met("=", 5, NAN) == met(">=", 5, NAN) == [True]
    assert met("!=", 5, NAN) == met("<", 5, NAN) == [False]
    assert met("=", 5, NAN, datatype="float") == [False]


def test_what_refinery_cannot_test_is_never_met() -> None:
    assert met("matches", "(", "(") == [False]
    assert met("in", True, True) == met("not-in", True, "x") == met("in", None, None) == [False]


def typed(value: Any) -> dict[str, Any]:
    kinds = {str: "text", int: "int", float: "float", bool: "bool"}
    return {} if value is None else {kinds[type(value)]: value}


def test_conditions_are_met_by_what_meets_them_in_refinery(ask_refinery: Ask) -> None:
    """Every operator of Refinery 1.21 with every datatype, on every pair of values that JSON can carry to it."""
    found = [value for value in FIELD_VALUES if not (isinstance(value, float) and not np.isfinite(value))]
    cases = [
        (operator, wanted, datatype)
        for operator in OLD_OPERATORS
        for wanted in WANTED
        for datatype in (*s.DATATYPES, None)
    ]
    told = ask_refinery(
        {
            "rules": [
                {"conditions": [{"field": "f", "operator": o, "value": typed(w), "datatype": d or ""}]}
                for o, w, d in cases
            ],
            "traces": [[{"f": typed(value)} if value is not None else {}] for value in found],
        }
    )["matches"]
    differing = [
        (operator, wanted, datatype, value)
        for (operator, wanted, datatype), real in zip(cases, told, strict=True)
        for value, ours, theirs in zip(found, met(operator, wanted, *found, datatype=datatype), real, strict=True)
        if ours != theirs and not changed_since(operator, datatype, value)
    ]
    assert differing == []


def changed_since(operator: str, datatype: str | None, value: Any) -> bool:
    """Say where version 2 differs from 1.21: texts of missing fields, `>=` of texts, and booleans that are not true."""
    if datatype == "string" and operator in s.COMPARISONS:
        return value is None or operator == ">="
    return datatype == "bool" and operator in ("=", "!=") and value not in ("1", "t", "true", "True", True, 1, 1.0)


RULE = """
RulesVersion: 2
Samplers:
  __default__:
    RulesBasedSampler:
      Rules:
        - Name: asked
          SampleRate: 1
          Scope: {scope}
          Conditions: {conditions}
"""


def matched(spans: pl.DataFrame, conditions: str, scope: str = "trace") -> list[bool]:
    rules = refinery_rules(RULE.format(scope=scope, conditions=conditions))
    return rules.decisions(spans)["policy"].is_not_null().to_list()


def test_in_the_scope_of_a_trace_each_condition_may_be_met_by_another_span() -> None:
    spans = draw("""
        api ===== a=1
          db .=== b=2

        api ===== a=1 b=2
    """)
    both = "[{Field: a, Operator: '=', Value: 1}, {Field: b, Operator: '=', Value: 2}]"
    assert matched(spans, both) == [True, True]
    assert matched(spans, both, "span") == [False, True]


def test_a_negative_condition_is_met_by_any_span_of_a_trace() -> None:
    spans = draw("""
        api =====
          db .=== a=1
    """)
    assert matched(spans, "[{Field: a, Operator: '!=', Value: 2}]") == [True]
    assert matched(spans, "[{Field: a, Operator: not-exists}]") == [True]
    assert matched(spans, "[{Field: a, Operator: exists}, {Field: a, Operator: not-exists}]", "span") == [False]


def test_the_first_field_that_an_event_has_counts() -> None:
    spans = draw("api == a=1 b=2")
    assert matched(spans, "[{Fields: [a, b], Operator: '=', Value: 2}]") == [False]
    assert matched(spans, "[{Fields: [c, b, a], Operator: '=', Value: 2}]") == [True]


def test_a_field_of_the_root_is_one_of_every_span() -> None:
    spans = draw("""
        api ===== a=1
          db .=== b=2
    """)
    pair = "[{Field: root.a, Operator: '=', Value: 1}, {Field: b, Operator: '=', Value: 2}]"
    assert matched(spans, pair, "span") == [True]
    assert matched(spans, "[{Field: root.b, Operator: exists}]") == [False]
    assert matched(spans, "[{Fields: [root.b, b], Operator: '=', Value: 2}]") == [True]


def test_of_several_roots_the_last_that_arrives_counts() -> None:
    spans = draw("""
        api ===== a=1

        api === a=2
    """).with_columns(trace_id=pl.lit("a" * 32))
    assert matched(spans, "[{Field: root.a, Operator: '=', Value: 2}]") == [True]
    assert matched(spans, "[{Field: root.a, Operator: '=', Value: 1}]") == [False]


def test_a_trace_without_a_root_is_told() -> None:
    spans = draw("""
        api
          db .=== a=1

        api ===
    """)
    assert matched(spans, "[{Operator: has-root-span, Value: false}]") == [True, False]
    assert matched(spans, "[{Operator: has-root-span, Value: true}]") == [False, True]
    assert matched(spans, "[{Field: root.a, Operator: exists}]") == [False, False]
    with pytest.warns(QueryWarning, match="never met"):
        assert matched(spans, "[{Operator: has-root-span, Value: true}]", "span") == [False, False]


def test_descendants_are_all_events_of_a_trace() -> None:
    spans = draw("""
        api =====
          db .===

        api ===
    """)
    counted = "[{Field: '?.NUM_DESCENDANTS', Operator: '>', Value: 1, Datatype: int}]"
    assert matched(spans, counted) == [True, False]
    event = [{"time": spans["start_time"][2], "name": "e", "attributes": None}]
    more = spans.with_columns(events=pl.Series([[], [], event], dtype=spans.schema["events"]))
    assert matched(more, counted) == [True, True]


def test_a_rule_without_conditions_matches_all() -> None:
    assert matched(draw("api =="), "[]") == matched(draw("api =="), "[]", "span") == [True]
