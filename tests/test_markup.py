from __future__ import annotations

import unicodedata

import pytest

from tracelab.markup import acts, cut, named, plain, visible

ACTING = ["\x00", "\x07", "\x1b", "\r", "\n", "\t", "\x7f", "\x9b", "\u00ad", "\u200b", "\u200f", "\u2028", "\u202e"]
ACTING += ["\u2066", "\u2069", "\ufeff", "\u3164", "\ue000", "\udc80", "\U000e0041"]


@pytest.mark.parametrize("character", ACTING)
def test_what_acts_on_a_terminal_becomes_an_escape(character: str) -> None:
    shown = visible(f"GET{character}/")
    assert character not in shown
    assert shown.isascii()
    assert shown.startswith("GET\\")


@pytest.mark.parametrize("text", ["GET /naïve/日本?a=\\d", "שלום", "🙂", "a\u00a0b", "\\x1b"])
def test_what_shows_itself_stays(text: str) -> None:
    assert visible(text) == text


def test_all_controls_of_unicode_act() -> None:
    controls = [each for each in map(chr, range(0x110000)) if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"}]
    assert len(controls) > 200
    assert all(map(acts, controls))


def test_some_may_be_kept() -> None:
    assert visible("a\nb\rc", keep="\n") == "a\nb\\rc"


def test_plain_text_for_html_holds_no_controls_and_no_markup() -> None:
    assert plain("<b>\u202e$x$\x1b") == "&lt;b&gt;\\u202e&#36;x&#36;\\x1b"


def test_cut_says_that_something_is_missing() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"


@pytest.mark.parametrize("name", ["", " ", "\n\t\u00a0"])
def test_a_name_that_shows_nothing_gets_a_placeholder(name: str) -> None:
    assert named(name) == "(no name)"
    assert named(f"{name}a") == f"{name}a"
