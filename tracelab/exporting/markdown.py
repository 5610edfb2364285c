"""A trace as Markdown for a ticket: what it was, how long it took, what failed, and its tree.

All text of the trace stands in code, in line or in one block, where GitHub, GitLab, Jira and Slack read neither links
nor HTML nor names of people in it; what would end the code is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, group_starts
from tracelab.analysis.errors.origins import error_origins
from tracelab.analysis.timeline import timeline_path, timeline_rows, trace_length, trace_spans
from tracelab.conforming import takes_any_frame
from tracelab.display.words import counted
from tracelab.forest import build_forest
from tracelab.markup import NO_NAME, cut, named, visible
from tracelab.numbering import coded
from tracelab.options import whole
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

_FENCE: Final = "```"
_LONGEST: Final = 60_000
_SHORTEST: Final = 4_000
_ALIKE: Final = 3
_NAME: Final = 100
_MESSAGE: Final = 120
_DEEPEST: Final = 24
_LISTED: Final = 6
_LINE: Final = 24
"""The fewest characters of a line of the tree."""


@takes_any_frame
def to_markdown(spans: Spans, trace_id: str | None = None, *, longest: int = _LONGEST) -> str:
    """Write a trace as Markdown for a ticket: when it was, what it took, what failed, and its tree.

    Each line of the tree says when a span starts after the trace began, how long it took, whether it is on the
    critical path (`*`) and has failed (`!`), and what it is. Like siblings, with all that is below them, are one line
    from three on: `SELECT x 14, 141 ms`. A span whose parent is missing is marked. Where a trace is too long, spans
    on the critical path, failed ones and long ones are shown, with what leads to them, and the others are counted.

    Parameters
    ----------
    spans
        The spans.
    trace_id
        The trace to write; the slowest one if there is none.
    longest
        How many characters it may have at most, from 4,000 on. GitHub takes 65,536, Jira 32,767.

    Returns
    -------
    The text. Names and messages from the trace stand in code, so that they make no links, no HTML and ping nobody.

    Raises
    ------
    TracelabError
        There is no such trace, or none at all, or `longest` is no number, or too small.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay        =============
    ...   db::SELECT cart    .==
    ...   db::SELECT cart    ...==
    ...   db::SELECT cart    .....==
    ...   bank::charge       ........====!
    ... ''')
    >>> print(to_markdown(spans, spans["trace_id"][0]))
    ### Trace `web: GET /pay`, 13 ms, 1 error
    <BLANKLINE>
    - trace: `00000000000000000000000000000001`
    - began: 2026-05-01 12:00:00.000 UTC, took 13 ms, 5 spans
    - services: `db` (3 spans), `bank` (1 span), `web` (1 span)
    - fails first in: `bank: charge`
    <BLANKLINE>
    ```
    starts at  takes
    0 s        13 ms  *  web: GET /pay
    1 ms       6 ms   *    db: SELECT cart x 3
    8 ms       4 ms   *!   bank: charge
    ```
    <BLANKLINE>
    `*` is on the critical path, `!` failed.
    """
    most = whole("longest", longest, least=_SHORTEST)
    trace = trace_spans(spans, trace_id)
    rows = timeline_rows(trace)
    head = _heading(trace, rows)
    tree = _Tree(trace, rows)
    shown = most // _LINE
    text = ""
    while not text or len(text) > most:
        text = f"{head}\n\n{_FENCE}\n{tree.lines(shown)}\n{_FENCE}\n\n{tree.legend()}"
        shown = shown * 3 // 4
    return text


def _heading(trace: pl.DataFrame, rows: pl.DataFrame) -> str:
    """Say what the trace is, when it was, who took part and what failed."""
    first = rows.row(int(np.argmin(rows["depth"].to_numpy())), named=True)
    total = format_duration(trace_length(rows) if rows["length"].max() else 0)
    failed = int(rows["is_error"].sum())
    services = (
        trace.group_by("service_name").agg(spans=pl.len()).sort(["spans", "service_name"], descending=[True, False])
    )
    listed = [f"{_code(name)} ({counted(number, 'span')})" for name, number in services.head(_LISTED).rows()]
    more = [f"{services.height - _LISTED} more"] if services.height > _LISTED else []
    facts = [
        f"trace: {_code(trace['trace_id'][0])}",
        f"began: {_instant(trace)} UTC, took {total}, {counted(trace.height, 'span')}",
        f"services: {', '.join([*listed, *more])}",
        *_failures(trace),
    ]
    fragments = int(rows["fragment"].sum())
    if fragments:
        facts.append(f"the parents of {counted(fragments, 'span')} are missing, so that parts of the trace may be")
    errors = f", {counted(failed, 'error')}" if failed else ""
    title = f"### Trace {_code(_label(first))}, {total}{errors}\n\n"
    return title + "\n".join(f"- {fact}" for fact in facts)


def _instant(trace: pl.DataFrame) -> str:
    return str(trace.select(pl.col("start_time").min().dt.strftime("%Y-%m-%d %H:%M:%S%.3f")).item())


def _failures(trace: pl.DataFrame) -> list[str]:
    """Say where errors start."""
    found = []
    for row in error_origins(trace).head(_LISTED).iter_rows(named=True):
        why = [_code(row[name], longest=_MESSAGE) for name in ("exception_type", "message") if row[name]]
        times = f" ({row['errors']} times)" if row["errors"] > 1 else ""
        found.append(f"fails first in: {_code(_label(row))}{times}{': ' if why else ''}{', '.join(why)}")
    return found


class _Tree:
    """The tree of a trace, of which like siblings are folded."""

    def __init__(self, trace: pl.DataFrame, rows: pl.DataFrame) -> None:
        self.frame, self.forest = build_forest(trace, "kind", "status_code")
        self.rows = rows
        self.took = durations(self.frame)
        path = timeline_path(trace)["place"].to_numpy().astype(np.int64)
        self.on_path = np.zeros(rows.height, dtype=bool)
        self.on_path[path] = True
        self.failed: Flags = rows["is_error"].to_numpy()
        self.count, self.sum, self.folded = _folded(self.frame, self.forest, self.took)
        np.logical_or.at(self.on_path, self.folded, self.on_path.copy())
        self.hidden = 0

    def lines(self, most: int) -> str:
        """Write the lines of the tree, at most so many and what leads to them."""
        shown = self._chosen(most)
        places = np.flatnonzero(shown)
        left_out = self._left_out(shown)
        self.hidden = int(left_out.sum())
        start = self.rows["start"].to_numpy()
        texts = [
            (format_duration(int(start[place])), format_duration(int(self.sum[place]))) for place in places.tolist()
        ]
        wide = [max(len(text[side]) for text in [("starts at", "takes"), *texts]) for side in (0, 1)]
        told = [f"{'starts at':{wide[0]}}  takes"]
        for (at, took), place in zip(texts, places.tolist(), strict=True):
            marks = ("*" if self.on_path[place] else " ") + ("!" if self.failed[place] else " ")
            told.append(f"{at:{wide[0]}}  {took:{wide[1]}}  {marks} {self._line(place, int(left_out[place]))}".rstrip())
        return "\n".join(told)

    def legend(self) -> str:
        """Say what the marks mean, and what is left out."""
        marks = [
            *(["`*` is on the critical path"] if self.on_path.any() else []),
            *(["`!` failed"] if self.failed.any() else []),
        ]
        more = f" {counted(self.hidden, 'shorter span')} left out." if self.hidden else ""
        return ", ".join(marks) + ("." if marks else "") + more

    def _line(self, place: int, left_out: int) -> str:
        row = self.rows.row(place, named=True)
        deep = min(int(row["depth"]), _DEEPEST)
        times = f" x {self.count[place]:,}" if self.count[place] > 1 else ""
        missing = " (parent missing)" if row["fragment"] else ""
        below = f" (+ {counted(left_out, 'span')})" if left_out else ""
        deeper = f"[{row['depth']} deep] " if row["depth"] > _DEEPEST else ""
        return f"{'  ' * deep}{deeper}{_plain(_label(row))}{times}{missing}{below}"

    def _chosen(self, most: int) -> Flags:
        """Choose what is shown: what is on the path or failed, then what took longest, and what leads there."""
        open_places = np.flatnonzero(self.folded == np.arange(self.folded.size))
        matters = self.on_path[open_places] | self.failed[open_places]
        order = np.lexsort((open_places, -self.sum[open_places], ~matters))
        shown = np.zeros(self.folded.size, dtype=bool)
        shown[open_places[order[: max(most, 1)]]] = True
        if open_places.size <= most:
            return shown
        size = max(most // 2, 1)
        shown[:] = False
        shown[open_places[order[:size]]] = True
        parents = np.flatnonzero(shown)
        while parents.size:  # a level each time
            parents = np.unique(self.forest.parent[parents])
            parents = parents[parents >= 0]
            parents = parents[~shown[parents]]
            shown[parents] = True
        shown[np.flatnonzero(shown)[max(most, 1) :]] = False
        return shown

    def _left_out(self, shown: Flags) -> Ints:
        """Count the spans that are not shown at the nearest one above them that is; those that are folded are told."""
        above = np.where(shown | (self.forest.parent < 0), np.arange(shown.size), self.forest.parent)
        while not np.array_equal(above[above], above):
            above = above[above]
        open_places = self.folded == np.arange(self.folded.size)
        return np.bincount(above[open_places & ~shown], minlength=shown.size)


def _folded(frame: pl.DataFrame, forest: Forest, took: Ints) -> tuple[Ints, Ints, Ints]:
    """Fold like siblings: how many each place stands for, how long they took, and the place that stands for each.

    Siblings are alike whose whole subtrees are: the same services, names, kinds and statuses, in whatever order.
    """
    shapes = _shapes(frame, forest)
    count, total = np.ones(took.size, dtype=np.int64), took.copy()
    stands = np.arange(took.size)
    children = forest.siblings()
    order = children[np.lexsort((children, shapes[children], forest.parent[children]))]
    first = group_starts(_runs(forest.parent[order], shapes[order]))
    sizes = np.diff(first, append=order.size)
    many = np.repeat(sizes >= _ALIKE, sizes)
    leader = np.repeat(order[first], sizes)
    stands[order[many]] = leader[many]
    leaders = order[first][sizes >= _ALIKE]
    count[leaders] = sizes[sizes >= _ALIKE]
    total[leaders] = np.add.reduceat(took[order], first)[sizes >= _ALIKE] if first.size else total[leaders]
    # What is below a folded span goes where it went.
    for level in range(1, int(forest.depth.max(initial=0)) + 1):
        places = np.flatnonzero((forest.depth == level) & (forest.parent >= 0))
        above = forest.parent[places]
        gone = stands[above] != above
        stands[places[gone]] = stands[above[gone]]
    return count, total, stands


def _runs(*keys: Ints) -> Ints:
    """Give numbers to runs of equal keys."""
    changes = np.zeros(keys[0].size, dtype=bool)
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.cumsum(changes)


def _shapes(frame: pl.DataFrame, forest: Forest) -> Ints:
    """Give a number to each subtree, the same for those that are alike, level by level from below."""
    what = frame.select(pl.struct("service_name", "name", "kind", "status_code")).to_series()
    codes, _ = coded(what.struct.json_encode())
    rng = np.random.default_rng(1)
    shapes = rng.integers(-(2**62), 2**62, size=int(codes.max(initial=0)) + 1)[codes]
    for level in range(int(forest.depth.max(initial=0)), 0, -1):
        places = np.flatnonzero((forest.depth == level) & (forest.parent >= 0))
        _, alike = np.unique(shapes[places], return_inverse=True)
        mixed = rng.integers(-(2**62), 2**62, size=int(alike.max(initial=0)) + 1)[alike.reshape(-1)]
        np.add.at(shapes, forest.parent[places], mixed)
    return shapes


def _label(row: dict[str, object]) -> str:
    service, name = str(row["service_name"]), str(row["name"])
    return named(name) if service == name else f"{named(service)}: {named(name)}"


def _code(text: str, *, longest: int = _NAME) -> str:
    """Write text as code in a line, whatever it holds."""
    return f"`{_plain(text, longest=longest)}`"


def _plain(text: str, *, longest: int = _NAME) -> str:
    """Make text that ends no code and stays in its line."""
    return cut(visible(text), longest).replace("`", "'").strip() or NO_NAME
