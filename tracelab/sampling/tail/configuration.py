"""The Collector's `tail_sampling` configuration: read as it stands, and refused where the Collector refuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import PolicyError, QueryWarning, warn_caller
from tracelab.go_regexes import RegexError, searching
from tracelab.options import shown
from tracelab.sampling.documents import dumped, near, near_or_all, read_document
from tracelab.sampling.ottl import Conditions
from tracelab.sampling.tail.policies import (
    DEFAULT_SALT,
    AlwaysSample,
    And,
    BooleanAttribute,
    BytesLimiting,
    Composite,
    Drop,
    Latency,
    Not,
    NumericAttribute,
    OttlCondition,
    Policy,
    Probabilistic,
    RateLimiting,
    SpanCount,
    StatusCode,
    StringAttribute,
    TailPolicies,
    TraceFlags,
    TraceState,
    has_budgets,
)
from tracelab.sampling.tail.sections import Item, Section, items_of, plain, refuse, where
from tracelab.sampling.tail.versions import KEYS, TYPES, Version, parse_version, rule_holds, written

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSOR: Final = "tail_sampling"
_STRATEGIES: Final = ("trace-complete", "span-ingest")
_ERROR_MODES: Final = ("", "ignore", "silent", "propagate")
_STATUSES: Final = ("OK", "ERROR", "UNSET")
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
_CACHE_KEYS: Final = ("sampled_cache_size", "non_sampled_cache_size")
_SHARED_KEYS: Final[dict[str, dict[str, str]]] = {
    "latency": {"threshold_ms": "int64", "upper_threshold_ms": "int64"},
    "numeric_attribute": {"key": "text", "min_value": "int64", "max_value": "int64", "invert_match": "flag"},
    "probabilistic": {"hash_salt": "text", "sampling_percentage": "float64"},
    "status_code": {"status_codes": "texts"},
    "string_attribute": {
        "key": "text",
        "values": "texts",
        "enabled_regex_matching": "flag",
        "cache_max_size": "int64",
        "invert_match": "flag",
    },
    "rate_limiting": {"spans_per_second": "int64", "burst_capacity": "int64"},
    "bytes_limiting": {"bytes_per_second": "int64", "burst_capacity": "int64"},
    "span_count": {"min_spans": "int32", "max_spans": "int32"},
    "trace_state": {"key": "text", "values": "texts"},
    "boolean_attribute": {"key": "text", "value": "flag", "invert_match": "flag"},
    "ottl_condition": {"error_mode": "text", "span": "texts", "spanevent": "texts"},
}
"""The blocks of settings that every policy may have, whatever its type; the Collector reads them all."""


def tail_policies(source: Any, *, collector_version: str = "0.165", processor: str | None = None) -> TailPolicies:
    """Read a configuration of the Collector's tail sampling.

    Parameters
    ----------
    source
        The path of a YAML file, YAML text, or the mapping or list that it makes: a whole configuration of a Collector,
        the block of the processor (with or without its name), or the bare list of policies.
    collector_version
        The version whose rules are followed, from 0.100 to 0.165, with its feature gates as they are by default.
    processor
        Which one is meant where a Collector has several, such as `tail_sampling/slow`.

    Returns
    -------
    The policies, for `sample_tail`, `sampling_decisions` and `policy_matches`; `str` gives them as YAML.

    Raises
    ------
    PolicyError
        This version refuses it, or what is asked for cannot be replayed: `${env:...}` is filled in where the Collector
        runs, extensions make their own decisions, and `tail_storage` is one.
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
    if isinstance(item.value, list):
        item, path = Item({"policies": item}, item.line), ""
    read = _read(Section.of(item, path), version, name)
    return replace(read, yaml=dumped({"processors": {name: plain(item)}}))


def as_policies(policies: Any) -> TailPolicies:
    """Take policies, or whatever `tail_policies` makes some of."""
    return policies if isinstance(policies, TailPolicies) else tail_policies(policies)


