"""Nodes to plans: finds paths and converters, and refuses what the Collector refuses when it starts."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tracelab.errors import PolicyError
from tracelab.sampling.ottl import history
from tracelab.sampling.ottl import nodes as n
from tracelab.sampling.ottl import plans as p
from tracelab.sampling.ottl.converters.all import CONVERTERS
from tracelab.sampling.ottl.converters.names import camel
from tracelab.sampling.ottl.converters.parsing import without_mapping
from tracelab.sampling.ottl.converters.registry import EXPERIMENTAL, OPEN, Converter, Parameter
from tracelab.sampling.ottl.operators import compared
from tracelab.sampling.ottl.paths import Place, UnknownPathError, place_of
from tracelab.sampling.ottl.values import ConditionFailedError, NotReplayableError, RawList, as_kind
from tracelab.sampling.releases import written

if TYPE_CHECKING:
    from tracelab.sampling.releases import Since, Version

ENUMS: Final = {
    "SPAN_KIND_UNSPECIFIED": 0,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
    "STATUS_CODE_UNSET": 0,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
}
"""Names that stand for numbers."""

_IN_NO_ORDER: Final = ("Keys", "Values", "ToKeyValueString")
_WITHOUT_ORDER: Final = ("Len", "ContainsValue", "IsList", "IsEmpty", "Sort", "IsString")
_NO_ORDER: Final = "neither a span frame nor Go keeps maps in an order, and this depends on it"


class Planner:
    """Plans one condition; `missing` collects why parts of it cannot be replayed.

    With a version of the Collector, what that version does not have is refused.
    """

    def __init__(self, source: str, context: str, version: Version | None = None) -> None:
        self.source = source
        self.context = context
        self.version = version
        self.missing: list[str] = []

    def test(self, node: n.Condition) -> p.Test:
        """Plan a condition; what is settled by what is written out is settled here, as the Collector does it."""
        match node:
            case n.Fixed():
                return p.Fixed(node.holds)
            case n.Not():
                inner = self.test(node.operand)
                return p.Fixed(not inner.holds) if isinstance(inner, p.Fixed) else p.Not(inner)
            case n.And() | n.Or():
                return self.joined(node)
            case n.Comparison():
                return self.comparison(node)
        return self.call(node)

    def joined(self, node: n.And | n.Or) -> p.Test:
        parts = [self.test(operand) for operand in node.operands]
        decisive = isinstance(node, n.Or)
        if any(isinstance(part, p.Fixed) and part.holds == decisive for part in parts):
            return p.Fixed(decisive)
        rest = tuple(part for part in parts if not isinstance(part, p.Fixed))
        if not rest:
            return p.Fixed(not decisive)
        if len(rest) == 1:
            return rest[0]
        return p.Or(rest) if decisive else p.And(rest)

    def comparison(self, node: n.Comparison) -> p.Test:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, p.Given) and isinstance(right, p.Given):
            return p.Fixed(compared(node.operator, left.value, right.value))
        return p.Compare(node.operator, left, right)

    def value(self, node: n.Value, within: str = "") -> p.Value:
        match node:
            case n.Literal():
                return p.Given(node.value)
            case n.EnumName():
                return p.Given(self.enum(node))
            case n.Path():
                return self.path(node)
            case n.Call():
                return self.call(node, within)
            case n.ListOf():
                items = tuple(self.value(item) for item in node.items)
                given = [item.value for item in items if isinstance(item, p.Given)]
                return p.Given(RawList(given)) if len(given) == len(items) else p.Items(items)
            case n.MapOf():
                return self.map(node)
            case n.Negative():
                if not isinstance(node.operand, n.Literal):
                    self.needs(history.SIGNS, "no sign before what is no number", node.start)
                return p.Negate(self.value(node.operand))
            case n.Arithmetic():
                return p.Calculate(node.operator, self.value(node.left), self.value(node.right))
        raise AssertionError(node)

    def map(self, node: n.MapOf) -> p.Value:
        self.needs(history.MAPS, "no maps that are written out", node.start)
        keys: list[str] = []
        for key, _ in node.items:
            if not (isinstance(key, n.Literal) and isinstance(key.value, str)):
                self.refuse("A key of a map is a text that is written out, unless a feature gate is set.", key.start)
            keys.append(key.value)
        values = {key: self.value(value) for key, (_, value) in zip(keys, node.items, strict=True)}
        given = {key: value.value for key, value in values.items() if isinstance(value, p.Given)}
        return p.Given(given) if len(given) == len(values) else p.Entries(tuple(values), tuple(values.values()))

    def enum(self, node: n.EnumName) -> int:
        if node.name not in ENUMS:
            near = get_close_matches(node.name, ENUMS, 2, 0.6) or sorted(ENUMS)
            self.refuse(f"There is no number named `{node.name}`. Did you mean {_listed(near)}?", node.start)
        return ENUMS[node.name]

    def path(self, node: n.Path) -> p.Read:
        try:
            place = place_of(node, self.context)
        except UnknownPathError as error:
            self.refuse(str(error), error.start)
        self.needs_path(node, place)
        if place.missing:
            self.missing.append(f"`{node}`: {place.missing}")
        return p.Read(place.context, place.name, self.keys(place.keys), place.missing)

    def needs_path(self, node: n.Path, place: Place) -> None:
        """Refuse a path that the version has not."""
        first = node.segments[0]
        older = first.name == "span" and self.context == "spanevent"
        if place.given and not older:
            self.needs(history.CONTEXTS.get(first.name), f"no paths that begin with `{first.name}.`", first.start)
        self.needs(history.PATHS.get((place.context, place.name)), f"no path `{node}`", first.start)

    def keys(self, keys: tuple[n.Value, ...]) -> tuple[p.Value, ...]:
        for key in keys:
            if not isinstance(key, n.Literal):
                self.needs(history.COMPUTED_KEYS, "no keys in brackets that are not written out", key.start)
        return tuple(self.value(key) for key in keys)

    def call(self, node: n.Call, within: str = "") -> p.Apply:
        found = CONVERTERS.get(node.name)
        if found is None or (found.only_in and found.only_in != self.context):
            self.refuse(_unknown_converter(node.name, self.context), node.start)
        self.needs(history.CONVERTERS.get(found.name), f"no converter `{found.name}`", node.start)
        arguments = self.arguments(node, found)
        self.check(node, found, arguments)
        missing = found.missing
        if not missing and found.name in _IN_NO_ORDER and within not in _WITHOUT_ORDER and not _sorts(found, arguments):
            missing = _NO_ORDER
        if missing:
            self.missing.append(f"`{found.name}`: {missing}")
            found = Converter(found.name, found.parameters, found.function, missing=missing)
        if found.name == "ParseSeverity" and not isinstance(arguments[1], p.Given):
            found = Converter(found.name, found.parameters, without_mapping, looks=True)
        return p.Apply(found, arguments, self.keys(node.keys))

    def arguments(self, node: n.Call, found: Converter) -> tuple[p.Value | None, ...]:
        parameters = found.parameters
        needed = sum(not parameter.optional for parameter in parameters)
        if not needed <= len(node.arguments) <= len(parameters):
            count = f"{needed} to {len(parameters)}" if needed < len(parameters) else str(needed)
            self.refuse(f"`{found.name}` takes {count} arguments, and there are {len(node.arguments)}.", node.start)
        given: list[p.Value | None] = [None] * len(parameters)
        named = False
        for place, argument in enumerate(node.arguments):
            if argument.name is None and named:
                self.refuse("An argument without a name stands behind one that has one.", argument.start)
            named = argument.name is not None
            where = place if argument.name is None else self.named(argument.name, found, argument.start)
            self.needs_parameter(found.name, parameters[where], argument.value)
            given[where] = self.argument(argument.value, parameters[where], found.name)
        for parameter, value in zip(parameters, given, strict=True):
            name = f"`{_snake(parameter.name)}`"
            if value is None and not parameter.optional:
                self.refuse(f"`{found.name}` is not told its {name}.", node.start)
            if value is None:
                late = history.LEFT_OUT.get((found.name, parameter.name))
                self.needs(late, f"no `{found.name}` without its {name}", node.start)
        return tuple(given)

    def needs_parameter(self, converter: str, parameter: Parameter, value: n.Value) -> None:
        """Refuse an argument that the version does not take."""
        place, name = (converter, parameter.name), f"`{_snake(parameter.name)}` of `{converter}`"
        self.needs(history.ADDED.get(place), f"no {name}", value.start)
        plain: type = n.ListOf if parameter.kind.startswith("[") else n.Literal
        wants_bytes = parameter.kind == "bytes-like"
        if not isinstance(value, plain) or (wants_bytes and not isinstance(getattr(value, "value", None), bytes)):
            self.needs(history.OPENED.get(place), f"no {name} that is not written out", value.start)

    def named(self, name: str, found: Converter, start: int) -> int:
        names = [parameter.name for parameter in found.parameters]
        if camel(name) not in names:
            own = _listed([_snake(one) for one in names]) if names else "none"
            self.refuse(f"`{found.name}` has no parameter `{name}`; it has {own}.", start)
        return names.index(camel(name))

    def argument(self, node: n.Value, parameter: Parameter, within: str) -> p.Value:
        kind = parameter.kind
        if kind in ("text!", "bool!"):
            of = str if kind == "text!" else bool
            if not (isinstance(node, n.Literal) and type(node.value) is of):
                self.refuse(f"This must be a {'text' if of is str else 'bool'} that is written out.", node.start)
            return p.Given(node.value)
        if kind.startswith("[") or kind == "texts!":
            return self.listed(node, kind, within)
        value = self.value(node, within)
        if isinstance(value, p.Given):
            self.fits(kind, value.value, node.start)
        return value

    def listed(self, node: n.Value, kind: str, within: str) -> p.Value:
        """Plan an argument that is a list; of one kind the list itself may be known on a span only."""
        if not isinstance(node, n.ListOf):
            if kind == "[string-like]":
                return self.value(node, within)
            self.refuse("This must be a list that is written out.", node.start)
        if kind == "texts!":
            for item in node.items:
                if not (isinstance(item, n.Literal) and isinstance(item.value, str)):
                    self.refuse("This must be a text that is written out.", item.start)
        items = tuple(self.value(item, within) for item in node.items)
        for item, value in zip(node.items, items, strict=True):
            if isinstance(value, p.Given):
                self.fits("string" if kind == "texts!" else kind[1:-1], value.value, item.start)
        given = [item.value for item in items if isinstance(item, p.Given)]
        return p.Given(RawList(given)) if len(given) == len(items) else p.Items(items)

    def fits(self, kind: str, value: Any, start: int) -> None:
        """Refuse a value that is written out and is not what a converter takes."""
        try:
            as_kind(kind, value)
        except (ConditionFailedError, NotReplayableError) as error:
            self.refuse(f"This value does not go here: {error}.", start)

    def check(self, node: n.Call, found: Converter, arguments: tuple[p.Value | None, ...]) -> None:
        if found.check is None:
            return
        kinds = [parameter.kind for parameter in found.parameters]
        try:
            found.check(*(_written_out(kind, argument) for kind, argument in zip(kinds, arguments, strict=True)))
        except (ConditionFailedError, NotReplayableError) as error:
            self.refuse(f"`{found.name}` cannot be made: {error}.", node.start)

    def needs(self, first: Since | None, what: str, start: int) -> None:
        """Refuse what the version has not."""
        if self.version is not None and first is not None and not first.holds(self.version):
            self.refuse(f"{written(self.version)} has {what}: it is there {first}.", start)

    def refuse(self, why: str, start: int) -> NoReturn:
        raise PolicyError(why, source=self.source, position=start)


def _written_out(kind: str, argument: p.Value | None) -> Any:
    """Give an argument that is written out; `OPEN` stands for it, or for what is in it, where that is not so."""
    match argument:
        case None:
            return None
        case p.Given():
            return as_kind(kind, argument.value)
        case p.Items():
            return [item.value if isinstance(item, p.Given) else OPEN for item in argument.items]
    return OPEN


def _sorts(found: Converter, arguments: tuple[p.Value | None, ...]) -> bool:
    return found.name == "ToKeyValueString" and arguments[-1] == p.Given(True)


def _unknown_converter(name: str, context: str) -> str:
    if name in EXPERIMENTAL:
        return f"`{name}` is experimental in the Collector, which refuses it unless a feature gate is set."
    if name in CONVERTERS:
        return f"`{name}` is for conditions about spans; these are about span events."
    known = [one for one, found in CONVERTERS.items() if found.only_in in ("", context)]
    near = get_close_matches(name, known, 3, 0.6) or [one for one in known if one.lower() == name.lower()]
    return f"There is no converter `{name}`." + (f" Did you mean {_listed(near)}?" if near else "")


def _listed(names: list[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _snake(name: str) -> str:
    """Write a parameter's name as one writes it in a condition."""
    out = name[0].lower()
    for before, char in pairwise(name):
        out += f"_{char.lower()}" if char.isupper() and not before.isupper() else char.lower()
    return out
