"""Coverage: which of the attributes that the semantic conventions want the spans of each service carry."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.auditing.conventions.renames import SUCCESSORS
from tracelab.auditing.conventions.requirements import SECTIONS, Requirement
from tracelab.auditing.evidence import Evidence
from tracelab.auditing.measures.sections import NAMES, sections_of
from tracelab.conforming import takes_any_frame
from tracelab.numbering import renumbered
from tracelab.schema import KIND, KINDS, STATUS_CODES

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Flags, Ints

LEVELS: Final = ("required", "conditionally required", "recommended", "useful")
"""How much an attribute is wanted: by the conventions, or ("useful") by whoever asks about users and orders."""

_COVERAGE: Final = pl.Schema(
    {
        "service_name": pl.String(),
        "domain": pl.String(),
        "span_kind": KIND,
        "attribute": pl.String(),
        "level": pl.Enum(LEVELS),
        "condition": pl.String(),
        "spans": pl.UInt32(),
        "carried": pl.UInt32(),
        "share": pl.Float64(),
        "share_lower": pl.Float64(),
        "share_upper": pl.Float64(),
        "old_name": pl.String(),
        "carried_old": pl.UInt32(),
        "stability": pl.String(),
    }
)
_COUNTS: Final = pl.Schema(
    {name: dtype for name, dtype in _COVERAGE.items() if not name.startswith("share")}
    | {"level": pl.String(), "spans": pl.Int64(), "carried": pl.Int64(), "carried_old": pl.Int64()}
)
_CONFIDENCE: Final = 0.95
_WHO: Final = r"user|enduser|session|customer|account|tenant|member|visitor"
_WHAT: Final = r"order|cart|basket|checkout|payment|invoice|booking|transaction|shipment|ticket"
_ID: Final = re.compile(rf"(?:^|[._])(?:{_WHO}|{_WHAT})[._]?(?:id|number|uuid)$", re.IGNORECASE)
_USER: Final = "user.id"
_ANSWERS: Final = ("span.http.response.status_code", "span.http.status_code")
_LEAST_FAILURES: Final = {"http client": 400, "http server": 500}
_DEPENDS_ON_KIND: Final = frozenset({"net.peer.name", "net.peer.port"})
_PREDECESSORS: Final = {
    new: tuple(sorted(old for old, names in SUCCESSORS.items() if new in names))
    for new in sorted({new for names in SUCCESSORS.values() for new in names})
}


@takes_any_frame
def attribute_coverage(spans: Spans) -> pl.DataFrame:
    """Tell how many of the spans that should have an attribute have it, service by service.

    What should be there is what the semantic conventions 1.44.0 require or recommend for HTTP, databases, RPC,
    messaging, GraphQL and generative AI. A condition counts where the spans show whether it holds ("if it failed"),
    and where it is only whether there is anything to tell ("if available"): then the attribute may be missing rightly.
    Conditions that spans do not show, attributes to opt in to, and attributes of events are left out. Spans of none
    of these kinds should have `error.type` where they failed.

    In the domain `ids` it is requests that count: spans with which a request enters its service. A request has an id
    if any of the service's spans of this trace carries it; it should have `user.id` always, and any other id of a user,
    session, order, payment or the like (`order.id`, `app.cart_id`) if any span of the trace carries it.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per service, kind of span and attribute, the worst first: by `level`, then by `share`. `service_name`
    (String), `domain` (String: http, db, rpc, messaging, graphql, genai, other, ids), `span_kind` (Enum, null for
    ids), `attribute` (String), `level` (Enum: required, conditionally required, recommended, useful), `condition`
    (String: when it should be there, null for always), `spans` (UInt32: how many should have it), `carried` (UInt32:
    how many have it), `share` (Float64), `share_lower`, `share_upper` (Float64: Wilson interval of 95 %), `old_name`
    (String: the old name that most of the others have instead, null if none has one), `carried_old` (UInt32: how many
    have only an old name), `stability` (String: stable, release candidate, development; null for ids).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET  ===== kind=server http.request.method=GET url.path=/pay
    ... web::GET  ===== kind=server http.method=GET
    ... ''')
    >>> found = attribute_coverage(spans).filter(pl.col("attribute") == "http.request.method")
    >>> found.select("spans", "carried", "share", "old_name", "carried_old").row(0)
    (2, 1, 0.5, 'http.method', 1)
    """
    frame = spans.lazy().collect()
    if not frame.height:
        return pl.DataFrame(schema=_COVERAGE)
    evidence = Evidence(frame)
    counted = pl.concat([_of_conventions(evidence), _of_ids(evidence)])
    lower, upper = wilson(pl.col("carried"), pl.col("spans"), confidence=_CONFIDENCE)
    return (
        counted.with_columns(share=pl.col("carried") / pl.col("spans"), share_lower=lower, share_upper=upper)
        .select(pl.col(name).cast(dtype) for name, dtype in _COVERAGE.items())
        .sort(
            "level", "share", "spans", "service_name", "domain", "span_kind", "attribute", "condition",
            descending=[False, False, True, *[False] * 5],
            nulls_last=True,
        )
    )  # fmt: skip


def _of_conventions(evidence: Evidence) -> pl.DataFrame:
    """Count what the conventions want, by service, kind of span and attribute."""
    section = sections_of(evidence)
    counted = [
        _of_section(evidence, name, np.flatnonzero(section == number))
        for number, name in enumerate(NAMES)
        if (section == number).any()
    ]
    same = ("service_name", "domain", "span_kind", "attribute", "level", "condition", "stability")
    return (
        pl.concat([_nothing(), *(part for parts in counted for part in parts)])
        .group_by(*same)
        .agg(
            pl.col("spans", "carried").sum(),
            pl.col("old_name").sort_by("carried_old", "old_name").last(),
            pl.col("carried_old").sum(),
        )
        .select(_nothing().columns)
    )


def _of_section(evidence: Evidence, name: str, rows: Ints) -> list[pl.DataFrame]:
    """Count what spans of one kind should have."""
    section = SECTIONS[name]
    number, groups = renumbered(evidence.service[rows] * len(KINDS) + evidence.kind[rows])
    services = evidence.services.gather(groups // len(KINDS)).alias("service_name")
    kinds = pl.Series("span_kind", KINDS).cast(KIND).gather(groups % len(KINDS))
    there = _Carriers(evidence, rows, _LEAST_FAILURES.get(name))
    counted = []
    for wanted in section.requirements:
        due = there.due(wanted)
        if due is None or not due.any():
            continue
        has = there[wanted.attribute]
        olds = {old: due & there[old] & ~has for old in _olds(evidence, wanted.attribute, name)}
        carried_old = np.logical_or.reduce(list(olds.values())) if olds else np.zeros(rows.size, dtype=bool)
        by_group = [np.bincount(number[marks], minlength=groups.size) for marks in (due, due & has, carried_old)]
        counted.append(
            pl.DataFrame([services, kinds])
            .with_columns(
                domain=pl.lit(section.domain),
                attribute=pl.lit(wanted.attribute),
                level=pl.lit(wanted.level),
                condition=pl.lit(wanted.condition or None, dtype=pl.String),
                stability=pl.lit(wanted.stability),
                old_name=_most_frequent(olds, number, groups.size),
                **dict(zip(("spans", "carried", "carried_old"), map(pl.Series, by_group), strict=True)),
            )
            .filter(pl.col("spans") > 0)
            .select(_nothing().columns)
        )
    return counted


@dataclass
class _Carriers:
    """Which of some spans have an attribute, or should have it."""

    evidence: Evidence
    rows: Ints
    least_failure: int | None = None
    known: dict[str, Flags] = field(default_factory=dict)

    def __getitem__(self, attribute: str) -> Flags:
        """Mark those that carry it."""
        if attribute not in self.known:
            name = f"span.{attribute}"
            there = self.evidence.attributes
            self.known[attribute] = (
                self.evidence.carries(name).to_numpy()[self.rows]
                if name in there
                else np.zeros(self.rows.size, dtype=bool)
            )
        return self.known[attribute]

    def due(self, wanted: Requirement) -> Flags | None:
        """Mark those that should carry it; None where that cannot be known."""
        match wanted.when:
            case "always" | "available":
                return np.ones(self.rows.size, dtype=bool)
            case "failed":
                return self._failed
            case "answered":
                return ~self._failed | self[wanted.attribute]
            case "single":
                return ~self["messaging.batch.message_count"]
            case "with server.address":
                return self["server.address"]
            case "with network.peer.address":
                return self["network.peer.address"]
            case "other method":
                return self._other_method
        return None

    @cached_property
    def _failed(self) -> Flags:
        failed: Flags = self.evidence.status[self.rows] == STATUS_CODES.index("error")
        if self.least_failure is not None:
            codes = self.evidence.number(*_ANSWERS)
            failed |= (codes >= self.least_failure).fill_null(value=False).to_numpy()[self.rows]
        return failed

    @cached_property
    def _other_method(self) -> Flags:
        numbers, methods = self.evidence.numbers("span.http.request.method")
        other = np.flatnonzero((methods == "_OTHER").to_numpy()) if methods.len() else np.empty(0)
        marks: Flags = np.isin(numbers[self.rows], other)
        return marks


def _olds(evidence: Evidence, attribute: str, section: str) -> list[str]:
    """List the old names of an attribute that any span carries."""
    at_server = section.endswith("server")
    return [
        old
        for old in _PREDECESSORS.get(attribute, ())
        if f"span.{old}" in evidence.attributes
        and not (old in _DEPENDS_ON_KIND and attribute.startswith("client." if not at_server else "server."))
    ]


def _most_frequent(olds: dict[str, Flags], number: Ints, size: int) -> pl.Series:
    """Name the old name that most spans of each group have, null where none has one."""
    if not olds:
        return pl.repeat(None, size, dtype=pl.String, eager=True)
    counts = np.stack([np.bincount(number[marks], minlength=size) for marks in olds.values()])
    names = pl.Series(list(olds)).gather(counts.argmax(axis=0))
    return names.set(pl.Series(counts.max(axis=0) == 0), None)


def _of_ids(evidence: Evidence) -> pl.DataFrame:
    """Count the requests whose service knows whom and what they are about."""
    requests = np.flatnonzero(evidence.frame["entry"].to_numpy())
    keys = {_USER} | {
        name.removeprefix("span.") for name in evidence.attributes if name.startswith("span.") and _ID.search(name[5:])
    }
    if not requests.size:
        return _nothing()
    visit, _ = renumbered(evidence.trace * evidence.services.len() + evidence.service)
    counted = [_nothing()]
    for key in sorted(keys):
        carries = evidence.carries(f"span.{key}").to_numpy()
        of_visit, of_trace = (np.zeros(int(number.max()) + 1, dtype=bool) for number in (visit, evidence.trace))
        of_visit[visit[carries]] = True
        of_trace[evidence.trace[carries]] = True
        due = requests if key == _USER else requests[of_trace[evidence.trace[requests]]]
        has = due[of_visit[visit[due]]]
        spans, carried = (np.bincount(evidence.service[rows], minlength=evidence.services.len()) for rows in (due, has))
        counted.append(
            pl.DataFrame({"service_name": evidence.services, "spans": spans, "carried": carried})
            .filter(pl.col("spans") > 0)
            .with_columns(
                domain=pl.lit("ids"),
                span_kind=pl.lit(None, dtype=KIND),
                attribute=pl.lit(key),
                level=pl.lit("useful"),
                condition=pl.lit(None if key == _USER else "if the trace knows it", dtype=pl.String),
                old_name=pl.lit(None, dtype=pl.String),
                carried_old=pl.lit(0),
                stability=pl.lit(None, dtype=pl.String),
            )
            .select(pl.col(name).cast(dtype) for name, dtype in _COUNTS.items())
        )
    return pl.concat(counted)


def _nothing() -> pl.DataFrame:
    """Give the frame of no counts."""
    return pl.DataFrame(schema=_COUNTS)
