from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, shop_zipkin
from tests.loaders.elastic.test_documents import error, span, transaction
from tests.loaders.jaeger.test_elasticsearch import document as jaeger_document
from tests.loaders.jaeger.test_storage import storage_span
from tests.loaders.others.test_clickhouse import table_row
from tests.loaders.others.test_data_prepper import document as opensearch_document
from tracelab.errors import LoadError
from tracelab.loaders import json_reader, load_report, read
from tracelab.loaders.documents.envelopes import is_action
from tracelab.loaders.input import cutting

DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    "zipkin": shop_zipkin(),
    "clickhouse": [table_row(), table_row(SpanId="11" * 8)],
    "jaeger-elasticsearch": [jaeger_document(), jaeger_document("11" * 8)],
    "jaeger-storage-json": [storage_span(), storage_span("11" * 8)],
    "data-prepper": [opensearch_document(), opensearch_document("11" * 8)],
    "elastic-apm": [transaction(), error(), span()],
}


def hits(documents: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    found = [
        {"_index": "i", "_id": str(number), "_score": 1.0, "_source": each, "sort": [1]}
        for number, each in enumerate(documents)
    ]
    total = {"value": len(found), "relation": "eq"}
    return {"took": 1, "timed_out": False, "_shards": {"total": 1}, "hits": {"total": total, "hits": found}, **more}


def bulk(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    actions: list[dict[str, Any]] = [{"index": {}}, {"create": {"_index": "i", "_id": "1", "routing": "r"}}]
    return [line for number, each in enumerate(documents) for line in (actions[number % 2], each)]


def updates(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        line
        for each in documents
        for line in ({"update": {"_id": "1", "_index": "i"}}, {"doc": each, "doc_as_upsert": True})
    ]


def envelopes(documents: list[dict[str, Any]]) -> dict[str, bytes]:
    found = hits(documents)["hits"]["hits"]
    return {
        "search": compact(hits(documents)),
        "search as people print it": json.dumps(hits(documents), indent=2).encode(),
        "several searches": compact({"took": 2, "responses": [hits(documents[:1]), hits([]), hits(documents[1:])]}),
        "what Kibana shows of a search": compact({"isPartial": False, "rawResponse": hits(documents)}),
        "documents by their ids": compact({"docs": [{"_index": "i", "found": True, "_source": d} for d in documents]}),
        "lines of elasticdump": compact(*found),
        "a list of hits": compact(found),
        "printed hits one after another": b"\n".join(json.dumps(hit, indent=2).encode() for hit in found),
        "bulk": compact(*bulk(documents)),
        "bulk in one list": compact(bulk(documents)),
        "updates": compact(*updates(documents)),
    }


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("envelope", envelopes([]))
def test_documents_of_every_format_are_found_in_every_envelope(name: str, envelope: str) -> None:
    documents = DOCUMENTS[name]
    content = envelopes(documents)[envelope]
    assert_frame_equal(read(content, strict=True), read(compact(*documents)))
    report = load_report(content)
    assert report["format"].unique().to_list() == [name]
    assert report["lost_spans"].sum() == 0


def test_actions_of_a_bulk_file_are_counted_and_not_warned_of() -> None:
    documents = DOCUMENTS["clickhouse"]
    for content in (compact(*bulk(documents)), compact(bulk(documents))):
        report = load_report(content).filter(pl.col("problem") == "actions of a bulk file")
        assert report.select("action", "count", "lost_spans").rows() == [("skipped", 2, 0)]


def test_only_a_lone_key_over_what_concerns_storing_is_an_action() -> None:
    assert is_action({"index": {"_index": "i", "retry_on_conflict": 3}})
    assert is_action({"delete": {"_id": "1"}})
    others: list[dict[str, Any]] = [{"index": 3}, {"index": {"traceId": "1"}}, {"index": {}, "name": "x"}, {}]
    for other in [*others, {"span": {}}]:
        assert not is_action(other)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_search_too_large_to_be_held_is_cut_where_its_documents_stand(name: str) -> None:
    documents = DOCUMENTS[name]
    content = compact(hits(documents))
    with patch.object(json_reader, "LARGEST", 0), patch.object(cutting, "PIECE", 700):
        assert_frame_equal(read(content), read(compact(*documents)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (compact(hits([])), "answer to a search in Elasticsearch"),
        (compact(hits([{"message": "a log"}])), "answer to a search in Elasticsearch"),
        (compact(*bulk([{"message": "a log"}])), "Elasticsearch bulk file"),
        (compact({"_index": "i", "_source": {"message": "a log"}}), "documents of an Elasticsearch index"),
    ],
)
def test_envelopes_without_spans_are_refused_by_what_they_are(content: bytes, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        read(content)


def test_a_document_that_is_no_span_is_counted_as_lost_among_those_that_are() -> None:
    documents = [*DOCUMENTS["clickhouse"], {"message": "a log"}]
    report = load_report(compact(hits(documents), hits([])))
    assert report.filter(pl.col("problem") == "spans that are none").select("count", "first_place").row(0) == (
        1,
        "line 1, hits.hits[2]._source",
    )
    assert report.filter(pl.col("problem") == "spans")["count"].item() == 3
