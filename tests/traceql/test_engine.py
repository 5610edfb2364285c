from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelab.conforming import conform
from tracelab.errors import QueryError, SchemaError
from tracelab.schema import ATTRIBUTES, EVENTS, LINKS
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


def names(text: str, spans: pl.DataFrame = SHOP) -> list[str]:
    found = query(spans, text)["name"].to_list()
    assert query(spans.lazy(), text).collect()["name"].to_list() == found
    return found


ALL = SHOP["name"].to_list()


@pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ }", ALL),
        ("{ false }", []),
        ("{ name = `GET /pay` }", ["GET /pay"]),
        ("{ name =~ `.*e.*` && name !~ `ren.*` }", ["charge", "beneath"]),
        ("{ duration > 5ms }", ["GET /pay"]),
        ("{ duration >= 5000000 }", ["GET /pay", "charge"]),
        ("{ duration = 0ns }", ["log"]),
        ("{ duration < 1.5ms && duration > 0.5ms }", ["SELECT", "DELETE", "beneath"]),
        ("{ status = error }", ["SELECT", "charge"]),
        ("{ status != unset && kind = client }", ["SELECT", "charge"]),
        ("{ resource.service.name = `bank` }", ["charge", "log"]),
        ("{ .service.name = `bank` }", ["charge", "log"]),
        ("{ span.http.status_code >= 500 }", ["GET /pay"]),
        ("{ span.http.status_code = 500.0 }", ["GET /pay"]),
        ("{ span.db.rows > 1 }", ["SELECT"]),
        ("{ .retries }", []),
        ("{ .slow }", ["GET /pay"]),
        ("{ !.slow }", []),
        ("{ .slow != false }", ["GET /pay"]),
        ("{ .region = `eu` || .region = `us` }", ["SELECT", "charge", "log", "nightly", "orphan"]),
        ("{ .region != `eu` }", ["charge", "orphan"]),
        ("{ .region != `eu` && .region != `us` }", []),
        ("{ `eu` < .region }", ["charge", "orphan"]),
        ("{ .region !~ `e.` }", ["charge", "orphan"]),
        ("{ !(.region = `eu`) }", ["GET /pay", "render", "charge", "DELETE", "orphan", "beneath"]),
        ("{ .region = nil }", ["GET /pay", "render", "DELETE", "beneath"]),
        ("{ .region = nil || .region != `eu` }", ["GET /pay", "render", "charge", "DELETE", "orphan", "beneath"]),
        ("{ .region != nil && .retries != nil }", ["charge"]),
        ("{ .retries + 1 = 3 }", ["GET /pay", "DELETE"]),
        ("{ .retries / 2 = 3 }", ["charge"]),
        ("{ .retries / 2.0 = 3.5 }", ["charge"]),
        ("{ .retries % 2 = 1 }", ["charge"]),
        ("{ 2 ^ .retries = 4 }", ["GET /pay", "DELETE"]),
        ("{ -.retries < -2 }", ["charge"]),
        ("{ .retries * 1ms = duration }", []),
        ("{ .retries + .missing = 1 || .retries = 0 }", ["render"]),
        ("{ .db.rows % 1 = 0.5 }", ["SELECT"]),
        ("{ .db.rows / 0 > 1000 }", ["SELECT"]),
        ("{ .missing || true }", ALL),
        ("{ false && .missing }", []),
        ("{ .retries = .http.status_code }", []),
        ("{ statusMessage = `` }", ALL),
        ("{ span:id = `2` || span:id = `0000000000000003` }", ["render", "SELECT"]),
        ("{ span:parentID = `0000000000000000` }", ["GET /pay", "nightly"]),
        ("{ span:parentID = `` }", ["GET /pay", "nightly"]),
        ("{ trace:id = `02` }", ["nightly", "DELETE"]),
        ("{ span:childCount = 2 }", ["GET /pay"]),
        ("{ traceDuration > 9ms }", ["GET /pay", "render", "SELECT", "charge", "log"]),
        ("{ rootName = `nightly` }", ["nightly", "DELETE"]),
        ("{ rootServiceName = `` }", ["orphan", "beneath"]),
        ("{ nestedSetParent = -1 }", ["GET /pay", "nightly"]),
        ("{ nestedSetParent = 0 }", ["orphan", "beneath"]),
        ("{ nestedSetLeft = 2 && nestedSetRight = 5 }", ["render"]),
        ("{ nestedSetLeft = 1 }", ["GET /pay", "nightly"]),
        ("{ parent = nil }", ["GET /pay", "nightly", "orphan"]),
        ("{ parent.region = `us` }", ["log", "beneath"]),
        ("{ parent.span.retries = 2 }", ["render", "charge"]),
        ("{ root.http.status_code = 500 && kind = client }", ["SELECT", "charge"]),
        ("{ root.resource.service.name = `job` }", ["nightly", "DELETE"]),
        ("{ kind = client } | { status = error }", ["SELECT", "charge"]),
        ("duration > 4ms && service.name = `bank`", ["charge"]),
    ],
)
def test_query_filters_spans(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ name = `render` } && { name = `log` }", ["render", "log"]),
        ("{ name = `render` } && { name = `nightly` }", []),
        ("{ name = `render` } || { name = `nightly` }", ["render", "nightly"]),
        ("{ kind = server } > { }", ["render", "charge"]),
        ("{ kind = server } >> { }", ["render", "SELECT", "charge", "log"]),
        ("{ status = error } < { }", ["GET /pay", "render"]),
        ("{ name = `SELECT` } << { }", ["GET /pay", "render"]),
        ("{ name = `render` } ~ { }", ["charge"]),
        ("{ } ~ { name = `render` }", ["render"]),
        ("{ } !~ { }", ["GET /pay", "SELECT", "log", "nightly", "DELETE", "orphan", "beneath"]),
        ("{ } !< { }", ["SELECT", "log", "DELETE", "orphan", "beneath"]),
        ("{ } !> { }", ["GET /pay", "nightly", "orphan", "beneath"]),
        ("{ name = `nobody` } !>> { kind = client }", ["SELECT", "charge", "DELETE"]),
        ("{ kind = server } &>> { status = error }", ["GET /pay", "SELECT", "charge"]),
        ("{ name = `render` } &~ { name = `charge` }", ["render", "charge"]),
        ("{ name = `log` } &< { name = `charge` }", ["charge", "log"]),
        ("{ name = `log` } &<< { name = `nightly` }", []),
        ("{ status = error } !<< { status = error }", ["SELECT", "charge"]),
        ("{ kind = server } > { } > { }", ["SELECT", "log"]),
        ("({ kind = server } > { }) >> { name = `log` }", ["log"]),
        ("{ name = `orphan` } > { }", []),
        ("({ } | count() > 4) >> ({ status = error })", ["SELECT", "charge"]),
        ("{ kind = server } >> { status = error } | { name = `charge` }", ["charge"]),
    ],
)
def test_query_relates_spans(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ } | count() = 2", ["nightly", "DELETE", "orphan", "beneath"]),
        ("2 < count()", ALL[:5]),
        ("count() > -1", ALL),
        ("{ status = error } | count() > 1", ["SELECT", "charge"]),
        ("{ } | max(duration) >= 10ms", ALL[:5]),
        ("{ } | avg(.retries) = 3.0", ALL[:5]),
        ("{ } | sum(.retries) = 2", ["nightly", "DELETE"]),
        ("{ } | min(.missing) != 0", []),
        ("{ } | avg(duration) < 3ms", ["nightly", "DELETE", "orphan", "beneath"]),
        ("{ } | sum(duration) / count() = 3800000", []),
        ("{ } | count() + 1 > 5", ALL[:5]),
        ("{ } | max(.retries) - min(.retries) = 7", ALL[:5]),
        ("min(duration) < max(.retries)", ALL[:5]),
        ("{ } | by(resource.service.name) | count() = 2", ["GET /pay", "render", "charge", "log", "orphan", "beneath"]),
        ("{ } | by(.region) | count() = 2", ["GET /pay", "render", "SELECT", "log"]),
        ("{ } | by(.region) | by(name) | count() > 1", []),
        ("{ } | by(.region) | max(duration) > 9ms | coalesce() | count() = 2", ["GET /pay", "render"]),
        ("{ } | by(resource.service.name) | { status = error } | count() > 0", ["SELECT", "charge"]),
        ("{ } | by(resource.service.name) | { } > { }", ["render", "log"]),
        ("{ } | select(name)", ALL),
        ("({ status = error } | count()) = ({ kind = client } | count())", ALL[:5]),
        ("({ kind = client } | count()) * 2 = 2", ["nightly", "DELETE"]),
    ],
)
def test_query_runs_pipelines(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_query_keeps_the_frame_as_it_was() -> None:
    found = query(SHOP, "{ status = error } >> { } || { kind = client }")
    assert found.columns == SHOP.columns
    assert_frame_equal(found, SHOP.filter(pl.col("name").is_in(found["name"].to_list())))


def test_query_tells_the_spans_of_different_types_apart() -> None:
    spans = conform(
        draw("a =\nb =\nc =\nd =").with_columns(
            **{
                "span.v": pl.Series(["1", "1", "1.0", "true"]),
                "span.v:type": pl.Series(["int", "string", "double", "bool"]),
            }
        )
    )
    assert names("{ .v = 1 }", spans) == ["a", "c"]
    assert names("{ .v = `1` }", spans) == ["b"]
    assert names("{ .v != `2` }", spans) == ["b"]
    assert names("{ .v }", spans) == ["d"]
    assert names("{ .v != nil }", spans) == ["a", "b", "c", "d"]
    assert names("{ } | by(.v) | count() = 1", spans) == ["a", "b", "c", "d"]


def test_query_reads_attributes_that_have_no_column() -> None:
    entries = [
        {"span.x": "1", "span.x:type": "int"},
        {"resource.x": "1"},
        {"span.x": "2.5", "span.x:type": "double"},
        None,
    ]
    spans = draw("a =\nb =\nc =\nd =").with_columns(more_attributes=pl.Series(entries, dtype=ATTRIBUTES))
    assert names("{ .x = 1 }", spans) == ["a"]
    assert names("{ .x = `1` }", spans) == ["b"]
    assert names("{ span.x > 1 }", spans) == ["c"]
    assert names("{ .x = nil }", spans) == ["d"]


def test_query_lets_a_span_attribute_shadow_its_resource() -> None:
    spans = conform(draw("a = x=one\nb =").with_columns(**{"resource.x": pl.Series(["two", "two"])}))
    assert names("{ .x = `two` }", spans) == ["b"]
    assert names("{ resource.x = `two` }", spans) == ["a", "b"]


LISTS = conform(
    draw("a =\nb =\nc =\nd =").with_columns(
        **{
            "span.tags": pl.Series([["x", "y"], ["y"], [], None]),
            "span.sizes": pl.Series([[1, 5], [3], None, []], dtype=pl.List(pl.Int64)),
        }
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ .tags = `x` }", ["a"]),
        ("{ .tags != `x` }", ["b"]),
        ("{ .tags =~ `x|z` }", ["a"]),
        ("{ .tags !~ `x|z` }", ["b"]),
        ("{ `y` = .tags }", ["a", "b"]),
        ("{ .tags = `x` && .tags = `y` }", ["a"]),
        ("{ .sizes > 4 }", ["a"]),
        ("{ 4 > .sizes }", ["a", "b"]),
        ("{ .sizes >= 2.5 }", ["a", "b"]),
        ("{ .sizes = `x` }", []),
        ("{ .tags = nil }", ["c", "d"]),
        ("{ .tags != nil }", ["a", "b"]),
        ("{ .tags = name }", []),
    ],
)
@pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")
def test_query_compares_lists(text: str, expected: list[str]) -> None:
    assert names(text, LISTS) == expected


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ event:name = `exception` }", ["a"]),
        ("{ event:name != `exception` }", ["a", "b"]),
        ("{ event:name =~ `re.*` }", ["a", "b"]),
        ("{ event.type = `Key` }", ["a"]),
        ("{ event.code > 8 }", ["b"]),
        ("{ event.code = `7` }", ["a"]),
        ("{ event:timeSinceStart >= 2ms }", ["a"]),
        ("{ event:name = `exception` && event.type = `Key` }", ["a"]),
        ("{ event:name = `exception` && event.type = `Soft` }", []),
        ("{ event:name = `exception` || event.type = `Soft` }", ["a"]),
        ("{ !(event:name = `exception`) }", ["b", "c"]),
        ("{ event.type = nil }", ["b", "c"]),
        ("{ event.type != nil }", ["a"]),
        ("{ event:name = name }", []),
        ("{ event:timeSinceStart = duration }", ["a"]),
        ("{ .type = `Key` }", ["a"]),
        ("{ .code = 9 }", ["b"]),
        ("{ link:traceID = `ab` }", ["a"]),
        ("{ link:spanID = `00cd` && link.why = `batch` }", ["a"]),
        ("{ link.why != nil && event.code = 7 }", ["a"]),
        ("{ } | by(event.code) | count() = 1", ["a", "b", "c"]),
    ],
)
def test_query_asks_whether_some_event_or_link_fits(text: str, expected: list[str]) -> None:
    assert names(text, EVENTFUL) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ name = `GET /pay` } >> { }", ["SELECT", "charge", "log"]),
        ("{ } > { }", ["charge", "log"]),
        ("{ } ~ { name = `charge` }", []),
        ("{ } << { }", ["GET /pay", "charge"]),
        ("{ parent.region = `us` }", ["log"]),
    ],
)
def test_query_relates_the_spans_of_a_filtered_frame(text: str, expected: list[str]) -> None:
    rest = SHOP.filter(pl.col("name").is_in(["log", "SELECT", "charge", "GET /pay"])).sample(
        fraction=1, shuffle=True, seed=1
    )
    assert sorted(names(text, rest)) == sorted(expected)


