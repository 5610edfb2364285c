from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tracelab.analysis import error_origins, outcomes
from tracelab.loaders import read
from tracelab.schema import EVENTS
from tracelab.synthetic import draw


def raising(spans: pl.DataFrame, name: str, *exceptions: dict[str, str]) -> pl.DataFrame:
    """Give the spans of this name exception events."""
    attributes = [
        [{"key": f"exception.{key}", "value": value} for key, value in exception.items()] for exception in exceptions
    ]
    events: list[dict[str, Any]] = [{"time": 0, "name": "exception", "attributes": pairs} for pairs in attributes]
    raw = pl.List(pl.Struct({"time": pl.Int64(), "name": pl.String(), "attributes": PAIRS}))
    column = pl.Series([events if other == name else [] for other in spans["name"]], dtype=raw)
    return spans.with_columns(events=column.cast(EVENTS))


PAIRS = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))


def test_error_origins_are_failing_spans_without_a_failing_child() -> None:
    spans = draw("""
        web      ==========!
          pay    .========!
            bank ..=====!
            log  ..=
          mail   .=!
            smtp .=
    """)
    answer = error_origins(spans)
    assert answer.select("name", "errors", "reached_root", "swallowed_by", "climbed").rows() == [
        ("bank", 1, 1, None, 2.0),
        ("mail", 1, 1, None, 1.0),
    ]


def test_error_origins_say_who_swallowed_the_failure() -> None:
    spans = draw("""
        web             ==========
          shop::buy     .========
            shop::try   .===!
              bank      ..=!
            shop::again .....===
    """)
    assert error_origins(spans).select("name", "reached_root", "swallowed_by", "climbed").rows() == [
        ("bank", 0, "shop::buy", 1.0)
    ]


def test_error_origins_see_through_internal_spans_without_a_status() -> None:
    spans = draw("""
        web           ==========! kind=server
          handler     .========
            wrapper   .=======
              call    .======!  kind=client
    """)
    assert error_origins(spans).select("name", "reached_root", "climbed").rows() == [("call", 1, 3.0)]


def test_error_origins_do_not_see_through_spans_that_went_on() -> None:
    spans = draw("""
        web           ===============! kind=server
          handler     .======
            try       .==!
            again     ...==
          mail        ........===!
    """)
    assert error_origins(spans).select("name", "reached_root", "swallowed_by").rows() == [
        ("mail", 1, None),
        ("try", 0, "handler::handler"),
    ]


def test_error_origins_do_not_see_through_a_status_of_ok_or_a_server() -> None:
    for quiet in ("status=ok", "kind=server"):
        spans = draw(f"""
            web       ==========!
              quiet   .======== {quiet}
                call  .=======!
        """)
        assert error_origins(spans).select("name", "swallowed_by").rows() == [("call", "quiet::quiet"), ("web", None)]


def reaching(picture: str) -> list[tuple[str, str, int, int, str | None]]:
    """Give service and name of each origin, its errors, how many reached the root, and who swallowed the others."""
    columns = ("service_name", "name", "errors", "reached_root", "swallowed_by")
    return error_origins(draw(picture)).select(columns).sort("service_name", "name").rows()


RECOVERED = """
    w::G   ==========! kind=server http.response.status_code=500
      w::P .==!        kind=client
        b::p .==!      kind=server http.response.status_code=503
      w::P ...=        kind=client
        b::p ...=      kind=server http.response.status_code=200
      w::db .....===!
"""


def test_a_retry_that_went_well_is_not_to_blame_for_a_later_failure() -> None:
    assert reaching(RECOVERED) == [("b", "p", 1, 0, "w::G"), ("w", "db", 1, 1, None)]
    assert outcomes(draw(RECOVERED))["origins"].to_list() == ["w::db (1)"]


def test_a_failure_of_its_own_after_a_retry_that_went_well_starts_at_the_parent() -> None:
    alone = RECOVERED[: RECOVERED.index("      w::db")]
    assert reaching(alone) == [("b", "p", 1, 0, "w::G"), ("w", "G", 1, 1, None)]


def test_retries_in_wrappers_without_a_status_went_well_too() -> None:
    picture = """
        w::G       ============! kind=server
          w::try   .==
            b::p   .==!          kind=client
          w::try   ....==
            b::p   ....==        kind=client
          w::db    .......===!
    """
    assert reaching(picture) == [("b", "p", 1, 0, "w::try"), ("w", "db", 1, 1, None)]
    assert reaching(picture.replace("    b::p   ....==   ", "    b::p   ....==!  ")) == [
        ("b", "p", 2, 2, None),
        ("w", "db", 1, 1, None),
    ]


