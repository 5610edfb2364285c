"""Dumps that come piece by piece, as servers give them: each is decoded when it comes, all are one frame in the end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl

from tracelab.errors import LoadError
from tracelab.loaders.columns.assemble import assemble
from tracelab.loaders.columns.chunk import Chunk
from tracelab.loaders.input.sources import Source, Stream
from tracelab.loaders.reading import chunks_in, without_garbage_collection
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings, SourceFindings, report_frame, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.report.findings import Problem

TRACES = {"trace_id": pl.String(), "start_time": pl.Int64()}


def decoded(content: bytes, place: str, format: str) -> tuple[list[Chunk], SourceFindings]:  # noqa: A002 - the word that fits
    """Decode what stands in memory, without putting it together yet.

    Raises
    ------
    LoadError
        There are no spans in it.
    """
    one = SourceFindings(place, "unknown")
    chunks = []
    with without_garbage_collection():
        stream = Stream(Source(place, len(content), lambda: io.BytesIO(content)), lambda _: None)
        for chunk in chunks_in(stream, format, one, None):
            if not isinstance(chunk, Chunk):
                raise LoadError(f"{place}: no spans came, but a file of columns.")
            chunks.append(chunk)
    return chunks, one


class Pieces:
    """What came of one source so far, and what was noticed."""

    def __init__(self, name: str, format: str) -> None:  # noqa: A002 - the word that fits
        self.name = name
        self._found = SourceFindings(name, format)
        self._format = format
        self._chunks: list[tuple[int, Chunk]] = []

    def add(self, content: bytes, place: str) -> pl.DataFrame:
        """Decode a piece; gives its traces and when each began: `trace_id`, `start_time` (nanoseconds).

        Raises
        ------
        LoadError
            There are no spans in it; nothing of it is kept.
        """
        chunks, one = decoded(content, place, self._format)
        self._found.format = one.format
        for finding in one.findings.found.values():
            finding.place = f"{place}, {finding.place}" if finding.place else place
        self._found.findings.merge(one.findings)
        self._chunks += [(0, chunk) for chunk in chunks]
        begun = [chunk.spans.select("trace_id", "start_time") for chunk in chunks]
        return pl.concat([pl.DataFrame(schema=TRACES), *begun]).group_by("trace_id").agg(pl.col("start_time").min())

    def note(self, problem: Problem, count: int = 1, *, place: str = "", example: str = "") -> None:
        """Count what went wrong with what did not come."""
        self._found.findings.add(problem, count, place=place, example=example)

    def frame(self, chosen: Callable[[pl.DataFrame], pl.DataFrame] | None = None) -> pl.DataFrame:
        """Put everything together that came, or only what is `chosen` of it; to be called once.

        What came in several pieces was asked for several times: that is no problem of the source, and counts once.
        """
        findings, overall = self._found.findings, Findings()
        spans = assemble(self._chunks, [findings], overall)
        findings.merge(overall)
        findings.found.pop(problems.DUPLICATE_SPANS.name, None)
        if chosen is not None:
            spans = chosen(spans)
        findings.spans = spans.height
        return spans

    def report(self) -> pl.DataFrame:
        """Give what was noticed, as `load_report` does."""
        return report_frame([self._found])

    def warning(self) -> str | None:
        """Sum up what is notable, if anything is."""
        return summary([self._found])
