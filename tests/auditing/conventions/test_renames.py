"""The tables of renamed attributes, beside the conventions' own list where it is at hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tracelab.auditing.conventions.renames import EARLIER, MOVED, REMOVED, RENAMED, REPLACED, SAME_THING, SUCCESSORS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deprecated(shared_cases: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((shared_cases / "semconv_renames.json").read_text())
    return rows


def test_every_deprecated_attribute_is_in_exactly_one_table(deprecated: list[dict[str, Any]]) -> None:
    tables = (RENAMED, REPLACED, MOVED, REMOVED)
    assert sorted(name for table in tables for name in table) == sorted(row["old"] for row in deprecated)


def test_what_the_conventions_rename_is_renamed_so(deprecated: list[dict[str, Any]]) -> None:
    assert {row["old"]: row["new"] for row in deprecated if row["reason"] == "renamed"} == RENAMED


def test_what_is_replaced_is_replaced_by_names_in_the_conventions_note(deprecated: list[dict[str, Any]]) -> None:
    for row in deprecated:
        for new in REPLACED.get(row["old"], ()):
            assert f"`{new}`" in row["note"], row


def test_what_moved_says_so_in_its_note(deprecated: list[dict[str, Any]]) -> None:
    assert {row["old"] for row in deprecated if row["note"].startswith("Moved to")} == MOVED


def test_no_new_name_is_an_old_one() -> None:
    assert not {new for names in SUCCESSORS.values() for new in names} & SUCCESSORS.keys()


def test_names_from_before_the_list_are_not_in_it() -> None:
    assert not EARLIER.keys() & (RENAMED.keys() | REPLACED.keys() | MOVED | REMOVED)


def test_the_same_thing_is_looked_for_under_a_name_that_took_the_old_ones_place() -> None:
    assert all(new in SUCCESSORS[old] for old, new in SAME_THING.items())
