"""Secrets and personal data in names, attributes, messages and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, legible, nothing, quoted
from tracelab.auditing.rules.secrets.suspects import EVENT_NAME, suspects
from tracelab.auditing.sensitive import (
    CARD,
    CARD_KEY,
    KINDS,
    MAIL,
    can_be_card,
    is_spaced,
    kinds_in,
    person_by_key,
    secret_by_key,
)
from tracelab.schema import is_attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.array_types import Flags
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.findings import Severity, Words

_READ: Final = 1_000
"""Distinct values of a key that are read closely; where there are more, it is these that say what the others are."""

_SOME: Final = 200
_MOST: Final = 0.5
_SEVERAL: Final = 3
_FIRST: Final = 4
_RULES: Final[dict[str, tuple[str, Severity]]] = {
    "secret": ("secret-in-attributes", "error"),
    "personal": ("personal-data-in-attributes", "warning"),
    "contact": ("personal-data-in-attributes", "info"),
}
_PATTERNS: Final = {kind.name: kind.pattern for kind in KINDS}
_BY_KEY: Final = "secret"
_SOFTWARE: Final = ("user_agent.original", "http.user_agent")


@dataclass(frozen=True)
class _Exposure:
    """A kind of secret or personal data under one key: the rows that hold it, and how one of them begins."""

    rule: str
    kind: str
    key: str
    event: bool
    rows: pl.Series
    sample: str


def exposed(evidence: Evidence) -> pl.DataFrame:
    """Find secrets and personal data wherever spans hold text."""
    table = suspects(evidence)
    if not table.height:
        return nothing()
    found = [
        exposure
        for (key, event), part in table.group_by("key", "event", maintain_order=True)
        for exposure in _exposures(str(key), part, event=bool(event))
    ]
    return pl.concat(
        [
            nothing(),
            *(
                findings_of(evidence, _symptom(evidence, rule, exposures))
                for rule in _RULES
                if (exposures := [exposure for exposure in found if exposure.rule == rule])
            ),
        ]
    )


def _exposures(key: str, part: pl.DataFrame, *, event: bool) -> Iterator[_Exposure]:
    """Read the values of one key."""
    scope, bare = key.split(".", maxsplit=1) if not event and is_attribute(key) else ("", key)
    distinct = part["value"].unique(maintain_order=True)
    read = distinct if distinct.len() <= _READ else _sampled(distinct)
    holding: dict[tuple[str, str], dict[str, str]] = {}
    for value in read.to_list():
        for rule, kind, hidden in _in_value(bare, value):
            holding.setdefault((rule, kind), {})[value] = hidden
    for (rule, kind), values in holding.items():
        if kind == CARD and not _are_cards(bare, read, list(values)):
            continue
        shown = pl.col("value").is_in(list(values))
        if read.len() < distinct.len():
            alike = pl.col("value").str.contains(_PATTERNS[kind]) if kind in _PATTERNS else pl.lit(value=True)
            if len(values) >= _MOST * read.to_frame().filter(alike).height:
                shown = alike
        harmless = kind == MAIL and (scope in {"resource", "instrumentation"} or bare in _SOFTWARE)
        rows = part.filter(shown)["row"].unique().sort()
        sample = next(iter(values.values()))[:_FIRST] if kind in _PATTERNS else ""
        yield _Exposure("contact" if harmless else rule, kind, key, event, rows, sample)


def _sampled(distinct: pl.Series) -> pl.Series:
    """Take values here and there, and some that look like each kind of secret, however seldom these are."""
    kinds = [distinct.filter(distinct.str.contains(pattern)) for pattern in _PATTERNS.values()]
    some = [values.gather_every(max(1, -(-values.len() // _SOME))) for values in (distinct, *kinds)]
    return pl.concat(some).unique(maintain_order=True)


def _in_value(key: str, value: str) -> Iterator[tuple[str, str, str]]:
    """List what a value holds: whether a secret or personal data, of which kind, and the part that is to be hidden."""
    found = kinds_in(value)
    for kind, hidden in found:
        yield kind.cls, kind.name, hidden
    if not any(kind.cls == "secret" for kind, _ in found) and secret_by_key(key, value):
        yield "secret", _BY_KEY, value
    person = person_by_key(key, value)
    if person is not None:
        yield "personal", person, value


def _are_cards(key: str, read: pl.Series, passing: list[str]) -> bool:
    """Tell numbers of cards from other long numbers, one in fifty of which passes for one.

    They all pass, and there are several, or what stands around them says so.
    """
    shaped = sum(map(can_be_card, read.to_list()))
    told = CARD_KEY.search(key) or any(CARD_KEY.search(value) or is_spaced(value) for value in passing)
    return len(passing) >= _MOST * shaped and (len(passing) >= _SEVERAL or bool(told))


def _symptom(evidence: Evidence, rule: str, exposures: list[_Exposure]) -> Symptom:
    """Report what was found, out of the spans that have the attribute, or the text."""
    name, severity = _RULES[rule]
    rows, shown = [], []
    for exposure in exposures:
        could = _could(evidence, exposure)
        holding = np.zeros(evidence.count, dtype=bool)
        holding[exposure.rows.to_numpy()] = True
        rows.append(np.flatnonzero(could | holding))
        shown.append(holding[rows[-1]])
    return Symptom(
        name,
        severity,
        _says(exposures),
        shown=np.concatenate(shown),
        rows=np.concatenate(rows),
        detail=np.repeat(np.arange(len(exposures)), [part.size for part in rows]),
        details=tuple(f"{exposure.kind} in {_place(exposure)}" for exposure in exposures),
        by_library=True,
    )


def _could(evidence: Evidence, exposure: _Exposure) -> Flags:
    """Mark the spans that have what holds it: the attribute, the text, any event."""
    if not exposure.event and is_attribute(exposure.key):
        return evidence.has(exposure.key)
    frame = evidence.frame
    there = frame["events"].list.len() > 0 if exposure.event else frame[exposure.key].is_not_null()
    marked: Flags = there.fill_null(value=False).to_numpy()
    return marked


def _says(exposures: list[_Exposure]) -> Words:
    def says(group: Group) -> str:
        exposure = exposures[group["_detail"]]
        begins = f", which begins with {quoted(exposure.sample)}" if exposure.sample else ""
        holder = "events" if exposure.event else legible(_place(exposure))
        article = "an" if exposure.kind[0] in "ae" else "a"
        return (
            f"{group['said_count']} of {group['service']} with {holder} hold {article} {exposure.kind} there{begins}."
        )

    return says


def _place(exposure: _Exposure) -> str:
    if exposure.event:
        return exposure.key if exposure.key == EVENT_NAME else f"{exposure.key} of an event"
    return {"name": "the span's name", "status_message": "the status message"}.get(exposure.key, exposure.key)
