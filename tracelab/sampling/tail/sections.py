"""Sections of a configuration: mappings whose keys are known, read with the types that the Collector gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from tracelab.errors import PolicyError
from tracelab.options import shown
from tracelab.sampling.durations import parse_go_duration

if TYPE_CHECKING:
    from tracelab.sampling.documents import Document, Path_

Scalar: TypeAlias = bool | int | float | str | None

_KINDS: Final[dict[type, str]] = {
    type(None): "nothing",
    bool: "a yes or no",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a mapping",
}
_INT64: Final = (-(2**63), 2**63 - 1)
_INT32: Final = (-(2**31), 2**31 - 1)
_UINT64: Final = (0, 2**64 - 1)
_UINT32: Final = (0, 2**32 - 1)


_REFERENCE: Final = re.compile(r"(?<!\$)(?:\$\$)*(\$\{[^}]*\})")


@dataclass(frozen=True)
class Item:
    """A value of a configuration, and where it stands: `line 7`, or nothing where it was given as a mapping.

    `reference` is what is filled in from elsewhere where the Collector runs, such as `${env:HOST}`.
    """

    value: Scalar | list[Item] | dict[str, Item]
    line: str = ""
    reference: str = ""


def items_of(document: Document, value: Any, path: Path_ = ()) -> Item:
    """Give the values of a document with their lines."""
    line = document.where(path).rpartition(", ")[0] if document.lines else document.source
    if isinstance(value, dict):
        return Item({key: items_of(document, each, (*path, key)) for key, each in value.items()}, line)
    if isinstance(value, list):
        return Item([items_of(document, each, (*path, index)) for index, each in enumerate(value)], line)
    if isinstance(value, str):
        reference = _REFERENCE.search(value)
        return Item(value.replace("$$", "$"), line, reference[1] if reference else "")
    return Item(value, line)


def refuse_references(item: Item, path: str) -> None:
    """Refuse what is filled in from elsewhere.

    Raises
    ------
    PolicyError
        There is such a value.
    """
    if item.reference:
        refuse(item, path, f"{shown(item.reference)} is filled in where the Collector runs. Write what stands there")
    if isinstance(item.value, dict):
        for key, each in item.value.items():
            refuse_references(each, f"{path}.{key}" if path else key)
    if isinstance(item.value, list):
        for index, each in enumerate(item.value):
            refuse_references(each, f"{path}[{index}]")


def plain(item: Item) -> Any:
    """Give the values without their lines, as a Collector would read them again."""
    match item.value:
        case dict():
            return {key: plain(each) for key, each in item.value.items()}
        case list():
            return [plain(each) for each in item.value]
        case str():
            return item.value.replace("$", "$$")
        case _:
            return item.value


@dataclass(frozen=True)
class Section:
    """A mapping, and where it stands; what is missing or null has the value that Go gives it."""

    item: Item
    path: str

    @classmethod
    def of(cls, item: Item, path: str) -> Section:
        """Take an item for a mapping; null is an empty one."""
        if item.value is None:
            return cls(Item({}, item.line), path)
        if not isinstance(item.value, dict):
            refuse(item, path, f"a mapping stands here, got {kind(item)}")
        return cls(item, path)

    @property
    def items(self) -> dict[str, Item]:
        """What stands under each key."""
        return self.item.value if isinstance(self.item.value, dict) else {}

    def at(self, key: str) -> str:
        """Give the path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def refuse(self, key: str, why: str) -> NoReturn:
        """Refuse what stands under a key, or that nothing does."""
        refuse(self.items.get(key, self.item), self.at(key), why)

    def has(self, key: str) -> bool:
        """Say whether something stands under a key."""
        return key in self.items and self.items[key].value is not None

    def section(self, key: str) -> Section:
        """Read a mapping."""
        return Section.of(self.items.get(key, Item(None, self.item.line)), self.at(key))

    def sections(self, key: str) -> list[Section]:
        """Read a list of mappings."""
        return [Section.of(each, f"{self.at(key)}[{index}]") for index, each in enumerate(self._list(key))]

    def text(self, key: str) -> str:
        """Read a text, which a number is not."""
        item = self.items.get(key)
        if item is None or item.value is None:
            return ""
        if isinstance(item.value, str):
            return item.value
        return refuse(item, self.at(key), f"a text stands here, got {kind(item)}. Put it into quotes")

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; the Collector cuts a single text at its commas."""
        item = self.items.get(key)
        if item is not None and isinstance(item.value, str):
            return tuple(item.value.split(",")) if item.value else ()
        texts = []
        for index, each in enumerate(self._list(key)):
            if not isinstance(each.value, str | None):
                refuse(each, f"{self.at(key)}[{index}]", f"a text stands here, got {kind(each)}. Put it into quotes")
            texts.append(each.value or "")
        return tuple(texts)

    def flag(self, key: str) -> bool:
        """Read a yes or no."""
        item = self.items.get(key)
        if item is None or item.value is None:
            return False
        if isinstance(item.value, bool):
            return item.value
        return refuse(item, self.at(key), f"true or false stands here, got {kind(item)}")

    def int64(self, key: str) -> int:
        """Read a whole number of 64 bits."""
        return self._whole(key, _INT64)

    def int32(self, key: str) -> int:
        """Read a whole number of 32 bits."""
        return self._whole(key, _INT32)

    def uint64(self, key: str, default: int = 0) -> int:
        """Read a whole number of 64 bits that is not negative."""
        return self._whole(key, _UINT64) if self.has(key) else default

    def uint32(self, key: str) -> int:
        """Read a whole number of 32 bits that is not negative."""
        return self._whole(key, _UINT32)

    def float64(self, key: str) -> float:
        """Read a number."""
        item = self.items.get(key)
        if item is None or item.value is None:
            return 0.0
        if isinstance(item.value, bool) or not isinstance(item.value, int | float):
            refuse(item, self.at(key), f"a number stands here, got {kind(item)}")
        if item.value != item.value:  # NaN is not itself
            refuse(item, self.at(key), "a number stands here, got one that is none")
        return float(item.value)

    def duration(self, key: str, default: int = 0) -> int:
        """Read a length of time as nanoseconds; a number without a unit is nanoseconds for the Collector too."""
        item = self.items.get(key)
        if item is None or item.value is None:
            return default
        if not isinstance(item.value, str):
            return self._whole(key, _INT64)
        length = parse_go_duration(item.value)
        if length is None:
            refuse(item, self.at(key), f"a length of time such as 30s or 1m30s stands here, got {shown(item.value)}")
        return length

    def _whole(self, key: str, limits: tuple[int, int]) -> int:
        item = self.items.get(key)
        if item is None or item.value is None:
            return 0
        if isinstance(item.value, bool) or not isinstance(item.value, int | float):
            refuse(item, self.at(key), f"a whole number stands here, got {kind(item)}")
        # The Collector cuts fractions off.
        number = int(item.value) if abs(item.value) < 2.0**70 else None
        if number is None or not limits[0] <= number <= limits[1]:
            refuse(item, self.at(key), f"a whole number from {limits[0]} to {limits[1]} stands here, got {item.value}")
        return number

    def _list(self, key: str) -> list[Item]:
        item = self.items.get(key)
        if item is None or item.value is None:
            return []
        if not isinstance(item.value, list):
            refuse(item, self.at(key), f"a list stands here, got {kind(item)}")
        return item.value


def refuse(item: Item, path: str, why: str) -> NoReturn:
    """Refuse what stands somewhere."""
    raise PolicyError(f"{where(item, path)}: {why.rstrip('.')}" + ("" if why.endswith("?") else "."))


def where(item: Item, path: str) -> str:
    """Say where an item stands."""
    return ", ".join(filter(None, (item.line, path or "the configuration")))


def kind(item: Item) -> str:
    """Say in words what an item is, and show it where that helps."""
    word = _KINDS[type(item.value)]
    return word if isinstance(item.value, list | dict | None) else f"{word} ({shown(item.value)})"
