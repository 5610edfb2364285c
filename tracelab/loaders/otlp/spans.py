"""Spans lifted out of the text of OTLP JSON, all at once: field by field, a step for all spans that have it next.

What is left after the attributes are lifted is the same for nearly all spans but for ids, times and a name. Numpy
reads those without an object for any span. A span that has more (events, links, a message, escaped text, an id that is
none) stays in the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.columns.normalise import SPAN_ID_WIDTH, TRACE_ID_WIDTH
from tracelab.loaders.otlp.scanning import (
    FIRST,
    NUMBER_WIDTH,
    Bytes,
    Flags,
    Ints,
    Shorter,
    Text,
    are,
    eight_digits,
    places_of,
    slices,
    strings,
    without,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = Ints | slice
"""Some spans, or all."""

_PAD: Final = 512
_DONE: Final = 128
_WINDOW: Final = 32
_WORD: Final = 8
_TIME_WIDTH: Final = 19
_PASSES: Final = 3
_LARGEST_COUNT: Final = 2**32 - 1
_BRACE, _QUOTE, _COMMA, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _ESCAPE, _BLANK = (np.uint8(byte) for byte in b'{",}[]\\ ')
_ZERO, _NINE, _A, _F = (np.uint8(byte) for byte in b"09af")
_START: Final = b'{"traceId":'
_CODE: Final = b'{"code":'
_POWERS: Final = 10 ** np.arange(_TIME_WIDTH - 1, -1, -1)


@dataclass(frozen=True, slots=True)
class LiftedSpans:
    """The columns of spans that were lifted, in the order in which they stood, and where each run of them ends.

    `rest` is the text with a number in the place of each run. `attributes` are numbers of runs of attributes, -1 where
    a span has none.
    """

    rest: Shorter
    columns: pl.DataFrame
    attributes: Ints
    dropped: int
    ends: Ints


def lift_spans(content: Text) -> LiftedSpans | None:
    """Take spans out of text whose attributes were lifted before; None if there are none that can be.

    Raises
    ------
    DoesNotFit
        There is a name that is no UTF-8.
    """
    starts = places_of(content, _START)
    if not starts.size:
        return None
    reader = _Reader(b"".join((content, bytes(_PAD))), starts)
    reader.read()
    kept = np.flatnonzero(reader.ends)
    if not kept.size:
        return None
    starts, ends = reader.starts[kept], reader.ends[kept]
    joined = (reader.text[ends[:-1]] == _COMMA) & (starts[1:] == ends[:-1] + 1)
    last = np.append(np.flatnonzero(~joined), kept.size - 1)
    first = np.append(0, last[:-1] + 1)
    rest = without(content, starts[first], ends[last])
    return LiftedSpans(rest, reader.columns(kept), reader.attributes[kept], int(reader.dropped[kept].sum()), last + 1)


class _Reader:
    """Reads the fields of spans, each a step for all spans that have it next."""

    def __init__(self, content: bytes, starts: Ints) -> None:
        self.content = content
        self.text: Bytes = np.frombuffer(content, dtype=np.uint8)
        self.words = words_of(content)
        self.starts = starts
        count = starts.size
        self.ends = np.zeros(count, dtype=np.int64)
        self.seen = np.zeros(count, dtype=np.uint32)
        self.places = {name: np.zeros(count, dtype=np.int64) for name in ("traceId", "spanId", "parentSpanId", "name")}
        self.times = {name: np.zeros(count, dtype=np.int64) for name in ("startTimeUnixNano", "endTimeUnixNano")}
        self.lengths = np.zeros(count, dtype=np.int64)
        self.kinds = np.zeros(count, dtype=np.uint8)
        self.codes = np.zeros(count, dtype=np.uint8)
        self.flags = np.full(count, -1, dtype=np.int64)
        self.attributes = np.full(count, -1, dtype=np.int64)
        self.dropped = np.zeros(count, dtype=np.int64)

    def read(self) -> None:
        """Read all spans; `ends` stays zero for those that cannot be read so."""
        # Those that are done stand where no field begins.
        done = len(self.content) - _DONE
        cursors = self.starts + 1
        heads = self.words[cursors]
        count = np.zeros(cursors.size, dtype=np.uint8)
        for _ in range(_PASSES):
            for number, (name, read) in enumerate(_FIELDS.items()):
                key = b'"%s":' % name.encode()
                here = self._begin(heads, cursors, key)
                if not here.any():
                    continue
                rows = slice(None) if here.all() else np.flatnonzero(here)
                after, fits = read(self, rows, cursors[rows] + len(key))
                self.seen[rows] |= np.uint32(1 << number)
                count[rows] += 1
                following = self.text[after]
                after += 1
                closed = fits & (following == _CLOSE)
                if closed.any():
                    self.ends[rows] = np.where(closed, after, 0)
                after = np.where(fits & (following == _COMMA), after, done)
                cursors[rows] = after
                heads[rows] = self.words[after]
            if (cursors == done).all():
                break
        # A field that is there twice was counted twice.
        self.ends[((self.seen & _ALL_NEEDED) != _ALL_NEEDED) | (np.bitwise_count(self.seen) != count)] = 0

    def _begin(self, heads: Any, cursors: Ints, key: bytes) -> Flags:
        """Tell where a key stands, of which spans the next eight bytes are at hand."""
        head, rest = key[:_WORD], key[_WORD:]
        here: Flags = heads << np.uint64(8 * (_WORD - len(head))) == np.uint64(
            int.from_bytes(head.rjust(_WORD, b"\0"), "little")
        )
        if rest and here.any():
            here &= are(self.words, cursors + _WORD, rest)
        return here

    def columns(self, kept: Ints) -> pl.DataFrame:
        """Make the columns of these spans."""
        flags = self.flags[kept]
        parents = self.places["parentSpanId"][kept]
        return pl.DataFrame(
            {
                "trace_id": self._trace_ids(kept),
                "span_id": strings(words_of(self.content, SPAN_ID_WIDTH)[self.places["spanId"][kept]]),
                "parent_span_id": strings(words_of(self.content, SPAN_ID_WIDTH)[parents], parents > 0),
                "name": self._names(kept),
                "kind": self.kinds[kept],
                "start_time": self.times["startTimeUnixNano"][kept],
                "end_time": self.times["endTimeUnixNano"][kept],
                "status_code": self.codes[kept],
                "flags": _there(flags.astype(np.uint32), flags >= 0),
            }
        )

    def _trace_ids(self, kept: Ints) -> pl.Series:
        """Make the column of trace ids, which share the bytes of equal ones."""
        ids = words_of(self.content, TRACE_ID_WIDTH)[self.places["traceId"][kept]]
        array = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(TRACE_ID_WIDTH), kept.size, [None, pa.py_buffer(ids.view(np.uint8))]
        ).dictionary_encode()
        distinct = np.frombuffer(array.dictionary.buffers()[1], dtype=f"V{TRACE_ID_WIDTH}", count=len(array.dictionary))
        return strings(distinct).gather(_codes(array))

    def _names(self, kept: Ints) -> pl.Series:
        places = self.places["name"][kept]
        array = slices(self.content, places, places + self.lengths[kept]).dictionary_encode()
        names: pl.Series = pl.from_arrow(array.dictionary)  # type: ignore[assignment]
        try:
            return names.cast(pl.String).gather(_codes(array))
        except pl.exceptions.PolarsError as error:
            raise DoesNotFit("bytes that are no UTF-8") from error

    def id_field(self, rows: Rows, places: Ints, *, name: str, width: int) -> tuple[Ints, Flags]:
        places = places + 1
        fits = (self.text[places - 1] == _QUOTE) & (self.text[places + width] == _QUOTE)
        digits = words_of(self.content, width)[places].view(np.uint8)
        # What is below the first digit or letter wraps around and is as much too large as what is above the last.
        is_hex = (digits - _ZERO <= _NINE - _ZERO) | (digits - _A <= _F - _A)
        if not is_hex.all():
            fits &= is_hex.reshape(-1, width).all(axis=1)
        self.places[name][rows] = places
        return places + width + 1, fits

    def parent(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        """Read the id of a parent; an empty one is none."""
        after, fits = self.id_field(rows, places, name="parentSpanId", width=SPAN_ID_WIDTH)
        empty = (self.text[places] == _QUOTE) & (self.text[places + 1] == _QUOTE)
        if not empty.any():
            return after, fits
        self.places["parentSpanId"][rows] = np.where(empty, 0, self.places["parentSpanId"][rows])
        return np.where(empty, places + 2, after), fits | empty

    def time(self, rows: Rows, places: Ints, *, name: str) -> tuple[Ints, Flags]:
        places = places + 1
        fits = (self.text[places - 1] == _QUOTE) & (self.text[places + _TIME_WIDTH] == _QUOTE)
        digits = words_of(self.content, _TIME_WIDTH)[places].view(np.uint8).reshape(-1, _TIME_WIDTH) - _ZERO
        if (digits > 9).any():
            fits &= (digits <= 9).all(axis=1)
        # Nine times ten to the 18 is the last of such numbers that are sure to fit.
        fits &= (digits[:, 0] > 0) & (digits[:, 0] < 9)
        self.times[name][rows] = digits @ _POWERS
        return places + _TIME_WIDTH + 1, fits

    def name(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        """Read text without escapes."""
        places = places + 1
        fits = self.text[places - 1] == _QUOTE
        ends, found = self._closing(places)
        self.places["name"][rows] = places
        self.lengths[rows] = ends - places
        return ends + 1, fits & found

    def _closing(self, places: Ints) -> tuple[Ints, Flags]:
        """Find the quotes that close texts which hold nothing that is escaped."""
        ends, found = places.copy(), np.zeros(places.size, dtype=bool)
        rows = np.arange(places.size)
        for _ in range(_PAD // _WINDOW - 1):
            held = words_of(self.content, _WINDOW)[ends[rows]].view(np.uint8).reshape(-1, _WINDOW)
            stops = (held == _QUOTE) | (held == _ESCAPE) | (held < _BLANK)
            first = stops.argmax(axis=1)
            stopped = stops[np.arange(rows.size), first]
            ends[rows] += np.where(stopped, first, _WINDOW)
            found[rows] = stopped
            rows = rows[~stopped]
            if not rows.size:
                break
        return ends, found & (self.text[ends] == _QUOTE)

    def _number(self, places: Ints) -> tuple[Ints, Ints, Flags]:
        """Read whole numbers; gives them and what comes after."""
        first = self.text[places] - _ZERO
        numbers, after = first.astype(np.int64), places + 1
        for _ in range(10):
            digit = self.text[after] - _ZERO
            more = digit <= 9
            if not more.any():
                break
            numbers = np.where(more, numbers * 10 + digit, numbers)
            after = after + more
        fits = (first <= 9) & ((first > 0) | (after == places + 1)) & (numbers <= _LARGEST_COUNT)
        return numbers, after, fits

    def kind(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        numbers, after, fits = self._number(places)
        self.kinds[rows] = np.minimum(numbers, 255)
        return after, fits

    def flag(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        numbers, after, fits = self._number(places)
        self.flags[rows] = numbers
        return after, fits

    def count(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        """Read how much the producer dropped."""
        numbers, after, fits = self._number(places)
        self.dropped[rows] += numbers
        return after, fits

    def nothing(self, _: Rows, places: Ints) -> tuple[Ints, Flags]:
        """Read an empty list."""
        return places + 2, (self.text[places] == _OPEN_LIST) & (self.text[places + 1] == _CLOSE_LIST)

    def attribute_list(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        """Read a list that is empty or holds the number of a run."""
        after, empty = self.nothing(rows, places)
        numbers, fits = eight_digits(self.words, places + 1)
        end = places + NUMBER_WIDTH + 1
        fits &= (self.text[places] == _OPEN_LIST) & (self.text[end] == _CLOSE_LIST) & (numbers >= FIRST)
        self.attributes[rows] = np.where(fits, numbers.view(np.int64) - FIRST, -1)
        return np.where(empty, after, end + 1), fits | empty

    def status(self, rows: Rows, places: Ints) -> tuple[Ints, Flags]:
        """Read a status that is empty or has nothing but a code."""
        empty = (self.text[places] == _BRACE) & (self.text[places + 1] == _CLOSE)
        if empty.all():
            return places + 2, empty
        coded = are(self.words, places, _CODE)
        numbers, after, fits = self._number(places + len(_CODE))
        fits &= coded & (self.text[after] == _CLOSE)
        self.codes[rows] = np.where(fits, np.minimum(numbers, 255), 0)
        return np.where(empty, places + 2, after + 1), fits | empty


_FIELDS: Final[dict[str, Callable[[_Reader, Rows, Ints], tuple[Ints, Flags]]]] = {
    "traceId": partial(_Reader.id_field, name="traceId", width=TRACE_ID_WIDTH),
    "spanId": partial(_Reader.id_field, name="spanId", width=SPAN_ID_WIDTH),
    "parentSpanId": _Reader.parent,
    "flags": _Reader.flag,
    "name": _Reader.name,
    "kind": _Reader.kind,
    "startTimeUnixNano": partial(_Reader.time, name="startTimeUnixNano"),
    "endTimeUnixNano": partial(_Reader.time, name="endTimeUnixNano"),
    "attributes": _Reader.attribute_list,
    "droppedAttributesCount": _Reader.count,
    "events": _Reader.nothing,
    "droppedEventsCount": _Reader.count,
    "links": _Reader.nothing,
    "droppedLinksCount": _Reader.count,
    "status": _Reader.status,
}
"""How each field is read: rows and where their values begin, to what comes after and whether it could be read."""
_NEEDED: Final = ("traceId", "spanId", "name", "startTimeUnixNano", "endTimeUnixNano")
_ALL_NEEDED: Final = sum(1 << number for number, name in enumerate(_FIELDS) if name in _NEEDED)


def _codes(array: pa.DictionaryArray) -> pl.Series:
    return pl.Series(np.frombuffer(array.indices.buffers()[1], dtype=np.int32, count=len(array)).astype(np.uint32))


def _there(values: npt.NDArray[np.uint32], there: Flags) -> pl.Series:
    """Make a column of numbers that are null where `there` says no."""
    valid = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    array = pa.Array.from_buffers(pa.uint32(), values.size, [valid, pa.py_buffer(values)])
    return pl.from_arrow(array)  # type: ignore[return-value]
