from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.benchmarks.root_causes import accuracy, calm, incident, places
from tests.differences.attributes.planted import traces
from tracelab import QueryWarning, TracelabError, root_causes
from tracelab.synthetic import draw
from tracelab.workload.incidents.causes import KINDS

if TYPE_CHECKING:
    from pathlib import Path

FINE = """
api::GET /        ==========
  api::load       .==
  api::POST       ...====     kind=client server.address=pay
    pay::charge   ....==      kind=server
"""
LOADING = """
api::GET /        ===============
  api::load       .=======
  api::POST       ........====     kind=client server.address=pay
    pay::charge   .........==      kind=server
"""
CHARGING = """
api::GET /        ===============
  api::load       .==
  api::POST       ...=========     kind=client server.address=pay
    pay::charge   ....=======      kind=server
"""
FAILING = """
api::GET /        ==========!
  api::load       .==
  api::POST       ...====!    kind=client server.address=pay
    pay::charge   ....==!     kind=server
"""
LOST = """
api::GET /        ==========
  api::load       .==
  api::POST       ...====     kind=client server.address=pay
"""


def many(picture: str, count: int = 30) -> pl.DataFrame:
    return draw((picture + "\n\n") * count)


def first(abnormal: str, normal: str = FINE, **options: Any) -> dict[str, Any]:
    return root_causes(many(abnormal), many(normal), **options).row(0, named=True)


def test_an_operation_that_works_longer_is_named_with_its_time() -> None:
    row = first(LOADING)
    assert (row["rank"], row["kind"], row["cause"], row["certain"]) == (1, "operation", "api::load", True)
    assert row["self_gained"] == timedelta(milliseconds=5)
    assert row["path_gained"].total_seconds() * 1000 == pytest.approx(5, abs=2)
    assert (row["abnormal_traces"], row["normal_traces"], row["abnormal_spans"]) == (30, 30, 30)
    assert row["failure_score"] == 0
    assert row["time_score"] == row["score"] > 0.3
    assert "more self time a trace" in row["because"]


def test_a_caller_that_waits_is_no_cause() -> None:
    found = root_causes(many(CHARGING), many(FINE))
    assert found["cause"].to_list() == ["pay::charge"]
    assert found["path_share"].to_list() == [1.0]


def test_an_error_counts_where_it_starts() -> None:
    row = first(FAILING)
    assert row["cause"] == "pay::charge"
    assert (row["errors_gained"], row["error_traces"]) == (1.0, 30)
    assert row["errors_lower"] <= 1.0 <= row["errors_upper"]
    assert row["score"] == pytest.approx(1.0, abs=0.01)
    assert "Errors start there in 100 % more of the traces (30 of 30 in all)" in row["because"]


def test_calls_that_get_no_answer_any_more_are_an_edge() -> None:
    some = pl.concat([many(LOST, 20), shifted(many(FINE, 30))], how="diagonal")
    row = root_causes(some, many(FINE)).filter(pl.col("lost_gained") > 0).row(0, named=True)
    assert (row["kind"], row["service_name"], row["callee"], row["name"]) == ("edge", "api", "pay", "POST")
    assert row["lost_gained"] == pytest.approx(0.4)
    assert "get no answer" in row["because"]


def test_calls_that_callers_did_not_make_before_count_with_their_time() -> None:
    query = "  api::SELECT {}= kind=client db.system.name=postgresql db.namespace=shop\n"
    before = "api::GET / ==========\n" + query.format(".")
    after = "api::GET / ==============\n" + "".join(query.format("." * (1 + place)) for place in range(5))
    row = root_causes(many(after), many(before)).filter(pl.col("calls_gained") > 0).row(0, named=True)
    assert (row["kind"], row["cause"]) == ("edge", "api > postgresql/shop (SELECT)")
    assert row["calls_gained"] == pytest.approx(4)
    assert "called 4 times more" in row["because"]


