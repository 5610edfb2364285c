"""How TraceQL writes values: durations, floats, strings and attribute names, to text and back."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isnan
from typing import Final

from tracelab import units

NANOSECONDS: Final = {**units.NANOSECONDS, "y": 365 * units.NANOSECONDS["d"]}

NAME_ENDERS: Final = "{}()=~!<>&|^,"
"""What ends an attribute's name, next to white space; everything else belongs to it."""

# Whole numbers, each unit at most once and from the largest to the smallest, as Prometheus has it.
_ORDERED: Final = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_ORDERED_UNITS: Final = ("y", "w", "d", "h", "m", "s", "ms")
# Decimal numbers and units in any order, as Go has it.
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NAME_THAT_NEEDS_QUOTES: Final = re.compile(rf'[\s"{re.escape(NAME_ENDERS)}]')
_PLAIN_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_NUMBERED_ESCAPES: Final = {"x": 2, "u": 4, "U": 8}
_MAX_DURATION: Final = 2**63 - 1


def duration_from_text(text: str) -> int | None:
    """Read a duration such as `1h30m`, `1.5s` or `1d12h`; None if it is none.

    Examples
    --------
    >>> [duration_from_text(text) for text in ("1m30s", ".5us", "1d", "1.5d", "s")]
    [90000000000, 500, 86400000000000, None, None]
    """
    if whole := _ORDERED.fullmatch(text):
        counts = zip(whole.groups(), _ORDERED_UNITS, strict=True)
        total = sum(int(count) * NANOSECONDS[unit] for count, unit in counts if count)
    else:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return None
        total = sum(_nanoseconds(number, unit) for number, unit in parts)
    return total if total <= _MAX_DURATION else None


def duration_text(nanoseconds: int) -> str:
    """Write a duration as Go does.

    Examples
    --------
    >>> [duration_text(n) for n in (0, 1_500, 100_000_000, 1_500_000_000, 10_800_000_000_000, -90_000_000_000)]
    ['0s', '1.5µs', '100ms', '1.5s', '3h0m0s', '-1m30s']
    """
    if nanoseconds < 0:
        return "-" + duration_text(-nanoseconds)
    if nanoseconds == 0:
        return "0s"
    for unit, next_unit in (("ns", "µs"), ("µs", "ms"), ("ms", "s")):
        if nanoseconds < NANOSECONDS[next_unit]:
            return _decimal(nanoseconds, NANOSECONDS[unit]) + unit
    minutes, rest = divmod(nanoseconds, NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, NANOSECONDS["s"]) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def float_text(value: float) -> str:
    """Write a float so that it is never taken for an integer, with Go's exponents.

    Examples
    --------
    >>> [float_text(x) for x in (1.0, 0.25, 1e6, 1.5e-7, float("inf"))]
    ['1.0', '0.25', '1e+06', '1.5e-07', '+Inf']
    """
    if isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign, numbers, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).normalize().adjusted()
    digits = "".join(map(str, numbers))
    minus = "-" if sign else ""
    if -4 <= exponent < 6:  # where Go's shortest form changes to an exponent
        text = format(Decimal(repr(value)).normalize(), "f")
        return text if "." in text else text + ".0"
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{minus}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def string_text(value: str) -> str:
    """Write a string between backticks, or quoted where it holds what cannot stand there.

    Examples
    --------
    >>> print(string_text("GET /"), string_text("a`b"))
    `GET /` "a`b"
    """
    if "`" not in value and "\r" not in value:
        return f"`{value}`"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def unescaped(body: str) -> tuple[str, int | None]:
    r"""Read what stands between double quotes; gives also the place of the first bad escape, if there is one.

    Examples
    --------
    >>> unescaped(r"a\tb\x41\u00e9"), unescaped(r"\q")
    (('a\tbAé', None), ('', 0))
    """
    if "\\" not in body:
        return body, None
    # Bytes, since `\x` and octal escapes write bytes of UTF-8.
    out = bytearray()
    at = 0
    while at < len(body):
        if body[at] != "\\":
            out += body[at].encode("utf-8", "replace")
            at += 1
            continue
        code = body[at + 1 : at + 2]
        if code in _PLAIN_ESCAPES:
            out += _PLAIN_ESCAPES[code].encode()
            at += 2
            continue
        length = _NUMBERED_ESCAPES.get(code)
        digits = body[at + 2 : at + 2 + length] if length else body[at + 1 : at + 4]
        if not re.fullmatch(r"[0-9a-fA-F]+" if length else r"[0-3][0-7]{2}", digits) or (
            length and len(digits) != length
        ):
            return out.decode("utf-8", "replace"), at
        number = int(digits, 16 if length else 8)
        if code in ("u", "U"):
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                return out.decode("utf-8", "replace"), at
            out += chr(number).encode()
        else:
            out.append(number)
        at += 2 + length if length else 4
    return out.decode("utf-8", "replace"), None


def name_text(name: str, *, bare: bool) -> str:
    """Write an attribute's name, in quotes where it would end too early or start as a number.

    Examples
    --------
    >>> name_text("http.route", bare=True), name_text("user id", bare=False), name_text("3x", bare=True)
    ('http.route', '"user id"', '"3x"')
    """
    if not name or _NAME_THAT_NEEDS_QUOTES.search(name) or (bare and name[0].isdigit()):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return name


def _nanoseconds(number: str, unit: str) -> int:
    """Multiply without passing through a float, so that long durations stay exact."""
    whole, _, fraction = number.partition(".")
    scale = NANOSECONDS[unit]
    return int(whole or "0") * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)


def _decimal(count: int, scale: int) -> str:
    """Divide exactly: 1500 by 1000 is `1.5`."""
    whole, rest = divmod(count, scale)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(scale)) - 1}d}".rstrip("0")
