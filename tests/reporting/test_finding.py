from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tracelab as tl
from tracelab.reporting.sentences.rows import SCHEMA
from tracelab.synthetic import draw, generate, generate_incident

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = """
web::GET /pay     ============ kind=server http.response.status_code=200
  web::POST       .==========  kind=client
    bank::pay     .==========  kind=server http.response.status_code=200
"""
REFUSED_BY_ALL = """
web::GET /pay     ============ kind=server http.response.status_code=502
  web::POST       .===!        kind=client
    bank::pay     ..=!         kind=server http.response.status_code=503
  web::POST       .....===!    kind=client
    bank::pay     ......=!     kind=server http.response.status_code=503
"""


def said(spans: pl.DataFrame) -> list[str]:
    return tl.findings(spans)["finding"].to_list()


def many(*pictures: tuple[str, int]) -> pl.DataFrame:
    return draw("\n".join("\n".join([picture] * count) for picture, count in pictures))


def test_healthy_traces_have_no_findings() -> None:
    found = tl.findings(many((PLAIN, 30)))
    assert found.is_empty()
    assert found.schema == SCHEMA


def test_a_failure_is_told_with_whoever_refused_every_attempt() -> None:
    spans = many((PLAIN, 7), (REFUSED_BY_ALL, 3))
    row = tl.findings(spans).row(0, named=True)
    assert row["finding"] == (
        "3 of 10 requests to GET /pay were answered 502 (10.8 - 60.3 %): bank answered 503 to both attempts."
    )
    assert (row["subject"], row["service_name"], row["name"]) == ("failure", "bank", "GET /pay")
    assert (row["requests"], row["of"], row["share"]) == (3, 10, 0.3)
    assert row["evidence"] == "outcomes"
    assert spans.filter(trace_id=row["exemplar_trace_id"]).filter(http_status() == 502).height == 1
    assert tl.findings(spans).filter(subject="failure").height == 1


def http_status() -> pl.Expr:
    return tl.attr("http.response.status_code", dtype=pl.Int64)


def test_attempts_are_not_told_where_requests_made_different_numbers_of_them() -> None:
    once = """
    web::GET /pay     ============ kind=server http.response.status_code=502
      web::POST       .===!        kind=client
        bank::pay     ..=!         kind=server http.response.status_code=503
    """
    assert said(many((REFUSED_BY_ALL, 2), (once, 2)))[0].endswith(": bank answered 503.")


def test_a_failure_after_which_another_attempt_went_well_is_told_as_such() -> None:
    spans = many(
        (
            """
            web::GET /pay     ============ kind=server http.response.status_code=200
              web::POST       .===!        kind=client
                bank::pay     ..=!         kind=server http.response.status_code=503
              web::POST       .....===     kind=client
                bank::pay     ......=      kind=server http.response.status_code=200
            """,
            4,
        ),
        (PLAIN, 4),
    )
    found = tl.findings(spans)
    text = "4 of 8 requests to GET /pay needed another attempt (21.5 - 78.5 %): bank answered 503."
    assert found["finding"].to_list() == [text]
    assert found["harm"].to_list() == pytest.approx([0.4])


def test_a_message_that_was_delivered_again_needed_another_attempt() -> None:
    spans = draw("""
    shop::POST /buy     ====             kind=server http.response.status_code=202
      shop::send        ..=              kind=producer
        store::receive  ...====          kind=consumer
          store::pack   ....==!
        store::receive  ..........====   kind=consumer
          store::pack   ...........==
    """)
    assert "needed another attempt" in said(spans)[0]


def test_a_fallback_in_silence_is_a_failure() -> None:
    spans = draw("""
    web::GET /tips   ========  kind=server http.response.status_code=200
      web::GET       .=====!   kind=client exception.type=TimeoutError
        tips::rank   ..======  kind=server
    """)
    assert said(spans)[0] == (
        "The one request to GET /tips was answered 200 though tips failed: tips gave no answer in time, and GET /tips "
        "of web went on."
    )


def test_one_culprit_is_told_of_once_however_many_routes_need_it() -> None:
    order = """
    web::GET /buy     ===!  kind=server http.response.status_code=502
      web::POST       .=!   kind=client
        bank::pay     .=!   kind=server http.response.status_code=503
    """
    found = tl.findings(many((REFUSED_BY_ALL, 3), (order, 2))).filter(subject="failure")
    (text,) = found["finding"]
    assert text.startswith("5 of 5 requests to GET /pay and GET /buy ")


def test_failures_of_routes_themselves_are_told_apart() -> None:
    broken = "web::GET /{0} ===! kind=server http.response.status_code=500 http.route=/{0}"
    assert len(said(many((broken.format("a"), 3), (broken.format("b"), 3)))) == 2


def test_what_is_rare_goes_together() -> None:
    broken = "web::GET /{0} ===! kind=server http.response.status_code=500"
    (text,) = said(draw("\n\n".join(broken.format(name) for name in "abcde")))
    assert text == "5 of 5 requests failed (56.6 - 100 %) in 5 ways of which none was seen more than twice."


