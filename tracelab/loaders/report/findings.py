"""What the loaders repaired, skipped or guessed: counted per source and kind, with the first place and an example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from tracelab.errors import LoadError

Action = Literal["read", "repaired", "guessed", "kept", "dropped", "skipped"]
ACTIONS: Final = ("read", "repaired", "guessed", "kept", "dropped", "skipped")

REPORT_SCHEMA: Final = pl.Schema(
    {
        "source": pl.String(),
        "format": pl.String(),
        "problem": pl.String(),
        "action": pl.Enum(ACTIONS),
        "count": pl.Int64(),
        "lost_spans": pl.Int64(),
        "first_place": pl.String(),
        "example": pl.String(),
        "explanation": pl.String(),
    }
)

_EXAMPLE_WIDTH: Final = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem. Notable ones are warned of, and stop a strict reading."""

    name: str
    action: Action
    explanation: str
    notable: bool = True


@dataclass(slots=True)
class Finding:
    """How often one kind of problem was met in one source."""

    problem: Problem
    count: int = 0
    lost_spans: int = 0
    place: str = ""
    example: str = ""


@dataclass(slots=True)
class Findings:
    """The findings in one source, or in a piece of one."""

    found: dict[str, Finding] = field(default_factory=dict)
    spans: int = 0

    def add(
        self, problem: Problem, count: int = 1, *, place: str = "", example: object = None, lost_spans: int = 0
    ) -> None:
        """Count a problem; the first place and example are kept."""
        if count <= 0:
            return
        finding = self.found.get(problem.name)
        if finding is None:
            finding = self.found[problem.name] = Finding(problem, place=place, example=_shown(example))
        finding.count += count
        finding.lost_spans += lost_spans

    def merge(self, later: Findings) -> None:
        """Add what was found in a later piece of the same source."""
        self.spans += later.spans
        for name, other in later.found.items():
            finding = self.found.setdefault(name, Finding(other.problem, place=other.place, example=other.example))
            finding.count += other.count
            finding.lost_spans += other.lost_spans

    def lost_spans(self) -> int:
        """Give the number of spans that were read but are not in the frame."""
        return sum(finding.lost_spans for finding in self.found.values())

    def raise_first(self, source: str) -> None:
        """Raise for the first notable problem: what `strict` means."""
        for finding in self.found.values():
            if finding.problem.notable:
                where = f", {finding.place}" if finding.place else ""
                example = f" ({finding.example})" if finding.example else ""
                raise LoadError(
                    f"{source}{where}: {finding.problem.name}{example}. {finding.problem.explanation} "
                    "Read it with strict=False to have it done."
                )


@dataclass(slots=True)
class SourceFindings:
    """The findings in one source, under its name and format."""

    source: str
    format: str
    findings: Findings = field(default_factory=Findings)


def report_frame(sources: list[SourceFindings]) -> pl.DataFrame:
    """Make the frame that `load_report` gives."""
    rows = []
    for source in sources:
        findings = source.findings
        rows.append((source.source, source.format, "spans", "read", findings.spans, 0, "", "", "Spans in this source."))
        rows.extend(
            (
                source.source,
                source.format,
                finding.problem.name,
                finding.problem.action,
                finding.count,
                finding.lost_spans,
                finding.place,
                finding.example,
                finding.problem.explanation,
            )
            for finding in sorted(findings.found.values(), key=lambda finding: finding.problem.name)
        )
    return pl.DataFrame(rows, schema=REPORT_SCHEMA, orient="row")


def summary(sources: list[SourceFindings]) -> str | None:
    """Sum up what is notable in one text; None if nothing is."""
    notable: dict[str, Finding] = {}
    where: dict[str, str] = {}
    for source in sources:
        for finding in source.findings.found.values():
            if finding.problem.notable:
                total = notable.setdefault(finding.problem.name, Finding(finding.problem))
                total.count += finding.count
                total.lost_spans += finding.lost_spans
                place = f", {finding.place}" if finding.place else ""
                where.setdefault(finding.problem.name, f"{source.source}{place}")
    if not notable:
        return None
    order = sorted(notable.values(), key=lambda finding: (-finding.lost_spans, -finding.count, finding.problem.name))
    texts = [
        f"{finding.problem.name} ({finding.problem.action}: {finding.count:,}; first in {where[finding.problem.name]})"
        for finding in order[:4]
    ]
    more = f", and {len(order) - 4} more kinds" if len(order) > 4 else ""
    return f"{'; '.join(texts)}{more}. tracelab.load_report(source) lists everything that was noticed."


def _shown(example: object) -> str:
    if example is None:
        return ""
    try:
        text = example if isinstance(example, str) else repr(example)
    except RecursionError:
        return "nested too deep to be shown"
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _EXAMPLE_WIDTH else text[: _EXAMPLE_WIDTH - 1] + "…"
