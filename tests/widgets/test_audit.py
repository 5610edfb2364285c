from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.auditing.handmade import finding, findings
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("""
web::GET /pay     ==========       kind=server
  gone::x
    bank::charge  ..======         kind=server
    bank::look    ........==       kind=server

web::GET /health  =                kind=server
""")
TRACES = SPANS["trace_id"].unique(maintain_order=True).to_list()
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def span(name: str) -> str:
    return str(SPANS.filter(name=name)["span_id"].item())


PAY, HEALTH = (SPANS.filter(name=name)["trace_id"].item() for name in ("GET /pay", "GET /health"))
MADE = findings(
    finding(
        "missing-parent", "error", "bank", caller="web", callee="bank", count=2, out_of=3, hop="http",
        exemplar_trace_ids=[PAY, PAY], exemplar_span_ids=[span("charge"), span("look")],
    ),
    finding(
        "clock-skew", "warning", "web", finding="The clock is late.",
        exemplar_trace_ids=[HEALTH, PAY], exemplar_span_ids=[span("GET /health"), span("GET /pay")],
    ),
    finding("missing-parent", "info", "web", explanation="sampling"),
)  # fmt: skip


def shown(**options: Any) -> tl.widgets.Audit:
    return tl.widgets.Audit(SPANS, findings=MADE, **options)


def told(audit: tl.widgets.Audit, **message: Any) -> None:
    """Say what the browser says."""
    audit._list._handle_custom_msg(message, None)


def chosen(audit: tl.widgets.Audit) -> int | None:
    return audit.selected_row


def listed(audit: tl.widgets.Audit) -> list[tuple[str, str]]:
    return [(row["severity"], row["rule"]) for row in audit._list.block["rows"]]


def test_audit_lists_its_findings_and_nothing_is_chosen() -> None:
    audit = shown()
    assert listed(audit) == [("error", "missing-parent"), ("warning", "clock-skew"), ("info", "missing-parent")]
    assert audit._list.block["rows"][0]["where"] == "web → bank"
    assert (audit._list.block["rows"][0]["count"], audit._list.block["rows"][0]["share"]) == ("2 of 3", "66.7 %")
    assert audit.selected.is_empty()
    assert audit.selected.schema == tl.audit(SPANS).schema
    assert audit.evidence.is_empty()
    assert audit.gantt is None
    assert audit._list.card == {}


def test_audit_audits_where_no_findings_are_passed() -> None:
    audit = tl.widgets.Audit(SPANS)
    assert audit.findings.equals(tl.audit(SPANS))
    assert repr(audit) == "Audit(1 finding)"


def test_audit_click_shows_the_exemplar_in_the_gantt_with_its_span_selected() -> None:
    audit = shown()
    told(audit, kind="open", row=0)
    assert chosen(audit) == 0
    assert audit.selected["rule"].to_list() == ["missing-parent"]
    assert audit.gantt is not None
    assert audit.gantt.trace_id == PAY
    assert audit.gantt.selected["name"].to_list() == ["charge"]
    assert audit.evidence["name"].to_list() == ["GET /pay", "charge", "look"]
    card = audit._list.card
    assert (card["rule"], card["title"]) == ("missing-parent", "The parent of a span is missing")
    assert card["facts"].startswith("2 of 3 spans · 66.7 % (20.8 % to 93.9 %, 95 % confidence) · web → bank · http")
    assert (card["exemplar"], card["before"], card["behind"]) == ("exemplar 1 of 2", False, True)


def test_audit_goes_from_exemplar_to_exemplar_and_no_further() -> None:
    audit = shown()
    audit.selected_row = 1
    gantt = audit.gantt
    assert gantt is not None
    for by, name in ((1, "GET /pay"), (1, "GET /pay"), (-1, "GET /health"), (-5, "GET /health")):
        told(audit, kind="step", by=by)
        assert audit.gantt is gantt
        assert gantt.selected["name"].to_list() == [name]
        assert gantt.trace_id == gantt.selected["trace_id"].item()
    audit.exemplar = 1
    assert (audit._list.card["before"], audit._list.card["behind"]) == (True, False)
    with pytest.raises(tl.TracelabError, match="There is no exemplar 2; this finding has 2, from 0"):
        audit.exemplar = 2


def test_audit_shows_another_finding_in_the_same_gantt_from_its_first_exemplar() -> None:
    audit = shown()
    audit.selected_row = 1
    audit.exemplar = 1
    gantt = audit.gantt
    assert gantt is not None
    gantt.filter_text = "nobody"
    gantt.fold_all()
    audit.selected_row = 0
    assert (audit.exemplar, audit.gantt) == (0, gantt)
    assert gantt.selected["name"].to_list() == ["charge"]
    assert "charge" in gantt.visible["name"]


