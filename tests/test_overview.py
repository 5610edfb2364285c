from __future__ import annotations

from tracelab.overview import contents, failing_services, longest_traces, slowest_services
from tracelab.synthetic import draw

SPANS = draw("""
a ==!

b =========

c ====

c ====!
""")


def test_the_worst_stands_on_top() -> None:
    assert slowest_services(SPANS)["service_name"].to_list() == ["b", "c", "a"]
    assert {"p50", "p90", "p95", "p99"} < set(slowest_services(SPANS).columns)
    assert failing_services(SPANS)["service_name"].to_list() == ["a", "c", "b"]
    assert longest_traces(SPANS)["service_name"].to_list()[0] == "b"


def test_contents_are_counted() -> None:
    assert contents(SPANS).startswith("4 spans in 4 traces of 3 services, 2026-05-01 12:00:00 to ")
    assert contents(SPANS.clear()) == "no spans in no traces of no services"
