from __future__ import annotations

import tracelab as tl
from tests.differences.paths.test_diffing import AFTER, BEFORE, cohorts
from tracelab.synthetic import draw


def test_bars_stand_below_their_callers_and_are_as_wide_as_the_larger_side() -> None:
    (bars,) = tl.plot_trace_diff(draw(BEFORE), draw(AFTER)).data
    assert bars.text == ("GET /", "check", "get", "query")
    assert bars.y == (0, 1, 1, 1)
    # 2 ms are their callers' own, before and after; `get` is new, and `query` took 4 ms and takes 9.
    assert dict(zip(bars.text, bars.x, strict=True)) == {"GET /": 16.0, "check": 2.0, "get": 1.0, "query": 9.0}
    ends = [base + width for base, width in zip(bars.base, bars.x, strict=True)]
    assert all(bars.base[0] <= base and end <= ends[0] for base, end in zip(bars.base, ends, strict=True))
    assert bars.marker.color[3] == "rgb(207, 75, 43)"  # the largest difference is as red as can be
    assert "4 ms of the critical path before, 9 ms after" in bars.hovertext[3]


def test_the_title_says_how_the_means_differ() -> None:
    assert (
        "Traces take 6 ms (60 %) longer on average" in tl.plot_trace_diff(draw(BEFORE), draw(AFTER)).layout.title.text
    )
    assert "shorter" in tl.plot_trace_diff(draw(AFTER), draw(BEFORE)).layout.title.text


def test_large_cohorts_are_drawn_as_far_as_they_can_be_seen() -> None:
    figure = tl.plot_trace_diff(*cohorts(1))
    assert 5 < len(figure.data[0].x) <= 2_000
    assert min(figure.data[0].x) * 1_000 >= max(figure.data[0].x) * 0.99


def test_nothing_and_one_side_alone_say_so() -> None:
    spans = draw(BEFORE)
    assert "No trace takes any time" in tl.plot_trace_diff(spans.clear(), spans.clear()).to_json()
    assert "of one cohort alone" in tl.plot_trace_diff(spans, spans.clear()).layout.title.text


def test_hostile_names_are_harmless() -> None:
    spans = draw(BEFORE.replace("query", "<script>alert(1)</script>"))
    assert "<script" not in tl.plot_trace_diff(spans, spans).to_json()
