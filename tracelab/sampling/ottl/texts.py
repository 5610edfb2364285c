"""Numbers and JSON as Go writes and reads them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Final

GO_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go trims where it trims space."""

_INT: Final = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_DIGITS: Final = "[0-9]+(?:_[0-9]+)*"
_HEX_DIGITS: Final = "[0-9a-f]+"
_FLOAT: Final = re.compile(
    rf"[+-]?(?:inf|infinity|nan|(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?"
    rf"|(?P<hex>0x(?:{_HEX_DIGITS}\.?(?:{_HEX_DIGITS})?|\.{_HEX_DIGITS})p[+-]?[0-9]+))",
    re.IGNORECASE | re.ASCII,
)
_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u2028": "\\u2028", "\u2029": "\\u2029",
}  # fmt: skip
_SHORT: Final = {"\b": "\\b", "\f": "\\f"}
_ESCAPED: Final = re.compile('["\\\\\x00-\x1f<>&\u2028\u2029]')


@dataclass(frozen=True, slots=True)
class MachineInt:
    """A number that Go holds in another type than all ints here, so that it is like none of them."""

    number: int


def parsed_int(text: str) -> int | None:
    """Read a decimal whole number of 64 bits; None where the text is none."""
    if not _INT.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def parsed_float(text: str) -> float | None:
    """Read a float; None where the text is none, or too large for one."""
    found = _FLOAT.fullmatch(text)
    if found is None:
        return None
    number = float.fromhex(text) if found["hex"] else float(text.replace("_", ""))
    named = text.lstrip("+-").lower() in ("inf", "infinity")
    return None if number in (float("inf"), float("-inf")) and not named else number


def float_text(number: float, *, tidy: bool) -> str:
    """Write a finite float as JSON: the fewest digits that read as the same number.

    A tidy exponent has no zero before it, where it is negative.
    """
    if number == 0:
        return "-0" if str(number).startswith("-") else "0"
    if 1e-6 <= abs(number) < 1e21:
        return trimmed(format(Decimal(repr(number)), "f"))
    digits, _, exponent = format(Decimal(repr(number)).normalize(), "e").partition("e")
    power = abs(int(exponent))
    if int(exponent) < 0:
        return f"{digits}e-{power}" if tidy else f"{digits}e-{power:02d}"
    return f"{digits}e+{power:02d}"


def trimmed(digits: str) -> str:
    """Drop zeros that stand for nothing at the end of a decimal fraction."""
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def as_go_json(value: Any, *, tidy: bool = False) -> str:
    """Write a value as JSON, keys sorted and bytes in base64.

    Go has two ways: the one escapes `<`, `>` and `&`, the tidy one does not.

    Raises
    ------
    ValueError
        A number is infinite or no number, or a value is of a kind that has no JSON.
    """
    out: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        match one:
            case _Piece():
                out.append(one.text)
            case None:
                out.append("null")
            case bool():
                out.append("true" if one else "false")
            case int() | MachineInt():
                out.append(str(one.number if isinstance(one, MachineInt) else one))
            case float():
                out.append(_json_float(one, tidy=tidy))
            case str():
                out.append(json_text(one, tidy=tidy))
            case bytes():
                out.append(f'"{base64.b64encode(one).decode()}"')
            case dict():
                pairs = [(_Piece(f",{json_text(key, tidy=tidy)}:"), one[key]) for key in sorted(one, key=str.encode)]
                waiting.extend(reversed(_enclosed("{", [part for pair in pairs for part in pair], "}")))
            case list():
                parts = [part for item in one for part in (_Piece(","), item)]
                waiting.extend(reversed(_enclosed("[", parts, "]")))
            case _:
                raise ValueError(f"{type(one).__name__} has no JSON")
    return "".join(out)


class _Piece:
    """Text that is ready."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _enclosed(opening: str, parts: list[Any], closing: str) -> list[Any]:
    if parts:
        parts[0] = _Piece(parts[0].text.removeprefix(","))
    return [_Piece(opening), *parts, _Piece(closing)]


def _json_float(number: float, *, tidy: bool) -> str:
    if not isfinite(number):
        raise ValueError("JSON has no such number")
    return float_text(number, tidy=tidy)


def json_text(text: str, *, tidy: bool) -> str:
    """Write a text as a JSON string."""

    def escaped(found: re.Match[str]) -> str:
        char = found[0]
        if tidy and char in "<>&":
            return char
        return (tidy and _SHORT.get(char)) or _ESCAPES.get(char) or f"\\u{ord(char):04x}"

    return f'"{_ESCAPED.sub(escaped, text)}"'