def test_query_finds_siblings_whose_parent_was_filtered_away() -> None:
    rest = SHOP.filter(pl.col("name").is_in(["render", "charge", "log"]))
    assert names("{ name = `render` } ~ { }", rest) == ["charge"]


def test_query_takes_several_roots_of_a_trace_for_siblings() -> None:
    spans = conform(draw("a ==\n\nb ==\n  c =").with_columns(trace_id=pl.lit("t")))
    assert names("{ name = `a` } ~ { }", spans) == ["b"]


def test_query_refuses_to_divide_an_int_by_zero() -> None:
    with pytest.raises(QueryError, match="divides an int by zero") as caught:
        query(SHOP, "{ 4 / .retries > 1 }")
    assert "expression" not in str(caught.value)


def test_query_divides_only_where_the_earlier_conditions_hold() -> None:
    assert names("{ .retries != 0 && 4 / .retries = 2 }") == ["GET /pay", "DELETE"]
    assert names("{ .retries = 0 || 4 / .retries = 2 }") == ["GET /pay", "render", "DELETE"]


def test_query_refuses_a_metrics_query_and_names_the_right_function() -> None:
    with pytest.raises(QueryError, match="query_metrics"):
        query(SHOP, "{ } | rate()")


def test_query_refuses_to_relate_several_groups() -> None:
    with pytest.raises(QueryError, match="coalesce"):
        query(SHOP, "({ } | by(name)) >> ({ })")


