from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

import tracelab.sampling.ottl as room
from tests.sampling.ottl.asking import ours
from tracelab import conform
from tracelab.errors import PolicyError
from tracelab.sampling.ottl import Conditions, history
from tracelab.sampling.ottl.converters.all import CONVERTERS
from tracelab.sampling.ottl.converters.registry import EXPERIMENTAL
from tracelab.synthetic import draw

SHOP = """
    web::GET /pay    ==========  kind=server http.response.status_code=503 retries=2
      bank::charge   ..======!   amount=2.5 vip=true
      db::SELECT     .==         db.query.text="select 1"
"""


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ('attributes["http.response.status_code"] >= 500', [True, False, False]),
        ('attributes["http.response.status_code"] < 500', [False, False, False]),
        ('attributes["http.response.status_code"] != 200', [True, True, True]),
        ('attributes["http.response.status_code"] == "503"', [False, False, False]),
        ("status.code == STATUS_CODE_ERROR", [False, True, False]),
        ("kind == SPAN_KIND_SERVER and IsRootSpan()", [True, False, False]),
        ('end_time - start_time > Duration("5ms")', [True, True, False]),
        ('IsMatch(name, "^(GET|POST) /")', [True, False, False]),
        ('resource.attributes["service.name"] == "bank"', [False, True, False]),
        ('attributes["vip"] == true or attributes["retries"] == 2', [True, True, False]),
        ('not (attributes["amount"] == nil)', [False, True, False]),
        ('Len(attributes["db.query.text"]) == 8', None),
        ("Len(attributes) == 2", [True, True, False]),
        ('attributes["amount"] * 2 == 5', None),
        ('attributes["retries"] / 2 == 1 and true', None),
        ("span.name == name", [True, True, True]),
        ('Concat([name, "x"], "-") == "charge-x"', [False, True, False]),
        ('trace_id == TraceID("00000000000000000000000000000001")', [True, True, True]),
    ],
)
def test_a_condition_holds_on_these_spans(text: str, answers: list[bool] | None) -> None:
    found = Conditions([text]).evaluate(draw(SHOP))
    if answers is None:
        # Some spans have no such attribute, with which converters and sums fail.
        assert found["error"].null_count() == 1
        assert found["matches"].drop_nulls().to_list() == [True]
    else:
        assert found["matches"].to_list() == answers
        assert found["error"].null_count() == found.height


def test_the_first_condition_that_holds_or_fails_settles_it() -> None:
    spans = draw(SHOP)
    fails = "Int(name) == 1"
    holds = 'name == "charge"'
    assert Conditions([holds, fails]).evaluate(spans)["matches"].to_list() == [None, True, None]
    assert Conditions([fails, holds]).evaluate(spans)["matches"].to_list() == [None, None, None]
    assert Conditions([fails, holds]).evaluate(spans)["error"].null_count() == 0


@pytest.mark.parametrize("mode", ["ignore", "silent"])
def test_a_condition_that_fails_is_passed_over_where_that_is_asked_for(mode: str) -> None:
    found = Conditions(["Int(name) == 1", 'name == "charge"'], error_mode=mode).evaluate(draw(SHOP))
    assert found["matches"].to_list() == [False, True, False]
    assert found["error"].null_count() == 3


def test_no_condition_holds_nowhere() -> None:
    assert Conditions([]).evaluate(draw(SHOP)).rows() == [(False, None)] * 3
    assert Conditions([]).evaluate(draw(SHOP).clear()).rows() == []


@pytest.mark.parametrize("text", ['name == "x"', "Len(attributes) == 1", 'IsMatch(attributes["k"], "x")', "1 / 0 == 1"])
def test_a_frame_without_rows_has_no_answers(text: str) -> None:
    for context in ("span", "spanevent"):
        assert Conditions([text], context).evaluate(draw(SHOP).clear()).height == 0


def _with_events(*events: list[dict[str, Any]]) -> pl.DataFrame:
    """Draw spans with these events, each a name and perhaps attributes."""
    spans = draw("\n".join(f"api{place} ===" for place in range(len(events))))
    start = spans["start_time"][0]
    items = [[{"time": start, "attributes": {}, **each} for each in one] for one in events]
    return spans.with_columns(pl.Series("events", items, dtype=spans.schema["events"]))


