"""The audit of dumps that others made: it holds for all of them, and finds what some were made to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tracelab as tl

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.LoadWarning")

LARGEST = 400_000
FIXTURES = "otlp-json/masaimu__tracelens/tests__fixtures__otlp-{}.json"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("missing-parent", "missing-parent"),
        ("duplicate-span", "duplicate-span-id"),
        ("no-root", "span-cycle"),
        ("child-outside-parent", "child-outside-parent"),
    ],
)
def test_a_dump_that_was_made_to_show_a_fault_shows_it(shared_data: Path, name: str, rule: str) -> None:
    spans = tl.read(shared_data / FIXTURES.format(name), progress=False)
    assert rule in tl.audit(spans)["rule"].to_list()


def test_the_findings_of_every_dump_are_well_formed(shared_data: Path) -> None:
    audited = 0
    for path in sorted(shared_data.rglob("*")):
        if not path.is_file() or path.stat().st_size > LARGEST:
            continue
        try:
            spans = tl.read(path, progress=False)
        except tl.TracelabError:
            continue  # what no loader opens is not for the audit
        found = tl.audit(spans)
        assert (found["count"] <= found["out_of"]).all(), path
        assert (found["share"].is_between(found["share_lower"], found["share_upper"])).all(), path
        named = found.explode("exemplar_trace_ids", "exemplar_span_ids").select(
            trace_id="exemplar_trace_ids", span_id="exemplar_span_ids"
        )
        assert named.join(spans, on=["trace_id", "span_id"], how="anti").height == 0, path
        assert not found["finding"].str.contains(r"\p{Cc}").any(), path
        audited += 1
    assert audited > 50
