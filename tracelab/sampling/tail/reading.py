"""Policies out of their sections: which settings each type has in each version, and what the Collector refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.errors import PolicyError, QueryWarning, warn_caller
from tracelab.go_regexes import RegexError, searching
from tracelab.options import shown
from tracelab.sampling.documents import near, near_or_all
from tracelab.sampling.ottl import Conditions
from tracelab.sampling.releases import Version, written
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
    TraceFlags,
    TraceState,
)
from tracelab.sampling.tail.sections import Item, Section, refuse, where
from tracelab.sampling.tail.versions import KEYS, TYPES, rule_holds

if TYPE_CHECKING:
    from collections.abc import Callable

_TOP: Final = ("composite", "and", "not", "drop")
_NAMES: Final = ("name", "type")
_ERROR_MODES: Final = ("", "ignore", "silent", "propagate")
_STATUSES: Final = ("OK", "ERROR", "UNSET")
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


def check_keys(section: Section, known: tuple[str, ...] | dict[str, str], version: Version, inside: str = "") -> None:
    """Refuse keys that a version does not have."""
    for key, item in section.items.items():
        if key not in known:
            refuse(item, section.at(key), f"there is no such key.{near(key, known)}")
        since = KEYS.get(f"{inside}.{key}" if inside else key)
        if since and not since.holds(version):
            refuse(item, section.at(key), f"{written(version)} has no such key: it is there {since}")


def read_policies(block: Section, version: Version) -> tuple[Policy, ...]:
    """Read the policies of a block.

    Raises
    ------
    PolicyError
        This version refuses one.
    """
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
    check_keys(section, known, version, kind)
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
    span, event = settings.texts("span"), settings.texts("spanevent")
    if not span and not event:
        refuse(settings.item, settings.path, "a condition is needed, under `span` or `spanevent`")
    for key, texts in (("span", span), ("spanevent", event)):
        for index, text in enumerate(texts):
            _check_condition(settings, key, index, text, version)
    return OttlCondition(name, path, settings.text("error_mode").lower(), span, event)


def _check_condition(settings: Section, key: str, index: int, text: str, version: Version) -> None:
    try:
        Conditions((text,), key, version=version)
    except PolicyError as error:
        stands = settings.items[key]
        item = stands.value[index] if isinstance(stands.value, list) else stands
        raise PolicyError(f"{where(item, f'{settings.at(key)}[{index}]')}: {error}") from error


def _budget(settings: Section, key: str) -> tuple[int, int]:
    rate, burst = settings.int64(key), settings.int64("burst_capacity")
    # Go's numbers of 64 bits go round where they are too small.
    return rate, burst if burst > 0 else (2 * rate + 2**63) % 2**64 - 2**63


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
        check_keys(settings, (key,), version)
    return tuple(_policy(each, version, holders) for each in settings.sections(key))


def _may_hold_not(version: Version) -> tuple[str, ...]:
    return ("not",) if rule_holds("not_inside", version) else ()


def _and(section: Section, version: Version) -> Policy:
    return And(section.text("name"), section.path, _inside(section, "and", version, _may_hold_not(version)))


def _drop(section: Section, version: Version) -> Policy:
    return Drop(section.text("name"), section.path, _inside(section, "drop", version, _may_hold_not(version)))


def _not(section: Section, version: Version) -> Policy:
    settings = section.section("not")
    check_keys(settings, ("not_sub_policy",), version)
    return Not(section.text("name"), section.path, _policy(settings.section("not_sub_policy"), version, ()))


def _composite(section: Section, version: Version) -> Policy:
    settings = section.section("composite")
    keys = ("max_total_spans_per_second", "policy_order", "composite_sub_policy", "rate_allocation")
    check_keys(settings, keys, version)
    settings.texts("policy_order")
    most = settings.int64("max_total_spans_per_second")
    subs = _inside(section, "composite", version, ("and",))
    percents: dict[str, int] = {}
    for each in settings.sections("rate_allocation"):
        check_keys(each, ("policy", "percent"), version)
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
