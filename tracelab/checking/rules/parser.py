"""The grammar of rules.

rule     := call [ operator limit ]
call     := word [ "(" [ argument { "," argument } ] ")" ]
argument := [ word "=" ] value
value    := text | number | "true" | "false" | "baseline"
operator := "<" | "<=" | ">" | ">="
limit    := text | number
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from tracelab.checking.rules.functions import FUNCTIONS, MEANT, Function, read
from tracelab.checking.rules.nodes import OPERATORS, Call, Comparison, Operator, Rule
from tracelab.checking.rules.quantities import quantity
from tracelab.checking.rules.tokens import Token, tokenize
from tracelab.errors import RuleError, TracelabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Read = TypeVar("Read")

BASELINE: Final = "baseline"
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, BASELINE: BASELINE}
_LIKE: Final = {"==": "compare with <=, or with >=", "=": "compare with <=, or with >=", "!=": "compare with < or >"}
_JOINED: Final = {"&&", "||", "and", "or"}


def parse(text: str) -> Rule:
    """Read a rule.

    Raises
    ------
    RuleError
        It is none; the message points to the place.

    Examples
    --------
    >>> rule = parse('p95("POST /orders", service="orders") < "800ms"')
    >>> rule.call.function, dict(rule.call.arguments), rule.comparison.limit
    ('quantile', {'quantile': 0.95, 'name': 'POST /orders', 'service': 'orders'}, 800000000.0)
    """
    return _Parser(text).rule()


def call_of(name: str, given: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Call, Function]:
    """Make a call of what Python gives: the values by place, and those by name; None is left out.

    Raises
    ------
    TracelabError
        It does not fit the function.
    """
    function, preset = function_of(name)
    places = [each for each in function.positional if each not in preset]
    said = dict(zip(places, given, strict=False)) | dict(named)
    for key in said:
        if key not in function.reads or key in preset:
            near = get_close_matches(key, list(function.reads), n=1, cutoff=0.6)
            hint = f"Did you mean `{near[0]}`?" if near else f"It takes {_listed(function.reads, preset)}."
            raise TracelabError(f"{name} takes no `{key:.60}`. {hint}")
    arguments = {key: read(key, function.reads[key], value) for key, value in said.items() if value is not None}
    return Call("quantile" if preset else name, {**preset, **arguments}), function


def comparison_of(function: Function, operator: Operator, limit: Any) -> Comparison:
    """Make a comparison of a limit as it was given.

    Raises
    ------
    TracelabError
        It is no limit for what the function gives.
    """
    return Comparison(operator, quantity("the limit", limit, function.unit))


def claimed(function: Function, arguments: Mapping[str, Any]) -> Comparison:
    """Give the comparison that a claim stands for."""
    return Comparison("<=", arguments[function.limit] if function.limit else 0.0)


def function_of(name: str) -> tuple[Function, dict[str, Any]]:
    """Find a function, and what its name says already: p95 is the quantile 0.95.

    Raises
    ------
    TracelabError
        There is none of that name.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name], {}
    percentile = _PERCENTILE.fullmatch(name)
    if percentile and float(percentile[1]) > 0:
        # Counted in decimals: 99.9 / 100 would be a hair off.
        return FUNCTIONS["quantile"], {"quantile": float(f"{percentile[1]}e-2")}
    near = get_close_matches(name.lower(), ["p50", "p90", "p95", "p99", *FUNCTIONS], n=2, cutoff=0.6)
    meant = MEANT.get(name.lower()) or (f"did you mean {' or '.join(near)}?" if near else "")
    there = f"there are p50, p95, p99.9 and the like, {', '.join(FUNCTIONS)}"
    raise TracelabError(f"there is no function `{name:.60}`; {meant or there}")


