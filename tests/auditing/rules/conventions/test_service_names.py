"""Spans of services without a name."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw


def unnamed(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "missing-service-name")


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:java", "unknown_service:/usr/bin/node", "", "  "])
def test_a_service_without_a_name_is_an_error(name: str) -> None:
    spans = draw("""
        web  ===
        none ===
    """).with_columns(service_name=pl.Series(["web", name]))
    (row,) = unnamed(spans).to_dicts()
    assert (row["severity"], row["count"]) == ("error", 1)


@pytest.mark.parametrize("name", ["unknown_services", "known", "unknown"])
def test_a_name_that_looks_alike_is_one(name: str) -> None:
    assert unnamed(draw("web ===").with_columns(service_name=pl.lit(name))).height == 0


def test_a_format_that_has_no_services_is_nobodys_fault() -> None:
    found = unnamed(draw("web ===").with_columns(service_name=pl.lit("unknown_service")))
    assert found["severity"].to_list() == ["info"]


def test_each_language_is_told_where_its_name_is_set() -> None:
    spans = draw("web ===").with_columns(
        **{"service_name": pl.lit("unknown_service:dotnet"), "resource.telemetry.sdk.language": pl.lit("dotnet")}
    )
    assert "AddService" in unnamed(spans)["fix"].item()
