"""Texts with what differs each time taken out, so that those that say the same are the same."""

from __future__ import annotations

from typing import Final

import polars as pl

_LONGEST: Final = 300
_FOLDS: Final = (
    (r"(?i)\b(https?://[^/\s\"'<>]+)/[^\s\"'<>]+", "${1}/<path>"),
    (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"(?i)\b0x[0-9a-f]+\b", "<id>"),
    (r"\b\d{8,}\b", "<n>"),  # before they could pass for hex
    (r"(?i)\b[0-9a-f]{8,}\b", "<id>"),
    (r"\d+(?:\.\d+)*", "<n>"),
)


def folded(texts: pl.Series) -> pl.Series:
    """Fold numbers to `<n>`, ids (UUIDs, hex) to `<id>` and what follows the host of a URL to `<path>`.

    Only the first line is kept; an empty text is null.
    """
    first_line = pl.col("text").str.strip_chars().str.split("\n").list.first().str.slice(0, _LONGEST)
    for pattern, word in _FOLDS:
        first_line = first_line.str.replace_all(pattern, word)
    distinct = texts.drop_nulls().unique(maintain_order=True).alias("text")
    pairs = distinct.to_frame().select("text", folded=pl.when(first_line != "").then(first_line))
    return texts.to_frame("text").join(pairs, on="text", how="left", maintain_order="left")["folded"].alias(texts.name)
