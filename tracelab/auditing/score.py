"""The Instrumentation Score of each service, as far as traces tell it.

The specification (version 0.1) has 19 rules, of which traces show some; the others are not assessable here, and the
score is that of the rest. Rules of our own stay out of it, as the specification demands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, INTERNAL, Evidence
from tracelab.auditing.measures.levels import misplaced
from tracelab.conforming import takes_any_frame
from tracelab.display.words import format_number
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Flags, Ints

WEIGHTS: Final = {"critical": 40, "important": 30, "normal": 20, "low": 10}
BANDS: Final = {"poor": 0, "needs improvement": 50, "good": 75, "excellent": 90}
"""Where each band begins. The specification names integers only: what is between two bands is in the lower one."""

RESULTS: Final = ("failed", "passed", "not assessable")


class Rule(NamedTuple):
    """A rule of the specification."""

    target: str
    impact: str
    criterion: str


SPECIFICATION: Final = {
    "RES-001": Rule("resource", "normal", "Resources have service.instance.id."),
    "RES-002": Rule("resource", "important", "service.instance.id is unique across the resources of a service."),
    "RES-003": Rule("resource", "important", "Resources that describe Kubernetes pods have k8s.pod.uid."),
    "RES-004": Rule("resource, log, span", "important", "Attributes of the conventions stand at the right level."),
    "RES-005": Rule("resource", "critical", "service.name is a text that is not empty."),
    "SPA-001": Rule("span", "normal", "A trace has at most 10 internal spans of a service."),
    "SPA-002": Rule("span", "normal", "Every parent is in the same trace."),
    "SPA-003": Rule("span", "important", "Span names are of bounded cardinality (the criterion is still open)."),
    "SPA-004": Rule("span", "important", "Root spans are not of kind client."),
    "SPA-005": Rule("span", "important", "A trace has at most 20 spans of a service that are shorter than 5 ms."),
    "LOG-001": Rule("log", "important", "Production has no debug logs for longer than 14 days."),
    "LOG-002": Rule("log", "important", "Logs have a severity."),
    "MET-001": Rule("metric", "important", "An attribute has less than 10,000 values per metric and hour."),
    "MET-002": Rule("metric", "important", "Metrics have a unit."),
    "MET-003": Rule("metric", "important", "A metric has one unit."),
    "MET-004": Rule("metric", "normal", "A histogram has the same buckets everywhere."),
    "MET-005": Rule("metric", "normal", "Names of metrics do not hold the unit."),
    "MET-006": Rule("metric", "important", "Names of metrics are none of attributes of the conventions."),
    "SDK-001": Rule("sdk", "low", "Versions of languages and runtimes are supported by the SDK."),
}
"""The 19 rules of the specification."""

_SCORE: Final = pl.Schema(
    {
        "service_name": pl.String(),
        "score": pl.Float64(),
        "band": pl.Enum(tuple(BANDS)),
        "incomplete": pl.Boolean(),
        "assessed": pl.UInt32(),
        "rule": pl.String(),
        "result": pl.Enum(RESULTS),
        "target": pl.String(),
        "impact": pl.Enum(tuple(WEIGHTS)),
        "weight": pl.UInt32(),
        "criterion": pl.String(),
        "count": pl.UInt32(),
        "out_of": pl.UInt32(),
        "seen": pl.String(),
        "exemplar_trace_ids": pl.List(pl.String()),
        "exemplar_span_ids": pl.List(pl.String()),
    }
)
_EXEMPLARS: Final = 5
_MOST_INTERNAL: Final = 10
_MOST_SHORT: Final = 20
_SHORT: Final = 5_000_000
_INSTANCE: Final = "resource.service.instance.id"
_POD: Final = ("resource.k8s.pod.name", "resource.k8s.pod.uid", "resource.k8s.pod.ip")
_WHERE: Final = ("resource.k8s.pod.uid", "resource.k8s.pod.name", "resource.container.id", "resource.host.id")


@takes_any_frame
def instrumentation_score(spans: Spans) -> pl.DataFrame:
    """Give each service's Instrumentation Score, and what each rule of the specification says of it.

    The score is the share of the weights of the rules that a service passes, in percent (critical 40, important 30,
    normal 20, low 10); one span that offends is enough to fail a rule. It is computed over the rules that traces can
    tell, and is therefore incomplete: rules of logs, metrics and SDK versions are "not assessable", and so are SPA-003,
    whose criterion is still open, RES-002 where nothing says which resources there are, RES-003 where no pod is
    described, and RES-004 where the dump has no attributes of resources. `audit` knows more; that stays out of the
    score. RES-005 fails where there is no `service.name` at all; the name that an SDK makes up (`unknown_service:java`)
    is one. Bands begin at 90 (excellent), 75 (good) and 50 (needs improvement); a score between two, such as 89.5,
    which the specification leaves undefined, is in the lower one. Parents that sampling or the window's ends took away
    fail SPA-002 like others.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per service and rule, the lowest score first, and in a service what failed first: `service_name` (String),
    `score` (Float64, 0 to 100), `band` (Enum: poor, needs improvement, good, excellent), `incomplete` (Boolean:
    whether rules could not be assessed), `assessed` (UInt32, how many of the 19 could), `rule` (String, such as
    RES-001), `result` (Enum: failed, passed, not assessable), `target` (String), `impact` (Enum: critical, important,
    normal, low), `weight` (UInt32), `criterion` (String), `count`, `out_of` (UInt32, how many of how many offend, null
    where it is not assessable), `seen` (String: the same in words, or why it is not assessable), `exemplar_trace_ids`,
    `exemplar_span_ids` (List(String), up to five spans that offend).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("web::GET /pay ===== kind=client")
    >>> score = instrumentation_score(spans)
    >>> score.select("service_name", "score", "band", "rule", "seen").row(0)
    ('web', 68.75, 'needs improvement', 'SPA-004', '1 of 1 root spans')
    """
    frame = spans.lazy().collect()
    if not frame.height:
        return pl.DataFrame(schema=_SCORE)
    evidence = Evidence(frame)
    judged = [*_of_resources(evidence), *_of_spans(evidence)]
    told = {each.rule for each in judged}
    rows = [each.rows(evidence) for each in judged]
    rows += [_not_assessable(evidence, rule) for rule in SPECIFICATION if rule not in told]
    return scored(pl.concat(rows)).sort(_order()).select(pl.col(name).cast(dtype) for name, dtype in _SCORE.items())


def _order() -> pl.Expr:
    """Sort by the rank of the service, then by result, impact and rule: in one number, as there may be many rows."""
    orders = {"result": RESULTS, "impact": tuple(WEIGHTS), "rule": tuple(sorted(SPECIFICATION))}
    order = pl.col("rank").cast(pl.Int64)
    for name, values in orders.items():
        place = pl.col(name).replace_strict({value: at for at, value in enumerate(values)}, return_dtype=pl.Int64)
        order = order * len(values) + place
    return order


def scored(results: pl.DataFrame) -> pl.DataFrame:
    """Add the score of each service, and its rank, to the results of its rules: `service_name`, `result`, `weight`."""
    passed, assessed = (pl.col("result") == "passed"), (pl.col("result") != "not assessable")
    band = pl.lit("poor")
    for name, least in BANDS.items():
        band = pl.when(pl.col("score") >= least).then(pl.lit(name)).otherwise(band)
    services = (
        results.group_by("service_name")
        .agg(
            total=pl.col("weight").filter(assessed).sum(),
            gained=pl.col("weight").filter(passed).sum(),
            assessed=assessed.sum(),
            incomplete=(~assessed).any(),
        )
        .with_columns(score=pl.when(pl.col("total") > 0).then(100 * pl.col("gained") / pl.col("total")))
        .with_columns(band=pl.when(pl.col("score").is_not_null()).then(band))
        .sort("score", "service_name")
        .with_row_index("rank")
    )
    return results.join(services.drop("total", "gained"), on="service_name", how="left", maintain_order="left")


@dataclass(frozen=True)
class _Judged:
    """What a rule says of each service, by the service's number.

    Attributes
    ----------
    rule
        Which one.
    count, out_of
        How many offend, of how many of `unit`.
    offending
        Places of spans that show it.
    assessable
        Whether it can be told.
    """

    rule: str
    count: Ints
    out_of: Ints
    unit: str
    offending: Ints
    assessable: Flags
    why_not: str = ""

    def rows(self, evidence: Evidence) -> pl.DataFrame:
        """Put it into a row for each service."""
        result = np.where(self.assessable, np.where(self.count > 0, 0, 1), 2)
        table = _described(evidence, self.rule).with_columns(
            result=pl.Series(RESULTS).gather(result),
            count=pl.Series(self.count),
            out_of=pl.Series(self.out_of),
        )
        told = pl.col("result") != "not assessable"
        exemplars = (
            pl.DataFrame(
                {
                    "number": evidence.service[self.offending],
                    "exemplar_trace_ids": evidence.frame["trace_id"].gather(self.offending),
                    "exemplar_span_ids": evidence.frame["span_id"].gather(self.offending),
                }
            )
            .group_by("number", maintain_order=True)
            .agg(pl.all().head(_EXEMPLARS))
        )
        return (
            table.with_columns(
                seen=pl.when(told)
                .then(_in_words(self.count) + " of " + _in_words(self.out_of) + f" {self.unit}")
                .otherwise(pl.lit(self.why_not)),
                count=pl.when(told).then("count"),
                out_of=pl.when(told).then("out_of"),
            )
            .join(exemplars, on="number", how="left", maintain_order="left")
            .with_columns(pl.when(told).then(pl.col("exemplar_trace_ids", "exemplar_span_ids")).list.head(_EXEMPLARS))
            .select(_ROW)
        )


def _in_words(numbers: Ints) -> pl.Series:
    """Write numbers for people, each one once."""
    distinct, place = np.unique(numbers, return_inverse=True)
    return pl.Series([format_number(number) for number in distinct.tolist()], dtype=pl.String).gather(place)


_ROW: Final = (
    "service_name", "rule", "target", "impact", "weight", "criterion", "result", "count", "out_of", "seen",
    "exemplar_trace_ids", "exemplar_span_ids",
)  # fmt: skip


def _described(evidence: Evidence, rule: str) -> pl.DataFrame:
    """Give a rule's own columns, for each service."""
    about = SPECIFICATION[rule]
    return pl.DataFrame({"service_name": evidence.services.cast(pl.String)}).with_columns(
        number=pl.int_range(pl.len(), dtype=pl.Int64),
        rule=pl.lit(rule),
        target=pl.lit(about.target),
        impact=pl.lit(about.impact),
        weight=pl.lit(WEIGHTS[about.impact], dtype=pl.Int64),
        criterion=pl.lit(about.criterion),
    )


