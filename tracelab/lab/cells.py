"""What a fresh notebook about a dump says and asks, in order; all of it holds for any dump.

The words claim nothing that an output might not show: there may be one span or millions, no service name, no
attribute and no error.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple


class Cell(NamedTuple):
    """A cell of a notebook, without outputs."""

    kind: Literal["markdown", "code"]
    text: str


def cells(*, title: str, source: Source) -> tuple[Cell, ...]:
    """Give the cells of a notebook.

    Parameters
    ----------
    title
        What the notebook is about, as markdown.
    source
        Where the spans come from.
    """
    return (
        Cell("markdown", _TITLE.format(title=title, more=source.more).strip()),
        Cell(
            "code", _READ.format(spans=source.spans, modules="import os\n\n" if "os." in source.spans else "").strip()
        ),
        *(Cell(kind, text.strip()) for kind, text in _BEFORE),
        Cell("code", source.report),
        *(Cell(kind, text.strip()) for kind, text in _QUESTIONS),
    )


class Source(NamedTuple):
    """Where spans come from, as Python: lines that make `spans`, and one that lists what had to be repaired."""

    spans: str
    report: str
    more: str = ""

    @classmethod
    def of_dump(cls, literal: str) -> Source:
        """Read what `read` is given."""
        return cls(f"dump = {literal}\nspans = tl.read(dump)", "tl.load_report(dump)")

    @classmethod
    def of_server(cls, call: str) -> Source:
        """Fetch with a call."""
        return cls(f"spans = {call}", "tl.fetch_report()", " Each run fetches what the server has then.")


# Only these two are filled in, so braces stand for themselves everywhere else.
_TITLE: Final = """
# Traces in {title}

*Run > Run All Cells* fills this notebook. It is yours: change it, save it, add cells.{more}
"""

_READ: Final = """
%load_ext tracelab
{modules}import polars as pl

import tracelab as tl

{spans}
tl.show(spans, rows=5)
"""

_BEFORE: Final[tuple[tuple[Literal["markdown", "code"], str], ...]] = (
    (
        "markdown",
        """
`spans` is a polars frame with one row per span. Everything that polars can do works on it. `%load_ext tracelab` lets
frames show `1.02 s` and `4.0 %`; what is in them stays as it was.

## What had to be repaired

What reading repaired, skipped or guessed, counted. The row `spans` is the number of spans in the dump.
""",
    ),
)

_QUESTIONS: Final[tuple[tuple[Literal["markdown", "code"], str], ...]] = (
    (
        "markdown",
        """
## What is in it
""",
    ),
    (
        "code",
        """
spans.select(
    spans=pl.len(),
    traces=pl.col("trace_id").n_unique(),
    services=pl.col("service_name").n_unique(),
    failed_spans=tl.is_error().sum(),
    first_start=pl.col("start_time").min(),
    last_end=(pl.col("start_time") + pl.col("duration")).max(),
)
""",
    ),
    (
        "markdown",
        """
Attributes are columns, under the scope that they had. These are the ones that the spans carry.
""",
    ),
    ("code", 'tl.attributes(spans).select("name", "dtype", "spans", "distinct", "examples")'),
    (
        "markdown",
        """
## What stands out?

In sentences, the most harmful first; what may be chance is not said, so that there may be none.
""",
    ),
    ("code", 'tl.findings(spans).select("finding", "subject", "exemplar_trace_id")'),
    (
        "markdown",
        """
## How slow is each service?

Over entry spans: a request counts once for each service that it enters. The two bounds beside each percentile enclose
the true one with 95 % confidence; one that is missing means that there are too few spans for it. The slowest service
comes first.
""",
    ),
    ("code", 'tl.latency_percentiles(spans, by="service_name", wide=True)'),
    ("code", 'tl.plot_latency_percentiles(spans, by="service_name")'),
    (
        "markdown",
        """
## What did callers see?

One row for each way in and how it was answered, counted in requests, the failed ones first. `origins` says where such
failures started.
""",
    ),
    ("code", "tl.outcomes(spans)"),
    (
        "markdown",
        """
## Which services fail?

Entry spans again, with the share of them that failed.
""",
    ),
    ("code", 'tl.error_rates(spans, by="service_name").sort("error_rate", "service_name", descending=[True, False])'),
    (
        "markdown",
        """
Where errors start: the deepest failing span of each failing branch, alike ones together. `requests` are those that had
such an error, `reached_requests` those whose caller got it as the answer. Without rows there was no error.
""",
    ),
    (
        "code",
        """
tl.error_origins(spans).select(
    "service_name", "name", "exception_type", "message", "errors", "requests", "reached_requests", "swallowed_by"
)
""",
    ),
    (
        "markdown",
        """
## Where does the time go?

The critical path of a trace is the work that its end had to wait for. `time` adds the paths of all traces up, and
`share` is the part of the whole.
""",
    ),
    (
        "code",
        """
profile = tl.critical_path_profile(spans)
profile.select("service_name", "name", "time", "share", "traces", "mean", "p95").head(10)
""",
    ),
    (
        "markdown",
        """
## Which traces are slow?
""",
    ),
    (
        "code",
        """
slowest = tl.trace_summary(spans).sort("duration", "trace_id", descending=[True, False])
slowest.select("trace_id", "service_name", "name", "start_time", "duration", "spans", "errors").head(10)
""",
    ),
    (
        "markdown",
        """
## Ask with TraceQL

Which traces hold a span that failed, or one that is as slow as the slowest hundredth of all spans? `matched` counts
such spans.
""",
    ),
    (
        "code",
        """
limit = spans["duration"].dt.total_nanoseconds().sort(descending=True)[spans.height // 100]
question = f"{{ status = error || duration >= {limit}ns }}"
found = tl.search(spans, question)
found.select("trace_id", "root_service_name", "root_name", "start_time", "duration", "matched").head(10)
""",
    ),
    (
        "markdown",
        """
## The slowest trace, span by span

Click a bar to see its attributes and events. What you click comes back to Python: in a new cell, `gantt.selected` is
that span as a frame.
""",
    ),
    (
        "code",
        """
gantt = tl.widgets.Gantt(spans, slowest["trace_id"][0])
gantt
""",
    ),
)
