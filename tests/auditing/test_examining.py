"""The audit as a whole: what it gives of nothing, of one span, and of names that are hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import tracelab as tl
from tracelab.auditing.findings import FINDINGS
from tracelab.auditing.fixes import FIXES
from tracelab.auditing.rules import RULES
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence


def test_no_spans_give_no_findings_with_the_same_columns() -> None:
    found = tl.audit(draw("api =").clear())
    assert found.height == 0
    assert found.schema == FINDINGS


def test_one_span_gives_nothing_above_info() -> None:
    found = tl.audit(draw("api == kind=server"))
    assert found.filter(pl.col("severity") != "info").height == 0


def test_hostile_names_are_quoted_without_their_escapes() -> None:
    spans = draw("""
        gone
          bank  === kind=server
    """).with_columns(service_name=pl.lit("a\x1b[31m\u202eb"))
    said = tl.audit(spans).filter(pl.col("rule") == "missing-parent")["finding"].item()
    assert said.isprintable()


def test_a_frame_in_microseconds_is_audited_like_one_in_nanoseconds() -> None:
    spans = draw("""
        web     ==========
          gone
            api ..===
    """)
    coarse = spans.with_columns(pl.col("duration").cast(pl.Duration("us")))
    assert tl.audit(coarse).equals(tl.audit(spans))


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_of_rows_changes_no_finding(order: int) -> None:
    spans = draw("""
        gone
          api  ===
          bank .==!
    """)
    assert tl.audit(spans.sample(fraction=1, shuffle=True, seed=order)).equals(tl.audit(spans))


def test_every_rule_says_how_to_mend_what_it_finds() -> None:
    assert {name.partition(":")[0] for name in FIXES} >= set(RULES)
    assert all("" in texts for texts in FIXES.values())


@pytest.mark.parametrize("rule", ["secret-in-attributes", "missing-service-name", "attribute-at-wrong-level"])
def test_a_rule_that_cannot_go_on_says_so(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    def broken(_: Evidence) -> pl.DataFrame:
        raise IndexError("no such place")

    monkeypatch.setitem(RULES, rule, broken)
    with pytest.raises(IndexError, match="no such place"):
        tl.audit(draw("web::GET  === kind=server"))
