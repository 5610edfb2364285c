"""Converters that take texts apart and put them together."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import polars as pl

from tracelab.go_regexes import RegexError, searching
from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.values import (
    ConditionFailedError,
    NotReplayableError,
    RawList,
    Texts,
    attribute_text,
    text_like,
    type_name,
)

_BASE64: Final = ("base64", "base64-raw", "base64-url", "base64-raw-url")


def rust_pattern(pattern: str) -> str:
    """Translate a regular expression of Go.

    Raises
    ------
    ConditionFailedError
        It is none.
    """
    try:
        return searching(pattern)
    except RegexError as error:
        raise ConditionFailedError(f"this is no regular expression: {pattern!r}: {error}") from None


def _check_pattern(_target: Any, pattern: Any) -> None:
    if isinstance(pattern, str):
        rust_pattern(pattern)


@converter("IsMatch", "Target: string-like", "Pattern: string", check=_check_pattern)
def is_match(text: str | None, pattern: str) -> bool:
    translated = rust_pattern(pattern)
    return text is not None and bool(pl.Series([text]).str.contains(translated).item())


@converter("HasPrefix", "Target: string", "Prefix: string")
def has_prefix(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@converter("HasSuffix", "Target: string", "Suffix: string")
def has_suffix(text: str, suffix: str) -> bool:
    return text.endswith(suffix)


@converter("TrimPrefix", "Target: string", "Prefix: string")
def trim_prefix(text: str, prefix: str) -> str:
    return text.removeprefix(prefix)


@converter("TrimSuffix", "Target: string", "Suffix: string")
def trim_suffix(text: str, suffix: str) -> str:
    return text.removesuffix(suffix)


@converter("Trim", "Target: string", "Replacement?: text!")
def trim(text: str, characters: str | None) -> str:
    return text.strip(" " if characters is None else characters) if characters != "" else text


@converter("Split", "Target: string", "Delimiter: string")
def split(text: str, delimiter: str) -> Texts:
    return Texts(text.split(delimiter) if delimiter else text)


@converter("Substring", "Target: string", "Start: int", "Length: int", "Utf8Safe?: bool!")
def substring(text: str, start: int, count: int, whole: bool | None) -> str:
    content = text.encode()
    if start < 0 or count <= 0 or start + count > len(content):
        raise ConditionFailedError(f"the text has no {count} bytes from byte {start} on")
    end = start + count
    if whole:
        while start < len(content) and _inside(content[start]):
            start += 1
        while start < end < len(content) and _inside(content[end]):
            end -= 1
        end = max(start, end)
    try:
        return content[start:end].decode()
    except UnicodeDecodeError:
        raise NotReplayableError("it cuts a character in two") from None


def _inside(byte: int) -> bool:
    """Tell whether a byte continues a character."""
    return byte & 0xC0 == 0x80


@converter("Concat", "Vals: [string-like]", "Delimiter: string")
def concat(values: Any, delimiter: str) -> str:
    if values is None:
        return ""
    if not isinstance(values, list | bytes):
        raise ConditionFailedError(f"a list was expected, and it is {type_name(values)}")
    # The items of an attribute are written as attributes are, and others as converters write them.
    plain = isinstance(values, RawList | Texts | bytes)
    texts = [text_like(value) if plain else attribute_text(value) for value in values]
    return delimiter.join("<nil>" if text is None else text for text in texts)


@converter("ExtractPatterns", "Target: string", "Pattern: string", check=_check_pattern)
def extract_patterns(text: str, pattern: str) -> dict[str, str]:
    translated = rust_pattern(pattern)
    found = pl.Series([text]).str.extract_groups(translated)
    named = [field for field in found.struct.fields if not field.isdecimal()]
    if not named:
        raise ConditionFailedError("the regular expression has no named group")
    if not pl.Series([text]).str.contains(translated).item():
        return {}
    groups = found.struct.unnest()
    return {name: groups[name].item() or "" for name in named}


@converter("Base64Encode", "Target: string", "Variant?: string")
def base64_encode(text: str, variant: str | None) -> str:
    variant = "base64" if variant is None else variant
    if variant not in _BASE64:
        raise ConditionFailedError(f"base64 has no variant {variant!r}")
    content = text.encode()
    encoded = (base64.urlsafe_b64encode(content) if "url" in variant else base64.b64encode(content)).decode()
    return encoded.rstrip("=") if "raw" in variant else encoded


def _check_encoding(_target: Any, encoding: Any) -> None:
    if encoding is not OPEN:
        _codec(encoding)


@converter("Decode", "Target: any", "Encoding: string", check=_check_encoding)
def decode(value: Any, encoding: str) -> str:
    codec = _codec(encoding)
    if not isinstance(value, str | bytes):
        raise ConditionFailedError(f"a value of type {type_name(value)} cannot be decoded")
    content = value.encode() if isinstance(value, str) else value
    if codec in _BASE64:
        content = _from_base64(content, codec)
        codec = "strict utf-8"
    try:
        return content.decode("utf-8") if codec == "strict utf-8" else _decoded(content, codec)
    except UnicodeDecodeError:
        raise NotReplayableError("the text is not UTF-8") from None


_CODECS: Final = {
    "utf-8": "utf-8", "utf8": "utf-8", "ascii": "utf-8", "us-ascii": "utf-8", "": "utf-8",
    "utf-8-raw": "strict utf-8", "utf8-raw": "strict utf-8", "nop": "strict utf-8",
    "utf-16": "utf-16-le", "utf16": "utf-16-le",
    "iso-8859-1": "latin-1", "latin1": "latin-1",
}  # fmt: skip


def _codec(encoding: str) -> str:
    if encoding in _BASE64:
        return encoding
    # The names that IANA has may have spaces around them.
    codec = _CODECS.get(encoding.lower()) or {"utf-8": "utf-8"}.get(encoding.lower().strip())
    if codec is None:
        raise NotReplayableError(f"the encoding {encoding!r} cannot be replayed")
    return codec


def _decoded(content: bytes, codec: str) -> str:
    return content.decode(codec, errors="replace")


def _from_base64(content: bytes, variant: str) -> bytes:
    """Read base64 as Go does: line breaks are passed over, and what is left over must be zeros."""
    wrong = ConditionFailedError("the text is no base64")
    content = content.replace(b"\n", b"").replace(b"\r", b"")
    if "url" in variant:
        if b"+" in content or b"/" in content:
            raise wrong
        content = content.replace(b"-", b"+").replace(b"_", b"/")
    if "raw" in variant:
        if b"=" in content:
            raise wrong
        content += b"=" * (-len(content) % 4)
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
