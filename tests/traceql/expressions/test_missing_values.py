from __future__ import annotations

import polars as pl
import pytest

from tests.traceql.shop import ALL, SHOP, names
from tracelab.traceql import gap, query, query_metrics, search

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")

NOTHING = {
    "text": pl.String(),
    "number": pl.Int64(),
    "fraction": pl.Float64(),
    "flag": pl.Boolean(),
    "list": pl.List(pl.String()),
}

FRAMES = {
    "as it is": SHOP,
    "without more attributes": SHOP.drop("more_attributes"),
    "more attributes null": SHOP.with_columns(more_attributes=pl.lit(None, dtype=SHOP.schema["more_attributes"])),
    "events and links null": SHOP.with_columns(
        events=pl.lit(None, dtype=SHOP.schema["events"]), links=pl.lit(None, dtype=SHOP.schema["links"])
    ),
    "columns of nulls": SHOP.with_columns(
        pl.lit(None, dtype=dtype).alias(f"span.no.{name}") for name, dtype in NOTHING.items()
    ),
    "columns of no dtype": SHOP.with_columns(pl.lit(None).alias(f"span.no.{name}") for name in NOTHING),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ span.no.text = `x` }", []),
        ("{ span.no.text != `x` }", []),
        ("{ span.no.text =~ `.*` }", []),
        ("{ span.no.text !~ `x` }", []),
        ("{ span.no.text = nil }", ALL),
        ("{ span.no.text != nil }", []),
        ("{ !(span.no.text = `x`) }", ALL),
        ("{ span.no.number > 1 || span.no.number <= 1 }", []),
        ("{ span.no.number + 1 > 1 }", []),
        ("{ !(span.no.number > 1) }", ALL),
        ("{ span.no.fraction * 2 >= 0 }", []),
        ("{ span.no.flag }", []),
        ("{ !span.no.flag }", []),
        ("{ span.no.flag || name = `log` }", ["log"]),
        ("{ span.no.list = `x` }", []),
        ("{ span.no.list != `x` }", []),
        ("{ span.no.list = nil }", ALL),
        ("{ .no.text = nil && .no.number = nil }", ALL),
        ("{ span.retries = nil }", ["SELECT", "log", "nightly", "orphan", "beneath"]),
        ("{ span.retries != 2 }", ["render", "charge"]),
        ("{ span.retries = nil || span.retries != 2 }", [n for n in ALL if n not in ("GET /pay", "DELETE")]),
        ("{ !(span.retries = 2) }", [name for name in ALL if name not in ("GET /pay", "DELETE")]),
        ("{ span.retries * 2 > 3 }", ["GET /pay", "charge", "DELETE"]),
        ("{ span.slow }", ["GET /pay"]),
        ("{ !span.slow }", []),
        ("{ parent.retries = 2 }", ["render", "charge"]),
        ("{ event.x = nil }", ALL),
        ("{ event.x != nil || link.x = `y` }", []),
        ("{ } | by(span.no.text) | count() > 4", ["GET /pay", "render", "SELECT", "charge", "log"]),
        ("{ } | avg(span.no.number) > 0", []),
        ("{ } | sum(.retries) > 3", ["GET /pay", "render", "SELECT", "charge", "log"]),
        ("{ } | max(.retries) < 3", ["nightly", "DELETE"]),
    ],
)
@pytest.mark.parametrize("spans", FRAMES.values(), ids=FRAMES)
def test_what_is_missing_matches_as_it_should_in_every_frame(
    spans: pl.DataFrame, text: str, expected: list[str]
) -> None:
    assert names(text, spans) == expected
    found = search(spans, text)
    ids = spans.filter(pl.col("name").is_in(expected))["span_id"].to_list()
    assert sorted(found["span_ids"].explode().drop_nulls()) == sorted(ids)
    assert query(spans.clear(), text).is_empty()
    assert search(spans.clear(), text).is_empty()


@pytest.mark.parametrize("spans", FRAMES.values(), ids=FRAMES)
def test_metrics_of_what_is_missing_are_right_in_every_frame(spans: pl.DataFrame) -> None:
    def values(text: str) -> list[tuple[object, ...]]:
        return query_metrics(spans, text, instant=True).drop("time").rows()

    assert values("{ } | count_over_time() by (span.no.text)") == [(None, 9.0)]
    assert values("{ } | sum_over_time(span.no.number)") == []
    assert values("{ } | avg_over_time(span.no.fraction) by (name)") == []
    assert values("{ } | quantile_over_time(span.no.number, 0.5)") == []
    assert values("{ } | histogram_over_time(span.no.number)") == []
    assert values("{ } | sum_over_time(span.retries)") == [(11.0,)]
    assert values("{ } | avg_over_time(span.retries)") == [(2.75,)]
    assert values("{ } | count_over_time() by (span.retries)") == [(0, 1.0), (2, 2.0), (7, 1.0), (None, 5.0)]


@pytest.mark.parametrize("spans", FRAMES.values(), ids=FRAMES)
def test_a_gap_needs_no_attributes(spans: pl.DataFrame) -> None:
    found = gap(spans, "{ name = `render` && span.no.text = nil }", "{ name = `charge` }")
    assert found["b_name"].to_list() == ["charge"]
    assert gap(spans.clear(), "{ }", "{ }").is_empty()
