"""Objects as Node's `util.inspect` prints them, read as far as they can be understood."""

from __future__ import annotations

import re
from typing import Any, Final

_DEEPEST: Final = 60
_SPACE: Final = re.compile(r"\s*+")
_LINE: Final = re.compile(r"[^\n]*+")
_STRINGS: Final = {
    quote: re.compile(rf"{quote}([^{quote}\\\n]*+(?>(?:\\.[^{quote}\\\n]*+)*)){quote}") for quote in "'\"`"
}
_JOINED: Final = re.compile(r"\s*+\+\s*+(?=['\"`])")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|(.))")
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_MORE: Final = re.compile(r"\s?\.\.\. \d+ more [a-z]++")
_NUMBER: Final = re.compile(r"[+-]?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?n?+(?![\w.:-])")
_KEY: Final = re.compile(r"\[?Symbol\([^\n)]*+\)\]?|[\w$][\w$.-]*+|\[[^\[\]\n]*+\]")
_CLASS: Final = re.compile(
    r"(?:<ref \*\d{1,9}> )?(?:[\w$.]{1,99}+(?:\(\d{1,19}\))?(?: extends [\w$.]{1,99}+)? )?(?:\[[^\[\]\n]{1,99}+\] )?"
    r"(?=[{\[])"
)
_NAMED: Final = re.compile(r"\[[^\s\[\]'\"`{},][^\[\]\n]*+(?>(?:\[[^\[\]\n]*+\][^\[\]\n]*+)*)\]")
_CUT: Final = re.compile(r"\[[\w$.]+\]")
_RAW: Final = re.compile(r"(?>(?:[^\s,]++|,(?=\S)|[^\S\n](?![}\]]))*)")
_HALF: Final = re.compile("[\ud800-\udfff]")
_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


class ObjectText:
    """Reads one printed value; what cannot be understood is passed over to the end of its line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.cut = ""
        """The first value that the printing cut short."""
        self.broken = ""
        """The first place that was not understood."""
        self.surrogates = 0
        self.value = self._value(0)

    def _value(self, depth: int) -> Any:
        self._skip(_SPACE)
        start = self.text[self.position : self.position + 1]
        if start in _STRINGS and start:
            return self._string()
        if depth > _DEEPEST:
            self._pass_over()
            return None
        if start == "[" and (named := self._named()) is not None:
            return named
        opened = _CLASS.match(self.text, self.position)
        if opened is not None:
            return self._container(opened, depth)
        if (number := _NUMBER.match(self.text, self.position)) is not None:
            self.position = number.end()
            return _number(number[0])
        return self._scalar()

    def _container(self, opened: re.Match[str], depth: int) -> Any:
        name = opened[0]
        self.position = opened.end() + 1
        if self.text[opened.end()] == "[":
            return self._list("]", depth)
        return self._list("}", depth) if name.startswith(("Set(", "[Set")) else self._object(depth)

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._goes_on("}"):
            key = self._key()
            if key is None:
                self._pass_over()
                continue
            found[key] = self._value(depth + 1)
            self._end_value("}")
        return found

    def _list(self, close: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while self._goes_on(close):
            start = self.position
            found.append(self._value(depth + 1))
            self._end_value(close)
            if self.position == start:
                self._pass_over()
        return found

    def _goes_on(self, close: str) -> bool:
        """Say whether something follows in a list or an object; what says that more was there is passed over."""
        self._skip(_SPACE)
        while (more := _MORE.match(self.text, self.position)) is not None:
            self.cut = self.cut or more[0].strip()
            self.position = more.end()
            self._end_value(close)
            self._skip(_SPACE)
        if self.position >= len(self.text):
            self.broken = self.broken or "the end"
            return False
        after = self.text[self.position]
        if after == close:
            self.position += 1
        elif after in "]}":
            # What was opened outside of this ends first: this was never closed.
            self.broken = self.broken or after
        return after not in "]}"

    def _key(self) -> str | None:
        start = self.text[self.position]
        if start in _STRINGS:
            key = str(self._string())
        elif (found := _KEY.match(self.text, self.position)) is not None:
            self.position = found.end()
            key = found[0]
        else:
            return None
        for sign in (":", " =>"):
            if self.text.startswith(sign, self.position):
                self.position += len(sign)
                return key
        return None

    def _end_value(self, close: str) -> None:
        self._skip(_SPACE)
        after = self.text[self.position : self.position + 1]
        if after == ",":
            self.position += 1
        elif after != close:
            self._pass_over()

    def _pass_over(self) -> None:
        """Go on behind the line that was not understood."""
        start = self.position
        self._skip(_LINE)
        self.broken = self.broken or self.text[start : min(self.position, start + 80)].strip() or "the end"
        self.position = min(self.position + 1, len(self.text))

    def _string(self) -> str | None:
        parts = []
        while True:
            found = _STRINGS[self.text[self.position]].match(self.text, self.position)
            if found is None:
                # It breaks off: what was printed of it is kept.
                start = self.position + 1
                self._skip(_LINE)
                self.broken = self.broken or self.text[start : start + 80] or "the end"
                parts.append(_ESCAPE.sub(_unescaped, self.text[start : self.position]))
                break
            self.position = found.end()
            parts.append(_ESCAPE.sub(_unescaped, found[1]) if "\\" in found[1] else found[1])
            joined = _JOINED.match(self.text, self.position)
            if joined is None:
                break
            self.position = joined.end()
        if (more := _MORE.match(self.text, self.position)) is not None:
            self.cut = self.cut or more[0].strip()
            self.position = more.end()
        return self._whole("".join(parts))

    def _whole(self, text: str) -> str:
        """Join halves of characters that were escaped one by one; a half alone is none."""
        if _HALF.search(text) is None:
            return text
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self.surrogates += whole.count("\ufffd") > text.count("\ufffd")
        return whole

    def _named(self) -> str | None:
        """Read a name in brackets, such as `[Array]` or `[Function: done]`, that stands for a value."""
        found = _NAMED.match(self.text, self.position)
        if found is None or self.text.startswith((" {", " ["), found.end()):
            return None
        self.position = found.end()
        if _CUT.fullmatch(found[0]):
            self.cut = self.cut or found[0]
        return found[0]

    def _scalar(self) -> Any:
        found = _RAW.match(self.text, self.position)
        raw = found[0] if found is not None else ""
        self.position += len(raw)
        raw = raw.strip()
        if raw in _WORDS:
            return _WORDS[raw]
        if not raw or (raw.startswith("<") and raw.endswith(("item>", "items>"))):
            return None
        return raw

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()


def _number(text: str) -> int | float:
    if text.endswith("n") or not set(text) & set(".eE"):
        digits = text.removesuffix("n")
        return int(digits) if len(digits) <= 400 else float("inf")
    return float(text)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        return chr(number) if (number := int(code, 16)) <= 0x10FFFF else "\ufffd"
    return _ESCAPED.get(found[4], found[4])
