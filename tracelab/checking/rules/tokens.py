"""The text of a rule, cut into words, signs, texts and numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tracelab.errors import RuleError

Kind: TypeAlias = Literal["word", "sign", "text", "number", "end"]

MOST: Final = 10_000
"""Characters in a rule."""

_ESCAPES: Final = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t"}
_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+)
    |(?P<word>[^\W\d]\w*(?:\.\d+)?)
    |(?P<number>(?:\d[\d_]*(?:\.\d*)?|\.\d+)\s?(?:%|[^\W\d_]+(?:[\d.]+[^\W\d_]+)*)?)
    |(?P<sign><=|>=|==|!=|=~|&&|\|\||[<>=(),+\-*/!])
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a rule.

    Attributes
    ----------
    kind
        What it is; a number may carry its unit.
    text
        As it was written.
    start
        Where it begins.
    value
        Of a text what it says.
    """

    kind: Kind
    text: str
    start: int
    value: str = ""


def tokenize(source: str) -> list[Token]:
    """Cut a rule into pieces, the last of which is its end.

    Raises
    ------
    RuleError
        There is something in it that no rule has.

    Examples
    --------
    >>> [token.text for token in tokenize('p99.9("GET /") <= 1.5s')]
    ['p99.9', '(', '"GET /"', ')', '<=', '1.5s', '']
    """
    if len(source) > MOST:
        raise RuleError(f"this rule has {len(source):,} characters; {MOST:,} are the most", source=source)
    tokens: list[Token] = []
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            opened = source[at] in "\"'`"
            what = "this text has no end" if opened else f"`{source[at]}` is no part of a rule"
            raise RuleError(what, source=source, position=at)
        if found.lastgroup != "blank":
            tokens.append(_token(found))
        at = found.end()
    return [*tokens, Token("end", "", len(source))]


def _token(found: re.Match[str]) -> Token:
    kind: Kind = found.lastgroup  # type: ignore[assignment]  # the groups are the kinds
    text = found.group()
    return Token(kind, text, found.start(), _said(text) if kind == "text" else "")


def _said(text: str) -> str:
    """Read a text; a backslash before anything else stays, as TraceQL and regular expressions have it."""
    body = text[1:-1]
    if text[0] == "`":
        return body
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), body, flags=re.DOTALL)
