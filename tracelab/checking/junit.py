"""Verdicts as JUnit XML, which build servers show as tests.

A rule is a test case. One that fails is a `failure`, one that tests nothing an `error`, one that nobody can tell is
`skipped`. A rule that is only a warning has passed, and says in its output what it found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from tracelab.checking.verdicts import CANNOT_TELL, FAILS, NOT_TESTED
from tracelab.markup import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    Link = Callable[[str], str | None]

_TAGS: Final = {FAILS: "failure", NOT_TESTED: "error", CANNOT_TELL: "skipped"}
_CLASS: Final = "tracelab.check"


def as_junit(checked: pl.DataFrame, *, name: str, rules: str, strict: bool, link: Link) -> str:
    """Write the answer of `check` as JUnit XML.

    Parameters
    ----------
    checked
        The answer.
    name, rules
        What the dump and the file of rules are called.
    strict
        Whether what nobody can tell is a failure.
    link
        Where a trace is shown, if anywhere.
    """
    suite = ET.Element("testsuite", {"name": _text(name)})
    cases = [_case(suite, row, rules, strict=strict, link=link) for row in checked.to_dicts()]
    counts = {
        "tests": len(cases),
        "failures": cases.count("failure"),
        "errors": cases.count("error"),
        "skipped": cases.count("skipped"),
    }
    totals = {key: str(value) for key, value in counts.items()}
    suite.attrib.update({**totals, "time": "0"})
    suites = ET.Element("testsuites", {"name": "tracelab check", **totals, "time": "0"})
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ET.Element, row: dict[str, Any], rules: str, *, strict: bool, link: Link) -> str:
    """Add a rule, and say what became of it."""
    place = {"file": _text(rules), "line": str(row["line"])} if row["line"] else {}
    case = ET.SubElement(suite, "testcase", {"name": _text(row["rule"]), "classname": _CLASS, "time": "0", **place})
    tag = _TAGS.get(row["verdict"], "")
    if tag == "skipped" and strict and row["value"] is not None:
        tag = "failure"
    if row["severity"] == "warning" and tag in ("failure", "error"):
        tag = ""
    if tag:
        ET.SubElement(case, tag, {"message": _text(row["message"]), "type": row["verdict"]}).text = _body(row, link)
    else:
        ET.SubElement(case, "system-out").text = _body(row, link)
    return tag


def _body(row: dict[str, Any], link: Link) -> str:
    lines = [row["check"], row["message"]]
    if row["where"]:
        lines.insert(1, f"where {row['where']}")
    lines += [f"trace {trace}{f' {url}' if (url := link(trace)) else ''}" for trace in row["exemplar_trace_ids"]]
    return "\n".join(map(_text, lines))


def _text(text: str) -> str:
    """Make a text one that XML may hold: it forbids most control characters, whatever they are written as."""
    return visible(text)
