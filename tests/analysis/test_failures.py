"""One trace has the same failures whatever it is read from."""

from __future__ import annotations

import json
from itertools import product
from typing import Any, Final

import polars as pl
import pytest

from tests.loaders.dumps import TRACE_ID, attribute, compact, request, span
from tracelab.analysis import error_rates, outcomes
from tracelab.loaders import read
from tracelab.schema import ATTRIBUTES, KINDS

CALLERS: Final = ("client", "producer")
OLD, NEW, NEWEST = "rpc.grpc.status_code", "rpc.response.status_code", "rpc.status_code"

HTTP: Final[list[tuple[dict[str, Any], tuple[bool, bool]]]] = [
    # What the attributes say, and whether it is a failure for callers and for the others.
    *(
        ({"http.response.status_code": code}, (code >= 400, code >= 500))
        for code in (0, 200, 302, 400, 404, 499, 500, 504)
    ),
    ({"http.status_code": "404"}, (True, False)),
    ({"http.status_code": 500.0}, (True, True)),
    ({"http.status_code": 499.5}, (False, False)),
    ({"http.status_code": "503 Service Unavailable"}, (True, True)),
    ({"http.response.status_code": 200, "http.status_code": 500}, (False, False)),
    ({"http.response.status_code": 500, "http.status_code": 200}, (True, True)),
    ({"http.response.status_code": "?", "http.status_code": 500}, (True, True)),
]
# The first is for servers, the second for the others.
GRPC: Final[list[tuple[dict[str, Any], tuple[bool, bool]]]] = [
    *(({OLD: value}, (False, False)) for value in (0, "0", "OK", "StatusCode.OK", 14.5, "14.5", True, "x", [14], 17)),
    *(({OLD: value}, (False, True)) for value in (5, "5", "NOT_FOUND", " 5 ", "5 NOT_FOUND", "codes.NotFound", 5.0)),
    *(
        ({OLD: value}, (True, True))
        for value in (
            *(14, 14.0, "14", " 14 ", "14.0", "UNAVAILABLE ", "14 UNAVAILABLE", "UNAVAILABLE(14)"),
            *("io.grpc.Status.UNAVAILABLE", "StatusCode.UNAVAILABLE: 14", "statuscode.unavailable"),
            *("Codes.Unavailable", "StatusCode::Unavailable"),
        )
    ),
    *(({NEW: 14, "rpc.system": system}, (True, True)) for system in ("grpc", "GRPC", " grpc", "", " ")),
    ({NEW: 14}, (True, True)),
    ({NEW: 14, "rpc.system": "dubbo"}, (False, False)),
    ({NEW: "UNAVAILABLE", "rpc.system": "dubbo"}, (True, True)),
    ({NEW: 14, "rpc.system.name": " ", "rpc.system": "dubbo"}, (False, False)),
    ({NEW: 14, "rpc.system.name": "", "rpc.system": "grpc"}, (True, True)),
    ({OLD: 0, NEW: 14}, (True, True)),
    ({NEWEST: "UNAVAILABLE"}, (True, True)),
    ({NEWEST: "NOT_FOUND"}, (False, True)),
    ({NEWEST: 14, "rpc.system.name": "dubbo"}, (False, False)),
]
CASES: Final = [
    *((kind, said, failed[kind not in CALLERS]) for kind, (said, failed) in product(KINDS, HTTP)),
    *((kind, said, failed[kind != "server"]) for kind, (said, failed) in product(KINDS, GRPC)),
]
EXPECTED: Final = {f"{number:04}": (kind, said, failed) for number, (kind, said, failed) in enumerate(CASES)}


def otlp(cases: dict[str, tuple[str, dict[str, Any], bool]]) -> bytes:
    spans = (
        span(
            f"{1 + int(name):016x}",
            name=name,
            kind=KINDS.index(kind),
            attributes=[attribute(key, value) for key, value in said.items()],
        )
        for name, (kind, said, _) in cases.items()
    )
    return compact(request(*spans))


def jaeger(cases: dict[str, tuple[str, dict[str, Any], bool]]) -> bytes:
    types = {bool: "bool", int: "int64", float: "float64", str: "string", list: "string"}
    rows = [
        {
            "traceID": TRACE_ID,
            "spanID": f"{1 + int(name):016x}",
            "operationName": name,
            "startTime": 100,
            "duration": 7,
            "processID": "p1",
            "tags": [
                {"key": "span.kind", "type": "string", "value": kind},
                *(
                    {"key": key, "type": types[type(value)], "value": json.dumps(value) if value == [14] else value}
                    for key, value in said.items()
                ),
            ],
        }
        for name, (kind, said, _) in cases.items()
    ]
    return compact({"data": [{"traceID": TRACE_ID, "spans": rows, "processes": {"p1": {"serviceName": "shop"}}}]})


def failures(spans: pl.DataFrame) -> dict[str, bool]:
    counts = error_rates(spans, by="name", entry_only=False).select("name", pl.col("errors") > 0)
    return dict(counts.rows())


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("written", [otlp, jaeger])
def test_a_span_has_failed_whatever_it_was_read_from(written: Any) -> None:
    found = failures(read(written(EXPECTED)))
    assert {name: (*EXPECTED[name][:2], failed) for name, failed in found.items()} == EXPECTED


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("written", [otlp, jaeger])
def test_a_span_has_failed_whatever_others_are_read_with_it(written: Any) -> None:
    # Alone, an attribute's column has the dtype of its one value; among others of all types it is text.
    for name, case in list(EXPECTED.items())[:: len(KINDS) + 1]:
        assert failures(read(written({name: case}))) == {name: case[2]}, case


def test_loaders_guess_what_answers_count() -> None:
    with pytest.warns(match="guessed from status codes"):
        spans = read(jaeger(EXPECTED))
    guessed = dict(spans.select("name", pl.col("status_code") == "error").rows())
    assert guessed == {name: failed for name, (_, _, failed) in EXPECTED.items()}


def test_codes_are_read_in_columns_of_any_number_and_in_none() -> None:
    spans = read(otlp({"0": ("server", {OLD: 14}, True)}))
    for dtype in (pl.Int8, pl.UInt64, pl.Float32, pl.String):
        assert error_rates(spans.with_columns(pl.col(f"span.{OLD}").cast(dtype)))["errors"].item() == 1, dtype
    half = spans.with_columns(pl.lit(14.5).alias(f"span.{OLD}"))
    assert error_rates(half)["errors"].item() == 0
    more = pl.Series([[{"key": f"span.{OLD}", "value": "14 UNAVAILABLE"}]]).cast(ATTRIBUTES)
    assert error_rates(spans.drop(f"span.{OLD}").with_columns(more_attributes=more))["errors"].item() == 1


def test_outcomes_name_a_code_however_it_was_written() -> None:
    for value in ("UNAVAILABLE(14)", 14, "14.0", "io.grpc.Status.UNAVAILABLE"):
        assert outcomes(read(otlp({"0": ("server", {OLD: value}, True)})))["outcome"].item() == "gRPC UNAVAILABLE"
