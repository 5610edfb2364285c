from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, TraceIdRatioBased, presets
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    import plotly.graph_objects as go

SPANS = generate(4_000, spans_per_trace=10, seed=4)
POLICIES: dict[str, Any] = {"all": AlwaysOn(), "errors and some": presets.production(), "nothing": AlwaysOff()}


def points(figure: go.Figure, name: str) -> dict[str, Any]:
    """Give the points of a policy: in the upper panel, and in the lower one."""
    upper, lower = (trace for trace in figure.data if trace.mode != "markers" and trace.name.endswith(name))
    return {"upper": upper, "lower": lower}


def test_a_policy_is_drawn_as_kept_and_as_estimated_where_its_costs_are() -> None:
    compared = tl.compare_policies(SPANS, POLICIES).filter(policy="errors and some").row(0, named=True)
    drawn = points(tl.plot_sampling_report(SPANS, POLICIES), "errors and some")
    assert drawn["upper"].x == drawn["lower"].x == (compared["spans_kept_share"],) * 2
    assert drawn["upper"].y == pytest.approx((compared["error_rate_off_kept"] * 100, compared["error_rate_off"] * 100))
    assert drawn["lower"].y == pytest.approx((compared["duration_off_kept"] * 100, compared["duration_off"] * 100))
    assert drawn["upper"].y[1] < drawn["upper"].y[0], "weights repair what keeping all errors does to the rate"


def test_the_form_of_a_point_says_which_failed_traces_are_kept() -> None:
    figure = tl.plot_sampling_report(SPANS, {**POLICIES, "half": TraceIdRatioBased(0.5)})
    forms = {name: points(figure, name)["upper"].marker.symbol[1] for name in ("all", "some", "nothing", "half")}
    assert forms == {"all": "diamond", "some": "diamond", "nothing": "square", "half": "circle"}
    legend = {trace.name for trace in figure.data if trace.showlegend}
    assert {"all failed traces kept", "some failed traces kept", "no failed trace kept"} <= legend
    assert "no trace failed" not in legend


def test_spans_without_failures_have_a_form_of_their_own() -> None:
    figure = tl.plot_sampling_report(draw("api ==="), AlwaysOn())
    assert figure.data[0].marker.symbol == ("hexagon-open", "hexagon")
    assert "failed traces kept: -" in figure.data[0].hovertext[1]


def test_nothing_kept_has_a_place_left_of_all_others_with_a_tick_of_its_own() -> None:
    figure = tl.plot_sampling_report(SPANS, POLICIES)
    place = points(figure, "nothing")["upper"].x[1]
    assert place < min(points(figure, name)["upper"].x[1] for name in ("all", "some"))
    assert (figure.layout.xaxis.tickvals[0], figure.layout.xaxis.ticktext[0]) == (place, "0")
    assert figure.layout.xaxis.ticktext[-1].startswith("100 %<br>")


def test_spans_that_take_no_time_have_no_pace() -> None:
    still = draw("api ===").with_columns(duration=pl.duration(nanoseconds=0).cast(pl.Duration("ns")))
    figure = tl.plot_sampling_report(still, AlwaysOn())
    assert figure.layout.xaxis.ticktext[-1] == "100 %"
    assert "spans/s" not in figure.data[0].hovertext[0]


def test_a_hover_reads_as_people_write() -> None:
    said = points(tl.plot_sampling_report(SPANS, POLICIES), "nothing")["upper"].hovertext[1]
    assert "kept: 0 % of the spans" in said
    assert "0 spans/s" in said
    assert "lost altogether: " in said
    assert "failed traces kept: 0 %" in said
    assert f"{SPANS['service_name'].n_unique()} services" in said


def test_one_policy_goes_without_a_name_and_a_name_stays_text() -> None:
    assert tl.plot_sampling_report(SPANS, TraceIdRatioBased(0.5)).data[0].name == "1 TraceIdRatioBased(0.5)"
    figure = tl.plot_sampling_report(SPANS, {"<b>$x$</b>": AlwaysOn(), " ": AlwaysOff()})
    assert "<b>$" not in figure.to_json()
    assert "&lt;b&gt;&#36;x" in figure.data[0].name


def test_what_became_of_missing_parents_is_handed_on() -> None:
    orphan = draw("web =====\n  db .===").filter(name="db")
    follower = {"follows": ParentBased(AlwaysOn())}
    kept = [
        "kept: 100 % of the spans" in points(figure, "follows")["upper"].hovertext[1]
        for figure in (
            tl.plot_sampling_report(orphan, follower),
            tl.plot_sampling_report(orphan, follower, missing_parents="not_sampled"),
        )
    ]
    assert kept == [True, False]


def numbers(figure: go.Figure, axis: str) -> list[str]:
    return [trace.text[1] for trace in figure.data if trace.mode != "markers" and trace.yaxis == axis]


def test_thirty_policies_have_thirty_entries_and_as_many_numbers_as_have_room() -> None:
    figure = tl.plot_sampling_report(SPANS, {f"same {number}": AlwaysOn() for number in range(30)})
    shown = [number for number in numbers(figure, "y") if number]
    assert shown == [str(number) for number in range(31 - len(shown), 31)]
    assert 3 <= len(shown) <= 8
    assert len({trace.name for trace in figure.data if trace.showlegend}) == 30 + 2


def test_policies_that_are_apart_all_have_their_number() -> None:
    policies = {str(ratio): TraceIdRatioBased(ratio) for ratio in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)}
    figure = tl.plot_sampling_report(SPANS, policies)
    for axis in ("y", "y2"):
        assert numbers(figure, axis) == ["1", "2", "3", "4", "5", "6"]
