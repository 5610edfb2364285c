# ruff: noqa: RUF001 - how a range is written
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracelab as tl
from tracelab.display.tables.bounds import Bounds, bounded
from tracelab.display.tables.cells import cells
from tracelab.display.words import share_columns

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["x", "x_lower", "x_upper", "x_lower_upper", "lower", "upper", "share", "y"]
FLOAT = pl.Float64()


def interval(figure: Any, lower: Any, upper: Any, *, name: str = "x", dtype: Any = None) -> str:
    frame = pl.DataFrame(
        {
            name: pl.Series([figure], dtype=dtype),
            f"{name}_lower": pl.Series([lower], dtype=dtype),
            f"{name}_upper": pl.Series([upper], dtype=dtype),
        }
    )
    (column,) = cells(frame, shares=share_columns(frame), drawn=())
    return column.intervals[0]


def test_bounds_belong_to_the_figure_of_their_name() -> None:
    schema = pl.Schema({"p95": FLOAT, "p95_lower": FLOAT, "p95_upper": FLOAT, "n": pl.Int64()})
    assert bounded(schema) == {"p95": Bounds("p95_lower", "p95_upper")}


def test_bare_bounds_belong_to_the_figure_before_them() -> None:
    duration = pl.Duration("ns")
    schema = pl.Schema(
        {"n": pl.UInt32(), "duration": duration, "lower": duration, "upper": duration, "count": pl.UInt32()}
    )
    assert bounded(schema) == {"duration": Bounds("lower", "upper")}


def test_bare_bounds_elsewhere_belong_to_the_one_share() -> None:
    schema = pl.Schema({"error_rate": FLOAT, "name": pl.String(), "lower": FLOAT, "upper": FLOAT})
    assert bounded(schema) == {"error_rate": Bounds("lower", "upper")}
    assert bounded(pl.Schema({**schema, "share": FLOAT})) == {}


def test_what_is_no_figure_has_no_bounds() -> None:
    text, time = pl.String(), pl.Datetime("us", "UTC")
    assert bounded(pl.Schema({"x": text, "x_lower": text, "x_upper": text})) == {}
    assert bounded(pl.Schema({"x": FLOAT, "x_lower": pl.Duration("ns"), "lower": text})) == {}
    assert bounded(pl.Schema({"x": time, "x_upper": pl.Datetime("us", "Europe/Berlin")})) == {}
    assert bounded(pl.Schema({"x_lower": FLOAT, "lower": FLOAT})) == {}


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_every_column_stands_in_one_cell(names: list[str]) -> None:
    frame = pl.DataFrame({name: [0.5] for name in names})
    columns = cells(frame, shares=share_columns(frame), drawn=())
    assert sorted(name for column in columns for name in column.names()) == sorted(names)


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (805, 1_260, "(0.805 – 1.26 s)"),
        (8, 1_260, "(8 ms – 1.26 s)"),
        (8, 12, "(8 – 12 ms)"),
        (0, 1_260, "(0 – 1.26 s)"),
        (-3, 2, "(-3 – 2 ms)"),
        (-5_000, 2, "(-5 s – 2 ms)"),
        (30_000, 90_000, "(30 s – 1 m 30 s)"),
        (60_000, 180_000, "(1 – 3 m)"),
        (1_420, None, "(from 1.42 s)"),
        (None, 1_420, "(up to 1.42 s)"),
        (None, None, ""),
    ],
)
@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_durations_share_their_unit(lower: int | None, upper: int | None, text: str, unit: Any) -> None:
    low, high = (None if ms is None else timedelta(milliseconds=ms) for ms in (lower, upper))
    assert interval(timedelta(milliseconds=9), low, high, dtype=pl.Duration(unit)) == text


def test_shares_share_their_sign() -> None:
    assert interval(0.04, 0.011, 0.035, name="error_rate") == "(1.1 – 3.5 %)"
    assert interval(0.0, 0.0, 0.0025, name="share") == "(0 – 0.25 %)"
    assert interval(4.5, 1.5, float("inf")) == "(1.5 – ∞)"


def test_times_share_their_day_with_their_figure() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert interval(noon, noon - hour, noon + hour) == "(11:00:00 – 13:00:00)"
    assert interval(noon, noon - hour, noon + 12 * hour) == "(11:00:00 – 2026-05-02 00:00:00)"
    assert (
        interval(None, noon, noon + hour, dtype=pl.Datetime("us", "UTC"))
        == "(2026-05-01 12:00:00 – 2026-05-01 13:00:00)"
    )


def test_a_null_has_its_bounds_all_the_same() -> None:
    frame = pl.DataFrame({"p95": [None, 4.0], "p95_lower": [1.0, 2.0], "p95_upper": [3.0, None]})
    assert "–  (1 – 3)" in tl.show(frame).text(width=80)
    assert "4 (from 2)" in " ".join(tl.show(frame).text(width=80).split())
    assert '<td class="number">– <small>(1 – <wbr>3)</small></td>' in tl.show(frame)._repr_html_()


def test_bounds_belong_to_the_estimate_where_there_is_one(sample_data: Path) -> None:
    schema = pl.Schema(dict.fromkeys(("p95", "p95_kept", "p95_weighted", "p95_lower", "p95_upper"), FLOAT))
    assert bounded(schema) == {"p95_weighted": Bounds("p95_lower", "p95_upper")}
    spans = tl.read(sample_data / "content.otlp.jsonl.gz", progress=False)
    report = tl.sampling_report(spans, tl.sampling.presets.production())
    assert {figure for figure in bounded(report.schema) if "weighted" not in figure} == set()
