"""`Format`: Go's printing."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from tracelab.sampling.ottl.converters.registry import converter
from tracelab.sampling.ottl.texts import trimmed
from tracelab.sampling.ottl.values import NotReplayableError

_VERB: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>[0-9]*)(?P<point>\.(?P<precision>[0-9]*))?(?P<verb>.)", re.DOTALL
)
_MOST: Final = 10_000
_UNUSUAL: Final = "Go prints this in a way that cannot be replayed"


@converter("Format", "Format: text!", "Vals: [any]")
def format_(text: str, values: list[Any]) -> str:
    used = 0
    out: list[str] = []
    at = 0
    for found in _VERB.finditer(text):
        plain = text[at : found.start()]
        if "%" in plain or "[" in found.group() or "*" in found.group():
            raise NotReplayableError(_UNUSUAL)
        out.append(plain)
        at = found.end()
        verb = found["verb"]
        if verb == "%":
            out.append("%")
        elif used >= len(values):
            out.append(f"%!{verb}(MISSING)")
        else:
            out.append(_printed(found, values[used]))
            used += 1
    if "%" in text[at:]:
        raise NotReplayableError(_UNUSUAL)
    out.append(text[at:])
    if used < len(values):
        extra = ", ".join(f"{_go_type(value)}{_extra(value)}" for value in values[used:])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _printed(found: re.Match[str], value: Any) -> str:
    flags, verb = found["flags"], found["verb"]
    width = int(found["width"] or "0")
    precision = int(found["precision"] or "0") if found["point"] else None
    if width > _MOST or (precision or 0) > _MOST or "#" in flags:
        raise NotReplayableError(_UNUSUAL)
    text = _as_verb(verb, flags, precision, value)
    if text is None:
        return f"%!{verb}({_go_type(value)}{_extra(value)})"
    zeros = "0" in flags and "-" not in flags
    if zeros and isinstance(value, str):
        raise NotReplayableError(_UNUSUAL)
    if zeros and isinstance(value, int | float) and not isinstance(value, bool):
        sign = text[0] if text[0] in "+- " else ""
        if isinstance(value, int) and precision is not None:
            raise NotReplayableError(_UNUSUAL)
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.ljust(width) if "-" in flags else text.rjust(width)


def _as_verb(verb: str, flags: str, precision: int | None, value: Any) -> str | None:
    """Write a value as a verb wants it; None where the verb is not for it."""
    if verb == "T" and precision is None:
        return _go_type(value)
    match value:
        case None:
            return "<nil>" if verb == "v" else None
        case bool():
            return ("true" if value else "false") if verb in "tv" else None
        case int():
            return _whole(verb, flags, precision, value)
        case float():
            return _decimal(verb, flags, precision, value)
        case str():
            return _text(verb, precision, value)
    raise NotReplayableError(_UNUSUAL)


def _whole(verb: str, flags: str, precision: int | None, value: int) -> str | None:
    formats = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
    if verb == "c" and precision is None and 0 < value < 0x110000 and not 0xD800 <= value < 0xE000:
        return chr(value)
    if verb in "cqUO":
        raise NotReplayableError(_UNUSUAL)
    if verb not in formats:
        return None
    digits = format(abs(value), formats[verb])
    if precision is not None:
        digits = "" if precision == 0 and value == 0 else digits.rjust(precision, "0")
    return _sign(flags, negative=value < 0) + digits


def _sign(flags: str, *, negative: bool) -> str:
    if negative:
        return "-"
    return "+" if "+" in flags else " " if " " in flags else ""


def _decimal(verb: str, flags: str, precision: int | None, value: float) -> str | None:
    if verb in "xXbeEgGF" and not (verb == "F" or (verb in "eE" and isfinite(value))):
        raise NotReplayableError(_UNUSUAL)
    if verb not in "feEFv":
        return None
    if not isfinite(value):
        raise NotReplayableError(_UNUSUAL)
    negative = str(value).startswith("-")
    if verb == "v":
        if precision is not None:
            raise NotReplayableError(_UNUSUAL)
        digits = _shortest(abs(value))
    else:
        digits = format(abs(value), f".{6 if precision is None else precision}{verb}")
    return _sign(flags, negative=negative) + digits


def _shortest(value: float) -> str:
    """Write a float with the fewest digits, with an exponent below 1e-4 and from 1e6 on."""
    number = Decimal(repr(value)).normalize()
    if value == 0:
        return "0"
    if -4 <= number.adjusted() < 6:
        return trimmed(format(number, "f"))
    digits, _, exponent = format(number, "e").partition("e")
    return f"{digits}e{'-' if int(exponent) < 0 else '+'}{abs(int(exponent)):02d}"


def _text(verb: str, precision: int | None, value: str) -> str | None:
    if verb in "sv":
        return value if precision is None else value[:precision]
    if verb in "xX" and precision is None:
        digits = value.encode().hex()
        return digits if verb == "x" else digits.upper()
    if verb == "q":
        raise NotReplayableError(_UNUSUAL)
    return None


def _go_type(value: Any) -> str:
    names: dict[type, str] = {type(None): "<nil>", bool: "bool", int: "int64", float: "float64", str: "string"}
    if type(value) not in names:
        raise NotReplayableError(_UNUSUAL)
    return names[type(value)]


def _extra(value: Any) -> str:
    return "" if value is None else f"={_as_verb('v', '', None, value)}"
