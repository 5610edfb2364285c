"""Converters that write names in another case."""

from __future__ import annotations

from typing import Final

from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.texts import GO_SPACE
from tracelab.sampling.ottl.values import ConditionFailedError

_CASES: Final = ("lower", "upper", "snake", "camel")


def camel(text: str) -> str:
    """Write a name as `CamelCase`; what is neither letter nor digit of ASCII is dropped."""
    text = text.strip(GO_SPACE)
    acronym = text == "ID"
    out: list[str] = []
    begins, was_capital = True, False
    for char in "id" if acronym else text:
        capital, small = "A" <= char <= "Z", "a" <= char <= "z"
        changed = char
        if begins:
            changed = char.upper() if small else char
        elif was_capital and capital and not acronym:
            changed = char.lower()
        was_capital = capital
        if capital or small:
            out.append(changed)
            begins = False
        elif "0" <= char <= "9":
            out.append(char)
            begins = True
        else:
            begins = char in "_ -."
    return "".join(out)


def snake(text: str) -> str:
    """Write a name as `snake_case`."""
    text = text.strip(GO_SPACE)
    out: list[str] = []
    for place, char in enumerate(text):
        following = text[place + 1 : place + 2]
        kind, after = _kind(char), _kind(following)
        written = char.lower() if kind == "capital" else char
        if kind and after and kind != after:
            if kind == "capital" and after == "small":
                if place and _kind(text[place - 1]) == "capital":
                    out.append("_")
                out.append(written)
            else:
                out.append(written + "_")
            continue
        out.append("_" if char in " _-." else written)
    return "".join(out)


def _kind(char: str) -> str:
    if "A" <= char <= "Z":
        return "capital"
    if "a" <= char <= "z":
        return "small"
    return "digit" if "0" <= char <= "9" else ""


def lower(text: str) -> str:
    """Write a text in small letters, one letter for one as Go does."""
    return text.lower() if text.isascii() else "".join(_one(char, char.lower(), "i") for char in text)


def upper(text: str) -> str:
    """Write a text in capitals, one letter for one as Go does."""
    return text.upper() if text.isascii() else "".join(_one(char, char.upper(), char.title()) for char in text)


def _one(char: str, changed: str, else_: str) -> str:
    if len(changed) == 1:
        return changed
    return else_ if len(else_) == 1 else char


def _check_case(_target: object, case: object) -> None:
    if case is not OPEN and case not in _CASES:
        raise ConditionFailedError(f"the cases are {', '.join(_CASES)}, not {case!r}")


converter("ToCamelCase", "Target: string")(camel)
converter("ToSnakeCase", "Target: string")(snake)
converter("ToLowerCase", "Target: string")(lower)
converter("ToUpperCase", "Target: string")(upper)


@converter("ConvertCase", "Target: string", "ToCase: text!", check=_check_case)
def convert_case(text: str, case: str) -> str:
    return {"lower": lower, "upper": upper, "snake": snake, "camel": camel}[case](text)
