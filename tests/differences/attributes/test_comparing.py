from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from tests.differences.attributes.planted import SLOW, traces
from tracelab import QueryError, QueryWarning, TracelabError, compare, query, read
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path


def first(found: pl.DataFrame) -> dict[str, Any]:
    return found.row(0, named=True)


def standing(found: pl.DataFrame) -> list[str]:
    return found.filter(pl.col("explained_by").is_null())["finding"].to_list()


def test_a_value_that_slow_traces_have_is_named_first_and_what_comes_with_it_is_folded_into_it() -> None:
    found = compare(traces(1, 400, slow=lambda of: of["version"] == "1.9"), where="traceDuration > 500ms")
    row = first(found)
    assert row["finding"] == "resource.service.version = 1.9 of shop"
    assert (row["kind"], row["attribute"], row["value"]) == ("value", "resource.service.version", "1.9")
    assert row["also"][0] == "resource.host.name = host-1.9 of shop"
    assert (row["selection_share"], row["baseline_share"], row["effect"]) == (1.0, 0.0, 1.0)
    assert row["difference_lower"] > 0.9
    assert found.height == 1


def test_a_pair_comes_first_where_neither_of_its_parts_explains_the_slow_ones() -> None:
    def slow(of: Any) -> Any:
        return (of["version"] == "1.9") & (of["customer"] == "business")

    spans = traces(2, 600, slow=slow, share=0.03)
    found = compare(spans, where=SLOW)
    row = first(found)
    assert row["kind"] == "pair"
    assert set(row["finding"].split(" and ")) == {
        "resource.service.version = 1.9 of shop",
        "span.customer.kind = business",
    } or set(row["finding"].split(" and ")) == {
        "resource.service.version = 1.9 of shop",
        "span.customer.kind = business of front",
    }
    assert standing(found) == [row["finding"]]
    assert set(found["explained_by"].drop_nulls()) == {row["finding"]}
    alone = compare(spans, where=SLOW, pairs=False)
    assert "pair" not in alone["kind"].to_list()


def test_two_reasons_stand_beside_each_other() -> None:
    found = compare(traces(3, 900, slow=lambda of: (of["zone"] == "b") | (of["tenant"] == "7"), share=0.02), where=SLOW)
    assert standing(found)[:2] == ["resource.cloud.availability_zone = b of shop", "span.tenant = 7 of front"]


def test_numbers_are_compared_as_distributions() -> None:
    found = compare(traces(4, 500, slow=lambda of: of["items"] > 8), where=SLOW)
    row = first(found)
    assert (row["finding"], row["kind"]) == ("span.cart.items", "number")
    assert row["selection_median"] > 8 > row["baseline_median"]
    assert row["difference"] == row["selection_median"] - row["baseline_median"]
    assert row["difference_lower"] < row["difference"] < row["difference_upper"]
    assert row["effect"] == pytest.approx(1.0)


def test_an_attribute_that_is_nearly_unique_gives_no_row_per_value() -> None:
    spans = traces(5, 300, slow=lambda of: of["version"] == "1.9", share=0.2)
    ids = pl.col("attribute") == "span.request.id"
    assert compare(spans, where=SLOW, q=1).filter(ids).is_empty()
    slow = query(spans, "traceDuration > 500ms")["trace_id"]
    some = pl.when(pl.col("trace_id").is_in(slow.implode())).then("span.request.id").alias("span.request.id")
    (row,) = compare(spans.with_columns(some), where=SLOW, q=1).filter(ids).rows(named=True)
    assert (row["kind"], row["effect"]) == ("presence", 1.0)
    assert row["note"] == f"nearly unique: {slow.n_unique()} values in {slow.n_unique()} traces"


def test_a_value_of_such_an_attribute_that_comes_again_and_again_is_named() -> None:
    spans = traces(5, 300, slow=lambda of: of["version"] == "1.9")
    busy = pl.when(SLOW & (pl.int_range(pl.len()) % 3 == 0)).then(pl.lit("busy")).otherwise("span.request.id")
    found = compare(spans.with_columns(busy.alias("span.request.id")), where=SLOW)
    (row,) = found.filter(pl.col("attribute") == "span.request.id").rows(named=True)
    assert row["value"] == "busy"
    assert row["note"].startswith("nearly unique")


def test_a_span_that_is_repeated_counts_once() -> None:
    few = "\n\n".join(f"api::GET ==== n={number}\n  db::q .=" for number in range(6))
    many = "\n\n".join("api::GET ====\n" + "\n".join("  db::q .=" for _ in range(50)) for _ in range(6))
    assert compare(draw(few), draw(many)).filter(pl.col("kind") == "operation").is_empty()


def test_what_slow_traces_have_less_of_is_found_too() -> None:
    found = compare(traces(6, 400, slow=lambda of: of["tenant"].astype(int) >= 10), where=SLOW)
    less = found.filter(pl.col("effect") < 0)
    assert set(less["value"].drop_nulls()) <= {str(number) for number in range(10)}
    assert less["difference_upper"].max() < 0  # type: ignore[operator]


