"""Lists of key/value objects, cut apart as text and made distinct before anything is decoded.

What spans say, other spans have said before: of the attributes in a dump one in ten is new, often fewer. Cutting and
comparing text is much cheaper than decoding it, so each distinct pair is decoded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


class DoesNotFit(Exception):  # noqa: N818 - it sends a piece to another reader, nothing is wrong yet
    """A piece that a fast reader cannot take."""


_NEWLINE: Final = ord("\n")
NOTHING: Final = msgspec.Raw(b"")
_STYLES: Final = (('[{"key":', '},{"key":'), ('[{"key": ', '}, {"key": '))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs in the order of their owners: whose each is, and which of the distinct texts."""

    owners: npt.NDArray[np.uint32]
    codes: npt.NDArray[np.int32]
    texts: pl.Series

    def lines(self) -> pa.Buffer:
        """Give the distinct texts as JSON objects, one a line."""
        return joined_lines('{"key":', self.texts, "}")


def cut(lists: Sequence[msgspec.Raw]) -> Pairs:
    """Cut JSON lists of `{"key":...}` objects apart.

    Where a text is cut wrongly, because such objects are nested in one another, what comes out is no JSON, which the
    decoder notices.

    Raises
    ------
    DoesNotFit
        The lists are not written without line breaks, key first.
    """
    texts = lines_of(lists)
    filled = (texts.str.len_bytes() > 2).arg_true()
    if filled.len() < texts.len():
        texts = texts.gather(filled)
    if not texts.len():
        return Pairs(np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int32), pl.Series([], dtype=pl.String))
    style = next((style for style in reversed(_STYLES) if texts[0].startswith(style[0])), None)
    if style is None:
        raise DoesNotFit("lists of pairs in another style")
    # Whatever does not begin and end like this is no JSON when it is put together again.
    pieces = (
        texts.to_frame("t")
        .select(pl.col("t").str.strip_prefix(style[0]).str.strip_suffix("}]").str.split(style[1]))
        .to_series()
    )
    owners = np.repeat(filled.to_numpy(), pieces.list.len().to_numpy()).astype(np.uint32)
    codes, distinct = encoded(pieces.explode(empty_as_null=False))
    return Pairs(owners, codes, distinct)


def lines_of(texts: Sequence[msgspec.Raw]) -> pl.Series:
    """Make a column of raw JSON, whose bytes msgspec did not look at.

    Raises
    ------
    DoesNotFit
        There are bytes in it that are no UTF-8.
    """
    try:
        return pl.Series([bytes(text) for text in texts], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise DoesNotFit("bytes that are no UTF-8") from error


def joined_lines(before: str, texts: pl.Series, after: str) -> pa.Buffer:
    """Write texts as lines, with something before and after each.

    Raises
    ------
    DoesNotFit
        There are line breaks in the texts.
    """
    lines: Any = (before + texts + (after + "\n")).to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, content = lines.buffers()
    size = int(np.frombuffer(offsets, dtype=np.int64)[lines.offset + len(lines)])
    if np.count_nonzero(np.frombuffer(content, dtype=np.uint8, count=size) == _NEWLINE) != texts.len():
        raise DoesNotFit("line breaks inside of an object")
    return content.slice(0, size)


def encoded(texts: pl.Series) -> tuple[npt.NDArray[np.int32], pl.Series]:
    """Give for each text its place among the distinct ones, and these."""
    array: Any = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    codes = np.frombuffer(array.indices.buffers()[1], dtype=np.int32, count=len(array))
    return codes, pl.from_arrow(array.dictionary)  # type: ignore[return-value]
