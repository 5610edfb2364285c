from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import attribute, protobuf, request, span
from tracelab.loaders import read
from tracelab.loaders.columns.joining import Joining, below_each_other

PLACES = ["tree_left", "tree_right"]


def frame(number: int, *values: Any) -> tuple[bytes, pl.DataFrame]:
    """Give a request whose spans have these values of one attribute, and its frame."""
    spans = [
        span(f"{number + 1:08x}{place:08x}", traceId=f"{number + 1:032x}", attributes=[attribute("key", value)])
        for place, value in enumerate(values)
    ]
    body = protobuf(request(*spans))
    return body, read(body)


def joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    joining = Joining()
    for each in frames:
        joining.learn(each)
    return below_each_other([joining.in_line(each) for each in frames])


@pytest.mark.parametrize(
    "values",
    [
        [[1], [2]],
        [[1], [0.5]],
        [[2**60], [0.5]],
        [[2**60], [2**53 + 1]],
        [[2**53 + 1], [0.5], [1]],
        [[0.5], [2**53 + 1]],
        [["a"], [1]],
        [[True], ["a"]],
        [[True], [1], [1.5], ["x"], [b"x"]],
        [[["a"]], [["b", "c"]]],
        [[[1]], [[0.5]]],
        [[[1]], [["a"]]],
        [[[]], [[1]]],
        [[[]], [["a"]], [[]]],
        [[[]], [[]]],
        [[[]], [1]],
        [["a", 1], [2]],
        [[{"a": 1}], ["text"]],
        [[1e-7], ["small"], [float("1e300")]],
        [[[2**60]], [[0.5]]],
    ],
    ids=str,
)
def test_frames_below_each_other_are_the_frame_of_all(values: list[list[Any]]) -> None:
    made = [frame(number, *some) for number, some in enumerate(values)]
    together, whole = joined([each for _, each in made]), read(b"".join(body for body, _ in made))
    order = ["trace_id", "span_id"]
    assert_frame_equal(together.sort(order).drop(PLACES), whole.sort(order).drop(PLACES))


def test_a_column_that_only_some_have_is_nothing_in_the_others() -> None:
    one = read(protobuf(request(span(attributes=[attribute("a", 1)]))))
    other = read(protobuf(request(span("cd" * 8, attributes=[attribute("b", "x")]), service="web")))
    together = joined([one, other])
    assert together["span.a"].to_list() == [1, None]
    assert together["span.b"].to_list() == [None, "x"]
    assert together.columns == sorted(together.columns, key=together.columns.index)
    assert (
        together.columns.index("span.a") < together.columns.index("span.b") < together.columns.index("more_attributes")
    )


def test_no_two_spans_are_in_one_place_of_the_tree() -> None:
    together = joined([frame(number, 1, 2, 3)[1] for number in range(3)])
    places = pl.concat([together["tree_left"], together["tree_right"]])
    assert places.n_unique() == 18
    assert together["tree_left"].is_sorted()


def test_the_version_changes_only_where_columns_do() -> None:
    joining = Joining()
    joining.learn(frame(1, 1)[1])
    version = joining.version
    joining.learn(frame(2, 2)[1])
    assert joining.version == version
    joining.learn(frame(3, "text")[1])
    assert joining.version > version


def test_of_frames_without_attributes_little_is_to_be_done() -> None:
    bare = read(protobuf(request(span(), service=None)))
    assert_frame_equal(joined([bare]), bare)
    assert joined([]).is_empty()