class _Parser:
    """The tokens of one rule and the place that has been reached."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.place = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def rule(self) -> Rule:
        if self.token.kind != "word":
            is_limit = self.token.kind in ("text", "number")
            flipped = ", and the limit behind it: p95(...) < 800ms" if is_limit else ""
            self.fail_here(f"a rule begins with a function{flipped}")
        call, function = self.call()
        comparison = claimed(function, call.arguments) if function.is_claim else self.comparison(function)
        self.end(function)
        return Rule(self.source, call, comparison, name=self.source.strip())

    def call(self) -> tuple[Call, Function]:
        name = self.advance()
        try:
            function, arguments = function_of(name.text)
        except TracelabError as error:
            self.fail(str(error), name.start)
        said = dict(arguments)
        if self.accept("("):
            while not self.accept(")"):
                self.argument(name.text, function, said, preset=arguments)
                if not self.accept(","):
                    self.expect(")", "`,` or `)`")
                    break
        for each in function.required:
            if each not in said:
                self.fail(f"{name.text} needs `{each}`, as in {name.text}({each}={_EXAMPLES[each]})", name.start)
        return Call("quantile" if arguments else name.text, said, name.start), function

    def argument(self, called: str, function: Function, said: dict[str, Any], *, preset: dict[str, Any]) -> None:
        """Read an argument, by its name or by its place, and keep it."""
        token = self.token
        places = [name for name in function.positional if name not in preset]
        named = token.kind == "word" and self.tokens[self.place + 1].text == "="
        if named:
            name = self.advance().text
            self.advance()
        else:
            free = [each for each in places if each not in said]
            if not free:
                self.fail(f"{called} takes {_listed(function.reads, preset)}, each by its name", token.start)
            name = free[0]
        if name not in function.reads or name in preset:
            near = get_close_matches(name, list(function.reads), n=1, cutoff=0.6)
            hint = f"did you mean `{near[0]}`?" if near else f"it takes {_listed(function.reads, preset)}"
            self.fail(f"{called} takes no `{name:.60}`; {hint}", token.start)
        if name in said:
            self.fail(f"`{name}` is given twice", token.start)
        value = self.token
        said[name] = self.pointing_to(value, lambda: read(name, function.reads[name], self.value()))
        if function.reads[name] == "dump" and said[name] != BASELINE:
            self.fail("there is one dump to compare with: write than=baseline", value.start)

    def value(self) -> Any:
        """Read a value; numbers with a unit stay texts, to be read by whoever knows what belongs there."""
        token = self.token
        if token.kind == "word" and token.text in _WORDS:
            self.advance()
            return _WORDS[token.text]
        if token.kind == "text":
            return self.advance().value
        if token.kind == "number":
            return _number(self.advance().text)
        if token.kind == "word":
            self.fail(f'`{token.text:.60}` is no value: texts stand in quotes, as in "{token.text:.60}"', token.start)
        return self.fail_here("expected a value")

    def comparison(self, function: Function) -> Comparison:
        token = self.token
        if token.text in _LIKE:
            self.fail(f"`{token.text}` asks for one figure and no other; {_LIKE[token.text]}", token.start)
        if token.kind != "sign" or token.text not in OPERATORS:
            self.fail_here("expected `<`, `<=`, `>` or `>=` and a limit")
        operator = cast("Operator", self.advance().text)
        limit = self.token
        if limit.kind not in ("text", "number"):
            self.fail_here("expected a limit")
        return self.pointing_to(limit, lambda: comparison_of(function, operator, self.value()))

    def end(self, function: Function) -> None:
        """Complain about what stands behind a whole rule."""
        token = self.token
        if token.kind == "end":
            return
        if token.text in _JOINED:
            self.fail("a rule asks one thing; make two rules of it", token.start)
        if function.is_claim and token.text in OPERATORS:
            self.fail("this says all by its name, and is compared with nothing", token.start)
        self.fail_here("expected the end of the rule")

    def pointing_to(self, token: Token, reader: Callable[[], Read]) -> Read:
        """Read something, and point to a token where what it says is refused."""
        try:
            return reader()
        except RuleError:
            raise
        except TracelabError as error:
            raise RuleError(str(error), source=self.source, position=token.start) from error

    def advance(self) -> Token:
        token = self.token
        self.place += 1
        return token

    def accept(self, sign: str) -> bool:
        if self.token.kind != "sign" or self.token.text != sign:
            return False
        self.place += 1
        return True

    def expect(self, sign: str, expected: str) -> None:
        if not self.accept(sign):
            self.fail_here(f"expected {expected}")

    def fail_here(self, message: str) -> NoReturn:
        token = self.token
        found = "the rule ends" if token.kind == "end" else f"found `{token.text:.60}`"
        self.fail(f"{message}; {found}", token.start)

    def fail(self, message: str, position: int) -> NoReturn:
        raise RuleError(message, source=self.source, position=position)


_EXAMPLES: Final = {"by": '"10%"', "min": '"100ms"', "quantile": "0.999"}


def _number(text: str) -> Any:
    plain = text.replace("_", "").strip()
    try:
        return int(plain) if plain.isdecimal() else float(plain)
    except ValueError:
        return text


def _listed(reads: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in reads if name not in preset)
