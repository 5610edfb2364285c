"""Converters that read texts in some format."""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, Final, NoReturn

from tracelab.sampling.ottl.converters.collections import check_delimiters
from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.texts import GO_SPACE, parsed_float
from tracelab.sampling.ottl.values import ConditionFailedError, NotReplayableError, type_name

_LONE: Final = re.compile("[\ud800-\udfff]")
_TOKENS: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"|(?<![\w.+-])(?P<number>-?[0-9][0-9.eE+-]*)(?![\w.])', re.DOTALL | re.ASCII
)
_MODES: Final = ("strict", "lazyQuotes", "ignoreQuotes")


@converter("ParseJSON", "Target: string")
def parse_json(text: str) -> Any:
    """Read a map or a list; all its numbers are doubles."""
    try:
        value = _read_json(text)
    except ValueError as error:
        raise ConditionFailedError(f"the text is no JSON: {error}") from None
    if not isinstance(value, dict | list):
        raise ConditionFailedError(f"the JSON is neither a map nor a list but a value of type {type_name(value)}")
    return _clean(value) if "\\u" in text else value


def _read_json(text: str) -> Any:
    """Read JSON as leniently as the Collector: numbers as Go reads them, and control characters in texts."""
    options: dict[str, Any] = {"parse_int": _number, "parse_float": _number, "parse_constant": _refuse, "strict": False}
    try:
        return json.loads(text, **options)
    except ValueError:
        lenient = _TOKENS.sub(_plain_number, text)
        if lenient == text:
            raise
        return json.loads(lenient, **options)


def _plain_number(found: re.Match[str]) -> str:
    number = None if found["number"] is None else parsed_float(found["number"])
    return found[0] if number is None else repr(number)


