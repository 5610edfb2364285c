from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import comb
from typing import Any

import polars as pl
import pytest

from tracelab.analysis import latency_percentiles, trace_latency_percentiles
from tracelab.errors import SchemaError, TracelabError
from tracelab.synthetic import draw, generate


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
    assert six.select("lower", "upper").rows() == [(ms(1), ms(6)), (ms(5), None)]


def test_latency_percentiles_say_at_least_or_at_most_where_there_are_spans_for_one_bound() -> None:
    answer = latency_percentiles(draw(lasting(*range(1, 61))), quantiles=[0.01, 0.5, 0.99])
    assert answer.select("lower", "upper").rows() == [(None, ms(3)), (ms(22), ms(39)), (ms(58), None)]


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("count", [2, 20, 60])
def test_a_bound_alone_is_wrong_in_half_of_what_the_confidence_leaves_at_most(count: int, confidence: float) -> None:
    spans = draw(lasting(*range(1, count + 1)))
    answer = latency_percentiles(spans, quantiles=[0.02, 0.9, 0.98], confidence=confidence)
    alone = answer.filter(pl.col("lower").is_null() != pl.col("upper").is_null())
    assert not alone.is_empty()
    for quantile, lower, upper in alone.select("quantile", "lower", "upper").rows():
        below = [comb(count, k) * quantile**k * (1 - quantile) ** (count - k) for k in range(count + 1)]
        # A lower bound in place n is wrong if fewer than n spans are below the quantile, an upper one if n or more are.
        wrong = sum(below[: lower // ms(1)]) if lower else sum(below[upper // ms(1) :])
        assert wrong <= (1 - confidence) / 2


def test_latency_percentiles_stand_side_by_side_the_worst_first() -> None:
    spans = draw("\n\n".join([lasting(1, 2, 3, name="a"), lasting(4, 9, name="b"), lasting(4, 9, name="c")]))
    answer = latency_percentiles(spans, quantiles=[0.999, 0.5], wide=True)
    assert answer.columns == [
        "service_name", "count", "p50", "p50_lower", "p50_upper", "p99.9", "p99.9_lower", "p99.9_upper",
        "exemplar_trace_id",
    ]  # fmt: skip
    assert answer.select("service_name", "count", "p50", "p99.9_lower", "exemplar_trace_id").rows() == [
        ("b", 2, ms(6.5), ms(4), f"{5:032x}"),
        ("c", 2, ms(6.5), ms(4), f"{7:032x}"),
        ("a", 3, ms(2), ms(2), f"{3:032x}"),
    ]
    by_keys = latency_percentiles(spans, quantiles=[0.999, 0.5], wide=True, order="keys")
    assert by_keys["service_name"].to_list() == ["a", "b", "c"]


def test_latency_percentiles_side_by_side_are_those_below_each_other() -> None:
    spans = generate(3_000, seed=3)
    options: dict[str, Any] = {"by": ["service_name", "kind"], "every": "10m", "quantiles": [0.5, 0.9, 0.99]}
    keys = ["service_name", "kind", "window", "count"]
    long = latency_percentiles(spans, **options, entry_only=False)
    wide = latency_percentiles(spans, **options, entry_only=False, wide=True, order="keys")
    for name, quantile in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        part = long.filter(pl.col("quantile") == quantile)
        assert wide.select(*keys, name, f"{name}_lower", f"{name}_upper").rows() == (
            part.select(*keys, "duration", "lower", "upper").rows()
        )
    assert wide["exemplar_trace_id"].to_list() == part["exemplar_trace_id"].to_list()


def test_latency_percentiles_below_each_other_can_have_the_worst_group_first() -> None:
    spans = draw("\n\n".join([lasting(1, 2, name="a"), lasting(4, 9, name="b")]))
    answer = latency_percentiles(spans, quantiles=[0.5, 1], order="worst")
    assert answer.select("service_name", "quantile").rows() == [("b", 0.5), ("b", 1.0), ("a", 0.5), ("a", 1.0)]


def test_latency_percentiles_name_what_is_asked_for_without_rounding() -> None:
    shares = [0, 0.07, 0.29, 0.5, 0.999, 0.99999, 0.9999999, 1e-7, 1]
    answer = latency_percentiles(draw("a ="), by=None, quantiles=shares, wide=True)
    names = [name for name in answer.columns if name.startswith("p") and "_" not in name]
    assert names == ["p0", "p0.00001", "p7", "p29", "p50", "p99.9", "p99.999", "p99.99999", "p100"]


def test_latency_percentiles_of_everything_side_by_side_are_one_row() -> None:
    assert latency_percentiles(draw(lasting(1, 2)), by=None, wide=True).height == 1
    empty = latency_percentiles(draw("a =").clear(), wide=True)
    assert empty.is_empty()
    assert empty.schema == latency_percentiles(draw("a ="), wide=True).schema


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


def test_trace_latency_percentiles_stand_side_by_side_too() -> None:
    spans = draw(lasting(1, 3, name="a") + "\n\n" + lasting(7, name="b"))
    answer = trace_latency_percentiles(spans, by="name", quantiles=0.5, wide=True)
    assert answer.select("name", "count", "p50").rows() == [("b", 1, ms(7)), ("a", 2, ms(2))]
    assert trace_latency_percentiles(spans, by="name", quantiles=0.5, order="worst")["name"].to_list() == ["b", "a"]
