"""Span names that hold what differs from request to request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.display.words import format_number

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence

_HEX: Final = "|".join(f"[A-Fa-f]{{{n}}}[0-9][0-9A-Fa-f]{{{5 - n},}}" for n in range(6))
_FOLDS: Final = (
    (r"[A-Za-z0-9_.%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", "{mail}"),
    (r"'[^']*'|\"[^\"]*\"", "{text}"),
    (r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}", "{id}"),
    (r"\b[0-9]{6,}\b", "{number}"),  # before they could pass for hex
    (rf"(?:0x)?(?:{_HEX})\b", "{id}"),
    (r"\b[0-9]*[A-Za-z]+[0-9]+[A-Za-z]+[0-9]+[0-9A-Za-z]*|\b[0-9]+[A-Za-z]+[0-9]+[A-Za-z]+[0-9A-Za-z]*", "{id}"),
    (r"[0-9]+(?:[.:,][0-9]+)*", "{number}"),
)
"""What stands for what differs."""

_VARYING: Final = r"[0-9@'\"]"
_PLACEHOLDERS: Final = r"\{(?:mail|text|id|number)\}"
_LEAST: Final = 10
_SELDOM: Final = 2
_HALF: Final = 0.5
_COUNTLESS: Final = 500
"""More names of one form than any enumeration has, however often each is seen."""

_MOST: Final = 100
"""Forms that are reported, those with the most names."""

_GAPS: Final = 3
_LONGEST_NUMBER: Final = 9


def unbounded_span_names(evidence: Evidence) -> pl.DataFrame:
    """Find names with ids, numbers, addresses or texts in them, so that there is no end of different names.

    Names are of one form where they differ in nothing else. A form is a fault where most of its names are seen once or
    twice, or where there are very many; steps, shards and versions are counted from one on and end soon, which numbers
    of orders and users do not, though these are counted as well.
    """
    if evidence.distinct_names.str.contains(_VARYING).sum() < _LEAST:
        return nothing()
    varying = evidence.names.str.contains(_VARYING).to_numpy()
    rows = np.flatnonzero((evidence.name >= 0) & varying[evidence.name])
    spans = pl.DataFrame(
        {"row": rows, "service": evidence.service[rows], "library": evidence.library[rows], "name": evidence.name[rows]}
    )
    names = spans.group_by("service", "library", "name").len("spans")
    numbers = names["name"].unique().sort()
    said = evidence.names.gather(numbers)
    table = pl.DataFrame({"name": numbers, "form": _forms(said), "most": _largest_number(said)})
    names = names.join(table, on="name", how="left")
    forms = (
        names.group_by("service", "library", "form")
        .agg(
            pl.len().alias("names"),
            (pl.col("spans") <= _SELDOM).mean().alias("seldom"),
            pl.col("most").max(),
            pl.col("most").is_null().any().alias("without_end"),
        )
        .filter(
            pl.col("form").str.contains(_PLACEHOLDERS)
            & (pl.col("names") >= _LEAST)
            & ((pl.col("seldom") > _HALF) | (pl.col("names") >= _COUNTLESS))
            & (
                pl.col("without_end")
                | (pl.col("most") > _GAPS * pl.col("names") + _LEAST)
                | ((pl.col("seldom") > _HALF) & (pl.col("names") >= _COUNTLESS))
            )
        )
    )
    if not forms.height:
        return nothing()
    return _found(evidence, spans, names, forms)


def _forms(names: pl.Series) -> pl.Series:
    """Write names with placeholders for what may differ from request to request."""
    form = pl.col("name")
    for pattern, word in _FOLDS:
        form = form.str.replace_all(pattern, word)
    return names.to_frame("name").select(form.alias("form")).to_series()


def _largest_number(names: pl.Series) -> pl.Series:
    """Give the largest number in each name; null where one cannot have been counted, and where there is none."""
    numbers = pl.col("name").str.extract_all(r"[0-9]+")
    counted = ~pl.col("name").str.contains(_FOLDS[0][0]) & ~pl.col("name").str.contains(r"['\"]")
    small = numbers.list.eval(pl.element().str.len_chars()).list.max() <= _LONGEST_NUMBER
    lone = ~pl.col("name").str.contains(_FOLDS[4][0]) & ~pl.col("name").str.contains(_FOLDS[5][0])
    largest = numbers.list.eval(pl.element().cast(pl.Int64, strict=False)).list.max()
    return names.to_frame("name").select(pl.when(counted & small & lone).then(largest).alias("most")).to_series()


def _found(evidence: Evidence, spans: pl.DataFrame, names: pl.DataFrame, forms: pl.DataFrame) -> pl.DataFrame:
    """Report every form of names, out of all spans of its service and library."""
    forms = forms.sort("names", "service", "library", "form", descending=[True, False, False, False]).head(_MOST)
    forms = forms.with_row_index("finding")
    faulty = names.join(forms, on=["service", "library", "form"], how="inner").select(
        "name", "service", "library", "finding"
    )
    shown = spans.join(faulty, on=["service", "library", "name"], how="inner")
    rows, holds = [], []
    for service, library, finding in forms.select("service", "library", "finding").iter_rows():
        holding = np.zeros(evidence.count, dtype=bool)
        holding[shown.filter(pl.col("finding") == finding)["row"].to_numpy()] = True
        rows.append(np.flatnonzero((evidence.service == service) & (evidence.library == library)))
        holds.append(holding[rows[-1]])
    different = forms["names"].to_list()

    def says(group: Group) -> str:
        return (
            f"{group['said_count']} of {group['service']} have names like {group['detail']}: "
            f"{format_number(different[group['_detail']])} different ones."
        )

    return findings_of(
        evidence,
        Symptom(
            "unbounded-span-names",
            "warning",
            says,
            shown=np.concatenate(holds),
            rows=np.concatenate(rows),
            detail=np.repeat(np.arange(forms.height), [part.size for part in rows]),
            details=forms["form"],
            by_library=True,
        ),
    )
