from __future__ import annotations

import pytest

from tracelab.errors import PolicyError
from tracelab.sampling.ottl import Conditions
from tracelab.sampling.ottl import nodes as n
from tracelab.sampling.ottl.parser import MAX_DEPTH, MAX_TERMS, parse


def test_and_binds_more_tightly_than_or() -> None:
    node = parse('name == "a" or name == "b" and not name == "c"')
    assert isinstance(node, n.Or)
    assert isinstance(node.operands[0], n.Comparison)
    assert isinstance(node.operands[1], n.And)


def test_products_bind_more_tightly_than_sums_and_both_from_the_left() -> None:
    node = parse("1 - 2 - 3 * 4 == 0")
    assert isinstance(node, n.Comparison)
    assert isinstance(node.left, n.Arithmetic)
    assert isinstance(node.left.left, n.Arithmetic)
    assert node.left.left.operator == node.left.operator == "-"
    assert isinstance(node.left.right, n.Arithmetic)
    assert node.left.right.operator == "*"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("017", 15), ("1.", 1.0), (".5", 0.5), ("1.5e3", 1500.0), ("0x0aFF", b"\x0a\xff"), ("nil", None),
        ("true", True),
        (r'"a\"\\\x41\101é\U0001F600\n"', 'a"\\AAé😀\n'), ('""', ""), ("-3", -3), ("+3", 3), ("-0.0", -0.0),
    ],
)  # fmt: skip
def test_literals_mean_what_they_mean_in_go(source: str, value: object) -> None:
    node = parse(f"{source} == 1")
    assert isinstance(node, n.Comparison)
    assert isinstance(node.left, n.Literal)
    assert node.left.value == value
    assert type(node.left.value) is type(value)


def _message(source: str, context: str = "span") -> list[str]:
    with pytest.raises(PolicyError) as caught:
        Conditions([source], context)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ('name = "a"', "= ", "compared with `==`"),
        ("name", None, "the end where a comparison"),
        ("name ==", None, "the end where a value"),
        ('name == "a" and', None, "the end where"),
        ('name == "a" name', "name", "`and`, `or` or the end"),
        ('(name == "a"', None, "`)`"),
        ('name == "a', '"a', "never closed"),
        ('name == "a\\d"', "\\d", "written `\\\\`"),
        ("name == 'a'", "'a'", "means nothing here"),
        ('Name == "a"', "==", "`(`"),
        ("kind == SPAN_KIND_SEVER", "SPAN_KIND_SEVER", "`SPAN_KIND_SERVER`"),
        ('IsMach(name, "a")', "IsMach", "`IsMatch`"),
        ('ismatch(name, "a")', "ismatch", "lower case"),
        ("IsMatch(name)", "IsMatch", "takes 2 arguments, and there are 1"),
        ('IsMatch(name, patern="a")', "patern", "`target` or `pattern`"),
        ('IsMatch(name, "(")', "IsMatch", "no regular expression"),
        ("IsString(5)", "5)", "type string was expected, and it is int"),
        ('Int("x") == 1', '"x"', "no whole number"),
        ("stats.code == 1", "stats", "`status.code`"),
        ("atributes == nil", "atributes", "`attributes`"),
        ("attributes.http == 1", "http", '`attributes["http"]`'),
        ('name["a"] == 1', "name", "takes no keys"),
        ('version == "1"', "version", "`scope.version`"),
        ('Any(attributes["l"], (_, v) => v == 1)', "_, v", "experimental"),
        ("Any() == 1", "Any", "experimental"),
        ("08 == 1", "08", "octal"),
        ("9223372036854775808 == 1", "922", "64 bits"),
        ("0x123 == 1", "0x123", "even number"),
        ('ConvertCase(name, "title") == ""', "ConvertCase", "lower, upper, snake, camel"),
        ("{name: 1} == nil", "name:", "written out"),
    ],
)
def test_an_error_points_at_the_place_and_says_what_is_near(source: str, place: str | None, words: str) -> None:
    message, line, caret = _message(source)
    assert words in message
    assert line.strip() == source
    where = len(source) if place is None else source.rindex(place) if source.endswith(place) else source.index(place)
    assert caret.index("^") - (len(line) - len(line.lstrip())) == where


def test_a_converter_of_spans_is_no_converter_of_events() -> None:
    assert "about span events" in _message("IsRootSpan()", "spanevent")[0]
    assert "`event_index`" in _message("event_indx == 1", "spanevent")[0]


@pytest.mark.parametrize(
    "source",
    [
        "(" * (MAX_DEPTH + 1) + "name == 1" + ")" * (MAX_DEPTH + 1),
        "[" * 10_000,
        "not (" * 10_000,
        "Len(" * 10_000 + "name",
        "a[" * 10_000,
        '{"a": ' * 10_000,
        "1" + " + 1" * MAX_TERMS + " == 1",
        "1" + " * 1" * 10_000 + " == 1",
        'name == "' + "x" * 200_000 + '"',
        'name == "\ud800"',
    ],
)
def test_what_is_too_deep_or_too_long_is_refused(source: str) -> None:
    with pytest.raises(PolicyError):
        parse(source)


def test_many_conditions_may_be_joined() -> None:
    assert isinstance(parse('name == "a"' + ' or name == "b"' * 5_000), n.Or)
