"""A configuration as plain values that know where they stand: YAML as Go reads it, TOML, or a mapping."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import yaml

from tracelab.errors import PolicyError, SourceError
from tracelab.files import expanded
from tracelab.options import shown

Path_: TypeAlias = tuple[str | int, ...]

_MOST_BYTES: Final = 16_000_000
_MOST_VALUES: Final = 200_000
_DEEPEST: Final = 100
_PLAIN: Final = "!plain"
_CORE: Final = "tag:yaml.org,2002:"
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {
    word: value for value in (True, False) for word in (str(value), f"{value}".lower(), f"{value}".upper())
}
_INTEGER: Final = re.compile(r"[-+]?(0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBERS: Final = {
    sign + name: float(sign + word)
    for name, word in ((".inf", "inf"), (".Inf", "inf"), (".INF", "inf"))
    for sign in ("", "+", "-")
} | dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
_TEXT_OR_TAB: Final = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')|\t""", re.DOTALL)
_BASES: Final = {"0b": 2, "0o": 8, "0x": 16}
_LONGEST_INTEGER: Final = 24


@dataclass(frozen=True)
class Document:
    """What a configuration says.

    Attributes
    ----------
    values
        Mappings with text as keys, lists, text, whole numbers, floats, booleans and None.
    lines
        The line of each value of a text, by the path to it; empty for a mapping.
    source
        What it was read from, for messages.
    """

    values: Any
    lines: Mapping[Path_, int] = field(default_factory=dict, repr=False)
    source: str = ""

    def refuse(self, path: Path_, problem: str) -> NoReturn:
        """Refuse the configuration for what stands at a place."""
        raise PolicyError(f"{self.where(path)}: {problem}")

    def where(self, path: Path_) -> str:
        """Say where a value stands."""
        line = next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), None)
        place = written(path) or "the configuration"
        source = f"{self.source}, " if self.source else ""
        return f"{source}line {line}, {place}" if line is not None else f"{source}{place}"


def written(path: Path_) -> str:
    """Write a path as people do: `Samplers.production.Rules[2]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def near(name: Any, known: Iterable[str]) -> str:
    """Offer the names that a wrong one may have meant; nothing where there is none like it."""
    if not isinstance(name, str):
        return ""
    words = list(known)
    close = get_close_matches(name, words, n=3, cutoff=0.6)
    folded = [word for word in words if word.lower() == name.lower() and word not in close]
    found = [*folded, *close][:3]
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def near_or_all(name: Any, known: Iterable[str]) -> str:
    """Offer the names that a wrong one may have meant, or all there are."""
    words = list(known)
    return near(name, words) or f" Known are {', '.join(words)}."


def read_document(source: Any, *, name: str) -> Document:
    """Read the path of a file, the text itself, or a mapping.

    Raises
    ------
    PolicyError
        It is none of these, or no YAML (or TOML), or larger or deeper than a configuration is.
    SourceError
        There is no such file, or it cannot be read.
    """
    if isinstance(source, Mapping):
        return Document(_plain(source, ()))
    if isinstance(source, str) and not source.strip():
        raise PolicyError(f"`{name}` must be the path of a file, its text or a mapping, and is an empty text.")
    if isinstance(source, str) and _is_text(source):
        return _read_text(source, "")
    if not isinstance(source, str | PathLike) or not str(source):
        raise PolicyError(f"`{name}` must be the path of a file, its text or a mapping, got {shown(source)}.")
    path = expanded(str(source))
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(
            f"{str(source)!r} cannot be read: {reason}. `{name}` is a path, or the text itself."
        ) from error
    try:
        return _read_text(content.decode("utf-8-sig"), Path(path).name)
    except UnicodeDecodeError as error:
        raise PolicyError(f"{Path(path).name} is no text in UTF-8 (byte {error.start + 1:,}).") from error


def _is_text(source: str) -> bool:
    """Tell text from a path: no name of a file has a line break, a brace or a colon before a space."""
    return "\n" in source or ": " in source or source.lstrip().startswith("{") or source.rstrip().endswith(":")


def _read_text(text: str, source: str) -> Document:
    if len(text) > _MOST_BYTES:
        raise PolicyError(f"{source or 'The text'} has {len(text):,} characters, which no configuration has.")
    if source.endswith(".toml"):
        return Document(_toml(text, source, None), source=source)
    try:
        documents = _composed(text)
    except yaml.YAMLError as error:
        return Document(_toml(text, source, error), source=source)
    except RecursionError as error:
        raise PolicyError(f"{source or 'The text'} is nested too deep for a configuration.") from error
    if len(documents) > 1:
        line = documents[1].start_mark.line + 1
        raise PolicyError(f"Line {line} begins a second document. A configuration is one: give each by itself.")
    if not documents:
        return Document(None, source=source)
    reader = _Reader(source)
    values = reader.value(documents[0], ())
    if isinstance(values, str) and "=" in values:
        return Document(_toml(text, source, None), source=source)
    return Document(values, reader.lines, source)


def _composed(text: str) -> list[yaml.Node]:
    """Compose the documents of a text; Go takes tabs between the values of JSON, which the YAML of Python does not."""
    try:
        return list(yaml.compose_all(text, Loader=_Loader))
    except yaml.YAMLError:
        if "\t" not in text or not text.lstrip().startswith(("{", "[")):
            raise
        return list(yaml.compose_all(_TEXT_OR_TAB.sub(lambda found: found[1] or " ", text), Loader=_Loader))


def _toml(text: str, source: str, error: yaml.YAMLError | None) -> Any:
    """Read TOML, which a text that is no YAML may be; if it is none either, say what is wrong with the YAML."""
    try:
        return _plain(tomllib.loads(text), ())
    except (tomllib.TOMLDecodeError, RecursionError) as other:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or (str(other) if error is None else str(error).partition("\n")[0])
        language = "YAML" if error is not None else "TOML"
        raise PolicyError(f"{source or 'The text'} is no {language}: {place}{problem}.") from (error or other)


def dumped(values: Any) -> str:
    """Write values as YAML that Go and Python read alike."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Quotes text that one of the two would take for something else, and repeats what stands twice."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _written_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain_scalar(text) == text else '"')


