from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.notebooks import conftest
from tracelab.units import format_duration

NOTEBOOK = "01_first_look"
says, shows = partial(conftest.says, NOTEBOOK), partial(conftest.shows, NOTEBOOK)


def test_it_goes_from_the_file_to_the_span_to_blame_in_ten_cells() -> None:
    says("This notebook goes from that file to the span that is to blame, in ten cells.")
    code = ["".join(cell["source"]) for cell in conftest.cells(NOTEBOOK) if cell["cell_type"] == "code"]
    assert "gantt.selected.select(" in code[9]
    assert not any("gantt.selected.select(" in cell for cell in code[:9])


def test_two_services_in_two_languages_were_under_load_for_a_minute(content: pl.DataFrame) -> None:
    says("a Node.js gateway and a Python worker that analyses content, both instrumented with OpenTelemetry, under")
    says("under a minute of load")
    languages = content.group_by("service_name").agg(tl.attr("telemetry.sdk.language").unique())
    assert dict(languages.rows()) == {"api-gateway": ["nodejs"], "analysis-worker": ["python"]}
    took = content.select(pl.col("start_time").max() - pl.col("start_time").min()).item()
    assert took.total_seconds() == pytest.approx(60, abs=2)


def test_a_duration_reads_as_words_and_stays_a_duration(content: pl.DataFrame) -> None:
    says("a duration reads as `254 ms`, and underneath it stays a duration in nanoseconds")
    shows("254 ms | api-gateway | POST /api/analyze | server", "5 of 4,217 rows; 6 of 55 columns")
    assert content.shape == (4217, 55)
    assert content.schema["duration"] == pl.Duration("ns")


def test_the_attributes_shown_are_those_of_the_most_spans(content: pl.DataFrame) -> None:
    says("Of 37 attributes, the twelve that most spans carry:")
    counts = tl.attributes(content)["spans"].to_list()
    assert len(counts) == 37
    assert min(counts[:12]) >= max(counts[12:])


def test_four_hundred_and_twenty_requests_bound_the_p95_so_far(content: pl.DataFrame) -> None:
    says("420 requests say of the gateway's p95 only that it lies between 557 ms and 1.09 s (with 95 % confidence")
    p95 = tl.latency_percentiles(content, quantiles=0.95).row(
        by_predicate=pl.col("service_name") == "api-gateway", named=True
    )
    assert p95["count"] == 420
    shows("api-gateway | 420 |", "(0.557 - 1.09 s) |")
    assert [_words(p95[side]) for side in ("lower", "upper")] == ["557 ms", "1.09 s"]


def test_the_worker_is_nearly_as_slow_as_the_gateway(content: pl.DataFrame) -> None:
    says(
        "The worker is nearly as slow as the gateway that waits for it, at every percentile: "
        "the time goes into the worker."
    )
    worker, gateway = tl.latency_percentiles(content).partition_by("service_name")
    ratio = worker["duration"].to_physical() / gateway["duration"].to_physical()
    assert ratio.is_between(0.97, 1).all()
    share = tl.critical_path_profile(content, by="service_name")
    assert share["service_name"][0] == "analysis-worker"
    assert share["share"][0] > 0.95


def test_what_users_saw_began_in_two_spans(content: pl.DataFrame) -> None:
    says("all ten 502s began in `fetch_content`, all seven 500s in `generate_embedding`")
    seen = {row["outcome"]: row for row in tl.outcomes(content).filter("failed").iter_rows(named=True)}
    assert {code: row["requests"] for code, row in seen.items()} == {"502": 10, "500": 7}
    assert seen["502"]["origins"] == "analysis-worker::fetch_content: analysis.ContentUnavailableError (10)"
    assert seen["500"]["origins"] == "analysis-worker::generate_embedding: analysis.EmbeddingError (7)"
    shows("| 502 | 10 | 2.8 % (1.5 - 5.0 %) |", "| 500 | 7 | 1.9 % (")


def test_the_seven_failures_of_topic_agent_never_reached_a_user(content: pl.DataFrame) -> None:
    says("`topic_agent` failed seven times too, and is no origin in the table above")
    says("Those seven requests were answered with 200 all the same.")
    failed = content.filter(pl.col("name") == "topic_agent", tl.is_error())
    assert failed.height == failed["trace_id"].n_unique() == 7
    roots = content.filter(pl.col("parent_span_id").is_null() & pl.col("trace_id").is_in(failed["trace_id"].implode()))
    assert roots.select(tl.attr("http.response.status_code")).to_series().to_list() == ["200"] * 7
    assert not tl.outcomes(content)["origins"].str.contains("topic_agent").any()
    rates = tl.error_rates(content, by="name", entry_only=False)
    assert rates.filter(pl.col("name") == "topic_agent")["errors"].item() == 7


def test_fetch_content_leads_the_profile_and_the_agents_are_a_guess(content: pl.DataFrame) -> None:
    says("`fetch_content` leads with 38.9 % of it.")
    says("The three agents run at the same time, so which of them was waited for is a guess")
    profile = tl.critical_path_profile(content)
    assert profile["name"][0] == "fetch_content"
    assert round(profile["share"][0], 3) == 0.389
    agents = profile.filter(pl.col("name").str.ends_with("_agent"))
    assert agents.height == 3
    assert agents["ambiguous_share"].to_list() == [1, 1, 1]
    runs = content.filter(pl.col("name").str.ends_with("_agent")).group_by("parent_span_id")
    ends = pl.col("start_time") + pl.col("duration")
    assert runs.agg(pl.len(), together=pl.col("start_time").max() < ends.min())["together"].all()


def test_the_slowest_trace_has_no_error_and_waits_for_fetch_content(content: pl.DataFrame) -> None:
    says("errors would carry a red cross")
    says("the longest on the critical path: `fetch_content` again, with 1.34 s of the trace's 1.64 s")
    says("The address has `slowcdn-` in it.")
    slowest = tl.trace_summary(content).sort("duration")[-1]
    assert slowest["errors"].item() == 0
    assert _words(slowest["duration"].item()) == "1.64 s"
    path = tl.critical_path(content.filter(pl.col("trace_id") == slowest["trace_id"].item())).sort("duration")[-1]
    assert path["name"].item() == "fetch_content"
    assert _words(path["duration"].item()) == "1.34 s"
    shows("fetch_content | analysis-worker | 1.34 s | https://content.example/videos/slowcdn-0378 |")


def test_the_address_makes_fetches_slow_and_the_kind_does_not(content: pl.DataFrame) -> None:
    says("without `slowcdn-` no fetch took longer than 176 ms, with it none less than 665 ms")
    fetches = content.filter(pl.col("name") == "fetch_content").with_columns(
        slow=tl.attr("content.url").str.contains("slowcdn-"),
        kind=tl.attr("content.url").str.extract("example/([a-z]+)"),
    )
    assert fetches.group_by("slow", "kind").len().height == 6
    slow, others = (fetches.filter(pl.col("slow") == which)["duration"] for which in (True, False))
    assert (_words(others.max()), _words(slow.min())) == ("176 ms", "665 ms")


def _words(duration: Any) -> str:
    return format_duration(duration / timedelta(microseconds=1) * 1_000)