def test_audit_closes_what_is_chosen() -> None:
    audit = shown()
    audit.selected_row = 0
    told(audit, kind="close")
    assert chosen(audit) is None
    assert audit.selected.is_empty()
    assert audit.gantt is None
    assert audit._list.card == {}
    assert audit._list.view["chosen"] is None


def test_audit_shows_a_finding_without_exemplars_and_one_whose_exemplars_are_elsewhere() -> None:
    audit = shown()
    audit.selected_row = 2
    assert audit.gantt is None
    assert audit._list.card["explanation"] == "Explained by: sampling"
    assert audit._notice.value == ""
    other = tl.widgets.Audit(SPANS.filter(trace_id=HEALTH), findings=MADE)
    other.selected_row = 0
    assert other.gantt is None
    assert "The spans hold none of its exemplars." in other._notice.value
    other.selected_row = 1
    assert other._notice.value == ""
    assert other._list.card["exemplar"] == "exemplar 1 of 1"


def test_audit_shows_both_parts_of_a_split_trace_as_one_and_says_so() -> None:
    spans, _ = tl.synthetic.generate_system(3, faults={"context-lost-http": 1})
    audit = tl.widgets.Audit(spans)
    audit.selected_row = int((audit.findings["rule"] == "split-trace").arg_true()[0])
    finding = audit.selected.row(0, named=True)
    gantt = audit.gantt
    assert gantt is not None
    call = gantt.selected.row(0, named=True)
    assert (call["trace_id"], call["span_id"]) == (finding["exemplar_trace_ids"][0], finding["exemplar_span_ids"][0])
    below = audit.evidence.filter(trace_id=call["trace_id"], parent_span_id=call["span_id"])
    assert below["service_name"].to_list() == [finding["callee"]]
    (root,) = below["span_id"]
    apart = spans.filter(span_id=root)["trace_id"].item()
    assert audit._list.card["note"].startswith("Two traces are shown as one: ")
    assert f"of {finding['callee']} began a trace of its own, {apart}, and" in audit._list.card["note"]


def test_audit_shows_what_was_lost_between_threads_below_its_request(sample_data: Path) -> None:
    audit = tl.widgets.Audit(tl.read(sample_data / "shop.otlp.jsonl.gz"))
    audit.selected_row = int((audit.findings["rule"] == "lost-in-process").arg_true()[0])
    gantt = audit.gantt
    assert gantt is not None
    assert gantt.selected["name"].to_list() == ["rank_products"]
    assert gantt.selected["depth"].to_list() == [4]
    assert gantt.visible["name"][0] == "GET /api/recommendations"
    assert "rank_products of recommender began a trace of its own" in audit._list.card["note"]


@pytest.mark.parametrize("row", [3, -1])
def test_audit_refuses_a_finding_that_is_not_there(row: int) -> None:
    audit = shown()
    audit.selected_row = 1
    with pytest.raises(tl.TracelabError, match=f"There is no finding {row}; there are 3 findings"):
        audit.selected_row = row
    assert chosen(audit) == 1


def test_audit_filters_by_severity_service_and_words() -> None:
    audit = shown()
    audit.severities = ("info", "error")
    assert listed(audit) == [("error", "missing-parent"), ("info", "missing-parent")]
    assert not audit._toggles["warning"].value
    assert "2 of 3 findings" in audit._counts.value
    audit._toggles["error"].value = False
    assert list(audit.severities) == ["info"]
    audit.severities = ("error", "warning", "info")
    audit.filter_text = "LATE clock"
    assert listed(audit) == [("warning", "clock-skew")]
    assert audit.visible["finding"].to_list() == ["The clock is late."]
    audit.filter_text = ""
    audit.service_name = "bank"
    assert listed(audit) == [("error", "missing-parent")]
    audit.service_name = "web"
    assert len(listed(audit)) == 3
    audit.service_name = "ban"
    assert listed(audit) == [("error", "missing-parent")]
    audit.service_name = "nobody"
    assert listed(audit) == []
    assert audit._list.view["note"] == "No finding is like that. Take a filter away."
    with pytest.raises(tl.TracelabError, match="`severities` must be of 'error', 'warning', 'info', got 'fatal'"):
        audit.severities = ("fatal",)


