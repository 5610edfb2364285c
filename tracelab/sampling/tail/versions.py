"""Which version of the Collector has what: the policy types, keys and rules of its tail sampling, 0.100 to 0.165."""

from __future__ import annotations

import re
from typing import Any, Final

from tracelab.errors import PolicyError
from tracelab.options import shown
from tracelab.sampling.releases import Since, Version, since, written

OLDEST: Final[Version] = (0, 100)
NEWEST: Final[Version] = (0, 165)
_TEXT: Final = re.compile(r"v?(\d{1,3})\.(\d{1,4})(?:\.\d{1,4})?", re.ASCII)


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
    "drop": since(128, 121),
    "bytes_limiting": since(141),
    "not": since(145),
    "trace_flags": since(145),
}
"""Policy types; None where the oldest version has them too."""

KEYS: Final[dict[str, Since]] = {
    "decision_cache": since(109, 102),
    "decision_cache.non_sampled_cache_size": since(115),
    "sample_on_first_match": since(128, 121),
    "block_on_overflow": since(135, 132),
    "drop_pending_traces_on_shutdown": since(141),
    "decision_wait_after_root_received": since(144, 142),
    "maximum_trace_size_bytes": since(145),
    "sampling_strategy": since(149),
    "tail_storage": since(150),
    "num_shards": since(159),
    "boolean_attribute.invert_match": since(110),
    "rate_limiting.burst_capacity": since(153),
}
"""Keys that came later than the oldest version, of the block or of a policy type."""

RULES: Final[dict[str, Since]] = {
    "resource_numbers": since(109, 102),  # numeric_attribute looks at resources too, and inverts as the others do
    "and_passes_inversions": since(109, 102),
    "and_gives_plain": since(116),  # an `and` says not_sampled where a sub-policy said so, inverted or not
    "names_needed": since(119),
    "open_numbers": since(132, 130),  # a bound of 0 of numeric_attribute is none
    "dropped": since(132, 130),  # before, what a drop policy drops counts as not sampled
    "free_keys": since(139, 136),  # unknown keys of a policy are settings of an extension, whose values are mappings
    "caches_make_room": since(142, 136),  # with block_on_overflow, decided traces stay unless a cache holds them
    "plain_inversions": since(144, 142),
    "token_bucket": since(153),  # before, rate_limiting counts in seconds of the clock, and keeps less than its limit
    "not_inside": since(154),  # `and` and `drop` take `not`
    "exclusive_latency": since(157),
    "equal_shares": since(159),  # sub-policies of a composite that no rate is allocated to share equally
    "least_threshold": since(162),  # of several policies that sample, the one with the highest ratio decides
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
