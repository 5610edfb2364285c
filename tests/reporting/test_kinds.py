from __future__ import annotations

from datetime import timedelta

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw, generate

FAILED = """
web::GET /pay   {bar}  kind=server http.response.status_code={code}
  {who}         .=!    kind=server
"""


def failing(code: int, who: str, length: int) -> str:
    return FAILED.format(code=code, who=who, bar="=" * length)


def test_failing_requests_are_sorted_by_outcome_and_by_where_they_failed() -> None:
    spans = draw("\n".join([*(failing(502, "bank::pay", n) for n in (4, 9, 5)), failing(502, "mail::send", 4)]))
    kinds = tl.request_kinds(spans)
    assert kinds.select("kind", "route", "outcome", "cause", "requests", "of").rows() == [
        ("failing", "GET /pay", "502", "bank::pay", 3, 4),
        ("failing", "GET /pay", "502", "mail::send", 1, 4),
    ]
    assert kinds["p50"].to_list() == [timedelta(milliseconds=5), timedelta(milliseconds=4)]


def test_the_exemplar_is_the_one_in_the_middle() -> None:
    spans = draw("\n".join(failing(502, "bank::pay", n) for n in (4, 9, 5)))
    exemplar = tl.request_kinds(spans)["exemplar_trace_id"][0]
    assert spans.filter(trace_id=exemplar)["duration"].max() == timedelta(milliseconds=5)


def test_more_causes_than_three_go_together() -> None:
    spans = draw("\n".join(failing(500, f"s{n}::x", 4) for n in range(6) for _ in range(6 - n)))
    kinds = tl.request_kinds(spans)
    assert kinds["cause"].to_list() == ["s0::x", None, "s1::x", "s2::x"]
    assert kinds["requests"].to_list() == [6, 6, 5, 4]


def test_slow_requests_are_sorted_by_the_step_that_took_the_time() -> None:
    def request(db: int, mail: int) -> str:
        whole = "=" * (db + mail + 4)
        steps = f"  db::find .{'=' * db} kind=client\n  mail::send .{'.' * db}{'=' * mail} kind=client"
        return f"web::GET /a {whole} kind=server\n{steps}"

    usual = [request(5 + n % 2, 5 + n % 3) for n in range(40)]
    spans = draw("\n\n".join([*usual, *[request(100, 5)] * 3, *[request(5, 80)] * 2]))
    kinds = tl.request_kinds(spans)
    assert kinds.select("kind", "outcome", "cause", "requests", "of").rows() == [
        ("slow", "slow", "db::find", 3, 45),
        ("slow", "slow", "mail::send", 2, 45),
    ]


def test_routes_with_few_requests_have_no_slow_ones() -> None:
    spans = draw("\n\n".join(["web::GET /a ==== kind=server"] * 15 + [f"web::GET /a {'=' * 300} kind=server"] * 2))
    assert tl.request_kinds(spans).is_empty()


def test_kinds_are_few_and_do_not_count_a_request_twice() -> None:
    spans = generate(30_000, seed=4)
    kinds = tl.request_kinds(spans)
    assert kinds.height <= 50
    failed = tl.outcomes(spans).filter("failed")["requests"].sum()
    assert kinds.filter(kind="failing")["requests"].sum() <= failed
    assert set(kinds["exemplar_trace_id"]) <= set(spans["trace_id"])


def test_an_empty_frame_has_no_kinds() -> None:
    spans = draw("a ===")
    empty = tl.request_kinds(spans.clear())
    assert empty.is_empty()
    assert empty.schema == tl.request_kinds(spans).schema
    assert empty.schema["p50"] == pl.Duration("ns")
