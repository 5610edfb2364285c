from __future__ import annotations

import polars as pl
import pytest

from tracelab.analysis import error_origins, outcomes
from tracelab.errors import TracelabError
from tracelab.schema import ATTRIBUTES
from tracelab.synthetic import draw


def seen(picture: str) -> list[tuple[str, str, bool, int]]:
    """Give route, outcome, whether it failed, and the requests."""
    return outcomes(draw(picture)).select("route", "outcome", "failed", "requests").rows()


THREE_ATTEMPTS = """
    web::POST /orders  ================ kind=server http.response.status_code=502
      web::pay         .==============!
        web::POST      ..===!           kind=client
          bank::charge ..==!            kind=server http.response.status_code=503
        web::POST      ......===!       kind=client
          bank::charge ......==!        kind=server http.response.status_code=503
        web::POST      ..........===!   kind=client
          bank::charge ..........==!    kind=server http.response.status_code=503
"""


def test_three_attempts_of_one_order_are_one_request() -> None:
    row = outcomes(draw(THREE_ATTEMPTS)).row(0, named=True)
    assert (row["requests"], row["share"], row["origins"]) == (1, 1.0, "bank::charge: HTTP 503 (1)")
    assert error_origins(draw(THREE_ATTEMPTS)).select(
        "errors", "traces", "requests", "reached_root", "reached_requests", "reached_fragment"
    ).rows() == [(3, 1, 1, 3, 1, 0)]


REFUSED = """
    web::GET /x       ==========  kind=server http.response.status_code=404
      web::handler    .========
        web::lookup   ..======
          web::call   ...====!    kind=client rpc.grpc.status_code=5
            shop::Get ....==      kind=server rpc.grpc.status_code=5
"""


def test_a_refusal_that_the_caller_saw_reached_it() -> None:
    assert error_origins(draw(REFUSED)).select("name", "reached_root", "swallowed_by", "climbed").rows() == [
        ("call", 1, None, 3.0)
    ]
    answer = outcomes(draw(REFUSED))
    assert answer.select("route", "outcome", "failed", "origins").rows() == [
        ("GET /x", "404", False, "shop::Get: gRPC NOT_FOUND (1)")
    ]


def test_a_refusal_passes_over_a_server_that_only_answered_so() -> None:
    spans = draw("""
        web::POST /orders    ============ kind=server http.response.status_code=402
          web::POST          .=========!  kind=client http.response.status_code=402
            orders::POST     ..=======    kind=server http.response.status_code=402
              orders::pay    ...=====
                orders::POST ....===!     kind=client http.response.status_code=402
                  bank::pay  .....=       kind=server http.response.status_code=402
    """)
    assert error_origins(spans).select("service_name", "errors", "reached_root", "swallowed_by", "climbed").rows() == [
        ("orders", 1, 1, None, 4.0)
    ]
    assert outcomes(spans)["origins"].to_list() == ["bank::pay: HTTP 402 (1)"]


def test_a_refusal_below_a_success_is_swallowed() -> None:
    spans = draw("""
        web::GET /x   ========== kind=server http.response.status_code=200
          web::call   .===!      kind=client http.response.status_code=404
            shop::get ..=        kind=server http.response.status_code=404
          web::other  ......==
    """)
    assert error_origins(spans).select("reached_root", "reached_requests", "swallowed_by").rows() == [
        (0, 0, "web::GET /x")
    ]
    assert outcomes(spans).select("outcome", "origins").rows() == [("200", None)]


def test_a_refusal_of_ones_own_started_at_the_root() -> None:
    spans = draw("web::GET /x == kind=server http.response.status_code=404")
    assert error_origins(spans).is_empty()
    assert outcomes(spans)["origins"].to_list() == ["web::GET /x: HTTP 404 (1)"]


