"""Spans that nobody sent: traces drawn as text, or generated, for tests, docstrings and teaching."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.conforming import conform
from tracelab.errors import TracelabError
from tracelab.options import choice, nanoseconds, shown, whole
from tracelab.schema import DURATION, KIND, SPAN_SCHEMA, STATUS_CODE, TIME
from tracelab.workload import planting, shop
from tracelab.workload.incidents import causes, windows

if TYPE_CHECKING:
    from collections.abc import Mapping

_BAR: Final = re.compile(r"(?P<offset>\.*)(?P<length>=*)(?P<mark>[|!]?)")
_ATTRIBUTE: Final = re.compile(r"(?P<key>[^\s=]+)=(?P<value>\"[^\"]*\"|\S*)")
_LINE: Final = re.compile(
    r"(?P<indent>\s*)(?P<label>\S(?:.*?\S)??)(?:\s+(?P<bar>\.*=*[|!]?)(?P<rest>(?:\s+[^\s=]+=(?:\"[^\"]*\"|\S*))*))?\s*"
)
_START: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)
_MILLISECOND: Final = 1_000_000
_MOST: Final = 2**31 - 1
_MOST_TRACES: Final = 1_000_000
_FEWEST_TRACES: Final = 50
# Nanoseconds of 64 bits reach from 1677 to 2262; spans take time after the start.
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC) for year in (1700, 2200))
_LONGEST_TIME: Final = 60 * 365 * 86_400 * 10**9


@dataclass(slots=True)
class _Drawn:
    """A line of the picture."""

    indent: int
    trace: int
    span_id: str
    parent_span_id: str | None
    service: str
    name: str
    offset: int = 0
    length: int = 0
    error: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    missing: bool = False


def draw(picture: str, *, start: datetime = _START) -> pl.DataFrame:
    """Make a span frame of a picture.

    Every line is a span: a label, a bar, and perhaps attributes. Indentation says who the parent is. In the bar each
    `.` is a millisecond since the trace began, each `=` a millisecond that the span lasted; a closing `!` marks an
    error, and `|` closes a span that takes no time. A label is the span's name, or `service::name` (a label without
    `::` is both). A line without a bar is a span that was never received: its children name a parent that is missing.
    Attributes are `key=value` (in quotes where they hold spaces), numbers and true/false become such; `kind`,
    `span_id` and `status` set the span's own. An empty line begins another trace.

    Parameters
    ----------
    picture
        The drawing.
    start
        When the first trace begins; each further trace begins a second after the one before it.

    Returns
    -------
    A span frame, rows as they are drawn. Trace and span ids count from 1.

    Raises
    ------
    TracelabError
        It is no text, or a line cannot be read, or `start` is no datetime.

    Examples
    --------
    >>> spans = draw('''
    ... web::GET /pay    ==========  kind=server http.response.status_code=500
    ...   bank::charge   ..======!
    ... ''')
    >>> spans.select("service_name", "name", "duration", "status_code").rows()[1]
    ('bank', 'charge', datetime.timedelta(microseconds=6000), 'error')
    """
    if not isinstance(picture, str):
        raise TracelabError(f"A drawing is text, a line per span such as 'api ..===', got {shown(picture)}.")
    begin = _nanoseconds(start)
    lines = _read(picture)
    spans = [line for line in lines if not line.missing]
    keys = sorted({key for line in spans for key in line.attributes if key not in ("kind", "status", "span_id")})
    frame = pl.DataFrame(
        {
            "trace_id": [f"{line.trace:032x}" for line in spans],
            "span_id": [line.span_id for line in spans],
            "parent_span_id": [line.parent_span_id for line in spans],
            "name": [line.name for line in spans],
            "kind": [line.attributes.get("kind", "internal") for line in spans],
            "service_name": [line.service for line in spans],
            "start_time": [begin + (line.trace - 1) * 10**9 + line.offset * _MILLISECOND for line in spans],
            "duration": [line.length * _MILLISECOND for line in spans],
            "status_code": [line.attributes.get("status", "error" if line.error else "unset") for line in spans],
            **{f"span.{key}": pl.Series([line.attributes.get(key) for line in spans], strict=False) for key in keys},
        },
        schema_overrides={"parent_span_id": pl.String(), "kind": KIND, "status_code": STATUS_CODE},
    )
    dtypes = {"trace_id": SPAN_SCHEMA["trace_id"], "start_time": TIME, "duration": DURATION}
    return conform(frame.cast({name: dtype for name, dtype in dtypes.items() if name in frame.columns}))


def generate(
    count: int = 100_000,
    *,
    seed: int = 0,
    spans_per_trace: int = 100,
    start: datetime = _START,
    span_of_time: str = "1h",
) -> pl.DataFrame:
    """Make spans of a made-up shop under load: skewed services, faults with stack traces, a long tail.

    Parameters
    ----------
    count
        How many spans, exactly.
    seed
        The same seed gives the same frame.
    spans_per_trace
        How large traces are on average. A trace of one endpoint always has the same call tree.
    start, span_of_time
        When the traces begin.

    Returns
    -------
    A span frame in tree order, with 5 to 15 attributes a span.

    Raises
    ------
    TracelabError
        A number is none or too small, or the time is none.

    Examples
    --------
    >>> spans = generate(1000, seed=1)
    >>> spans.height, spans.equals(generate(1000, seed=1))
    (1000, True)
    """
    rng = np.random.default_rng(whole("seed", seed, least=0))
    length = nanoseconds("span_of_time", span_of_time)
    if length > _LONGEST_TIME:
        raise TracelabError(f"`span_of_time` must be at most 60 years, got {shown(span_of_time)}.")
    drawn = shop.simulate(
        whole("count", count, least=0, most=_MOST),
        rng,
        spans_per_trace=whole("spans_per_trace", spans_per_trace, least=1, most=_MOST),
        start=_nanoseconds(start),
        span_of_time=length,
    )
    return conform(shop.columns(drawn, rng)).sort("tree_left")


def generate_system(
    seed: int = 0, *, traces: int = 250, faults: Mapping[str, int] | None = None, start: datetime = _START
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the spans of a random system of services, with known faults in its instrumentation.

    Parameters
    ----------
    seed
        The same seed gives the same system: 3 to 12 services in several languages that call each other over HTTP,
        gRPC and queues, with databases and services outside that record nothing.
    traces
        How many requests come, several a second.
    faults
        How many faults to plant of each kind, such as `{"context-lost-http": 1}`. Each has a place of its own; where no
        place is left, fewer are planted, and the truth tells which.
    start
        When the first request comes.

    Returns
    -------
    A span frame in tree order; and a frame with a row per fault: `kind`, `rules` (List(String), the audit's rules that
    find it), `consequences` (List(String), rules that may find it as well, and are right), `severity` (String, what it
    deserves: info, warning, error; either, where info and warning are both right), `service_name`
    (whose fault it is), `services` (List(String), those that a finding of it may name), `caller`, `callee` (where it
    belongs to an edge), `count` (Int64, the spans that show it), `findable` (Boolean: enough of them are left),
    `fault` (a sentence), `trace_ids`, `span_ids` (List(String), what it is seen by).

    Raises
    ------
    TracelabError
        A number is none or too small, or there is no such kind of fault.

    Examples
    --------
    >>> spans, truth = generate_system(1, traces=100, faults={"context-lost-http": 1})
    >>> truth.select("kind", "rules").rows()
    [('context-lost-http', ['split-trace'])]
    """
    wanted = dict(faults or {})
    for kind, count in wanted.items():
        if kind not in planting.FAULTS:
            raise TracelabError(
                f"There is no kind of fault {shown(kind)}. Kinds: {', '.join(sorted(planting.FAULTS))}."
            )
        whole(f"faults[{kind!r}]", count, least=0)
    spans, truth = planting.plant(
        np.random.default_rng(whole("seed", seed, least=0)),
        traces=whole("traces", traces, least=1, most=_MOST_TRACES),
        begin=_nanoseconds(start),
        faults=wanted,
    )
    return conform(spans).sort("tree_left"), truth


