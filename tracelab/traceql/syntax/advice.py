"""The text that someone probably meant: habits of other languages, put into TraceQL's words."""

from __future__ import annotations

import re
from typing import Final

from tracelab.schema import KINDS, STATUS_CODES
from tracelab.traceql.syntax.literals import string_text
from tracelab.traceql.syntax.tokens import ATTRIBUTE_SCOPES, BARE_INTRINSICS, RELATIVES

_WORDS: Final = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "null": "nil",
    "none": "nil",
    "true": "true",
    "false": "false",
}
_SIGNS: Final = {"==": "=", "===": "=", "<>": "!=", "!==": "!="}
_RESOURCE_KEYS: Final = (
    "service.",
    "host.",
    "k8s.",
    "deployment.",
    "process.",
    "telemetry.",
    "cloud.",
    "container.",
    "os.",
)
_UNITS: Final = {
    **{unit: unit for unit in ("ns", "us", "ms", "s", "m", "h", "d")},
    **dict.fromkeys(("millisecond", "milliseconds", "msec"), "ms"),
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "s"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "m"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}
_COMPARED: Final = re.compile(r"[=!]=?~?\s*\Z|[<>]=?\s*\Z")
_FUNCTIONS: Final = re.compile(r"\s*\(")
_PIECE: Final = re.compile(
    rf"""(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
    |'(?P<quoted>[^']*)'
    |(?P<sign>[=!]==?|<>|&&?|\|\|)
    |(?P<number>\d[\w.]*)(?:\s+(?P<unit>{"|".join(_UNITS)})\b)?
    |(?P<word>[^\W\d][\w.:/-]*)
    |(?P<dotted>\.[\w.:/-]+)""",
    re.DOTALL | re.VERBOSE,
)


def corrected(source: str) -> str:
    """Rewrite what is no TraceQL but is easily read as such; anything else stays as it is.

    Examples
    --------
    >>> corrected("http.status_code == 500 and status = 'error'")
    'span.http.status_code = 500 && status = error'
    """
    return _PIECE.sub(lambda match: _corrected_piece(match, source), source)


def scoped(name: str) -> str:
    """Give a name the scope that it most likely has.

    Examples
    --------
    >>> scoped("service.name"), scoped("http.route")
    ('resource.service.name', 'span.http.route')
    """
    return f"resource.{name}" if name.startswith(_RESOURCE_KEYS) else f"span.{name}"


def _corrected_piece(match: re.Match[str], source: str) -> str:
    text = match.group()
    if match.group("quoted") is not None:
        quoted = match.group("quoted")
        # Nobody's status is the text "error": the word without quotes is meant.
        keyword = quoted.lower() in (*STATUS_CODES, *KINDS) and re.search(
            r"(status|kind)\s*[!=]?==?\s*$", source[: match.start()]
        )
        return quoted.lower() if keyword else f'"{quoted}"' if '"' not in quoted else string_text(quoted)
    if match.group("sign"):
        return _SIGNS.get(text, "&&" if text == "&" else text)
    if match.group("unit") in _UNITS:
        return match.group("number") + _UNITS[match.group("unit")]
    if match.group("word"):
        called = bool(_FUNCTIONS.match(source, match.end()))
        compared = bool(_COMPARED.search(source[max(0, match.start() - 8) : match.start()]))
        return _corrected_word(text, called=called, compared=compared)
    return text


def _corrected_word(word: str, *, called: bool, compared: bool) -> str:
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    first = re.split(r"[.:]", word)[0]
    known = (*STATUS_CODES, *KINDS, *BARE_INTRINSICS, "minInt", "maxInt", "nil", "with", "by")
    if called or word in known:
        return word
    if first != word and first in (*ATTRIBUTE_SCOPES, *RELATIVES, "trace"):
        return word
    for name in (*BARE_INTRINSICS, *STATUS_CODES, *KINDS):
        if name.lower() == word.lower():
            return name
    return f'"{word}"' if compared else scoped(word)
