from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.figures.every import TRACE
from tracelab.colors import ERROR
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

    import plotly.graph_objects as go

LOOPS = draw("""
web::GET         ================   kind=server
  web::call      .========          kind=client
    web::GET     ..======!          kind=server
  auth::login    .........=====     kind=server
    web::GET     ..........=        kind=server
""")


def boxes(figure: go.Figure) -> list[tuple[float, float, float, float]]:
    return [(box.x0, box.y0, box.x1, box.y1) for box in figure.layout.shapes]


def lines(figure: go.Figure) -> list[Any]:
    return [line for line in figure.data if line.mode == "lines" and line.x != (None,)]


def assert_clear(figure: go.Figure) -> None:
    """See that boxes are apart and that no line runs through one."""
    for (x0, y0, x1, y1), (u0, v0, u1, v1) in combinations(boxes(figure), 2):
        assert x1 < u0 or u1 < x0 or y1 < v0 or v1 < y0
    inside = [
        (x, y)
        for line in lines(figure)
        for x, y in zip(line.x, line.y, strict=True)
        if x is not None
        for x0, y0, x1, y1 in boxes(figure)
        if x0 + 1 < x < x1 - 1 and y0 < y < y1
    ]
    assert not inside


@pytest.mark.parametrize("name", ["shop", "content"])
def test_no_line_runs_through_a_box(sample_data: Path, name: str) -> None:
    figure = tl.plot_service_graph(tl.read(sample_data / f"{name}.otlp.jsonl.gz"))
    assert_clear(figure)
    assert figure.layout.width is None


def test_the_picture_has_the_numbers_of_service_graph(sample_data: Path) -> None:
    spans = tl.read(sample_data / "shop.otlp.jsonl.gz")
    figure = tl.plot_service_graph(spans)
    edge = tl.service_graph(spans).filter(caller="orders", callee="payments").row(0, named=True)
    calls, failed = ([text for text in trace.text if text] for trace in figure.data if trace.mode == "text")
    assert f"{edge['calls']:,}" in calls
    assert f"{edge['errors'] / edge['calls'] * 100:.0f} %" in failed
    hover = next(text for line in lines(figure) for text in line.hovertext if "orders → payments" in text)
    assert f"{edge['calls']:,} calls" in hover
    assert f"{edge['errors']:,} failed" in hover
    assert "p95 131 ms" in hover


def test_the_legend_says_what_width_color_and_marks_mean(sample_data: Path) -> None:
    figure = tl.plot_service_graph(tl.read(sample_data / "shop.otlp.jsonl.gz"))
    legend = {trace.name: trace for trace in figure.data if trace.showlegend}
    assert set(legend) == {
        "100 to 999 calls", "1,000 to 9,999 calls", "10,000 to 99,999 calls", "no more than 1 % failed",
        "more than 1 % failed", "service", "database", "queue",
    }  # fmt: skip
    assert legend["more than 1 % failed"].line.color == ERROR
    assert {line.line.width for line in lines(figure)} == {
        legend[name].line.width for name in legend if name.endswith("calls")
    }


def test_one_service_is_one_box() -> None:
    figure = tl.plot_service_graph(draw("api ===="))
    assert len(boxes(figure)) == 1
    assert figure.data[-1].text == ("api",)
    assert "No calls between services" in figure.layout.title.text


def test_sixty_services_are_sixty_boxes_that_do_not_overlap() -> None:
    calls = "\n".join(f"  svc-{n}::op  .==  kind=server" for n in range(59))
    figure = tl.plot_service_graph(draw(f"web::GET ===== kind=server\n{calls}"))
    assert len(boxes(figure)) == 60
    assert_clear(figure)
    heights = [box[3] - box[1] for box in boxes(figure)]
    assert figure.layout.height > 59 * min(heights)


def test_services_without_calls_fill_the_page() -> None:
    figure = tl.plot_service_graph(pl.concat([draw(f"s{n} ==") for n in range(60)]))
    assert len({box[0] for box in boxes(figure)}) == 4
    assert_clear(figure)


def test_loops_and_cycles_have_arrows_of_their_own() -> None:
    edges = tl.service_graph(LOOPS).select("caller", "callee").rows()
    assert {("web", "web"), ("web", "auth"), ("auth", "web")} <= set(edges)
    figure = tl.plot_service_graph(LOOPS)
    heads = {(note.x, note.y) for note in figure.layout.annotations if note.showarrow}
    assert len(heads) == len(edges)
    assert_clear(figure)


def test_long_names_are_cut_on_the_picture_and_whole_where_one_points() -> None:
    name = "a-service-" + "y" * 60
    figure = tl.plot_service_graph(TRACE.with_columns(service_name=pl.col("service_name") + name))
    assert all(len(text) < 40 for text in figure.data[-1].text)
    assert all(name in text for text in figure.data[-1].hovertext)


def test_plot_service_graph_says_how_many_edges_it_leaves_out(sample_data: Path) -> None:
    figure = tl.plot_service_graph(tl.read(sample_data / "shop.otlp.jsonl.gz"), first=3)
    assert "the first 3 of 12" in figure.layout.title.text
    assert sum(bool(note.showarrow) for note in figure.layout.annotations) == 3
