from __future__ import annotations

from datetime import timedelta

from tracelab.analysis import trace_summary
from tracelab.synthetic import draw


def test_trace_summary_has_a_row_per_trace_in_order_of_time() -> None:
    spans = draw("""
        web::GET /    .======
          db::SELECT  ...==!
          mail::send  .....=====

        web::GET /pay ==
    """)
    answer = trace_summary(spans.reverse())
    columns = ["name", "duration", "spans", "services", "errors", "depth", "fragments", "missing_parents"]
    assert answer.select(columns).rows() == [
        ("GET /", timedelta(milliseconds=9), 3, 3, 1, 2, 1, 0),
        ("GET /pay", timedelta(milliseconds=2), 1, 1, 0, 1, 1, 0),
    ]
    assert answer["start_time"].is_sorted()


def test_trace_summary_counts_fragments_and_missing_parents() -> None:
    spans = draw("""
        lost
          early ==
        web     .===
        other   ..=
    """)
    row = trace_summary(spans).row(0, named=True)
    assert (row["name"], row["fragments"], row["missing_parents"]) == ("web", 3, 1)


def test_trace_summary_of_orphans_begins_with_the_first() -> None:
    spans = draw("""
        lost
          late  .==
          early ==
    """)
    assert trace_summary(spans)["name"].item() == "early"
