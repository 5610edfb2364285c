from __future__ import annotations

import numpy as np

from tracelab.analysis.timeline import telling_rows, timeline_path, timeline_rows, trace_spans
from tracelab.figures.charts.gantt import plot_gantt
from tracelab.synthetic import draw, generate

TRACE = draw("""
web::GET         ====================
  web::quick     .=
    web::inner   .=!
  web::long      ..=====
  db::SELECT     .......============
  web::beside    .......==
""")


def kept(most: int) -> list[str]:
    trace = trace_spans(TRACE)
    return telling_rows(timeline_rows(trace), timeline_path(trace), most=most)["name"].to_list()


def test_failures_come_first_then_the_critical_path_then_what_is_long() -> None:
    assert kept(1) == ["GET"]
    assert kept(3) == ["GET", "quick", "inner"]
    assert kept(4) == ["GET", "quick", "inner", "SELECT"]
    assert kept(5) == ["GET", "quick", "inner", "long", "SELECT"]
    assert kept(6) == kept(60) == ["GET", "quick", "inner", "long", "SELECT", "beside"]


def test_what_is_kept_of_a_large_trace_is_one_tree_with_rows_of_its_own() -> None:
    spans = generate(5_000, seed=3, spans_per_trace=5_000)
    trace = trace_spans(spans)
    rows = timeline_rows(trace)
    few = telling_rows(rows, timeline_path(trace), most=50)
    assert few["row"].to_list() == list(range(50))
    assert few["place"].is_sorted()
    depth = few["depth"].to_numpy().astype(int)
    assert depth[0] == rows["depth"][0]
    assert (np.diff(depth) <= 1).all()


def test_a_timeline_says_what_it_leaves_out() -> None:
    told = plot_gantt(TRACE, first=3, keep="telling").layout.title.text
    assert "the 3 most telling of 6 spans" in told.replace("<br>", " ")
    assert "the first 3 of 6 spans" in plot_gantt(TRACE, first=3).layout.title.text.replace("<br>", " ")