def test_a_failed_cache_is_not_why_something_was_not_found() -> None:
    spans = draw("""
        web::GET /x     ==========  kind=server http.response.status_code=404
          web::handler  .=======
            web::cache  ..==!       kind=client
            web::select .....==     kind=client
    """)
    assert error_origins(spans).select("name", "reached_root", "swallowed_by").rows() == [("cache", 0, "web::handler")]
    assert outcomes(spans)["origins"].to_list() == ["web::GET /x: HTTP 404 (1)"]


def test_outcomes_are_told_as_they_were() -> None:
    assert seen("""
        a::r = kind=server http.response.status_code=502

        a::s = kind=server rpc.grpc.status_code=14

        a::t =! kind=server

        a::u = kind=server status=ok

        a::v = kind=server

        a::w =! kind=server http.response.status_code=200

        a::x = kind=server http.response.status_code=404

        a::y = kind=server rpc.response.status_code=NOT_FOUND http.response.status_code=200

        a::z = kind=server http.status_code=503 status=ok
    """) == [
        ("r", "502", True, 1),
        ("s", "gRPC UNAVAILABLE", True, 1),
        ("t", "error", True, 1),
        ("w", "200 (error)", True, 1),
        ("x", "404", False, 1),
        ("y", "gRPC NOT_FOUND", False, 1),
        ("u", "ok", False, 1),
        ("v", "unset", False, 1),
        ("z", "503 (ok)", False, 1),
    ]


def test_outcomes_mark_an_error_status_that_the_code_of_grpc_does_not_call_for() -> None:
    spans = draw("""
        g::M =! kind=server rpc.grpc.status_code=5

        g::M =  kind=server rpc.grpc.status_code=5

        g::M =! kind=server rpc.grpc.status_code=5

        g::M =! kind=server rpc.grpc.status_code=14

        g::M =  kind=server rpc.grpc.status_code=14 status=ok
    """)
    answer = outcomes(spans).with_columns(counts=pl.col("origins").str.extract(r"(\(\d\))$"))
    assert answer.select("outcome", "failed", "requests", "counts").rows() == [
        ("gRPC NOT_FOUND (error)", True, 2, "(2)"),
        ("gRPC UNAVAILABLE", True, 1, "(1)"),
        ("gRPC NOT_FOUND", False, 1, "(1)"),
        ("gRPC UNAVAILABLE (ok)", False, 1, None),
    ]


def test_outcomes_and_failures_go_by_the_same_one_of_two_codes() -> None:
    spans = draw("""
        a::q = kind=server http.response.status_code=200 http.status_code=500

        a::r = kind=server http.response.status_code=500 http.status_code=200

        a::s = kind=server http.response.status_code=200 http.status_code=404

        a::t = kind=server http.status_code=500
    """)
    assert outcomes(spans).sort("route").select("route", "outcome", "failed", "origins").rows() == [
        ("q", "200", False, None),
        ("r", "500", True, "a::r: HTTP 500 (1)"),
        ("s", "200", False, None),
        ("t", "500", True, "a::t: HTTP 500 (1)"),
    ]


def test_outcomes_tell_origins_of_what_failed_from_those_of_what_did_not() -> None:
    spans = draw("""
        g::M = kind=client rpc.grpc.status_code=5

        g::M = kind=client rpc.grpc.status_code=5 status=ok

        s::M = kind=server rpc.grpc.status_code=5

        s::M = kind=server rpc.grpc.status_code=5 http.response.status_code=200
    """)
    assert outcomes(spans).select("service_name", "outcome", "failed", "requests").rows() == [
        ("g", "gRPC NOT_FOUND", True, 1),
        ("s", "gRPC NOT_FOUND", False, 2),
        ("g", "gRPC NOT_FOUND (ok)", False, 1),
    ]


def test_outcomes_go_by_method_and_route() -> None:
    assert seen("""
        a::GET = kind=server http.request.method=GET http.route=/x/:id http.response.status_code=200

        a::GET = kind=server http.method=GET http.route=/x/:id http.status_code=200

        a::work = kind=server http.route=/x/:id

        a::work = kind=server
    """) == [("GET /x/:id", "200", False, 2), ("/x/:id", "unset", False, 1), ("work", "unset", False, 1)]


