from __future__ import annotations

import warnings
from functools import cached_property

import pytest

from tracelab.errors import LoadWarning, QueryError, TracelabError, warn_caller


def test_no_name_in_a_message_acts_on_a_terminal() -> None:
    assert str(TracelabError("no column 'a\x1b[31m\u202e'\nsecond line")) == (
        "no column 'a\\x1b[31m\\u202e'\nsecond line"
    )
    with pytest.warns(LoadWarning) as caught:
        warn_caller("span a\x9b", LoadWarning)
    assert str(caught[0].message) == "span a\\x9b"


@pytest.mark.parametrize("source", ["{ a\tb }", "{ a\x1bb }", "{ ab }"])
def test_the_caret_stands_below_its_place_also_behind_an_escape(source: str) -> None:
    lines = str(QueryError("no", source=f"first\n{source}", position=6 + source.index("b"))).split("\n")
    assert len(lines) == 3
    assert lines[1][lines[2].index("^")] == "b"


def test_a_warning_out_of_what_is_computed_once_stands_where_it_was_asked_for() -> None:
    ours = {"__name__": "tracelab.made", "warn_caller": warn_caller, "LoadWarning": LoadWarning}
    exec("def measured(self):\n    warn_caller('late', LoadWarning)\n", ours)  # noqa: S102 - it is to lie in our house
    once: cached_property[None] = cached_property(ours["measured"])  # type: ignore[arg-type]
    once.__set_name__(LoadWarning, "measured")
    with pytest.warns(LoadWarning, match="late") as caught:
        once.__get__(LoadWarning("any"))
    assert caught[0].filename == __file__


def test_nothing_warns_of_the_messages_themselves() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(TracelabError("plain")) == "plain"