def test_who_asked_for_something_that_is_not_there_met_no_failure() -> None:
    assert said(draw("web::GET /x === kind=server http.response.status_code=404")) == []


def test_a_job_that_failed_is_told_of_though_nobody_asked() -> None:
    spans = draw("""
    store::receive  ====!  kind=consumer
      db::SELECT    .==!   kind=client

    store::receive  ====   kind=consumer
    """)
    (text,) = said(spans)
    assert text.startswith("In 1 of 2 messages that begin with receive of store something failed (9.5 - 90.5 %): ")


def test_a_step_that_makes_some_requests_slow_is_told_with_what_it_adds() -> None:
    usual = [
        f"web::GET /a {'=' * (20 + n % 3)} kind=server\n  db::find {'.' * 3}{'=' * 5} kind=client" for n in range(40)
    ]
    slow = [f"web::GET /a {'=' * 220} kind=server\n  db::find {'.' * 3}{'=' * 205} kind=client"] * 8
    found = tl.findings(draw("\n\n".join([*usual, *slow]))).filter(subject="slowness")
    row = found.row(0, named=True)
    assert row["finding"].startswith("8 of 48 requests to GET /a took 199 ms longer than the others")
    assert row["finding"].endswith("find of db took the time.")
    assert row["added_lower"] <= row["added"] <= row["added_upper"]
    assert row["service_name"] == "db"


def slowed(usual: str, slow: str, *, others: int = 40) -> str:
    """Say what is found where so many requests are fast and ten are slow, with attributes of the step of each."""
    pictures = [
        f"web::GET /a {'=' * (20 + n % 3)} kind=server\n  db::find ...{'=' * 5} kind=client {usual.format(n)}"
        for n in range(others)
    ] + [
        f"web::GET /a {'=' * 220} kind=server\n  db::find ...{'=' * 205} kind=client {slow.format(n)}"
        for n in range(10)
    ]
    return str(tl.findings(draw("\n\n".join(pictures))).filter(subject="slowness")["finding"].item())


@pytest.mark.parametrize(
    ("usual", "slow", "told"),
    [
        ("db.name=near", "db.name=far", "; all 10 had db.name = far, none of the 40 others."),
        ("u=/img/{}", "u=/slowcdn/{}", '; all 10 had "slowcdn" in u, none of the 40 others.'),
        ("u=/img/{}", "u=/img/a{}", "took the time."),
        ("db.name=near", "db.name=near", "took the time."),
        ("id=7{}", "id=8{}", "took the time."),
    ],
)
def test_what_sets_slow_requests_apart_is_told_where_it_is_sure(usual: str, slow: str, told: str) -> None:
    assert slowed(usual, slow).endswith(told)


def test_what_only_some_slow_requests_have_is_not_told() -> None:
    pictures = [
        f"web::GET /a {'=' * (220 if n < 10 else 20)} kind=server tier={'gold' if n < 6 or n > 42 else 'tin'}"
        for n in range(50)
    ]
    found = tl.findings(draw("\n\n".join(pictures))).filter(subject="slowness")
    assert found["finding"].str.contains("gold").to_list() == [False]


def test_repeated_calls_are_told_with_what_they_cost() -> None:
    calls = "\n".join(f"  db::SELECT {'.' * (1 + 2 * n)}== kind=client" for n in range(6))
    found = tl.findings(many((f"web::list {'=' * 14} kind=server\n{calls}", 4))).filter(subject="repetition")
    (text,) = found["finding"]
    assert text == (
        "Each of 4 calls of list of web made 6 calls SELECT of db, one after another (24 in all); all but one of them "
        "usually took 10 ms."
    )
    assert found["added"].to_list() == [timedelta(milliseconds=10)]
    assert found["harm"].to_list() == pytest.approx([0.04])


def test_what_a_caller_does_between_repeated_calls_is_no_time_of_theirs() -> None:
    calls = "\n".join(f"  db::SELECT {'.' * (1 + 12 * n)}== kind=client" for n in range(6))
    found = tl.findings(many((f"web::list {'=' * 64} kind=server\n{calls}", 4))).filter(subject="repetition")
    assert found["finding"].str.ends_with("all but one of them usually took 10 ms.").to_list() == [True]
    assert found["added"].to_list() == [timedelta(milliseconds=10)]
    assert found["harm"].to_list() == pytest.approx([0.04])


def test_one_slow_caller_of_many_makes_repeated_calls_no_more_harmful() -> None:
    def calls(last: int) -> str:
        lines = [f"  db::SELECT {'.' * (1 + 2 * n)}{'=' * (last if n == 5 else 2)} kind=client" for n in range(6)]
        return "\n".join([f"web::list {'=' * (14 + last)} kind=server", *lines])

    harm = [
        tl.findings(many((calls(2), 9), (calls(slow), 1))).filter(subject="repetition")["harm"].item()
        for slow in (2, 2000)
    ]
    assert harm[0] == pytest.approx(0.1)
    assert harm[1] <= harm[0]


