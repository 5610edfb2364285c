"""Text to tokens.

A token is what the grammar speaks of: a number, a string, an operator, a word, or a whole attribute with its scope.
What cannot be read becomes a token of kind `error`, so that the parser may complain first about what stands before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isinf
from typing import Final, TypeAlias, cast

from tracelab.traceql.syntax.literals import NAME_ENDERS, duration_from_text, unescaped
from tracelab.traceql.syntax.nodes import INTRINSIC_TYPES, MAX_INT, Attribute, Intrinsic

ATTRIBUTE_SCOPES: Final = ("span", "resource", "event", "link", "instrumentation")
"""Words that start an attribute's name when a dot follows."""

RELATIVES: Final = ("parent", "root")
"""Words that, with a dot, ask for an attribute of another span."""

SCOPED_INTRINSICS: Final = {
    "span:duration": "duration",
    "span:name": "name",
    "span:status": "status",
    "span:statusMessage": "statusMessage",
    "span:kind": "kind",
    "span:id": "span:id",
    "span:parentID": "span:parentID",
    "span:childCount": "span:childCount",
    "trace:id": "trace:id",
    "trace:duration": "traceDuration",
    "trace:rootName": "rootName",
    "trace:rootService": "rootServiceName",
    "event:name": "event:name",
    "event:timeSinceStart": "event:timeSinceStart",
    "link:traceID": "link:traceID",
    "link:spanID": "link:spanID",
    "instrumentation:name": "instrumentation:name",
    "instrumentation:version": "instrumentation:version",
}
"""Every intrinsic with a scope, and its canonical name."""

BARE_INTRINSICS: Final = tuple(name for name in INTRINSIC_TYPES if ":" not in name)

OPERATORS: Final = (
    "!>>",
    "!<<",
    "&>>",
    "&<<",
    "&&",
    "&>",
    "&<",
    "&~",
    "||",
    ">>",
    "<<",
    "!>",
    "!<",
    "!~",
    "!=",
    "=~",
    ">=",
    "<=",
    *"=<>~!+-*/%^|(){},",
)
"""From the longest to the shortest, since the longest that fits is meant."""

_MAX_NUMBER: Final = 100
"""Characters of a number or a duration; the most that a float can need are far fewer."""