def test_attempts_that_all_failed_reach_the_root_together() -> None:
    for above in ("web ===========! kind=server", "web =========== kind=server http.response.status_code=404"):
        assert reaching(f"""
            {above}
              pay    .=========
                bank .==!          kind=client
                bank ....==!       kind=client
                bank .......==!    kind=client
        """) == [("bank", "bank", 3, 3, None)]


def test_calls_side_by_side_are_no_retries() -> None:
    assert reaching("""
        web     ===========! kind=server
          shard .===!
          shard .====
          shard ...=====
    """) == [("shard", "shard", 1, 1, None)]


def test_another_thing_that_went_well_is_no_retry() -> None:
    for other in ("bank::log ....=", "mail::pay ....=", "bank::pay ....= kind=client"):
        assert reaching(f"""
            web         ===========! kind=server
              bank::pay .==!
              {other}
        """) == [("bank", "pay", 1, 1, None)]


def test_a_fallback_below_a_root_that_only_answered_so_swallows_the_failure() -> None:
    picture = """
        w::G       ========== kind=server http.response.status_code=404
          w::cache .=!
          w::db    ..=====
    """
    assert reaching(picture) == [("w", "cache", 1, 0, "w::G")]
    assert outcomes(draw(picture))["origins"].to_list() == ["w::G: HTTP 404 (1)"]
    last = picture.replace("=====\n", "=====!\n")
    assert reaching(last) == [("w", "cache", 1, 0, "w::G"), ("w", "db", 1, 1, None)]
    assert outcomes(draw(last))["origins"].to_list() == ["w::db (1)"]


def test_a_failure_without_length_is_the_last_thing_that_was_started() -> None:
    assert reaching("""
        web     ===== kind=server http.response.status_code=400
          check ..!
    """) == [("check", "check", 1, 1, None)]


def test_what_was_left_running_does_not_reach_who_went_on_without_it() -> None:
    picture = """
        w::G     ====! kind=server http.response.status_code=500
          w::db  .==!
          w::task ..=======!
    """
    assert reaching(picture) == [("w", "db", 1, 1, None), ("w", "task", 1, 0, "w::G")]
    assert outcomes(draw(picture))["origins"].to_list() == ["w::db (1)"]
    called = picture.replace("=======!", "=======! kind=server")
    assert reaching(called) == [("w", "db", 1, 1, None), ("w", "task", 1, 1, None)]


def test_processes_of_one_service_may_fail_after_each_other() -> None:
    spans = draw("""
        w::G    ====! kind=server
          w::P  ..=======!
    """).with_columns(pl.Series("resource.host.name", ["one", "two"]))
    assert error_origins(spans).select("name", "reached_root").rows() == [("P", 1)]
    assert error_origins(spans.drop("resource.host.name")).sort("name").select("name", "reached_root").rows() == [
        ("G", 1),
        ("P", 0),
    ]


def test_who_sends_a_message_does_not_fail_for_its_consumer() -> None:
    assert reaching("""
        w::G      ==========! kind=server
          w::send .===!       kind=producer
            m::on ..=!        kind=consumer
    """) == [("m", "on", 1, 0, "w::send"), ("w", "send", 1, 1, None)]


def test_error_origins_name_who_swallows_most() -> None:
    once = """
        {}    ====
          bank =!
    """
    spans = draw(once.format("b") + "\n\n" + once.format("a") + "\n\n" + once.format("b"))
    assert error_origins(spans).select("errors", "traces", "swallowed_by").row(0) == (3, 3, "b::b")


def test_error_origins_tell_a_root_from_the_top_of_a_fragment_whose_parent_is_missing() -> None:
    spans = draw("""
        lost
          pay    .========!
            bank ..=====!
    """)
    answer = error_origins(spans)
    assert answer.select("name", "reached_root", "reached_fragment", "requests", "swallowed_by").rows() == [
        ("bank", 0, 1, 0, None)
    ]


def test_error_origins_read_the_last_exception_event() -> None:
    spans = raising(
        draw("a ====!"),
        "a",
        {"type": "KeyError", "message": "no 12"},
        {"type": "LookupError", "message": "gave up after 3 tries\nTraceback ..."},
    )
    assert error_origins(spans).select("exception_type", "message").row(0) == ("LookupError", "gave up after <n> tries")


