"""Attributes lifted out of the text of OTLP JSON: what is left is small, and each distinct attribute is decoded once.

Most of a dump is attributes, and most of what a span says other spans have said before. So `{"key":...}` objects are
found in whole pieces of text with numpy, and compared as text. Where some stand one after another, a number stands for
all of them in the text that is left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.otlp.scanning import (
    Bytes,
    Flags,
    Ints,
    Shorter,
    Text,
    is_utf8,
    places_of,
    views,
    without,
    words_of,
)

_START: Final = b'{"key":'
_NEXT: Final = np.uint64(int.from_bytes(b"}},", "little"))
_ONE_BYTE, _FOURTH_BYTE, _THREE_BYTES, _LAST_BYTE = (np.uint64(bits) for bits in (8, 32, 40, 56))
_COMMA, _BLANK, _CLOSE, _CLOSE_LIST, _QUOTE = (np.uint8(byte) for byte in b', }]"')
_OPENS: Final = np.isin(np.arange(256), list(b":,[{\\ \t\r\n"))
_END: Final = "}}]"
_LARGEST: Final = 2**31 - 1
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_SCALAR: Final = rf'\{{(?:"\w+": ?(?:{_STRING}|[-+.\w]*))?\}}'
_ARRAY: Final = rf'\{{(?:"\w+": ?\[(?:{_SCALAR}(?:, ?)?)*\])?\}}'
_PAIR: Final = rf'^\{{"key": ?{_STRING}, ?"value": ?(?:{_SCALAR}|\{{"\w+": ?{_ARRAY}\}})\}}'
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Lifted:
    """Pairs in the order in which they stood: the distinct texts, which of them each is, where each run ends.

    `rest` is the text without them: a number in the place of each run. It is JSON if and only if the whole text was,
    provided that every number is found in it once, in a list.
    """

    rest: Shorter
    texts: pa.BinaryArray
    codes: npt.NDArray[np.int32]
    ends: Ints


def lift(content: Text) -> Lifted:
    """Take objects that begin with a key out of JSON text. What is nested in their like stays in the text.

    Raises
    ------
    DoesNotFit
        There are bytes in it that are no UTF-8, or more of it than can be counted.
    """
    if len(content) > _LARGEST:
        raise DoesNotFit("a piece that is too large")
    text = np.frombuffer(content, dtype=np.uint8)
    starts = places_of(content, _START)
    if not starts.size:
        none = np.zeros(0, dtype=np.int64)
        return Lifted(Shorter(content, none, none, none), pa.nulls(0, pa.binary()), none.astype(np.int32), none)
    ends, joined = _ends(content, text, starts, np.append(starts[1:], len(content)))
    is_pair = ends > starts
    if not is_pair.all():
        starts, ends, joined = starts[is_pair], ends[is_pair], joined[is_pair]
    texts, codes = _distinct(content, starts, ends)
    last = np.flatnonzero(~joined)
    first = np.append(0, last[:-1] + 1)[: last.size]
    return Lifted(without(content, starts[first], ends[last]), texts, codes, last + 1)


def _ends(content: Text, text: Bytes, starts: Ints, following: Ints) -> tuple[Ints, Flags]:
    """Find where pairs end, and which have another right after them; those end where they start that are none."""
    before = words_of(content)[following - 8]
    blank = before >> _LAST_BYTE == _BLANK
    if blank.any():
        before = np.where(blank, before << _ONE_BYTE, before)
    ends = following - 1 - blank
    # Two braces close the value and the pair. A third one, or a list before them, may belong to something around it.
    inner = (before >> _FOURTH_BYTE).astype(np.uint8)
    joined = (before >> _THREE_BYTES == _NEXT) & (inner != _CLOSE) & (inner != _CLOSE_LIST)
    joined[-1] = False
    rows = np.flatnonzero(~joined)
    ends[rows] = starts[rows] + _lengths(content, text, starts[rows], following[rows])
    # Lists in values are no reason to end a run.
    comma = (before[rows] >> _LAST_BYTE) == _COMMA
    joined[rows] = comma & (ends[rows] == following[rows] - 1 - blank[rows])
    joined[:-1] &= ends[1:] > starts[1:]
    joined[-1] = False
    return ends, joined


def _lengths(content: Text, text: Bytes, starts: Ints, ends: Ints) -> Ints:
    """Find how much of each text is a pair that is followed by anything but another one, 0 if none begins it."""
    texts = _texts(content, starts, ends)
    found = texts.str.find(_END, literal=True)
    lengths = found.to_numpy() if not found.null_count() else found.fill_null(0).to_numpy()
    lengths = lengths.astype(np.int64)
    places = starts + lengths
    # What follows a quote that closes a text is in none. One that opens a text, or is escaped, shows by what is before.
    plain = (lengths > 0) & (text[places - 1] == _QUOTE) & ~_OPENS[text[places - 2]]
    lengths += 2
    odd = np.flatnonzero(~plain)
    if odd.size:
        held = texts.gather(pl.Series(odd))
        matched = held.str.extract(_PAIR, 0).str.len_bytes()
        nested = matched.is_null().arg_true()
        if nested.len():
            matched = matched.scatter(nested, _one_by_one(held.gather(nested)))
        lengths[odd] = matched.to_numpy()
    return lengths


def _one_by_one(texts: pl.Series) -> list[int]:
    """Find how much of a text is one object, 0 if none is: one by one, for those that are nested."""
    found = []
    for text in texts.to_list():
        try:
            _, end = _DECODER.raw_decode(text)
        except ValueError:
            end = 0
        except RecursionError as error:
            raise DoesNotFit("values nested too deep") from error
        found.append(len(text[:end].encode()))
    return found


def _texts(content: Text, starts: Ints, ends: Ints) -> pl.Series:
    try:
        series: pl.Series = pl.from_arrow(views(content, starts, ends))  # type: ignore[assignment]
        return series.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise DoesNotFit("bytes that are no UTF-8") from error


def _distinct(content: Text, starts: Ints, ends: Ints) -> tuple[pa.BinaryArray, npt.NDArray[np.int32]]:
    encoded = views(content, starts, ends).dictionary_encode()
    codes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(encoded))
    texts = encoded.dictionary.cast(pa.binary())
    held = texts.buffers()[2].to_pybytes() if len(texts) else b""
    if not is_utf8(held):
        raise DoesNotFit("bytes that are no UTF-8")
    if b"\n" in held:
        raise DoesNotFit("an object in two lines")
    return texts, codes
