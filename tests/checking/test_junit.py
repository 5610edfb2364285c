from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import junitparser
import pytest

from tests.checking.made import ALL, checked
from tracelab.checking.junit import as_junit
from tracelab.checking.wording import linking

if TYPE_CHECKING:
    import polars as pl


def written(found: pl.DataFrame, *, strict: bool = False, url: str | None = None) -> str:
    return as_junit(found, name="after.parquet", rules="tracelab.toml", strict=strict, link=linking(url))


def results(text: str) -> dict[str, list[str]]:
    """Let a parser that others wrote say what became of each case."""
    xml = junitparser.JUnitXml.fromstring(text.encode())
    return {case.name: [type(each).__name__ for each in case.result] for suite in xml for case in suite}


def test_a_parser_of_others_reads_what_became_of_each_rule() -> None:
    found = results(written(ALL))
    assert [*found.values()] == [[], ["Failure"], [], ["Skipped"], ["Skipped"], ["Error"], ["Failure"]]
    assert list(found)[:6] == ["fine", "slow", "warned", "few", "optional", "gone"]
    xml = junitparser.JUnitXml.fromstring(written(ALL).encode())
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (7, 2, 1, 2)


def test_strict_makes_failures_of_what_nobody_can_tell() -> None:
    found = results(written(ALL, strict=True))
    assert (found["few"], found["optional"]) == (["Failure"], ["Skipped"])


def test_every_case_has_what_consumers_ask_for() -> None:
    root: Any = ET.fromstring(written(ALL, url="http://jaeger/trace/{trace_id}"))  # noqa: S314 - it is ours
    assert [suite.tag for suite in root] == ["testsuite"]
    for case in root.iter("testcase"):
        assert {"name", "classname", "time"} <= case.attrib.keys()
        assert len(case) == 1
    slow = root.find(".//testcase[@name='slow']")
    assert (slow.get("file"), slow.get("line")) == ("tracelab.toml", "4")
    assert slow.find("failure").get("message") == "p95 9 s"
    assert f"trace {'a' * 32} http://jaeger/trace/{'a' * 32}" in slow.find("failure").text


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x0b", "\ufffe", "\x9b"])
def test_characters_that_xml_forbids_are_written_as_escapes(character: str) -> None:
    text = written(checked({"rule": f"a{character}b", "message": f"a{character}b"}))
    root: Any = ET.fromstring(text)  # noqa: S314 - it is ours
    assert root.find(".//testcase").get("name") == "a" + character.encode("unicode_escape").decode() + "b"


def test_no_rules_is_a_suite_of_none() -> None:
    assert results(written(checked())) == {}
