"""The functions that rules may call: what each is given, what it gives, and how that is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.findings import SEVERITIES
from tracelab.checking.rules.quantities import quantity
from tracelab.errors import TracelabError
from tracelab.options import choice, flag, shown, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.checking.rules.nodes import Unit

Reads: TypeAlias = Literal[
    "text", "flag", "quantile", "share", "growth", "duration", "many", "severity", "rule", "dump"
]


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    Attributes
    ----------
    reads
        What it may be given, by name.
    positional
        What stands first without its name.
    required
        What it must be given.
    unit
        What it gives; what gives nothing to compare counts what must not be there.
    is_claim
        Whether the rule says all by its name, and has no limit to compare with.
    limit
        Of a claim the argument that says how much is let pass; empty where nothing is.
    baseline
        Whether a baseline is needed.
    """

    reads: Mapping[str, Reads]
    positional: tuple[str, ...] = ("name",)
    required: tuple[str, ...] = ()
    unit: Unit = "count"
    is_claim: bool = False
    limit: str = ""
    baseline: bool = False


_SPANS: Final[dict[str, Reads]] = dict.fromkeys(("name", "service", "route", "where"), "text")
_ENTRY: Final[dict[str, Reads]] = {**_SPANS, "entry_only": "flag"}
_ROUTE: Final[dict[str, Reads]] = dict.fromkeys(("route", "service", "where"), "text")
_CALLS: Final[dict[str, Reads]] = dict.fromkeys(("name", "service", "where"), "text")
_OF: Final[dict[str, Reads]] = dict.fromkeys(("service", "where"), "text")


def _claim(reads: dict[str, Reads], **more: Any) -> Function:
    return Function(reads, is_claim=True, **more)


FUNCTIONS: Final[dict[str, Function]] = {
    "quantile": Function({"quantile": "quantile", **_ENTRY}, ("quantile", "name"), ("quantile",), "nanoseconds"),
    "max": Function(_ENTRY, unit="nanoseconds"),
    "error_rate": Function(_ENTRY, unit="share"),
    "failure_rate": Function(_ROUTE, ("route",), unit="share"),
    "critical_share": Function({**_CALLS, "of": "text"}, unit="share"),
    "requests": Function(_SPANS),
    "spans": Function(_ENTRY),
    "no_errors": _claim(_ENTRY),
    "no_repeated_calls": _claim({"min": "many", **_CALLS}),
    "no_gaps": _claim({"min": "duration", **_CALLS}, required=("min",)),
    "no_audit_findings": _claim({"severity": "severity", "rule": "rule", **_OF}, positional=("rule",)),
    "no_new_edges": _claim({**_OF, "than": "dump"}, positional=("than",), baseline=True),
    "no_new_errors": _claim({**_OF, "than": "dump"}, positional=("than",), baseline=True),
    "not_slower": _claim(
        {"by": "growth", "than": "dump", "quantile": "quantile", **_ENTRY},
        required=("by",),
        unit="share",
        limit="by",
        baseline=True,
    ),
    "not_failing_more": _claim(
        {"by": "share", "than": "dump", **_ENTRY}, required=("by",), unit="share", limit="by", baseline=True
    ),
}

MEANT: Final = {
    "mean": "a mean hides how long the slow ones take: write p50 or p95",
    "avg": "a mean hides how long the slow ones take: write p50 or p95",
    "average": "a mean hides how long the slow ones take: write p50 or p95",
    "median": "write p50",
    "latency": "write p50, p95 or another percentile",
    "duration": "write p50, p95 or another percentile",
    "percentile": "write p95, or quantile(0.95)",
    "count": "write requests or spans",
    "errors": "write error_rate or no_errors",
    "failures": "write failure_rate",
}
"""What other languages call it, and what to write here."""

_TEXTS: Final = {"where": "`where` is TraceQL"}


def read(name: str, reads: Reads, value: Any) -> Any:
    """Read what a function is given.

    Raises
    ------
    TracelabError
        It is not what belongs there.
    """
    match reads:
        case "text":
            if isinstance(value, str) and value:
                return value
            raise TracelabError(f"{_TEXTS.get(name, f'`{name}` is a text')}, got {shown(value)}")
        case "flag":
            return flag(name, value)
        case "quantile":
            return _quantile(value)
        case "growth":
            return quantity(f"`{name}`", value, "share", most=100.0)
        case "share":
            return quantity(f"`{name}`", value, "share")
        case "duration":
            return quantity(f"`{name}`", value, "nanoseconds")
        case "many":
            return whole(name, int(value) if isinstance(value, float) and value.is_integer() else value, least=2)
        case "severity":
            return choice(name, value, SEVERITIES)
        case "rule":
            return choice(name, value, list(DESCRIPTIONS))
        case "dump":
            return value


def _quantile(value: Any) -> float:
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise TracelabError(f"a quantile lies between 0 and 1, got {shown(value)}: the 95th percentile is 0.95")
