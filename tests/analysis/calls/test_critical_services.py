from __future__ import annotations

from datetime import timedelta

from tracelab.analysis import critical_services
from tracelab.synthetic import draw


def ms(length: float) -> timedelta:
    return timedelta(milliseconds=length)


def test_critical_services_rank_by_time_on_the_path() -> None:
    spans = draw("""
        web   ==========
          pay .=======
          log ..==!

        web   ====
    """)
    columns = ["service_name", "path_time", "path_traces", "traces", "trace_share", "callers", "callees", "errors"]
    assert critical_services(spans).select(columns).rows() == [
        ("pay", ms(7), 1, 1, 0.5, 1, 0, 0),
        ("web", ms(7), 2, 2, 1.0, 0, 2, 0),
        ("log", ms(0), 0, 1, 0.5, 1, 0, 1),
    ]
