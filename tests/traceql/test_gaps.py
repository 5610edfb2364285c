from __future__ import annotations

import datetime as dt

from tests.traceql.shop import SHOP
from tracelab.synthetic import draw
from tracelab.traceql import gap


def gaps(picture: str, a: str, b: str) -> list[tuple[str, str, float]]:
    found = gap(draw(picture), a, b)
    return [
        (x, y, length / dt.timedelta(milliseconds=1)) for x, y, length in found.select("a_name", "b_name", "gap").rows()
    ]


def test_gap_measures_from_the_end_that_came_last() -> None:
    picture = """
        order     ==========
          first   ==
          second  .===
          pay     ......==
    """
    assert gaps(picture, "name =~ `first|second`", "name = `pay`") == [("second", "pay", 2.0)]


def test_gap_leaves_out_what_overlaps_or_comes_in_the_other_order() -> None:
    picture = """
        order  ==========
          pay  ..==
          send ....==
    """
    assert gaps(picture, "name = `order`", "name = `pay`") == []
    assert gaps(picture, "name = `send`", "name = `pay`") == []
    assert gaps(picture, "name = `pay`", "name = `send`") == [("pay", "send", 0.0)]


def test_gap_stays_within_a_trace() -> None:
    picture = """
        a =

        b ..=
    """
    assert gaps(picture, "name = `a`", "name = `b`") == []


def test_gap_never_measures_a_span_from_itself() -> None:
    picture = """
        run     =====
          tick  .|
          tock  ...|
    """
    assert gaps(picture, "name =~ `t.ck`", "name =~ `t.ck`") == [("tick", "tock", 2.0)]


def test_gap_documents_its_columns_and_takes_lazy_frames() -> None:
    found = gap(SHOP.lazy(), "name = `render`", "{ kind = server } >> { status = error }")
    assert found.columns == ["trace_id", "a_span_id", "a_name", "b_span_id", "b_name", "start_time", "gap"]
    assert found.select("b_name", "gap").rows() == [("charge", dt.timedelta(milliseconds=1))]
    assert found["start_time"].item() == SHOP["start_time"][0] + dt.timedelta(milliseconds=3)