def test_error_origins_fold_what_differs_each_time() -> None:
    spans = draw("""
        a =! exception.message="user 17 not found"

        a =! exception.message="user 4711 not found"

        a =! exception.message="order 9f8b2c4d7e6a51f0 in 250ms"

        a =! exception.message="order 01a2b3c4d5e6f708 in 13.5ms"

        a =! exception.message="id 123e4567-e89b-12d3-a456-426614174000 at 0x7f3a"
    """)
    assert error_origins(spans).select("message", "errors").rows() == [
        ("order <id> in <n>ms", 2),
        ("user <n> not found", 2),
        ("id <id> at <id>", 1),
    ]


def test_error_origins_fall_back_on_attributes_and_status() -> None:
    spans = draw("""
        a =! error.type=timeout

        b = http.response.status_code=503

        c =! rpc.grpc.status_code=14

        d =!

        e =! error.type=404 http.response.status_code=404
    """).with_columns(status_message=pl.lit("out of luck"))
    assert error_origins(spans).sort("name").select("exception_type", "message").rows() == [
        ("timeout", "out of luck"),
        ("HTTP 503", "out of luck"),
        ("gRPC UNAVAILABLE", "out of luck"),
        (None, "out of luck"),
        ("HTTP 404", "out of luck"),
    ]


def test_error_origins_name_codes_of_grpc() -> None:
    spans = draw("""
        a = rpc.grpc.status_code=14 kind=server

        b = rpc.response.status_code=NOT_FOUND kind=client

        c =! rpc.response.status_code=UNAVAILABLE error.type=UNAVAILABLE

        d =! rpc.response.status_code=70 rpc.system.name=dubbo

        e =! rpc.response.status_code=0

        f = rpc.grpc.status_code=5 kind=server
    """)
    assert error_origins(spans).sort("name").select("name", "exception_type").rows() == [
        ("a", "gRPC UNAVAILABLE"),
        ("b", "gRPC NOT_FOUND"),
        ("c", "gRPC UNAVAILABLE"),
        ("d", None),
        ("e", None),
    ]


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        (
            [
                "rpc.grpc.status_code=14",
                'rpc.grpc.status_code="14"',
                "rpc.grpc.status_code=14.0",
                "rpc.response.status_code=UNAVAILABLE",
                "rpc.response.status_code=unavailable error.type=unavailable",
                "rpc.grpc.status_code=14 error.type=UNAVAILABLE",
                "rpc.grpc.status_code=codes.Unavailable error.type=14",
                "rpc.grpc.status_code=StatusCode.UNAVAILABLE",
            ],
            "gRPC UNAVAILABLE",
        ),
        (
            [
                "http.response.status_code=503",
                "http.response.status_code=503.0",
                'http.status_code="503"',
                "http.status_code=503.0 error.type=503",
                "http.status_code=503.0 error.type=503.0",
            ],
            "HTTP 503",
        ),
        (['rpc.response.status_code=70 rpc.system.name=dubbo error.type="70"'], "70"),
    ],
)
def test_a_failure_has_one_name_however_its_code_was_written(spellings: list[str], expected: str) -> None:
    spans = draw("\n\n".join(f"a =! kind=server {spelling}" for spelling in spellings))
    answer = error_origins(spans)
    assert answer.select("exception_type", "errors").rows() == [(expected, len(spellings))]
    for spelling in spellings:
        assert error_origins(draw(f"a =! kind=server {spelling}"))["exception_type"].to_list() == [expected]


def test_error_origins_name_the_first_of_their_kind() -> None:
    spans = draw("a =!\n\na =!")
    row = error_origins(spans.reverse()).row(0, named=True)
    assert (row["exemplar_trace_id"], row["exemplar_span_id"]) == (f"{1:032x}", f"{1:016x}")
    assert row["first_seen"] < row["last_seen"]


def test_error_origins_go_up_deep_chains() -> None:
    depth = 300
    picture = "\n".join(" " * level + f"s{level} {'=' * 5}!" for level in range(depth))
    assert error_origins(draw(picture)).select("name", "climbed", "reached_root").row(0) == ("s299", 299.0, 1)


def test_error_origins_of_a_dump_without_errors_are_none() -> None:
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "a",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
    }
    dump = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert error_origins(read(json.dumps(dump).encode())).is_empty()
