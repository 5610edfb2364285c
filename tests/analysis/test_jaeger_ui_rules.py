"""The critical path by Jaeger UI's rules, case by case: which sections, and in which order."""

from __future__ import annotations

import pytest

from tracelab.analysis import critical_path
from tracelab.synthetic import draw


def told(picture: str) -> list[tuple[str, int, int]]:
    """Give the sections of a drawn trace in milliseconds since it began."""
    spans = draw(picture)
    path = critical_path(spans, method="jaeger")
    since = (path["start_time"] - spans["start_time"].min()).dt.total_milliseconds()
    return list(zip(path["name"], since, since + path["duration"].dt.total_milliseconds(), strict=True))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        pytest.param(
            """
            a    ==========
              b  ..==
              c  .....=
            """,
            [("a", 0, 2), ("b", 2, 4), ("a", 4, 5), ("c", 5, 6), ("a", 6, 10)],
            id="children one after another, with time of the parent's own between them",
        ),
        pytest.param(
            """
            a    ==========
              b  .====
              c  ..====
            """,
            [("a", 0, 2), ("c", 2, 6), ("a", 6, 10)],
            id="of children that overlap the one that ends last",
        ),
        pytest.param(
            """
            send    ====            kind=producer
              task  ..........===   kind=client
            """,
            [("send", 0, 4)],
            id="what starts after its parent ended is off the path",
        ),
        pytest.param(
            """
            a      ===
              b    ....====
                c  .....=
            """,
            [("a", 0, 3)],
            id="and all below it is",
        ),
        pytest.param(
            """
            a      ===
              b    ...====
            """,
            [("a", 0, 3)],
            id="also what starts when its parent ends",
        ),
        pytest.param(
            """
            a      ===      kind=producer
              b    .=       kind=consumer
                c  .=
            """,
            [("a", 0, 3)],
            id="nobody waits for who takes a message, nor for what that one does",
        ),
        pytest.param(
            """
            a      ===      kind=client
              b    .=       kind=consumer
            """,
            [("a", 0, 1), ("b", 1, 2), ("a", 2, 3)],
            id="a consumer below anything but a producer is waited for",
        ),
        pytest.param(
            """
            a      ======
              b    ...====
                c  ..===
            """,
            [("a", 0, 3), ("c", 3, 5), ("b", 5, 6)],
            id="what starts before its parent counts from where that starts",
        ),
        pytest.param(
            """
            a      ======
              b    ...====
                c  ....====
            """,
            [("a", 0, 3), ("b", 3, 4), ("c", 4, 6)],
            id="what ends after its parent counts to where that ends, and so below",
        ),
        pytest.param(
            """
            a      ..====
              b    =======
            """,
            [("b", 2, 6)],
            id="a child around its parent has all of it",
        ),
        pytest.param(
            """
            a      ....====
              b    ==
            """,
            [("a", 4, 8)],
            id="what ends before its parent starts is off the path",
        ),
        pytest.param(
            """
            a      ....====
              b    ====
            """,
            [("a", 4, 8)],
            id="also what ends when its parent starts",
        ),
        pytest.param(
            """
            a    =====
              b  .==
              c  ...=
            """,
            [("a", 0, 3), ("c", 3, 4), ("a", 4, 5)],
            id="a sibling must end before the next one starts",
        ),
        pytest.param(
            """
            lost
              a    =====
                b  .==
            """,
            [],
            id="a span whose parent is missing has no path",
        ),
        pytest.param(
            """
            a    ==========
              b  .....====
              c  .========
            """,
            [("a", 0, 1), ("c", 1, 9), ("a", 9, 10)],
            id="of those that end together the one that starts first",
        ),
        pytest.param(
            """
            a    ====
              b  ..|
              c  ..|
            """,
            [("a", 0, 2), ("a", 2, 4)],
            id="a child without time cuts its parent's time in two",
        ),
    ],
)
def test_jaeger_ui_walks_from_the_end_to_the_last_child_that_ended_before(
    picture: str, expected: list[tuple[str, int, int]]
) -> None:
    assert told(picture) == expected