def test_names_can_do_nothing_in_a_sentence() -> None:
    evil = "\x1b[31m\u202eGET"
    text = said(draw("web::x ===! kind=server").with_columns(pl.lit(evil).alias("name")))[0]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[31m\u202eGET" in text


def test_a_clock_that_is_wrong_is_told_of_before_and_after_it_was_corrected() -> None:
    spans = draw(
        "\n\n".join(
            """
            web::GET   ==================== kind=server
              web::POST .==========         kind=client
                bank::pay ...====           kind=server
            """
            for _ in range(20)
        )
    )
    late = pl.when(pl.col("service_name") == "bank").then(pl.duration(milliseconds=-40)).otherwise(pl.duration())
    wrong = spans.with_columns(start_time=pl.col("start_time") + late)
    for frame in (wrong, tl.correct_skew(wrong)):
        clocks = tl.findings(frame).filter(subject="clock")
        assert clocks["finding"].str.contains("clock of bank is 4. ms behind that of web|clock of bank is 39").all()
        assert clocks.height == 1
    assert "have been corrected" in clocks["finding"][0]


def test_a_baseline_tells_what_is_new() -> None:
    before, after = many((PLAIN, 200)), many((PLAIN, 160), (REFUSED_BY_ALL, 40))
    first = tl.findings(after, baseline=before).row(0, named=True)
    assert first["finding"].startswith("40 of 200 requests to GET /pay were answered 502")
    assert first["finding"].endswith("in the baseline it was not so.")
    assert tl.findings(after, baseline=after)["finding"][0].endswith("in the baseline it was 40 of 200.")


def test_a_baseline_without_spans_gives_a_warning() -> None:
    spans = many((REFUSED_BY_ALL, 3))
    with pytest.warns(tl.QueryWarning, match="The baseline has no spans"):
        found = tl.findings(spans, baseline=spans.clear())
    assert found.equals(tl.findings(spans))


def test_a_baseline_that_is_none_is_refused() -> None:
    with pytest.raises(tl.SchemaError):
        tl.findings(many((PLAIN, 1)), baseline=pl.DataFrame({"a": [1]}))


@pytest.mark.parametrize("kind", ["errors", "lock", "slow dependency"])
def test_the_first_sentence_names_the_service_at_fault_in_an_incident(kind: str) -> None:
    right = 0
    for seed in range(3):
        spans, baseline, truth = generate_incident(70 + seed, kind=kind)
        found = tl.findings(spans, baseline=baseline)
        right += found.height > 0 and found["service_name"][0] in truth["services"][0]
    assert right >= 2


def test_findings_of_one_time_are_few() -> None:
    assert tl.findings(generate(20_000, seed=5)).height < 20


def test_harm_gives_the_order_and_shares_lie_within_their_bounds() -> None:
    found = tl.findings(generate(20_000, seed=6))
    assert found["harm"].is_sorted(descending=True)
    within = found.select(((pl.col("lower") <= pl.col("share")) & (pl.col("share") <= pl.col("upper"))).all())
    assert within.item()
    assert (found["requests"] <= found["of"]).all()


@pytest.fixture(scope="module")
def shop(sample_data: Path) -> pl.DataFrame:
    return tl.findings(tl.correct_skew(tl.read(sample_data / "shop.otlp.jsonl.gz", progress=False)))


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (("payments answered 503 to all three attempts", "payments gave no answer in time to any of three"), 5),
        (("46 of 373 requests", "recommender"), 5),
        (("orders 1.9.0 made POST /orders", "customer.kind = business", "load_price_list"), 5),
        (("20 of 275 requests to POST /api/reviews failed", "generate_embedding", "fetch_content"), 5),
        (("requests to POST /api/reviews took", "fetch_content of content-analysis took the time", '"slowcdn" in'), 6),
        (("Each of 802 calls of /shop.Catalogue/ListProducts", "11,492"), 6),
        (("requests a second came then",), 8),
        (("rank_products", "begin a trace of their own"), 9),
        (("clock of catalogue-2", "ms behind"), 12),
        (("GET /api/products/:id", "cache.hit = false"), 12),
    ],
)
def test_the_shop_says_what_was_planted(shop: pl.DataFrame, words: tuple[str, ...], among: int) -> None:
    assert [text for text in shop["finding"].head(among) if all(word in text for word in words)]


def test_files_of_others_can_be_told_of(shared_data: Path) -> None:
    names = [
        "otlp-json/masaimu__tracelens/samples__traces.json",
        "es-docs/opensearch-project__dashboards-observability/.cypress__utils__otel-v1-apm-span-000001.json",
    ]
    for name in names:
        found = tl.findings(tl.read(shared_data / name, progress=False))
        assert found.height
        assert found["finding"].str.ends_with(".").all()


def test_a_step_that_the_baseline_has_not_is_new(sample_data: Path) -> None:
    spans = tl.correct_skew(tl.read(sample_data / "shop.otlp.jsonl.gz", progress=False))
    begins = pl.col("start_time").min().over("trace_id") - spans["start_time"].min()
    early = begins < pl.duration(seconds=90)
    first = tl.findings(spans.filter(~early), baseline=spans.filter(early))["finding"][0]
    assert first.startswith("load_price_list of orders is new since the baseline: it takes ")
