"""What Jaeger's tags mean, worked out once for each distinct tag."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import polars as pl

from tracelab.loaders.columns.chunk import BOOL, STRING
from tracelab.loaders.columns.key_values import DoesNotFit, Pairs, cut
from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.statuses import (
    CALLING,
    SERVER,
    grpc_failed,
    http_failed,
    is_grpc,
    is_http_code,
    is_named,
    says_system,
)
from tracelab.loaders.jaeger.tolerant import tag_value
from tracelab.loaders.report import problems
from tracelab.schema import KINDS
from tracelab.status_codes import GRPC_STATUS, HTTP_STATUS, RPC_SYSTEM, SHARED_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from tracelab.loaders.columns.builder import Builder, Value

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

    def judged(self, codes: npt.NDArray[np.int64], judge: Callable[[Value | None], bool]) -> npt.NDArray[np.bool_]:
        """Give what a judge says of pairs, asked once for each distinct one; False where there is none."""
        answers = np.zeros(len(self.values) + 1, dtype=bool)
        for code in np.unique(codes).tolist():
            answers[code] = code >= 0 and judge(self.values[code])
        return answers[codes]

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
    unsaid = (status == 0) & (said["otel.status_code"] < 0) & ~named
    status[unsaid] = _guessed(tags, kinds, unsaid, builder, place)[unsaid]
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


def _guessed(
    tags: Tags, kinds: npt.NDArray[np.uint8], unsaid: npt.NDArray[np.bool_], builder: Builder, place: Any
) -> npt.NDArray[np.uint8]:
    """Guess the statuses of spans that say none, from their status codes of HTTP and gRPC."""
    count = kinds.size
    first = np.full(count, _NO_CODE, dtype=np.int64)
    by_http = [partial(http_failed, caller=side) for side in (True, False)]
    by_grpc = [partial(grpc_failed, server=side) for side in (True, False)]
    for problem, keys, judges, among in (
        (problems.STATUS_OF_HTTP, HTTP_STATUS, by_http, np.isin(kinds, CALLING)),
        (problems.STATUS_OF_GRPC, GRPC_STATUS, by_grpc, kinds == SERVER),
    ):
        found = np.zeros(count, dtype=bool)
        decided = ~unsaid
        for key in keys:
            if key not in tags.names:
                continue
            codes = tags.last(key, count)
            sides = [tags.judged(codes, judge) for judge in judges]
            failing = ~decided & (first < 0) & np.where(among, *sides)
            if key in HTTP_STATUS:  # the newer key decides where it can be read
                decided |= tags.judged(codes, is_http_code)
            if key in SHARED_KEYS:
                named = [tags.last(name, count) for name in RPC_SYSTEM]
                system = _either(*(np.where(tags.judged(each, says_system), each, _NO_CODE) for each in named))
                failing &= tags.judged(codes, is_named) | (system < 0) | tags.judged(system, is_grpc)
            first[failing] = codes[failing]
            found |= failing
        rows = np.flatnonzero(found)
        if rows.size:
            example = tags.values[int(first[rows[0]])]
            builder.findings.add(problem, rows.size, place=place(int(rows[0])), example=example and example[1])
    return np.where(first >= 0, _ERROR, 0).astype(np.uint8)


def _either(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.where(first >= 0, first, second)