def _not_assessable(evidence: Evidence, rule: str) -> pl.DataFrame:
    """Say of a rule that traces cannot tell it."""
    target = SPECIFICATION[rule].target
    why = {
        "span": "the specification has no criterion yet",
        "sdk": "which versions an SDK supports is not in traces",
    }.get(target, f"traces hold no {target}s")
    ids = pl.lit(None, dtype=pl.List(pl.String()))
    return (
        _described(evidence, rule)
        .with_columns(
            result=pl.lit("not assessable"),
            count=pl.lit(None, dtype=pl.Int64),
            out_of=pl.lit(None, dtype=pl.Int64),
            seen=pl.lit(why),
            exemplar_trace_ids=ids,
            exemplar_span_ids=ids,
        )
        .select(_ROW)
    )


def _by_service(evidence: Evidence, marks: Flags) -> Ints:
    """Count marked spans by service."""
    return np.bincount(evidence.service[marks], minlength=evidence.services.len())


def _of_resources(evidence: Evidence) -> list[_Judged]:
    """Judge what is said of resources."""
    everyone = np.ones(evidence.services.len(), dtype=bool)
    spans = _by_service(evidence, np.ones(evidence.count, dtype=bool))
    instance = evidence.has(_INSTANCE)
    nameless = (evidence.services.str.strip_chars().eq("") | evidence.services.eq("unknown_service")).to_numpy()
    unnamed = nameless[evidence.service]
    pod = evidence.has(*_POD)
    no_uid = pod & ~evidence.has("resource.k8s.pod.uid")
    wrong, assessable = misplaced(evidence)
    return [
        _spans("RES-001", evidence, ~instance, spans, everyone),
        _instances(evidence, instance),
        _spans(
            "RES-003", evidence, no_uid, _by_service(evidence, pod), _by_service(evidence, pod) > 0,
            "no resource describes a pod",
        ),
        _spans(
            "RES-004", evidence, wrong, spans, _by_service(evidence, wrong | assessable) > 0,
            "the dump has no attributes of resources",
        ),
        _spans("RES-005", evidence, unnamed, spans, everyone),
    ]  # fmt: skip


