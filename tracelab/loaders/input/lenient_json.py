"""JSON text to Python objects, however damaged the text is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings

_SURROGATES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\[^u]"
)


class Written(float):
    """A number with a fraction, and the digits with which it was written, of which a float may not hold all."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Read the number, keep the text."""
        number = super().__new__(cls, text)
        number.text = text
        return number


_decoder: Final = msgspec.json.Decoder()
_exact_decoder: Final = msgspec.json.Decoder(float_hook=Written)


class NotJson(Exception):  # noqa: N818 - it never leaves the loaders
    """A text that is no JSON, with the reason."""


def decode(text: bytes, findings: Findings, place: str, *, exact: bool = False) -> Any:
    """Decode one JSON value, with repairs if it must be; `exact` keeps the digits of numbers with a fraction.

    Raises
    ------
    NotJson
        It cannot be read, or nothing would be gained.
    """
    try:
        return (_exact_decoder if exact else _decoder).decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _decode_leniently(text, findings, place, error, exact=exact)


def _decode_leniently(text: bytes, findings: Findings, place: str, error: Exception, *, exact: bool) -> Any:
    """Decode with Python's own decoder, which also knows NaN and Infinity, after mending bytes and surrogates."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as wrong:
        findings.add(problems.BAD_UTF8, place=f"{place}, byte {wrong.start}", example=text[wrong.start : wrong.end])
        text = text.decode("utf-8", "replace").encode("utf-8")
    lone = [found for found in _SURROGATES.finditer(text) if found[1]]
    if lone:
        findings.add(problems.SURROGATES, len(lone), place=place, example=lone[0][1].decode("ascii"))
        text = _SURROGATES.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)
    try:
        return json.loads(text, parse_float=Written if exact else None)
    except RecursionError as deep:
        raise NotJson("it is nested too deep") from deep
    except ValueError as wrong_json:
        raise NotJson(str(wrong_json) or str(error)) from wrong_json
