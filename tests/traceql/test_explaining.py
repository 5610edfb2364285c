from __future__ import annotations

import pytest

from tests.traceql.shop import SHOP
from tracelab.errors import QuerySyntaxError
from tracelab.traceql import explain


def test_explain_shows_the_canonical_text_and_the_plan() -> None:
    text = explain("service.name = `x` || span.n > 2 && status = error")
    assert text.startswith("{ ((.service.name = `x`) || (span.n > 2)) && (status = error) }\n\nFILTER")
    assert 'col("span.n") > 2' in text
    assert repr(text) == str(text)


def test_explain_shows_the_plan_of_every_side_of_a_metrics_query() -> None:
    text = explain("({ status = error } | rate()) / ({ kind = server } | rate())")
    assert text.count("FILTER") == 2


def test_explain_uses_the_columns_of_a_frame() -> None:
    assert 'col("span.retries")' in explain(".retries > 1", spans=SHOP)
    assert "python_udf" in explain("{ } > { }", spans=SHOP.lazy())


def test_explain_refuses_what_is_no_query() -> None:
    with pytest.raises(QuerySyntaxError):
        explain("{ name = }")
