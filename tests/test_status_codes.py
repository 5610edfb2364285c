from __future__ import annotations

from typing import Any

import pytest

from tracelab.status_codes import GRPC_CODES, grpc_code, http_code, is_grpc, named_grpc_code


@pytest.mark.parametrize(("name", "code"), GRPC_CODES.items())
@pytest.mark.parametrize(
    "written",
    ["{}", " {} ", "StatusCode.{}", "StatusCode::{}", "io.grpc.Status.{}", "Code.{}", "{}({n})", "{n} {}", "{n}: {}"],
)
def test_a_code_of_grpc_is_read_by_its_name(written: str, name: str, code: int) -> None:
    words = name.split("_")
    for spelling in (
        name,
        name.lower(),
        name.replace("_", "-"),
        " ".join(words).lower(),
        "".join(map(str.title, words)),
    ):
        assert grpc_code(written.format(spelling, n=code)) == code
        assert named_grpc_code(written.format(spelling, n=code)) == code


@pytest.mark.parametrize(
    "value",
    [
        14,
        14.0,
        "14",
        " 14 ",
        "14.0",
        "+14",
        "UNAVAILABLE ",
        "(14, 'unavailable')",
        "<StatusCode.UNAVAILABLE: (14, 'unavailable')>",
        "StatusCode.UNAVAILABLE: 14",
        "statuscode.unavailable",
        "Codes.Unavailable",
        "codes.Unavailable",
        "14 - UNAVAILABLE",
    ],
    ids=repr,
)
def test_a_code_of_grpc_is_read_however_it_was_written(value: Any) -> None:
    assert grpc_code(value) == 14


@pytest.mark.parametrize(
    "value",
    [
        *(14.5, "14.5", -1, "-1", 17, "17", True, "true", None, "", " ", "()", "[14]", float("nan"), float("inf")),
        *("nonsense", "5 UNAVAILABLE", "UNAVAILABLE(5)", "UNAVAILABLE or INTERNAL", "14 14.5", "9" * 5_000),
        "UNAVAILABLE" + " " * 5_000 + "x",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_code_of_grpc_is_none(value: Any) -> None:
    assert grpc_code(value) is None


def test_a_number_alone_is_no_name() -> None:
    assert [named_grpc_code(value) for value in (14, "14", "(14)", "14, 14")] == [None] * 4


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *((503, 503), (503.0, 503), ("503", 503), (" 503 ", 503), ("503.0", 503), ("503 Service Unavailable", 503)),
        *((503.9, None), ("503.9", None), ("503 9", None), ("5030 x", None), ("x", None), ("", None), (True, None)),
        (None, None),
    ],
    ids=repr,
)
def test_a_code_of_http_is_a_whole_number_perhaps_with_its_reason(value: Any, code: int | None) -> None:
    assert http_code(value) == code


def test_a_blank_system_says_nothing() -> None:
    assert [is_grpc(text) for text in ("grpc", " GRPC ", "dubbo", "", " ")] == [True, True, False, None, None]
