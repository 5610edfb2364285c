"""What trace states say of sampling: the thresholds and random values of OpenTelemetry's member `ot=th:...;rv:...`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.sampling.ids import distinct

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import numpy.typing as npt

    from tracelab.sampling.ids import Numbers

    Wholes: TypeAlias = npt.NDArray[np.int64]

NEVER: Final = 2**56
"""The threshold that no random value reaches; it has no text."""

AS_IT_IS: Final = -1
"""Stands for a value that stays as it is written."""

_DIGITS: Final = 14
_MOST: Final = 256
_MEMBER: Final = r"(?:^|,)[ \t]*ot="
_SYNTAX: Final = r"^[a-z][a-z0-9]*:[A-Za-z0-9._-]*(?:;[a-z][a-z0-9]*:[A-Za-z0-9._-]*)*$"
_KEY: Final = r"(?:[a-z][a-z0-9*/_-]*|[a-z0-9][a-z0-9*/_-]*@[a-z][a-z0-9*/_-]*)"
_W3C_MEMBER: Final = rf"[ \t]*(?:{_KEY}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e])?[ \t]*"
_W3C: Final = rf"^{_W3C_MEMBER}(?:,{_W3C_MEMBER})*$"
_LONG_KEY: Final = r"(?:^|,)[ \t]*(?:[^=,@]{257}|[^=,@]{242,}@|[^=,@]+@[^=,]{15})"
_MENTIONED: Final = r"(?i)(?:^|;|=)\s*(?:th|rv)\s*:"
_VALUES: Final = ("threshold", "randomness", "broken")


@dataclass(frozen=True)
class SamplingState:
    """What a column of trace states says of sampling, one value per row.

    A value is read where it is written as the specification says: `ot` stands once in the list, has 256 characters at
    most and no syntax of its own, and the key in it stands once, in lower-case hex. What the other members of the list
    are does not matter.

    Attributes
    ----------
    threshold
        UInt64: how many of the 2**56 random values are rejected; null where that is not said. A span stands for
        2**56 / (2**56 - threshold) spans, and nobody knows for how many without one.
    randomness
        UInt64: the explicit random value, of 56 bits; null where there is none.
    broken
        Boolean: a threshold or a random value is there that cannot be read.
    """

    threshold: pl.Series = field(repr=False)
    randomness: pl.Series = field(repr=False)
    broken: pl.Series = field(repr=False)

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Read a column of W3C trace states."""
        return cls._read_once(column, _read)

    @classmethod
    def of_collector(cls, column: pl.Series) -> Self:
        """Read a column as the Collector does (its package for sampling in version 0.161 was read).

        It takes capitals for hex digits, and the last of two values. What breaks W3C's syntax anywhere, or has a value
        that cannot be read, is `broken` as a whole.
        """
        return cls._read_once(column, _read_by_collector)

    @classmethod
    def _read_once(cls, column: pl.Series, read: Callable[[pl.LazyFrame], pl.LazyFrame]) -> Self:
        texts, number = distinct(column.cast(pl.String))
        values = texts.alias("text").to_frame().lazy().pipe(read).collect().select(_VALUES)[number]
        return cls(*values.get_columns())


def probability(thresholds: pl.Series) -> pl.Series:
    """Give the share of the random values that reach a threshold; null where there is none."""
    return ((NEVER - thresholds.cast(pl.Int64)) / NEVER).alias("sampling_probability")


def threshold_texts(thresholds: Numbers) -> pl.Series:
    """Write thresholds as `th` does, without the zeros at the end; null where there is none that could be reached."""
    different, place = np.unique(thresholds, return_inverse=True)
    texts = [f"{int(value):014x}".rstrip("0") or "0" if value < NEVER else None for value in different]
    return pl.Series("th", texts, dtype=pl.String).gather(pl.Series(place.ravel()))


def with_sampling(
    texts: pl.Series,
    *,
    thresholds: Wholes,
    randomness: Wholes | None = None,
    order: tuple[str, str] = ("th", "rv"),
) -> pl.Series:
    """Write thresholds into trace states, each into that of its row.

    Parameters
    ----------
    texts
        The trace states.
    thresholds, randomness
        The new values; `NEVER` or above takes out what is there, `AS_IT_IS` leaves it as it is written. Without
        `randomness` that of all texts stays.
    order
        What comes first.

    Returns
    -------
    The trace states: `ot` first, where it has anything left to say, then the other members as they stood; null where
    nothing is left.
    """
    different, number = distinct(texts.cast(pl.String))
    columns = [number, thresholds, *([] if randomness is None else [randomness])]
    # Few combinations are different, and one number tells them apart faster than several.
    code = np.zeros(number.size, dtype=np.int64)
    for column in columns:
        _, place = np.unique(column, return_inverse=True)
        _, code = np.unique(code * (int(place.max(initial=0)) + 1) + place.ravel(), return_inverse=True)
    rows = np.zeros(int(code.max(initial=-1)) + 1, dtype=np.int64)
    rows[code.ravel()] = np.arange(code.size)
    once = different.gather(pl.Series(number[rows]))
    written = _written(once, thresholds[rows], None if randomness is None else randomness[rows], order)
    return written.gather(pl.Series(code.ravel())).alias("trace_state")


