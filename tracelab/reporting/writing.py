"""One HTML file that opens anywhere, without a network: what is wrong in sentences, then the evidence."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tracelab.conforming import conform, takes_any_frame
from tracelab.errors import TracelabError, warn_caller
from tracelab.files import check_target, replacing
from tracelab.options import file_path, flag, shown
from tracelab.report_overview import BY, keys_of
from tracelab.reporting.page.composing import STEPS, page_of
from tracelab.reporting.page.evidence import ANSWERS, gathered
from tracelab.reporting.page.links import checked_url
from tracelab.reporting.page.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from tracelab.analysis.grouping import By, Spans
    from tracelab.reporting.page.evidence import Evidence


@takes_any_frame
def write_report(
    spans: Spans,
    path: str | Path,
    *,
    baseline: Any = None,
    by: By = BY,
    title: str | None = None,
    trace_url: str | None = None,
    notes: str | Sequence[str] = (),
    progress: bool | None = None,
) -> None:
    """Write a report on all traces as one HTML file that needs no network.

    It begins with what is wrong, the most harmful first, in sentences that lead to their evidence. Then come requests
    by service and route, what callers saw, where errors start, where the time goes, repeated calls and gaps, what is
    wrong with the instrumentation and with clocks, who calls whom, and a timeline of each kind of failing and of slow
    request. Tables can be sorted and filtered; long ones show their first rows and say of how many.

    Parameters
    ----------
    spans
        A span frame. Pass whole traces.
    path
        The file to write; one that is there is replaced once the new one is whole.
    baseline
        Other spans to hold these beside, such as those of the version before: any frame that goes in as `spans` does.
    by
        What requests are told apart by: a column, an attribute's key, an expression, or a list of these; None:
        everything together. `route` is the method and route of a request, else the name of its span, where the spans
        have no column of that name.
    title
        The heading; by default the services' names.
    trace_url
        The address of a trace in the pages of your tracing server, with `{trace_id}` where its id goes, such as
        `http://jaeger:16686/trace/{trace_id}`. Then the ids in tables lead there; without, to timelines in the page,
        as far as these are drawn.
    notes
        What else the report rests on, a sentence or several, such as what was repaired when the spans were read.
    progress
        Show a progress bar; without it one is shown where there are many spans and somebody watches.

    Raises
    ------
    TracelabError
        The frame holds no spans, or an option is not what it should be.
    SchemaError
        The baseline cannot be conformed.
    SourceError
        The path is none, or the file cannot be written.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from tracelab.synthetic import draw
    >>> with TemporaryDirectory() as folder:
    ...     write_report(draw("api ====="), f"{folder}/report.html")
    ...     "api" in Path(f"{folder}/report.html").read_text(encoding="utf-8")
    True
    """
    written(spans, path, baseline=baseline, by=by, title=title, trace_url=trace_url, notes=notes, progress=progress)


def written(
    spans: Spans,
    path: str | Path,
    *,
    baseline: Any = None,
    by: By = BY,
    title: str | None = None,
    trace_url: str | None = None,
    notes: str | Sequence[str] = (),
    progress: bool | None = None,
) -> Evidence:
    """Do what `write_report` does, and give the answers that the page rests on, to whoever shows some of them too."""
    target = file_path("path", path)
    check_target(target)
    address = checked_url(trace_url)
    sentences = _sentences(notes)
    if title is not None and not isinstance(title, str):
        raise TracelabError(f"`title` must be text, got {shown(title)}.")
    if progress is not None:
        flag("progress", progress)
    frame = spans.lazy().collect()
    if frame.is_empty():
        raise TracelabError("There are no spans to report on. Pass a frame that holds at least one trace.")
    before = None if baseline is None else _baseline(baseline)
    keys_of(frame, by)
    with _each_warning_once(), Steps(ANSWERS + STEPS, frame.height, progress=progress) as steps:
        evidence = gathered(frame, before, by=by, steps=steps)
        page = page_of(evidence, title=title, trace_url=address, notes=sentences, steps=steps)
    with replacing(target) as part:
        part.write_text(page, encoding="utf-8")
    return evidence


def _sentences(notes: Any) -> list[str]:
    some = [notes] if isinstance(notes, str) else notes
    if not isinstance(some, list | tuple) or not all(isinstance(each, str) for each in some):
        raise TracelabError(f"`notes` must be a text or a list of texts, got {shown(notes)}.")
    return list(some)


def _baseline(baseline: Any) -> pl.DataFrame:
    frame: pl.DataFrame = conform(baseline).lazy().collect()
    if frame.is_empty():
        raise TracelabError("The baseline holds no spans. Pass a frame that holds at least one trace, or none at all.")
    return frame


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Say at the caller's line, and once, what several answers warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for message, category in dict.fromkeys((str(each.message), each.category) for each in caught):
        warn_caller(message, category)
