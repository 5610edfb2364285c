from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.auditing.handmade import finding, findings
from tests.figures.every import TRACE
from tracelab.colors import ERROR
from tracelab.errors import SchemaError
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

    import plotly.graph_objects as go

SHOP = draw("""
web::GET /        ==========      kind=server
  web::POST       .========       kind=client
    bank::charge  ..======        kind=server
  web::GET        ........==      kind=client
    stock::look   ........=       kind=server
""")
SPLIT = finding("split-trace", "error", "web", caller="web", callee="mail", count=30, out_of=40)


def title(figure: go.Figure) -> str:
    return str(figure.layout.title.text)


def lines(figure: go.Figure) -> dict[str, Any]:
    """List the lines of edges by what they say of the edge."""
    found = {}
    for line in figure.data:
        if line.mode == "lines" and line.x != (None,):
            for text in line.hovertext:
                found[text.partition("</b>")[0].removeprefix("<b>")] = (line, text)
    return found


def badges(figure: go.Figure) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (trace.marker.color, trace.text)
        for trace in figure.data
        if trace.mode == "markers+text" and trace.textposition == "middle center"
    ]


def legend(figure: go.Figure) -> set[str]:
    return {trace.name for trace in figure.data if trace.showlegend}


def test_a_broken_edge_is_red_with_its_count_and_share_and_others_are_not() -> None:
    lost = finding("missing-client-span", "warning", "web", caller="web", callee="bank", count=3, out_of=4)
    figure = tl.plot_audit(SHOP, findings=findings(lost))
    edges = lines(figure)
    line, text = edges["web → bank"]
    assert (line.line.color, line.line.dash) == (ERROR, "solid")
    assert edges["web → stock"][0].line.color != ERROR
    assert "1 call<br>" in text
    assert "<b>warning: missing-client-span</b>, share 30.1 % to 95.4 %" in text
    assert "3 of 4 spans of web and bank show it." in text
    assert "What to do: Mend missing-client-span of web" in text
    below = next(trace for trace in figure.data if trace.mode == "text" and trace.textposition == "bottom center")
    assert sorted(below.text) == ["", "3 · 75 %"]
    heads = {note.arrowcolor for note in figure.layout.annotations}
    assert len(heads) == 2
    assert ERROR in heads


def test_an_edge_that_no_trace_holds_is_drawn_dashed() -> None:
    figure = tl.plot_audit(SHOP, findings=findings(SPLIT))
    line, text = lines(figure)["web → mail"]
    assert (line.line.color, line.line.dash) == (ERROR, "dash")
    assert "no trace holds such a call" in text
    assert "no trace holds both sides" in legend(figure)
    assert "mail" in figure.data[-2].text or any("mail" in (trace.text or ()) for trace in figure.data)


def test_an_edge_whose_calls_end_at_the_caller_is_dashed_though_the_callee_is_known() -> None:
    spans = pl.concat([
        draw("web::GET ==== kind=client peer.service=mail"),
        draw("mail::send ===== kind=server").with_columns(trace_id=pl.lit("f" * 32)),
    ], how="diagonal")  # fmt: skip
    figure = tl.plot_audit(spans, findings=findings(SPLIT))
    line, text = lines(figure)["web → mail"]
    assert line.line.dash == "dash"
    assert "1 call<br>" in text


def test_what_is_lost_between_threads_is_a_loop_of_its_service() -> None:
    lost = finding("lost-in-process", "error", "bank", hop="in-process")
    line, text = lines(tl.plot_audit(SHOP, findings=findings(lost)))["bank → bank"]
    assert (line.line.color, line.line.dash) == (ERROR, "dash")
    assert "error: lost-in-process" in text


def test_what_is_explained_is_grey_and_dotted_and_says_why() -> None:
    known = finding("missing-parent", "info", "bank", caller="web", callee="bank", explanation="sampling")
    figure = tl.plot_audit(SHOP, findings=findings(known))
    line, text = lines(figure)["web → bank"]
    assert (line.line.color, line.line.dash) == ("#808080", "dot")
    assert "Explained by: sampling." in text
    assert title(figure).startswith("Where context breaks: 1 for information")


def test_a_finding_that_loses_no_context_is_not_red() -> None:
    skew = finding("clock-skew", "warning", "bank", caller="web", callee="bank")
    line, _ = lines(tl.plot_audit(SHOP, findings=findings(skew)))["web → bank"]
    assert line.line.color not in {ERROR, "#808080"}
    both = tl.plot_audit(SHOP, findings=findings(skew, {**SPLIT, "callee": "bank"}))
    line, text = lines(both)["web → bank"]
    assert line.line.color == ERROR
    assert text.index("error: split-trace") < text.index("warning: clock-skew")
    assert any("30 · 75 % +1" in (trace.text or ()) for trace in both.data)