def _document(source: Any) -> Item:
    if isinstance(source, list | tuple):
        source = {"policies": list(source)}
    document = read_document(source, name="policies")
    return items_of(document, document.values)


def _block(item: Item, wanted: str | None) -> tuple[str, Item, str]:
    """Find the block of the processor: its name, itself, and the path to it."""
    if not isinstance(item.value, dict):
        if not isinstance(item.value, list):
            refuse(item, "", "this is no configuration: `tail_sampling:` stands in one, with its policies")
        return PROCESSOR, item, ""
    path, among = ("processors", item.value["processors"]) if "processors" in item.value else ("", item)
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
        refuse(among, path, f"there is no `tail_sampling` here.{near(PROCESSOR, named.items)}")
    return PROCESSOR, item, ""


def _listed(names: list[str]) -> str:
    return f" {', '.join(map(repr, names))}." if names else ""


def _read(block: Section, version: Version, name: str) -> TailPolicies:
    _check_keys(block, _BLOCK_KEYS, version)
    cache = block.section("decision_cache")
    _check_keys(cache, _CACHE_KEYS, version, "decision_cache")
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
    policies = _policies(block, version)
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
    return read


def _check_keys(section: Section, known: tuple[str, ...] | dict[str, str], version: Version, inside: str = "") -> None:
    """Refuse keys that a version does not have."""
    for key, item in section.items.items():
        if key not in known:
            refuse(item, section.at(key), f"there is no such key.{near(key, known)}")
        since = KEYS.get(f"{inside}.{key}" if inside else key)
        if since and not since.holds(version):
            refuse(item, section.at(key), f"{written(version)} has no such key: it is there {since}")


def _policies(block: Section, version: Version) -> tuple[Policy, ...]:
    names: dict[str, str] = {}
    policies = []
    for section in block.sections("policies"):
        name = section.text("name")
        if not name and rule_holds("names_needed", version):
            section.refuse("name", "a policy has a name")
        if name in names:
            section.refuse("name", f"{shown(name)} is the name of {names[name]} already")
        names[name] = section.path
        policies.append(_policy(section, version, _TOP))
    return tuple(policies)


_TOP: Final = ("composite", "and", "not", "drop")
_NAMES: Final = ("name", "type")


def _policy(section: Section, version: Version, holders: tuple[str, ...]) -> Policy:
    """Read a policy; `holders` are the types that hold others and may stand here."""
    holders = tuple(each for each in holders if _has_type(each, version))
    blocks = {key: Section.of(item, section.at(key)) for key, item in section.items.items() if key in _SHARED_KEYS}
    for key, item in section.items.items():
        known_here = key in _NAMES or key in holders or (key in _SHARED_KEYS and _has_type(key, version))
        if not known_here:
            _check_free_key(section, key, item, version)
            blocks.pop(key, None)
    for key, each in blocks.items():
        _check_settings(each, key, version)
    kind = section.text("type")
    if kind not in TYPES or not _has_type(kind, version) or (kind in _TOP and kind not in holders):
        _refuse_type(section, kind, version, holders)
    if kind in _HOLDERS:
        return _HOLDERS[kind](section, version)
    settings = blocks.get(kind, Section(Item({}, section.item.line), section.at(kind)))
    return _MAKERS[kind](settings, section.text("name"), section.path, version)


def _has_type(kind: str, version: Version) -> bool:
    since = TYPES.get(kind)
    return since is None or since.holds(version)


def _check_free_key(section: Section, key: str, item: Item, version: Version) -> None:
    """Take keys for those of extensions where a version does, which only says so when their type is used."""
    since = TYPES.get(key)
    hint = (
        f": it is there {since}"
        if since and not since.holds(version)
        else f".{near(key, [*_SHARED_KEYS, *_TOP, *_NAMES])}"
    )
    if not rule_holds("free_keys", version) or not isinstance(item.value, dict | None):
        refuse(item, section.at(key), f"there is no such key{hint}")
    warn_caller(
        f"{section.at(key)}: the Collector takes this for settings of an extension, and no policy here reads them"
        f"{hint}",
        QueryWarning,
    )


