from __future__ import annotations

from typing import Any

import pytest

from tests.effort import calls_of
from tracelab.errors import QueryError, QuerySyntaxError, QueryTypeError
from tracelab.traceql import parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("{}", "{ true }"),
        ("{ duration > 1 + 2 }", "{ duration > 3 }"),
        ("{ .a || .b && .c }", "{ (.a || .b) && .c }"),
        ("{ .a && .b || .c }", "{ (.a && .b) || .c }"),
        ("{ .a = .b = .c }", "{ (.a = .b) = .c }"),
        ("{ -.a * .b = 1 }", "{ (-(.a * .b)) = 1 }"),
        ("{ -.a + .b = 1 }", "{ ((-.a) + .b) = 1 }"),
        ("{ -.a ^ 2 = 1 }", "{ (-(.a ^ 2)) = 1 }"),
        ("{ !.a + .b }", "{ (!.a) + .b }"),
        ("{ !.a * .b }", "{ !(.a * .b) }"),
        ("{ !.a = .b }", "{ (!.a) = .b }"),
        ("{ !.a && .b }", "{ (!.a) && .b }"),
        ("{ .a ^ .b ^ .c = 1 }", "{ (.a ^ (.b ^ .c)) = 1 }"),
        ("{ .a - .b - .c = 1 }", "{ ((.a - .b) - .c) = 1 }"),
        ("{ .a + .b * .c > 2 }", "{ (.a + (.b * .c)) > 2 }"),
        ("{ -1 ^ 2 = .a }", "{ -1 = .a }"),
        ("{ (-1) * .a = 1 }", "{ ((-1) * .a) = 1 }"),
        ("{ 1 = 1. }", "{ true }"),
        ("{ 2m * 2 = duration }", "{ 2.4e+11 = duration }"),
        ("{ 7 / 2 = .a }", "{ 3 = .a }"),
        ("{ -7 / 2 = .a }", "{ -3 = .a }"),
        ("{ 1 / 0 = .a }", "{ (1 / 0) = .a }"),
        ("{ .a = nil }", "{ .a = nil }"),
        ("{ nil != .a + .b }", "{ (.a + .b) != nil }"),
        ("{ nil = nil }", "{ false }"),
        ("{ nil != nil }", "{ false }"),
        ("{ minInt = .a }", "{ minInt = .a }"),
        ('{ ."a b" = "x`y" }', '{ ."a b" = "x`y" }'),
        ("{ parent.resource.a = root.b }", "{ parent.resource.a = root.b }"),
        ("{ trace:duration > 1.5h }", "{ traceDuration > 1h30m0s }"),
        ("{.a} > {.b} >> {.c}", "(({ .a }) > ({ .b })) >> ({ .c })"),
        ("{.a} || {.b} > {.c} && {.d}", "(({ .a }) || (({ .b }) > ({ .c }))) && ({ .d })"),
        ("{.a} | count() > 2 | by(.b) | coalesce()", "{ .a }|(count()) > 2|by(.b)|coalesce()"),
        ("avg(duration) > -1s", "(avg(duration)) > -1s"),
        ("2 < count()", "2 < (count())"),
        ("{} | min(.a) + max(.b) * 2 > 1 - 3", "{ true }|((min(.a)) + ((max(.b)) * 2)) > -2"),
        ("{} | count() % 2 = 0", "{ true }|((count()) % 2) = 0"),
        ("({.a} | count() > 1) && ({.b})", "({ .a }|(count()) > 1) && ({ .b })"),
        ("({.b}) && ({.a} | count() > 1)", "({ .b }) && ({ .a }|(count()) > 1)"),
        ("({.a} | count()) / ({.b} | count()) > 2", "(({ .a }|count()) / ({ .b }|count())) > 2"),
        ("{} | select(.a, name)", "{ true }|select(.a, name)"),
        ("{} | rate() by (.a, name) > 2 | topk(3)", "{ true } | rate() by (.a, name) > 2 | topk(3)"),
        ("{} | quantile_over_time(duration, .5, 1)", "{ true } | quantile_over_time(duration, 0.5, 1)"),
        ("{} | compare({status = error})", "{ true } | compare({ status = error }, 10)"),
        ("({} | rate()) / ({} | rate()) > 1ms", "({ true } | rate()) / ({ true } | rate()) > 1ms"),
        ("2 * ({} | rate() | topk(2))", "2 * ({ true } | rate() | topk(2))"),
        ("-1 * ({} | rate())", "-1 * ({ true } | rate())"),
        ("-1.5 / ({} | rate())", "-1.5 / ({ true } | rate())"),
        ("- 2 + ({} | rate())", "-2 + ({ true } | rate())"),
        ("-(-1) * ({} | rate())", "1 * ({ true } | rate())"),
        ("-1 * 2 * ({} | rate())", "-2 * ({ true } | rate())"),
        ("-(1 + 2) * ({} | rate())", "-3 * ({ true } | rate())"),
        ("2 - -1 * ({} | rate())", "2 - (-1 * ({ true } | rate()))"),
        ("({} | rate()) * -1", "({ true } | rate()) * -1"),
        ("({} | rate()) - -1.5", "({ true } | rate()) - -1.5"),
        ("-1 * ({} | rate()) > -2s", "-1 * ({ true } | rate()) > -2s"),
        ("-1 * count() > -5", "((-1) * (count())) > -5"),
        ("{} | -2 * max(.a) + 1 > 0", "{ true }|(((-2) * (max(.a))) + 1) > 0"),
        ("{} with(sample=true) with(a=1, b=`x`)", "{ true } with(a=1, b=`x`)"),
    ],
)
def test_parse_gives_the_canonical_form(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("duration > 2s", "{ duration > 2s }"),
        ('service.name = "x" && user.id = "y"', "{ (.service.name = `x`) && (.user.id = `y`) }"),
        ("status = error | count() > 2", "{ status = error }|(count()) > 2"),
        (
            "span.a = 1 | rate() by (http.route) with(sample=true)",
            "{ span.a = 1 } | rate() by (.http.route) with(sample=true)",
        ),
        (
            "(duration > 1s || name =~ `a.*`) && kind = server",
            "{ ((duration > 1s) || (name =~ `a.*`)) && (kind = server) }",
        ),
        ("3 < span.a", "{ 3 < span.a }"),
        ("!span.ok", "{ !span.ok }"),
    ],
)
def test_parse_reads_a_filter_without_braces(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "true",
        "(true)",
        "{",
        "{ .a",
        "{ (.a }",
        "{ .a | .b }",
        "{ < }",
        "{ .a < }",
        "{ . }",
        "[ .a ]",
        "{ attribute = 4 }",
        "{ min = 1 }",
        "{ id = 1 }",
        "{ childCount > 1 }",
        "{ rootService = `a` }",
        "{ .a > nil }",
        "{ nil }",
        "{ (nil) = .a }",
        "{ -nil = 1 }",
        "{ .a ** 2 = 1 }",
        "{ 2 <> 3 }",
        "{ .a } + { .b }",
        "{ .a } = { .b }",
        "{ .a } <= { .b }",
        "{ .a } &&",
        "{ .a } & { .b }",
        "count()",
        "{ .a } | count()",
        "{ .a } | count",
        "count(.a) > 1",
        "count(",
        "max() > 1",
        "max(name) = `a`",
        "min(.a) < ok",
        "{ .a } | by()",
        "by(.a, .b)",
        "select()",
        "select(.a",
        "select(.a + 1)",
        "coalesce() | { .a }",
        "coalesce()",
        "count() > 3 && { .a }",
        "by(.a) && { .b }",
        "(avg(.a) > count()) + sum(.b)",
        "3 = 2",
        "5 > 3 | { .a }",
        "{ .a } | 3 > 2",
        "count() > 2 % 1",
        "({.a} | count() > 1) && {.b}",
        "({.a} | count() > 1) | {.b}",
        "({.a}) && (count())",
        "({.a} | count()) && ({.a} | count()) = 1",
        "({.a} | count()) + ({.a} | count())",
        "2 < ({.a} | count())",
        "({.a} | {.b}) + ({.a} | {.b})",
        "rate()",
        "{} | topk(2)",
        "{} | rate() | { .a }",
        "{} | rate() | topk(-1)",
        "{} | rate() | topk(1.5)",
        "{} | rate() by (.a + 1)",
        "{} | rate() by (1)",
        "{} | min_over_time()",
        "{} | quantile_over_time(duration)",
        "{} | quantile_over_time(0.9)",
        "{} | rate(.a)",
        "{} | rate() + 1",
        "({} | rate()) % 2",
        "({} | rate()) > ({} | rate())",
        "({} | rate()) + ({} | count())",
        "{} | compare()",
        "{} | compare({}, 1, 2)",
        "{} | compare({}) by (.a)",
        "{} with(sample)",
        "{} with(1=2)",
        "{ trace:status = ok }",
        "{ span:rootName = `a` }",
        "{ parent:id = 1 }",
        "{ .a } { .b }",
        "{ 99999999999999999999 = .a }",
    ],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("{ name = }", "expected a value or an attribute; found `}`", 9),
        ("{ .a = 1", "expected an operator or `}`; the query ends", 8),
        ("{ rootname = `x` }", "did you mean `rootName`", 2),
        ("{ http.route = `x` }", "Write: { span.http.route = `x` }", 2),
        ("{ service.name = 'x' }", 'Write: { resource.service.name = "x" }', 2),
        ("{ .a == 1 }", "Write: { .a = 1 }", 5),
        ("status = 'error' and duration > 2s", "Write: status = error && duration > 2s", 9),
        ("{ .a = 1 } AND { .b = 2 }", "Write: { .a = 1 } && { .b = 2 }", 11),
        ("name = GET", 'Write: name = "GET"', 7),
        (
            "service.name = checkout && duration > 2 seconds",
            'Write: resource.service.name = "checkout" && duration > 2s',
            15,
        ),
        ("checkout", "expected spans in braces", 0),
        ("{ not .a }", "Write: { ! .a }", 2),
        ("{ .a = null }", "Write: { .a = nil }", 7),
        ("duration > 2s >> status = error", "put each condition into braces", 14),
        ("{ .a } | count()", "compare it with one, for instance `count() > 1`", 9),
        ("rate() by (name)", "a metric needs spans to count", 0),
        ("{ .a > nil }", "nil can only be compared with `=` or `!=`", 7),
        ("by(.a, .b)", "by(a) | by(b)", 5),
        ("{ .a = 'it''s' }", "single quotes", 7),
    ],
)
def test_a_syntax_error_says_what_and_where(text: str, words: str, place: int) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.position == place
    assert caught.value.source == text


