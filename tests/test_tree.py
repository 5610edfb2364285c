from __future__ import annotations

import polars as pl
import pytest

from tracelab.conforming import with_tree
from tracelab.synthetic import draw
from tracelab.tree import build_tree


def tree(picture: str) -> list[tuple[object, ...]]:
    return draw(picture).select("name", "depth", "tree_left", "tree_right").rows()


def test_with_tree_numbers_all_traces_by_one_counter() -> None:
    assert tree("""
    a ====
      b =
        c =
      d ..=

    e =
    """) == [("a", 0, 1, 8), ("b", 1, 2, 5), ("c", 2, 3, 4), ("d", 1, 6, 7), ("e", 0, 9, 10)]


def test_with_tree_orders_siblings_by_start_whatever_the_rows_order() -> None:
    spans = draw("""
    a ====
      late  ..=
      early =
    """)
    assert spans.sort("tree_left")["name"].to_list() == ["a", "early", "late"]
    assert with_tree(spans.reverse()).sort("tree_left").equals(spans.sort("tree_left"))


def test_a_span_with_a_missing_parent_is_the_root_of_its_fragment() -> None:
    assert tree("""
    lost
      a ==
        b =
    """) == [("a", 0, 1, 4), ("b", 1, 2, 3)]


def test_a_cycle_is_cut_where_it_starts_first() -> None:
    spans = draw("""
    a .==== span_id=a
      b ..== span_id=b
        c ...= span_id=c
    self = span_id=z
    """)
    parents = pl.col("span_id").replace_strict({"a": "c", "b": "a", "c": "b", "z": "z"})
    looped = with_tree(spans.with_columns(parent_span_id=parents))
    assert looped.select("name", "depth").rows() == [("a", 0), ("b", 1), ("c", 2), ("self", 0)]
    assert sorted(looped["name"].gather(build_tree(looped).cut).to_list()) == ["a", "self"]


def test_a_tail_below_a_cycle_stays_below_it() -> None:
    spans = draw("""
    a = span_id=a
      b .= span_id=b
        tail ..= span_id=t
          end ...= span_id=e
    """).with_columns(parent_span_id=pl.col("span_id").replace_strict({"a": "b", "b": "a", "t": "b", "e": "t"}))
    assert with_tree(spans)["depth"].to_list() == [0, 1, 2, 3]


@pytest.mark.parametrize(("kind", "parent"), [("server", "client half"), ("internal", "server half")])
def test_children_of_a_shared_id_find_the_half_that_is_theirs(kind: str, parent: str) -> None:
    spans = draw(f"""
    root ======
      client half .====  kind=client span_id=shared
      server half .====  kind=server span_id=shared
        child ..== kind={kind}
    """)
    child = build_tree(spans).parent[3]
    assert spans["name"][int(child)] == parent


def test_an_id_that_several_spans_carry_names_the_one_that_starts_first() -> None:
    spans = draw("""
    second ..=  span_id=x
    first  =    span_id=x
      child  .=
    """)
    assert spans["name"][int(build_tree(spans).parent[2])] == "first"


def test_entry_is_true_where_the_request_enters_a_service() -> None:
    spans = draw("""
    web::a =====
      web::inside =
      db::query .=
      web::consumed ..= kind=consumer
    lost
      web::fragment =
    """)
    assert spans.select("name", "entry").rows() == [
        ("a", True), ("inside", False), ("query", True), ("consumed", True), ("fragment", True),
    ]  # fmt: skip


def test_with_tree_of_a_lazy_frame_is_lazy_and_the_same() -> None:
    spans = draw("""
    a ==
      b .=
    """)
    lazy = with_tree(spans.lazy().drop("depth", "entry"))
    assert lazy.collect_schema() == spans.schema
    assert lazy.collect().equals(spans)
    assert with_tree(spans.clear()).schema == spans.schema


def test_a_chain_ten_thousand_deep_has_ten_thousand_levels() -> None:
    count = 10_000
    chain = (
        draw("a =")
        .select(pl.all().repeat_by(count).explode())
        .with_columns(
            span_id=pl.int_range(count).cast(pl.String),
            parent_span_id=pl.when(pl.int_range(count) > 0).then((pl.int_range(count) - 1).cast(pl.String)),
        )
    )
    assert with_tree(chain)["depth"].to_list() == list(range(count))
