"""Markdown for tickets: whole, bounded, and harmless whatever the trace holds."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings

import tracelab as tl
from tests.strategies import span_frames
from tracelab.synthetic import draw, generate

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.SkewWarning")

SPANS = draw("""
web::GET /pay        ====================
  db::SELECT cart    .==
  web::render        ...............==
  db::SELECT cart    ...==
  db::SELECT cart    .....==
  bank::charge       ........====!  error.type=Refused
    bank::lost
      mail::send     .........=
""")
HOSTILE = "```\n# @team <img src=x onerror=alert(1)> [x](http://evil) `$(rm)` $x$ \x1b[31m\u202e #123"


def tree(text: str) -> list[str]:
    return text.split("```")[1].strip("\n").split("\n")


def test_like_siblings_are_one_line_with_their_number_and_time() -> None:
    text = tl.to_markdown(SPANS, SPANS["trace_id"][0])
    assert "1 ms       6 ms   *    db: SELECT cart x 3" in text
    assert text.count("SELECT cart") == 1


def test_errors_and_missing_parents_are_told() -> None:
    text = tl.to_markdown(SPANS)
    assert text.startswith("### Trace `web: GET /pay`, 20 ms, 1 error\n")
    assert "- fails first in: `bank: charge`: `Refused`" in text
    assert "- the parents of 1 span are missing" in text
    assert "mail: send (parent missing)" in text
    assert "- began: 2026-05-01 12:00:00.000 UTC, took 20 ms, 7 spans" in text


def test_subtrees_that_are_alike_are_folded_whole() -> None:
    calls = "\n".join("  web::GET      ==\n    db::SELECT  ==" for _ in range(5))
    text = tl.to_markdown(draw(f"web::page ==========\n{calls}"))
    assert [line.split("  ")[-1].strip() for line in tree(text)[1:]] == ["web: page", "web: GET x 5", "db: SELECT"]


def test_two_like_siblings_and_unlike_ones_are_not_folded() -> None:
    text = tl.to_markdown(draw("a =====\n  b =\n  b .=\n  c =\n  c .=\n  c ..=!"))
    assert "x " not in text.split("```")[1]


def test_hostile_text_breaks_out_of_nothing() -> None:
    columns = [pl.lit(HOSTILE).alias(name) for name in ("name", "service_name", "status_message", "span.error.type")]
    text = tl.to_markdown(SPANS.with_columns(columns, trace_id=pl.lit("f" * 32)))
    assert text.count("```") == 2
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert re.sub(r"`[^`\n]*`", "", outside).isascii()
    for bad in ("@team", "<img", "http://", "#123", "$x$"):
        assert bad not in re.sub(r"`[^`\n]*`", "", outside)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_huge_trace_stays_within_its_bound_and_counts_what_is_left_out() -> None:
    spans = generate(30_000, spans_per_trace=30_000)
    largest = tl.trace_summary(spans).sort("spans")["trace_id"][-1]
    for longest in (4_000, 20_000):
        text = tl.to_markdown(spans, largest, longest=longest)
        assert len(text) <= longest
        assert re.search(r"shorter spans? left out", text)


def test_a_deep_trace_stays_within_its_bound() -> None:
    picture = "\n".join(f"{' ' * depth}step{depth} ===" for depth in range(400))
    text = tl.to_markdown(draw(picture), longest=4_000)
    assert len(text) <= 4_000


@given(spans=span_frames(max_traces=1))
@settings(deadline=None, max_examples=40)
def test_every_span_is_in_the_tree(spans: pl.DataFrame) -> None:
    text = tl.to_markdown(spans)
    lines = tree(text)[1:]
    folded = sum(int(found) - 1 for found in re.findall(r" x (\d+)", "\n".join(lines)))
    assert len(lines) <= spans.height <= len(lines) + max(folded, 0) * spans.height


def test_names_of_nothing_have_a_placeholder() -> None:
    text = tl.to_markdown(SPANS.with_columns(name=pl.lit(" "), service_name=pl.lit("")))
    assert "(no name)" in text


def test_the_id_may_be_short_and_a_wrong_one_is_told() -> None:
    assert tl.to_markdown(SPANS, "1") == tl.to_markdown(SPANS, SPANS["trace_id"][0])
    with pytest.raises(tl.TracelabError, match="There is no trace 'abc'"):
        tl.to_markdown(SPANS, "abc")
    with pytest.raises(tl.TracelabError, match="There are no spans"):
        tl.to_markdown(SPANS.clear())
    with pytest.raises(tl.TracelabError, match="`longest` must be"):
        tl.to_markdown(SPANS, longest=10)
