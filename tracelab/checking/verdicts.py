"""Whether a rule holds: what the interval of a figure says of a limit, and that in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tracelab.checking.measuring.functions import MEASURES
from tracelab.checking.rules.quantities import in_words, limit_in_words
from tracelab.errors import QueryError, RuleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.checking.measuring.evidence import Evidence
    from tracelab.checking.measuring.measured import Measured
    from tracelab.checking.rules.nodes import Call, Comparison, Rule, Unit

Verdict: TypeAlias = Literal["fails", "not tested", "cannot tell", "holds"]

VERDICTS: Final[tuple[Verdict, ...]] = ("fails", "not tested", "cannot tell", "holds")
"""The worst first."""

FAILS, NOT_TESTED, CANNOT_TELL, HOLDS = VERDICTS
_WANTED: Final = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a rule."""

    rule: Rule
    unit: Unit
    verdict: Verdict
    measured: Measured

    def message(self) -> str:
        """Say what was seen, and what was wanted."""
        measured = self.measured
        if measured.value is None:
            return f"{self.verdict}, n = 0: {measured.told}"
        seen = f"{measured.told}{self._wanted()}"
        if self.verdict != CANNOT_TELL:
            return f"{seen}."
        hint = f" ({measured.hint})" if measured.hint else ""
        return f"cannot tell, n = {measured.n:,}: {seen}{hint}."

    def _wanted(self) -> str:
        comparison = self.rule.comparison
        if self.unit == "count" and comparison.operator == "<=" and not comparison.limit:
            return ""
        limit, value = comparison.limit, self.measured.value
        wanted = f"; {_WANTED[comparison.operator]} {limit_in_words(limit, self.unit)} is wanted"
        if self.verdict != FAILS or value is None or value == limit:
            return wanted
        if in_words(value, self.unit) != in_words(limit, self.unit):
            return wanted
        # It is missed by less than the figure is rounded by, and would read as if it held.
        return f"{wanted}, which is {in_words(abs(value - limit), self.unit)} {'less' if value > limit else 'more'}"


def judged(rule: Rule, unit: Unit, evidence: Evidence) -> Judgement:
    """Measure what a rule asks for, and compare.

    Raises
    ------
    RuleError
        A query in it is none.
    """
    arguments = rule.call.arguments
    wheres = tuple(dict.fromkeys(where for where in (arguments.get("where"), rule.where) if where is not None))
    try:
        measured = MEASURES[rule.call.function](evidence, arguments, wheres, rule.comparison)
    except QueryError as error:
        said = str(error) if error.position is None else str(error).rsplit("\n", 2)[0]
        message = f"{_place(rule)}, `where`: {said}"
        raise RuleError(message, source=error.source, position=error.position) from error
    return Judgement(rule, unit, verdict_of(measured, rule.comparison, optional=rule.optional), measured)


def badness(row: Mapping[str, Any]) -> tuple[int, bool]:
    """Rank a row of verdicts: what fails first, errors before warnings."""
    return VERDICTS.index(row["verdict"]), row["severity"] == "warning"


def verdict_of(measured: Measured, comparison: Comparison, *, optional: bool = False) -> Verdict:
    """Say what an interval tells: a rule fails, or holds, where all of it lies on one side of the limit."""
    if measured.value is None:
        return CANNOT_TELL if optional else NOT_TESTED
    lower, upper, limit = measured.lower, measured.upper, comparison.limit
    match comparison.operator:
        case "<":
            fails, holds = lower is not None and lower >= limit, upper is not None and upper < limit
        case "<=":
            fails, holds = lower is not None and lower > limit, upper is not None and upper <= limit
        case ">":
            fails, holds = upper is not None and upper <= limit, lower is not None and lower > limit
        case ">=":
            fails, holds = upper is not None and upper < limit, lower is not None and lower >= limit
    return FAILS if fails else HOLDS if holds else CANNOT_TELL


def spelled(name: str, call: Call, comparison: Comparison | None, unit: Unit) -> str:
    """Write a call as a rule has it, `name` being what the function was called by."""
    arguments: Mapping[str, Any] = call.arguments
    preset = {"quantile"} if name != "quantile" and call.function == "quantile" else set()
    said = ", ".join(
        _value(value) if key == "name" else f"{key}={_value(value)}"
        for key, value in arguments.items()
        if key not in preset
    )
    text = f"{name}({said})"
    return text if comparison is None else f'{text} {comparison.operator} "{limit_in_words(comparison.limit, unit)}"'


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _place(rule: Rule) -> str:
    return f"the rule in line {rule.line}" if rule.line else f"the rule {rule.name:.80}"
