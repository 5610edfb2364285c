from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import tracelab as tl
from tests.conftest import ROOT
from tests.notebooks import conftest
from tracelab.cli import app
from tracelab.units import format_duration

NOTEBOOK = "02_percentile_report"
says, shows = partial(conftest.says, NOTEBOOK), partial(conftest.shows, NOTEBOOK)
TEN = tl.synthetic.draw("\n\n".join(f"api::GET / {'=' * length}" for length in range(1, 11)))


def test_with_few_requests_the_p99_is_nearly_the_slowest() -> None:
    says("with few requests the 99th percentile is hardly less than the slowest of them")
    p99 = tl.latency_percentiles(TEN, quantiles=0.99)["duration"].item()
    assert 0.99 < p99 / TEN["duration"].max() < 1


def test_quantiles_are_those_of_numpy_and_bounds_were_seen(content: pl.DataFrame) -> None:
    says("The quantile itself is exact: linear interpolation between order statistics, as numpy and pandas do it.")
    says("`lower` and `upper` are two durations that were seen")
    latency = tl.latency_percentiles(content)
    for service, quantile, duration, lower, upper in latency.select(
        "service_name", "quantile", pl.col("duration", "lower", "upper").to_physical()
    ).iter_rows():
        entered = content.filter(tl.is_entry(), pl.col("service_name") == service)["duration"].to_physical()
        assert duration == pytest.approx(np.quantile(entered, quantile), abs=1)
        assert {lower, upper} <= set(entered)


def test_ten_requests_bound_their_p99_from_below_only() -> None:
    says(
        "ten requests that took 1 to 10 ms. The median has an interval. The p99 has one side only: it is at least 9 ms"
    )
    says("There tracelab says null (`from 9 ms` in the table)")
    median, p99 = tl.latency_percentiles(TEN, quantiles=(0.5, 0.99)).iter_rows(named=True)
    assert TEN["duration"].dt.total_milliseconds().sort().to_list() == list(range(1, 11))
    assert (median["lower"], median["upper"]) == (timedelta(milliseconds=2), timedelta(milliseconds=9))
    assert (p99["lower"], p99["upper"]) == (timedelta(milliseconds=9), None)
    shows("api | 0.5 | 5.5 ms (2 - 9 ms) | 10 |", "api | 0.99 | 9.91 ms (from 9 ms) | 10 |")


def test_a_p99_has_an_upper_bound_from_368_requests_on(content: pl.DataFrame) -> None:
    says("a p99 has an upper bound from 368 requests on. A bound that stands alone holds with 97.5 %.")
    entered = content.filter(tl.is_entry())
    uppers = [tl.latency_percentiles(entered.head(size), by=None, quantiles=0.99)["upper"][0] for size in (367, 368)]
    assert [upper is None for upper in uppers] == [True, False]
    # The longest of ten lies above the true p99 with 1 - 0.99**10, so the second longest is the highest lower bound.
    above = 1 - 0.99**10 - 10 * 0.01 * 0.99**9
    assert above < 0.025 < 1 - 0.99**10


def test_side_by_side_the_longest_p99_comes_first(content: pl.DataFrame) -> None:
    says(
        "`wide=True` puts the percentiles side by side, each with its bounds, "
        "and the service with the longest p99 first."
    )
    report = tl.latency_percentiles(content, quantiles=(0.5, 0.99), wide=True)
    assert report["service_name"].to_list() == ["api-gateway", "analysis-worker"]
    assert report["p99"].is_sorted(descending=True)
    shows("api-gateway | 420 | 180 ms (171 - 194 ms) | 1.39 s (1.2 - 1.64 s) |")


def test_fifty_eight_videos_bound_their_p95_from_below_only(content: pl.DataFrame) -> None:
    says("58 videos bound their p95 only from below, it is at least 595 ms")
    worker = content.filter(pl.col("name") == "analyze_content")
    kinds = tl.latency_percentiles(worker, by="content.type", quantiles=0.95, entry_only=False)
    assert kinds.filter(pl.col("upper").is_null())["content.type"].to_list() == ["video"]
    video = kinds.row(by_predicate=pl.col("content.type") == "video", named=True)
    assert (video["count"], _words(video["lower"])) == (58, "595 ms")
    shows("video | 58 |", "(from 595 ms) |")


def test_the_p95_that_seems_to_double_may_be_the_same(content: pl.DataFrame) -> None:
    says("The gateway's p95 seems to double from the first half minute to the second, but the intervals overlap")
    says("76 requests are too few to tell")
    windows = tl.latency_percentiles(content, quantiles=0.95, every="30s")
    first, second, _ = windows.filter(pl.col("service_name") == "api-gateway").iter_rows(named=True)
    assert first["count"] == 76
    assert second["duration"] / first["duration"] == pytest.approx(2, abs=0.2)
    assert first["upper"] > second["lower"]


def test_the_exemplar_of_the_p95_is_that_long_and_went_into_fetch_content(content: pl.DataFrame) -> None:
    says("the trace whose latency sits at the quantile: not the worst case, but a typical p95")
    says("The gateway's took 979 ms, and most of that went into `fetch_content`.")
    p95 = tl.latency_percentiles(content, quantiles=0.95).row(
        by_predicate=pl.col("service_name") == "api-gateway", named=True
    )
    trace = content.filter(pl.col("trace_id") == p95["exemplar_trace_id"])
    root = trace.filter(pl.col("parent_span_id").is_null())["duration"].item()
    assert _words(root) == _words(p95["duration"]) == "979 ms"
    path = tl.critical_path(trace).group_by("name").agg(pl.col("duration").sum()).sort("duration")[-1]
    assert path["name"].item() == "fetch_content"
    assert path["duration"].item() > root / 2


def test_the_report_prints_what_the_notebook_says(tmp_path: Any) -> None:
    says(
        "prints what was found, in sentences, and the error rate and percentiles of each route, "
        "and writes one HTML file"
    )
    page = tmp_path / "report.html"
    dump = ROOT / "sample_data" / "content.otlp.jsonl.gz"
    printed = CliRunner().invoke(app, ["report", str(dump), "-o", str(page)]).output
    assert all(part in printed for part in ("Findings", "1. ", "Requests", "POST /analyze", "p95"))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    kinds = tl.request_kinds(tl.read(dump))
    text = page.read_text(encoding="utf-8")
    assert kinds.height
    assert all(f'id="trace-{trace}"' in text for trace in kinds["exemplar_trace_id"])


def _words(duration: timedelta) -> str:
    return format_duration(duration / timedelta(microseconds=1) * 1_000)
