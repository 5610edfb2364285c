from __future__ import annotations

import polars as pl
import pytest

from tracelab.go_regexes import RegexError, anchored, searching


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a|b", ["a", "b"], ["ab", "xa", ""]),
        ("a.c", ["abc", "a\nc"], ["abcd"]),
        (".*", ["", "x\ny"], []),
        ("(?i)get", ["GET", "get"], ["got"]),
        (r"\d+", ["123"], ["\u0661\u0662", "12a"]),
        (r"\w+", ["aZ_9"], ["ä"]),
        (r"\D", ["x", "\u0661"], ["1"]),
        (r"[\d.]+", ["1.2"], ["1,2"]),
        (r"[^\s]+", ["ab"], ["a b"]),
        ("/users/{id}", ["/users/{id}"], ["/users/id"]),
        ("a{2}", ["aa"], ["a{2}"]),
        ("a{2,3}}", ["aa}"], ["aaa"]),
        (r"[[a]+", ["[a"], ["]"]),
        ("[a&&b]+", ["a&&b"], ["c"]),
        ("[]a]+", ["]a"], ["b"]),
        ("[[:alpha:]]+", ["ab"], ["1"]),
        (r"\Qa.b\E+", ["a.b", "a.bb"], ["axb"]),
        (r"\x41\101", ["AA"], ["A"]),
        (r"a\bb|a\b", ["a"], ["ab"]),
        ("(?P<x>a)", ["a"], ["b"]),
        (r"\/x\-", ["/x-"], ["x"]),
        (r"-?\d+(\.\d+)?", ["-1.5", "2"], ["1."]),
        (r"\p{L}+", ["äß"], ["1"]),
        (r"\p{^L}\PL\p{Greek}[\pN]", ["12\u03b13"], ["aa\u03b13", "12a3"]),
        (r"\x{1F600}", ["\U0001f600"], ["x"]),
        (r"[\w-.]+", ["a-.b"], ["a/b"]),
        (r"[a-c-e]+", ["a-e"], ["d"]),
        (r"\sx\S", [" xa"], ["\vxa", " x "]),
        (r"\<a\>", ["<a>"], ["a"]),
        ("[^]x*+[a]b*", ["y", "ybb"], ["]"]),
        (r"(?ii-si:a)\p{Old_Italic}*\p{L u}", ["aB"], ["AB", "ab"]),
        ("(?i-s:A.)a??(?<name>b)", ["axb", "Axab"], ["a\nb"]),
    ],
)
def test_anchored_matches_as_re2_does(pattern: str, matching: list[str], others: list[str]) -> None:
    texts = pl.Series([*matching, *others])
    assert texts.str.contains(anchored(pattern)).to_list() == [True] * len(matching) + [False] * len(others)


@pytest.mark.parametrize(
    "pattern",
    [
        "[", "(", "a)(b", "*a", "a**", r"\C", "(?=a)", r"\1", "a{1001}", "((a{500}){500}){500}", "(a{500}){3}",
        "a{2}{3}",
        "a???", "(?x)a", "(?u)a", "(?-)a", "[z-a]", "[a--b]", r"[a-\d]", "[[:foo:]]",
        "[[:alpha :]]", r"\u0041", r"\p{Alphabetic}",
        r"\p{IsGreek}", r"\p", r"\e", r"\é", r"\x{110000}", "a\\",
    ],
)  # fmt: skip
def test_anchored_refuses(pattern: str) -> None:
    with pytest.raises(RegexError):
        anchored(pattern)


def test_searching_finds_a_pattern_anywhere_and_a_dot_matches_no_newline() -> None:
    found = pl.Series(["GET /health", "/healthy", "a\nb", "/h 404"]).str.contains(searching(r"/health\b|^a.b$|\d{3}"))
    assert found.to_list() == [True, False, False, True]
