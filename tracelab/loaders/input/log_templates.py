"""Templates of log lines in which nothing was found: lines that fit are passed over many at a time.

The JSON that loggers write has the same keys on line after line. Of a line in which nothing was found, a pattern is
made that fits all lines with the same keys in the same order, with values of the same types: where keys and types alone
decide, what was found out for one line holds for them all.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracelab.loaders.input.logs import BLANK, OF_PARTS, TEXTS, PrefixLayer, json_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelab.loaders.input.logs import Layer

Parts = tuple[str, ...]
"""A pattern in parts, each of which is one itself."""

_LONGEST: Final = 4096
_MOST: Final = 48
_SEEN: Final = 3
_TRIES: Final = 2000
_AS_MANY: Final = 32
_TOKEN: Final = re.compile(
    r'[ \t]*+(?:(?P<string>"(?>(?:[^"\\]|\\.)*)")|(?P<number>-?\d[\d.eE+-]*+)|(?P<word>true|false|null)'
    r"|(?P<mark>[{}\[\],:]))"
)
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")
_WHOLE: Final = r"-?(?:0|[1-9]\d{0,17})"
_FLOAT: Final = r"-?(?:0|[1-9]\d{0,15})\.\d{1,16}(?:[eE][+-]?\d{1,2})?"
_WORDS: Final = {"true": "(?:true|false)", "false": "(?:true|false)", "null": "null"}
_QUOTES: Final = ('"', r"\\\"")
"""What stands for a quote: in a line, and in the text that is a value in it."""
_NO_ASCII: Final = r"u(?:00(?:3[cCeE]|26)|(?![dD][89a-fA-F]|00[0-7])[0-9a-fA-F]{4})"
_ESCAPES: Final = (
    r'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})',
    rf'\\{_NO_ASCII}|\\\\(?:\\["\\]|[/bfnrt])',
)
_HARMLESS_ESCAPES: Final = (rf'\\(?:["\\/t]|{_NO_ASCII})', rf'\\{_NO_ASCII}|\\\\(?:\\["\\]|[/t])')
_NO_TEXT: Final = r"\"\\\x00-\x1f\x7f"
_LINE_END: Final = r"\r?(?:\n|\Z)"
_WORDS_OF_SPANS: Final = re.compile("Spans? #|Activity[.]|Traces|resourceSpans|scopeSpans|SpanContext")
"""What begins printed spans, or lets a line count as damaged spans, in whatever value it stands."""


class LogTemplates:
    """The templates of lines in which nothing was found, as regular expressions.

    `layers` are what lines are wrapped in; lines that are not wrapped like that are not learned. `asks` says that an
    object may be a span or not with the same keys, by its values.
    """

    def __init__(self, layers: list[Layer], asks: Callable[[Any], bool]) -> None:
        self.asks = asks
        self.prefix = "".join(layer.of_whole_lines() for layer in layers if isinstance(layer, PrefixLayer))
        self.prefixes = [layer for layer in layers if isinstance(layer, PrefixLayer)]
        self.entries = len(layers) - len(self.prefixes)
        in_front = layers[: len(self.prefixes)] == self.prefixes
        self.possible = in_front and self.entries < len(_QUOTES) + 1
        self.seen: dict[Parts, int] = {}
        self.known: list[Parts] = []
        self.pattern: re.Pattern[str] | None = None
        self.tries = self.passed = 0
        self.lock = Lock()

    def end_of_run(self, text: str, start: int) -> int:
        """Find how far lines go, from the one that begins at `start`, in all of which nothing is to be found."""
        found = self.pattern.match(text, start) if self.pattern else None
        if found is None:
            return start
        end = found.end()
        word = _WORDS_OF_SPANS.search(text, start, end)
        return end if word is None else text.rfind("\n", start, word.start()) + 1 or start

    def has(self, line: bytes) -> bool:
        """Say whether nothing is to be found in a line."""
        if self.pattern is None:
            return False
        text = line.decode("utf-8", "replace")
        return self.end_of_run(text, 0) == len(text)

    def learn(self, line: str) -> None:
        """Learn from a line in which nothing was found; patterns are made of what comes again."""
        if not self.possible or len(self.known) >= _MOST or self.tries > _TRIES + self.passed // _AS_MANY:
            return
        self.tries += 1
        pattern = self._pattern_of(line) if len(line) <= _LONGEST and not _WORDS_OF_SPANS.search(line) else None
        if pattern is None:
            return
        with self.lock:
            self.seen[pattern] = self.seen.get(pattern, 0) + 1
            if self.seen[pattern] == _SEEN and re.fullmatch(self.prefix + "".join(pattern), line):
                self.known.append(pattern)
                self.pattern = re.compile(f"(?>(?:{self.prefix}{_joined(self.known)}{_LINE_END})+)")

    def _pattern_of(self, line: str) -> Parts | None:
        """Make the pattern of a line without its prefixes; None if it is no JSON, or cannot be told by its keys."""
        for layer in self.prefixes:
            found = layer(line)
            if found is None:
                return None
            line = found.text
        return _pattern_of(line, self.entries, 0, self.asks)


def _joined(patterns: Sequence[Parts]) -> str:
    """Make one pattern of several, in which what they begin with alike stands once."""
    if len(patterns) == 1:
        return "".join(patterns[0])
    first, last = min(patterns), max(patterns)
    same = next((place for place, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
    alike = first[:same]
    rests: dict[str, list[Parts]] = {}
    for pattern in patterns:
        rest = pattern[len(alike) :]
        rests.setdefault(rest[0] if rest else "", []).append(rest)
    return "".join(alike) + f"(?:{'|'.join(map(_joined, rests.values()))})"


def _pattern_of(text: str, entries: int, level: int, asks: Callable[[Any], bool]) -> Parts | None:
    """Make the pattern of an object in JSON, which is an entry of a log around others as often as said."""
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    if not isinstance(fields, dict) or level == len(_QUOTES):
        return None
    texts = [name for name in TEXTS if isinstance(fields.get(name), str | list)] if entries else []
    key = texts[0] if texts else None
    if entries and (key is None or json_entry(text) is None):
        return None
    if not entries and asks(fields):
        return None
    held = _text_pattern(fields[key], entries - 1, level, asks) if key is not None else None
    return None if key is not None and held is None else _object_pattern(text, level, key, held)


def _text_pattern(content: Any, entries: int, level: int, asks: Callable[[Any], bool]) -> Parts | None:
    """Make the pattern of the text in an entry: JSON again, or words in which nothing can be."""
    if not isinstance(content, str):
        return None
    quote, inner = _QUOTES[level], content.removesuffix("\n")
    end = "" if inner == content else (r"\\n" if level == 0 else r"\\\\n")
    if entries or inner.lstrip(BLANK)[:1] == "{":
        found = _pattern_of(inner, entries, level + 1, asks)
        return None if found is None else (quote, *found, end, quote)
    escapes = _HARMLESS_ESCAPES[level]
    words = rf"{quote}[^\s{_NO_TEXT}{{\[\ufeff](?>(?:[^{_NO_TEXT}{{\[]++|{escapes})*)"
    return words, end, quote


def _object_pattern(text: str, level: int, text_key: str | None, held: Parts | None) -> Parts | None:
    """Make the pattern of an object: its keys as they are, its values by their types."""
    brackets = "" if text_key is not None else r"{\["
    quote = _QUOTES[level]
    string = rf"{quote}(?>(?:[^{_NO_TEXT}{brackets}]++|{_ESCAPES[level]})*){quote}"
    made: list[str] = []
    position, depth, key, text = 0, 0, "", text.rstrip(" \t")
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return None
        position, kind = token.end(), token.lastgroup
        made.append(re.escape(text[token.start() : token.start(kind or 0)]))
        part = token[kind or 0]
        depth += (part in ("{", "[")) - (part in ("}", "]"))
        if kind == "string" and text[position:].lstrip(" \t")[:1] == ":":
            key = part[1:-1]
            if not _PLAIN.fullmatch(key):
                return None
            made.append(f"{quote}{re.escape(key)}{quote}")
        elif depth == 1 and key == text_key and kind in ("string", "number", "word") and held is not None:
            made.extend(held)
        elif key in OF_PARTS and kind == "string":
            made.append(f"{quote}{re.escape(part[1:-1])}{quote}")
        elif kind == "string":
            made.append(string)
        elif kind == "number":
            made.append(_FLOAT if "." in part else _WHOLE)
        else:
            made.append(_WORDS.get(part) or re.escape(part))
    return tuple(made)
