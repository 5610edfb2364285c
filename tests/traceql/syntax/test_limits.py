from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.effort import calls_of
from tests.traceql.shop import EVENTFUL, SHOP, names
from tracelab.errors import QueryError
from tracelab.traceql import explain, gap, parse, query, query_metrics, search, validate

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")


def alternatives(condition: str, count: int, sign: str = "||") -> str:
    return "{ " + f" {sign} ".join(condition.format(number) for number in range(count)) + " }"


TOO_LARGE = {
    "sums": "{ span.retries" + " + 1" * 5_000 + " > 1 }",
    "divisions": "{ span.retries" + " / 1" * 5_000 + " > 1 }",
    "comparisons in a row": "{ .a" + " = .b" * 5_000 + " }",
    "turns of && and ||": "{ span.retries > 1" + " || name = `a` && span.retries > 2" * 3_000 + " }",
    "comparisons": alternatives("span.retries > {}", 5_000),
    "names": alternatives("span.a{} = `x`", 5_000),
    "names without a scope": alternatives(".a{} = `x`", 5_000),
    "names of events": alternatives("event.a{} = `x`", 5_000, "&&"),
    "patterns": alternatives("name =~ `a{}.*`", 5_000),
    "groups": "{ " + " || ".join(f"({alternatives('.a{} > 1', 500, '&&')[2:-2]})" for _ in range(10)) + " }",
    "sums of aggregates": "count()" + " + max(duration)" * 5_000 + " > 1",
    "stages": "{ }" + " | { .a > 1 }" * 5_000,
    "groupings": "{ }" + " | by(name)" * 5_000,
    "spansets": "{ }" + " >> { }" * 5_000,
    "alternative spansets": "{ .a }" + " || { .b }" * 5_000,
    "selected fields": "{ } | select(" + ", ".join(f".a{number}" for number in range(5_000)) + ")",
    "quantiles": "{ } | quantile_over_time(duration" + ", 0.5" * 5_000 + ")",
    "ranks": "{ } | rate() by (name)" + " | topk(3)" * 5_000,
    "thresholds": "{ } | rate()" + " > 0" * 5_000,
    "metrics": "({ } | rate())" + " + ({ } | rate())" * 5_000,
    "numbers beside a metric": "({ } | rate())" + " + 1" * 5_000,
    "parentheses": "{ " + "(" * 5_000 + ".a" + ")" * 5_000 + " }",
    "parentheses around spans": "(" * 5_000 + "{ }" + ")" * 5_000,
    "denials": "{ " + "!" * 5_000 + ".a }",
    "signs": "{ " + "-" * 5_000 + ".a > 1 }",
    "signs of a number": "count() > " + "-" * 5_000 + "1",
    "powers": "{ .a" + " ^ 2" * 5_000 + " > 1 }",
    "every level": "{ " + ".a || .b = 1 + 2 * .c ^ (" * 99 + ".a" + ")" * 99 + " }",
    "repetitions in a pattern": "{ name =~ `" + "a{1000}" * 5_000 + "` }",
    "groups in a pattern": "{ name =~ `" + "(" * 5_000 + "a" + ")" * 5_000 + "` }",
    "characters": "{ name = `" + "a" * 200_000 + "` }",
    "dots": "{ .a = " + "1." * 20_000 + " }",
    "quotes that are never closed": '{ name = "' + '\\"' * 50_000,
}


MOST_CALLS_PER_CHARACTER = 40
"""What reading a text costs at most, however it is nested: one call per sign of `- - - 1` takes 26."""


@pytest.mark.parametrize("text", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_query_that_is_too_large_is_refused(text: str) -> None:
    asked: list[Callable[[], object]] = [
        lambda: validate(text),
        lambda: query(SHOP, text),
        lambda: search(SHOP, text),
        lambda: query_metrics(SHOP, text),
        lambda: explain(text),
        lambda: gap(SHOP, "{ }", text),
    ]
    for ask in asked:
        with pytest.raises(QueryError) as caught:
            ask()
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", TOO_LARGE.values(), ids=TOO_LARGE)
def test_to_refuse_it_takes_no_more_than_to_read_it(text: str) -> None:
    def refused() -> None:
        with pytest.raises(QueryError):
            query(SHOP, text)

    assert calls_of(refused) < MOST_CALLS_PER_CHARACTER * len(text) + 10_000


def test_a_chain_of_runs_tells_what_it_counts_and_where() -> None:
    with pytest.raises(QueryError, match="chains 5,000 operations, 1,000 are the most") as caught:
        validate(TOO_LARGE["names"])
    assert caught.value.position == 2
    with pytest.raises(QueryError, match="more than 300 regular expressions"):
        validate(alternatives("name =~ `a{}.*`", 301))
    with pytest.raises(QueryError, match="more than 2,500 conditions"):
        validate(TOO_LARGE["groups"])


IN_ORDER = ["GET /pay", "render", "charge", "DELETE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (alternatives("span.retries = {}", 5_000), IN_ORDER),
        (alternatives("span.retries = {}", 5_000) + " >> { }", ["render", "SELECT", "charge", "log"]),
        (alternatives("span.retries > {}", 1_000), ["GET /pay", "charge", "DELETE"]),
        (alternatives("(span.retries > {0} && duration > {0}ms)", 1_000), ["GET /pay", "charge", "DELETE"]),
        (alternatives("span.a{} = `x`", 999)[:-2] + " || name = `log` }", ["log"]),
        (alternatives(".a{} = `x`", 999)[:-2] + " || name = `log` }", ["log"]),
        (alternatives("name != `a{}`", 1_000, "&&"), SHOP["name"].to_list()),
        (alternatives("name =~ `lo{}|log`", 300), ["log"]),
        ("{ span.retries" + " + 1" * 300 + " > 306 }", ["charge"]),
        ("{ span.retries" + " / 1 * 1" * 150 + " > 6 }", ["charge"]),
        ("{ }" + " | { span.retries > 1 }" * 299, ["GET /pay", "charge", "DELETE"]),
        ("{ " + "!" * 98 + "span.slow }", ["GET /pay"]),
        ("{ " + "(" * 98 + "span.slow" + ")" * 98 + " }", ["GET /pay"]),
        (
            "{ " + "span.retries > 1 && (name = `x` || (" * 45 + "span.slow" + "))" * 45 + " }",
            ["GET /pay"],
        ),
        ("{ name = `log` } || (" * 60 + "{ span.slow }" + ")" * 60, ["GET /pay", "log"]),
    ],
)
def test_what_a_program_writes_for_a_person_is_answered(text: str, expected: list[str]) -> None:
    assert query(SHOP, text)["name"].to_list() == expected
    assert calls_of(lambda: query(SHOP, text)) < 3_000_000


