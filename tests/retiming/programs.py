"""Programs whose code is known: run as they are, and with some of their calls faster or slower, for the truth.

A program is a tree of steps. Times are whole steps of 100 microseconds, so that factors of two digits leave whole
nanoseconds.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from tracelab.conforming import conform
from tracelab.schema import DURATION, KIND, TIME

if TYPE_CHECKING:
    from collections.abc import Callable

STEP: Final = 100_000
START: Final = 1_790_000_000_000_000_000
OPERATIONS: Final = ("auth", "cart", "price", "stock", "user")


@dataclass(frozen=True, slots=True)
class Work:
    """The program itself is busy."""

    steps: int


@dataclass(frozen=True, slots=True)
class Call:
    """A span, and what the program does in it."""

    name: str
    body: tuple[Step, ...]
    service: str = "app"


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that start one after another, a step apart; all of them are waited for."""

    branches: tuple[tuple[Step, ...], ...]
    apart: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """Calls by so many workers, each taking the next call when it is free."""

    workers: int
    calls: tuple[Call, ...]
    between: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Calls beside a long one, each of which waits for some before it: for as many of them as `number` says.

    `waits` has for each call the numbers of those that it may wait for, how many of these it does, and for how many
    steps the program works then. Waiting for 1 of 3 is a race, for 3 of 3 a join.
    """

    long: Call
    calls: tuple[Call, ...]
    waits: tuple[tuple[tuple[int, ...], int, int], ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """A call that nobody waits for."""

    call: Call


Step: TypeAlias = "Work | Call | Parallel | Pool | Waiting | Forget"


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed: calls of one name take `factor` of their time, all below them included, or last `steps`."""

    name: str
    factor: float | None = None
    steps: int | None = None


@dataclass(slots=True)
class Run:
    """A run of a program, with the spans that it leaves: name, service, number of the parent, start and end."""

    change: Change | None = None
    spans: list[tuple[str, str, int | None, int, int]] = field(default_factory=list)

    def call(self, call: Call, at: int, parent: int | None, scale: float = 1.0) -> int:
        number = len(self.spans)
        self.spans.append((call.name, call.service, parent, at, at))
        change = self.change
        chosen = change is not None and call.name == change.name and scale == 1.0
        if chosen and change is not None and change.steps is not None:
            end = at + change.steps * STEP
        else:
            inner = change.factor if chosen and change is not None and change.factor is not None else scale
            end = self.steps(call.body, at, number, inner)
        self.spans[number] = (call.name, call.service, parent, at, end)
        return end

    def steps(self, steps: tuple[Step, ...], at: int, parent: int, scale: float) -> int:
        for step in steps:
            at = self.step(step, at, parent, scale)
        return at

    def step(self, step: Step, at: int, parent: int, scale: float) -> int:
        match step:
            case Work(steps):
                return at + round(steps * STEP * scale)
            case Call():
                return self.call(step, at, parent, scale)
            case Forget(call):
                self.call(call, at, parent, scale)
                return at
            case Parallel(branches, apart):
                begins = [at + round(apart * STEP * scale) * place for place in range(len(branches))]
                ends = [
                    self.steps(branch, begin, parent, scale) for branch, begin in zip(branches, begins, strict=True)
                ]
                return max(ends, default=at)
            case Pool(workers, calls, between):
                free = [at] * workers
                pause = round(between * STEP * scale)
                for call in calls:
                    heapq.heappush(free, self.call(call, heapq.heappop(free) + pause, parent, scale))
                return max(free)
            case Waiting(long, calls, waits):
                done: list[int] = []
                for call, (others, number, steps) in zip(calls, waits, strict=True):
                    begin = sorted(done[other] for other in others)[number - 1] if others else at
                    done.append(self.call(call, begin + round(steps * STEP * scale), parent, scale))
                return max(*done, self.call(long, at, parent, scale))


