"""What head samplers decide, trace by trace."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tests.sampling.head.fleets import SERVICES, frame_of, ours, random_calls, random_fleet
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, TraceIdRatioBased, head_decisions, sample_head
from tracelab.synthetic import draw

SPANS = draw("""
web::GET /      =======
  web::render   .==
  shop::buy     ...===
    bank::pay   ....=
    db::SELECT  .....=

web::GET /cart  ====
  shop::cart    .==

gone::away
  shop::alone   ===
""")


def test_a_row_tells_what_became_of_a_trace() -> None:
    found = head_decisions(SPANS, {"shop": AlwaysOff(), "*": AlwaysOn()})
    assert found.drop("trace_id").rows() == [
        ("partial", "AlwaysOn()", 5, 4, None, False, 2, 0),
        ("partial", "AlwaysOn()", 2, 1, None, False, 0, 0),
        ("not_sampled", "AlwaysOff()", 1, 0, 0.0, False, 0, 1),
    ]


def test_the_columns_have_their_types() -> None:
    assert dict(head_decisions(SPANS, AlwaysOn()).schema) == {
        "trace_id": pl.String(),
        "decision": pl.Enum(["sampled", "not_sampled", "partial", "dropped", "unknown"]),
        "policy": pl.String(),
        "spans": pl.UInt32(),
        "spans_kept": pl.UInt32(),
        "sampling_probability": pl.Float64(),
        "simulated": pl.Boolean(),
        "broken": pl.UInt32(),
        "missing_parents": pl.UInt32(),
    }
    assert head_decisions(SPANS.clear(), AlwaysOn()).schema == head_decisions(SPANS, AlwaysOn()).schema


def test_where_all_follow_the_root_no_trace_is_partial_or_broken() -> None:
    frame = frame_of(random_calls(500, seed=2))
    found = head_decisions(frame, ParentBased(TraceIdRatioBased(0.3)))
    assert set(found["decision"]) == {"sampled", "not_sampled"}
    assert found["sampling_probability"].unique().to_list() == [pytest.approx(0.3)]
    assert found["broken"].sum() == 0


def test_a_fleet_of_mixed_sdks_breaks_half_of_what_it_begins() -> None:
    frame = frame_of(random_calls(2000, seed=3))
    fleet = {
        service: TraceIdRatioBased(0.5, sdk=sdk)
        for service, sdk in zip(SERVICES, ("python", "js", "python", "js"), strict=True)
    }
    found = head_decisions(frame, fleet)
    assert found.filter(decision="partial").height > 500
    assert found["broken"].sum() > 600


@pytest.mark.parametrize("seed", range(4))
def test_the_table_agrees_with_the_spans_that_are_kept(seed: int) -> None:
    frame = frame_of(random_calls(200, seed))
    fleet = {service: ours(recipe, "go") for service, recipe in random_fleet(seed).items()}
    kept, table = sample_head(frame, fleet), head_decisions(frame, fleet)
    counts = dict(kept.group_by("trace_id").len().rows())
    assert {row["trace_id"]: row["spans_kept"] for row in table.to_dicts() if row["spans_kept"]} == counts
    lost = kept.filter(pl.col("parent_span_id").is_not_null()).join(
        kept, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], how="anti"
    )
    assert table["broken"].sum() == lost.height
    assert table["spans"].sum() == frame.height


def test_a_trace_without_an_id_is_unknown() -> None:
    spans = SPANS.with_columns(trace_id=pl.lit("none"))
    with pytest.warns(tl.SamplingWarning, match="8 spans have a trace id"):
        row = head_decisions(spans, TraceIdRatioBased(0.5)).row(0, named=True)
    assert (row["decision"], row["spans_kept"], row["sampling_probability"]) == ("unknown", 0, None)
