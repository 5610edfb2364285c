r"""Go's regular expressions (RE2 syntax) in the words of Rust's, which polars speaks.

Both are linear in time. They differ in details that people meet: in RE2 `\d`, `\w` and `\s` are ASCII, a brace that
counts nothing is a plain character (`/users/{id}`), and inside a class `[`, `&&`, `--` and `~~` mean just themselves.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import polars as pl

_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_REPEAT: Final = re.compile(r"\{\d+(,\d*)?\}", re.ASCII)
_MAX_REPEAT: Final = 1000
_POSIX: Final = re.compile(r"\[:\^?\w+:\]", re.ASCII)
_REPEATED_TWICE: Final = re.compile(r"[*+?][*+]|\?\?\?|[*+]\?[*+?]")


class RegexError(ValueError):
    """A text that is no regular expression."""


@lru_cache(maxsize=256)
def anchored(pattern: str) -> str:
    r"""Translate a pattern so that it matches whole texts only, with a dot that also matches newlines.

    Raises
    ------
    RegexError
        The pattern is none, or it is too large when it is compiled.

    Examples
    --------
    >>> print(anchored(r"/users/{id}|\d+"))
    \A(?s:/users/\{id\}|[0-9]+)\z
    """
    translated = searching(pattern)
    _check(f"(?s:{translated})")
    return rf"\A(?s:{translated})\z"


@lru_cache(maxsize=256)
def searching(pattern: str) -> str:
    r"""Translate a pattern that may match anywhere in a text, as Go's `MatchString` looks for it.

    Raises
    ------
    RegexError
        The pattern is none, or it is too large when it is compiled.

    Examples
    --------
    >>> print(searching(r"^/health|\d{3}$"))
    ^/health|[0-9]{3}$
    """
    if _REPEATED_TWICE.search(re.sub(r"\\.|\[[^\]]*\]", "x", pattern)):
        raise RegexError("a repetition is itself repeated")
    translated = _translated(pattern)
    # By itself, since a pattern such as `a)(b` is none, though it would be one between parentheses.
    _check(translated)
    return translated


def _check(pattern: str) -> None:
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line.removeprefix("error: ") for line in lines if line.startswith("error:")), lines[-1])
        raise RegexError("it is too large when compiled" if "size limit" in str(error) else reason) from None


def _translated(pattern: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            piece, at = _escape(pattern, at, inside=False)
            out.append(piece)
        elif char == "[":
            piece, at = _class(pattern, at)
            out.append(piece)
        elif char == "{":
            repeat = _REPEAT.match(pattern, at)
            if repeat and any(int(number) > _MAX_REPEAT for number in re.findall(r"\d+", repeat.group())):
                raise RegexError(f"nothing can be repeated more than {_MAX_REPEAT} times")
            out.append(char if repeat else "\\{")
            at += 1
        elif char == "}" and not _closes_repeat(pattern, at):
            out.append("\\}")
            at += 1
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _closes_repeat(pattern: str, at: int) -> bool:
    opening = pattern.rfind("{", 0, at)
    repeat = _REPEAT.match(pattern, opening) if opening >= 0 else None
    return repeat is not None and repeat.end() == at + 1


def _escape(pattern: str, at: int, *, inside: bool) -> tuple[str, int]:
    """Translate what a backslash begins; gives also the place after it."""
    code = pattern[at + 1 : at + 2]
    if code and code.lower() in _CLASSES:
        members = _CLASSES[code.lower()]
        if code.isupper():
            return f"[^{members}]", at + 2
        return members if inside else f"[{members}]", at + 2
    if code == "Q" and not inside:
        end = pattern.find("\\E", at + 2)
        literal = pattern[at + 2 : end if end >= 0 else len(pattern)]
        return re.escape(literal), (end + 2 if end >= 0 else len(pattern))
    if code == "b" and not inside:
        return "(?-u:\\b)", at + 2
    octal = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}").match(pattern, at + 1)
    if octal:
        return f"\\x{{{int(octal.group(), 8):x}}}", octal.end()
    if code and code in "CZ<>E":
        raise RegexError(f"`\\{code}` is not supported")
    return pattern[at : at + 2], at + 2


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Translate `[...]`, where `[`, `&`, `-` and `~` have no second meaning in RE2."""
    out = ["["]
    at += 1
    if pattern.startswith("^", at):
        out.append("^")
        at += 1
    if pattern.startswith("]", at):
        out.append("\\]")
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        char = pattern[at]
        if char == "\\":
            piece, at = _escape(pattern, at, inside=True)
            out.append(piece)
        elif char == "[":
            posix = _POSIX.match(pattern, at)
            out.append(posix.group() if posix else "\\[")
            at = posix.end() if posix else at + 1
        elif char in "&~" or (char == "-" and pattern[at + 1 : at + 2] == "-"):
            out.append("\\" + char)
            at += 1
        else:
            out.append(char)
            at += 1
    if at >= len(pattern):
        raise RegexError("a `[` is never closed")
    return "".join(out) + "]", at + 1
