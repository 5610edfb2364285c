"""The exceptions of tracelab: one base class, so that a caller can catch them all by one name."""

from __future__ import annotations

import sys
import warnings
from typing import Final

from tracelab.markup import visible

_CONTEXT: Final = "\n\nThis error occurred"
_NOT_THE_CALLER: Final = (__name__.partition(".")[0], "polars", "contextlib", "functools", "IPython")


class TracelabError(ValueError):
    """Anything that tracelab refuses: the message says what, where and what to do."""

    def __str__(self) -> str:
        """Give the message, in which no name that it quotes acts on a terminal."""
        return visible(super().__str__(), keep="\n")


class SchemaError(TracelabError):
    """A frame that is not a span frame and cannot be made one."""


class LoadError(TracelabError):
    """A dump that cannot be read: it is empty, truncated, or no trace dump at all."""


class SourceError(TracelabError):
    """A source that cannot be reached: no such file, no such server, no permission."""


class OutputError(SourceError):
    """A place that cannot be written to: no such folder, no permission, a full disk."""


class _PointingError(TracelabError):
    """An error in a text, which shows the place below a caret."""

    def __init__(self, message: str, *, source: str = "", position: int | None = None) -> None:
        self.source = source
        self.position = position
        super().__init__(message if position is None else f"{message}\n{_pointed_at(source, position)}")


class QueryError(_PointingError):
    """A query that cannot be answered.

    Attributes
    ----------
    source
        The whole text of the query.
    position
        Where the trouble starts, as an index into `source`; None where no single place is at fault.
    """


class QuerySyntaxError(QueryError):
    """A text that is no query."""


class QueryTypeError(QueryError):
    """A query that parses but compares or combines what does not go together."""


class PolicyError(_PointingError):
    """A sampling configuration, or a condition in it, that its program would refuse.

    Attributes
    ----------
    source
        The text that is at fault: a condition, or the lines of a configuration.
    position
        Where the trouble starts, as an index into `source`; None where no single place is at fault.
    """


class RuleError(_PointingError):
    """A rule, or a file of rules, that cannot be read or judged.

    Attributes
    ----------
    source
        The text of the rule.
    position
        Where the trouble starts, as an index into `source`; None where no single place is at fault.
    """


class CheckWarning(UserWarning):
    """Something that was to be checked, and was not: data are too few to tell, or nothing was compared."""


class LoadWarning(UserWarning):
    """What a loader repaired, skipped or guessed, summed up."""


class QueryWarning(UserWarning):
    """A query or an expression that is fine in itself but names what no span has, or means something else."""


class SamplingWarning(UserWarning):
    """Spans of which it is not known how they were sampled, or would be, so that they stand for an unknown number."""


class SkewWarning(UserWarning):
    """Clocks of hosts are further apart than what an answer tells, so that it may be wrong about them."""


def own_words(error: TracelabError) -> str:
    """Give what an error of ours says, without polars' account of the expression that it came out of."""
    return str(error).partition(_CONTEXT)[0]


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the line that asked, however many functions of ours, and of what called us for it, lie between."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001  (inspect.stack reads every source file on the way)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_CALLER:
        frame, level = frame.f_back, level + 1
    warnings.warn(visible(message, keep="\n"), category, stacklevel=level)


def _pointed_at(source: str, position: int) -> str:
    """Show the line of `source` that holds `position`, cut to a readable width, with a caret under the place."""
    start = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    line = source[start : end if end >= 0 else len(source)]
    column = position - start
    cut = max(0, column - 60)
    before = visible(line[cut:column])
    return f"  {before}{visible(line[column : cut + 100])}\n  {' ' * len(before)}^"
