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
_SIMPLE: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_MAX_REPEAT: Final = 1000
_POSIX_CLASSES: Final = (
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
)  # fmt: skip
_PROPERTY: Final = re.compile(r"\\([pP])(?:\{(\^?)([\w -]*)\}|(\w))", re.ASCII)
_CATEGORIES: Final = (
    "c", "cc", "cf", "cn", "co", "cs", "l", "lc", "ll", "lm", "lo", "lt", "lu", "m", "mc", "me", "mn", "n", "nd", "nl",
    "no", "p", "pc", "pd", "pe", "pf", "pi", "po", "ps", "s", "sc", "sk", "sm", "so", "z", "zl", "zp", "zs", "any",
    "ascii", "assigned",
)  # fmt: skip
_CODE: Final = re.compile(r"x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))|(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_GROUP: Final = re.compile(r"\(\?(?:P?<(\w+)>|([a-zA-Z]*)(-[a-zA-Z]*)?[:)])", re.ASCII)
_FLAGS: Final = frozenset("imsU")
_OPERATOR: Final = re.compile(r"(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??", re.ASCII)


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
    at, repeated = 0, False
    # How often the last part repeats a part of its own at most, and the parts of each group that is open.
    last, groups = 1, [1]
    while at < len(pattern):
        char = pattern[at]
        operator = _OPERATOR.match(pattern, at) if char in "*+?{" else None
        if operator is not None:
            if repeated:
                raise RegexError("a repetition is itself repeated")
            last = _times(operator, last)
            groups[-1] = max(groups[-1], last)
            out.append(operator.group())
            at, repeated = operator.end(), True
            continue
        repeated = False
        if char == "(":
            if pattern.startswith("(?", at):
                _check_group(pattern, at)
            groups.append(1)
        last = groups.pop() if char == ")" and len(groups) > 1 else 1
        groups[-1] = max(groups[-1], last)
        piece, at = _part(pattern, at)
        out.append(piece)
    return "".join(out)


def _part(pattern: str, at: int) -> tuple[str, int]:
    """Translate what stands at a place and is no repetition; gives also the place after it."""
    char = pattern[at]
    if char == "\\":
        return _escape(pattern, at)
    if char == "[":
        return _class(pattern, at)
    if char == "(" and (found := _GROUP.match(pattern, at)) is not None:
        # A question mark here is no repetition; Rust takes each flag once only.
        if found[1] is not None:
            return found.group(), found.end()
        off = "".join(sorted(set((found[3] or "")[1:])))
        on = "".join(sorted(set(found[2]) - set(off)))
        return f"(?{on}{off and '-'}{off}{found.group()[-1]}", found.end()
    return (f"\\{char}" if char in "{}" else char), at + 1


def _times(operator: re.Match[str], inner: int) -> int:
    """Multiply how often something is repeated in braces, which RE2 has a limit for."""
    numbers = [int(number[:9]) for number in operator.groups() if number]
    most = inner * max(1, *numbers) if numbers else inner
    if most > _MAX_REPEAT:
        raise RegexError(f"nothing can be repeated more than {_MAX_REPEAT} times")
    return most


def _check_group(pattern: str, at: int) -> None:
    """Refuse what Rust's engine would take as flags, or as a name, and Go's would not."""
    found = _GROUP.match(pattern, at)
    if found is None:
        raise RegexError(f"`{pattern[at : at + 3]}` begins no group")
    if found[1] is None and not (set(found[2]) | set((found[3] or "")[1:]) <= _FLAGS and found[3] != "-"):
        raise RegexError(f"`{found.group()}` has flags other than i, m, s and U")


def _escape(pattern: str, at: int) -> tuple[str, int]:
    """Translate what a backslash begins outside of a class; gives also the place after it."""
    code = pattern[at + 1 : at + 2]
    if code == "Q":
        end = pattern.find("\\E", at + 2)
        literal = pattern[at + 2 : end if end >= 0 else len(pattern)]
        return re.escape(literal), (end + 2 if end >= 0 else len(pattern))
    if code in ("b", "B"):
        return f"(?-u:\\{code})" if code == "b" else "\\B", at + 2
    if code and code in "Az":
        return f"\\{code}", at + 2
    if (found := _set(pattern, at)) is not None:
        piece, at = found
        return (piece if piece.startswith(("\\p", "\\P")) else f"[{piece}]"), at
    number, at = _character(pattern, at)
    return f"\\x{{{number:x}}}", at


def _set(pattern: str, at: int) -> tuple[str, int] | None:
    """Translate a backslash that stands for many characters, as it stands in a class; None where it does not."""
    code = pattern[at + 1 : at + 2]
    if code and code.lower() in _CLASSES:
        members = _CLASSES[code.lower()]
        return (f"^{members}" if code.isupper() else members), at + 2
    if code not in ("p", "P"):
        return None
    found = _PROPERTY.match(pattern, at)
    if found is None:
        raise RegexError(f"`{pattern[at : at + 3]}` names no property of characters")
    name = re.sub("[ _-]", "", found[3]) if found[3] is not None else found[4]
    letter = found[1] if not found[2] else "Pp"["pP".index(found[1])]
    known = name.lower() in _CATEGORIES
    if name.lower().startswith("is"):
        raise RegexError(f"there is no script {name!r}")
    return f"\\{letter}{{{name if known else f'Script={name}'}}}", found.end()


def _character(pattern: str, at: int) -> tuple[int, int]:
    """Read a character, or an escape that stands for one; gives its number and the place after it."""
    if pattern[at] != "\\":
        return ord(pattern[at]), at + 1
    code = pattern[at + 1 : at + 2]
    if code in _SIMPLE:
        return _SIMPLE[code], at + 2
    if (found := _CODE.match(pattern, at + 1)) is not None:
        number = int(found[3], 8) if found[3] else int(found[1] or found[2], 16)
        if number <= _LAST and not 0xD800 <= number < 0xE000:
            return number, found.end()
    elif code and code.isascii() and not code.isalnum():
        return ord(code), at + 2
    raise RegexError(f"`{pattern[at : at + 2]}` is not supported")


_LAST: Final = 0x10FFFF


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Translate `[...]`, where `[`, `&`, `-` and `~` have no second meaning in RE2."""
    out: list[str] = []
    at += 1
    negated = pattern.startswith("^", at)
    at += negated
    first = True
    while first or not pattern.startswith("]", at):
        first = False
        if at >= len(pattern):
            raise RegexError("a `[` is never closed")
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at + 2)) >= 0:
            name = pattern[at : end + 2]
            if name[2:-2].removeprefix("^") not in _POSIX_CLASSES:
                raise RegexError(f"there is no class `{name}`")
            out.append(name)
            at = end + 2
        elif pattern[at] == "\\" and (found := _set(pattern, at)) is not None:
            piece, at = found
            out.append(f"[{piece}]" if piece.startswith("^") else piece)
        else:
            low, at = _character(pattern, at)
            high = low
            if pattern.startswith("-", at) and at + 1 < len(pattern) and pattern[at + 1] != "]":
                high, at = _character(pattern, at + 1)
            if high < low:
                raise RegexError("a range in a class ends before it begins")
            out.append(f"\\x{{{low:x}}}" if low == high else f"\\x{{{low:x}}}-\\x{{{high:x}}}")
    return f"[{'^' * negated}{''.join(out)}]", at + 1
