"""A place in the tokens of a query, and how to move on or complain from there."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from tracelab.errors import QueryError, QuerySyntaxError
from tracelab.traceql.syntax.tokens import Token, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH: Final = 131_072
"""Characters in a query; Tempo has the same limit."""

MAX_NESTING: Final = 100
"""Parentheses (or signs) within each other."""

MAX_CALLS: Final = 2 * MAX_NESTING
"""Rules of the grammar within each other: where every operator opens parentheses, each level takes several."""

_SHOWN: Final = 60
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Cursor:
    """The tokens of one query and the place that has been reached."""

    def __init__(self, source: str) -> None:
        if len(source) > MAX_LENGTH:
            message = f"this query has {len(source):,} characters; {MAX_LENGTH:,} are the most"
            raise QuerySyntaxError(message, source=source, position=MAX_LENGTH)
        if half := _SURROGATE.search(source):
            # Shown without the place: such a text cannot be printed.
            raise QuerySyntaxError(f"{half.group()!a}, at {half.start():,}, is no character", source=source)
        self.source = source
        self.tokens = tokenize(source)
        self.place = 0
        self.depth = 0
        self.calls = 0
        self.bare = False

    @property
    def token(self) -> Token:
        """The next token; one that could not be read is complained about as soon as it is looked at."""
        token = self.tokens[self.place]
        if token.kind == "error":
            raise QuerySyntaxError(str(token.value), source=self.source, position=token.start)
        return token

    def advance(self) -> Token:
        token = self.token
        self.place += 1
        return token

    def accept(self, sign: str) -> bool:
        """Step over this operator if it is here."""
        token = self.token
        if token.kind != "operator" or token.text != sign:
            return False
        self.place += 1
        return True

    def accept_word(self, word: str) -> bool:
        """Step over this word if it is here."""
        token = self.token
        if token.kind != "word" or token.text != word:
            return False
        self.place += 1
        return True

    def expect(self, sign: str, expected: str) -> None:
        """Step over this operator, which must be here."""
        if not self.accept(sign):
            self.fail_here(f"expected {expected}")

    @contextmanager
    def nested(self, opening: Token) -> Iterator[None]:
        """Count how deep we are, so that hostile queries end in an error instead of the interpreter's limit."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(f"this query nests more than {MAX_NESTING} levels deep", opening.start)
        yield
        self.depth -= 1

    def enter(self) -> None:
        """Count the rules that are within each other, each of which is a call on the interpreter's stack."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            self.fail(f"this query nests more than {MAX_CALLS} operators within each other")

    def leave(self) -> None:
        self.calls -= 1

    def fail_here(self, message: str) -> NoReturn:
        """Complain about the next token, and say what it is."""
        token = self.token
        found = "the query ends" if token.kind == "end" else f"found `{shortened(token.text)}`"
        self.fail(f"{message}; {found}", token.start)

    def fail(
        self, message: str, position: int | None = None, *, error: type[QueryError] = QuerySyntaxError
    ) -> NoReturn:
        place = self.token.start if position is None else position
        raise error(message, source=self.source, position=place)


def shortened(text: str) -> str:
    """Cut what a message quotes to a readable length."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