def test_one_event_is_enough() -> None:
    spans = _with_events([{"name": "a"}, {"name": "b"}], [], [{"name": "b"}])
    assert Conditions(['name == "b"'], "spanevent").evaluate(spans)["matches"].to_list() == [True, False, True]
    assert Conditions(['span.name == "api0"'], "spanevent").evaluate(spans)["matches"].to_list() == [True, False, False]


def test_the_first_event_that_holds_or_fails_settles_it() -> None:
    spans = _with_events([{"name": "1"}, {"name": "x"}], [{"name": "x"}, {"name": "1"}], [{"name": "2"}])
    found = Conditions(["Int(name) == 1"], "spanevent").evaluate(spans)
    assert found["matches"].to_list() == [True, None, False]
    assert found["error"].is_not_null().to_list() == [False, True, False]


def test_an_event_attribute_that_may_have_been_a_number_is_unknown() -> None:
    noted = [{"name": "a", "attributes": {"n": text}} for text in ("500", "slow")]
    spans = _with_events([noted[0]], [noted[1]], [{"name": "a"}])
    assert ours(spans, 'attributes["n"] == 500', "spanevent") == ["unknown", "false", "false"]
    assert ours(spans, 'attributes["n"] == "slow"', "spanevent") == ["unknown", "true", "false"]
    assert ours(spans, 'attributes["n"] == 500 or name == "a"', "spanevent") == ["true", "true", "true"]


def test_what_a_frame_does_not_hold_is_unknown_only_where_it_matters() -> None:
    conditions = Conditions(['dropped_events_count > 0 and name == "charge"'])
    assert conditions.unreplayable == (
        "`dropped_events_count`: a span frame does not hold how many events were dropped",
    )
    assert conditions.evaluate(draw(SHOP))["matches"].to_list() == [False, None, False]
    assert ours(draw(SHOP), 'Now() > start_time or name == "charge"') == ["unknown", "true", "unknown"]
    assert ours(draw(SHOP), 'not (schema_url == "" or false)'.replace("schema", "resource.schema")) == ["unknown"] * 3
    # What comes after what is unknown may fail, or not be reached.
    assert ours(draw(SHOP), "flags == 0 and (Now() > start_time or Int(name) == 1)") == ["unknown"] * 3


def test_ids_that_a_collector_would_not_have_are_unknown() -> None:
    spans = draw("api ==").with_columns(trace_id=pl.lit("018f-not-hex"))
    assert ours(spans, 'trace_id.string == "0"') == ["unknown"]
    assert ours(spans, "trace_id == nil") == ["unknown"]
    half = draw("api ==").with_columns(trace_id=pl.lit("00000000000000aa"))
    assert ours(half, 'trace_id.string == "000000000000000000000000000000aa"') == ["true"]


@pytest.mark.parametrize(
    ("values", "text", "answers"),
    [
        (pl.Series([1, 2], dtype=pl.Int64), 'attributes["k"] + 1 == 3', ["false", "true"]),
        (pl.Series([2**63 - 1, 0]), 'attributes["k"] + 1 < 0', ["true", "false"]),
        (pl.Series([float("nan"), 1.0]), 'attributes["k"] == attributes["k"]', ["false", "true"]),
        (pl.Series([float("nan"), 1.0]), 'attributes["k"] > 0.5', ["false", "true"]),
        (pl.Series([True, None]), 'attributes["k"] > false', ["true", "false"]),
        (pl.Series([[1, 2], None]), 'attributes["k"] == [1, 2]', ["true", "false"]),
        (pl.Series([["a"], []]), 'Len(attributes["k"]) == 0', ["false", "true"]),
        (pl.Series(["é", "z"]), 'attributes["k"] > "z"', ["true", "false"]),
    ],
)
def test_attributes_of_every_dtype_are_values(values: pl.Series, text: str, answers: list[str]) -> None:
    spans = draw("a ==\nb ==").with_columns(values.alias("span.k"))
    assert ours(conform(spans), text) == answers