def _refuse_type(section: Section, kind: str, version: Version, holders: tuple[str, ...]) -> None:
    since = TYPES.get(kind)
    known = [each for each in TYPES if _has_type(each, version) and (each not in _TOP or each in holders)]
    if not kind:
        section.refuse("type", f"a policy has a type, one of {', '.join(known)}")
    if since and not since.holds(version):
        section.refuse("type", f"{written(version)} has no policy type {kind}: it is there {since}")
    if kind in TYPES:
        section.refuse("type", f"{kind} cannot stand inside this policy in {written(version)}")
    section.refuse(
        "type",
        f"there is no policy type {shown(kind)}.{near_or_all(kind, known)}",
    )


def _check_settings(section: Section, kind: str, version: Version) -> None:
    """Read all settings of a block once, since the Collector does so whatever the type of the policy is."""
    known = _SHARED_KEYS[kind]
    _check_keys(section, known, version, kind)
    for key, reads in known.items():
        getattr(section, reads)(key)
    if kind == "ottl_condition" and section.text("error_mode").lower() not in _ERROR_MODES:
        mode = section.text("error_mode")
        section.refuse("error_mode", f"it is ignore, silent or propagate, got {shown(mode)}.{near(mode, _ERROR_MODES)}")


def _numeric(settings: Section, name: str, path: str, version: Version) -> Policy:
    bounds: list[int | None] = [settings.int64("min_value"), settings.int64("max_value")]
    if rule_holds("open_numbers", version):
        bounds = [bound or None for bound in bounds]
        if bounds == [None, None]:
            refuse(
                settings.item,
                settings.path,
                "one of min_value and max_value is needed, and 0 is none: the Collector breaks off at the first trace",
            )
    return NumericAttribute(name, path, settings.text("key"), bounds[0], bounds[1], settings.flag("invert_match"))


def _string(settings: Section, name: str, path: str, version: Version) -> Policy:
    del version
    values = settings.texts("values")
    regex = settings.flag("enabled_regex_matching")
    for index, value in enumerate(values if regex else ()):
        try:
            searching(value)
        except RegexError as error:
            item = settings.items["values"]
            each = item.value[index] if isinstance(item.value, list) else item
            refuse(each, f"{settings.at('values')}[{index}]", f"{shown(value)} is no regular expression of Go: {error}")
    return StringAttribute(name, path, settings.text("key"), values, regex, settings.flag("invert_match"))


def _statuses(settings: Section, name: str, path: str, version: Version) -> Policy:
    del version
    codes = settings.texts("status_codes")
    if not codes:
        settings.refuse("status_codes", f"at least one of {', '.join(_STATUSES)} is needed")
    for code in codes:
        if code not in _STATUSES:
            settings.refuse(
                "status_codes",
                f"it is one of {', '.join(_STATUSES)}, got {shown(code)}.{near(code.upper(), _STATUSES)}",
            )
    return StatusCode(name, path, codes)


def _conditions(settings: Section, name: str, path: str, version: Version) -> Policy:
    del version
    span, event = settings.texts("span"), settings.texts("spanevent")
    if not span and not event:
        refuse(settings.item, settings.path, "a condition is needed, under `span` or `spanevent`")
    for key, texts in (("span", span), ("spanevent", event)):
        for index, text in enumerate(texts):
            _check_condition(settings, key, index, text)
    return OttlCondition(name, path, settings.text("error_mode").lower(), span, event)


def _check_condition(settings: Section, key: str, index: int, text: str) -> None:
    try:
        Conditions((text,), key)
    except PolicyError as error:
        stands = settings.items[key]
        item = stands.value[index] if isinstance(stands.value, list) else stands
        raise PolicyError(f"{where(item, f'{settings.at(key)}[{index}]')}: {error}") from error