def test_services_have_badges_that_count_their_findings_by_severity() -> None:
    many = [finding("unbounded-span-names", "warning", "bank", detail=str(place)) for place in range(120)]
    made = findings(SPLIT, finding("client-root", "error", "web"), *many, finding("short-trace-id", "info", "bank"))
    figure = tl.plot_audit(SHOP, findings=made)
    assert badges(figure) == [(ERROR, ("2",)), ("#c77700", ("99+",)), ("#808080", ("1",))]
    assert {"errors of a service", "warnings", "for information"} <= legend(figure)
    assert title(figure).startswith("Where context breaks: 2 errors, 120 warnings, 1 for information")
    said = next(trace.hovertext[0] for trace in figure.data if trace.text == ("99+",))
    assert said.startswith("<b>bank</b><br>service")
    assert said.endswith("and 116 more findings")


def test_without_findings_it_says_that_nothing_was_found() -> None:
    figure = tl.plot_audit(SHOP)
    assert title(figure).startswith("Where context breaks: no findings<br>")
    assert "Nothing was found in 5 spans of 3 services; Numbers: calls" in title(figure)
    assert badges(figure) == []


def test_one_service_and_one_span_are_one_box() -> None:
    figure = tl.plot_audit(draw("api ==="))
    assert len(figure.layout.shapes) == 1
    assert "Nothing was found in 1 span of 1 service; No calls between services" in title(figure)


def test_no_spans_are_said_to_be_none() -> None:
    figure = tl.plot_audit(TRACE.clear())
    assert title(figure) == "Where context breaks"
    assert [note.text for note in figure.layout.annotations] == ["No spans"]


def test_it_audits_the_spans_where_no_findings_are_passed() -> None:
    assert tl.plot_audit(TRACE).to_json() == tl.plot_audit(TRACE, findings=tl.audit(TRACE)).to_json()


def test_findings_may_be_lazy_or_of_pandas() -> None:
    found = tl.audit(TRACE)
    expected = tl.plot_audit(TRACE, findings=found).to_json()
    assert tl.plot_audit(TRACE, findings=found.lazy()).to_json() == expected
    assert tl.plot_audit(TRACE, findings=found.to_pandas()).to_json() == expected


def test_findings_that_hold_something_else_are_refused() -> None:
    with pytest.raises(SchemaError, match="`findings` holds what no audit gives"):
        tl.plot_audit(TRACE, findings=tl.audit(TRACE).with_columns(severity=pl.lit("dreadful")))


def test_a_hundred_services_are_a_picture_in_which_only_what_is_broken_has_numbers() -> None:
    calls = [
        draw(f"s{n}::op === kind=server\n  s{(n * 3 + 1) % 100}::op .= kind=server").with_columns(
            trace_id=pl.lit(f"{n + 1:032x}")
        )
        for n in range(100)
    ]
    lost = [
        finding("missing-client-span", "error", f"s{n}", caller=f"s{n}", callee=f"s{(n * 3 + 1) % 100}")
        for n in range(0, 100, 10)
    ]
    figure = tl.plot_audit(pl.concat(calls), findings=findings(*lost))
    boxes = [(box.x0, box.y0, box.x1, box.y1) for box in figure.layout.shapes]
    assert len(boxes) == 100
    for (x0, y0, x1, y1), (u0, v0, u1, v1) in combinations(boxes, 2):
        assert x1 < u0 or u1 < x0 or y1 < v0 or v1 < y0
    below = next(trace for trace in figure.data if trace.mode == "text" and trace.textposition == "bottom center")
    assert len(below.text) == 10


def test_broken_edges_are_the_first_that_are_drawn() -> None:
    figure = tl.plot_audit(SHOP, findings=findings(SPLIT), first=1)
    assert list(lines(figure)) == ["web → mail"]
    assert "the first 1 of 3 edges" in title(figure)
    lonely = findings(*(finding("invalid-id", "warning", name) for name in ("web", "bank", "stock")))
    assert "1 service with findings is left out" in title(tl.plot_audit(SHOP, findings=lonely, first=1))


def test_the_sample_shop_is_drawn_within_the_width_of_a_cell(sample_data: Path) -> None:
    figure = tl.plot_audit(tl.read(sample_data / "shop.otlp.jsonl.gz"))
    assert figure.layout.width is None
