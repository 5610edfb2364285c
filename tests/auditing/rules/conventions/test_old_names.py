"""Old attribute names: who writes them, and what they are called now."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw


def old_names(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "old-attribute-names")


def test_old_http_names_are_found_with_their_new_names() -> None:
    spans = draw("""
        web::GET /pay ===== kind=server http.method=GET http.status_code=200
        web::render    ===
    """)
    (row,) = old_names(spans).to_dicts()
    assert (row["severity"], row["service_name"], row["count"], row["out_of"]) == ("warning", "web", 1, 2)
    assert "http.method (now http.request.method)" in row["finding"]
    assert "http.status_code (now http.response.status_code)" in row["finding"]
    assert "OTEL_SEMCONV_STABILITY_OPT_IN=http/dup" in row["fix"]


def test_new_names_are_no_finding() -> None:
    spans = draw("web ===== kind=server http.request.method=GET url.path=/ url.scheme=http")
    assert old_names(spans).height == 0


def test_libraries_are_told_apart() -> None:
    spans = draw("""
        web === http.method=GET
        web === db.system=redis
        web === http.request.method=GET
    """).with_columns(scope_name=pl.Series(["http", "redis", "new"]))
    found = old_names(spans).sort("library")
    assert found["library"].to_list() == ["http", "redis"]
    assert found["hop"].to_list() == ["http", "database"]
    assert found["out_of"].to_list() == [1, 1]
    assert "database/dup" in found["fix"][1]


def test_an_old_name_beside_its_new_one_is_a_migration_on_purpose() -> None:
    spans = draw("web === http.method=GET http.request.method=GET net.peer.name=db server.address=db")
    assert old_names(spans).height == 0


def test_names_that_moved_with_their_conventions_are_not_old() -> None:
    spans = draw("agent === gen_ai.operation.name=chat gen_ai.request.model=tiny gen_ai.usage.input_tokens=7")
    assert old_names(spans).height == 0


def test_names_that_any_program_may_use_are_not_old() -> None:
    spans = draw("web === state=open message.id=7 error.message=gone pool.name=a")
    assert old_names(spans).height == 0


def test_names_whose_successors_are_in_development_are_only_mentioned() -> None:
    found = old_names(draw("web === peer.service=bank kind=client").with_columns(scope_name=pl.lit("http")))
    assert found["severity"].to_list() == ["info"]


def test_a_resource_under_old_names_is_found() -> None:
    spans = draw("""
        web ===
        web ===
    """).with_columns(**{"resource.deployment.environment": pl.lit("live")})
    (row,) = old_names(spans).to_dicts()
    assert "deployment.environment (now deployment.environment.name)" in row["finding"]
    assert row["hop"] is None


def test_old_names_among_more_attributes_are_found() -> None:
    more = pl.lit([{"key": "span.http.method", "value": "GET"}]).cast(pl.Map(pl.String(), pl.String()))
    assert old_names(draw("web ===").with_columns(more_attributes=more)).height == 1


def test_each_language_reads_its_own_way_out() -> None:
    spans = draw("web === http.method=GET kind=server").with_columns(
        **{"resource.telemetry.sdk.language": pl.lit("java")}
    )
    assert "Java agent" in old_names(spans)["fix"].item()


def test_names_that_depend_on_the_kind_are_given_as_alternatives() -> None:
    found = old_names(draw("web === net.peer.name=bank kind=client"))
    assert "server.address or client.address" in found["finding"].item()


def test_what_reading_zipkin_makes_of_endpoints_is_nobodys_old_name() -> None:
    spans = draw("web === kind=server net.host.ip=10.0.0.1 net.peer.ip=10.0.0.2 net.peer.port=80")
    assert old_names(spans).height == 0
    assert old_names(spans.with_columns(scope_name=pl.lit("http"))).height == 1


def test_a_service_of_a_method_is_an_old_name_until_the_system_has_its_new_one() -> None:
    old, new = "rpc.system=grpc", "rpc.system.name=grpc"
    assert "rpc.service" in old_names(draw(f"api === {old} rpc.service=S rpc.method=M"))["finding"].item()
    assert old_names(draw(f"api === {new} {old} rpc.service=S rpc.method=S/M")).height == 0