def _budget(settings: Section, key: str) -> tuple[int, int]:
    rate, burst = settings.int64(key), settings.int64("burst_capacity")
    return rate, burst if burst > 0 else 2 * rate


_MAKERS: Final[dict[str, Callable[[Section, str, str, Version], Policy]]] = {
    "always_sample": lambda _, name, path, __: AlwaysSample(name, path),
    "trace_flags": lambda _, name, path, __: TraceFlags(name, path),
    "latency": lambda its, name, path, _: Latency(
        name, path, its.int64("threshold_ms"), its.int64("upper_threshold_ms")
    ),
    "boolean_attribute": lambda its, name, path, _: BooleanAttribute(
        name, path, its.text("key"), its.flag("value"), its.flag("invert_match")
    ),
    "numeric_attribute": _numeric,
    "string_attribute": _string,
    "status_code": _statuses,
    "ottl_condition": _conditions,
    "trace_state": lambda its, name, path, _: TraceState(name, path, its.text("key"), its.texts("values")),
    "span_count": lambda its, name, path, _: SpanCount(name, path, its.int32("min_spans"), its.int32("max_spans")),
    "probabilistic": lambda its, name, path, _: Probabilistic(
        name, path, its.text("hash_salt") or DEFAULT_SALT, its.float64("sampling_percentage")
    ),
    "rate_limiting": lambda its, name, path, _: RateLimiting(name, path, *_budget(its, "spans_per_second")),
    "bytes_limiting": lambda its, name, path, _: BytesLimiting(name, path, *_budget(its, "bytes_per_second")),
}


def _inside(section: Section, kind: str, version: Version, holders: tuple[str, ...]) -> tuple[Policy, ...]:
    settings = section.section(kind)
    key = f"{kind}_sub_policy"
    if kind != "composite":
        _check_keys(settings, (key,), version)
    return tuple(_policy(each, version, holders) for each in settings.sections(key))


def _may_hold_not(version: Version) -> tuple[str, ...]:
    return ("not",) if rule_holds("not_inside", version) else ()


def _and(section: Section, version: Version) -> Policy:
    return And(section.text("name"), section.path, _inside(section, "and", version, _may_hold_not(version)))


def _drop(section: Section, version: Version) -> Policy:
    return Drop(section.text("name"), section.path, _inside(section, "drop", version, _may_hold_not(version)))


def _not(section: Section, version: Version) -> Policy:
    settings = section.section("not")
    _check_keys(settings, ("not_sub_policy",), version)
    return Not(section.text("name"), section.path, _policy(settings.section("not_sub_policy"), version, ()))


def _composite(section: Section, version: Version) -> Policy:
    settings = section.section("composite")
    keys = ("max_total_spans_per_second", "policy_order", "composite_sub_policy", "rate_allocation")
    _check_keys(settings, keys, version)
    settings.texts("policy_order")
    most = settings.int64("max_total_spans_per_second")
    subs = _inside(section, "composite", version, ("and",))
    percents: dict[str, int] = {}
    for each in settings.sections("rate_allocation"):
        _check_keys(each, ("policy", "percent"), version)
        percents[each.text("policy")] = each.int64("percent")
    shares_equally = rule_holds("equal_shares", version)
    allocated = []
    for sub in subs:
        percent = percents.get(sub.name, 0)
        if percent > 0:
            allocated.append(int(percent / 100 * float(most)))
        else:
            allocated.append(int(most / len(subs)) if sub.name in percents or shares_equally else 0)
    return Composite(section.text("name"), section.path, most, subs, tuple(allocated))


_HOLDERS: Final[dict[str, Callable[[Section, Version], Policy]]] = {
    "and": _and,
    "drop": _drop,
    "not": _not,
    "composite": _composite,
}


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
