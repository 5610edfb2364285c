"""Rules files: which fields Refinery knows, of which types, and what it refuses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from tracelab.errors import QueryWarning, warn_caller
from tracelab.go_regexes import RegexError, searching
from tracelab.sampling.documents import Document, Path_, near_or_all
from tracelab.sampling.durations import parse_go_duration
from tracelab.sampling.refinery import samplers as s
from tracelab.sampling.refinery.values import printed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT: Final = "__default__"
VERSION: Final = 2

_TOP: Final = ("RulesVersion", "Samplers")
_OLD: Final = ("Sampler", "SampleRate", "DryRun", "DryRunFieldName", "rule", "FieldList")
_LONGEST: Final = 2**63 - 1
_MOST_INT: Final = 2**63 - 1
_SECOND: Final = 1_000_000_000
_LEAST_THROUGHPUT_INTERVAL: Final = 1_000_000


@dataclass(frozen=True)
class _Field:
    type: str
    required: bool = False
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    why: str = ""


_LIST: Final = _Field("stringarray", required=True)
_KEY_FIELDS: Final = {"FieldList": _LIST, "MaxKeys": _Field("int"), "UseTraceLength": _Field("bool")}
_MOVING_FIELDS: Final = {
    "AdjustmentInterval": _Field("duration", least=0),
    "Weight": _Field("float", least=0, most=1),
    "AgeOutValue": _Field("float", least=0, most=1),
    "BurstMultiple": _Field("float"),
    "BurstDetectionDelay": _Field("int", least=0),
}
_CRASHES: Final = "Refinery stops at the first trace with it."
_GOAL: Final = {"GoalThroughputPerSec": _Field("int", required=True, least=1), "UseClusterSize": _Field("bool")}

_GROUPS: Final[dict[str, dict[str, _Field]]] = {
    "DeterministicSampler": {"SampleRate": _Field("int", required=True)},
    "DynamicSampler": {
        "SampleRate": _Field("int", required=True, least=0, why=_CRASHES),
        "ClearFrequency": _Field("duration", least=0),
        **_KEY_FIELDS,
    },
    "EMADynamicSampler": {
        "GoalSampleRate": _Field("int", required=True, least=0, why=_CRASHES),
        **_MOVING_FIELDS,
        **_KEY_FIELDS,
    },
    "EMAThroughputSampler": {
        **_GOAL,
        "InitialSampleRate": _Field("int", least=0, why=_CRASHES),
        **_MOVING_FIELDS,
        **_KEY_FIELDS,
    },
    "WindowedThroughputSampler": {
        **_GOAL,
        "UpdateFrequency": _Field("duration", least=0),
        "LookbackFrequency": _Field("duration", least=0),
        **_KEY_FIELDS,
    },
    "TotalThroughputSampler": {**_GOAL, "ClearFrequency": _Field("duration", least=0), **_KEY_FIELDS},
    "RulesBasedSampler": {"Rules": _Field("objectarray"), "CheckNestedFields": _Field("bool")},
}
_RULE: Final = {
    "Name": _Field("string"),
    "Sampler": _Field("object"),
    "Drop": _Field("bool"),
    "SampleRate": _Field("int"),
    "Conditions": _Field("objectarray"),
    "Scope": _Field("string", choices=("trace", "span")),
}
_CONDITION: Final = {
    "Field": _Field("string"),
    "Fields": _Field("stringarray"),
    "Operator": _Field("string", choices=s.OPERATORS),
    "Value": _Field("sliceorscalar"),
    "Datatype": _Field("string", choices=s.DATATYPES),
}
_TYPES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "string": (lambda value: isinstance(value, str), "text"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "float": (lambda value: isinstance(value, int | float) and not isinstance(value, bool), "a number"),
    "stringarray": (
        lambda value: isinstance(value, list) and all(isinstance(i, str) for i in value),
        "a list of texts",
    ),
    "object": (lambda value: isinstance(value, dict), "a mapping"),
    "objectarray": (lambda value: isinstance(value, list), "a list of mappings, each after a `-`"),
    "sliceorscalar": (
        lambda value: _is_scalar(value) or isinstance(value, list),
        "text, a number, true, false or a list",
    ),
    "duration": (
        lambda value: isinstance(value, str) and parse_go_duration(value) is not None,
        "a duration such as 30s or 1m30s",
    ),
}


def read_samplers(document: Document) -> dict[str, s.Sampler]:
    """Read the sampler of every environment.

    Raises
    ------
    PolicyError
        Refinery refuses the file, or would stop because of it; or it is one of version 1.
    """
    values = document.values
    if not isinstance(values, dict):
        document.refuse((), "a rules file of Refinery is a mapping with `RulesVersion: 2` and `Samplers`.")
    _refuse_old(document, values)
    if (unknown := next((key for key in values if key not in _TOP), None)) is not None:
        document.refuse((unknown,), f"Refinery knows no such key.{near_or_all(unknown, _TOP)}")
    version = values.get("RulesVersion")
    if not (isinstance(version, int) and not isinstance(version, bool)) or version != VERSION:
        document.refuse(("RulesVersion",), f"must be {VERSION}, and is {_short(version)}.")
    chosen = values.get("Samplers")
    if not isinstance(chosen, dict) or not chosen:
        document.refuse(("Samplers",), "must be a mapping from environments to their samplers.")
    if DEFAULT not in chosen:
        document.refuse(
            ("Samplers",), f"there must be a {DEFAULT!r}, for what is not listed. Refinery refuses it else."
        )
    return {name: _choice(document, ("Samplers", name), value) for name, value in chosen.items()}


def _refuse_old(document: Document, values: Mapping[str, Any]) -> None:
    old = [key for key in values if key in _OLD]
    inside = any(isinstance(item, dict) and "Sampler" in item for key, item in values.items() if key != "Samplers")
    if "RulesVersion" not in values and "Samplers" not in values and (old or inside):
        document.refuse(
            (),
            "these are rules of Refinery's version 1 (`Sampler = ...`, often in TOML), which are not replayed. Convert "
            "them with Refinery's tool: `convert rules --input rules.toml --output rules.yaml`.",
        )


def _choice(document: Document, path: Path_, value: Any) -> s.Sampler:
    """Read the sampler of an environment; of several Refinery takes the first in its own order."""
    if not isinstance(value, dict):
        document.refuse(path, f"must be a mapping from a sampler's name to what it says, and is {_short(value)}.")
    _known_names(document, path, value, tuple(_GROUPS))
    read = {name: _sampler(document, (*path, name), value[name], name) for name in _GROUPS if name in value}
    order = ("DeterministicSampler", "RulesBasedSampler", *_GROUPS)
    chosen = next((read[name] for name in order if name in read), None)
    if chosen is None:
        document.refuse(path, f"has no sampler.{near_or_all('', tuple(_GROUPS))}")
    return chosen


def _sampler(document: Document, path: Path_, value: Any, name: str) -> s.Sampler:
    found = _checked(document, path, value, _GROUPS[name])
    match name:
        case "DeterministicSampler":
            if found["SampleRate"] == 0:
                document.refuse((*path, "SampleRate"), "must not be 0: Refinery divides by it, and stops.")
            return s.Deterministic(found["SampleRate"])
        case "RulesBasedSampler":
            return _rules(document, path, found)
        case _:
            return _dynamic(document, path, found, name)


def _dynamic(document: Document, path: Path_, found: Mapping[str, Any], name: str) -> s.Dynamic:
    most = found.get("MaxKeys", 0) or s.MOST_KEYS
    key = s.Key(tuple(found["FieldList"]), found.get("UseTraceLength", False), max(most, 0))

    def length(field: str, default: int) -> int:
        return parse_go_duration(found.get(field, "0")) or default

    match name:
        case "DynamicSampler":
            return s.Average(key, found["SampleRate"] or 10, length("ClearFrequency", 30 * _SECOND))
        case "TotalThroughputSampler":
            return s.Throughput(key, found["GoalThroughputPerSec"], length("ClearFrequency", 30 * _SECOND))
        case "WindowedThroughputSampler":
            interval = length("UpdateFrequency", _SECOND)
            lookback = length("LookbackFrequency", 30 * interval)
            return s.Windowed(key, found["GoalThroughputPerSec"], interval, lookback // interval * interval)
    interval = length("AdjustmentInterval", 15 * _SECOND)
    throughput = found["GoalThroughputPerSec"] if name == "EMAThroughputSampler" else None
    if throughput is not None and interval < _LEAST_THROUGHPUT_INTERVAL:
        document.refuse((*path, "AdjustmentInterval"), "must be a millisecond or more for a throughput sampler.")
    rate = None if throughput is not None else found["GoalSampleRate"] or 10
    weight = float(found.get("Weight", 0)) or 0.5
    return s.MovingAverage(
        key=key,
        interval=interval,
        initial=found.get("InitialSampleRate", 0) or 10 if rate is None else rate,
        rate=rate,
        throughput=throughput,
        weight=weight,
        age_out=float(found.get("AgeOutValue", 0)) or weight,
        burst_multiple=float(found.get("BurstMultiple", 0)) or 2.0,
        burst_delay=found.get("BurstDetectionDelay", 0) or 3,
    )


def _rules(document: Document, path: Path_, found: Mapping[str, Any]) -> s.RulesBased:
    rules = [
        _rule(document, (*path, "Rules", number), value, number) for number, value in enumerate(found.get("Rules", []))
    ]
    return s.RulesBased(tuple(rules), found.get("CheckNestedFields", False))


def _rule(document: Document, path: Path_, value: Any, number: int) -> s.Rule:
    found = _checked(document, path, value, _RULE)
    conditions = [
        _condition(document, (*path, "Conditions", place), each, span_scope=found.get("Scope") == "span")
        for place, each in enumerate(found.get("Conditions", []))
    ]
    return s.Rule(
        name=found.get("Name", "") or f"rule {number + 1}",
        conditions=tuple(conditions),
        scope=cast("Literal['trace', 'span']", found.get("Scope", "trace")),
        rate=found.get("SampleRate", 0),
        drop=found.get("Drop", False),
        sampler=_downstream(document, (*path, "Sampler"), found["Sampler"]) if "Sampler" in found else None,
    )


def _downstream(document: Document, path: Path_, value: Mapping[str, Any]) -> s.Deterministic | s.Dynamic:
    """Read the sampler of a rule; of several Refinery takes the first in the order of its code."""
    known = tuple(name for name in _GROUPS if name != "RulesBasedSampler")
    _known_names(document, path, value, known)
    order = (
        "DynamicSampler",
        "EMADynamicSampler",
        "TotalThroughputSampler",
        "EMAThroughputSampler",
        "WindowedThroughputSampler",
        "DeterministicSampler",
    )
    read = {name: _sampler(document, (*path, name), value[name], name) for name in known if name in value}
    chosen = next((read[name] for name in order if name in read), None)
    if chosen is None:
        document.refuse(path, f"names no sampler.{near_or_all('', known)}")
    return cast("s.Deterministic | s.Dynamic", chosen)


def _condition(document: Document, path: Path_, value: Any, *, span_scope: bool) -> s.Condition:
    found = _checked(document, path, value, _CONDITION)
    if "Field" in found and "Fields" in found:
        document.refuse(path, "has both `Field` and `Fields`, of which Refinery takes one.")
    if "Operator" not in found:
        document.refuse(path, f"needs an `Operator`.{near_or_all('', s.OPERATORS)}")
    operator, value, datatype = found["Operator"], found.get("Value"), found.get("Datatype")
    fields = (found["Field"],) if found.get("Field") else tuple(found.get("Fields", ()))
    computed = next((field for field in fields if field.startswith(s.COMPUTED_PREFIX)), None)
    if computed is not None and (fields != (s.DESCENDANTS,) or "Fields" in found):
        known = "" if computed != s.DESCENDANTS else " It stands alone, as `Field`."
        document.refuse(
            path, f"{computed!r} is no computed field here.{near_or_all(computed, (s.DESCENDANTS,))}{known}"
        )
    if ignored := _ignored(operator, value, datatype, span_scope=span_scope):
        warn_caller(f"{document.where(path)}: {ignored}", QueryWarning)
    return s.Condition(fields, operator, value, datatype)


def is_convertible(operator: str, value: Any, datatype: str | None) -> bool:
    """Tell whether Refinery can make a typed test of a comparison; else it makes one without a datatype."""
    if datatype in ("int", "float"):
        return number(value, datatype) is not None
    return datatype != "bool" or operator in (s.EQUAL, s.UNEQUAL)


def _ignored(operator: str, value: Any, datatype: str | None, *, span_scope: bool) -> str:
    """Say what Refinery takes without a word, though it does not do what is written; empty where there is nothing."""
    if operator in s.COMPARISONS:
        if not is_convertible(operator, value, datatype):
            return f"Refinery ignores `Datatype: {datatype}`, which does not go with `{operator}` and {_short(value)}."
        if isinstance(value, list):
            return f"no field equals a list; `{s.IN}` and `{s.NOT_IN}` take one."
    if operator == s.HAS_ROOT and span_scope:
        return f"`{s.HAS_ROOT}` is about traces: in a rule with `Scope: span` it is never met in Refinery."
    if operator in (s.IN, s.NOT_IN):
        if datatype == "bool" or value is None or isinstance(value, bool):
            return f"`{operator}` takes no booleans, so that the condition is never met in Refinery."
        items = value if isinstance(value, list) else [value]
        bad = [item for item in items if datatype in ("int", "float") and number(item, datatype) is None]
        if bad:
            return f"Refinery leaves out {_short(bad[0])}, which cannot be read as {datatype}."
    if operator == s.MATCHES and (problem := _regex_problem(value)):
        return f"{_short(value)} is no regular expression ({problem}), so that the condition is never met in Refinery."
    return ""


def _regex_problem(value: Any) -> str:
    try:
        searching(printed(value))
    except RegexError as error:
        return str(error)
    return ""


def number(value: Any, datatype: str) -> float | int | None:
    """Convert a value to the number that Refinery compares: text that is one, floats cut to whole; never a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        if datatype == "float":
            return float(value) if not isinstance(value, str) or _is_float(value) else None
        if isinstance(value, str):
            found = int(value) if re.fullmatch(r"[+-]?[0-9]{1,19}", value) else None
        else:
            found = int(value) if math.isfinite(value) else None
    except (OverflowError, ValueError):
        return None
    return found if found is not None and -_MOST_INT - 1 <= found <= _MOST_INT else None


