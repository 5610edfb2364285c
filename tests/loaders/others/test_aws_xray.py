from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read

SAMPLES = Path(__file__).parents[1] / "samples"
TRACE = "1-69556400-a006649127e371903a2de979"
HEADER = '{"format": "json", "version": 1}\n'


def segment(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Write a segment document; None takes a field away."""
    content = {
        "trace_id": TRACE,
        "id": f"{number:016x}",
        "name": "shop",
        "start_time": 1767225600.125,
        "end_time": 1767225600.25,
        **fields,
    }
    return {key: value for key, value in content.items() if value is not None}


def problems_in(content: bytes) -> dict[str, int]:
    return dict(load_report(content).select("problem", "count").rows())


def by_name(spans: pl.DataFrame, name: str) -> dict[str, Any]:
    return spans.row(by_predicate=pl.col("name") == name, named=True)


def test_a_segment_and_its_subsegments_become_a_tree() -> None:
    spans = read(SAMPLES / "aws-xray.json")
    assert spans.select("name", "service_name", "kind", "status_code", "depth").rows() == [
        ("shop", "shop", "server", "error", 0),
        ("DynamoDB", "shop", "client", "unset", 1),
        ("charge", "shop", "internal", "error", 1),
        ("bank.example", "shop", "client", "error", 2),
        ("bank", "bank", "server", "unset", 3),
        ("ledger@db", "bank", "client", "unset", 4),
    ]
    assert spans["trace_id"].unique().to_list() == ["69556400a006649127e371903a2de979"]
    assert by_name(spans, "bank")["parent_span_id"] == "7b1f2b3c4d5e6f71"


def test_times_keep_the_digits_that_were_written() -> None:
    spans = read(SAMPLES / "aws-xray.json")
    assert spans["duration"].dt.total_nanoseconds()[0] == 500_123_500
    document = json.dumps(segment()).replace("1767225600.25}", "1767225600.250000007}")
    text = compact({"Id": "1", "Document": document})
    assert read(text)["duration"].dt.total_nanoseconds().to_list() == [125_000_007]
    assert problems_in(text) == {"spans": 1}
    assert problems_in(document.encode()) == {"spans": 1}


def test_what_the_collector_names_has_its_names_and_nothing_is_lost() -> None:
    spans = read(SAMPLES / "aws-xray.json")
    row = by_name(spans, "shop")
    expected = {
        "span.http.request.method": "GET",
        "span.http.response.status_code": 502,
        "span.url.full": "https://shop.example/pay?id=7",
        "span.client.address": "192.0.2.7",
        "span.enduser.id": "u-17",
        "span.tenant": "blue",
        "span.vip": True,
        "span.price": 9.5,
        "span.aws.xray.metadata.default": '{"basket": ["a", "b"]}',
        "span.aws.xray.fault": True,
        "resource.service.version": "3.1",
        "resource.cloud.account.id": "111122223333",
        "resource.container.name": "shop-1",
        "resource.telemetry.sdk.language": "python",
        "resource.aws.xray.origin": "AWS::ECS::Container",
    }
    assert {key: row[key] for key in expected} == expected
    call = by_name(spans, "DynamoDB")
    assert (call["span.aws.service"], call["span.aws.operation"], call["span.aws.xray.retries"]) == (
        "DynamoDB",
        "GetItem",
        1,
    )
    query = by_name(spans, "ledger@db")
    assert (query["span.db.connection_string"], query["span.db.name"]) == (
        "jdbc:postgresql://db.example:5432",
        "ledger",
    )
    other = read(compact(segment(precursor_ids=["a"], http={"request": {"method": "GET", "traced": True}})))
    assert (other["span.aws.xray.precursor_ids"].to_list(), other["span.http.request.traced"].item()) == ([["a"]], True)


def test_exceptions_become_events_and_a_cause_by_id_means_the_exception_of_another() -> None:
    spans = read(SAMPLES / "aws-xray.json")
    row = by_name(spans, "shop")
    [event] = row["events"]
    assert (event["name"], event["attributes"]["exception.type"]) == ("exception", "PaymentError")
    assert event["attributes"]["exception.stacktrace"].splitlines() == [
        "PaymentError: card refused",
        "\tat charge(pay.py: 17)",
        "\tat main(app.py: 5)",
    ]
    assert row["status_message"] == "card refused"
    assert by_name(spans, "charge")["status_message"] == "card refused"
    alone = read(compact(segment(cause="a1b2c3d4e5f60718")))
    assert alone.select("status_code", "status_message").row(0) == ("error", "a1b2c3d4e5f60718")


@pytest.mark.parametrize("flag", ["fault", "error", "throttle"])
def test_each_of_the_three_flags_is_an_error(flag: str) -> None:
    assert read(compact(segment(**{flag: True})))["status_code"].item() == "error"
    assert read(compact(segment(**{flag: False})))["status_code"].item() == "unset"


def test_a_segment_is_a_server_if_it_was_asked_or_has_a_parent() -> None:
    asked = segment(http={"request": {"method": "GET"}})
    for content, kind in ((asked, "server"), (segment(parent_id="ab" * 8), "server"), (segment(), "internal")):
        assert read(compact(content))["kind"].item() == kind


def test_the_ways_to_write_segments_give_one_frame() -> None:
    first = segment(1, subsegments=[segment(2, trace_id=None, name="inner", namespace="remote")])
    second = segment(3, parent_id=f"{2:016x}", name="bank")
    records = [{"Id": each["id"], "Document": json.dumps(each)} for each in (first, second)]
    trace = {"Id": TRACE, "Duration": 0.1, "Segments": records}
    spans = read(compact({"Traces": [trace], "UnprocessedTraceIds": []}))
    assert spans["depth"].to_list() == [0, 1, 2]
    objects = {**trace, "Segments": [{"Id": each["id"], "Document": each} for each in (first, second)]}
    for content in (
        compact(trace),
        compact(objects),
        compact(*records),
        compact(first, second),
        compact([first, second]),
        json.dumps({"Traces": [trace]}, indent=4).encode(),
        (HEADER + json.dumps(first) + "\n" + HEADER + json.dumps(second)).encode(),
        (HEADER + json.dumps(first, indent=1) + "\n" + HEADER + json.dumps(second, indent=1)).encode(),
    ):
        assert_frame_equal(read(content), spans)


def test_a_segment_in_progress_is_replaced_by_the_finished_one() -> None:
    started, finished = segment(end_time=None, in_progress=True), segment()
    dump = compact(started, finished)
    assert read(dump)["duration"].dt.total_milliseconds().to_list() == [125]
    assert problems_in(dump) == {"spans": 2, "spans in progress that were finished later": 1}
    with pytest.warns(LoadWarning, match="without an end"):
        assert read(compact(started))["span.aws.xray.inprogress"].to_list() == [True]


def test_a_subsegment_alone_gets_the_service_of_the_segment_above_it() -> None:
    above = segment(1)
    inner = [segment(2, type="subsegment", parent_id=f"{1:016x}"), segment(3, type="subsegment", parent_id=f"{2:016x}")]
    spans = read(compact(inner[1], inner[0], above))
    assert spans.select("service_name", "kind", "depth").rows() == [
        ("shop", "internal", 0),
        ("shop", "internal", 1),
        ("shop", "internal", 2),
    ]
    with pytest.warns(LoadWarning, match="without a process"):
        assert set(read(compact(*inner))["service_name"]) == {"unknown_service"}


def test_subsegments_that_are_each_others_parents_are_read() -> None:
    one = segment(1, type="subsegment", parent_id=f"{2:016x}")
    two = segment(2, type="subsegment", parent_id=f"{1:016x}")
    with pytest.warns(LoadWarning, match="cycles of parents"):
        assert read(compact(one, two)).height == 2


def test_what_the_server_left_out_is_told() -> None:
    trace = {"Id": TRACE, "LimitExceeded": True, "Segments": [{"Id": "1", "Document": json.dumps(segment())}]}
    dump = compact({"Traces": [trace], "UnprocessedTraceIds": ["1-1", "1-2"]})
    found = problems_in(dump)
    assert (found["traces that are not whole"], found["traces that the server did not send"]) == (1, 2)


def test_one_bad_segment_loses_no_other() -> None:
    records: list[Any] = [{"Id": "1", "Document": "{"}, 5, {"Id": "2", "Document": json.dumps(segment(2))}]
    dump = compact({"Traces": [{"Id": TRACE, "Segments": records}]})
    with pytest.warns(LoadWarning, match="spans that are none"):
        assert read(dump)["span_id"].to_list() == [f"{2:016x}"]
    assert problems_in(dump)["spans that are none"] == 2


def test_subsegments_may_be_nested_as_deep_as_json_can_be() -> None:
    content = segment(1)
    for number in range(2, 300):
        content = segment(number, subsegments=[content])
    assert read(compact(content))["depth"].max() == 298
    start = b'{"trace_id": "1-2", "id": "1", "name": "n", "start_time": 1, "subsegments": '
    with pytest.raises(LoadError, match="nested too deep"):
        read(start + b"[" * 9999 + b"]" * 9999 + b"}")


def test_summaries_of_traces_are_refused_with_a_hint() -> None:
    with pytest.raises(LoadError, match="batch-get-traces"):
        read(compact({"TraceSummaries": [{"Id": TRACE, "Duration": 1}]}))


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("key", ["TraceSegmentDocuments", None])
def test_documents_as_they_are_put_are_read(key: str | None, indent: int | None) -> None:
    call = segment(2, name="db", parent_id=f"{1:016x}", type="subsegment")
    texts = [json.dumps(segment()), json.dumps(call)]
    dump = json.dumps({key: texts} if key else texts, indent=indent).encode()
    spans = read(dump)
    assert spans.select("name", "service_name", "depth").rows() == [("shop", "shop", 0), ("db", "shop", 1)]
    assert_frame_equal(spans, read(b"\n".join(text.encode() for text in texts)))
    assert load_report(dump)["format"].unique().to_list() == ["aws-xray"]


@pytest.mark.parametrize("key", ["TraceSegmentDocuments", None])
def test_one_bad_text_among_those_that_are_put_loses_no_other(key: str | None) -> None:
    torn = json.dumps(segment(3))[:-9]
    texts: list[Any] = [json.dumps(segment()), torn, 5, None, "not a document", [], json.dumps(segment(2))]
    dump = compact({key: texts} if key else texts)
    with pytest.warns(LoadWarning, match="spans that are none"):
        assert read(dump).height == 2
    assert problems_in(dump)["spans that are none"] >= 4
    assert problems_in(dump)["JSON that cannot be read"] >= 1


@pytest.mark.parametrize("dump", [["a", "b"], ['{"trace_id": 5}'], {"TraceSegmentDocuments": ["x"]}])
def test_texts_of_something_else_are_no_documents(dump: Any) -> None:
    with pytest.raises(LoadError):
        read(json.dumps(dump).encode())