def test_a_syntax_error_draws_a_caret() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("{ name = }")
    assert str(caught.value).splitlines()[1:] == ["  { name = }", "           ^"]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(" * 10_000 + "{}" + ")" * 10_000,
        "{ " + "(" * 10_000 + "true" + ")" * 10_000 + " }",
        "{ " + "!" * 10_000 + ".a }",
        "{ .a" + " ^ .a" * 10_000 + " }",
        "count()" + " ^ 2" * 10_000 + " > 1",
        "({} | rate())" + " + 1" * 10_000,
        '{ .a = "' + "x" * 1_000_000 + '" }',
        "{ .a = " + "/* " * 30_000,
    ],
)
def test_parse_refuses_hostile_queries_at_once(text: str) -> None:
    def refused() -> None:
        with pytest.raises(QuerySyntaxError):
            parse(text)

    assert calls_of(refused) < 40 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        "{ nestedSetLeft" + " + 1" * 20_000 + " > 1 }",
        "{ 1/0" + " + 1" * 8_000 + " = 1 }",
        "{ " + " || ".join(f".a = {number}" for number in range(8_000)) + " }",
        " && ".join(["{ .a }"] * 8_000),
    ],
)
def test_parse_reads_long_chains_without_deep_recursion(text: str) -> None:
    query = parse(text)
    assert query == parse(text)
    assert calls_of(lambda: str(parse(text))) < 60 * len(text)


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ('({} | rate()) * "a"', 'not with "a"', 16),
        ("({} | rate()) + true", "numbers and other metrics, not with true", 16),
        ("({} | rate()) / error", "not with error", 16),
        ("({} | rate()) - nil", "not with nil", 16),
        ("({} | rate()) * client", "not with client", 16),
        ("({} | rate()) * span.a", "not with span.a", 16),
        ("({} | rate()) * duration", "not with duration", 16),
        ('({} | rate()) > "a"', "compared with a number or a duration", 16),
        ("{} | rate() = ok", "compared with a number or a duration", 14),
        ("-({} | rate())", "write -1 * ({ true } | rate())", 0),
        ("({} | rate()) + -({} | rate())", "only a number can be negative here", 16),
        ("-count() > 2", "write -1 * (count())", 0),
        ('"a" * ({} | rate())', "expected spans in braces", 0),
    ],
)
def test_metrics_are_combined_with_numbers_only(text: str, words: str, place: int) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.position == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("({} | rate()) * 10s", 16),
        ("10s * ({} | rate())", 0),
        ("-10s * ({} | rate())", 0),
        ("({} | rate()) + (2 * 10ms)", 21),
        ("(({} | rate()) * 10s) + 1", 17),
        ("1 + (({} | rate()) / 1h)", 21),
    ],
)
def test_durations_do_not_combine_with_metrics(text: str, place: int) -> None:
    with pytest.raises(QueryTypeError, match="write seconds as a plain number") as caught:
        parse(text)
    assert caught.value.position == place


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (5, "a query is a text such as '{ duration > 1s }', not 5 of type int"),
        (None, "not None"),
        (b"{ }", "not bytes; decode them first"),
        (["{ }"], "of type list"),
        (parse("{ }"), "pass str\\(query\\)"),
    ],
)
def test_parse_says_what_it_wants_where_there_is_no_text(query: Any, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        parse(query)


def test_parse_refuses_characters_that_cannot_be_written() -> None:
    with pytest.raises(QuerySyntaxError, match=r"'\\ud800', at 4, is no character"):
        parse("{ .a\ud800 = 1 }")


@pytest.mark.parametrize(
    "text",
    ["{ .a = 1e999 }", f"{{ .a = {'9' * 5000}.5 }}", f"{{ duration > {'1' * 5000}ms }}", f"{{ .a = {'1' * 99} }}"],
)
def test_parse_refuses_numbers_that_do_not_fit(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="64 bits"):
        parse(text)


def test_messages_quote_long_words_in_part() -> None:
    for text in ("a" * 50_000, "{ " + "a" * 50_000 + " }", "{ .a " + "b" * 50_000 + " }"):
        with pytest.raises(QuerySyntaxError) as caught:
            parse(text)
        assert len(str(caught.value)) < 500
