"""Attributes that are held once, however many spans have them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tracelab.loaders.columns.chunk import Entries, Part
from tracelab.loaders.columns.text import as_text

if TYPE_CHECKING:
    import numpy.typing as npt

    from tracelab.loaders.columns.chunk import Codes, Rows


@dataclass(slots=True)
class Dictionary:
    """What distinct texts say: for each its key and kind of value (-1 where there is none), and the values.

    The values of one kind and key stand together; `ranks` says which of these a text has.
    """

    names: list[str]
    keys: Codes
    kinds: npt.NDArray[np.int8]
    values: dict[int, list[pl.Series | None]] = field(default_factory=dict)
    ranks: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))

    def add(self, kind: int, texts: npt.NDArray[np.int64], values: pl.Series) -> None:
        """Add the values of one kind, and say which texts have them."""
        if not self.ranks.size:
            self.ranks = np.zeros(self.keys.size, dtype=np.uint32)
        self.kinds[texts] = kind
        keys = self.keys[texts]
        order = np.argsort(keys, kind="stable")
        ends = np.cumsum(np.bincount(keys, minlength=len(self.names)))
        bounds = [0, *ends.tolist()]
        held = values.gather(pl.Series(order))
        self.values[kind] = [
            held.slice(start, end - start) if end > start else None for start, end in itertools.pairwise(bounds)
        ]
        self.ranks[texts[order]] = np.arange(texts.size) - np.array(bounds)[keys[order]]

    def texts(self, codes: npt.NDArray[np.integer[Any]]) -> pl.Series:
        """Give the values of these texts as text, null where there is none."""
        columns = [pl.Series([None], dtype=pl.String)]
        places = np.zeros(codes.size, dtype=np.uint32)
        keys, kinds, ranks = self.keys[codes], self.kinds[codes], self.ranks[codes] if self.ranks.size else places
        total = 1
        for kind, values in self.values.items():
            of_kind = kinds == kind
            for key in np.flatnonzero(np.bincount(keys[of_kind])).tolist():
                held = values[key]
                if held is not None:
                    which = of_kind & (keys == key)
                    places[which] = total + ranks[which]
                    columns.append(as_text(held, kind))
                    total += held.len()
        return pl.concat(columns).gather(pl.Series(places))

    def entries(self, owners: Rows, codes: npt.NDArray[np.integer[Any]]) -> Entries:
        """Make long tables of texts (`codes`) and of who has them (`owners`)."""
        if not codes.size:
            return Entries()
        keys, kinds = self.keys[codes], self.kinds[codes]
        counts = np.bincount(keys, minlength=len(self.names))
        used = np.flatnonzero(counts)
        ranks: Any = (np.cumsum(counts > 0) - 1).astype(np.int16 if used.size < 2**15 else np.int32)[keys]
        order = np.argsort(ranks, kind="stable")
        codes, owners, ranks, kinds = codes[order], owners[order], ranks[order], kinds[order]
        parts = {}
        for kind, values in self.values.items():
            where = np.flatnonzero(kinds == kind)
            if where.size:
                starts = np.searchsorted(ranks[where], np.arange(used.size + 1))
                parts[kind] = Part(owners[where], starts, [values[key] for key in used], self.ranks[codes[where]])
        return Entries([self.names[key] for key in used], parts)
