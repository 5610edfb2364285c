"""The Collector's `tail_sampling` configuration: read as it stands, and refused where the Collector refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import PolicyError, QueryWarning, warn_caller
from tracelab.options import shown
from tracelab.sampling.documents import dumped, near, read_document
from tracelab.sampling.tail.policies import (
    And,
    BytesLimiting,
    Composite,
    Drop,
    Latency,
    Not,
    Policy,
    RateLimiting,
    SpanCount,
    TailPolicies,
    has_budgets,
)
from tracelab.sampling.tail.reading import check_keys, read_policies
from tracelab.sampling.tail.sections import Item, Section, items_of, kind, plain, refuse, refuse_references
from tracelab.sampling.tail.versions import parse_version

if TYPE_CHECKING:
    from tracelab.sampling.releases import Version

PROCESSOR: Final = "tail_sampling"
_STRATEGIES: Final = ("trace-complete", "span-ingest")
_MOST_SHARDS: Final = 256
_BLOCK_KEYS: Final = (
    "decision_wait",
    "decision_wait_after_root_received",
    "num_traces",
    "block_on_overflow",
    "expected_new_traces_per_sec",
    "policies",
    "decision_cache",
    "tail_storage",
    "sample_on_first_match",
    "sampling_strategy",
    "drop_pending_traces_on_shutdown",
    "maximum_trace_size_bytes",
    "num_shards",
)
_RULES_OF_REFINERY: Final = frozenset(("RulesVersion", "Samplers"))
_CACHE_KEYS: Final = ("sampled_cache_size", "non_sampled_cache_size")


def tail_policies(source: Any, *, collector_version: str = "0.165", processor: str | None = None) -> TailPolicies:
    """Read a configuration of the Collector's tail sampling.

    Parameters
    ----------
    source
        The path of a YAML file, YAML text, or the mapping or list that it makes: a whole configuration of a Collector,
        the block of the processor (with or without its name), or the bare list of policies.
    collector_version
        The version whose rules are followed, from 0.100 to 0.165, with its feature gates as they are by default. What
        its OTTL does not have is refused; what it has is answered as 0.165 does.
    processor
        Which one is meant where a Collector has several, such as `tail_sampling/slow`.

    Returns
    -------
    The policies, for `sample_tail`, `sampling_decisions` and `policy_matches`; `str` gives them as YAML.

    Raises
    ------
    PolicyError
        This version refuses it, or what is asked for cannot be replayed: `${env:...}` in the block of the processor is
        filled in where the Collector runs, extensions make their own decisions, and `tail_storage` is one.
    SourceError
        There is no such file.

    Examples
    --------
    >>> policies = tail_policies('''
    ... tail_sampling:
    ...   decision_wait: 10s
    ...   policies:
    ...     - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
    ...     - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 10}}
    ... ''')
    >>> [policy.name for policy in policies.policies]
    ['errors', 'rest']
    """
    version = parse_version(collector_version)
    name, item, path = _block(_document(source), processor)
    refuse_references(item, path)
    if isinstance(item.value, list):
        item, path = Item({"policies": item}, item.line), ""
    read = _read(Section.of(item, path), version, name)
    return replace(read, yaml=dumped({"processors": {name: plain(item)}}))


def as_policies(policies: Any) -> TailPolicies:
    """Take policies, or whatever `tail_policies` makes some of."""
    if isinstance(policies, TailPolicies):
        return policies
    if not policies_may_be(policies):
        raise PolicyError(
            f"`policies` must be what tail_policies or refinery_rules makes, or the path of a configuration, its text, "
            f"a mapping or a list, got {shown(policies)}. Samplers of SDKs are for sample_head."
        )
    return tail_policies(policies)


def policies_may_be(policies: Any) -> bool:
    """Tell what may be a configuration from what is none, whatever it holds."""
    return isinstance(policies, str | PathLike | Mapping | list | tuple)


def _document(source: Any) -> Item:
    if isinstance(source, list | tuple):
        source = {"policies": list(source)}
    document = read_document(source, name="policies")
    return items_of(document, document.values)


def _block(item: Item, wanted: str | None) -> tuple[str, Item, str]:
    """Find the block of the processor: its name, itself, and the path to it."""
    if not isinstance(item.value, dict):
        if not isinstance(item.value, list):
            refuse(item, "", f"`tail_sampling:` stands in one, with its policies, got {kind(item)}")
        return PROCESSOR, item, ""
    path, among = ("processors", item.value["processors"]) if "processors" in item.value else ("", item)
    if among.reference:
        refuse_references(among, path)
    named = Section.of(among, path)
    found = [name for name in named.items if name == PROCESSOR or name.startswith(f"{PROCESSOR}/")]
    if wanted is not None:
        if wanted not in found:
            refuse(among, path, f"there is no processor {wanted!r}.{near(wanted, found) or _listed(found)}")
        return wanted, named.items[wanted], named.at(wanted)
    if len(found) > 1:
        refuse(
            among, path, f"there are {len(found)} of them:{_listed(found)} Say which as `processor`".replace(":.", ":")
        )
    if found:
        return found[0], named.items[found[0]], named.at(found[0])
    if path or not ({"policies", *_BLOCK_KEYS} & item.value.keys()):
        if _RULES_OF_REFINERY & item.value.keys():
            refuse(item, "", "these are rules of Refinery, which refinery_rules reads")
        refuse(among, path, f"there is no `tail_sampling` here.{near(PROCESSOR, named.items)}")
    return PROCESSOR, item, ""


def _listed(names: list[str]) -> str:
    return f" {', '.join(map(repr, names))}." if names else ""


def _read(block: Section, version: Version, name: str) -> TailPolicies:
    check_keys(block, _BLOCK_KEYS, version)
    cache = block.section("decision_cache")
    check_keys(cache, _CACHE_KEYS, version, "decision_cache")
    strategy = block.text("sampling_strategy") if block.has("sampling_strategy") else _STRATEGIES[0]
    if strategy not in _STRATEGIES:
        block.refuse(
            "sampling_strategy",
            f"it is one of {', '.join(_STRATEGIES)}, got {shown(strategy)}.{near(strategy, _STRATEGIES)}",
        )
    if block.uint32("num_shards") > _MOST_SHARDS:
        block.refuse("num_shards", f"it is {_MOST_SHARDS} at most")
    if block.has("tail_storage"):
        block.refuse("tail_storage", "this names an extension, behind a feature gate that is off")
    block.uint64("expected_new_traces_per_sec")
    block.flag("drop_pending_traces_on_shutdown")
    policies = read_policies(block, version)
    if block.uint32("num_shards") > 1 and has_budgets(policies):
        warn_caller(
            f"{block.at('num_shards')}: each shard has its part of the budgets, and how traces are parted is not "
            "replayed: all of them spend the whole.",
            QueryWarning,
        )
    read = TailPolicies(
        policies=policies,
        version=version,
        decision_wait=block.duration("decision_wait", 30_000_000_000),
        decision_wait_after_root_received=block.duration("decision_wait_after_root_received"),
        num_traces=block.uint64("num_traces", 50_000),
        block_on_overflow=block.flag("block_on_overflow"),
        sample_on_first_match=block.flag("sample_on_first_match"),
        span_ingest=strategy == _STRATEGIES[1],
        maximum_trace_size_bytes=block.uint64("maximum_trace_size_bytes"),
        sampled_cache_size=cache.int64("sampled_cache_size"),
        non_sampled_cache_size=cache.int64("non_sampled_cache_size"),
        processor=name,
    )
    if read.span_ingest:
        _check_stateless(block, read)
    if read.block_on_overflow and read.follows("caches_make_room"):
        _check_room(block, read)
    return read


def _check_room(block: Section, read: TailPolicies) -> None:
    """Warn of a Collector that nothing would make room in."""
    if min(read.sampled_cache_size, read.non_sampled_cache_size) <= 0:
        warn_caller(
            f"{block.at('block_on_overflow')}: only decision caches of both kinds make room for new traces. Without "
            f"them this Collector takes no more when it has had {read.num_traces:,}, which is not replayed.",
            QueryWarning,
        )


def _check_stateless(block: Section, read: TailPolicies) -> None:
    for policy, section in zip(read.policies, block.sections("policies"), strict=True):
        if why := _state_of(policy, read.version):
            refuse(
                section.item,
                section.path,
                f"sampling_strategy span-ingest takes no policy whose answer may change: {why}",
            )


def _state_of(policy: Policy, version: Version) -> str:
    """Say why a policy may change its mind when more spans come; nothing if it may not."""
    match policy:
        case RateLimiting() | BytesLimiting():
            return "a limit"
        case Latency() if policy.upper_threshold_ms > 0 and version >= (0, 151):
            return "latency with an upper_threshold_ms"
        case SpanCount() if policy.max_spans > 0 and version >= (0, 151):
            return "span_count with max_spans"
        case And() | Drop() | Composite():
            return next((why for sub in policy.policies if (why := _state_of(sub, version))), "")
        case Not():
            return _state_of(policy.policy, version)
        case _:
            return ""
