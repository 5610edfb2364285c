from __future__ import annotations

from datetime import timedelta

import pytest

from tracelab.analysis import repeated_calls
from tracelab.errors import TracelabError
from tracelab.synthetic import draw


def ms(length: float) -> timedelta:
    return timedelta(milliseconds=length)


def test_repeated_calls_find_likes_with_others_between_them() -> None:
    spans = draw("""
        shop::list       ==========
          db::SELECT     .==
          cache::GET     ...=
          db::SELECT     ....==
          cache::GET     ......=
          db::SELECT     .......==
    """)
    found = repeated_calls(spans, min_count=3)
    columns = ["parent_service_name", "parent_name", "service_name", "name", "count", "total", "elapsed", "sequential"]
    assert found.select(columns).rows() == [("shop", "list", "db", "SELECT", 3, ms(6), ms(8), True)]
    assert repeated_calls(spans, min_count=2)["name"].to_list() == ["SELECT", "GET"]


def test_repeated_calls_tell_a_loop_from_a_burst() -> None:
    spans = draw("""
        shop  ==========
          get .===
          get .===
          get ....==
    """)
    assert repeated_calls(spans, min_count=3).select("sequential", "total", "elapsed").row(0) == (False, ms(8), ms(5))


def test_repeated_calls_are_of_one_parent() -> None:
    spans = draw("""
        shop  ==========
          get .=
          get ..=
          sub ...===
            get ...=
            get ....=
    """)
    assert repeated_calls(spans, min_count=2)["parent_name"].to_list() == ["shop", "sub"]
    assert repeated_calls(spans, min_count=3).is_empty()


def test_repeated_calls_say_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="`min_count` must be 2 or more, got 1"):
        repeated_calls(draw("a ="), min_count=1)
