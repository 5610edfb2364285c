from __future__ import annotations

import warnings

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


def test_nothing_warns_of_the_messages_themselves() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(TracelabError("plain")) == "plain"
