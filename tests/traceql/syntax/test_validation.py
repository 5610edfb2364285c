from __future__ import annotations

import pytest

from tracelab.errors import QueryTypeError
from tracelab.traceql import parse, validate


@pytest.mark.parametrize(
    "text",
    [
        "{ .a }",
        "{ .a + .b }",
        "{ !.a }",
        "{ -.a = 2 }",
        "{ .a = 2 }",
        "{ `x` =~ `y` }",
        "{ 1 < 1h }",
        "{ .a > `200` }",
        "{ name > `a` && name <= `b` }",
        "{ status = ok }",
        "{ status != nil }",
        "{ duration > 100 }",
        "{ span:id = `1` }",
        "{ parent = nil }",
        "{ parent != nil && parent.x = 1 }",
        "{ root.http.route = `/` }",
        "{ event:name = `x` }",
        "{ instrumentation:name = 3 }",
        "{ .a = nil }",
        "{ 1 / 0 = 2 }",
        "{ 1 + 1.5 * 2s > duration }",
        "max(duration) > 1",
        "1 < count()",
        "min(.a) < max(.b)",
        "count() + 1 > 2",
        "max(1 - (2 + .a)) < avg(3 * duration)",
        "({ .a } | count()) > ({ .b } | count())",
        "{} | by(1 + .a)",
        "{} | rate() by (.a, .b, .c, .d, .e)",
        "{} | quantile_over_time(duration, 0, 1) by (.a, .b, .c, .d)",
        "{} | rate() > 10s",
        "{} | compare({ .a }, 1000, 1, 2)",
        "({} | rate()) * 2 / ({} | count_over_time())",
    ],
)
def test_validate_lets_pass(text: str) -> None:
    validate(text)


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("{ status }", "must be true or false", 2),
        ("{ 1 + 1 }", "must be true or false", 2),
        ("{ `foo` }", "must be true or false", 2),
        ("{ 1 = `foo` }", "cannot compare an int and a text", 4),
        ("{ status > ok }", "does not work on a status", 9),
        ("{ kind < consumer }", "does not work on a kind", 7),
        ("{ status = 2 }", "takes ok, error or unset", 9),
        ("{ status = `error` }", "without quotes", 9),
        ("{ duration > `2s` }", "a duration without quotes", 11),
        ("{ rootName != 3.2 }", "cannot compare", 11),
        ("{ true && 1.1 }", "cannot combine", 7),
        ("{ 1 + `foo` = 1 }", "cannot combine", 4),
        ("{ .a =~ 2 }", "does not work on an int", 5),
        ("{ .a =~ .b }", "needs a text in quotes", 8),
        ("{ .a =~ `[` }", "no regular expression", 8),
        ("{ .a !~ `(?=x)` }", "no regular expression", 8),
        ("{ .a =~ `((a{900}){900}){900}` }", "no regular expression", 8),
        ("{ -true }", "cannot stand before", 2),
        ("{ !1 = 1 }", "cannot stand before", 2),
        ("{ -name = `x` }", "cannot stand before", 2),
        ("{ name = nil }", "never nil", 2),
        ("{ resource.service.name = nil }", "never nil", 2),
        ("{ parent }", "is a span", 2),
        ("{ 1 >= parent }", "is a span", 7),
        ("min(1 = 3) = 1", "something of the spans", 4),
        ("sum(3) = 2", "something of the spans", 4),
        ("max(name) > 2", "needs numbers or durations", 4),
        ("{} | by(1)", "something of the spans", 8),
        ("{} | rate() by (.a, .b, .c, .d, .e, .f)", "5 attributes at most", 36),
        ("{} | avg_over_time(.x) by (.a, .b, .c, .d, .e)", "4 attributes at most", 43),
        ("{} | quantile_over_time(duration, 1.1)", "between 0 and 1", 5),
        ("{} | rate() | topk(0)", "at least 1", 14),
        ("{} | compare({ .a }, 0)", "from 1 to 1000", 5),
        ("{} | compare({ .a }, 10, 5, 4)", "a start and an end", 5),
        ("{} | compare({ .a }) > 2", "nothing can follow", 21),
        ("({} | compare({ .a })) + 1", "cannot take part", 6),
        ("{} | rate() > 10s * 2", "cannot be calculated", 14),
        ("count() > 1 / 0", "division by zero", 12),
    ],
)
def test_validate_refuses_and_shows_the_place(text: str, words: str, place: int) -> None:
    with pytest.raises(QueryTypeError) as caught:
        validate(parse(text))
    assert words in str(caught.value)
    assert caught.value.position == place
