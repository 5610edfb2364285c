from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tracelab.analysis import latency_percentiles, trace_latency_percentiles
from tracelab.errors import SchemaError, TracelabError
from tracelab.synthetic import draw


def lasting(*milliseconds: int, name: str = "api") -> str:
    return "\n\n".join(f"{name} {'=' * length}" for length in milliseconds)


def ms(length: float) -> timedelta:
    return timedelta(milliseconds=length)


def test_latency_percentiles_interpolate_between_the_two_nearest_spans() -> None:
    answer = latency_percentiles(draw(lasting(1, 2, 3, 4, 10)), quantiles=[0, 0.5, 0.9, 1])
    assert answer["duration"].to_list() == [ms(1), ms(3), ms(7.6), ms(10)]
    assert answer.columns == ["service_name", "quantile", "duration", "lower", "upper", "count", "exemplar_trace_id"]


def test_latency_percentiles_have_an_interval_only_where_there_are_spans_enough() -> None:
    five = latency_percentiles(draw(lasting(1, 2, 3, 4, 5)), quantiles=[0.5])
    six = latency_percentiles(draw(lasting(1, 2, 3, 4, 5, 6)), quantiles=[0.5, 0.99])
    assert five.select("lower", "upper").row(0) == (None, None)
    assert six.select("lower", "upper").rows() == [(ms(1), ms(6)), (None, None)]


def test_latency_percentiles_name_the_trace_nearest_to_the_quantile() -> None:
    answer = latency_percentiles(draw(lasting(5, 9, 1)), quantiles=[0.5, 1.0])
    assert answer["exemplar_trace_id"].to_list() == [f"{1:032x}", f"{2:032x}"]


def test_latency_percentiles_name_the_smallest_of_the_traces_that_last_equally_long() -> None:
    spans = draw(lasting(2, 2, 2, 3))
    assert latency_percentiles(spans.reverse(), quantiles=[0.5])["exemplar_trace_id"].item() == f"{1:032x}"


def test_latency_percentiles_look_at_entries_unless_told_otherwise() -> None:
    spans = draw("""
        web       ====
          web::in .==
          db::get .=
    """)
    assert latency_percentiles(spans, by="name", quantiles=[0.5])["name"].to_list() == ["get", "web"]
    everything = latency_percentiles(spans, by="name", quantiles=[0.5], entry_only=False)
    assert everything["name"].to_list() == ["get", "in", "web"]


def test_latency_percentiles_take_attributes_expressions_and_lists() -> None:
    spans = draw("""
        GET == http.route=/a http.response.status_code=200

        PUT ==== http.route=/b http.response.status_code=500
    """)
    by_route = latency_percentiles(spans, by="http.route", quantiles=[0.5])
    assert by_route["http.route"].to_list() == ["/a", "/b"]
    status = (pl.col("span.http.response.status_code") // 100).alias("class")
    by_both = latency_percentiles(spans, by=["span.http.route", status], quantiles=[0.5])
    assert by_both.select("span.http.route", "class").rows() == [("/a", 2), ("/b", 5)]
    assert latency_percentiles(spans, by=None, quantiles=[0.5])["count"].to_list() == [2]


def test_latency_percentiles_keep_spans_without_the_attribute_together_and_last() -> None:
    spans = draw("GET == http.route=/a\n\nGET ===\n\nGET ====")
    answer = latency_percentiles(spans, by="http.route", quantiles=[0.5])
    assert answer.select("http.route", "count").rows() == [("/a", 1), (None, 2)]


def test_latency_percentiles_find_attributes_that_have_no_column() -> None:
    spans = draw("GET ==").with_columns(
        more_attributes=pl.Series([[{"key": "span.user.tier", "value": "gold"}]]).cast(pl.Map(pl.String(), pl.String()))
    )
    assert latency_percentiles(spans, by="user.tier", quantiles=[0.5])["user.tier"].to_list() == ["gold"]


def test_latency_percentiles_put_spans_into_windows_of_their_start() -> None:
    spans = draw(lasting(1, 2, 3, 4), start=datetime(2026, 1, 1, 10, 59, 58, tzinfo=UTC))
    answer = latency_percentiles(spans, by="name", every="1m", quantiles=[0.5])
    begin = datetime(2026, 1, 1, 10, 59, tzinfo=UTC)
    assert answer.select("window", "duration", "count").rows() == [
        (begin, ms(1.5), 2),
        (begin + timedelta(minutes=1), ms(3.5), 2),
    ]


def test_latency_percentiles_say_what_is_wrong() -> None:
    spans = draw("api =")
    with pytest.raises(TracelabError, match=r"between 0 and 1, got 95\. The 95th percentile is 0\.95"):
        latency_percentiles(spans, quantiles=[95])
    with pytest.raises(TracelabError, match="`confidence`"):
        latency_percentiles(spans, confidence=95)
    with pytest.raises(TracelabError, match=r"`every` must be a length of time, got 'often'"):
        latency_percentiles(spans, every="often")
    with pytest.raises(SchemaError, match="Did you mean 'service_name'"):
        latency_percentiles(spans, by="service")
    with pytest.raises(TracelabError, match="have one name"):
        latency_percentiles(spans, by=["name", "name"])


def test_trace_latency_percentiles_measure_from_first_start_to_last_end() -> None:
    spans = draw("""
        web        .=====
          mail     ....======
          early    ==
    """)
    answer = trace_latency_percentiles(spans, quantiles=[0.5])
    assert answer.select("service_name", "name", "duration", "count").rows() == [("web", "web", ms(10), 1)]


def test_trace_latency_percentiles_read_keys_from_the_root() -> None:
    spans = draw("""
        lost
          early    ====
        web        .===== http.route=/pay
          db       ..== http.route=/no
    """)
    assert trace_latency_percentiles(spans, by="http.route")["http.route"].unique().to_list() == ["/pay"]
