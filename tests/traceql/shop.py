"""A small shop that the tests of TraceQL ask about: two traces, and a third whose root is missing."""

from __future__ import annotations

import datetime as dt

import polars as pl

from tracelab.schema import EVENTS, LINKS
from tracelab.synthetic import draw
from tracelab.traceql import query

SHOP = draw("""
    web::GET /pay     ==========  kind=server http.status_code=500 retries=2 slow=true
      web::render     .==         retries=0
        db::SELECT    .=!         kind=client db.rows=1.5 region=eu
      bank::charge    ....=====!  kind=client retries=7 region=us
        bank::log     .......|    region=eu

    job::nightly      ===         region=eu
      db::DELETE      .=          kind=client retries=2

    gone
      web::orphan     ====        region=us
        web::beneath  .=
""")

ALL = SHOP["name"].to_list()


def names(text: str, spans: pl.DataFrame = SHOP) -> list[str]:
    """Give the names of the spans that a query keeps, of an eager frame and of a lazy one."""
    found = query(spans, text)["name"].to_list()
    assert query(spans.lazy(), text).collect()["name"].to_list() == found
    return found


def event(name: str, milliseconds: int, **attributes: str) -> dict[str, object]:
    start = SHOP["start_time"][0]
    return {"time": start + dt.timedelta(milliseconds=milliseconds), "name": name, "attributes": attributes}


EVENTFUL = draw("a ==\nb ==\nc ==").with_columns(
    start_time=SHOP["start_time"][0],
    events=pl.Series(
        [
            [event("exception", 1, type="Key", code="7"), event("retry", 2, type="Soft")],
            [event("retry", 0, code="9")],
            [],
        ],
        dtype=EVENTS,
    ),
    links=pl.Series(
        [
            [
                {
                    "trace_id": "0" * 30 + "ab",
                    "span_id": "0" * 14 + "cd",
                    "trace_state": None,
                    "attributes": {"why": "batch"},
                }
            ],
            [],
            None,
        ],
        dtype=LINKS,
    ),
)
