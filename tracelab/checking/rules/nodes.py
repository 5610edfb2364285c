"""The nodes of a rule: what is measured of which spans, and what that must be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Unit: TypeAlias = Literal["nanoseconds", "share", "count"]
Operator: TypeAlias = Literal["<", "<=", ">", ">="]
Severity: TypeAlias = Literal["warning", "error"]

OPERATORS: Final[tuple[Operator, ...]] = ("<=", ">=", "<", ">")
SEVERITIES: Final[tuple[Severity, ...]] = ("warning", "error")


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is given, each argument checked and in its own unit.

    Attributes
    ----------
    function
        The name of the function; that of every quantile is `quantile`.
    arguments
        What it is given, by name, those that were left out not among them.
    at
        Where it stands in the text of the rule.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    at: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a figure must be: nanoseconds, a share of 1, or a count."""

    operator: Operator
    limit: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes
    ----------
    text
        How it was written.
    call, comparison
        What is measured, and what that must be.
    name
        What it is called.
    where
        TraceQL for the spans that it is about, beside what the call says; None for all.
    severity
        Whether a build fails where it does not hold.
    optional
        Whether there may be nothing to judge it by.
    line
        Where it stands in its file; None where it stands in none.
    """

    text: str
    call: Call
    comparison: Comparison
    name: str = ""
    where: str | None = None
    severity: Severity = "error"
    optional: bool = False
    line: int | None = None