def test_outcomes_share_the_requests_of_their_route() -> None:
    picture = "\n\n".join(
        ["a::x = kind=server http.response.status_code=500"] * 2
        + ["a::x = kind=server http.response.status_code=200"] * 8
        + ["b::x = kind=server http.response.status_code=200"]
    )
    answer = outcomes(draw(picture))
    assert answer.select("service_name", "outcome", "requests", "share").rows() == [
        ("a", "500", 2, 0.2),
        ("a", "200", 8, 0.8),
        ("b", "200", 1, 1.0),
    ]
    # As worked by hand for error_rates.
    assert answer.select("lower", "upper").row(0) == pytest.approx((0.05668, 0.50984), abs=1e-4)
    assert outcomes(draw(picture), confidence=0.5)["upper"][0] < answer["upper"][0]
    assert answer["exemplar_trace_id"].to_list() == [f"{1:032x}", f"{3:032x}", f"{11:032x}"]


def test_outcomes_are_those_of_requests_only() -> None:
    spans = draw("""
        web::GET /x    ==== kind=server
          rank::GET    .==  kind=server

        rank::lost     ===!

        rank::batch    ===! kind=consumer

        missing
          web::POST /x ===! kind=server

        browser::click ===! kind=client

        script::main   ===!
    """)
    assert outcomes(spans).select("service_name", "outcome", "requests").rows() == [
        ("browser", "error", 1),
        ("script", "error", 1),
        ("web", "unset", 1),
    ]
    assert error_origins(spans).sort("name").select("name", "requests", "reached_root", "reached_fragment").rows() == [
        ("POST /x", 0, 0, 1),
        ("batch", 0, 1, 0),
        ("click", 1, 1, 0),
        ("lost", 0, 0, 1),
        ("main", 1, 1, 0),
    ]


