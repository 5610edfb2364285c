"""Verdicts as Markdown for the comment on a pull request: a table, the worst first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracelab.checking.verdicts import CANNOT_TELL, FAILS, HOLDS, NOT_TESTED, badness
from tracelab.checking.wording import totals
from tracelab.markup import cut, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    Link = Callable[[str], str | None]

MARK: Final = "<!-- tracelab check -->"
"""The first line, by which such a file, or a comment, is known again."""

_SIGNS: Final = {FAILS: "❌", NOT_TESTED: "⚠️", CANNOT_TELL: "❔", HOLDS: "✅"}
_LONGEST: Final = 600
# What stands for markup, a table's cell, a mention, an issue, a formula or a link of its own.
_ACTS: Final = re.compile(r"[\\`*{}\[\]<>|&~@$#]|(?<!\w)_|_(?!\w)|(?<=www)\.|:(?=//)")


def as_markdown(checked: pl.DataFrame, *, name: str, link: Link) -> str:
    """Write the answer of `check` as Markdown; `link` says where a trace is shown, if anywhere."""
    rows = sorted(enumerate(checked.to_dicts()), key=lambda pair: (badness(pair[1]), pair[0]))
    head = [MARK, f"### tracelab check: {escaped(totals(checked))}", "", f"Of {escaped(name)}.", ""]
    table = ["| verdict | rule | what was seen | trace |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *table, *(_row(row, link) for _, row in rows)]) + "\n"


def escaped(text: str) -> str:
    """Write a text so that it shows as it is: every character that could act is the number of itself.

    A comment stands behind what would call somebody or an issue, which a code host does when all is rendered.
    """
    shown = visible(cut(text, _LONGEST))
    return _ACTS.sub(lambda found: "".join(f"&#{ord(each)};" for each in found[0]) + _apart(found[0]), shown)


def _apart(sign: str) -> str:
    return "<!-- -->" if sign in "@#" else ""


def _row(row: dict[str, Any], link: Link) -> str:
    verdict = f"{_SIGNS[row['verdict']]} {row['verdict']}"
    if row["severity"] == "warning" and row["verdict"] != HOLDS:
        verdict += " (warning)"
    rule = f"<code>{escaped(row['rule'])}</code>"
    if row["rule"] != row["check"]:
        rule = f"{escaped(row['rule'])}<br><code>{escaped(row['check'])}</code>"
    if row["where"]:
        rule += f"<br>where <code>{escaped(row['where'])}</code>"
    return f"| {verdict} | {rule} | {escaped(row['message'])} | {_trace(row, link)} |"


def _trace(row: dict[str, Any], link: Link) -> str:
    """Give the trace that shows it best, where something is amiss."""
    if row["verdict"] == HOLDS or not row["exemplar_trace_ids"]:
        return ""
    trace = row["exemplar_trace_ids"][0]
    url = link(trace)
    return f"[{escaped(trace)}](<{url}>)" if url else f"<code>{escaped(trace)}</code>"
