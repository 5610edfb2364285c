from __future__ import annotations

import polars as pl
import pytest

from tests.traceql.shop import SHOP, names
from tracelab.conforming import conform
from tracelab.synthetic import draw


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ name = `GET /pay` } >> { }", ["SELECT", "charge", "log"]),
        ("{ } > { }", ["charge", "log"]),
        ("{ } ~ { name = `charge` }", []),
        ("{ } << { }", ["GET /pay", "charge"]),
        ("{ parent.region = `us` }", ["log"]),
    ],
)
def test_query_relates_the_spans_of_a_filtered_frame(text: str, expected: list[str]) -> None:
    rest = SHOP.filter(pl.col("name").is_in(["log", "SELECT", "charge", "GET /pay"])).sample(
        fraction=1, shuffle=True, seed=1
    )
    assert sorted(names(text, rest)) == sorted(expected)


def test_query_finds_siblings_whose_parent_was_filtered_away() -> None:
    rest = SHOP.filter(pl.col("name").is_in(["render", "charge", "log"]))
    assert names("{ name = `render` } ~ { }", rest) == ["charge"]


def test_query_takes_several_roots_of_a_trace_for_siblings() -> None:
    spans = conform(draw("a ==\n\nb ==\n  c =").with_columns(trace_id=pl.lit("t")))
    assert names("{ name = `a` } ~ { }", spans) == ["b"]
