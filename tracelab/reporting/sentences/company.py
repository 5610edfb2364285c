"""What slow requests have that others have not: a value of an attribute, two together, or a word in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.differences.attributes.comparing import compare
from tracelab.reporting.sentences.words import named

if TYPE_CHECKING:
    from tracelab.reporting.asking import Asked

_CLEARLY: Final = 0.6
"""How much more often at least, so that it tells who is slow."""

_WORD: Final = r"\p{L}{3,}"
_NEARLY_UNIQUE: Final = 0.5
_FEWEST: Final = 5
_MOST_WORDS: Final = 50
_SCOPE: Final = "span."
_AND: Final = " and "


def company_of(asked: Asked, slow: pl.DataFrame, usual: pl.DataFrame, step: tuple[str, str]) -> str:
    """Say what nearly all slow requests have and hardly any other; empty where nothing surely is so.

    Parameters
    ----------
    asked
        All requests.
    slow, usual
        Which of them are slow, and which are not: rows of `Asked.requests`.
    step
        The service and the name of the operation that takes the time. Its spans and those of the requests are looked
        at: what is elsewhere is none of their business.
    """
    others = usual.join(slow, on="trace_id", how="anti")
    own = (pl.col("service_name") == step[0]) & (pl.col("name") == step[1])
    roots = pl.concat([asked.frame[rows["place"]].select("trace_id", "span_id") for rows in (slow, others)])
    root = pl.struct("trace_id", "span_id").is_in(roots.to_struct().implode())
    sides = [asked.spans_of(rows).filter(own | root) for rows in (slow, others)]
    if not all(side.height for side in sides):
        return ""
    words, known = _words(pl.concat(sides).filter(own))
    mine, theirs = (side.join(words, on=["trace_id", "span_id"], how="left", maintain_order="left") for side in sides)
    sure = compare(mine, theirs).filter(
        pl.col("kind").cast(pl.String).is_in(["value", "pair"]),
        pl.col("explained_by").is_null(),
        pl.col("effect_lower") >= _CLEARLY,
    )
    of = [side["trace_id"].n_unique() for side in sides]
    for row in sure.iter_rows(named=True):
        what = _told(row, known)
        if what:
            count, among = row["selection_count"], row["baseline_count"]
            some = f"all {count:,}" if count == of[0] else f"{count:,} of the {of[0]:,}"
            return f"{some} had {what}, {f'{among:,}' if among else 'none'} of the {of[1]:,} others"
    return ""


def _told(row: dict[str, Any], known: dict[str, tuple[str, str]]) -> str:
    """Write `customer.kind = business`, or two such, or `"slow" in content.url`; nothing where it cannot be told."""
    single = row["kind"] == "value"
    names = [row["attribute"]] if single else row["attribute"].split(_AND)
    values = [row["value"]] if single else row["value"].split(_AND)
    if len(names) != len(values):
        return ""
    return _AND.join(
        f'"{named(known[name][1])}" in {named(known[name][0])}'
        if name in known
        else f"{named(name.split('.', 1)[-1])} = {named(value)}"
        for name, value in zip(names, values, strict=True)
    )


def _words(spans: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, tuple[str, str]]]:
    """Give a column for each word that several texts have, of attributes that hardly ever have the same value twice.

    Which words these are is decided without looking at who is slow, so that `compare` counts all its questions.
    """
    found = spans.select("trace_id", "span_id").unique(maintain_order=True)
    known: dict[str, tuple[str, str]] = {}
    texts = [name for name, dtype in spans.schema.items() if name.startswith(_SCOPE) and dtype == pl.String]
    for name in texts:
        values = spans.select("trace_id", "span_id", word=name).drop_nulls("word")
        if values["word"].n_unique() <= _NEARLY_UNIQUE * values.height or values.height < _FEWEST:
            continue
        each = values.with_columns(pl.col("word").str.extract_all(_WORD).list.unique()).explode("word").drop_nulls()
        often = (
            each.group_by("word")
            .len()
            .filter(pl.col("len") >= _FEWEST, pl.col("len") < values.height)
            .sort("len", "word", descending=[True, False])
            .head(max(_MOST_WORDS - len(known), 0))
        )
        # One column per word, all at once: null where a text does not have it.
        columns = {f"{name}.word{len(known) + place}": word for place, word in enumerate(often["word"].to_list())}
        known |= {column: (name.removeprefix(_SCOPE), word) for column, word in columns.items()}
        having = [pl.when((pl.col("word") == word).any()).then(pl.lit("yes")).alias(at) for at, word in columns.items()]
        kept = each.join(often, on="word", how="semi")
        if having:
            found = found.join(
                kept.group_by("trace_id", "span_id").agg(having),
                on=["trace_id", "span_id"],
                how="left",
                maintain_order="left",
            )
    return found, known
