"""Attributes of resources on spans, and of spans on resources."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw


def wrong(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "attribute-at-wrong-level")


def test_a_service_name_on_a_span_is_found() -> None:
    spans = draw("""
        web === service.name=web
        web ===
    """).with_columns(**{"resource.telemetry.sdk.language": pl.lit("go")})
    (row,) = wrong(spans).to_dicts()
    assert (row["severity"], row["count"], row["out_of"]) == ("warning", 1, 2)
    assert "service.name" in row["finding"]
    assert "sdktrace.WithResource" in row["fix"]


def test_a_method_on_a_resource_is_found() -> None:
    spans = draw("web ===").with_columns(**{"resource.http.request.method": pl.lit("GET")})
    assert wrong(spans)["severity"].to_list() == ["warning"]


def test_a_format_without_resources_has_no_wrong_level() -> None:
    assert wrong(draw("web === service.name=web telemetry.sdk.language=go")).height == 0


def test_the_pod_that_a_span_is_about_is_only_mentioned() -> None:
    spans = draw("controller === k8s.pod.name=web-7").with_columns(**{"resource.service.version": pl.lit("1")})
    assert wrong(spans)["severity"].to_list() == ["info"]


def test_attributes_at_their_own_level_are_no_finding() -> None:
    spans = draw("web === http.request.method=GET kind=server").with_columns(
        **{"resource.service.version": pl.lit("1"), "resource.host.name": pl.lit("a")}
    )
    assert wrong(spans).height == 0


def test_the_host_on_a_span_is_found() -> None:
    spans = draw("web === host.name=node-7").with_columns(**{"resource.service.version": pl.lit("1")})
    assert wrong(spans)["severity"].to_list() == ["warning"]
