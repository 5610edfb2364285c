"""Attributes that come column by column: long tables that grow by whole columns, and text maps made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders.columns.chunk import Entries, part
from tracelab.loaders.columns.key_values import encoded
from tracelab.loaders.columns.nested import text_map
from tracelab.loaders.columns.text import as_text

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes of one kind of value.

    Attributes
    ----------
    owners
        Whose each is.
    places
        Where each stands among the attributes of its owner, for what keeps their order.
    keys
        The key of each, or one key for all.
    kind
        The kind of value, one of `chunk`.
    values
        The values, as a long table of this kind has them.
    """

    owners: Ints
    places: Ints
    keys: pl.Series | str
    kind: int
    values: pl.Series


@dataclass(slots=True)
class LongTables:
    """Attributes of many owners, on their way to `Entries`."""

    codes: dict[str, int] = field(default_factory=dict)
    lists: dict[int, list[tuple[Ints, npt.NDArray[np.int32], pl.Series]]] = field(default_factory=dict)

    def add(self, attributes: Attributes) -> None:
        """Add some attributes."""
        if not attributes.owners.size:
            return
        if isinstance(attributes.keys, str):
            codes = np.full(attributes.owners.size, self._code(attributes.keys), dtype=np.int32)
        else:
            own, names = encoded(attributes.keys)
            codes = np.array([self._code(name) for name in names.to_list()], dtype=np.int32)[own]
        self.lists.setdefault(attributes.kind, []).append((attributes.owners, codes, attributes.values))

    def finish(self) -> Entries:
        """Make the entries."""
        parts: dict[int, Any] = {
            kind: part(
                np.concatenate([owners for owners, _, _ in held]).astype(np.uint32),
                np.concatenate([codes for _, codes, _ in held]),
                pl.concat([values.rename("") for _, _, values in held]),
                keys=len(self.codes),
            )
            for kind, held in self.lists.items()
        }
        return Entries(list(self.codes), parts)

    def _code(self, key: str) -> int:
        return self.codes.setdefault(key, len(self.codes))


def entries_of(found: list[Attributes]) -> Entries:
    """Make the entries of attributes."""
    tables = LongTables()
    for attributes in found:
        tables.add(attributes)
    return tables.finish()


def maps_of(found: list[Attributes], count: int) -> pa.Array:
    """Make the text maps of this many owners; of a key that comes twice the last counts."""
    frames = [
        pl.DataFrame(
            {
                "owner": each.owners,
                "place": each.places,
                "key": pl.Series([each.keys]).new_from_index(0, each.owners.size)
                if isinstance(each.keys, str)
                else each.keys,
                "text": as_text(each.values, each.kind),
            }
        )
        for each in found
        if each.owners.size
    ]
    if not frames:
        return text_map(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String), np.zeros(count))
    frame = pl.concat(frames).sort("owner", "place").unique(["owner", "key"], keep="last", maintain_order=True)
    ends = np.cumsum(np.bincount(frame["owner"].to_numpy(), minlength=count))
    return text_map(frame["key"], frame["text"], ends)
