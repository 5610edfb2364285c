from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracelab.figures.parts.labels import Box, label_box, label_sides

AREA = Box(-100, 100, -100, 100)


def sides(*points: tuple[float, float], taken: tuple[Box, ...] = (), area: Box = AREA) -> list[str]:
    marks = [Box.around(x, y, 5) for x, y in points]
    labels = [(x, y, str(number)) for number, (x, y) in enumerate(points)]
    return label_sides(labels, [*marks, *taken], area, radius=5, size=11)


def test_a_label_stands_to_the_right_of_its_point() -> None:
    assert sides((0, 0)) == ["middle right"]


def test_two_points_side_by_side_have_their_labels_outside() -> None:
    assert sides((0, 0), (8, 0)) == ["middle left", "middle right"]


def test_of_points_on_one_another_the_last_chooses_first() -> None:
    assert sides((0, 0), (0, 0), (0, 0)) == ["top center", "middle left", "middle right"]


def test_labels_avoid_lines_and_stay_in_the_plot() -> None:
    assert sides((0, 0), taken=(Box(-100, 100, 0, 0),)) == ["top center"]
    assert sides((0, 0), taken=(Box(-100, 100, 0, 0), Box(0, 0, 0, 50))) == ["bottom center"]
    assert sides((0, 0), area=Box(-100, 10, -100, 100)) == ["middle left"]


def test_where_no_side_is_free_there_is_no_label() -> None:
    assert sides((0, 0), taken=(AREA,)) == [""]
    assert label_sides([], [], AREA, radius=5, size=11) == []


@given(st.lists(st.tuples(st.integers(-90, 90), st.integers(-90, 90)), min_size=1, max_size=12))
def test_no_label_meets_a_mark_or_another_label(points: list[tuple[int, int]]) -> None:
    placed = [
        label_box(*point, str(number), side, 5, 11)
        for number, (point, side) in enumerate(zip(points, sides(*points), strict=True))
        if side
    ]
    marks = [Box.around(x, y, 5) for x, y in points]
    assert all(AREA.holds(box) for box in placed)
    assert not any(box.meets(mark) for box in placed for mark in marks)
    assert not any(box.meets(other) for place, box in enumerate(placed) for other in placed[:place])
