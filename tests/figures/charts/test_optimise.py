from __future__ import annotations

import tracelab as tl
from tests.figures.every import by_name
from tracelab.synthetic import draw, generate

PICTURE = """
web::api    ====================
  web::auth .====
  web::db   .....==============
"""


def test_bars_are_as_long_as_what_is_saved_the_largest_first() -> None:
    figure = tl.plot_optimise(draw(PICTURE), saving=0.5)
    bars = by_name(figure)
    sure, unsure = (next(bar for bar in figure.data if bar.name == name) for name in list(bars)[:2])
    assert sure.x == (7.0, 2.0, 1.0)
    assert unsure.x == (0.0, 0.0, 0.0)
    assert [text.partition("<br>")[0] for text in figure.layout.yaxis.ticktext] == [
        "web · db",
        "web · auth",
        "web · api",
    ]
    assert "saves 50 % of its own work" in figure.layout.title.text


def test_what_the_order_leaves_open_is_hatched() -> None:
    figure = tl.plot_optimise(draw("api ==========\n  auth .=====\n  db   .========"), saving=0.5)
    sure, unsure = figure.data[0], figure.data[1]
    assert sure.x[0] == 3.0
    assert unsure.x[0] == 1.0


def test_the_title_says_how_many_are_left_out() -> None:
    spans = generate(1_000, seed=1, spans_per_trace=20)
    assert "the first 3 of " in tl.plot_optimise(spans, limit=3).layout.title.text


def test_hostile_names_are_harmless() -> None:
    spans = draw(PICTURE.replace("web::db", "web::<script>alert(1)</script>"))
    assert "<script" not in tl.plot_optimise(spans).to_json()


def test_no_spans_say_so() -> None:
    assert "No spans" in tl.plot_optimise(draw(PICTURE).clear()).to_json()