def test_exemplars_are_of_the_side_that_has_more() -> None:
    spans = traces(7, 400, slow=lambda of: of["version"] == "1.9")
    slow = set(query(spans, "traceDuration > 500ms")["trace_id"])
    assert len(first(compare(spans, where=SLOW))["exemplars"]) == 3
    assert set(first(compare(spans, where=SLOW))["exemplars"]) <= slow
    of_spans = first(compare(spans, where=SLOW, unit="span"))["exemplars"]
    assert set(of_spans) <= set(spans["span_id"])


def test_two_frames_and_a_condition_give_the_same() -> None:
    spans = traces(8, 400, slow=lambda of: of["zone"] == "c", share=0.1)
    slow = query(spans, "traceDuration > 500ms")["trace_id"]
    selected = pl.col("trace_id").is_in(slow.implode())
    assert compare(spans.filter(selected), spans.filter(~selected)).equals(
        compare(spans, where="traceDuration > 500ms")
    )


@pytest.mark.parametrize("unit", ["trace", "span"])
def test_a_set_does_not_differ_from_itself(unit: Any) -> None:
    spans = traces(9, 200, slow=lambda of: of["zone"] == "c")
    assert compare(spans, spans, unit=unit).is_empty()
    one = spans.filter(pl.col("trace_id") == spans["trace_id"][0])
    assert compare(one, one, unit=unit).is_empty()
    assert compare(one, spans, unit=unit).is_empty()


def test_frames_of_pandas_with_floats_for_whole_numbers_differ_in_nothing() -> None:
    pytest.importorskip("pandas")
    spans = traces(10, 200, slow=lambda of: of["zone"] == "c").with_columns(
        pl.when(pl.int_range(pl.len()) % 3 != 0).then(200).alias("span.http.response.status_code")
    )
    assert compare(spans.to_pandas(), spans).is_empty()


def test_columns_of_two_dtypes_are_compared_as_text() -> None:
    spans = traces(11, 200, slow=lambda of: of["zone"] == "c").with_columns(
        (pl.int_range(pl.len()) % 3).alias("span.shard.id")
    )
    assert compare(spans, spans.with_columns(pl.col("span.shard.id").cast(pl.String))).is_empty()


@pytest.mark.parametrize(
    ("where", "said"), [("duration > 1h", "holds for 0 of 50 traces"), ("duration > 0ns", "50 of 50 traces")]
)
def test_an_empty_side_is_said(where: str, said: str) -> None:
    with pytest.warns(QueryWarning, match=said):
        found = compare(traces(12, 50, slow=lambda of: of["zone"] == "c"), where=where)
    assert found.is_empty()


def test_nothing_at_all_is_said() -> None:
    spans = traces(12, 50, slow=lambda of: of["zone"] == "c")
    with pytest.warns(QueryWarning, match="the selection has no spans"):
        assert compare(spans.clear(), spans).is_empty()
    with pytest.warns(QueryWarning, match="the baseline has no spans"):
        assert compare(spans, spans.clear()).schema == compare(spans, spans).schema


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "got neither"),
        ({"baseline": True, "where": "duration > 1s"}, "got both"),
        ({"where": 5}, "must be TraceQL or an expression of polars, got 5"),
        ({"where": pl.col("nowhere") > 1}, "cannot be computed from these spans"),
        ({"where": pl.col("duration")}, "must say of every span whether it is meant"),
        ({"where": "duration > 1s", "unit": "traces"}, "Did you mean 'trace'?"),
        ({"where": "duration > 1s", "q": 2}, "`q` must lie between 0 and 1"),
        ({"where": "duration > 1s", "confidence": 1}, "`confidence` must lie between 0 and 1"),
        ({"where": "duration > 1s", "pairs": "no"}, "`pairs` must be True or False"),
    ],
)
def test_what_cannot_be_compared_is_said(options: dict[str, Any], message: str) -> None:
    spans = draw("api ==")
    if options.get("baseline"):
        options = options | {"baseline": spans}
    with pytest.raises(TracelabError, match=re.escape(message)):
        compare(spans, **options)


def test_a_query_for_metrics_is_no_condition() -> None:
    with pytest.raises(QueryError):
        compare(draw("api =="), where="{} | rate()")


def test_counts_and_shares_agree() -> None:
    spans = traces(13, 500, slow=lambda of: of["zone"] == "c", share=0.1)
    found = compare(spans, where=SLOW, q=1)
    selected = query(spans, "traceDuration > 500ms")["trace_id"].n_unique()
    shares = found["selection_count"] / selected, found["baseline_count"] / (500 - selected)
    assert np.allclose(shares[0], found["selection_share"])
    assert np.allclose(shares[1], found["baseline_share"])


def test_the_planted_fault_of_the_shop_comes_first(sample_data: Path) -> None:
    orders = query(read(sample_data / "shop.otlp.jsonl.gz"), '{ rootName = "POST /api/orders" }')
    slow = pl.col("parent_span_id").is_null() & (pl.col("duration") > pl.duration(milliseconds=150))
    found = compare(orders, where=slow)
    assert first(found)["finding"] == "span.customer.kind = business and resource.service.version = 1.9.0 of orders"
    # The other planted fault that slows orders down: payments that are tried again, and fail in the end.
    assert standing(found)[1] == "span.payment.attempts"
    assert [words for words in standing(found)[2:] if "attempt" not in words and "statusMessage" not in words] == []
