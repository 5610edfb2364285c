"""The part of the grammar that speaks of one span: what stands in `{ }`, `by( )` and `avg( )`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, cast

from tracelab.schema import KINDS, STATUS_CODES
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.cursor import Cursor, shortened
from tracelab.traceql.syntax.folding import COMPARISONS, folded, folded_sign
from tracelab.traceql.syntax.tokens import BARE_INTRINSICS, Token

VALUE_WORDS: Final = {
    "true": (True, n.BOOL),
    "false": (False, n.BOOL),
    "minInt": (n.MIN_INT, n.INT),
    "maxInt": (n.MAX_INT, n.INT),
    **{word: (word, n.STATUS) for word in STATUS_CODES},
    **{word: (word, n.KIND) for word in KINDS},
}
_VALUES: Final = {"string": n.STRING, "int": n.INT, "float": n.FLOAT, "duration": n.DURATION}

# `&&` and `||` are of one level, and a minus reaches over `*`: both surprise, and both are TraceQL.
_LEVELS: Final = {
    **dict.fromkeys(("&&", "||"), 1),
    **dict.fromkeys((*COMPARISONS, "=~", "!~"), 2),
    **dict.fromkeys("+-", 3),
    **dict.fromkeys("*/%", 5),
    "^": 6,
}
_SIGN_LEVELS: Final = {"-": 4, "!": 5}


class FieldParser(Cursor):
    """The rules for expressions over one span."""

    def filter(self) -> n.Filter:
        """`filter := { } | { fieldExpr }`."""
        opening = self.advance()
        if self.accept("}"):
            return n.Filter(n.Static(True, n.BOOL, opening.start), opening.start)
        expression = self.field_expression()
        self.expect("}", "an operator or `}`")
        return n.Filter(expression, opening.start)

    def attributes(self, function: str) -> tuple[n.Attribute | n.Intrinsic, ...]:
        """`( attr {, attr} )`."""
        self.expect("(", f"`(` after {function}")
        fields = [self.attribute(function)]
        while self.accept(","):
            fields.append(self.attribute(function))
        self.expect(")", f"`,` or `)` in {function}(...), which takes plain attributes only")
        return tuple(fields)

    def call_without_arguments(self, function: str) -> None:
        self.expect("(", f"`(` after {function}")
        self.expect(")", f"`)`: {function}() takes nothing")

    def field_expression(self) -> n.FieldExpression:
        """`fieldExpr := operation`, which may not be a lonely `nil`."""
        expression = self.operation(1)
        self.refuse_nil(expression)
        return expression

    def operation(self, minimum: int) -> n.FieldExpression:
        """`operation := operand { BOP operand }`, by precedence; all but `^` from left to right."""
        self.enter()
        left = self.operand_of_field()
        while (level := self.field_level()) >= minimum:
            left, steps = opened(left, level)
            while self.field_level() == level:
                sign = self.advance()
                right = self.right_of_field(sign, level)
                left, steps = self.with_step(left, steps, sign, right)
            left = closed(left, steps)
        self.leave()
        return left

    def right_of_field(self, sign: Token, level: int) -> n.FieldExpression:
        """`^` takes all that follows on its level; the others leave it to the loop."""
        if sign.text != "^":
            return self.operation(level + 1)
        with self.nested(sign):
            return self.operation(level)

    def field_level(self) -> int:
        token = self.token
        return _LEVELS.get(token.text, 0) if token.kind == "operator" else 0

    def with_step(
        self, left: n.FieldExpression, steps: list[n.Step[n.FieldExpression]], sign: Token, right: n.FieldExpression
    ) -> tuple[n.FieldExpression, list[n.Step[n.FieldExpression]]]:
        """Join one more operand: fold literals, turn comparisons with nil into questions of presence."""
        left_nil, right_nil = not steps and is_nil(left), is_nil(right)
        if left_nil or right_nil:
            if sign.text not in ("=", "!="):
                self.fail("nil can only be compared with `=` or `!=`", left.at if left_nil else right.at)
            asked = right if left_nil else closed(left, steps)
            if left_nil and right_nil:
                return n.Static(False, n.BOOL, left.at), []
            return presence(asked, exists=sign.text == "!="), []
        if not steps and isinstance(left, n.Static) and isinstance(right, n.Static):
            literal = folded(sign.text, left, right)
            if literal is not None:
                return literal, []
        steps.append(n.Step(sign.text, right, sign.start))
        return left, steps

    def operand_of_field(self) -> n.FieldExpression:
        """`operand := ( fieldExpr ) | - operand | ! operand | literal | attr | nil`."""
        token = self.token
        if token.kind == "operator":
            if self.accept("("):
                with self.nested(token):
                    inner = self.operation(1)
                self.refuse_nil(inner)
                self.expect(")", "an operator or `)`")
                return inner
            if token.text in _SIGN_LEVELS:
                return self.signed(token)
            self.fail_here("expected a value or an attribute")
        if token.kind in _VALUES or token.kind == "end":
            return self.static()
        if token.kind == "word" and token.text == "nil":
            self.advance()
            return n.Static(None, n.NIL, token.start)
        if token.kind == "word" and token.text in VALUE_WORDS:
            return self.static()
        return self.attribute("")

    def signed(self, token: Token) -> n.FieldExpression:
        """`- operand | ! operand`; the minus reaches over `*`, `/`, `%` and `^`, the `!` too."""
        self.advance()
        with self.nested(token):
            operand = self.operation(_SIGN_LEVELS[token.text])
        self.refuse_nil(operand)
        if isinstance(operand, n.Static):
            if token.text == "!" and operand.type == n.BOOL:
                return n.Static(not operand.value, n.BOOL, token.start)
            if token.text == "-" and (negative := folded_sign(operand)) is not None:
                return negative
        return n.Unary(token.text, operand, token.start)

    def static(self) -> n.Static:
        """`literal := STRING | INT | FLOAT | DURATION | true | false | status | kind`."""
        token = self.token
        if token.kind in _VALUES:
            self.advance()
            return n.Static(cast("str | int | float", token.value), _VALUES[token.kind], token.start)
        if token.kind == "word" and token.text in VALUE_WORDS:
            self.advance()
            return n.Static(*VALUE_WORDS[token.text], token.start)
        return self.fail_here("expected a value")

    def attribute(self, function: str) -> n.Attribute | n.Intrinsic:
        """`attr := .name | span.name | resource.name | ... | duration | name | span:id | ...`."""
        token = self.token
        if token.kind in ("attribute", "intrinsic"):
            self.advance()
            return cast("n.Attribute | n.Intrinsic", token.value)
        if token.kind == "word" and token.text in BARE_INTRINSICS:
            self.advance()
            return n.Intrinsic(token.text, token.start)
        if token.kind == "name" and self.bare:
            self.advance()
            return n.Attribute("", token.text, "", token.start)
        if token.kind in ("word", "name"):
            self.fail(unknown_name(token.text))
        return self.fail_here(
            f"expected an attribute in {function}(...)" if function else "expected a value or an attribute"
        )

    def refuse_nil(self, expression: n.FieldExpression) -> None:
        if is_nil(expression):
            self.fail("nil can only be compared with `=` or `!=`", expression.at)


def is_nil(expression: n.FieldExpression) -> bool:
    return isinstance(expression, n.Static) and expression.type == n.NIL


def presence(operand: n.FieldExpression, *, exists: bool) -> n.FieldExpression:
    """Ask whether something is there; of a literal, and of the answer to a question, that is known at once."""
    answered = isinstance(operand, n.Operation) and _LEVELS[operand.steps[0].operator] <= _LEVELS["="]
    if isinstance(operand, n.Static | n.Presence) or answered:
        return n.Static(exists, n.BOOL, operand.at)
    return n.Presence(operand, exists, operand.at)


def opened(left: n.FieldExpression, level: int) -> tuple[n.FieldExpression, list[n.Step[n.FieldExpression]]]:
    """Go on with a chain of this level if `left` is one: `(a + b) - c` is `a + b - c`."""
    if isinstance(left, n.Operation) and _LEVELS[left.steps[0].operator] == level and level != _LEVELS["^"]:
        return left.first, list(left.steps)
    return left, []


def closed(left: n.FieldExpression, steps: list[n.Step[n.FieldExpression]]) -> n.FieldExpression:
    return n.Operation(left, tuple(steps), left.at) if steps else left


def unknown_name(name: str) -> str:
    """Say what to write instead of a name that is neither a keyword nor has a scope."""
    known = [*BARE_INTRINSICS, *VALUE_WORDS]
    if near := get_close_matches(name, known, n=1, cutoff=0.75):
        name = shortened(name)
        return f"unknown name `{name}`; did you mean `{near[0]}`? An attribute needs its scope: `span.{name}`"
    dotted = "." in name
    name = shortened(name)
    if dotted:
        return f"`{name}` has no scope; write `.{name}`, `span.{name}` or `resource.{name}`"
    return f"unknown name `{name}`; an attribute needs its scope: `.{name}`, `span.{name}` or `resource.{name}`"