def _written(texts: pl.Series, thresholds: Wholes, randomness: Wholes | None, order: tuple[str, str]) -> pl.Series:
    members = texts.fill_null("").str.split(",").list.eval(pl.element().str.strip_chars(" \t"))
    is_ot = pl.element().str.starts_with("ot=")
    ot = members.list.eval(pl.element().filter(is_ot)).list.last().str.strip_prefix("ot=").fill_null("")
    others = members.list.eval(pl.element().filter(~is_ot & (pl.element() != ""))).list.join(",")
    keys = ot.str.split(";").list
    old = {key: keys.eval(pl.element().filter(pl.element().str.starts_with(f"{key}:"))).list.last() for key in order}
    rest = keys.eval(pl.element().filter(~pl.element().str.contains(r"^(?:th|rv):|^$"))).list.join(";")
    new = {
        "th": "th:" + threshold_texts(np.maximum(thresholds, 0).astype(np.uint64)),
        "rv": "rv:" + hex_texts(np.maximum(randomness, 0)) if randomness is not None else old["rv"],
    }
    stays = {"th": thresholds == AS_IT_IS, "rv": None if randomness is None else randomness == AS_IT_IS}
    values = {
        key: new[key] if (mask := stays[key]) is None else new[key].zip_with(pl.Series(~mask), old[key])
        for key in order
    }
    parts = pl.DataFrame({**values, "rest": rest, "others": others})
    joined = pl.concat_str(*order, "rest", separator=";", ignore_nulls=True).replace("", None)
    whole = pl.concat_str("ot=" + joined, "others", separator=",", ignore_nulls=True).replace("", None)
    return parts.select(pl.all().replace("", None)).select(whole).to_series()


def hex_texts(values: Wholes) -> pl.Series:
    """Write random values in 14 hex digits; null where one has more than 56 bits."""
    digits = [((values >> shift) & 15).astype(np.uint8) for shift in range(52, -4, -4)]
    codes = np.stack(digits, axis=1)
    codes += np.where(codes > 9, np.uint8(87), np.uint8(48))
    texts = pl.Series(codes.reshape(-1).view(f"S{_DIGITS}")).cast(pl.String)
    return pl.select(pl.when(pl.Series(values < NEVER)).then(texts)).to_series()


def _read(texts: pl.LazyFrame) -> pl.LazyFrame:
    text, ot = pl.col("text"), pl.col("ot")
    member = texts.select(
        text,
        ot=text.str.extract(_MEMBER + r"([^,]*)").str.strip_chars_end(" \t"),
        members=text.str.count_matches(_MEMBER),
    )
    whole = (pl.col("members") == 1) & (ot.str.len_bytes() <= _MOST) & ot.str.contains(_SYNTAX)
    values = member.with_columns(
        threshold=pl.when(whole).then(_digits("th", f"{{1,{_DIGITS}}}").str.pad_end(_DIGITS, "0")),
        randomness=pl.when(whole).then(_digits("rv", f"{{{_DIGITS}}}")),
    )
    said = pl.when(pl.col("members") > 1).then(text).otherwise(ot).str.count_matches(_MENTIONED)
    understood = pl.sum_horizontal(pl.col("threshold", "randomness").is_not_null().cast(pl.UInt32))
    return values.select(
        text,
        *(pl.col(name).str.to_integer(base=16, dtype=pl.UInt64) for name in ("threshold", "randomness")),
        broken=(said > understood).fill_null(value=False),
    )


def _read_by_collector(texts: pl.LazyFrame) -> pl.LazyFrame:
    text = pl.col("text").fill_null("")
    items = text.str.strip_suffix(",").str.count_matches(",", literal=True) + 1
    whole = (text.str.len_bytes() <= 1024) & text.str.contains(_W3C) & (items < 32) & ~text.str.contains(_LONG_KEY)
    # Every member `ot` is read: any may break the whole, and the last one counts.
    members = text.str.extract_all(_MEMBER + r"[^,]*").list.eval(
        pl.element().str.replace(_MEMBER, "").str.strip_chars_end(" \t")
    )
    checked = texts.select(
        "text",
        whole=whole & members.list.eval(pl.element().str.contains(_SYNTAX)).list.all(),
        last=members.list.last(),
        values=members.list.join(";"),
    )
    good = {"th": f"[0-9a-fA-F]{{1,{_DIGITS}}}", "rv": f"[0-9a-fA-F]{{{_DIGITS}}}"}
    for key, digits in good.items():
        # Values are found without what ends them, which is what begins the next.
        all_of_key = pl.col("values").str.extract_all(f"(?:^|;){key}:[^;]*")
        fits = all_of_key.list.eval(pl.element().str.contains(f"^;?{key}:{digits}$")).list.all()
        found = pl.col("last").str.extract_all(f"(?:^|;){key}:[^;]*").list.last().str.extract(":(.*)$")
        checked = checked.with_columns(found.alias(key), whole=pl.col("whole") & fits)
    numbers = {"threshold": pl.col("th").str.pad_end(_DIGITS, "0"), "randomness": pl.col("rv")}
    return checked.select(
        "text",
        *(
            pl.when("whole").then(digits).str.to_integer(base=16, dtype=pl.UInt64).alias(name)
            for name, digits in numbers.items()
        ),
        broken=~pl.col("whole"),
    )


def _digits(key: str, times: str) -> pl.Expr:
    """Read the hex digits of a key that stands once."""
    once = pl.col("ot").str.count_matches(f"(?:^|;){key}:") == 1
    return pl.when(once).then(pl.col("ot").str.extract(f"(?:^|;){key}:([0-9a-f]{times})(?:;|$)"))
