"""Files of rules: TOML, with the line that each rule stands in."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from tracelab.checking.rules.nodes import SEVERITIES
from tracelab.checking.rules.parser import parse
from tracelab.errors import RuleError, TracelabError
from tracelab.options import choice, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracelab.checking.rules.nodes import Rule

_TOP: Final = ("rules", "rule")
_KEYS: Final = ("check", "name", "where", "severity", "optional")
_MOST_BYTES: Final = 1_000_000
_EXAMPLE: Final = """Write rules = ['p95("GET /") < "800ms"', 'no_errors'], each rule in single quotes."""
_STRING: Final = re.compile(
    r'''(?P<skipped>\#[^\n]*)
    |"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|\'\'\'(?:[^']|'(?!''))*'{3,5}
    |"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''',
    re.VERBOSE | re.DOTALL,
)


def read_rules(path: Path) -> list[Rule]:
    """Read a file of rules.

    Raises
    ------
    RuleError
        It cannot be read, it is no TOML, or a rule in it is none; the message says in which line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror or error}. Name a file of rules.") from error
    if len(content) > _MOST_BYTES:
        raise RuleError(f"{path} has {len(content):,} bytes; a file of rules has {_MOST_BYTES:,} at the most.")
    try:
        source = content.decode("utf-8-sig").replace("\r\n", "\n")
        return rules_of(source, str(path))
    except UnicodeDecodeError as error:
        raise RuleError(f"{path} is no text in UTF-8: byte {error.start:,} is none. Name a file of rules.") from error


def rules_of(source: str, called: str) -> list[Rule]:
    """Read the text of a file of rules, `called` so.

    Raises
    ------
    RuleError
        As in `read_rules`.
    """
    try:
        table = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RuleError(f"{called} is no TOML: {error}. {_EXAMPLE}") from error
    _refuse_unknown(called, table, _TOP, f" {_EXAMPLE}")
    strings = _strings(source)
    found = [
        _read(called, entry, _line(strings, entry), place) for place, entry in enumerate(_entries(called, table), 1)
    ]
    if not found:
        raise RuleError(f"{called} holds no rules. {_EXAMPLE}")
    return found


def _entries(called: str, table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every rule as a table, those of `rules` first: a list of them, or a table of their names."""
    listed, tables = table.get("rules", []), table.get("rule", [])
    if isinstance(listed, dict):
        listed = [{"name": name, **_whole(rule)} for name, rule in listed.items()]
    if not isinstance(listed, list) or not isinstance(tables, list):
        raise RuleError(
            f"{called}: `rules` is a list of texts, and each rule of its own begins with [[rule]]. {_EXAMPLE} One with "
            "a name is [[rule]], and below it name = '...' and check = '...'."
        )
    for entry in (*listed, *tables):
        if isinstance(entry, str):
            yield {"check": entry}
        elif isinstance(entry, dict):
            yield entry
        else:
            raise RuleError(f"{called}: {entry!r:.60} is no rule. Write a text such as 'no_errors', or [[rule]].")


def _whole(rule: Any) -> dict[str, Any]:
    """Give a rule below a name as a table."""
    return rule if isinstance(rule, dict) else {"check": rule}


def _read(called: str, entry: dict[str, Any], line: int | None, place: int) -> Rule:
    where = f"{called}, line {line}" if line else f"{called}, rule {place}"
    _refuse_unknown(where, entry, _KEYS)
    text = entry.get("check")
    if not isinstance(text, str):
        raise RuleError(f'{where}: a rule needs `check`, as in check = \'p95("GET /") < "800ms"\'.')
    for key in ("name", "where"):
        if key in entry and not (isinstance(entry[key], str) and entry[key].strip()):
            raise RuleError(f"{where}: `{key}` is a text, got {entry[key]!r:.60}.")
    try:
        rule = parse(text)
        severity = choice("severity", entry.get("severity", "error"), SEVERITIES)
        optional = flag("optional", entry.get("optional", False))
    except RuleError as error:
        raise RuleError(f"{where}: {_first_line(error)}", source=error.source, position=error.position) from None
    except TracelabError as error:
        raise RuleError(f"{where}: {error}") from error
    return replace(
        rule,
        name=entry.get("name", rule.name),
        where=entry.get("where"),
        severity=severity,  # type: ignore[arg-type]  # it is one of these
        optional=optional,
        line=line,
    )


def _refuse_unknown(where: str, table: dict[str, Any], known: tuple[str, ...], example: str = "") -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.6)
            hint = f"Did you mean `{near[0]}`?" if near else f"There are {', '.join(known)}."
            raise RuleError(f"{where}: there is no `{key:.60}`. {hint}{example}")


def _strings(source: str) -> list[tuple[int, str]]:
    """List the texts of a file of TOML that parses, each with the line where it begins."""
    found = []
    for match in _STRING.finditer(source):
        if match["skipped"] is None:
            # What stands between quotes may be a key, which a text of several lines cannot be read as.
            text = tomllib.loads(f"text = {match.group()}")["text"]
            found.append((source.count("\n", 0, match.start()) + 1, text))
    return found


def _line(strings: list[tuple[int, str]], entry: dict[str, Any]) -> int | None:
    """Find the line of a rule among the texts that are left, which are those behind the rule before."""
    for place, (line, text) in enumerate(strings):
        if text == entry.get("check"):
            del strings[: place + 1]
            return line
    return None


def _first_line(error: RuleError) -> str:
    return str(error) if error.position is None else str(error).rsplit("\n", 2)[0]
