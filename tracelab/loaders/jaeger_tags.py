"""What Jaeger's tags mean, worked out once for each distinct tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import polars as pl

from tracelab.loaders.chunk import BOOL, STRING
from tracelab.loaders.jaeger import status_of_http, tag_value
from tracelab.loaders.pairs import DoesNotFit, Pairs, cut
from tracelab.loaders.text import scalar_text
from tracelab.loaders.values import whole_number
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from tracelab.loaders.builder import Builder, Value

_ERROR: Final = 2
_NO_CODE: Final = -1
_STATUSES: Final = {"OK": 1, "ERROR": _ERROR}
_TAKEN: Final = (
    "otel.status_code",
    "otel.status_description",
    "w3c.tracestate",
    "otel.library.name",
    "otel.scope.name",
    "otel.library.version",
    "otel.scope.version",
)


@dataclass(slots=True)
class Tags:
    """Pairs with each distinct one decoded: keys by number, kinds, values by kind."""

    pairs: Pairs
    names: dict[str, int]
    keys: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int8]
    values: list[Value | None]

    def last(self, key: str, count: int) -> npt.NDArray[np.int64]:
        """Give for each owner which distinct pair with this key is its last; -1 where it has none."""
        found = np.full(count, _NO_CODE, dtype=np.int64)
        if key in self.names:
            which = self.keys[self.pairs.codes] == self.names[key]
            found[self.pairs.owners[which]] = self.pairs.codes[which]
        return found

    def texts(self, codes: npt.NDArray[np.int64]) -> pl.Series:
        """Give the values of pairs as text, null where there is none."""
        distinct, places = np.unique(codes, return_inverse=True)
        words = [
            None if code < 0 else scalar_text((self.values[code] or (STRING, ""))[1]) for code in distinct.tolist()
        ]
        return pl.Series(words, dtype=pl.String).gather(pl.Series(places))


def decoded_tags(raws: Sequence[msgspec.Raw], builder: Builder) -> Tags:
    pairs = cut(raws)
    names: dict[str, int] = {}
    keys: list[int] = []
    values: list[Value | None] = []
    before = len(builder.findings.found)
    try:
        decoded = (
            [msgspec.json.decode(line) for line in pairs.lines().to_pybytes().split(b"\n")[:-1]]
            if pairs.texts.len()
            else []
        )
    except (msgspec.DecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error
    for tag in decoded:
        key = tag.get("key")
        if not isinstance(key, str):
            raise DoesNotFit("a tag without a key")
        keys.append(names.setdefault(key, len(names)))
        values.append(tag_value(tag.get("type"), tag.get("value"), builder, ""))
    if len(builder.findings.found) > before:
        raise DoesNotFit("tags that must be counted one by one")
    kinds = np.array([_NO_CODE if value is None else value[0] for value in values], dtype=np.int8)
    return Tags(pairs, names, np.array(keys, dtype=np.int32), kinds, values)


def meaning_of(tags: Tags, count: int, builder: Builder, place: Any) -> tuple[pl.DataFrame, npt.NDArray[np.bool_]]:
    """Give what the tags say of fields that spans have, and which pairs these were."""
    consumed = np.zeros(tags.pairs.codes.size, dtype=bool)
    entry_keys = tags.keys[tags.pairs.codes]
    said = {}
    for key in _TAKEN:
        said[key] = tags.last(key, count)
        if key in tags.names:
            consumed |= entry_keys == tags.names[key]
    kinds = _kinds(tags, count, consumed)
    status = _statuses(tags, count, said, consumed)
    named = np.maximum(said["otel.scope.name"], said["otel.library.name"]) >= 0
    codes = tags.last("http.status_code", count)
    for row in np.flatnonzero((status == 0) & (said["otel.status_code"] < 0) & ~named & (codes >= 0)).tolist():
        value = tags.values[int(codes[row])]
        status[row] = status_of_http(whole_number(value[1]) if value else None, int(kinds[row]), builder, place(row))
    frame = pl.DataFrame(
        {
            "kind": kinds,
            "status_code": status,
            "status_message": tags.texts(said["otel.status_description"]),
            "trace_state": tags.texts(said["w3c.tracestate"]),
            "scope_name": tags.texts(_either(said["otel.scope.name"], said["otel.library.name"])),
            "scope_version": tags.texts(_either(said["otel.scope.version"], said["otel.library.version"])),
        }
    )
    return frame, consumed


def _kinds(tags: Tags, count: int, consumed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    last = tags.last("span.kind", count)
    words = {
        code: str((tags.values[code] or (STRING, ""))[1]).lower() for code in np.unique(last).tolist() if code >= 0
    }
    numbers = np.zeros(len(tags.values) + 1, dtype=np.uint8)
    for code, word in words.items():
        if word in KINDS:
            numbers[code] = KINDS.index(word)
            consumed |= tags.pairs.codes == code
    return numbers[last]


def _statuses(
    tags: Tags, count: int, said: dict[str, npt.NDArray[np.int64]], consumed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    status = np.zeros(count, dtype=np.uint8)
    for code in np.unique(said["otel.status_code"]).tolist():
        if code >= 0:
            word = scalar_text((tags.values[code] or (STRING, ""))[1]).upper()
            status[said["otel.status_code"] == code] = _STATUSES.get(word, 0)
    errors = tags.last("error", count)
    for code in np.unique(errors).tolist():
        if code >= 0 and tags.values[code] in ((BOOL, True), (STRING, "true")):
            status[errors == code] = _ERROR
            consumed |= tags.pairs.codes == code
    return status


def _either(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.where(first >= 0, first, second)