def _number(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("a number is too large")
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _clean(value: Any) -> Any:
    """Put the sign for a character that cannot be read where half of one is."""
    match value:
        case str():
            return _LONE.sub("\ufffd", value)
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
    return value


@converter("ParseKeyValue", "Target: string", "Delimiter?: text!", "PairDelimiter?: text!", check=check_delimiters)
def parse_key_value(text: str, delimiter: str | None, between: str | None) -> dict[str, str]:
    if not text:
        raise ConditionFailedError("an empty text has no keys and values")
    delimiter, between = delimiter or "=", between or " "
    found: dict[str, str] = {}
    for pair in _pairs(text, between):
        key, equals, value = pair.partition(delimiter)
        if not equals:
            raise ConditionFailedError(f"a part of the text has no {delimiter!r}: {pair[:50]!r}")
        found[key.strip(GO_SPACE)] = value.strip(GO_SPACE)
    return found


def _pairs(text: str, between: str) -> list[str]:
    """Cut a text, but not within quotes, which are left away."""
    pairs: list[str] = []
    current: list[str] = []
    quote, escaped, at = "", False, 0
    while at < len(text):
        if not quote and text.startswith(between, at):
            if current:
                pairs.append("".join(current))
                current = []
            at += len(between)
            continue
        char = text[at]
        at += 1
        if not escaped:
            if not quote and char in "\"'":
                quote = char
                continue
            if char == quote:
                quote = ""
                continue
            escaped = char == "\\"
        else:
            escaped = False
        current.append(char)
    if quote:
        raise ConditionFailedError("a quote is never closed")
    return [*pairs, "".join(current)] if current else pairs


def _check_csv(_target: Any, _header: Any, delimiter: Any, header_delimiter: Any, mode: Any) -> None:
    for one in (delimiter, header_delimiter):
        if one not in (None, OPEN) and len(str(one)) != 1:
            raise ConditionFailedError("a delimiter is a single character")
    if mode not in (None, OPEN, *_MODES):
        raise ConditionFailedError(f"the modes are {', '.join(_MODES)}, not {mode!r}")


@converter(
    "ParseCSV",
    "Target: string",
    "Header: string",
    "Delimiter?: text!",
    "HeaderDelimiter?: text!",
    "Mode?: text!",
    check=_check_csv,
)
def parse_csv(text: str, header: str, delimiter: str | None, between: str | None, mode: str | None) -> dict[str, str]:
    delimiter = delimiter or ","
    if not header:
        raise ConditionFailedError("the header is empty")
    names = header.split(between or delimiter)
    cells = text.split(delimiter) if mode == "ignoreQuotes" else _row(text, delimiter, lazy=mode == "lazyQuotes")
    if len(cells) != len(names):
        raise ConditionFailedError(f"there are {len(names)} names and {len(cells)} cells")
    return dict(zip(names, cells, strict=True))


def _row(text: str, delimiter: str, *, lazy: bool) -> list[str]:
    """Read lines of CSV as one row: what a line begins with goes on with what the one before ended with."""
    if delimiter in '"\r\n\ufffd':
        raise ConditionFailedError(f"{delimiter!r} cannot stand between cells")
    lines = re.findall(r"[^\n]*\n|[^\n]+$", text)
    lines = [line[:-2] + "\n" if line.endswith("\r\n") else line for line in lines]
    if lines and lines[-1].endswith("\r"):
        lines[-1] = lines[-1][:-1]
    joined: list[str] | None = None
    while lines:
        if lines[0] == "\n":
            lines.pop(0)
            continue
        if not lines[0]:
            break
        cells, broken = _record(lines, delimiter, lazy=lazy)
        if broken and not cells:
            raise ConditionFailedError("a quote stands where none can")
        if not cells:
            raise NotReplayableError("a line has no cells")
        if joined is None:
            joined = cells
        else:
            joined[-1] += "\n" + cells[0]
            joined += cells[1:]
    if joined is None:
        raise ConditionFailedError("the text has no line")
    return joined


def _record(lines: list[str], delimiter: str, *, lazy: bool) -> tuple[list[str], bool]:
    """Take a record off the lines; also says whether a quote broke it off."""
    cells: list[str] = []
    line = lines.pop(0)
    while True:
        if not line.startswith('"'):
            cell, more, line = line.partition(delimiter)
            cell = cell if more else cell.removesuffix("\n")
            if not lazy and '"' in cell:
                return cells, True
            cells.append(cell)
            if not more:
                return cells, False
            continue
        line, cell = line[1:], ""
        while True:
            before, quote, rest = line.partition('"')
            if quote:
                cell, line = cell + before, rest
                if line.startswith('"'):
                    cell, line = cell + '"', line[1:]
                elif line.startswith(delimiter):
                    line = line[1:]
                    cells.append(cell)
                    break
                elif line in ("", "\n"):
                    return [*cells, cell], False
                elif lazy:
                    cell += '"'
                else:
                    return cells, True
            elif line:
                cell += line
                if not lines:
                    if not lazy:
                        return cells, True
                    return [*cells, cell], False
                line = lines.pop(0)
            else:
                return ([*cells, cell], False) if lazy else (cells, True)


@converter("ParseSeverity", "Target: any", "Mapping: map")
def parse_severity(value: Any, mapping: dict[str, Any]) -> str:
    criteria = {level: [_criterion(each) for each in _items(listed)] for level, listed in mapping.items()}
    tried = [level for level, each in criteria.items() if each]
    if tried and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise ConditionFailedError(f"a value of type {type_name(value)} is no level")
    found = [level for level in tried if any(_meets(value, one) for one in criteria[level])]
    if not found:
        raise ConditionFailedError("no level is that of the value")
    if len(found) > 1:
        raise NotReplayableError("several levels are that of the value, of which Go takes any")
    return found[0]


def without_mapping(_value: Any, _mapping: Any) -> str:
    """Answer where the mapping is not written out, with which the Collector fails on every span."""
    raise ConditionFailedError("the mapping of levels is not written out")


def _items(listed: Any) -> list[Any]:
    if not isinstance(listed, list):
        raise ConditionFailedError("the criteria of a level are a list")
    return listed


_RANGES: Final = {f"{digit}xx": (digit * 100, digit * 100 + 99) for digit in (2, 3, 4, 5)}


def _criterion(each: Any) -> tuple[list[str], tuple[int, int] | None]:
    if not isinstance(each, dict):
        raise ConditionFailedError("a criterion of a level is a map")
    equals = each.get("equals", [])
    if not isinstance(equals, list) or not all(isinstance(one, str) for one in equals):
        raise ConditionFailedError("`equals` is a list of texts")
    if "range" not in each:
        return equals, None
    limits = each["range"]
    if isinstance(limits, str) and limits in _RANGES:
        return equals, _RANGES[limits]
    ends = [limits.get(name) for name in ("min", "max")] if isinstance(limits, dict) else [None]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in ends):
        raise ConditionFailedError("`range` is a map of two whole numbers, `min` and `max`, or such as '4xx'")
    return equals, (ends[0], ends[1])  # type: ignore[return-value]


def _meets(value: str | int, criterion: tuple[list[str], tuple[int, int] | None]) -> bool:
    equals, limits = criterion
    if isinstance(value, str):
        return value in equals
    return limits is not None and limits[0] <= value <= limits[1]
