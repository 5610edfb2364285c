"""Failures that one place tells and another does not."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tracelab.schema import EVENTS
from tracelab.synthetic import draw


def found(spans: pl.DataFrame, *, severity: str = "warning") -> list[tuple[str, int, int]]:
    kept = tl.audit(spans).filter(pl.col("severity") == severity, pl.col("rule").str.contains("error|exception"))
    return sorted(kept.select("rule", "count", "out_of").rows())


def with_exception(
    spans: pl.DataFrame, attributes: dict[str, str] | None = None, *, before_the_end: int = 0
) -> pl.DataFrame:
    """Let every span record an exception, some milliseconds before it ends."""
    time = pl.col("start_time") + pl.col("duration") - pl.duration(milliseconds=before_the_end)
    said = {"exception.type": "ValueError", **(attributes or {})}
    events = [
        [{"time": at, "name": "exception", "attributes": [{"key": k, "value": v} for k, v in said.items()]}]
        for at in spans.select(time).to_series()
    ]
    return spans.with_columns(pl.Series("events", events, dtype=EVENTS))


def test_an_error_attribute_without_status_is_found_among_those_with_the_attribute() -> None:
    spans = draw("""
        api  ==========  kind=server error=true
          a  =====!      error=true
          b  .....==     error=false
          c  .......==
    """).with_columns(service_name=pl.lit("api"))
    assert found(spans) == [("error-attribute-without-status", 1, 2)]


def test_an_error_attribute_of_text_is_read() -> None:
    spans = draw("""
        api  ==========  kind=server error="no such key"
          a  =====       error="False"
    """)
    assert found(spans) == [("error-attribute-without-status", 1, 1)]


def test_a_server_error_without_status_is_found_and_a_refusal_is_none() -> None:
    spans = draw("""
        api  ==========  kind=server http.response.status_code=500
        api  ==========! kind=server http.response.status_code=503 error.type=503
        api  ==========  kind=server http.response.status_code=404
        api  ==========  kind=server http.response.status_code=200
    """)
    assert found(spans) == [("server-error-without-status", 1, 2)]


def test_a_client_error_without_status_is_found_in_old_names_too() -> None:
    spans = draw("""
        api     ==========  kind=internal
          a     =====       kind=client http.status_code=404
          b     ......==    kind=client http.status_code=302
          c     ......==    kind=internal http.status_code=500
    """)
    assert found(spans) == [("server-error-without-status", 1, 1)]


def test_grpc_codes_are_the_faults_of_servers_and_clients_as_the_conventions_say() -> None:
    spans = draw("""
        api  ==========  kind=server rpc.system=grpc rpc.grpc.status_code=13
        api  ==========  kind=server rpc.system=grpc rpc.grpc.status_code=5
        api  ==========  kind=client rpc.system=grpc rpc.grpc.status_code=5
        api  ==========  kind=client rpc.system=grpc rpc.grpc.status_code=1
        api  ==========  kind=client rpc.system=grpc rpc.grpc.status_code=0
    """)
    assert found(spans) == [("server-error-without-status", 1, 1)] * 2


def test_a_span_is_reported_once_however_it_says_that_it_failed() -> None:
    spans = with_exception(draw("api ==== kind=server http.response.status_code=500 error=true error.type=500"))
    assert found(spans) == [("error-attribute-without-status", 1, 1)]


def test_an_exception_at_the_end_of_a_span_without_status_is_found() -> None:
    assert found(with_exception(draw("api ===="))) == [("exception-without-error", 1, 1)]


def test_an_exception_of_a_failed_span_is_as_it_should_be() -> None:
    assert found(with_exception(draw("api ====!"))) == []


def test_an_exception_after_which_work_went_on_is_only_told() -> None:
    spans = with_exception(draw(f"api {'=' * 40}"), before_the_end=20)
    assert found(spans) == []
    assert found(spans, severity="info") == [("exception-without-error", 1, 1)]


def test_an_exception_that_escaped_is_found_wherever_it_was_recorded() -> None:
    spans = with_exception(draw(f"api {'=' * 40}"), {"exception.escaped": "True"}, before_the_end=20)
    assert found(spans) == [("exception-without-error", 1, 1)]


def test_an_exception_that_refuses_a_caller_is_only_told() -> None:
    spans = with_exception(draw("api ==== kind=server rpc.system=grpc rpc.grpc.status_code=5"))
    assert found(spans) == []
    assert found(spans, severity="info") == [("exception-without-error", 1, 1)]


def test_a_cancelled_task_is_no_fault() -> None:
    spans = with_exception(draw("api ===="), {"exception.type": "asyncio.exceptions.CancelledError"})
    assert found(spans) == []


def test_an_error_without_type_is_found_where_its_library_writes_it() -> None:
    spans = draw("""
        api  =! kind=server error.type=500
        api  =! kind=server error.type=500
        api  =! kind=server
    """)
    assert found(spans) == [("error-without-type", 1, 3)]


def test_an_error_without_type_is_found_where_all_other_services_write_it() -> None:
    spans = draw("""
        api  =! kind=server error.type=500
        pay  =! kind=server error.type=500
        cart =! kind=client error.type=timeout
        shop =! kind=internal
        past =! kind=producer http.method=GET
    """)
    assert found(spans) == [("error-without-type", 1, 1)]


def test_an_error_without_type_is_only_told_where_other_services_write_it_now_and_then() -> None:
    spans = draw("""
        api  =! kind=client error.type=500
        api  =! kind=server
        pay  =! kind=client error.type=500
        pay  =! kind=server
        bank =! kind=server
    """).with_columns(scope_name=pl.concat_str("service_name", "kind"))
    assert found(spans) == []


def test_an_error_without_type_is_only_told_where_nothing_writes_it() -> None:
    spans = draw("api =! kind=server")
    assert found(spans) == []
    assert found(spans, severity="info") == [("error-without-type", 1, 1)]


def test_a_type_of_error_on_a_span_that_went_well_is_found() -> None:
    spans = draw("""
        api  =  kind=server error.type=timeout http.response.status_code=200
        api  =! kind=server error.type=timeout
    """)
    assert found(spans) == [("error-type-on-success", 1, 2)]


def test_a_type_of_error_on_a_refusal_is_only_told() -> None:
    spans = draw("api = kind=server error.type=404 http.response.status_code=404")
    assert found(spans) == []
    assert found(spans, severity="info") == [("error-type-on-success", 1, 1)]