def test_query_names_the_column_that_a_frame_lacks() -> None:
    with pytest.raises(SchemaError, match="'status_code'"):
        query(SHOP.drop("status_code"), "{ status = error }")


def test_query_takes_an_empty_frame() -> None:
    for text in (
        "{ }",
        "{ } >> { }",
        "{ } | by(name) | count() > 1",
        "{ } ~ { rootName = `x` }",
        "{ nestedSetLeft > 1 }",
    ):
        assert query(SHOP.clear(), text).is_empty()


def test_a_single_filter_is_pushed_into_a_parquet_scan(tmp_path: object) -> None:
    path = f"{tmp_path}/spans.parquet"
    SHOP.write_parquet(path)
    plan = query(pl.scan_parquet(path), "{ span.retries > 1 && duration > 1ms }").explain()
    assert "SELECTION" in plan
    assert "FILTER" not in plan


def test_a_filter_on_related_spans_is_not_pushed_below_what_it_reads(tmp_path: object) -> None:
    path = f"{tmp_path}/spans.parquet"
    SHOP.write_parquet(path, row_group_size=3)
    for text in (
        "{ parent.region = `us` }",
        "{ rootName = `GET /pay` && status = error }",
        "{ span:childCount > 0 }",
        "{} > {}",
    ):
        assert query(pl.scan_parquet(path), text).collect()["name"].to_list() == query(SHOP, text)["name"].to_list()


@pytest.mark.parametrize(
    "text",
    [
        "{ span.retries" + " + 1" * 5_000 + " > 1 }",
        "{ span.retries > 1" + " || name = `a` && span.retries > 2" * 3_000 + " }",
        "{ " + " || ".join(f"span.retries > {number}" for number in range(5_000)) + " }",
        "count()" + " + 1" * 5_000 + " > 1",
    ],
)
def test_query_refuses_chains_that_polars_would_take_minutes_for(text: str) -> None:
    with pytest.raises(QueryError, match="are the most"):
        query(SHOP, text)


def test_query_runs_a_long_list_of_alternatives() -> None:
    text = "{ " + " || ".join(f"span.retries = {number}" for number in range(5_000)) + " }"
    assert names(text) == ["GET /pay", "render", "charge", "DELETE"]
