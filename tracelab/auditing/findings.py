"""What a finding is: its columns, and how rows that show something become findings.

A rule says which rows could show a symptom and which of them do, as a `Symptom`. Here these rows are grouped by whom
they belong to, counted, given an interval and exemplars, and put into words. Most symptoms show nowhere, so that the
first look at a symptom is whether anything is shown at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.auditing.fixes import fix_for
from tracelab.auditing.masking import masked
from tracelab.display.words import format_number, format_share
from tracelab.markup import NO_NAME, cut, visible
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

SEVERITIES: Final = ("info", "warning", "error")
"""How much a finding matters: "info" is explained or harmless, "warning" hides something, "error" breaks traces."""

SEVERITY: Final = pl.Enum(SEVERITIES)
HOPS: Final = ("http", "grpc", "rpc", "queue", "database", "in-process")
"""How a context is handed on from the caller to the callee."""

Severity: TypeAlias = Literal["info", "warning", "error"]

FINDINGS: Final = pl.Schema(
    {
        "rule": pl.String(),
        "severity": SEVERITY,
        "service_name": pl.String(),
        "caller": pl.String(),
        "callee": pl.String(),
        "hop": pl.String(),
        "detail": pl.String(),
        "library": pl.String(),
        "library_version": pl.String(),
        "count": pl.UInt32(),
        "out_of": pl.UInt32(),
        "unit": pl.String(),
        "share": pl.Float64(),
        "share_lower": pl.Float64(),
        "share_upper": pl.Float64(),
        "finding": pl.String(),
        "explanation": pl.String(),
        "fix": pl.String(),
        "exemplar_trace_ids": pl.List(pl.String()),
        "exemplar_span_ids": pl.List(pl.String()),
    }
)
"""The columns of `audit`."""

EXEMPLARS: Final = 5
CONFIDENCE: Final = 0.95
_NOTHING: Final = pl.DataFrame(schema=FINDINGS)
_NOBODY: Final = -1
_DENSE: Final = 1 << 22
_LONGEST_NAME: Final = 80
_LONGEST_DETAIL: Final = 200

Group: TypeAlias = Mapping[str, Any]
Words: TypeAlias = Callable[[Group], str]


@dataclass(frozen=True)
class Symptom:
    """Rows that could show something, and those that do.

    All arrays but `shown` and `rows` themselves are aligned with `rows`; where `rows` is None, that is every row of the
    evidence. Numbers of services are those of `Evidence.services`, -1 is none.

    Attributes
    ----------
    rule, severity
        What is found.
    says
        Puts a group into words: it is given the group's columns as text ready for a sentence (`service`, `caller`,
        `callee`, `library`, `detail`), and `count`, `out_of` as numbers with what they count (`said_count`:
        "12 of 40 spans").
    shown
        Which of `rows` show it.
    rows
        The rows that could show it.
    service
        Whose fault it is; without, the service of each row.
    caller, callee
        The edge, where it is one.
    hop
        Numbers of `HOPS`.
    detail
        Small numbers (a key of an attribute, a kind of id) that tell findings of one service apart, and `details` what
        they stand for.
    weight
        How much each shown row matters as an exemplar; without, the first ones in the frame are taken.
    unit
        What is counted, in the plural.
    explanation
        Why this is no fault, where that is known.
    by_library
        Whether findings are told apart by instrumentation library; else the library named is the one of most rows.
    figures
        Further numbers, aligned with `rows`, whose median over the shown rows `says` finds under the same name.
    judge
        Looks at all groups before they are put into words, and may drop groups or change `severity`, `explanation`.
    """

    rule: str
    severity: Severity
    says: Words
    shown: Flags
    rows: Ints | None = None
    service: Ints | None = None
    caller: Ints | None = None
    callee: Ints | None = None
    hop: Ints | None = None
    detail: Ints | None = None
    details: tuple[str, ...] | pl.Series = ()
    weight: npt.NDArray[Any] | None = None
    unit: str = "spans"
    explanation: str | None = None
    by_library: bool = False
    figures: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    judge: Callable[[pl.DataFrame], pl.DataFrame] | None = None


def nothing() -> pl.DataFrame:
    """Give the frame of no findings."""
    return _NOTHING.clone()  # made once: a frame of twenty columns is slow to make, and most symptoms show nowhere


def quoted(text: object) -> str:
    """Write a name or a value of a trace as part of a sentence: on one line, harmless, without its secrets."""
    value = legible(text)
    return f"'{value}'" if value.strip() else NO_NAME


def legible(text: object) -> str:
    """Write it as `quoted` does, without the quotes: for names of attributes."""
    return cut(visible(masked(str(text))), _LONGEST_NAME)


def findings_of(evidence: Evidence, symptom: Symptom) -> pl.DataFrame:
    """Count a symptom by whom it belongs to."""
    places = np.flatnonzero(symptom.shown)
    if not places.size:
        return nothing()
    keys = _keys(evidence, symptom)
    number, counted = _numbers(keys)
    groups = _grouped(evidence, symptom, number[places], places)
    first = places[groups["first"].to_numpy()]
    groups = groups.with_columns(
        *(pl.Series(f"_{name}", values[first]) for name, values in keys.items()),
    )
    if symptom.by_library:
        groups = groups.with_columns(library_number="_library")
    groups = groups.with_columns(
        pl.Series("out_of", counted(groups["group"].to_numpy()), dtype=pl.UInt32),
        *_names(evidence, symptom, groups),
        rule=pl.lit(symptom.rule),
        severity=pl.lit(symptom.severity, dtype=pl.String),
        explanation=pl.lit(symptom.explanation, dtype=pl.String),
        unit=pl.lit(symptom.unit),
    )
    lower, upper = wilson(pl.col("count"), pl.col("out_of"), confidence=CONFIDENCE)
    groups = groups.with_columns(share=pl.col("count") / pl.col("out_of"), share_lower=lower, share_upper=upper)
    if symptom.judge is not None:
        groups = symptom.judge(groups)
    if not groups.height:
        return nothing()
    return _in_words(evidence, symptom, groups)


def _grouped(evidence: Evidence, symptom: Symptom, number: Ints, places: Ints) -> pl.DataFrame:
    """Count the rows at some places by the number of their group, and choose the clearest of each."""
    rows = places if symptom.rows is None else symptom.rows[places]
    columns: dict[str, npt.NDArray[Any]] = {"group": number, "row": rows, "first": np.arange(places.size)}
    told = [pl.len().cast(pl.UInt32).alias("count"), pl.col("first").first()]
    if symptom.weight is not None:
        columns["weight"] = symptom.weight[places]
        clearest = pl.col("row").sort_by("weight", "row", descending=[True, False])
    else:
        in_order = symptom.rows is None or bool(np.all(rows[1:] >= rows[:-1]))
        clearest = pl.col("row") if in_order else pl.col("row").sort()
    told.append(clearest.head(EXEMPLARS).alias("exemplars"))
    if not symptom.by_library:
        columns["library_number"] = evidence.library[rows]
        told.append(pl.col("library_number").mode().min())
    for name, values in symptom.figures.items():
        columns[name] = values[places]
        told.append(pl.col(name).median())
    return pl.LazyFrame(columns).group_by("group").agg(told).sort("group").collect()


def together(found: list[pl.DataFrame]) -> pl.DataFrame:
    """Put findings together: the worst first, then the most frequent, in a total order."""
    return pl.concat([nothing(), *found]).sort(
        "severity", "count", "rule", "service_name", "caller", "callee", "finding",
        pl.col("exemplar_span_ids").list.first(),
        descending=[True, True, *[False] * 6],
        nulls_last=True,
    )  # fmt: skip


def _keys(evidence: Evidence, symptom: Symptom) -> dict[str, Ints]:
    """List what tells groups apart, each as numbers from -1 on."""
    rows = slice(None) if symptom.rows is None else symptom.rows
    service = evidence.service[rows] if symptom.service is None else symptom.service
    library = evidence.library[rows] if symptom.by_library else None
    given = {
        "service": service,
        "caller": symptom.caller,
        "callee": symptom.callee,
        "hop": symptom.hop,
        "detail": symptom.detail,
        "library": library,
    }
    return {name: values for name, values in given.items() if values is not None}


def _numbers(keys: dict[str, Ints]) -> tuple[Ints, Callable[[Ints], Ints]]:
    """Give the number of the group of every row, and what counts the rows of groups."""
    number: Ints | None = None
    product = 1
    for values in keys.values():
        size = int(values.max()) + 2
        if number is None:
            number = values + 1
        else:  # in place, which is twice as fast
            number *= size
            number += values
            number += 1
        product *= size
        if product > _DENSE:  # numbered anew, so that products of many names never overflow
            number, distinct = renumbered(number)
            product = distinct.size
    if number is None:
        raise ValueError("A symptom belongs to a service.")
    sizes = np.bincount(number, minlength=product)
    return number, lambda groups: sizes[groups]


def _names(evidence: Evidence, symptom: Symptom, groups: pl.DataFrame) -> list[pl.Series]:
    def named(column: str, names: pl.Series) -> pl.Series:
        if column not in groups.columns:
            return pl.repeat(None, groups.height, dtype=pl.String, eager=True)
        numbers = groups[column]
        return names.gather(numbers.set(numbers == _NOBODY, None))

    libraries = evidence.libraries[groups["library_number"]]
    details = symptom.details if isinstance(symptom.details, pl.Series) else pl.Series(symptom.details, dtype=pl.String)
    return [
        named("_service", evidence.services).alias("service_name"),
        named("_caller", evidence.services).alias("caller"),
        named("_callee", evidence.services).alias("callee"),
        named("_hop", pl.Series(HOPS)).alias("hop"),
        named("_detail", details).alias("detail"),
        libraries["scope_name"].alias("library"),
        libraries["scope_version"].alias("library_version"),
    ]


def _in_words(evidence: Evidence, symptom: Symptom, groups: pl.DataFrame) -> pl.DataFrame:
    finding, fix = [], []
    for group in groups.drop("exemplars").iter_rows(named=True):
        finding.append(symptom.says(_spoken(group, symptom.unit)))
        language = evidence.language(group["service_name"])
        known = {"hop": group["hop"], "explanation": group["explanation"]}
        fix.append(fix_for(group["rule"], language=language, **known))
    exemplars = groups.select("exemplars").with_row_index("place").explode("exemplars")
    rows = exemplars["exemplars"].cast(pl.Int64)
    ids = (
        exemplars.select("place")
        .with_columns(
            evidence.frame["trace_id"].gather(rows).alias("exemplar_trace_ids"),
            evidence.frame["span_id"].gather(rows).alias("exemplar_span_ids"),
        )
        .group_by("place", maintain_order=True)
        .agg("exemplar_trace_ids", "exemplar_span_ids")
    )
    # Where findings are told apart by library, that is what tells them apart.
    details = groups["detail"] if not symptom.by_library else groups["detail"].fill_null(groups["library"])
    worded = groups.with_columns(
        *(_masked(texts) for texts in (details.alias("detail"), groups["library"], groups["library_version"])),
        pl.Series("finding", finding, dtype=pl.String), pl.Series("fix", fix, dtype=pl.String),
        ids["exemplar_trace_ids"], ids["exemplar_span_ids"],
    )  # fmt: skip
    return worded.select(pl.col(name).cast(dtype) for name, dtype in FINDINGS.items())


def _masked(texts: pl.Series) -> pl.Series:
    return pl.Series(
        texts.name, [text and cut(visible(masked(text)), _LONGEST_DETAIL) for text in texts], dtype=pl.String
    )


def _spoken(group: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Give what a sentence is made of: names in quotes, and the count with what it is out of."""
    spoken = dict(group)
    for name in ("service_name", "caller", "callee", "library", "detail"):
        if group[name] is not None:
            spoken[name] = quoted(group[name])
    count, out_of = group["count"], group["out_of"]
    spoken["service"] = spoken["service_name"]
    spoken["said_count"] = f"{format_number(count)} of {format_number(out_of)} {unit} ({format_share(count / out_of)})"
    return spoken
