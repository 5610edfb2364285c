"""Coverage: how many of the spans that should have an attribute have it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw


def of(spans: pl.DataFrame, attribute: str, **where: Any) -> dict[str, Any]:
    found = tl.attribute_coverage(spans).filter(pl.col("attribute") == attribute, **where)
    return found.row(0, named=True)


def wanted(spans: pl.DataFrame) -> set[str]:
    return set(tl.attribute_coverage(spans).filter(pl.col("domain") != "ids")["attribute"])


def test_an_http_server_span_should_have_what_the_conventions_require() -> None:
    spans = draw("web::GET === kind=server http.request.method=GET url.path=/pay")
    required = tl.attribute_coverage(spans).filter(pl.col("level") == "required")
    assert dict(required.select("attribute", "carried").rows()) == {
        "http.request.method": 1,
        "url.path": 1,
        "url.scheme": 0,
    }


def test_the_worst_comes_first_and_required_before_recommended() -> None:
    found = tl.attribute_coverage(draw("web::GET === kind=server http.request.method=GET url.path=/pay"))
    assert found["attribute"][0] == "url.scheme"
    assert found["level"].to_physical().is_sorted()


def test_old_names_are_counted_beside_new_ones() -> None:
    spans = draw("""
        shop::q === kind=client db.system=redis db.statement=get
        shop::q === kind=client db.system.name=redis
        shop::q === kind=client db.system.name=redis db.system=redis
    """)
    row = of(spans, "db.system.name")
    assert (row["spans"], row["carried"], row["old_name"], row["carried_old"]) == (3, 2, "db.system", 1)
    assert row["share_lower"] < row["share"] < row["share_upper"]


def test_the_peer_of_a_server_is_a_client() -> None:
    spans = draw("""
        web::GET   === kind=server http.request.method=GET net.peer.name=me
        web::call  === kind=client http.request.method=GET net.peer.name=bank
    """)
    assert of(spans, "server.address", span_kind="client")["old_name"] == "net.peer.name"
    assert of(spans, "server.address", span_kind="server")["old_name"] is None
    assert of(spans, "client.address", span_kind="server")["old_name"] == "net.peer.name"


def test_error_type_is_wanted_where_spans_failed_only() -> None:
    spans = draw("""
        web::GET  ===! kind=server http.request.method=GET
        web::GET  === kind=server http.request.method=GET
        web::GET  === kind=server http.request.method=GET http.response.status_code=500
    """)
    assert of(spans, "error.type")["spans"] == 2


def test_failed_spans_of_no_known_kind_should_say_their_error() -> None:
    row = of(draw("web::render ===!"), "error.type")
    assert (row["domain"], row["span_kind"], row["spans"], row["carried"]) == ("other", "internal", 1, 0)


def test_spans_that_did_not_fail_and_are_of_no_known_kind_want_nothing() -> None:
    assert wanted(draw("web::render ===")) == set()


def test_an_answer_is_wanted_where_one_came() -> None:
    spans = draw("""
        web::call  === kind=client http.request.method=GET http.response.status_code=200
        web::call  ===! kind=client http.request.method=GET
    """)
    row = of(spans, "http.response.status_code")
    assert (row["spans"], row["carried"]) == (1, 1)


def test_a_port_is_wanted_beside_an_address() -> None:
    spans = draw("""
        web::GET   === kind=server http.request.method=GET server.address=web server.port=80
        web::GET   === kind=server http.request.method=GET
    """)
    row = of(spans, "server.port")
    assert (row["spans"], row["carried"]) == (1, 1)


@pytest.mark.parametrize(
    ("picture", "attribute"),
    [
        ("api::q === kind=client db.system=redis", "db.query.text"),
        ("api::Get === kind=server rpc.system=grpc", "rpc.method"),
        ("api::send === kind=producer messaging.system=kafka", "messaging.operation.name"),
        ("api::take === kind=consumer messaging.system=kafka messaging.operation=process", "messaging.client.id"),
        ("api::q === kind=server graphql.document=x", "graphql.operation.name"),
        ("api::chat === kind=client gen_ai.request.model=tiny", "gen_ai.usage.output_tokens"),
        ("api::agent === gen_ai.operation.name=invoke_agent", "gen_ai.agent.name"),
        ("api::tool === gen_ai.operation.name=execute_tool", "gen_ai.tool.name"),
    ],
)
def test_each_domain_has_its_own_attributes(picture: str, attribute: str) -> None:
    assert attribute in wanted(draw(picture))


def test_a_database_over_http_is_a_database() -> None:
    spans = draw("api::search === kind=client db.system.name=elasticsearch http.request.method=GET url.full=http://e")
    assert "url.full" not in wanted(spans)


def test_who_and_what_a_request_is_about_may_stand_on_any_span_of_the_service() -> None:
    spans = draw("""
        web::GET       ======  kind=server
          web::render  .=      user.id=7
          bank::pay    ...==   kind=server order.id=3
    """)
    assert of(spans, "user.id", service_name="web")["share"] == 1
    assert of(spans, "user.id", service_name="bank")["share"] == 0
    assert of(spans, "order.id", service_name="web")["share"] == 0
    assert of(spans, "order.id", service_name="bank")["share"] == 1


def test_ids_of_an_order_are_wanted_only_where_the_trace_has_one() -> None:
    spans = draw("""
        web::GET === kind=server app.order_id=3

        web::GET === kind=server
    """)
    assert of(spans, "app.order_id")["spans"] == 1
    assert of(spans, "user.id")["spans"] == 2


def test_no_spans_give_no_rows_with_the_same_columns() -> None:
    spans = draw("web ===")
    assert tl.attribute_coverage(spans.clear()).schema == tl.attribute_coverage(spans).schema


def test_attributes_among_the_rest_count_too() -> None:
    more = pl.lit([{"key": "span.http.request.method", "value": "GET"}]).cast(pl.Map(pl.String(), pl.String()))
    row = of(draw("web::GET === kind=server").with_columns(more_attributes=more), "http.request.method")
    assert row["carried"] == 1


def test_a_lazy_frame_gives_the_same() -> None:
    spans = draw("web::GET === kind=server http.request.method=GET")
    assert tl.attribute_coverage(spans.lazy()).equals(tl.attribute_coverage(spans))
