"""Pseudonyms: what stands for texts, ids and numbers, the same for the same wherever it stands.

Without a key they are numbered in the order of what they stand for, so that whatever is sorted or told apart by names
and ids comes out as before. Nobody can compute them, and no two dumps have the same. With a key they are hashes under
it: dumps that are redacted with one key have the same pseudonyms for the same things, in no order.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from typing import Final, TypeVar

import numpy as np
import polars as pl

from tracelab.analysis.errors.exceptions import TIMEOUT, folded
from tracelab.exporting.redaction.keeping import ALWAYS, ALWAYS_ERRORS

IDS: Final = {"trace": 32, "span": 16}
"""The kinds of ids, and how many hexadecimal digits each has."""

MESSAGE: Final = "message"
ERROR: Final = "error"
_HASH_DIGITS: Final = 16
_AS_LETTERS: Final = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")
_NUMBER_BYTES: Final = 6

_Texts = TypeVar("_Texts", pl.Series, pl.Expr)


class Pseudonyms:
    """First sees the texts of each kind, then says what stands for each.

    Until `assign` is called, what is asked for is only noted, and stands for itself.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._seen: defaultdict[str, list[pl.Series]] = defaultdict(list)
        self._kept: defaultdict[str, list[pl.Series]] = defaultdict(list)
        self._tables: dict[str, pl.DataFrame] | None = None
        self._known: dict[str, dict[str, str]] = {}

    def assign(self) -> None:
        """Find what stands for each text."""
        self._tables = {kind: self._table(kind, pl.concat(parts).unique().sort()) for kind, parts in self._seen.items()}

    def stay(self, kind: str, texts: pl.Series) -> pl.Series:
        """Note texts that stay, here and wherever else a thing of this kind stands."""
        if self._tables is None:
            self._kept[kind].append(_distinct(texts))
        return texts

    def of(self, kind: str, texts: pl.Series) -> pl.Series:
        """Replace the texts of a column; null, and those that always stay, have no other."""
        if self._tables is None:
            self._seen[kind].append(_distinct(texts))
            return texts
        rows = pl.DataFrame({"text": texts.cast(pl.String)})
        joined = rows.join(self._tables[kind], on="text", how="left", maintain_order="left")
        return joined.select(pl.coalesce("stands", "text")).to_series().alias(texts.name)

    def of_one(self, kind: str, text: str) -> str:
        """Replace one text."""
        if self._tables is None:
            self.of(kind, pl.Series([text]))
            return text
        if kind not in self._known:
            self._known[kind] = dict(self._tables[kind].iter_rows())
        return self._known[kind].get(text, text)

    def _table(self, kind: str, texts: pl.Series) -> pl.DataFrame:
        if kind not in IDS:
            texts = texts.filter(~texts.str.contains(f"{ALWAYS}|{ALWAYS_ERRORS}" if kind == ERROR else ALWAYS))
        for kept in self._kept[kind]:
            texts = texts.filter(~texts.is_in(kept.implode()))
        if kind == MESSAGE:
            return self._messages(texts)
        stands = self._hashes(kind, texts) if self._key else _numbers(kind, texts)
        if kind == ERROR:
            stands = _telling_of_timeouts(texts, stands, "-timeout")
        return pl.DataFrame({"text": texts, "stands": stands})

    def _messages(self, texts: pl.Series) -> pl.DataFrame:
        """Name messages by what is left of them where numbers and ids are folded, and number those that are alike then.

        Letters stand for what they share, since numbers are what answers fold.
        """
        frame = pl.DataFrame({"text": texts, "shared": folded(texts).fill_null("")}).sort("shared", "text")
        shared = frame["shared"].unique(maintain_order=True)
        if self._key:
            letters = [self._digest(MESSAGE, one, _HASH_DIGITS // 2).hex() for one in shared.to_list()]
            number = [str(int.from_bytes(self._digest("text", one, _NUMBER_BYTES))) for one in frame["text"].to_list()]
        else:
            letters = [f"{place:0{len(f'{shared.len():x}')}x}" for place in range(shared.len())]
            number = pl.int_range(1, frame.height + 1, eager=True).cast(pl.String).to_list()
        table = pl.DataFrame({"shared": shared, "letters": [one.translate(_AS_LETTERS) for one in letters]})
        stands = pl.concat_str(pl.lit(f"{MESSAGE}-"), "letters", pl.lit(" "), "number")
        return (
            frame.with_columns(number=pl.Series(number, dtype=pl.String))
            .join(table.cast({"letters": pl.String}), on="shared", how="left", maintain_order="left")
            .select("text", stands=stands)
            .with_columns(_telling_of_timeouts(pl.col("text"), pl.col("stands"), " timeout"))
        )

    def of_numbers(self, numbers: pl.Series, *, group: pl.Series | None = None) -> pl.Series:
        """Replace numbers by their ranks, from 1, or by hashes; `group` tells numbers of different keys apart."""
        if self._tables is None:
            return numbers
        frame = pl.DataFrame({"number": numbers})
        if self._key is None:
            rank = pl.col("number").rank("dense")
            if group is not None:
                frame = frame.with_columns(group=group)
                rank = rank.over("group")
            return frame.select(rank.cast(numbers.dtype)).to_series().alias(numbers.name)
        distinct = numbers.unique().drop_nulls()
        hashes = [int.from_bytes(self._digest("number", repr(one), _NUMBER_BYTES)) for one in distinct.to_list()]
        table = pl.DataFrame({"number": distinct, "stands": pl.Series(hashes, dtype=pl.Int64).cast(numbers.dtype)})
        joined = frame.join(table, on="number", how="left", maintain_order="left", nulls_equal=False)
        return joined["stands"].alias(numbers.name)

    def _hashes(self, kind: str, texts: pl.Series) -> pl.Series:
        digits = IDS.get(kind, _HASH_DIGITS)
        before = "" if kind in IDS else f"{kind}-"
        found = [before + self._digest(kind, text, digits // 2).hex() for text in texts.to_list()]
        return pl.Series(found, dtype=pl.String)

    def _digest(self, kind: str, text: str, size: int) -> bytes:
        digest = hashlib.blake2b(key=self._key or b"", digest_size=size, person=kind.encode())
        digest.update(text.encode("utf-8"))
        return digest.digest()


def _telling_of_timeouts(texts: _Texts, stands: _Texts, suffix: str) -> _Texts:
    """Let what stands for a failure say so where nobody answered in time: answers tell those from other failures."""
    return stands + texts.str.contains(TIMEOUT).replace_strict({True: suffix, False: ""}, return_dtype=pl.String)


def _numbers(kind: str, texts: pl.Series) -> pl.Series:
    if kind in IDS:
        return _random_ids(texts.len(), IDS[kind])
    width = len(str(texts.len()))
    number = pl.int_range(1, texts.len() + 1, eager=True).cast(pl.String).str.zfill(width)
    return number.to_frame("number").select(pl.lit(f"{kind}-") + pl.col("number")).to_series()


def _distinct(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.String).unique().drop_nulls().rename("text")


def _random_ids(count: int, digits: int) -> pl.Series:
    """Draw ids by chance, and give them in ascending order."""
    rng = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
    high = np.unique(rng.integers(1, 2**63 - 1, size=count, dtype=np.int64))
    while high.size < count:
        high = np.unique(np.append(high, rng.integers(1, 2**63 - 1, size=count - high.size, dtype=np.int64)))
    columns = [high] if digits == 16 else [high, rng.integers(0, 2**63 - 1, size=count, dtype=np.int64)]
    raw = np.stack(columns, axis=1).astype(">i8").tobytes()
    text = raw.hex()
    return pl.Series([text[at : at + digits] for at in range(0, len(text), digits)], dtype=pl.String)
