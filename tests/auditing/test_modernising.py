"""Modernising: old names become new ones, and nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw

MAP = pl.Map(pl.String(), pl.String())


def rest(*spans: dict[str, str]) -> pl.DataFrame:
    """Draw spans whose attributes live among the rest."""
    pairs = [[{"key": key, "value": value} for key, value in span.items()] for span in spans]
    frame = draw("\n".join(["web === kind=client"] * len(spans)))
    return frame.with_columns(
        more_attributes=pl.Series(pairs, dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.String}))).cast(MAP)
    )


def attributes(spans: pl.DataFrame, row: int = 0) -> dict[str, Any]:
    """List the attributes of a span, wherever they live."""
    columns = {name: spans[name][row] for name in spans.columns if name.startswith(("span.", "resource."))}
    pairs = spans["more_attributes"].map.entries().to_list()[row] or []
    return {name: value for name, value in columns.items() if value is not None} | {
        pair["key"]: pair["value"] for pair in pairs
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http.method=GET", {"http.request.method": "GET"}),
        ("http.status_code=200", {"http.response.status_code": 200}),
        ("http.target=/a/b?c=d&e#f", {"url.path": "/a/b", "url.query": "c=d&e"}),
        ("http.target=/a", {"url.path": "/a"}),
        ("http.host=shop:8080", {"server.address": "shop", "server.port": 8080}),
        ("http.host=[::1]:80", {"server.address": "::1", "server.port": 80}),
        ("http.flavor=1.1", {"network.protocol.version": 1.1}),
        ("http.flavor=HTTP/2.0", {"network.protocol.version": "2"}),
        ("http.flavor=QUIC", {"network.protocol.name": "quic"}),
        ("net.peer.name=bank", {"server.address": "bank"}),
        ('net.peer.port="443"', {"server.port": 443}),
        ("net.transport=ip_tcp", {"network.transport": "tcp"}),
        ("net.sock.family=inet6", {"network.type": "ipv6"}),
        ("db.system=mssql", {"db.system.name": "microsoft.sql_server"}),
        ("db.system=oracle", {"db.system.name": "oracle.db"}),
        ("db.system=postgresql", {"db.system.name": "postgresql"}),
        ("db.redis.database_index=1", {"db.namespace": "1"}),
        ("rpc.system=grpc rpc.service=S rpc.method=M", {"rpc.system.name": "grpc", "rpc.method": "S/M"}),
        ("rpc.grpc.status_code=5", {"rpc.status_code": "NOT_FOUND"}),
        ("rpc.response.status_code=OK", {"rpc.status_code": "OK"}),
        ("code.namespace=a.B code.function=c", {"code.function.name": "a.B.c"}),
        ("code.function=c", {"code.function.name": "c"}),
        ("messaging.operation=publish", {"messaging.operation.type": "send"}),
        ("messaging.destination=mails", {"messaging.destination.name": "mails"}),
        ("gen_ai.system=vertex_ai", {"gen_ai.provider.name": "gcp.vertex_ai"}),
        ("peer.service=bank", {"service.peer.name": "bank"}),
    ],
)
def test_an_old_attribute_becomes_its_new_one(old: str, new: dict[str, Any]) -> None:
    spans = draw(f"web === kind=client {old}")
    found = attributes(tl.modernise(spans))
    assert {key: str(value) for key, value in found.items()} == {f"span.{key}": str(new[key]) for key in new}
    text = {name: str(value) for name, value in attributes(spans).items()}
    among = attributes(tl.modernise(rest(text)))
    assert among == {f"span.{key}": str(value) for key, value in new.items()}


@pytest.mark.parametrize(
    "kept",
    [
        "db.user=ada",
        "enduser.role=admin",
        "http.flavor=spry",
        "http.request_content_length=7",
        "rpc.grpc.status_code=99",
        "code.namespace=a.B",
        "net.transport=inproc",
        "state=open",
        "rpc.service=S rpc.method=T/M",
    ],
)
def test_what_has_no_successor_stays(kept: str) -> None:
    spans = draw(f"web === kind=client {kept}")
    assert attributes(tl.modernise(spans)) == attributes(spans)


def test_the_kind_of_a_span_says_whose_peer_it_is() -> None:
    spans = draw("""
        web === kind=server   net.peer.name=me
        web === kind=client   net.peer.name=bank
        web === kind=consumer net.peer.name=broker
        web === kind=internal net.peer.name=whoever
    """)
    modern = tl.modernise(spans)
    assert modern["span.client.address"].to_list() == ["me", None, None, None]
    assert modern["span.server.address"].to_list() == [None, "bank", "broker", None]
    assert modern["span.net.peer.name"].to_list() == [None, None, None, "whoever"]


def test_a_new_value_is_never_overwritten() -> None:
    spans = draw("""
        web === http.method=GET http.request.method=POST
        web === http.method=GET http.request.method=GET
        web === http.method=GET
    """)
    modern = tl.modernise(spans)
    assert modern["span.http.request.method"].to_list() == ["POST", "GET", "GET"]
    assert modern["span.http.method"].to_list() == ["GET", None, None]


def test_a_new_value_among_the_rest_is_not_overwritten_either() -> None:
    spans = rest({"span.http.request.method": "POST"}).with_columns(**{"span.http.method": pl.lit("GET")})
    assert attributes(tl.modernise(spans)) == {"span.http.method": "GET", "span.http.request.method": "POST"}


def test_an_old_value_among_the_rest_goes_to_the_column_of_its_new_name() -> None:
    spans = rest({"span.http.status_code": "200", "span.http.status_code:type": "int"}, {}).with_columns(
        **{"span.http.response.status_code": pl.Series([None, 404])}
    )
    modern = tl.modernise(spans)
    assert modern["span.http.response.status_code"].to_list() == [200, 404]
    assert attributes(modern) == {"span.http.response.status_code": 200}


def test_types_among_the_rest_move_along() -> None:
    spans = rest({"span.http.status_code": "200", "span.http.status_code:type": "int", "span.other": "x"})
    assert attributes(tl.modernise(spans)) == {
        "span.http.response.status_code": "200",
        "span.http.response.status_code:type": "int",
        "span.other": "x",
    }


def test_a_value_that_does_not_fit_stays_under_its_old_name() -> None:
    spans = draw("web === http.status_code=teapot").with_columns(
        **{"span.http.response.status_code": pl.lit(None, dtype=pl.Int64)}
    )
    assert attributes(tl.modernise(spans)) == {"span.http.status_code": "teapot"}


def test_a_column_of_several_types_is_renamed_with_them_or_not_at_all() -> None:
    spans = draw("web ===").with_columns(**{"span.db.name": pl.lit("7"), "span.db.name:type": pl.lit("int")})
    assert attributes(tl.modernise(spans)) == {"span.db.namespace": "7", "span.db.namespace:type": "int"}
    both = spans.with_columns(**{"span.db.namespace": pl.lit("shop")})
    assert attributes(tl.modernise(both)) == attributes(both)


def test_ports_that_are_now_text_and_now_numbers_become_numbers() -> None:
    spans = draw("""
        web === kind=client
        web === kind=internal
    """).with_columns(
        **{"span.net.peer.port": pl.Series(["80", "81"]), "span.net.peer.port:type": pl.Series(["int", "string"])}
    )
    modern = tl.modernise(spans)
    assert attributes(modern, 0) == {"span.server.port": 80}
    assert attributes(modern, 1) == {"span.net.peer.port": "81", "span.net.peer.port:type": "string"}


def test_lists_are_renamed_as_they_are() -> None:
    spans = draw("web ===").with_columns(
        **{"span.db.cosmosdb.regions_contacted": pl.Series([["a", "b"]], dtype=pl.List(pl.String))}
    )
    (column,) = [name for name in tl.modernise(spans).columns if name.startswith("span.")]
    assert column == "span.azure.cosmosdb.operation.contacted_regions"


def test_resources_are_modernised_too() -> None:
    spans = draw("web ===").with_columns(**{"resource.deployment.environment": pl.lit("live")})
    assert attributes(tl.modernise(spans)) == {"resource.deployment.environment.name": "live"}


def test_the_first_of_several_old_names_wins_and_the_others_stay_where_they_differ() -> None:
    spans = draw("web === kind=server net.host.name=web http.server_name=web:80 http.host=web")
    assert attributes(tl.modernise(spans)) == {"span.server.address": "web", "span.http.server_name": "web:80"}


def test_doing_it_twice_changes_nothing() -> None:
    spans = tl.read("sample_data/shop.otlp.jsonl.gz", progress=False)
    once = tl.modernise(spans)
    assert tl.modernise(once).equals(once)
    assert once.height == spans.height
    assert once["span_id"].equals(spans["span_id"])
    left = {name for name in once.columns if name.startswith("span.")}
    assert not left & {"span.http.method", "span.db.system", "span.rpc.system", "span.net.peer.name"}


def test_the_audit_has_nothing_left_to_say_of_what_was_modernised() -> None:
    spans = tl.read("sample_data/shop.otlp.jsonl.gz", progress=False)
    left = tl.audit(tl.modernise(spans)).filter(pl.col("rule").is_in(["old-attribute-names", "mixed-attribute-names"]))
    # `http.server_name` holds a port, and says something else than `net.host.name`: it stays.
    assert left.select("rule", "severity", "service_name").rows() == [("mixed-attribute-names", "info", "recommender")]


def test_a_lazy_frame_gives_a_lazy_frame() -> None:
    spans = draw("web === http.method=GET")
    modern = tl.modernise(spans.lazy())
    assert isinstance(modern, pl.LazyFrame)
    assert modern.collect().equals(tl.modernise(spans))


def test_what_is_modern_already_stays_as_it_is() -> None:
    spans = tl.synthetic.generate(1_000).drop("span.rpc.system", "span.rpc.service")
    assert tl.modernise(spans).equals(spans)


def test_no_spans_are_no_trouble() -> None:
    spans = draw("web === http.method=GET db.system=mssql").clear()
    assert tl.modernise(spans).height == 0


def test_types_that_stand_there_without_their_attribute_are_no_trouble() -> None:
    spans = draw("web === http.method=GET").with_columns(pl.lit("int").alias("span.net.peer.port:type"))
    assert tl.modernise(spans)["span.http.request.method"].to_list() == ["GET"]
