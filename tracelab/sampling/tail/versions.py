"""Which version of the Collector has what: the policy types, keys and rules of its tail sampling, 0.100 to 0.165."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tracelab.errors import PolicyError
from tracelab.options import shown

Version: TypeAlias = tuple[int, int]

OLDEST: Final[Version] = (0, 100)
NEWEST: Final[Version] = (0, 165)
_TEXT: Final = re.compile(r"v?(\d{1,3})\.(\d{1,4})(?:\.\d{1,4})?", re.ASCII)


@dataclass(frozen=True)
class Since:
    """A version that has something, and the last one that was seen not to: what lies between was not looked at."""

    version: Version
    after: Version

    def holds(self, version: Version) -> bool:
        """Say whether a version has it; those that nobody looked at are taken to have it."""
        return version > self.after

    def __str__(self) -> str:
        """Say which versions have it."""
        has, lacks = written(self.version), written(self.after)
        return f"since {has}" if self.version[1] == self.after[1] + 1 else f"since {has} at the latest, not in {lacks}"


def _since(minor: int, after: int | None = None) -> Since:
    return Since((0, minor), (0, minor - 1 if after is None else after))


TYPES: Final[dict[str, Since | None]] = {
    "always_sample": None,
    "latency": None,
    "numeric_attribute": None,
    "probabilistic": None,
    "status_code": None,
    "string_attribute": None,
    "rate_limiting": None,
    "composite": None,
    "and": None,
    "span_count": None,
    "trace_state": None,
    "boolean_attribute": None,
    "ottl_condition": None,
    "drop": _since(128, 121),
    "bytes_limiting": _since(141),
    "not": _since(145),
    "trace_flags": _since(145),
}
"""Policy types; None where the oldest version has them too."""

KEYS: Final[dict[str, Since]] = {
    "decision_cache": _since(109, 102),
    "decision_cache.non_sampled_cache_size": _since(115),
    "sample_on_first_match": _since(128, 121),
    "block_on_overflow": _since(135, 132),
    "drop_pending_traces_on_shutdown": _since(141),
    "decision_wait_after_root_received": _since(144, 142),
    "maximum_trace_size_bytes": _since(145),
    "sampling_strategy": _since(149),
    "tail_storage": _since(150),
    "num_shards": _since(159),
    "boolean_attribute.invert_match": _since(110),
    "rate_limiting.burst_capacity": _since(153),
}
"""Keys that came later than the oldest version, of the block or of a policy type."""

RULES: Final[dict[str, Since]] = {
    "resource_numbers": _since(109, 102),  # numeric_attribute looks at resources too, and inverts as the others do
    "and_passes_inversions": _since(109, 102),
    "and_gives_plain": _since(116),  # an `and` says not_sampled where a sub-policy said so, inverted or not
    "names_needed": _since(119),
    "open_numbers": _since(132, 130),  # a bound of 0 of numeric_attribute is none
    "dropped": _since(132, 130),  # before, what a drop policy drops counts as not sampled
    "free_keys": _since(139, 136),  # unknown keys of a policy are settings of an extension, whose values are mappings
    "plain_inversions": _since(144, 142),
    "token_bucket": _since(153),  # before, rate_limiting counts in seconds of the clock, and keeps less than its limit
    "not_inside": _since(154),  # `and` and `drop` take `not`
    "exclusive_latency": _since(157),
    "equal_shares": _since(159),  # sub-policies of a composite that no rate is allocated to share equally
    "least_threshold": _since(162),  # of several policies that sample, the one with the highest ratio decides
}
"""Rules whose meaning changed, with the version from which they hold."""


def rule_holds(name: str, version: Version) -> bool:
    """Say whether a version follows a rule."""
    return RULES[name].holds(version)


def parse_version(text: Any) -> Version:
    """Read the version of a Collector, such as `0.161` or `v0.165.1`.

    Raises
    ------
    PolicyError
        It is none, or none of those whose rules are known.
    """
    found = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise PolicyError(f"`collector_version` must be a version such as '0.161', got {shown(text)}.")
    version = int(found[1]), int(found[2])
    if not OLDEST <= version <= NEWEST:
        raise PolicyError(
            f"`collector_version` is {text}: the rules of {written(OLDEST)} to {written(NEWEST)} are known. "
            "Take the nearest one."
        )
    return version


def written(version: Version) -> str:
    """Write a version as people do."""
    return f"{version[0]}.{version[1]}"
