"""Refinery's samplers as data: what a rules file says, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

EQUAL, UNEQUAL, ABOVE, BELOW, AT_LEAST, AT_MOST = "=", "!=", ">", "<", ">=", "<="
COMPARISONS: Final = (EQUAL, UNEQUAL, ABOVE, BELOW, AT_LEAST, AT_MOST)
STARTS, CONTAINS, LACKS = "starts-with", "contains", "does-not-contain"
EXISTS, NOT_EXISTS, HAS_ROOT = "exists", "not-exists", "has-root-span"
MATCHES, IN, NOT_IN = "matches", "in", "not-in"
OPERATORS: Final = (*COMPARISONS, STARTS, CONTAINS, LACKS, EXISTS, NOT_EXISTS, HAS_ROOT, MATCHES, IN, NOT_IN)
DATATYPES: Final = ("string", "int", "float", "bool")

ROOT_PREFIX: Final = "root."
COMPUTED_PREFIX: Final = "?."
DESCENDANTS: Final = "?.NUM_DESCENDANTS"
MOST_KEYS: Final = 500


@dataclass(frozen=True)
class Deterministic:
    """One trace in `rate`, by a hash of its id."""

    rate: int


@dataclass(frozen=True)
class Key:
    """What makes traces alike for a dynamic sampler: the values of these fields, and perhaps how many events it has."""

    fields: tuple[str, ...]
    trace_length: bool = False
    most: int = MOST_KEYS


@dataclass(frozen=True)
class Average:
    """Counts of the last interval spread the goal of a rate over keys (`DynamicSampler`)."""

    key: Key
    rate: int
    interval: int


@dataclass(frozen=True)
class MovingAverage:
    """Moving averages of counts spread a goal over keys: a rate, or a number of events a second.

    The goal is a rate for `EMADynamicSampler`, a throughput for `EMAThroughputSampler`; `initial` is the rate before
    there are counts.
    """

    key: Key
    interval: int
    initial: int
    rate: int | None
    throughput: int | None
    weight: float
    age_out: float
    burst_multiple: float
    burst_delay: int


@dataclass(frozen=True)
class Throughput:
    """Every key gets the same share of a number of events a second (`TotalThroughputSampler`)."""

    key: Key
    throughput: int
    interval: int


@dataclass(frozen=True)
class Windowed:
    """The same over a window that moves on with every interval (`WindowedThroughputSampler`)."""

    key: Key
    throughput: int
    interval: int
    lookback: int


Dynamic: TypeAlias = Average | MovingAverage | Throughput | Windowed


@dataclass(frozen=True)
class Condition:
    """A test of the first of some fields that an event has."""

    fields: tuple[str, ...]
    operator: str
    value: Any
    datatype: str | None

    @property
    def is_computed(self) -> bool:
        """True where the number of a trace's events is tested, whatever fields they have."""
        return self.fields == (DESCENDANTS,)


@dataclass(frozen=True)
class Rule:
    """Traces that meet all conditions, and what becomes of them."""

    name: str
    conditions: tuple[Condition, ...]
    scope: Literal["trace", "span"] = "trace"
    rate: int = 0
    drop: bool = False
    sampler: Deterministic | Dynamic | None = None


@dataclass(frozen=True)
class RulesBased:
    """The first rule that a trace matches decides; a trace that matches none is kept."""

    rules: tuple[Rule, ...]
    nested: bool = False


Sampler: TypeAlias = Deterministic | Dynamic | RulesBased