def test_a_list_of_ids_is_answered() -> None:
    ids = SHOP["span_id"].to_list()
    others = [f"{number:016x}" for number in range(2_000, 3_000)]
    text = "{ " + " || ".join(f'span:id = "{one}"' for one in [*others, *ids[:3]]) + " }"
    assert names(text) == SHOP["name"].to_list()[:3]


def test_alternatives_about_events_are_those_of_each() -> None:
    conditions = ["event.type = `Key`", "event.code = `9`", "event.nope = nil", "event.type != `Key`", "link.why = `x`"]
    conditions += ["event:timeSinceStart > 1ms", "name = `c`", "event.code = 7", "event.type"]
    for first in range(len(conditions)):
        for last in range(first + 2, len(conditions) + 1):
            chosen = conditions[first:last]
            each = [set(query(EVENTFUL, f"{{ {one} }}")["name"]) for one in chosen]
            assert set(query(EVENTFUL, f"{{ {' || '.join(chosen)} }}")["name"]) == set.union(*each)
    many = alternatives("event.a{} = `x`", 900)[:-2] + " || event.code = 9 }"
    assert query(EVENTFUL, many)["name"].to_list() == ["b"]


MIXED = SHOP.drop("span.retries").with_columns(
    more_attributes=pl.Series(
        [
            [
                {"key": "span.m", "value": "2"},
                {"key": "span.m:type", "value": "int" if row % 2 else "double"},
                {"key": "span.z", "value": str(row % 3)},
                {"key": "span.z:type", "value": "int"},
            ]
            for row in range(SHOP.height)
        ]
    ).cast(SHOP.schema["more_attributes"])
)
"""Every span has `m`, 2 or 2.0, and `z`, from 0 to 2, without columns of their own."""


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{ .m" + " + .m" * 100 + " = 202 }", range(9)),
        ("{ .m" + " * 2 / 2" * 50 + " = 2 }", range(9)),
        ("{ span.z" + " / 1" * 100 + " = 2 }", (2, 5, 8)),
        ("{ span.z" + " % 100" * 100 + " = 2 }", (2, 5, 8)),
        ("{ " + "(" * 40 + ".m = 2" + ") = true" * 40 + " }", range(9)),
        (
            "{ span.z = 0 || " + " || ".join(f"{number} / .z > 99" for number in range(98, 103)) + " }",
            (0, 1, 3, 4, 6, 7),
        ),
        ("{ span.z != 0 && " + " && ".join(f"{number} / .z > 9" for number in range(19, 79)) + " }", (1, 4, 7)),
    ],
)
def test_chains_of_calculations_do_not_double_with_every_step(text: str, rows: range | tuple[int, ...]) -> None:
    assert names(text, MIXED) == [SHOP["name"][row] for row in rows]
    assert calls_of(lambda: names(text, MIXED)) < 1_000_000


def test_too_many_columns_that_the_frame_lacks_are_refused() -> None:
    text = "{ .m" + " + .m" * 290 + " > 1 }"
    with pytest.raises(QueryError, match="with_attributes"):
        query(MIXED, text)


def test_names_that_no_span_has_are_told_in_part() -> None:
    with pytest.warns(UserWarning, match="No span has") as caught:
        query(SHOP, alternatives("span.a{} = `x`", 500))
    told = [str(warning.message) for warning in caught]
    assert told[0] == "No span has `span.a0`."
    assert len(told) == 6
    assert told[-1] == "No span has `span.a5`, `span.a6`, `span.a7`, `span.a8`, `span.a9` and 490 more."


def test_no_stack_is_deep_enough_to_end_in_a_raw_error() -> None:
    def further(calls: int, ask: Callable[[], object]) -> object:
        return ask() if calls == 0 else further(calls - 1, ask)

    nested = "{ " + "span.retries > 1 && (name = `x` || (" * 45 + "span.slow" + "))" * 45 + " }"
    room = sys.getrecursionlimit() - len(inspect.stack(0))
    for left in (600, 450, 350, 250, 170, 100):
        for ask in (
            lambda: parse(nested),
            lambda: validate(nested),
            lambda: query(SHOP, nested),
            lambda: search(SHOP, nested),
            lambda: query_metrics(SHOP, f"{nested} | rate()"),
            lambda: explain(nested),
            lambda: gap(SHOP, nested, nested),
        ):
            with suppress(QueryError):
                further(room - left, ask)
    with pytest.raises(QueryError, match="nests too deeply"):
        further(room - 100, lambda: parse(nested))
