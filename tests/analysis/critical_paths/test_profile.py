from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from tracelab.analysis import critical_path_profile
from tracelab.errors import TracelabError
from tracelab.synthetic import draw

FAST = """
api      =====
  auth   .==
"""
SLOW = """
api      ==========
  auth   .==
  db     ...======
"""


def ms(length: float) -> timedelta:
    return timedelta(milliseconds=length)


def test_critical_path_profile_adds_up_over_traces() -> None:
    profile = critical_path_profile(draw(FAST + "\n" + SLOW), by="name")
    assert profile.select("name", "time", "traces", "trace_share", "mean", "p50").rows() == [
        ("db", ms(6), 1, 0.5, ms(3), ms(6)),
        ("api", ms(5), 2, 1.0, ms(2.5), ms(2.5)),
        ("auth", ms(4), 2, 1.0, ms(2), ms(2)),
    ]
    assert profile["share"].to_list() == [6 / 15, 5 / 15, 4 / 15]
    assert profile["exemplar_trace_id"].to_list() == [f"{2:032x}", f"{1:032x}", f"{1:032x}"]


def test_critical_path_profile_tells_call_paths_apart() -> None:
    spans = draw("""
        web      ==========
          a      .===
            db   ..=
          b      .....===
            db   ......=
    """)
    profile = critical_path_profile(spans, by="call_path")
    assert profile.select("call_path", "time").rows() == [
        ("web::web", ms(4)),
        ("web::web > a::a", ms(2)),
        ("web::web > b::b", ms(2)),
        ("web::web > a::a > db::db", ms(1)),
        ("web::web > b::b > db::db", ms(1)),
    ]


def test_critical_path_profile_keeps_the_order_of_its_keys() -> None:
    profile = critical_path_profile(draw(SLOW), by=["kind", "call_path", pl.col("name").str.to_uppercase()])
    assert profile.columns[:4] == ["kind", "call_path", "name", "time"]
    assert profile["name"].to_list() == ["DB", "API", "AUTH"]


def test_critical_path_profile_cuts_very_long_call_paths() -> None:
    picture = "\n".join(" " * level + f"s{level} {'.' * level}{'=' * (100 - level)}" for level in range(100))
    profile = critical_path_profile(draw(picture), by="call_path")
    assert profile.height == 100
    last = profile["call_path"].filter(profile["call_path"].str.ends_with("s99::s99")).item()
    assert last.startswith("... > s36::s36 > ")
    assert last.count(" > ") == 64


def test_critical_path_profile_compares_the_slowest_with_the_rest() -> None:
    spans = draw("\n".join([FAST] * 9 + [SLOW]))
    profile = critical_path_profile(spans, by="name", slowest=0.1)
    assert profile.select("name", "band", "traces", "mean", "excess").rows() == [
        ("db", "slowest", 1, ms(6), ms(6)),
        ("api", "slowest", 1, ms(2), ms(-1)),
        ("auth", "slowest", 1, ms(2), ms(0)),
        ("api", "rest", 9, ms(3), ms(1)),
        ("auth", "rest", 9, ms(2), ms(0)),
        ("db", "rest", 0, ms(0), ms(-6)),
    ]
    # What the slowest take longer is explained to the last nanosecond.
    assert profile.filter(pl.col("band") == "slowest")["excess"].sum() == ms(5)
    assert profile.row(-1, named=True)["p50"] is None


def test_critical_path_profile_can_choose_the_slowest_of_each_kind() -> None:
    spans = draw("long ========\n\nlong =========\n\nshort =\n\nshort ==")
    over_all = critical_path_profile(spans, by="name", slowest=0.5)
    of_each = critical_path_profile(spans, by="name", slowest=0.5, within="name")
    slow = pl.col("band") == "slowest"
    assert over_all.filter(slow).select("name", "time").rows() == [("long", ms(17)), ("short", ms(0))]
    assert of_each.filter(slow).select("name", "time").rows() == [("long", ms(9)), ("short", ms(2))]


def test_critical_path_profile_says_how_much_is_a_guess() -> None:
    spans = draw("""
        run     =========
          a     .=======
          b     ..==
    """)
    assert critical_path_profile(spans, by="name").select("name", "ambiguous_share").rows() == [
        ("a", 1.0),
        ("run", 0.0),
    ]


def test_critical_path_profile_takes_everything_together() -> None:
    profile = critical_path_profile(draw(FAST + "\n" + SLOW), by=None)
    assert profile.select("time", "share", "p95").rows() == [(ms(15), 1.0, ms(9.75))]


def test_critical_path_profile_says_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="`slowest` must lie between 0 and 1, got 5"):
        critical_path_profile(draw(FAST), slowest=5)
    with pytest.raises(TracelabError, match="have one name"):
        critical_path_profile(draw(FAST), by=["name", pl.col("name")])
    with pytest.raises(TracelabError, match="`method` must be one of"):
        critical_path_profile(draw(FAST), method="crisp")  # type: ignore[arg-type]
