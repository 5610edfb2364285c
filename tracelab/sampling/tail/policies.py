"""Tail policies as data: what a configuration says, without how it is evaluated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from tracelab.sampling.tail.versions import rule_holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.sampling.releases import Version

DEFAULT_SALT: Final = "default-hash-seed"


@dataclass(frozen=True)
class Named:
    """What every policy has: its name, and where it stands, such as `policies[2].and.and_sub_policy[0]`."""

    name: str
    path: str


@dataclass(frozen=True)
class AlwaysSample(Named):
    """Samples every trace."""


@dataclass(frozen=True)
class Latency(Named):
    """Samples by the time from the first start to the last end."""

    threshold_ms: int
    upper_threshold_ms: int


@dataclass(frozen=True)
class NumericAttribute(Named):
    """Samples by a whole number; a bound that is None is open."""

    key: str
    min_value: int | None
    max_value: int | None
    invert_match: bool


@dataclass(frozen=True)
class BooleanAttribute(Named):
    """Samples by a yes or no."""

    key: str
    value: bool
    invert_match: bool


@dataclass(frozen=True)
class StringAttribute(Named):
    """Samples by a text: one of some, or one that a regular expression finds something in."""

    key: str
    values: tuple[str, ...]
    regex: bool
    invert_match: bool


@dataclass(frozen=True)
class StatusCode(Named):
    """Samples where a span has one of some statuses."""

    status_codes: tuple[str, ...]


@dataclass(frozen=True)
class TraceState(Named):
    """Samples where a span's trace state has one of some values under a key."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class TraceFlags(Named):
    """Samples where a span has the sampled flag."""


@dataclass(frozen=True)
class SpanCount(Named):
    """Samples by how many spans there are; a maximum of 0 is none."""

    min_spans: int
    max_spans: int


@dataclass(frozen=True)
class Probabilistic(Named):
    """Samples a share of the traces, by a hash of the id."""

    hash_salt: str
    sampling_percentage: float


@dataclass(frozen=True)
class RateLimiting(Named):
    """Samples while there are spans left in the budget."""

    spans_per_second: int
    burst_capacity: int


@dataclass(frozen=True)
class BytesLimiting(Named):
    """Samples while there are bytes left in the budget."""

    bytes_per_second: int
    burst_capacity: int


@dataclass(frozen=True)
class OttlCondition(Named):
    """Samples where a condition holds for a span or one of its events."""

    error_mode: str
    span: tuple[str, ...]
    spanevent: tuple[str, ...]


@dataclass(frozen=True)
class And(Named):
    """Samples what all sub-policies sample."""

    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Not(Named):
    """Samples what a policy does not."""

    policy: Policy


@dataclass(frozen=True)
class Drop(Named):
    """Drops what all sub-policies sample, whatever others say."""

    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Composite(Named):
    """Samples what the first sub-policy that takes it has spans left for in this second."""

    max_total_spans_per_second: int
    policies: tuple[Policy, ...]
    allocated: tuple[int, ...]


Policy: TypeAlias = (
    AlwaysSample
    | Latency
    | NumericAttribute
    | BooleanAttribute
    | StringAttribute
    | StatusCode
    | TraceState
    | TraceFlags
    | SpanCount
    | Probabilistic
    | RateLimiting
    | BytesLimiting
    | OttlCondition
    | And
    | Not
    | Drop
    | Composite
)

TYPE_NAMES: Final[dict[type, str]] = {
    AlwaysSample: "always_sample",
    Latency: "latency",
    NumericAttribute: "numeric_attribute",
    BooleanAttribute: "boolean_attribute",
    StringAttribute: "string_attribute",
    StatusCode: "status_code",
    TraceState: "trace_state",
    TraceFlags: "trace_flags",
    SpanCount: "span_count",
    Probabilistic: "probabilistic",
    RateLimiting: "rate_limiting",
    BytesLimiting: "bytes_limiting",
    OttlCondition: "ottl_condition",
    And: "and",
    Not: "not",
    Drop: "drop",
    Composite: "composite",
}


@dataclass(frozen=True)
class TailPolicies:
    """A configuration of the Collector's `tail_sampling` processor, as `tail_policies` reads it.

    Attributes
    ----------
    policies
        The policies, in the order of the configuration.
    version
        The version of the Collector whose rules are followed.
    decision_wait, decision_wait_after_root_received
        Nanoseconds.
    yaml
        The same as a Collector takes it, which is also what `str` and notebooks show.
    """

    policies: tuple[Policy, ...]
    version: Version
    decision_wait: int = 30_000_000_000
    decision_wait_after_root_received: int = 0
    num_traces: int = 50_000
    block_on_overflow: bool = False
    sample_on_first_match: bool = False
    span_ingest: bool = False
    maximum_trace_size_bytes: int = 0
    sampled_cache_size: int = 0
    non_sampled_cache_size: int = 0
    processor: str = field(default="tail_sampling", compare=False)
    yaml: str = field(default="", compare=False, repr=False)

    def __repr__(self) -> str:
        """Name the policies, and whose rules are followed."""
        names = ", ".join(policy.name for policy in self.policies)
        return f"TailPolicies({names}; as Collector {self.version[0]}.{self.version[1]} decides)"

    def __str__(self) -> str:
        """Give what a Collector takes."""
        return self.yaml

    def _repr_markdown_(self) -> str:
        """Show what a Collector takes as the code that it is."""
        longest = max(map(len, re.findall("`+", self.yaml)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{fence}yaml\n{self.yaml}{fence}"

    def follows(self, rule: str) -> bool:
        """Say whether this version follows a rule of `versions.RULES`."""
        return rule_holds(rule, self.version)

    @property
    def in_order(self) -> tuple[Policy, ...]:
        """The policies as they are evaluated: those that drop come first."""
        drops = tuple(policy for policy in self.policies if isinstance(policy, Drop))
        return drops + tuple(policy for policy in self.policies if not isinstance(policy, Drop))


def has_budgets(policies: tuple[Policy, ...]) -> bool:
    """Say whether some policy lets pass only so much in a time."""
    every = (each for policy in policies for each in with_sub_policies(policy))
    return any(isinstance(each, RateLimiting | BytesLimiting | Composite) for each in every)


def sub_policies(policy: Policy) -> tuple[Policy, ...]:
    """Give the policies right under one."""
    match policy:
        case And() | Drop() | Composite():
            return policy.policies
        case Not():
            return (policy.policy,)
        case _:
            return ()


def with_sub_policies(policy: Policy) -> Iterator[Policy]:
    """Give a policy and all that are under it, from the top down: three levels at most, as the Collector has it."""
    yield policy
    for sub in sub_policies(policy):
        yield from with_sub_policies(sub)