def test_a_mix_is_read_by_the_types_beside_it_and_what_is_broken_is_unknown() -> None:
    kinds = ["int", "double", "bool", "bytes", "array", "kvlist", None, "array", "bytes"]
    texts = ["7", "7.5", "true", "AQI=", "[7]", '{"a": 7}', "7", "[" * 100_000, "no base64"]
    spans = draw("\n".join(f"s{place} ==" for place in range(len(kinds))))
    spans = conform(spans.with_columns(pl.Series("span.k", texts), pl.Series("span.k:type", kinds)))
    answers = {
        'attributes["k"] == 7': 0, 'attributes["k"] == 7.5': 1, 'attributes["k"] == true': 2,
        'attributes["k"] == 0x0102': 3, 'attributes["k"] == [7]': 4, 'attributes["k"] == {"a": 7}': 5,
        'attributes["k"] == "7"': 6,
    }  # fmt: skip
    for text, place in answers.items():
        expected = ["false"] * 7 + ["unknown"] * 2
        expected[place] = "true"
        assert ours(spans, text) == expected, text


def test_attributes_without_a_column_are_found_with_their_types() -> None:
    spans = draw("a ==\nb ==\nc ==")
    more = [{"span.k": "5", "span.k:type": "int", "resource.r": "x"}, {"span.k": "5"}, None]
    spans = spans.with_columns(pl.Series("more_attributes", more, dtype=spans.schema["more_attributes"]))
    assert ours(spans, 'attributes["k"] == 5') == ["true", "false", "false"]
    assert ours(spans, 'attributes["k"] == "5"') == ["false", "true", "false"]
    assert ours(spans, "Len(attributes) == 1") == ["true", "true", "false"]
    assert ours(spans, 'attributes == {"k": 5}') == ["true", "false", "false"]
    assert ours(spans, 'resource.attributes["r"] == "x"') == ["true", "false", "false"]
    assert ours(spans, 'attributes["k:type"] == nil') == ["true", "true", "true"]


def test_a_service_that_nobody_named_is_nil() -> None:
    spans = draw("api ==").with_columns(service_name=pl.lit("unknown_service"))
    assert ours(spans, 'resource.attributes["service.name"] == nil') == ["true"]
    assert ours(spans, "Len(resource.attributes) == 0") == ["true"]


def test_a_test_that_is_true_or_false_nowhere_may_be_joined_to_another() -> None:
    spans = draw("\n".join(f"s{place} ==" for place in range(8))).with_columns(pl.Series("span.c", ["x", *[None] * 7]))
    never = 'Now() < HasPrefix(attributes["c"], "x")'  # unknown, and where there is no text it fails
    assert ours(spans, f'{never} or span_id.string < "0"') == ["unknown", *["error"] * 7]
    assert ours(spans, f'{never} or name == "s0"') == ["true", *["error"] * 7]


def test_converters_that_cannot_be_replayed_fail_on_values_that_they_do_not_take() -> None:
    spans = draw("api == a=x")
    assert ours(spans, 'ToKeyValueString(status.code) == "1" or name == "api"') == ["error"]
    assert ours(spans, 'ToKeyValueString(attributes) == "1" or name == "api"') == ["true"]
    assert ours(spans, 'ParseXML(attributes["none"]) == {}') == ["error"]
    assert ours(spans, 'ParseXML(attributes["a"]) == {}') == ["unknown"]


def test_parts_that_nothing_settled_are_answered_on_few_rows_as_on_all() -> None:
    spans = draw("\n".join(f"s{place} == n={place}" for place in range(40)))
    for word, first in (("and", '"s7"'), ("or", '"s7"')):
        for negated in ("", "not "):
            text = f'{negated}name == {first} {word} (ToUpperCase(name) == "S7" {word} Int(name) == 1)'
            rows = [ours(spans[place], text)[0] for place in range(spans.height)]
            assert ours(spans, text) == rows


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"texts": "name == 1"}, "a list of texts"),
        ({"texts": [5]}, "is a text such as"),
        ({"texts": ["name == 1"], "context": "log"}, "span or spanevent"),
        ({"texts": ["name == 1"], "error_mode": "never"}, "propagate, ignore, silent"),
    ],
)
def test_conditions_that_are_none_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(words)):
        Conditions(**given)


def test_the_room_lists_every_converter_once() -> None:
    listed = re.findall(r"`([A-Z]\w+)`", (room.__doc__ or "").partition("What else is unknown")[0])
    listed.remove("Conditions")
    listed.remove("PolicyError")
    assert sorted(listed) == sorted([*CONVERTERS, *EXPERIMENTAL])


def test_what_came_later_is_known_today() -> None:
    assert history.CONVERTERS.keys() <= CONVERTERS.keys()
    for table in (history.ADDED, history.LEFT_OUT, history.OPENED):
        for name, parameter in table:
            assert parameter in [each.name for each in CONVERTERS[name].parameters]
