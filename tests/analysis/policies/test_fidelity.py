"""What a policy keeps, and what the figures of what it keeps are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, TraceIdRatioBased, presets
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from collections.abc import Callable

SPANS = draw("""
web::GET /      ==========
  db::SELECT    ..====

web::GET /      ====!
  db::SELECT    .==!

web::GET /pay   ==
""")


def test_keeping_everything_changes_no_figure() -> None:
    report = tl.sampling_report(SPANS, AlwaysOn(), by=["service_name", "name"])
    for name in ("traces", "spans", "bytes", "requests", "errors"):
        assert report[f"{name}_kept"].to_list() == report[name].to_list()
    for name in ("error_rate", "p50", "p95", "p99"):
        for kind in ("kept", "weighted", "lower", "upper"):
            assert report[f"{name}_{kind}"].to_list() == report[name].to_list()
    assert report["broken_traces"].sum() == 0


def test_figures_are_those_of_the_answers() -> None:
    spans = generate(30_000, spans_per_trace=20)
    policy = presets.everyday(spans, ratio=0.2)
    report = tl.sampling_report(spans, policy)
    kept = tl.sample_tail(spans, policy)
    weighted = tl.error_rates(kept, weights="sampling_weight")
    assert report["error_rate"].to_list() == tl.error_rates(spans)["error_rate"].to_list()
    assert report["error_rate_kept"].to_list() == tl.error_rates(kept)["error_rate"].to_list()
    assert report["error_rate_weighted"].to_list() == weighted["error_rate"].to_list()
    assert report["spans_kept"].sum() == kept.height


def test_windows_of_time_stand_side_by_side() -> None:
    spans = generate(5_000)
    report = tl.sampling_report(spans, TraceIdRatioBased(0.5), by=None, every="1h")
    assert report["window"].is_sorted()
    assert report["spans"].sum() == spans.height
    assert report.columns[0] == "window"


def test_a_service_of_which_nothing_is_kept_has_no_figures_but_its_own() -> None:
    report = tl.sampling_report(SPANS, {"web": AlwaysOn(), "*": AlwaysOff()})
    row = report.filter(service_name="db").row(0, named=True)
    assert (row["requests"], row["requests_kept"], row["errors"], row["errors_kept"]) == (2, 0, 1, 0)
    assert row["error_rate"] == 0.5
    assert row["error_rate_weighted"] is None
    assert row["p95_kept"] is None


def test_traces_that_the_policy_breaks_are_counted_and_others_are_not() -> None:
    report = tl.sampling_report(SPANS, {"web": AlwaysOff(), "*": AlwaysOn()}, by=None)
    assert report["broken_traces"].to_list() == [2]
    orphans = SPANS.filter(pl.col("service_name") == "db")
    assert tl.sampling_report(orphans, AlwaysOn(), by=None)["broken_traces"].to_list() == [0]
    followed = tl.sampling_report(SPANS, {"*": ParentBased(AlwaysOff())}, by=None)
    assert followed["broken_traces"].to_list() == [0]


def test_what_a_rate_limit_keeps_has_no_weighted_figure() -> None:
    limit = [{"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 2}}]
    report = tl.sampling_report(SPANS, limit, by=None)
    assert report["requests_kept"].item() > 0
    assert report["unknown_weight"].item() == report["requests_kept"].item()
    assert report["error_rate_kept"].item() is not None
    assert report["error_rate_weighted"].item() is None
    assert report["p95_weighted"].item() is None


def test_bytes_are_those_of_the_spans_as_protobuf() -> None:
    report = tl.sampling_report(SPANS, presets.production(ratio=0), by=None)
    assert 0 < report["bytes_kept"].item() < report["bytes"].item() < 100 * SPANS.height


@pytest.mark.parametrize("form", ["lazy", "pandas", "microseconds"])
def test_any_frame_gives_the_same_report(form: str) -> None:
    spans = generate(2_000)
    policy = presets.everyday(spans, ratio=0.5)
    makers: dict[str, Callable[[], Any]] = {
        "lazy": spans.lazy,
        "pandas": lambda: spans.drop("events", "links", "more_attributes").to_pandas(),
        "microseconds": lambda: spans.with_columns(
            pl.col("start_time").cast(pl.Datetime("us", "UTC")), pl.col("duration").cast(pl.Duration("us"))
        ),
    }
    report, other = tl.sampling_report(spans, policy), tl.sampling_report(makers[form](), policy)
    assert report.select("spans", "spans_kept", "error_rate_weighted").equals(
        other.select("spans", "spans_kept", "error_rate_weighted")
    )


def test_the_figures_stand_first_and_what_they_rest_on_behind_them() -> None:
    columns = tl.sampling_report(SPANS, AlwaysOn(), quantiles=0.95).columns
    ends = ("", "_kept", "_weighted", "_lower", "_upper")
    story = [f"{figure}{end}" for figure in ("error_rate", "p95") for end in ends]
    assert columns[:13] == ["service_name", "traces", "traces_kept", *story]
    assert columns[-5:] == ["spans", "spans_kept", "bytes", "bytes_kept", "broken_traces"]


def test_on_a_terminal_the_naive_figure_and_the_estimate_stand_beside_the_true_one() -> None:
    lines = tl.show(tl.sampling_report(SPANS, AlwaysOn(), quantiles=0.95)).text(width=100).split("\n")
    figures = next(line for line in lines if line.startswith("web")).split("  ")
    assert sum("%" in word for word in figures) == 3
    assert sum("ms" in word for word in figures) == 3


def test_no_spans_give_no_rows() -> None:
    assert tl.sampling_report(SPANS.clear(), presets.production()).height == 0


def test_a_name_of_the_report_is_no_key() -> None:
    with pytest.raises(tl.TracelabError, match="has a column of its own"):
        tl.sampling_report(SPANS.with_columns(traces=pl.lit(1)), AlwaysOn(), by="traces")


CHECKOUTS = draw("\n\n".join(["web::POST /pay ====!"] * 5 + ["web::POST /pay ==="] * 3 + ["docs ="] * 8))
ESTIMATES = [f"{name}_{end}" for name in ("error_rate", "p95") for end in ("weighted", "lower", "upper")]


def test_requests_that_a_policy_never_keeps_leave_nothing_to_be_estimated() -> None:
    rules = [{"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}]
    (web,) = tl.sampling_report(CHECKOUTS, rules).filter(service_name="web").rows(named=True)
    assert (web["error_rate"], web["error_rate_kept"]) == (5 / 8, 1)
    assert [web[name] for name in ESTIMATES] == [None] * 6
    assert (web["untold_requests"], web["unknown_weight"]) == (3, 0)


def test_a_service_of_which_all_is_kept_is_estimated_beside_one_of_which_some_never_is() -> None:
    rules = [
        {"name": "pay", "type": "string_attribute", "string_attribute": {"key": "service.name", "values": ["web"]}},
    ]
    web, docs = (
        tl.sampling_report(CHECKOUTS, rules).filter(service_name=name).row(0, named=True) for name in ("web", "docs")
    )
    assert web["error_rate_weighted"] == web["error_rate_lower"] == web["error_rate_upper"] == 5 / 8
    assert (web["untold_requests"], docs["untold_requests"]) == (0, 8)
    assert docs["error_rate_weighted"] is None


@pytest.mark.parametrize("rate", [1, 10])
def test_of_requests_that_were_dropped_by_chance_those_that_are_kept_tell(rate: int) -> None:
    report = tl.sampling_report(generate(5_000, spans_per_trace=10), presets.production(ratio=rate / 100))
    assert report["untold_requests"].sum() == 0
    seen = report.filter(pl.col("requests_kept") > 0)
    assert seen["error_rate_weighted"].null_count() == 0
    assert (seen["error_rate_lower"] < seen["error_rate_upper"]).all()


def test_what_a_rate_limit_drops_leaves_nothing_to_be_estimated_beside_what_is_sure() -> None:
    rules = [
        {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
        {"name": "few", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 0}},
    ]
    (web,) = tl.sampling_report(CHECKOUTS, rules).filter(service_name="web").rows(named=True)
    assert web["requests_kept"] == 5
    assert [web[name] for name in ESTIMATES] == [None] * 6
    assert web["untold_requests"] == 3


def test_a_service_that_a_fleet_never_samples_has_requests_that_nothing_tells_of() -> None:
    fleet = {"web": TraceIdRatioBased(0.999), "docs": AlwaysOff()}
    report = tl.sampling_report(CHECKOUTS, fleet)
    assert dict(report.select("service_name", "untold_requests").rows()) == {"docs": 8, "web": 0}