class Kinds:
    """Random programs of each kind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def work(self) -> Work:
        """Do next to nothing, mostly, and at times something."""
        return Work(self.random.choice((1, 1, 2, 3, self.random.randint(10, 200))))

    def leaf(self, longest: int = 1000) -> Call:
        steps = max(1, min(longest, round(self.random.lognormvariate(4.5, 1))))
        return Call(self.random.choice(OPERATIONS), (Work(steps),), self.random.choice(("app", "app", "other")))

    def many(self, least: int, most: int) -> range:
        return range(self.random.randint(least, most))

    def sequential(self, depth: int = 0) -> tuple[Step, ...]:
        steps: list[Step] = [self.work()]
        for _ in self.many(1, 5):
            nested = depth < 2 and self.random.random() < 0.4
            steps += [Call("step", self.sequential(depth + 1)) if nested else self.leaf(), self.work()]
        return tuple(steps)

    def parallel(self, depth: int = 0) -> tuple[Step, ...]:
        branches = []
        for _ in self.many(2, 7):
            nested = depth < 2 and self.random.random() < 0.25
            branches.append((Call("fan", self.parallel(depth + 1)) if nested else self.leaf(),))
        return self.work(), Parallel(tuple(branches), self.random.choice((0, 0, 1, 5))), self.work()

    def mixed(self, depth: int = 0) -> tuple[Step, ...]:
        """Sequences, branches that are sequences themselves, and calls of either, one after another."""
        steps: list[Step] = [self.work()]
        for _ in self.many(1, 4):
            kind = self.random.random()
            if kind < 0.35:
                steps.append(self.leaf())
            elif kind < 0.7 or depth >= 2:
                branches = []
                for _ in self.many(2, 4):
                    branch: list[Step] = []
                    for _ in self.many(1, 4):
                        branch += [self.leaf(), self.work()]
                    branches.append(tuple(branch))
                steps.append(Parallel(tuple(branches), self.random.choice((0, 1, 5))))
            else:
                steps.append(Call("step", self.mixed(depth + 1)))
            steps.append(self.work())
        return tuple(steps)

    def pool(self) -> tuple[Step, ...]:
        calls = tuple(self.leaf() for _ in self.many(4, 20))
        return self.work(), Pool(self.random.randint(2, 4), calls, self.random.choice((0, 1))), self.work()

    def forgetting(self) -> tuple[Step, ...]:
        """Sequences that leave calls running; these go on for longer than the program does."""
        steps: list[Step] = []
        for step in self.sequential(depth=1):
            steps.append(step)
            if self.random.random() < 0.3:
                steps.append(Forget(Call(self.random.choice(OPERATIONS), (Work(self.random.randint(8_000, 12_000)),))))
        return tuple(steps)

    def waiting(self) -> tuple[Step, ...]:
        """Calls that wait for all, the first or any number of others, beside one that runs until all have begun."""
        calls: list[Call] = []
        waits: list[tuple[tuple[int, ...], int, int]] = []
        last = 0
        ends: list[int] = []
        for place in range(self.random.randint(3, 12)):
            others = tuple(self.random.sample(range(place), self.random.randint(0, min(place, 4))))
            steps, number = self.random.randint(1, 300), self.random.randint(1, max(len(others), 1))
            waits.append((others, number, self.random.choice((0, 1, 2, 50))))
            calls.append(Call(self.random.choice(OPERATIONS), (Work(steps),)))
            begin = (sorted(ends[other] for other in others)[number - 1] if others else 0) + waits[-1][2]
            ends.append(begin + steps)
            last = max(last, begin)
        long = Call("long", (Work(last + 1),))
        return self.work(), Waiting(long, tuple(calls), tuple(waits)), self.work()

    def change(self, names: list[str]) -> Change:
        name = self.random.choice(names)
        kind = self.random.random()
        if kind < 0.1:
            return Change(name, steps=self.random.choice((1, 20, 100, 500)))
        return Change(name, factor=self.random.choice((0.0, 0.1, 0.5, 0.8, 0.9, 1.1, 1.5, 3.0)))


KINDS: Final[dict[str, Callable[[Kinds], tuple[Step, ...]]]] = {
    "sequential": Kinds.sequential,
    "parallel": Kinds.parallel,
    "mixed": Kinds.mixed,
    "pool": Kinds.pool,
    "waiting": Kinds.waiting,
    "forgetting": Kinds.forgetting,
}


@dataclass(frozen=True, slots=True)
class Case:
    """A program that was run, what is to change, and how long the changed program truly takes, in nanoseconds."""

    run: Run
    change: Change
    truth: int


def case_of(kind: str, seed: int) -> Case:
    """Run a random program of a kind as it is and changed."""
    kinds = Kinds(seed)
    program = Call("main", KINDS[kind](kinds))
    run = Run()
    run.call(program, START, None)
    change = kinds.change(sorted({name for name, *_ in run.spans if name in OPERATIONS}) or ["main"])
    return Case(run, change, Run(change).call(program, START, None) - START)


def frame_of(*runs: Run) -> pl.DataFrame:
    """Make a span frame of some runs, the trace of each being called by its number."""
    rows = [
        (
            f"{trace:032x}",
            f"{number + 1:016x}",
            None if parent is None else f"{parent + 1:016x}",
            *span,
            start,
            end - start,
        )
        for trace, run in enumerate(runs, 1)
        for number, (*span, parent, start, end) in enumerate(run.spans)
    ]
    columns = ["trace_id", "span_id", "parent_span_id", "name", "service_name", "start_time", "duration"]
    schema = dict.fromkeys(columns[:5], pl.String()) | dict.fromkeys(columns[5:], pl.Int64())
    frame = pl.DataFrame(rows, schema=schema, orient="row").cast({"start_time": TIME, "duration": DURATION})
    return conform(frame.with_columns(kind=pl.lit("internal", dtype=KIND)))
