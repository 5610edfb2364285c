"""What every decoder gives: spans as columns, and attributes as long tables.

A chunk is a piece of the input. Its attributes stay long (owner, key, value; one table for each kind of value) until
all chunks are there, because only then is it known which keys are frequent and which dtype holds all values of one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.schema import EVENTS, KIND, LINKS, STATUS_CODE

Rows = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int32]

# Kinds of value, by number. The first seven stand as in schema.VALUE_TYPES; the rest say what an array holds.
STRING: Final = 0
BOOL: Final = 1
INT: Final = 2
DOUBLE: Final = 3
BYTES: Final = 4
ARRAY: Final = 5
KVLIST: Final = 6
STRINGS: Final = 7
BOOLS: Final = 8
INTS: Final = 9
DOUBLES: Final = 10
EMPTY_ARRAY: Final = 11

VALUE_DTYPES: Final[dict[int, pl.DataType]] = {
    STRING: pl.String(),
    BOOL: pl.Boolean(),
    INT: pl.Int64(),
    DOUBLE: pl.Float64(),
    BYTES: pl.String(),
    ARRAY: pl.String(),
    KVLIST: pl.String(),
    STRINGS: pl.String(),
    BOOLS: pl.String(),
    INTS: pl.String(),
    DOUBLES: pl.String(),
    EMPTY_ARRAY: pl.String(),
}
"""The dtype that values of a kind have in a long table: bytes are base64, arrays and kvlists JSON text."""

CHUNK_SCHEMA: Final = pl.Schema(
    {
        "trace_id": pl.String(),
        "span_id": pl.String(),
        "parent_span_id": pl.String(),
        "name": pl.String(),
        "kind": KIND,
        "start_time": pl.Int64(),
        "duration": pl.Int64(),
        "status_code": STATUS_CODE,
        "status_message": pl.String(),
        "trace_state": pl.String(),
        "flags": pl.UInt32(),
        "events": EVENTS,
        "links": LINKS,
        "resource": pl.UInt32(),
        "scope": pl.UInt32(),
    }
)
"""Columns of a chunk's spans; `resource` and `scope` are places in the chunk's own lists of these."""


_FEW_KEYS: Final = 256


@dataclass(slots=True)
class Part:
    """The entries of one kind of value, sorted by key: who has them, which key, the values.

    Where there are few keys the values of each are a series of their own, so that memory can be let go key by key.
    Values that many entries share are held once: then `picks` says for each entry which value of its key it has.
    """

    rows: Rows
    starts: npt.NDArray[np.int64]
    values: list[pl.Series | None]
    picks: Rows | None = None

    def of(self, code: int) -> tuple[Rows, pl.Series]:
        """Give owners and values of one key."""
        rows, values, picks = self.shared(code)
        return rows, values if picks is None else values.gather(pl.Series(picks))

    def shared(self, code: int) -> tuple[Rows, pl.Series, Rows | None]:
        """Give owners and values of one key, and which of the values each owner has, if not each its own."""
        start, end = int(self.starts[code]), int(self.starts[code + 1])
        picks = None if self.picks is None else self.picks[start:end]
        held = self.values[code] if len(self.values) > 1 or picks is not None else None
        if held is not None:
            return self.rows[start:end], held, picks
        whole = self.values[0] if picks is None else None
        return self.rows[start:end], pl.Series() if whole is None else whole.slice(start, end - start), picks

    def let_go(self, code: int) -> None:
        """Forget the values of one key."""
        if len(self.values) > 1:
            self.values[code] = None


@dataclass(slots=True)
class Entries:
    """All attributes of a chunk's spans (or resources, or scopes): keys, and one part for each kind of value.

    A key that is None was taken out: its entries count no more.
    """

    keys: list[str | None] = field(default_factory=list)
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass(slots=True)
class Chunk:
    """A decoded piece of the input."""

    spans: pl.DataFrame
    attributes: Entries
    resources: Entries
    resource_count: int
    scopes: pl.DataFrame
    scope_attributes: Entries
    height: int = 0

    def __post_init__(self) -> None:
        self.height = self.spans.height


def part(rows: Rows, codes: Codes, values: pl.Series, *, keys: int) -> Part:
    """Sort the entries of one kind by key; the order in which they stood is kept within a key."""
    narrow = codes.astype(np.int16) if keys < 2**15 else codes
    order = np.argsort(narrow, kind="stable")
    starts = np.zeros(keys + 1, dtype=np.int64)
    np.cumsum(np.bincount(codes, minlength=keys), out=starts[1:])
    if not 1 < keys <= _FEW_KEYS:
        return Part(rows[order], starts, [values.gather(pl.Series(order))])
    bounds = starts.tolist()
    pieces: list[pl.Series | None] = [
        values.gather(pl.Series(order[start:end])) if end > start else None for start, end in itertools.pairwise(bounds)
    ]
    return Part(rows[order], starts, pieces)