_SPACE: Final = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d]\w*")
_NUMBER: Final = re.compile(
    r"0[xXoObB][\da-fA-F_]*|(?P<float>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|\d[\d_]*",
    re.ASCII,
)
_DURATION_RUN: Final = re.compile(rf"[\d.nsuµμmhdwy]{{1,{_MAX_NUMBER}}}", re.ASCII)
_NAME: Final = re.compile(rf'[^\s"{re.escape(NAME_ENDERS)}]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_OPERATOR: Final = re.compile("|".join(map(re.escape, OPERATORS)))

Value: TypeAlias = str | int | float | Attribute | Intrinsic | None


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text.

    `kind` is one of `operator`, `word`, `name` (a dotted name without a scope), `attribute`, `intrinsic`, `string`,
    `int`, `float`, `duration`, `error` and `end`; `text` is how it is written and `value` what it means (of an error:
    the complaint).
    """

    kind: str
    text: str
    value: Value
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokenize(source: str) -> list[Token]:
    """Cut a query into tokens; the last is of kind `end`, or of kind `error` where reading had to stop.

    Examples
    --------
    >>> [(token.kind, token.text) for token in tokenize("{ span.a-1 = 2ms }")]
    [('operator', '{'), ('attribute', 'span.a-1'), ('operator', '='), ('duration', '2ms'), ('operator', '}'),
     ('end', '')]
    """
    tokens: list[Token] = []
    at = 0
    while True:
        if space := _SPACE.match(source, at):
            at = space.end()
        if at >= len(source):
            tokens.append(Token("end", "", None, at))
            return tokens
        token = _next_token(source, at)
        tokens.append(token)
        if token.kind == "error":
            return tokens
        at = token.end


def _next_token(source: str, at: int) -> Token:
    """Read the token that starts here, where no white space is."""
    first = source[at]
    if first.isascii() and first.isdigit():
        return _number(source, at)
    if first == ".":
        if source[at + 1 : at + 2].isdigit() and source[at + 1].isascii():
            return _number(source, at)
        return _attribute(source, at, at + 1, "", "")
    if first in "\"`'":
        return _string(source, at)
    if source.startswith("/*", at):
        return _error(source, at, "this comment is never closed; end it with `*/`")
    if operator := _OPERATOR.match(source, at):
        return _operator(source, at, operator.group())
    if word := _WORD.match(source, at):
        return _word(source, at, word.group())
    return _error(source, at, f"unexpected character {first!r}")


def _operator(source: str, at: int, text: str) -> Token:
    doubled = source[at : at + 2]
    if text == "=" and doubled == "==":
        return _error(source, at, "`==` is no operator; equality is a single `=`", length=2)
    return Token("operator", text, None, at)


def _number(source: str, at: int) -> Token:
    """Read an int, a float or a duration; a run of unit letters that is no duration is left for the next token."""
    match = cast("re.Match[str]", _NUMBER.match(source, at))
    text = match.group()
    if len(text) > _MAX_NUMBER:
        return _error(source, at, f"a number of {len(text):,} characters fits into no 64 bits", length=len(text))
    run = _DURATION_RUN.match(source, at)
    if run and run.end() > match.end():
        nanoseconds = duration_from_text(run.group())
        if nanoseconds is not None:
            return Token("duration", run.group(), nanoseconds, at)
    if match.group("float"):
        if isinf(float(text)):
            return _error(source, at, f"{text} does not fit into 64 bits", length=len(text))
        return Token("float", text, float(text), at)
    if not text.isdigit():
        return _error(source, at, f"{text} is no number here; write it with decimal digits only", length=len(text))
    digits = text.lstrip("0")
    if len(digits) > 19 or int(digits or "0") > MAX_INT:
        return _error(source, at, f"{text} does not fit into 64 bits", length=len(text))
    return Token("int", text, int(digits or "0"), at)


def _string(source: str, at: int) -> Token:
    """Read `"..."` with Go's escapes, or a raw string between backticks."""
    quote = source[at]
    if quote == "`":
        end = source.find("`", at + 1)
        if end < 0:
            return _error(source, at, "this string is never closed; end it with a backtick")
        return Token("string", source[at : end + 1], source[at + 1 : end].replace("\r", ""), at)
    if quote == "'":
        return _error(source, at, "strings stand in double quotes or backticks, not in single quotes")
    match = _QUOTED.match(source, at)
    if match is None or "\n" in match.group():
        return _error(source, at, "this string is never closed; end it with a double quote")
    value, bad = unescaped(match.group(1))
    if bad is not None:
        place = at + 1 + bad
        return _error(source, place, f"unknown escape `{source[place : place + 2]}` in a string", length=2)
    return Token("string", match.group(), value, at)


def _word(source: str, at: int, word: str) -> Token:
    """Read a keyword, or what a scope word begins: an attribute (`span.x`) or an intrinsic (`span:id`)."""
    after = at + len(word)
    following = source[after : after + 1]
    if following == ":" and word in {"trace", *ATTRIBUTE_SCOPES}:
        return _scoped_intrinsic(source, at, word)
    if following == ".":
        if word in ATTRIBUTE_SCOPES:
            return _attribute(source, at, after + 1, word, "")
        if word in RELATIVES:
            return _relative(source, at, after + 1, word)
        name = _NAME.match(source, at)
        if name and name.end() > after + 1:
            return Token("name", name.group(), name.group(), at)
    return Token("word", word, word, at)


def _relative(source: str, at: int, start: int, of: str) -> Token:
    """Read `parent.x`, `parent.span.x`, `root.resource.x`."""
    for scope in ("span", "resource"):
        if source.startswith(f"{scope}.", start):
            return _attribute(source, at, start + len(scope) + 1, scope, of)
    return _attribute(source, at, start, "", of)


def _attribute(source: str, at: int, start: int, scope: str, of: str) -> Token:
    """Read a name: plain runs and quoted segments, up to white space or what ends a name."""
    parts: list[str] = []
    end = start
    while True:
        if plain := _NAME.match(source, end):
            parts.append(plain.group())
            end = plain.end()
        elif source.startswith('"', end):
            quoted = _QUOTED.match(source, end)
            if quoted is None:
                return _error(source, end, "this quoted part of a name is never closed; end it with a double quote")
            bad = re.search(r'\\[^"\\]', re.sub(r'\\["\\]', "  ", quoted.group(1)))
            if bad:
                return _error(source, end + 1 + bad.start(), 'only `\\"` and `\\\\` can be escaped in a name', length=2)
            parts.append(re.sub(r'\\(["\\])', r"\1", quoted.group(1)))
            end = quoted.end()
        else:
            break
    if end == start:
        return _error(source, at, f"expected an attribute's name right after `{source[at:start]}`", length=start - at)
    return Token("attribute", source[at:end], Attribute(scope, "".join(parts), of, at), at)


def _scoped_intrinsic(source: str, at: int, scope: str) -> Token:
    """Read `span:id`; white space may follow the colon."""
    start = at + len(scope) + 1
    if space := _SPACE.match(source, start):
        start = space.end()
    word = _WORD.match(source, start)
    name = SCOPED_INTRINSICS.get(f"{scope}:{word.group()}") if word else None
    if word is None or name is None:
        known = ", ".join(known for known in SCOPED_INTRINSICS if known.startswith(f"{scope}:"))
        end = word.end() if word else start
        return _error(source, at, f"`{source[at:end]}` is no intrinsic; there are {known}", length=end - at)
    return Token("intrinsic", source[at : word.end()], Intrinsic(name, at), at)


def _error(source: str, at: int, complaint: str, *, length: int = 1) -> Token:
    return Token("error", source[at : at + length], complaint, at)
