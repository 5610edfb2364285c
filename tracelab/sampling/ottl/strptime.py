"""Times in the formats of `strptime`, as the Collector reads and writes them by way of Go's layouts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tracelab.sampling.ottl.instants import (
    WrongTextError,
    fraction_text,
    instant,
    offset_text,
    told,
    zone_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DIRECTIVE: Final = re.compile(r"%(.)", re.DOTALL)
_PARTS_OF_LAYOUTS: Final = re.compile(r"Jan|Mon|MST|PM|pm")
_FRACTIONS: Final = {"L": 3, "f": 6, "s": 9}
_COMPOSED: Final = {
    "D": "%m/%d/%Y", "x": "%m/%d/%Y", "F": "%Y-%m-%d", "T": "%H:%M:%S", "X": "%H:%M:%S", "r": "%I:%M:%S %P",
    "R": "%H:%M", "c": "%a %b %d %H:%M:%S %Y",
}  # fmt: skip


class UnclearFormatError(ValueError):
    """A format whose plain text means something to Go, or a time that depends on today."""


def _short(names: tuple[str, ...]) -> str:
    return "(?i:" + "|".join(name[:3] for name in names) + ")"


def _long(names: tuple[str, ...]) -> str:
    return "(?i:" + "|".join(names) + ")"


_NUMBER: Final = r"[0-9]{1,2}+"
_MORE: Final = r"(?>(?P<more>[.,][0-9]++)?)"
"""A fraction of a second, which Go reads though no format asks for it."""

_READ: Final = {
    "Y": r"\s*(?P<year>[0-9]{4})", "y": r"\s*(?P<year2>[0-9]{2})",
    **dict.fromkeys("moq", rf"\s*(?P<month>{_NUMBER})"),
    **{letter: f"(?P<month_name>{_short(_MONTHS)})" for letter in "bh"}, "B": f"(?P<month_name>{_long(_MONTHS)})",
    **dict.fromkeys("deg", rf"\s*(?P<day>{_NUMBER})"),
    "a": _short(_DAYS), "A": _long(_DAYS),
    "H": rf"\s*(?P<hour>{_NUMBER})", "l": rf"\s*(?P<hour12>{_NUMBER})", "I": rf"\s*(?P<hour12>{_NUMBER})",
    "p": "(?P<half>PM|AM)", "P": "(?P<half>pm|am)",
    "M": rf"\s*(?P<minute>{_NUMBER})", "S": rf"\s*(?P<second>{_NUMBER}){_MORE}",
    "Z": r"(?P<zone_name>[A-Z]{3,4})",
    "z": r"\s*(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})",
    "w": r"(?P<offset>[+-][0-9]{6})", "i": r"(?P<offset>[+-][0-9]{2})", "j": r"(?P<offset>[+-][0-9]{2}:[0-9]{2})",
    "k": r"(?P<offset>[+-][0-9]{2}:[0-9]{2}:[0-9]{2})",
    "n": r"\n", "t": r"\t", "%": "%",
}  # fmt: skip


def check_format(text: str) -> None:
    """Refuse a format that the Collector refuses.

    Raises
    ------
    WrongTextError
        It has digits, an unknown directive, or a fraction of seconds without a point or comma before it.
    UnclearFormatError
        Its plain text means something to Go.
    """
    if re.search(r"[0-9]", text):
        raise WrongTextError("a format of times has no digits")
    if found := re.search(r"[^.,]%[Lfs]", text):
        raise WrongTextError(f"a point or a comma stands before `{found.group()[1:]}`")
    for found in _DIRECTIVE.finditer(text):
        if found[1] not in _READ and found[1] not in _COMPOSED and found[1] not in _FRACTIONS:
            raise WrongTextError(f"a format of times has no `{found.group()}`")
    plain = _DIRECTIVE.sub("\n", text)
    if _PARTS_OF_LAYOUTS.search(plain) or re.match("%[Lfs]", text) or plain.endswith("%"):
        raise UnclearFormatError(f"the plain text of {text!r} means something to Go")


def written(text: str, nanoseconds: int, zone: str | int) -> str:
    """Write an instant in a format.

    Raises
    ------
    OverflowError
        The year has not four digits.
    """
    moment, rest = told(nanoseconds, zone)
    expanded = _DIRECTIVE.sub(lambda found: _COMPOSED.get(found[1], found[0]), text)
    with_fractions = re.sub(
        r"([.,])%([Lfs])",
        lambda found: fraction_text(rest, _FRACTIONS[found[2]], found[1]).replace("%", "%%"),
        expanded,
    )
    return _DIRECTIVE.sub(lambda found: _WRITTEN[found[1]](moment), with_fractions)


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or ""
    if not name.startswith("UTC") or name == "UTC":
        return name
    return offset_text(
        moment, colon="", zulu=False, minutes=int((moment.utcoffset() or timedelta()).total_seconds()) % 3600 != 0
    )


_WRITTEN: Final[dict[str, Callable[[datetime], str]]] = {
    "Y": lambda moment: f"{moment.year:04d}",
    "y": lambda moment: f"{moment.year % 100:02d}",
    "m": lambda moment: f"{moment.month:02d}",
    # Go knows no month with a space before it, and takes the underscore for text.
    "o": lambda moment: f"_{moment.month}",
    "q": lambda moment: str(moment.month),
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "h": lambda moment: _MONTHS[moment.month - 1][:3],
    "B": lambda moment: _MONTHS[moment.month - 1],
    "d": lambda moment: f"{moment.day:02d}",
    "e": lambda moment: f"{moment.day:2d}",
    "g": lambda moment: str(moment.day),
    "a": lambda moment: _DAYS[moment.weekday()][:3],
    "A": lambda moment: _DAYS[moment.weekday()],
    "H": lambda moment: f"{moment.hour:02d}",
    "l": lambda moment: str(moment.hour % 12 or 12),
    "I": lambda moment: f"{moment.hour % 12 or 12:02d}",
    "p": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "P": lambda moment: "pm" if moment.hour >= 12 else "am",
    "M": lambda moment: f"{moment.minute:02d}",
    "S": lambda moment: f"{moment.second:02d}",
    "Z": _zone_name,
    "z": lambda moment: offset_text(moment, colon="", zulu=True),
    "w": lambda moment: offset_text(moment, colon="", zulu=False, seconds=True),
    "i": lambda moment: offset_text(moment, colon="", zulu=False, minutes=False),
    "j": lambda moment: offset_text(moment, colon=":", zulu=False),
    "k": lambda moment: offset_text(moment, colon=":", zulu=False, seconds=True),
    "n": lambda _: "\n",
    "t": lambda _: "\t",
    "%": lambda _: "%",
}


def read(text: str, layout: str, zone: str) -> tuple[int, str | int]:
    """Read a time in a format, told in a zone unless it says its own; gives the instant and the zone.

    Raises
    ------
    WrongTextError
        It is none.
    UnclearFormatError
        It has no year, so that the Collector takes the present one.
    """
    found = _pattern(layout).fullmatch(text)
    if found is None:
        raise WrongTextError(f"this text is no time in the format {layout!r}: {text[:50]!r}")
    fields = {name.rstrip("_"): value for name, value in found.groupdict().items() if value is not None}
    moment, rest = _moment(fields, text)
    if "offset" in fields:
        minutes = _offset(fields["offset"], text)
        shifted = instant(moment) - minutes * 60 * 10**9
        return shifted + rest, minutes or "UTC"
    if "zone_name" in fields:
        zone = fields["zone_name"]
    try:
        return instant(moment.replace(tzinfo=zone_of(zone))) + rest, zone
    except (KeyError, ValueError, OSError):
        raise WrongTextError(f"there is no zone {zone!r}") from None


@lru_cache(maxsize=64)
def _pattern(layout: str) -> re.Pattern[str]:
    out: list[str] = []
    at, seen = 0, dict[str, int]()
    expanded = _DIRECTIVE.sub(lambda found: _COMPOSED.get(found[1], found[0]), layout)
    years = {"D", "x"} & {found[1] for found in _DIRECTIVE.finditer(layout)}
    directives = list(_DIRECTIVE.finditer(expanded))
    for found, following in zip(directives, [*directives[1:], None], strict=False):
        plain = expanded[at : found.start()]
        at = found.end()
        if found[1] in _FRACTIONS:
            out.append(_plain(plain[:-1]))
            piece = rf"(?>(?:{re.escape(plain[-1:])}(?P<fraction>[0-9]++))?)"
        else:
            out.append(_plain(plain))
            piece = _READ[found[1]]
            if found[1] == "S" and following and following[1] in _FRACTIONS:
                piece = piece.replace(_MORE, "")
            if found[1] == "Y" and years:
                piece = r"\s*(?>(?P<year>[0-9]{4})|(?P<year2>[0-9]{2}))"
        out.append(_named_apart(piece, seen))
    out.append(_plain(expanded[at:]))
    return re.compile("".join(out), re.ASCII)


def _named_apart(piece: str, seen: dict[str, int]) -> str:
    """Give a group that comes again a name of its own; the last one counts, as in Go."""

    def renamed(found: re.Match[str]) -> str:
        seen[found[1]] = seen.get(found[1], -1) + 1
        return f"(?P<{found[1]}{'_' * seen[found[1]]}>"

    return re.sub(r"\(\?P<(\w+?)>", renamed, piece)


def _plain(text: str) -> str:
    """Match plain text; spaces stand for any number of them, but for none only at the end."""
    return re.sub(r"(?:\\ )+", "(?: ++|$)", re.escape(text))


def _moment(fields: dict[str, str], text: str) -> tuple[datetime, int]:
    wrong = WrongTextError(f"this text is no time that there is: {text[:50]!r}")
    if "year" in fields:
        year = int(fields["year"])
    elif "year2" in fields:
        year = int(fields["year2"]) + (1900 if int(fields["year2"]) >= 69 else 2000)
    else:
        year = 0
    month = int(fields.get("month", "1"))
    if "month_name" in fields:
        month = next(
            place for place, name in enumerate(_MONTHS, 1) if name.lower().startswith(fields["month_name"].lower()[:3])
        )
    try:
        moment = datetime(
            year or 2000,
            month,
            int(fields.get("day", "1")),
            _hour(fields, wrong),
            int(fields.get("minute", "0")),
            int(fields.get("second", "0")),
            tzinfo=UTC,
        )
    except ValueError:
        raise wrong from None
    if year == 0:
        raise UnclearFormatError("the Collector gives a time without a year the present one")
    digits = fields.get("fraction") or fields.get("more", ".")[1:]
    return moment, int(digits[:9].ljust(9, "0"))


def _hour(fields: dict[str, str], wrong: WrongTextError) -> int:
    hour = int(fields.get("hour12") or fields.get("hour", "0"))
    if "hour12" in fields and hour > 12:
        raise wrong
    half = fields.get("half", "").lower()
    if half == "pm" and hour < 12:
        return hour + 12
    return 0 if half == "am" and hour == 12 else hour


def _offset(text: str, whole: str) -> int:
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes, seconds = (int(digits[at : at + 2] or "0") for at in (0, 2, 4))
    if hours > 24 or minutes > 60 or seconds > 60:
        raise WrongTextError(f"this text has an offset that there is not: {whole[:50]!r}")
    if seconds:
        raise UnclearFormatError("offsets of seconds cannot be replayed")
    return (hours * 60 + minutes) * (-1 if text[0] == "-" else 1)


def known_zone(name: str) -> bool:
    """Tell whether there is a zone of this name."""
    try:
        zone_of(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