def test_who_asks_for_what_does_not_matter() -> None:
    """Twice as many of the slower requests make no operation slower."""
    other = "web::GET /report ====================\n  web::render .=================\n"
    more, fewer = (pl.concat([many(FINE, fine), shifted(many(other, 90 - fine))], how="diagonal") for fine in (30, 60))
    assert root_causes(more, fewer).is_empty()


def shifted(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.with_columns(trace_id=pl.lit("b") + pl.col("trace_id").str.slice(1))


def test_what_is_new_says_so_and_names_what_goes_with_it() -> None:
    spans = traces(4, 400, slow=lambda of: of["version"] == "1.9")
    row = root_causes(spans, where="traceDuration > 500ms").row(0, named=True)
    assert row["certain"]
    assert any("resource.service.version = 1.9" in changed for changed in row["changed"])
    values = root_causes(spans, where="traceDuration > 500ms").filter(kind="attribute value")
    assert values["score"].max() <= row["score"]
    assert values["path_gained"].null_count() == values.height > 0


def test_a_side_that_is_like_the_other_has_no_causes() -> None:
    spans = many(FINE)
    assert root_causes(spans, spans).is_empty()
    assert root_causes(many(FINE, 2), many(FINE, 2)).is_empty()


@pytest.mark.parametrize("empty", ["abnormal", "normal"])
def test_an_empty_side_is_said_to_be_empty(empty: str) -> None:
    sides = {"abnormal": many(FINE), "normal": many(FINE)}
    sides[empty] = sides[empty].clear()
    with pytest.warns(QueryWarning, match="There is nothing to compare: "):
        found = root_causes(sides["abnormal"], sides["normal"])
    assert found.is_empty()
    assert "because" in found.columns


def test_sides_may_have_other_attributes_and_dtypes() -> None:
    """A cause is found although one side has numbers where the other has texts, or has no such column."""
    spans = traces(4, 400, slow=lambda of: of["version"] == "1.9")
    slow = (pl.col("duration").max() > pl.duration(milliseconds=500)).over("trace_id")
    abnormal = spans.filter(slow).with_columns(pl.lit("7").alias("span.odd"), pl.lit(1).alias("span.only"))
    normal = spans.filter(~slow).with_columns(pl.lit(8).alias("span.odd"))
    found = root_causes(abnormal, normal)
    assert found.row(0, named=True)["certain"]
    assert found.select("cause").row(0) == root_causes(spans, where="traceDuration > 500ms").select("cause").row(0)


def test_fragments_and_traces_without_any_time_are_compared_as_well() -> None:
    orphans = "api::GET / |\n  lost\n    db::read .|\n"
    assert root_causes(many(orphans), many(orphans)).is_empty()
    row = root_causes(many(orphans.replace(".|", ".!")), many(orphans)).row(0, named=True)
    assert (row["cause"], row["errors_gained"], row["path_share"]) == ("db::read", 1.0, None)


def test_arguments_that_are_none() -> None:
    spans = many(FINE)
    with pytest.raises(TracelabError, match="Give either `normal`"):
        root_causes(spans)
    with pytest.raises(TracelabError, match="got both"):
        root_causes(spans, spans, where="duration > 1ms")
    with pytest.raises(TracelabError, match="`limit` must be"):
        root_causes(spans, spans, limit=0)
    with pytest.raises(TracelabError, match="`q` must lie between"):
        root_causes(spans, spans, q=5)


def test_the_order_of_rows_and_kinds_of_frames_do_not_matter() -> None:
    abnormal, normal, _ = incident(3)
    found = root_causes(abnormal, normal)
    assert found.height > 0
    shuffled = [side.sample(fraction=1, shuffle=True, seed=5) for side in (abnormal, normal)]
    assert root_causes(*shuffled).drop("exemplars").equals(found.drop("exemplars"))
    assert root_causes(abnormal.lazy(), normal.lazy()).equals(found)
    assert root_causes(abnormal, normal, limit=1).equals(found.head(1))


def test_the_cause_of_generated_incidents_is_found() -> None:
    """A small part of tests.benchmarks.root_causes, one kind after another."""
    found = []
    for seed in range(2_000, 2_000 + 2 * len(KINDS)):
        abnormal, normal, truth = incident(seed)
        ranking = [pair for pair in root_causes(abnormal, normal).select("service_name", "name").rows() if pair[0]]
        found.append(places(ranking, truth)[0])
    first_place, among_three, _ = accuracy(found)
    assert first_place >= 0.75, found
    assert among_three >= 0.9, found


def test_a_system_that_did_not_change_has_hardly_ever_a_certain_cause() -> None:
    certain = 0
    for seed in range(10):
        certain += bool(root_causes(*calm(seed))["certain"].any())
    assert certain <= 2


def test_the_release_of_the_sample_shop_is_found(sample_data: Path) -> None:
    """The planted fault: `load_price_list` of version 1.9.0 for business customers, from second 90.6 on."""
    spans = tl.correct_skew(tl.read(sample_data / "shop.otlp.jsonl.gz"))
    orders = tl.query(spans, '{ rootName = "POST /api/orders" }')
    released = pl.col("start_time").min().over("trace_id") >= orders["start_time"].min() + timedelta(seconds=90.6)  # type: ignore[operator]
    found = root_causes(orders.filter(released), orders.filter(~released))
    row = found.row(0, named=True)
    assert (row["cause"], row["abnormal_traces"], row["normal_traces"]) == ("orders::load_price_list", 61, 0)
    assert row["changed"][0] == "span.customer.kind = business and resource.service.version = 1.9.0 of orders"
    assert row["path_share"] > 0.5
    assert found.filter("certain").height == 2


DOWN = """
api::GET /        ==========!
  api::load       .==
  api::POST       ...====!    kind=client server.address=pay
"""


def test_a_dependency_that_is_down_is_the_edge_that_it_was() -> None:
    row = first(DOWN)
    assert (row["kind"], row["cause"], row["certain"]) == ("edge", "api > pay (POST)", True)
    assert row["failure_score"] == pytest.approx(1)
    assert row["callee"] == "pay"


def test_errors_that_start_at_a_place_that_was_not_there_are_counted() -> None:
    renamed = """
        api::GET /v2  ======!
          db::read    .==!
    """
    found = root_causes(many(renamed, 40), many("api::GET / ======\n  db::read .==", 40))
    row = found.filter(pl.col("cause") == "db::read").row(0, named=True)
    assert (row["certain"], row["failure_score"]) == (True, pytest.approx(1))


def test_calls_that_are_made_more_often_have_their_share_of_the_longer_path() -> None:
    often = "api::GET / =============\n" + "\n".join(f"  db::read {'.' * (1 + 2 * place)}==" for place in range(6))
    row = first(often, "api::GET / ===\n  db::read .==")
    assert row["cause"] == "db::read"
    assert row["path_share"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("abnormal", "normal"), [(1, 1), (2, 2), (1, 100), (100, 1), (5, 100), (100, 3)])
def test_few_traces_of_one_traffic_have_hardly_a_cause(sample_data: Path, abnormal: int, normal: int) -> None:
    spans = tl.correct_skew(tl.read(sample_data / "shop.otlp.jsonl.gz"))
    spans = tl.query(spans, '{ rootName = "GET /api/products" }')
    ids = spans["trace_id"].unique().sort()
    certain = 0
    for seed in range(10):
        drawn = ids.sample(abnormal + normal, shuffle=True, seed=seed)
        sides = [
            spans.filter(pl.col("trace_id").is_in(some.implode())) for some in (drawn[:abnormal], drawn[abnormal:])
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", QueryWarning)
            certain += root_causes(*sides)["certain"].any()
    assert certain <= 2


def test_of_single_traces_it_is_said_that_hardly_anything_can_be_told() -> None:
    with pytest.warns(QueryWarning, match="A side has 1 trace, of which hardly anything can be told from chance"):
        assert root_causes(draw(LOADING), draw(FINE)).is_empty()