def generate_incident(
    seed: int = 0, *, kind: str = "delay", traces: int = 300, start: datetime = _START
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Make the spans of an incident: normal traffic of a random system, then traffic while one thing is wrong with it.

    Parameters
    ----------
    seed
        The same seed gives the same incident. Systems are those of `generate_system`, without faults in their
        instrumentation; in both windows some requests fail, are refused, time out or take long for no reason.
    kind
        What goes wrong. `"delay"`: an operation takes longer, at some of its calls or at all. `"errors"`: it fails more
        often. `"retries"`: it fails, may be slow as well, and its callers try again. `"slow dependency"`: a database or
        a service outside, which records nothing, takes longer to answer one service. `"lock"`: an operation waits for a
        lock that one request holds at a time. `"lossy edge"`: calls from a service to another are lost on the way, or
        their answers; who called gives up after 250 ms. How bad it is is chance too, from hardly visible on.
    traces
        How many requests come in each window. In the second one, an hour later, people ask for other things somewhat
        more or less often, and every service is somewhat more or less busy.
    start
        When the first request comes.

    Returns
    -------
    The span frames of the abnormal window and of the normal one, in tree order; and a frame of one row: `kind`,
    `service_name` (String, whose spans show the cause), `names` (List(String), what these are called), `callee`
    (String, the other end where an edge is at fault: a service, or an address), `services` (List(String), those that
    may be named for the cause: for an edge between two services either of them), `calls` (Int64, how many calls it
    hit: 10 or more), `cause` (String, how bad it is).

    Raises
    ------
    TracelabError
        A number is none or too small, or there is no such kind.

    Examples
    --------
    >>> abnormal, normal, truth = generate_incident(1, kind="lock", traces=200)
    >>> truth.select("kind", "service_name", "names").row(0)
    ('lock', 'recommender', ['load_payments'])
    """
    choice("kind", kind, causes.KINDS)
    drawn = windows.draw_incident(
        kind,
        np.random.default_rng(whole("seed", seed, least=0)),
        traces=whole("traces", traces, least=_FEWEST_TRACES, most=_MOST_TRACES, why="Fewer show no incident."),
        begin=_nanoseconds(start),
    )
    cause = drawn.cause
    truth = pl.DataFrame(
        {
            "kind": [cause.kind],
            "service_name": [cause.service_name],
            "names": [list(cause.names)],
            "callee": [cause.callee],
            "services": [list(cause.services)],
            "calls": [drawn.hit],
            "cause": [cause.severity],
        },
        schema_overrides={"callee": pl.String()},
    )
    abnormal, normal = (conform(side).sort("tree_left") for side in (drawn.abnormal, drawn.normal))
    return abnormal, normal, truth


def _nanoseconds(instant: datetime) -> int:
    if not isinstance(instant, datetime):
        raise TracelabError(f"`start` must be a datetime, got {shown(instant)}.")
    try:
        since = instant.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except (OverflowError, ValueError, OSError):
        since = timedelta.max
    if not _EARLIEST < since < _LATEST:
        raise TracelabError(f"`start` must be between the years 1700 and 2200, got {shown(instant)}.")
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def _read(picture: str) -> list[_Drawn]:
    lines: list[_Drawn] = []
    above: list[_Drawn] = []
    trace, fresh = 0, True
    for number, text in enumerate(picture.expandtabs().splitlines(), start=1):
        if not text.strip():
            fresh = True
            continue
        trace += fresh
        above = [] if fresh else above
        fresh = False
        line = _read_line(text, number, trace=trace, place=len(lines) + 1)
        above = [span for span in above if span.indent < line.indent]
        line.parent_span_id = above[-1].span_id if above else None
        above.append(line)
        lines.append(line)
    return lines


def _read_line(text: str, number: int, *, trace: int, place: int) -> _Drawn:
    found = _LINE.fullmatch(text)
    if found is None or _BAR.fullmatch(found["label"]):
        raise TracelabError(
            f"Line {number} of the drawing is no span: {text.strip()!r}. Write a label, then a bar such as ..===."
        )
    service, colons, name = found["label"].partition("::")
    bar = found["bar"]
    attributes = {key: _value(value) for key, value in _ATTRIBUTE.findall(found["rest"] or "")}
    line = _Drawn(
        indent=len(found["indent"]),
        trace=trace,
        span_id=str(attributes.get("span_id", f"{place:016x}")),
        parent_span_id=None,
        service=service,
        name=name if colons else service,
        attributes=attributes,
        missing=not bar,
    )
    if bar and (shape := _BAR.fullmatch(bar)):
        line.offset, line.length = len(shape["offset"]), len(shape["length"])
        line.error = shape["mark"] == "!"
    return line


def _value(text: str) -> bool | int | float | str:
    """Read a value as what it looks like; quotes keep it text."""
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text.strip('"')
