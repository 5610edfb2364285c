"""Calls that two instrumentations recorded."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw


def _found(spans: pl.DataFrame) -> list[tuple[object, ...]]:
    found = tl.audit(spans).filter(pl.col("rule") == "double-instrumentation")
    return found.select("severity", "service_name", "count", "out_of").rows()


@pytest.mark.parametrize("kind", ["client", "server"])
def test_a_call_below_the_same_call_is_recorded_twice(kind: str) -> None:
    spans = draw(f"""
        web::work          ==========
          web::GET         .========  kind={kind} http.request.method=GET
            web::GET /pay  .=======   kind={kind} http.request.method=GET

        web::work          ==========
          web::GET         .========  kind={kind} http.request.method=GET
    """)
    assert _found(spans) == [("warning", "web", 1, 3)]


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("http.request.method=GET", "http.request.method=POST"),
        ("http.request.method=GET url.full=http://a/1", "http.request.method=GET url.full=http://a/2"),
        ("rpc.system=grpc", "http.request.method=POST"),
        ("db.system.name=elasticsearch", "http.request.method=POST"),
    ],
)
def test_another_call_below_a_call_is_no_second_record_of_it(outer: str, inner: str) -> None:
    spans = draw(f"""
        web::work      ==========
          web::call    .========  kind=client {outer}
            web::call  .=======   kind=client {inner}
    """)
    assert _found(spans) == []


def test_steps_that_one_library_calls_servers_are_no_second_record_of_a_call() -> None:
    spans = draw("""
        web::on_message       ==========  kind=server
          web::enqueue_event  .========   kind=server
    """)
    assert _found(spans) == []


def test_several_attempts_below_one_call_are_no_second_record_of_it() -> None:
    spans = draw("""
        web::work      ============
          web::GET     .==========   kind=client http.request.method=GET
            web::GET   .======!      kind=client http.request.method=GET
            web::GET   ........===   kind=client http.request.method=GET
    """)
    assert _found(spans) == []


def test_a_server_span_that_came_from_another_process_of_the_same_service_is_a_call() -> None:
    spans = draw("""
        web::GET /     ==========  kind=server http.request.method=GET
          web::GET /   .========   kind=server http.request.method=GET
    """).with_columns(flags=pl.lit(0x301, dtype=pl.UInt32))
    assert _found(spans) == []
