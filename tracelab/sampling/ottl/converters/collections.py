"""Converters of lists and maps."""

from __future__ import annotations

from typing import Any, Final

from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.values import (
    ConditionFailedError,
    NotReplayableError,
    RawList,
    Texts,
    attribute_text,
    storable,
    type_name,
)

_ORDERS: Final = ("asc", "desc")


@converter("Keys", "Target: map")
def keys(items: dict[str, Any]) -> list[str]:
    return list(items)


@converter("Values", "Target: map")
def values(items: dict[str, Any]) -> list[Any]:
    return list(items.values())


def _check_order(_target: Any, order: Any) -> None:
    if order not in (None, OPEN, *_ORDERS):
        raise ConditionFailedError(f"an order is {' or '.join(_ORDERS)}, not {order!r}")


@converter("Sort", "Target: any", "Order?: text!", check=_check_order)
def sort(items: Any, order: str | None) -> list[Any]:
    """Sort numbers as numbers, and all else that is simple as text; what is not simple stays as it is."""
    if not isinstance(items, list):
        raise ConditionFailedError(f"a value of type {type_name(items)} cannot be sorted")
    down = order == "desc"
    if isinstance(items, Texts):
        return Texts(sorted(items, key=_order_of, reverse=down))
    if isinstance(items, RawList):
        storable(items)
    if not all(item is None or isinstance(item, bool | int | float | str) for item in items):
        return items
    if any(item is None or isinstance(item, bool | str) for item in items):
        texts = ["" if item is None else item if isinstance(item, str) else attribute_text(item) for item in items]
        return _sorted(items, [_order_of(text) for text in texts], down=down)
    return _sorted(items, items, down=down)


def _order_of(text: str) -> bytes:
    return text.encode()


def _sorted(items: list[Any], by: list[Any], *, down: bool) -> list[Any]:
    """Sort items by something else; Go leaves those of the same place in any order."""
    if any(one != one for one in by):  # noqa: PLR0124 - NaN is no number like itself
        raise NotReplayableError("numbers that are none cannot be sorted")
    kinds: dict[Any, set[str]] = {}
    for item, key in zip(items, by, strict=True):
        kinds.setdefault(key, set()).add(repr(item))
    if any(len(different) > 1 for different in kinds.values()):
        raise NotReplayableError("values that differ have the same place")
    places = sorted(range(len(items)), key=by.__getitem__, reverse=down)
    return RawList(items[place] for place in places)


@converter("SliceToMap", "Target: list", "KeyPath?: texts!", "ValuePath?: texts!")
def slice_to_map(items: list[Any], key_path: list[str] | None, value_path: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, item in enumerate(items):
        if (key_path is not None or value_path is not None) and not isinstance(item, dict):
            raise ConditionFailedError("an item of the list is no map")
        key = str(place) if key_path is None else _within(item, key_path)
        if not isinstance(key, str):
            raise ConditionFailedError("a key of an item is no text")
        found[key] = item if value_path is None else _within(item, value_path)
    return found


def _within(item: Any, path: list[str]) -> Any:
    if not path:
        raise ConditionFailedError("a path in a map has a part at least")
    for name in path:
        if not isinstance(item, dict) or name not in item:
            raise ConditionFailedError(f"an item of the list has no {'.'.join(path)!r}")
        item = item[name]
    return item


def check_delimiters(_target: Any, delimiter: Any, between: Any, *_: Any) -> None:
    one = "=" if delimiter is None else delimiter
    other = " " if between is None else between
    if not one or not other or one == other:
        raise ConditionFailedError("the two delimiters are texts that differ, and not empty")


@converter(
    "ToKeyValueString",
    "Target: map",
    "Delimiter?: text!",
    "PairDelimiter?: text!",
    "SortOutput?: bool!",
    check=check_delimiters,
)
def to_key_value_string(items: dict[str, Any], delimiter: str | None, between: str | None, _: bool | None) -> str:
    delimiter, between = delimiter or "=", between or " "

    def quoted(text: str) -> str:
        text = text.replace('"', '\\"')
        return f'"{text}"' if between in text or delimiter in text else text

    pairs = sorted(items.items(), key=lambda pair: _order_of(pair[0]))
    return between.join(f"{quoted(key)}{delimiter}{quoted(attribute_text(value))}" for key, value in pairs)
