"""The tables of attributes, beside the conventions' own where they are at hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracelab.auditing.conventions.renames import SUCCESSORS
from tracelab.auditing.conventions.requirements import EVENTS, SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

GENAI = ("inference", "agent", "tool")


def test_the_tables_have_every_attribute_of_the_conventions_with_its_level_stability_and_type(
    shared_cases: Path,
) -> None:
    conventions: dict[str, set[tuple[str, ...]]] = {}
    for row in json.loads((shared_cases / "semconv_span_attrs.json").read_text()):
        facts = (row["attr"], row["level"].lower(), row["stability"].lower(), row["type"])
        conventions.setdefault(row["section"], set()).add(facts)
    ours = {
        section.name: {(each.attribute, each.level, each.stability, each.type) for each in section.requirements}
        for name, section in (SECTIONS | EVENTS).items()
        if name not in (*GENAI, "other")
    }
    assert ours == conventions
    assert sum(len(rows) for rows in ours.values()) == 189


def test_no_attribute_is_wanted_under_an_old_name() -> None:
    wanted = {each.attribute for section in SECTIONS.values() for each in section.requirements}
    assert not wanted & SUCCESSORS.keys()


def test_no_section_wants_an_attribute_twice() -> None:
    for section in SECTIONS.values():
        names = [each.attribute for each in section.requirements]
        assert len(names) == len(set(names)), section.name


def test_what_depends_on_something_says_so_in_words() -> None:
    for section in SECTIONS.values():
        for each in section.requirements:
            assert each.condition or each.when in ("always", "never"), each
