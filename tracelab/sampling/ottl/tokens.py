"""Text to tokens, as the Collector cuts it: at each place the first kind that fits is meant, not the longest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tracelab.errors import PolicyError

_KINDS: Final = {
    "bytes": r"0x[a-fA-F0-9]+",
    "float": r"(?:\d+\.\d*|\d*\.\d+)(?:[eE][-+]?\d+)?",
    "int": r"\d+",
    "string": r'"(?:\\.|[^\\"])*"',
    "nil": r"nil\b",
    "not": r"not\b",
    "or": r"or\b",
    "and": r"and\b",
    "comparison": r"==|!=|>=|<=|>|<",
    "arrow": r"=>",
    "sum": r"[+-]",
    "product": r"[/*]",
    "bool": r"(?:true|false)\b",
    "punctuation": r"[=(){}:,.\[\]]",
    "upper": r"[A-Z][A-Z0-9_]*",
    "lower": r"[a-z][a-z0-9_]*",
    "space": r"[\t\n\f\r ]+",
    "underscore": r"_\b",
}
_TOKEN: Final = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()), re.ASCII)
_ESCAPE: Final = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<wrong>.?))",
    re.DOTALL,
)
_SIMPLE: Final = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", '"': b'"',
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; the last one is of kind `end`."""

    kind: str
    text: str
    start: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text}`"


def tokenize(source: str) -> list[Token]:
    """Cut a condition into tokens.

    Raises
    ------
    PolicyError
        Something in it belongs to no token.

    Examples
    --------
    >>> [(token.kind, token.text) for token in tokenize('name == "a"')]
    [('lower', 'name'), ('comparison', '=='), ('string', '"a"'), ('end', '')]
    """
    tokens: list[Token] = []
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            what = "this text is never closed" if source[at] == '"' else f"`{source[at]}` means nothing here"
            raise PolicyError(f"This is no OTTL condition: {what}.", source=source, position=at)
        if found.lastgroup != "space":
            tokens.append(Token(str(found.lastgroup), found.group(), at))
        at = found.end()
    tokens.append(Token("end", "", len(source)))
    return tokens


def unquoted(token: Token, source: str) -> str:
    r"""Give the text that a token in quotes means, with Go's escapes.

    Raises
    ------
    PolicyError
        An escape is none of Go's, or the text is not UTF-8, or it has a line break in it.
    """
    inside, out, at = token.text[1:-1], bytearray(), 0
    if (broken := inside.find("\n")) >= 0:
        raise _wrong(
            "a text ends in the line that it begins in; a line break in it is written `\\n`", token, broken, source
        )
    for found in _ESCAPE.finditer(inside):
        out += inside[at : found.start()].encode()
        out += _meant(found, token, source)
        at = found.end()
    out += inside[at:].encode()
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise _wrong("a text whose bytes are not UTF-8 cannot be replayed", token, -1, source) from None


def _meant(found: re.Match[str], token: Token, source: str) -> bytes:
    if found["simple"]:
        return _SIMPLE[found["simple"]]
    if found["byte"] or found["octal"]:
        return bytes([int(found["byte"], 16) if found["byte"] else int(found["octal"], 8)])
    number = int(found["short"] or found["long"] or "d800", 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        escape = found.group()
        raise _wrong(
            f"`{escape}` is no escape in a text; a backslash itself is written `\\\\`", token, found.start(), source
        )
    return chr(number).encode()


def _wrong(why: str, token: Token, inside: int, source: str) -> PolicyError:
    return PolicyError(f"This is no OTTL condition: {why}.", source=source, position=token.start + 1 + inside)
