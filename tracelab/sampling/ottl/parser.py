"""Tokens to nodes: the grammar of conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from tracelab.errors import PolicyError
from tracelab.options import shown
from tracelab.sampling.ottl import nodes as n
from tracelab.sampling.ottl.tokens import Token, tokenize, unquoted

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 60
"""How deep parentheses, arguments, lists, maps and keys may stand in each other."""

MAX_LENGTH: Final = 100_000
"""The most characters that a condition may have."""

MAX_TERMS: Final = 100
"""The most values that a sum or product may have."""

_MAX_INT: Final = 2**63 - 1
_Part = TypeVar("_Part")


def parse(source: str) -> n.Condition:
    """Read a condition.

    Raises
    ------
    PolicyError
        It is none; the message points at the place.

    Examples
    --------
    >>> parse('name == "a"').operator
    '=='
    """
    if not isinstance(source, str):
        raise PolicyError(
            f"An OTTL condition is a text such as 'status.code == STATUS_CODE_ERROR', got {shown(source)}."
        )
    if len(source) > MAX_LENGTH:
        raise PolicyError(f"An OTTL condition of {len(source):,} characters is too long: {MAX_LENGTH:,} are the most.")
    if (broken := re.search("[\ud800-\udfff]", source)) is not None:
        raise PolicyError(
            "An OTTL condition is UTF-8, which has no half characters.", source=source, position=broken.start()
        )
    return _Parser(source).whole()


class _FailedError(Exception):
    """The text at hand is not what was looked for, and may be something else."""


class _Parser:
    """A descent through the grammar that goes back where it took a wrong turn, and keeps what it met farthest on."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.depth = 0
        self.farthest = 0
        self.wanted: list[str] = []

    def whole(self) -> n.Condition:
        try:
            condition = self.disjunction()
            if self.token.kind != "end":
                self.fail("`and`, `or` or the end")
        except _FailedError:
            raise self.complaint() from None
        return condition

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def complaint(self) -> PolicyError:
        token = self.tokens[self.farthest]
        wanted = list(dict.fromkeys(self.wanted))
        listed = " or ".join([", ".join(wanted[:-1]), wanted[-1]] if len(wanted) > 1 else wanted)
        hint = ""
        if token.text == "=":
            hint = " Values are compared with `==`."
        elif any(each.kind == "arrow" for each in self.tokens):
            hint = " Lambda expressions are experimental: the Collector refuses them unless a gate is set."
        return self.refusal(f"{token} where {listed} should be.{hint}", token.start)

    def refusal(self, why: str, position: int) -> PolicyError:
        return PolicyError(f"This is no OTTL condition: {why}", source=self.source, position=position)

    def fail(self, wanted: str) -> None:
        if self.at > self.farthest:
            self.farthest, self.wanted = self.at, []
        if self.at == self.farthest:
            self.wanted.append(wanted)
        raise _FailedError

    def taken(self, kind: str, text: str | None = None) -> Token | None:
        token = self.token
        if token.kind != kind or (text is not None and token.text != text):
            return None
        self.at += 1
        return token

    def need(self, text: str) -> Token:
        token = self.token
        if token.text != text or token.kind == "string":
            self.fail(f"`{text}`")
        self.at += 1
        return token

    def tried(self, part: Callable[[], _Part]) -> _Part | None:
        """Read a part if it is there; if not, nothing was read."""
        begun = self.at
        try:
            return self.nested(part)
        except _FailedError:
            self.at = begun
            return None

    def nested(self, part: Callable[[], _Part]) -> _Part:
        if self.depth >= MAX_DEPTH:
            raise self.refusal(f"its parts stand more than {MAX_DEPTH} deep in each other.", self.token.start)
        self.depth += 1
        try:
            return part()
        finally:
            self.depth -= 1

    # Conditions

    def disjunction(self) -> n.Condition:
        parts = [self.conjunction()]
        while self.taken("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else n.Or(tuple(parts))

    def conjunction(self) -> n.Condition:
        parts = [self.test()]
        while self.taken("and"):
            parts.append(self.test())
        return parts[0] if len(parts) == 1 else n.And(tuple(parts))

    def test(self) -> n.Condition:
        negated = self.taken("not")
        found = self.tried(self.comparison) or self.tried(self.constant) or self.tried(self.group)
        if found is None:
            self.fail("a condition")
            raise AssertionError
        return n.Not(found) if negated else found

    def comparison(self) -> n.Comparison:
        left = self.value()
        token = self.taken("comparison")
        if token is None:
            self.fail("a comparison such as `==`")
            raise AssertionError
        return n.Comparison(token.text, left, self.value(), token.start)

    def constant(self) -> n.Condition:
        if token := self.taken("bool"):
            return n.Fixed(token.text == "true")
        return self.call()

    def group(self) -> n.Condition:
        self.need("(")
        inner = self.disjunction()
        self.need(")")
        return inner

    # Values

    def value(self) -> n.Value:
        return self.nested(self._value)

    def _value(self) -> n.Value:
        token = self.token
        if self.taken("nil"):
            return n.Literal(None, token.start)
        if (found := self.tried(self.arithmetic)) is not None:
            return found
        if self.taken("bytes"):
            if len(token.text) % 2:
                raise self.refusal("bytes have an even number of hexadecimal digits.", token.start)
            return n.Literal(bytes.fromhex(token.text[2:]), token.start)
        if self.taken("string"):
            return n.Literal(unquoted(token, self.source), token.start)
        if self.taken("bool"):
            return n.Literal(token.text == "true", token.start)
        if token.kind == "upper" and self.tokens[self.at + 1].kind != "lower":
            self.at += 1
            return n.EnumName(token.text, token.start)
        if token.text == "{" and token.kind == "punctuation":
            return self.map()
        if token.text == "[" and token.kind == "punctuation":
            return self.list()
        self.fail("a value")
        raise AssertionError

    def arithmetic(self) -> n.Value:
        left, count = self.term(), 1
        while token := self.taken("sum"):
            count = self.one_more(count)
            left = n.Arithmetic(token.text, left, self.term(), token.start)
        return left

    def one_more(self, count: int) -> int:
        """Count a value of a sum or product."""
        if count >= MAX_TERMS:
            raise self.refusal(f"a sum or product has {MAX_TERMS} values at most.", self.token.start)
        return count + 1

    def term(self) -> n.Value:
        left, count = self.factor(), 1
        while token := self.taken("product"):
            count = self.one_more(count)
            left = n.Arithmetic(token.text, left, self.factor(), token.start)
        return left

    def factor(self) -> n.Value:
        sign = self.taken("sum")
        grouped = self.token.text == "(" and self.token.kind == "punctuation"
        inner = self.nested(self._grouped) if grouped else self.operand()
        if isinstance(inner, n.Literal) and (sign or grouped):
            inner = n.Literal(inner.value, inner.start, plain=False)
        if sign is None or sign.text == "+":
            return inner
        if isinstance(inner, n.Literal) and isinstance(inner.value, int | float) and not grouped:
            return n.Literal(-inner.value, sign.start, plain=False)
        return n.Negative(inner, sign.start)

    def _grouped(self) -> n.Value:
        self.need("(")
        inner = self.arithmetic()
        self.need(")")
        return inner

    def operand(self) -> n.Value:
        token = self.token
        if token.kind == "upper":
            return self.call()
        if self.taken("float"):
            number = float(token.text)
            if number in (float("inf"), float("-inf")):
                raise self.refusal("this number is too large.", token.start)
            return n.Literal(number, token.start)
        if self.taken("int"):
            return n.Literal(self.whole_number(token), token.start)
        if token.kind == "lower":
            self.refuse_editor()
            return self.path()
        self.fail("a value")
        raise AssertionError

    def whole_number(self, token: Token) -> int:
        octal = len(token.text) > 1 and token.text.startswith("0")
        if octal and not set(token.text) <= set("01234567"):
            raise self.refusal("a number that begins with 0 is octal, and has no digits 8 and 9.", token.start)
        # A text of very many digits is not made a number.
        number = int(token.text, 8 if octal else 10) if len(token.text) <= 60 else _MAX_INT + 1
        if number > _MAX_INT:
            raise self.refusal("this number needs more than 64 bits.", token.start)
        return number

    def refuse_editor(self) -> None:
        """Refuse a function that changes spans, which a condition cannot have: its name begins in lower case."""
        at = self.at
        while self.tokens[at].kind in ("upper", "lower"):
            at += 1
        if self.tokens[at].text == "(" and self.tokens[at].kind == "punctuation":
            name = "".join(token.text for token in self.tokens[self.at : at])
            raise self.refusal(
                f"`{name}` begins in lower case, as the functions do that change spans; a condition has none of them.",
                self.token.start,
            )

    def name_in_parts(self, first: str) -> str:
        """Read a name, which the tokens cut where capitals begin or end."""
        begun = self.at
        if self.token.kind != first:
            self.fail("a value" if first == "upper" else "a name")
        while self.token.kind in ("upper", "lower"):
            self.at += 1
        return "".join(token.text for token in self.tokens[begun : self.at])

    def call(self) -> n.Call:
        start = self.token.start
        name = self.name_in_parts("upper")
        self.need("(")
        arguments: list[n.Argument] = []
        if self.token.text != ")":
            arguments.append(self.argument())
            while self.taken("punctuation", ","):
                arguments.append(self.argument())
        self.need(")")
        return n.Call(name, tuple(arguments), self.keys(), start)

    def argument(self) -> n.Argument:
        start = self.token.start
        name = self.tried(self.argument_name) if self.token.kind == "lower" else None
        return n.Argument(name, self.value(), start)

    def argument_name(self) -> str:
        name = self.name_in_parts("lower")
        self.need("=")
        return name

    def keys(self) -> tuple[n.Value, ...]:
        found: list[n.Value] = []
        while self.taken("punctuation", "["):
            found.append(self.nested(self.key))
            self.need("]")
        return tuple(found)

    def key(self) -> n.Value:
        token = self.token
        if self.taken("string"):
            return n.Literal(unquoted(token, self.source), token.start)
        if self.taken("int"):
            return n.Literal(self.whole_number(token), token.start)
        return self.arithmetic()

    def path(self) -> n.Path:
        start = self.token.start
        segments = [self.segment()]
        while self.taken("punctuation", "."):
            segments.append(self.segment())
        return n.Path(tuple(segments), start)

    def segment(self) -> n.Segment:
        token = self.taken("lower")
        if token is None:
            self.fail("a name")
            raise AssertionError
        return n.Segment(token.text, self.keys(), token.start)

    def list(self) -> n.ListOf:
        start = self.need("[").start
        items: list[n.Value] = []
        if self.token.text != "]":
            items.append(self.value())
            while self.taken("punctuation", ","):
                items.append(self.value())
        self.need("]")
        return n.ListOf(tuple(items), start)

    def map(self) -> n.MapOf:
        start = self.need("{").start
        items: list[tuple[n.Value, n.Value]] = []
        while not (self.token.kind == "punctuation" and self.token.text == "}"):
            key = self.map_key()
            self.need(":")
            items.append((key, self.value()))
            self.taken("punctuation", ",")
        self.need("}")
        return n.MapOf(tuple(items), start)

    def map_key(self) -> n.Value:
        token = self.token
        if self.taken("string"):
            return n.Literal(unquoted(token, self.source), token.start)
        if token.kind == "upper":
            return self.call()
        if token.kind == "lower":
            self.refuse_editor()
            return self.path()
        self.fail("a key")
        raise AssertionError
