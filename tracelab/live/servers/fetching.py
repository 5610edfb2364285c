"""Many questions side by side: a bar, patience, and an honest end that keeps what came."""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import polars as pl
from tqdm.auto import tqdm

from tracelab.errors import LoadError, LoadWarning, SourceError, TracelabError, warn_caller
from tracelab.live.servers.web import WORKERS, UnreachableError
from tracelab.loaders.pieces import Pieces
from tracelab.loaders.report import problems
from tracelab.options import flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracelab.live.servers.web import Web
    from tracelab.loaders.report.findings import Problem

J = TypeVar("J")
A = TypeVar("A")

_FAILURES_IN_A_ROW: Final = 2 * WORKERS
_SILENT_IN_A_ROW: Final = 3
_TICK: Final = 0.2
_PATIENCE: Final = 1.0
_last: list[pl.DataFrame] = []


class Fetch:
    """One fetch: the spans that came, and what could not be had."""

    def __init__(self, web: Web, name: str, format: str, *, progress: bool | None) -> None:  # noqa: A002 - the word that fits
        if progress is not None:
            flag("progress", progress)
        self.web = web
        self.pieces = Pieces(name, format)
        self.stopped = False
        self._known: dict[str, int] = {}
        self._failure: SourceError | None = None
        watched = "ipykernel" in sys.modules or sys.stderr.isatty()
        hidden = not (watched if progress is None else progress)
        self._bar = tqdm(desc="Fetching traces", unit=" traces", delay=_PATIENCE, disable=hidden)

    @property
    def count(self) -> int:
        """Say how many traces came."""
        return len(self._known)

    def count_since(self, moment: int) -> int:
        """Say how many traces came of which a span starts then or later."""
        return sum(start >= moment for start in self._known.values())

    def take(self, content: bytes, place: str) -> pl.DataFrame:
        """Decode an answer and keep it; gives its traces, as `Pieces.add` does."""
        traces = self.pieces.add(content, place)
        for trace_id, start in traces.iter_rows():
            self._known[trace_id] = min(start or 0, self._known.get(trace_id, start or 0))
        self._bar.update(self.count - self._bar.n)
        return traces

    def failed(self, error: SourceError, problem: Problem, place: str, count: int = 1) -> None:
        """Count what could not be had."""
        self._failure = self._failure or error
        self.pieces.note(problem, count, place=place, example=str(error))

    def side_by_side(
        self,
        jobs: Iterable[J],
        ask: Callable[[J], A],
        took: Callable[[J, A], list[J]],
        missing: Callable[[J], tuple[Problem, str]],
        *,
        enough: Callable[[list[J]], bool] = lambda _: False,
    ) -> None:
        """Ask for every job, several at a time; what is taken may lead to further jobs, which come first.

        Ends early where there is enough, where somebody interrupts, and where the server is gone; what was not asked
        or not answered then is counted. Where it was away and is back, what broke then is asked for once more.
        """
        todo = deque(jobs)
        pool: _Pool[J, A] = _Pool(ask)
        health, gone = _Health(self.web), None
        repeated: list[J] = []
        try:
            while (todo or pool.busy) and not (enough([*pool.busy, *todo]) or gone):
                while todo and len(pool.busy) < WORKERS:
                    pool.start(todo.popleft())
                done = pool.next()
                if done is None:
                    continue
                job, answer = done
                try:
                    if isinstance(answer, TracelabError):
                        raise answer
                    further = took(job, answer)
                    health.well()
                    todo.extendleft(reversed(further))
                except (SourceError, LoadError) as error:
                    if isinstance(error, UnreachableError) and not error.waited and job not in repeated:
                        repeated.append(job)
                        todo.append(job)
                    else:
                        self._count(job, error, missing)
                    gone = error if health.is_gone(error) else None
                pool.finished(job)
        except KeyboardInterrupt:
            self.stopped = True
            self.web.stop()
            for job in [*pool.busy, *todo]:
                self.pieces.note(problems.INTERRUPTED, place=missing(job)[1])
            return
        finally:
            pool.end()
        if gone:
            self.web.stop()
            for job in [*pool.busy, *todo]:
                self._count(job, gone, missing)

    def _count(self, job: J, error: TracelabError, missing: Callable[[J], tuple[Problem, str]]) -> None:
        problem, place = missing(job)
        self.failed(error if isinstance(error, SourceError) else SourceError(str(error)), problem, place)

    def end(self, limit: int | None = None, with_any: pl.Expr | None = None) -> pl.DataFrame:
        """Make the frame of what came, and warn once of what did not; at most of the latest `limit` traces.

        Only traces with a span like `with_any` are kept, where that was left to us.

        Raises
        ------
        SourceError
            Nothing came, and something went wrong.
        """
        self._bar.close()
        self.web.close()
        if self._failure and not self._known:
            _last[:] = [self.pieces.report()]
            raise self._failure

        def chosen(spans: pl.DataFrame) -> pl.DataFrame:
            known = self._known
            if with_any is not None:
                known = {trace_id: known[trace_id] for trace_id in spans.filter(with_any)["trace_id"].unique()}
            latest = sorted(known, key=lambda trace_id: (-known[trace_id], trace_id))[:limit]
            return spans.filter(pl.col("trace_id").is_in(latest))

        all_of_them = with_any is None and (limit is None or self.count <= limit)
        spans = self.pieces.frame(None if all_of_them else chosen)
        _last[:] = [self.pieces.report()]
        if text := self.pieces.warning():
            warn_caller(text.replace("tracelab.load_report(source)", "tracelab.fetch_report()"), LoadWarning)
        return spans