def _spans(
    rule: str, evidence: Evidence, offending: Flags, out_of: Ints, assessable: Flags, why_not: str = ""
) -> _Judged:
    """Judge spans one by one."""
    count = _by_service(evidence, offending)
    return _Judged(rule, count, out_of, "spans", np.flatnonzero(offending), assessable, why_not)


def _instances(evidence: Evidence, instance: Flags) -> _Judged:
    """Judge whether resources that are told apart by pod, container or host share an instance's id."""
    place, places = evidence.numbers(*_WHERE, "resource.host.name")
    name, _ = evidence.numbers(_INSTANCE)
    rows = np.flatnonzero(instance & (place >= 0))
    size = evidence.services.len()
    pair, pairs = renumbered(evidence.service[rows] * (int(name.max(initial=0)) + 1) + name[rows])
    at, distinct = renumbered(pair * (places.len() + 1) + place[rows])
    shared = np.bincount(distinct // (places.len() + 1), minlength=pairs.size) > 1
    owner = pairs // (int(name.max(initial=0)) + 1)
    count, out_of = (np.bincount(numbers, minlength=size) for numbers in (owner[shared], owner))
    first = np.full(distinct.size, evidence.count, dtype=np.int64)
    np.minimum.at(first, at, rows)
    offending = np.sort(first[shared[distinct // (places.len() + 1)]])
    return _Judged(
        "RES-002", count, out_of, "instances", offending, out_of > 0, "nothing tells instances and where they run"
    )


def _of_spans(evidence: Evidence) -> list[_Judged]:
    """Judge the spans of traces."""
    everyone = np.ones(evidence.services.len(), dtype=bool)
    spans = _by_service(evidence, np.ones(evidence.count, dtype=bool))
    root = evidence.true_root
    return [
        _crowded("SPA-001", evidence, evidence.kind == INTERNAL, _MOST_INTERNAL),
        _spans("SPA-002", evidence, evidence.orphan, spans, everyone),
        _Judged(
            "SPA-004",
            _by_service(evidence, root & (evidence.kind == CLIENT)),
            _by_service(evidence, root),
            "root spans",
            np.flatnonzero(root & (evidence.kind == CLIENT)),
            everyone,
        ),
        _crowded("SPA-005", evidence, evidence.duration < _SHORT, _MOST_SHORT),
    ]


def _crowded(rule: str, evidence: Evidence, marks: Flags, most: int) -> _Judged:
    """Judge whether any trace has more of some spans of a service than it may have."""
    size = evidence.services.len()
    visit, visits = renumbered(evidence.trace * size + evidence.service)
    crowded = np.bincount(visit[marks], minlength=visits.size) > most
    count, out_of = (np.bincount(numbers % size, minlength=size) for numbers in (visits[crowded], visits))
    offending = np.flatnonzero(marks & crowded[visit])
    return _Judged(rule, count, out_of, "traces", offending, np.ones(size, dtype=bool))
