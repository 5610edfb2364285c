from __future__ import annotations

from tracelab.analysis import with_self_time
from tracelab.synthetic import draw


def self_times(picture: str) -> list[int]:
    return with_self_time(draw(picture))["self_time"].dt.total_milliseconds().to_list()


def test_with_self_time_counts_overlapping_children_once() -> None:
    assert self_times("""
        api    ==========
          a    .====
          b    ...====
          c    .........=
    """) == [3, 4, 4, 1]


def test_with_self_time_clips_children() -> None:
    assert self_times("""
        api    ..=====
          a    ====
          b    ......====
          c    ..........=
    """) == [2, 4, 4, 1]


def test_with_self_time_keeps_rows_as_they_were() -> None:
    spans = draw("a ====\n  b .==\n\nc =")
    backwards = spans.reverse()
    assert with_self_time(backwards).drop("self_time").equals(backwards)
    assert with_self_time(backwards).reverse().equals(with_self_time(spans))