def forget_report() -> None:
    """Have no report: that of an earlier fetch would be taken for that of one which fails."""
    _last.clear()


def fetch_report() -> pl.DataFrame:
    """List what the last fetch could not have, and what was repaired, skipped or guessed in what came.

    Returns
    -------
    The columns of `load_report`: `source`, `format`, `problem`, `action`, `count`, `lost_spans`, `first_place`,
    `example`, `explanation`; one row for the spans that came, and one for each kind of problem.

    Raises
    ------
    TracelabError
        Nothing was fetched yet, or the last fetch did not begin.
    """
    if not _last:
        raise TracelabError("There is no fetch to report of. `fetch_jaeger` and `fetch_tempo` are fetches.")
    return _last[0]


class _Health:
    """How a server is, by what came of the last questions."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._failures = 0
        self._silent = 0

    def well(self) -> None:
        """Take note of an answer."""
        self._failures = self._silent = 0

    def is_gone(self, error: TracelabError) -> bool:
        """Take note of a failure; say whether there is nobody to ask any more."""
        self._failures += 1
        self._silent = self._silent + 1 if isinstance(error, UnreachableError) else 0
        if self._silent >= _SILENT_IN_A_ROW:
            self._silent = 0
            return not self._web.answers()
        return self._failures >= _FAILURES_IN_A_ROW


class _Pool(Generic[J, A]):
    """Threads that ask, and that nobody has to wait for: an interruption must not wait for a server that hangs."""

    def __init__(self, ask: Callable[[J], A]) -> None:
        self.busy: list[J] = []
        self._ask = ask
        self._jobs: queue.SimpleQueue[J | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[J, A | TracelabError | Exception]] = queue.SimpleQueue()
        self._threads = 0

    def start(self, job: J) -> None:
        if self._threads <= len(self.busy):
            self._threads += 1
            threading.Thread(target=self._work, name="tracelab-fetch", daemon=True).start()
        self.busy.append(job)
        self._jobs.put(job)

    def next(self) -> tuple[J, A | TracelabError] | None:
        """Give a job that is done, with its answer or error; None if there is none for a moment.

        It stays among the busy ones until it is `finished`, so that an interruption meanwhile counts it.
        """
        try:
            job, answer = self._done.get(timeout=_TICK)
        except queue.Empty:
            return None
        if isinstance(answer, Exception) and not isinstance(answer, TracelabError):
            raise answer
        return job, answer

    def finished(self, job: J) -> None:
        self.busy.remove(job)

    def end(self) -> None:
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._done.put((job, self._ask(job)))
            except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
                self._done.put((job, error))