@pytest.mark.parametrize("kind", ["unspecified", "internal"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_root_of_no_kind_that_has_an_answer_was_asked(kind: str, *, apart: bool) -> None:
    spans = draw(f"""
        api::GET /a ====! kind={kind} http.method=GET http.route=/a http.status_code=500

        api::Get    ====  kind={kind} rpc.grpc.status_code=0

        api::GET /b ====  kind=server http.method=GET http.route=/b http.status_code=200

        api::reload ====! kind={kind}

        api::GET    ====! kind=client http.response.status_code=500
    """)
    if apart:
        keys = [name for name in spans.columns if name.startswith("span.")]
        more = [[{"key": k, "value": str(row[k])} for k in keys if row[k] is not None] for row in spans.to_dicts()]
        spans = spans.drop(keys).with_columns(more_attributes=pl.Series(more).cast(ATTRIBUTES))
    assert outcomes(spans).select("route", "outcome", "failed", "requests").rows() == [
        ("GET /a", "500", True, 1),
        ("GET /b", "200", False, 1),
        ("Get", "gRPC OK", False, 1),
    ]
    reached = error_origins(spans).select("name", "requests", "reached_root", "reached_fragment").sort("name")
    assert reached.rows() == [("GET", 0, 0, 1), ("GET /a", 1, 1, 0), ("reload", 0, 0, 1)]


def test_outcomes_name_the_most_frequent_origins() -> None:
    def request(*names: str) -> str:
        calls = [f"  db::{name} .=!" for name in names]
        return "\n".join(["a::x ====! kind=server", *calls])

    spans = draw("\n\n".join([request("a", "b", "c", "d"), request("b", "b"), request("c", "b"), request("b")]))
    assert outcomes(spans)["origins"].to_list() == ["db::b (4), db::c (2), db::a (1)"]


def test_outcomes_of_nothing_have_all_columns() -> None:
    spans = draw(REFUSED)
    assert outcomes(spans.clear()).schema == outcomes(spans).schema
    assert outcomes(spans.clear()).is_empty()


def test_outcomes_take_the_spans_that_are_there() -> None:
    spans = draw(REFUSED).filter(pl.col("name") != "lookup")
    assert outcomes(spans)["origins"].to_list() == ["web::GET /x: HTTP 404 (1)"]


@pytest.mark.parametrize("confidence", [0, 1, "high", None])
def test_outcomes_say_what_is_wrong(confidence: float) -> None:
    with pytest.raises(TracelabError, match="`confidence` must lie between 0 and 1"):
        outcomes(draw("a ="), confidence=confidence)


ANSWERED = """
    web::GET /x   ==  kind=server http.response.status_code=200

    web::GET /x   ==  kind=server http.response.status_code=200

    web::GET /x   ==! kind=server http.response.status_code=500

    web::GET /y   ==  kind=server http.response.status_code=200
"""


def weighted(*weights: float | None) -> pl.DataFrame:
    return outcomes(draw(ANSWERED).with_columns(w=pl.Series(weights, dtype=pl.Float64)), weights="w")


def test_requests_count_as_often_as_their_roots_stand_for() -> None:
    found = weighted(10, 10, 1, 4)
    assert found.select("route", "outcome", "requests", "share", "estimated_requests").rows() == [
        ("GET /x", "500", 1, pytest.approx(1 / 21), 1.0),
        ("GET /x", "200", 2, pytest.approx(20 / 21), 20.0),
        ("GET /y", "200", 1, 1.0, 4.0),
    ]
    assert found["effective_sample_size"].to_list() == pytest.approx([21**2 / 201, 21**2 / 201, 1])
    for bounds in (("lower", "share", "upper"), [f"estimated_requests{side}" for side in ("_lower", "", "_upper")]):
        low, value, high = (found[name] for name in bounds)
        assert ((low <= value) & (value <= high)).all()
    assert (found["lower"][1], found["upper"][1]) != (found["share"][1], found["share"][1])


def test_requests_that_were_all_kept_leave_nothing_open() -> None:
    plain, found = outcomes(draw(ANSWERED)), weighted(1, 1, 1, 1)
    same = [name for name in plain.columns if name not in {"lower", "upper"}]
    assert found.select(same).equals(plain.select(same))
    assert found["lower"].equals(found["share"], check_names=False)
    assert found["upper"].equals(found["share"], check_names=False)
    assert (plain.columns[-1], found.columns[-1]) == ("exemplar_trace_id", "exemplar_trace_id")


def test_an_unknown_weight_leaves_the_shares_of_its_route_unknown() -> None:
    found = {(row["route"], row["outcome"]): row for row in weighted(10, None, 1, 4).iter_rows(named=True)}
    failed, fine, other = found["GET /x", "500"], found["GET /x", "200"], found["GET /y", "200"]
    assert (failed["share"], failed["lower"], failed["estimated_requests"], failed["unknown_weight"]) == (
        None,
        None,
        1,
        1,
    )
    assert (fine["share"], fine["estimated_requests"], fine["requests"]) == (None, None, 2)
    assert (other["share"], other["unknown_weight"]) == (1, 0)


def test_the_most_estimated_requests_come_first() -> None:
    assert weighted(1, 1, 1, 50)["route"].to_list() == ["GET /x", "GET /y", "GET /x"]


def test_beyond_a_hundred_outcomes_of_a_route_there_are_shares_without_bounds() -> None:
    one = draw("web::GET /x == kind=server http.response.status_code=200")
    many = pl.concat([one] * 150).with_columns(
        pl.int_range(150).cast(pl.String).str.zfill(32).alias("trace_id"),
        pl.int_range(1000, 1150).alias("span.http.response.status_code"),
        w=2.0,
    )
    found = outcomes(many, weights="w")
    assert found["share"].to_list() == pytest.approx([1 / 150] * 150)
    assert found["upper"].null_count() == 50


def test_weighted_outcomes_of_nothing_have_all_columns() -> None:
    found = outcomes(draw("api =").with_columns(w=pl.lit(1.0)).clear(), weights="w")
    assert found.height == 0
    assert found.schema == weighted(1, 1, 1, 1).schema