def test_audit_opens_what_is_clicked_in_a_filtered_list_and_keeps_it_where_filters_hide_it() -> None:
    audit = shown()
    audit.filter_text = "clock"
    told(audit, kind="open", row=0)
    assert chosen(audit) == 1
    audit.filter_text = "parent"
    assert audit.selected["rule"].to_list() == ["clock-skew"]
    assert [audit._list.view["chosen"]] == [None]
    audit.filter_text = ""
    assert audit._list.view["chosen"] == 1
    told(audit, kind="open", row=99)
    assert chosen(audit) == 1


def test_audit_sends_only_the_rows_in_view_however_many_findings_there_are() -> None:
    def sizes(count: int) -> int:
        made = findings(*[finding("unbounded-span-names", "warning", f"service-{n:05d}") for n in range(count)])
        audit = tl.widgets.Audit(SPANS, findings=made)
        audit._list.place = [count - 8, 1]
        block = audit._list.block
        assert block["first"] + len(block["rows"]) == count
        boxes = [part.get_state() for part in audit.children[0].children]
        return len(json.dumps([audit._list.block, audit._list.view, boxes], default=str))

    small, large = sizes(300), sizes(3_000)
    assert large < 1.1 * small < 60_000


def test_audit_brings_what_is_chosen_in_python_into_view() -> None:
    made = findings(*[finding("unbounded-span-names", "warning", f"s-{n}") for n in range(500)])
    audit = tl.widgets.Audit(SPANS, findings=made, rows=5)
    moves = audit._list.view["moves"]
    audit.selected_row = 400
    assert (audit._list.view["chosen"], audit._list.view["moves"]) == (400, moves + 1)
    assert "s-400" in [row["where"] for row in audit._list.block["rows"]]


def test_audit_shows_what_would_act_as_escapes() -> None:
    made = findings(
        finding("split-trace", "error", HOSTILE, caller=HOSTILE, callee=" ", finding=HOSTILE, fix=f"{HOSTILE}\nthen")
    )
    audit = tl.widgets.Audit(SPANS, findings=made)
    audit.selected_row = 0
    row, card = audit._list.block["rows"][0], audit._list.card
    escaped = r"<img src=x onerror=alert(1)>\u202e"
    assert row["where"] == f"{escaped} → (no name)"
    assert row["says"] == card["says"] == escaped
    assert card["fix"] == f"{escaped}\nthen"
    services = audit.children[0].children[3]
    assert escaped in services.options


def test_audit_of_nothing_says_so() -> None:
    none = tl.widgets.Audit(SPANS.filter(trace_id=HEALTH))
    assert none._list.view["note"] == "Nothing was found in 1 span of 1 service."
    assert "no findings" in none._counts.value
    empty = tl.widgets.Audit(SPANS.clear())
    assert empty._list.view["note"] == "There are no spans to audit."
    assert empty.findings.is_empty()


def test_audit_takes_any_frame_of_spans() -> None:
    expected = tl.widgets.Audit(SPANS).findings
    assert tl.widgets.Audit(SPANS.lazy()).findings.equals(expected)
    assert tl.widgets.Audit(SPANS.to_pandas()).findings.height == expected.height


@pytest.mark.parametrize("rows", [0, "a", None])
def test_audit_refuses_what_is_no_number_of_rows(rows: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`rows` must be"):
        shown(rows=rows)


def test_gantt_shows_a_trace_of_another_frame_in_the_figure_that_is_there() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    figure = gantt._canvas.figure
    gantt.selected_span_id = span("charge")
    other = generate(200, spans_per_trace=50)
    gantt.show(other)
    assert gantt.selected.is_empty()
    assert gantt.trace_id in other["trace_id"]
    assert len(gantt._controls.traces.box.options) == other["trace_id"].n_unique()
    gantt.show(SPANS.filter(trace_id=HEALTH), HEALTH)
    assert gantt.visible["name"].to_list() == ["GET /health"]
    gantt.show(SPANS.with_columns(pl.col("name") + "!"), HEALTH)
    assert gantt.visible["name"].to_list() == ["GET /health!"]
    assert gantt._canvas.figure is figure
    with pytest.raises(tl.TracelabError, match="There is no trace"):
        gantt.show(other, HEALTH)
    gantt.trace_id = PAY
    assert gantt.visible["name"].to_list() == ["GET /pay!", "charge!", "look!"]


def test_options_are_named_and_what_was_never_made_is_closed_without_a_word() -> None:
    with pytest.raises(TypeError, match="positional"):
        tl.widgets.Audit(SPANS, findings())  # type: ignore[call-arg]
    gc.collect()
