from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracelab.analysis import outliers
from tracelab.errors import TracelabError
from tracelab.synthetic import draw

if TYPE_CHECKING:
    import polars as pl


def traces(*labels: str) -> pl.DataFrame:
    return draw("\n\n".join(labels))


USUAL = ["api ===", "api ====", "api ====="] * 7


def test_outliers_are_far_from_their_own_kind() -> None:
    other = ["slow " + 60 * "="] * 20
    found = outliers(traces(*USUAL, *other, "api " + 60 * "="))
    assert found.select("name", "times", "count").rows() == [("api", 15.0, 22)]
    assert found["score"].item() > 3.5


def test_outliers_need_enough_of_their_kind() -> None:
    spans = traces(*USUAL[:9], "api " + 60 * "=")
    assert outliers(spans).is_empty()
    assert outliers(spans, min_count=10).height == 1


def test_outliers_are_found_where_most_are_equal() -> None:
    found = outliers(traces(*["api =="] * 30, "api " + 40 * "="))
    assert found["times"].to_list() == [20.0]
    assert outliers(traces(*["api =="] * 30)).is_empty()


def test_outliers_are_slow_not_fast() -> None:
    assert outliers(traces(*["api " + 50 * "=", "api " + 55 * "="] * 12, "api =")).is_empty()


def test_outliers_show_the_keys_they_were_compared_by() -> None:
    spans = traces(*(f"{label} http.route=/a" for label in USUAL), "api " + 60 * "=" + " http.route=/a")
    assert outliers(spans, by="http.route")["http.route"].to_list() == ["/a"]


def test_outliers_say_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="`threshold` must be above 0"):
        outliers(draw("a ="), threshold=0)
