"""A cohort of traces as numbers: what each call path took of the critical path of each trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from tracelab.analysis.arrays import durations
from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.critical_paths.call_paths import call_path_numbers, call_path_texts
from tracelab.analysis.critical_paths.paths import path_sections
from tracelab.analysis.failures import has_failed
from tracelab.analysis.latency.self_time import self_times
from tracelab.analysis.traces import first_roots
from tracelab.clocks.hosts import host_columns
from tracelab.forest import build_forest
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.forest import Forest


By: TypeAlias = Literal["call path", "operation", "service"]
KEYS: Final[dict[By, tuple[str, ...]]] = {
    "call path": ("call_path", "service_name", "name"),
    "operation": ("service_name", "name"),
    "service": ("service_name",),
}
"""What cohorts may be laid side by side by, and the columns that name it."""
_FAILED: Final = "__failed"
_LOW: Final = 24


@dataclass(frozen=True)
class Placed:
    """Spans in places, with what is measured of them.

    Attributes
    ----------
    frame, forest
        The spans, and who is below whom.
    root
        The place of the span that begins each trace.
    path
        A number of the call path (or operation, or service) of each span, the same in all cohorts.
    own, failed
        The self time of each span, and whether it failed.
    owner, length
        Of each section of a critical path: whose it is, and how long.
    """

    frame: pl.DataFrame
    forest: Forest
    root: Ints
    path: Ints
    own: Ints
    failed: npt.NDArray[np.bool_]
    owner: Ints
    length: Ints


@dataclass(frozen=True)
class Cohort:
    """What traces took, by call path; all sums in nanoseconds.

    Attributes
    ----------
    traces
        How many traces there are.
    total
        How long each took from end to end.
    critical
        What each call path (rows) took of the critical path of each trace (columns).
    critical_sum, own_sum, duration_sum, spans, failed, having
        For each call path the sums over all traces: of the critical path, of self times, of durations; how many spans
        there are, how many of them failed, and how many traces have any.
    """

    traces: int
    total: Ints
    critical: sparse.csr_array
    critical_sum: Ints
    own_sum: Ints
    duration_sum: Ints
    spans: Ints
    failed: Ints
    having: Ints


def placed(spans: pl.DataFrame, by: By) -> Placed:
    """Put the spans of a cohort into places, and measure them."""
    frame, forest = build_forest(spans, *process_columns(spans), *host_columns(spans), has_failed(spans).alias(_FAILED))
    root, owner, length = path_of_traces(frame, forest)
    return Placed(
        frame,
        forest,
        root,
        call_path_numbers(frame, forest) if by == "call path" else _name_numbers(frame, KEYS[by]),
        self_times(frame, forest),
        frame[_FAILED].fill_null(value=False).to_numpy(),
        owner,
        length,
    )


def path_of_traces(frame: pl.DataFrame, forest: Forest) -> tuple[Ints, Ints, Ints]:
    """Give the span that begins each trace, and of each section of the critical path below it the span and the length.

    Fragments whose parents are missing are not on it.
    """
    root = first_roots(frame, forest)
    sections = path_sections(frame, forest, method="tracelab")
    leads = np.zeros(frame.height, dtype=bool)
    leads[root] = True
    counted = leads[forest.root[sections.owner]]
    return root, sections.owner[counted], (sections.end - sections.start)[counted]


def labels_of(parts: tuple[Placed, ...], by: By) -> tuple[list[Ints], pl.DataFrame]:
    """Give the call paths of all cohorts numbers from 0 on, and say what they are called and below which each is.

    Operations and services are below none.
    """
    both = np.concatenate([part.path for part in parts])
    number, distinct = _numbered(both)
    codes = np.split(number, np.cumsum([part.path.size for part in parts])[:-1])
    texts = {key: np.full(distinct, "", dtype=object) for key in KEYS[by]}
    parent = np.full(distinct, -1, dtype=np.int64)
    missing = np.ones(distinct, dtype=bool)
    for part, code in zip(parts, codes, strict=True):
        first = np.full(distinct, -1)
        first[code[::-1]] = np.arange(code.size)[::-1]
        new = np.flatnonzero((first >= 0) & missing)
        places = first[new]
        for key, text in texts.items():
            if key == "call_path":
                text[new] = call_path_texts(part.frame, part.forest, places).to_list()
            else:
                text[new] = part.frame[key].gather(pl.Series(places)).to_list()
        if by == "call path":
            above = part.forest.parent[places]
            parent[new] = np.where(above >= 0, code[above], -1)
        missing[new] = False
    columns: dict[str, Any] = {key: text.tolist() for key, text in texts.items()}
    labels = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return codes, labels.with_columns(pl.Series("parent", parent))


def cohort_of(part: Placed, code: Ints, paths: int) -> Cohort:
    """Add up what spans took, by call path and trace."""
    traces = part.root.size
    trace = part.forest.trace
    path, of = code[part.owner], trace[part.owner]
    critical = sparse.coo_array((part.length.astype(np.float64), (path, of)), shape=(paths, max(traces, 1))).tocsr()
    _, pairs = renumbered(code * max(traces, 1) + trace)
    return Cohort(
        traces,
        durations(part.frame)[part.root],
        critical,
        _sums(path, part.length, paths),
        _sums(code, part.own, paths),
        _sums(code, durations(part.frame), paths),
        np.bincount(code, minlength=paths),
        np.bincount(code[part.failed], minlength=paths),
        np.bincount(pairs // max(traces, 1), minlength=paths),
    )


def _name_numbers(frame: pl.DataFrame, keys: tuple[str, ...]) -> Ints:
    """Give every span a number that it shares with the spans of the same names: a 64-bit hash of them."""
    return frame.select(pl.struct(keys).hash()).to_series().to_numpy().view(np.int64)


def _numbered(values: Ints) -> tuple[Ints, int]:
    distinct, number = np.unique(values, return_inverse=True)
    return number.astype(np.int64), distinct.size


def _sums(number: Ints, values: Ints, count: int) -> Ints:
    """Add up nanoseconds without rounding: floats hold whole numbers up to 2**53 alone."""
    high = np.bincount(number, weights=(values >> _LOW).astype(np.float64), minlength=count)
    low = np.bincount(number, weights=(values & ((1 << _LOW) - 1)).astype(np.float64), minlength=count)
    return (high.astype(np.int64) << _LOW) + low.astype(np.int64)
