from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracelab.display.tables.headings import broken, headings, least_width

names = st.lists(st.text("ab_ .", max_size=6), unique=True, max_size=8)


def test_names_become_words_and_attributes_stay() -> None:
    found = headings(["trace_id", "before_p50", "span.http_route", "_private", "Größe_b", "a__b"])
    assert list(found.values()) == ["trace id", "before p50", "span.http_route", "_private", "Größe b", "a__b"]


def test_names_that_would_read_alike_stay_as_they_are() -> None:
    assert list(headings(["my_rate", "my rate", "other_rate"]).values()) == ["my_rate", "my rate", "other rate"]


@given(names)
def test_no_two_columns_are_called_alike(names: list[str]) -> None:
    found = headings(names)
    assert list(found) == names
    assert len(set(found.values())) == len(names)


def test_a_heading_breaks_between_words() -> None:
    assert broken("exemplar trace id", 9) == ["exemplar", "trace id"]
    assert broken("span.http.route", 5) == ["span.", "http.", "route"]


def test_nobody_reads_a_part_of_ten_thousand_letters() -> None:
    assert least_width("x" * 10_000) == 24
    assert sum(map(len, broken("x" * 10_000, 24))) == 120
