"""Where traces break under a head sampler."""

from __future__ import annotations

from tests.sampling.head.fleets import SERVICES, frame_of, random_calls
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, TraceIdRatioBased, broken_calls, head_decisions
from tracelab.synthetic import draw

SPANS = draw("""
web::GET /      =======
  web::render   .==
  shop::buy     ...===
    bank::pay   ....=

web::GET /      =======
  shop::buy     ...===

gone::away
  shop::alone   ===
""")


def test_calls_are_counted_by_the_services_on_both_sides() -> None:
    found = broken_calls(SPANS, {"web": AlwaysOff(), "*": AlwaysOn()})
    first, second = SPANS["trace_id"].unique(maintain_order=True).to_list()[:2]
    assert first < second
    assert found.rows() == [
        ("web", "shop", 2, 2, 2, 2, first),
        ("shop", "bank", 1, 1, 0, 0, None),
        ("web", "web", 1, 0, 0, 0, None),
    ]


def test_no_call_is_broken_where_all_follow_the_root() -> None:
    assert broken_calls(SPANS, ParentBased(TraceIdRatioBased(0.5)))["broken"].sum() == 0
    assert broken_calls(SPANS.clear(), AlwaysOn()).is_empty()


def test_the_sum_is_that_of_the_traces() -> None:
    frame = frame_of(random_calls(500, seed=9))
    sdks = dict(zip(SERVICES, ("js", "go", "php", "ruby"), strict=True))
    fleet = {service: TraceIdRatioBased(0.5, sdk=sdk) for service, sdk in sdks.items()}
    found = broken_calls(frame, fleet)
    assert found["broken"].sum() == head_decisions(frame, fleet)["broken"].sum() > 0
    assert (found["broken"] <= found["callees_kept"]).all()
    assert found["calls"].sum() == frame["parent_span_id"].is_not_null().sum()