def _is_float(text: str) -> bool:
    """Tell whether Go reads a text as a float: no spaces, underscores only in hex."""
    return bool(
        re.fullmatch(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|(?i:inf|infinity|nan))", text, re.ASCII)
    )


def _checked(document: Document, path: Path_, value: Any, known: Mapping[str, _Field]) -> dict[str, Any]:
    """Check a mapping against what Refinery says of its fields."""
    if not isinstance(value, dict):
        document.refuse(path, f"must be a mapping, and is {_short(value)}. Known are {', '.join(known)}.")
    _known_names(document, path, value, tuple(known))
    for name, field in known.items():
        if name in value:
            _check(document, (*path, name), value[name], field)
        elif field.required:
            document.refuse(path, f"needs `{name}`.")
    return value


def _known_names(document: Document, path: Path_, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if (unknown := next((name for name in value if name not in known), None)) is not None:
        document.refuse((*path, unknown), f"Refinery knows no such key here.{near_or_all(unknown, known)}")


def _check(document: Document, path: Path_, value: Any, field: _Field) -> None:
    good, words = _TYPES[field.type]
    if not good(value):
        document.refuse(path, f"must be {words}, and is {_short(value)}.")
    if field.choices and value not in field.choices:
        document.refuse(path, f"{_short(value)} is none of its values.{near_or_all(value, field.choices)}")
    measured: float = (parse_go_duration(value) or 0) if field.type == "duration" else value
    too_small = field.least is not None and not measured >= field.least
    if too_small or (field.most is not None and not measured <= field.most):
        limits = f"from {field.least:g} to {field.most:g}" if field.most is not None else f"{field.least:g} or more"
        document.refuse(path, f"must be {limits}, and is {_short(value)}.{field.why and ' ' + field.why}")
    if field.type == "int" and abs(value) > _MOST_INT:
        document.refuse(path, "must fit 64 bits.")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