_Dumper.add_representer(str, _written_text)


class _Loader(yaml.SafeLoader):
    """Composes nodes without reading plain scalars, which YAML 1.1 and Go's library read differently."""

    yaml_implicit_resolvers: Final = {None: [(_PLAIN, re.compile(r"(?s).*"))]}  # type: ignore[misc]


class _Reader:
    """Turns nodes into values, and notes their lines."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[Path_, int] = {}
        self.count = 0

    def value(self, node: yaml.Node, path: Path_) -> Any:
        self.count += 1
        self.lines[path] = node.start_mark.line + 1
        if self.count > _MOST_VALUES or len(path) > _DEEPEST:
            self.refuse(node, path, "there are more or deeper values than a configuration has (aliases count too).")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.mapping(node, path)

    def mapping(self, node: yaml.Node, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode) or not _is_unicode(key.value):
                self.refuse(key, path, "a key is text, not a list or a mapping.")
            if key.value == "<<" and key.tag == _PLAIN:
                for more in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                    found = self.value(more, path)
                    if not isinstance(found, dict):
                        self.refuse(more, path, "`<<` takes a mapping, or a list of them.")
                    merged = found | merged
                continue
            if key.value in values:
                self.refuse(key, (*path, key.value), f"the key {key.value!r} stands twice.")
            values[key.value] = self.value(item, (*path, key.value))
            self.lines[*path, key.value] = key.start_mark.line + 1
        return merged | values

    def scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        tag, text = node.tag, node.value
        if not _is_unicode(text):
            self.refuse(node, path, f"{text!a:.60} holds half a character.")
        if tag == _PLAIN:
            return plain_scalar(text)
        kind = tag.removeprefix(_CORE)
        if kind == "str" or not tag.startswith(_CORE):
            return text
        found = plain_scalar(text)
        kinds: dict[str, tuple[type, ...]] = {
            "null": (type(None),),
            "bool": (bool,),
            "int": (int,),
            "float": (int, float),
        }
        if kind not in kinds or not isinstance(found, kinds[kind]):
            self.refuse(node, path, f"{text!r} is no {kind}.")
        return float(found) if kind == "float" and isinstance(found, int) else found

    def refuse(self, node: yaml.Node, path: Path_, problem: str) -> NoReturn:
        source = f"{self.source}, " if self.source else ""
        place = written(path) or "the configuration"
        raise PolicyError(f"{source}line {node.start_mark.line + 1}, {place}: {problem}")


def plain_scalar(text: str) -> Any:
    """Read a scalar without quotes as Go's library does: `yes` and `on` are text, `010` is 8, `1_000` a number.

    Examples
    --------
    >>> [plain_scalar(text) for text in ("true", "yes", "010", "1_000", "1.5", "~", "GET")]
    [True, 'yes', 8, 1000, 1.5, None, 'GET']
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NO_NUMBERS:
        return _NO_NUMBERS[text]
    digits = text.replace("_", "")
    if not text.startswith("_") and (whole := _INTEGER.fullmatch(digits)):
        body = whole[1]
        base = _BASES.get(body[:2], 8 if body.startswith("0") else 10)
        number = (
            int(body.removeprefix(body[:2]) if body[:2] in _BASES else body, base) if _is_short(body, base) else None
        )
        if number is not None and number < 2**64:
            return -number if digits.startswith("-") else number
    if not text.startswith("_") and _FLOAT.fullmatch(digits):
        return float(digits)
    return text


def _is_unicode(text: str) -> bool:
    """Tell whether a text is one: an escape may leave half of a pair of surrogates."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _is_short(body: str, base: int) -> bool:
    """Tell whether digits may be a number of 64 bits; Python takes its time over longer ones."""
    return len(body) <= (66 if base == 2 else _LONGEST_INTEGER)


def _plain(value: Any, path: Path_) -> Any:
    """Copy what a mapping holds, of the kinds that a configuration has."""
    if len(path) > _DEEPEST:
        raise PolicyError(f"{written(path[:3])}... is nested too deep for a configuration.")
    if isinstance(value, Mapping):
        wrong = next((key for key in value if not isinstance(key, str) or not _is_unicode(key)), None)
        if wrong is not None:
            raise PolicyError(f"{written(path) or 'The configuration'}: a key is text, got {shown(wrong)}.")
        return {key: _plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        if isinstance(value, str) and not _is_unicode(value):
            raise PolicyError(f"{written(path) or 'The configuration'}: {value!a:.60} holds half a character.")
        return value
    raise PolicyError(f"{written(path)}: a configuration holds no {type(value).__name__}.")
