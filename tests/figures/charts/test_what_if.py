from __future__ import annotations

import tracelab as tl
from tracelab.synthetic import draw, generate

PICTURE = """
web::api    ==========
  web::auth .=====
  web::db   .========
"""


def test_bounds_are_drawn_beside_what_was_before() -> None:
    figure = tl.plot_what_if(draw(PICTURE), "{ name = `db` }", factor=0.5)
    before, *after = figure.data
    assert before.x == (10.0,) * 5
    assert [trace.x for trace in after if trace.hovertext] == [(6.0, 7.0)] * 5
    assert figure.layout.yaxis.ticktext[0].startswith("mean<br>")
    assert "-40.0 % to -30.0 %" in figure.layout.yaxis.ticktext[0]
    assert "1 span with 0.5 times their time; 1 of 1 traces" in figure.layout.title.text


def test_what_takes_longer_has_another_colour() -> None:
    spans = draw(PICTURE)
    slower, faster = (tl.plot_what_if(spans, "{ name = `db` }", factor=factor).data[1] for factor in (2, 0.5))
    assert slower.line.color != faster.line.color


def test_every_way_to_change_is_said() -> None:
    spans = draw(PICTURE)
    said = [
        tl.plot_what_if(spans, "{ name = `db` }", **options).layout.title.text
        for options in ({"remove": True}, {"duration": "1ms"}, {"factor": 2, "part": "self"})
    ]
    assert "1 span removed" in said[0]
    assert "1 span set to 1ms" in said[1]
    assert "with 2 times their own work" in said[2]


def test_no_traces_say_so() -> None:
    assert "No traces" in tl.plot_what_if(draw(PICTURE).clear(), "{ }", factor=2).to_json()


def test_intervals_are_said_where_there_are_several_traces() -> None:
    figure = tl.plot_what_if(generate(500, seed=1, spans_per_trace=10), "{ }", factor=0.5, confidence=0.9)
    assert "with a confidence of 90 %" in figure.data[0].hovertext[0]
