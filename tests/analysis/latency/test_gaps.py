from __future__ import annotations

from datetime import timedelta

import pytest

from tracelab.analysis import gaps
from tracelab.errors import TracelabError
from tracelab.synthetic import draw


def test_gaps_lie_before_between_and_after_children() -> None:
    spans = draw("""
        api    ..==========
          a    ...==
          b    .......==
          a2   .......=
    """)
    found = gaps(spans, min_share=0).sort("start_time")
    assert found.select("after", "before", "duration").rows() == [
        (None, "a", timedelta(milliseconds=1)),
        ("a", "b", timedelta(milliseconds=2)),
        ("b", None, timedelta(milliseconds=3)),
    ]
    assert found["share"].to_list() == [0.1, 0.2, 0.3]
    assert set(found["span_id"]) == {f"{1:016x}"}


def test_gaps_are_only_the_long_ones() -> None:
    spans = draw("""
        api    ==========
          a    .=====
    """)
    assert gaps(spans, min_duration="2ms").select("after", "before").rows() == [("a", None)]
    assert gaps(spans, min_share=0.5).is_empty()


def test_gaps_are_not_in_spans_without_children() -> None:
    assert gaps(draw("api ====")).is_empty()


def test_gaps_name_the_child_that_ended_last() -> None:
    spans = draw("""
        api     ==========
          long  .======
          short ..=
    """)
    assert gaps(spans)["after"].to_list() == ["long", None]


def test_gaps_say_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="`min_share`"):
        gaps(draw("a ="), min_share=2)
    with pytest.raises(TracelabError, match="'soon' is no duration"):
        gaps(draw("a ="), min_duration="soon")
