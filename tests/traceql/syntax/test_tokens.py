from __future__ import annotations

import pytest

from tracelab.traceql.syntax.nodes import Attribute, Intrinsic
from tracelab.traceql.syntax.tokens import tokenize


def kinds(text: str) -> list[tuple[str, object]]:
    return [
        (token.kind, token.text if token.kind in ("operator", "word") else token.value) for token in tokenize(text)[:-1]
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "12 012 5. .5 1e3 1.5E-3",
            [("int", 12), ("int", 12), ("float", 5.0), ("float", 0.5), ("float", 1e3), ("float", 1.5e-3)],
        ),
        ("3ms 1h30m .24h", [("duration", 3_000_000), ("duration", 5_400_000_000_000), ("duration", 864_000_000_000)]),
        ("1.5d", [("float", 1.5), ("word", "d")]),
        ('"a\\tb" `raw\\t`', [("string", "a\tb"), ("string", "raw\\t")]),
        ("!>> !> !~ &~ &>> || =~ >=", [("operator", o) for o in ("!>>", "!>", "!~", "&~", "&>>", "||", "=~", ">=")]),
        ("1 // one\n + /* two */ 2", [("int", 1), ("operator", "+"), ("int", 2)]),
        ("minInt nil", [("word", "minInt"), ("word", "nil")]),
        ("http.route", [("name", "http.route")]),
    ],
)
def test_tokenize_reads_values_and_operators(text: str, expected: list[tuple[str, object]]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "scope", "name", "of"),
    [
        (".a+1", "", "a+1", ""),
        ("span.a-b/c:d[0]@x", "span", "a-b/c:d[0]@x", ""),
        (".a//b", "", "a//b", ""),
        ('.foo."bar baz".x', "", "foo.bar baz.x", ""),
        ('."a\\"b\\\\"', "", 'a"b\\', ""),
        ("span.3x", "span", "3x", ""),
        (".min", "", "min", ""),
        ("span.resource.x", "span", "resource.x", ""),
        ("parent.x", "", "x", "parent"),
        ("parent.resource.x", "resource", "x", "parent"),
        ("root.span.x", "span", "x", "root"),
        ("event.exception.type", "event", "exception.type", ""),
        ("instrumentation.name", "instrumentation", "name", ""),
    ],
)
def test_tokenize_reads_an_attribute_as_one_token(text: str, scope: str, name: str, of: str) -> None:
    assert kinds(text) == [("attribute", Attribute(scope, name, of))]


@pytest.mark.parametrize("ender", list("{}()=~!<>&|^, \n"))
def test_tokenize_ends_a_name_at(ender: str) -> None:
    assert tokenize(f".name{ender}")[0].value == Attribute("", "name")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("trace:duration", "traceDuration"),
        ("trace: rootService", "rootServiceName"),
        ("span:status", "status"),
        ("span:parentID", "span:parentID"),
        ("event:timeSinceStart", "event:timeSinceStart"),
        ("link:spanID", "link:spanID"),
    ],
)
def test_tokenize_reads_scoped_intrinsics(text: str, name: str) -> None:
    assert kinds(text) == [("intrinsic", Intrinsic(name))]


@pytest.mark.parametrize(
    ("text", "complaint", "place"),
    [
        ("'a'", "single quotes", 0),
        ('"abc', "never closed", 0),
        ("`abc", "never closed", 0),
        ('"a\nb"', "never closed", 0),
        ('"a\\q"', "unknown escape", 2),
        ('.a"b', "never closed", 2),
        ('."a\\n"', "can be escaped", 3),
        ("a == b", "single `=`", 2),
        ("0x10", "decimal digits", 0),
        ("1_000", "decimal digits", 0),
        ("9223372036854775808", "64 bits", 0),
        (". a", "name right after", 0),
        ("span.", "name right after", 0),
        ("span:rootName", "no intrinsic", 0),
        ("/* open", "never closed", 0),
        ("&", "unexpected character", 0),
    ],
)
def test_tokenize_stops_at_what_it_cannot_read(text: str, complaint: str, place: int) -> None:
    error = tokenize(text)[-1]
    assert error.kind == "error"
    assert complaint in str(error.value)
    assert error.start == place


def test_tokenize_takes_the_largest_int() -> None:
    assert tokenize("9223372036854775807")[0].value == 2**63 - 1
