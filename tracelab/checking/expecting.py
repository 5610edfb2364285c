"""expect: what traces of one's own services must hold to, in tests; a breach is an AssertionError that shows traces."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict, Unpack

from tracelab.analysis.intervals import checked_confidence
from tracelab.checking.measuring.evidence import Evidence
from tracelab.checking.pictures import picture
from tracelab.checking.rules.nodes import Comparison, Operator, Rule
from tracelab.checking.rules.parser import call_of, claimed, comparison_of
from tracelab.checking.verdicts import CANNOT_TELL, HOLDS, Judgement, judged, spelled
from tracelab.conforming import span_frame
from tracelab.errors import CheckWarning, TracelabError, warn_caller
from tracelab.markup import visible

if TYPE_CHECKING:
    from datetime import timedelta

    import polars as pl

    from tracelab.checking.rules.functions import Function
    from tracelab.checking.rules.nodes import Call

_MORE = 3
_NOT_EQUAL: Final = {
    "nanoseconds": "no figure is one to the nanosecond",
    "share": "for none write <= 0",
    "count": "for just three write >= 3, and <= 3 in a second line",
}


class ExpectationError(AssertionError):
    """Spans do not hold to what a test expects of them: the message says what was seen, and shows a trace."""


class Entries(TypedDict, total=False):
    """Which requests are meant, beside their name."""

    service: str | None
    route: str | None
    where: str | None
    entry_only: bool | None


class Calls(TypedDict, total=False):
    """Which calls are meant, beside their name."""

    service: str | None
    where: str | None


def expect(spans: Any, *, confidence: float | None = None) -> Expectations:
    """Say in a test what spans must hold to: `tl.expect(spans).p95("checkout") < "800ms"`.

    The comparison raises where they do not, with or without `assert` before it.

    Parameters
    ----------
    spans
        The spans: a frame, or what `capture` and the fixture `captured_spans` give.
    confidence
        None: what was seen is judged as it is. The requests of a test are all that there are, and three of them that
        take a second are three too many. With a confidence such as 0.95 they are taken for a sample, as `check` takes
        them: only what its interval shows raises, and where that cannot tell there is a `CheckWarning`.

    Returns
    -------
    An object with the functions of `check`. Those that measure (`p50`, `p75`, `p90`, `p95`, `p99`, `quantile`, `max`,
    `error_rate`, `failure_rate`, `critical_share`, `requests`, `spans`) give something to compare with `<`, `<=`, `>`
    or `>=`: durations with text such as `"800ms"` or a timedelta, shares with `0.01` or `"1%"`, counts with numbers. It
    is True, or raises; one that is compared with nothing warns. The others (`no_errors`, `no_repeated_calls`,
    `no_gaps`, `no_audit_findings`, `no_new_edges`, `no_new_errors`, `not_slower`, `not_failing_more`) are True or
    raise by themselves. A breach is an `ExpectationError`, which is an AssertionError; so is a name that no span has,
    since a test of nothing must not pass.

    Raises
    ------
    SchemaError
        The frame cannot be conformed.
    TracelabError
        `confidence` is none.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /   ======== kind=server
    ...   db::SELECT .===     kind=client
    ... ''')
    >>> expect(spans).p95("GET /") < "20ms"
    True
    >>> expect(spans).max("GET /") < "5ms"
    Traceback (most recent call last):
      ...
    tracelab.checking.expecting.ExpectationError: max("GET /") < "5 ms" fails
    the longest of 1 request of web took 8 ms; less than 5 ms is wanted.
    <BLANKLINE>
    trace 00000000000000000000000000000001, 2 spans in 8 ms
      web::GET /                                 ================================  8 ms
        db::SELECT                               ....============                  3 ms
    """
    if confidence is not None:
        checked_confidence(confidence)
    return Expectations(span_frame(spans).lazy().collect(), confidence)


class Expectations:
    """What spans must hold to; made by `expect`."""

    def __init__(self, spans: pl.DataFrame, confidence: float | None) -> None:
        self._spans = spans
        self._confidence = confidence
        self._evidence = Evidence(spans, None, confidence)

    def __repr__(self) -> str:
        return f"Expectations({self._spans.height:,} spans)"

    def p50(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure the median of how long requests take."""
        return self._figure("p50", name, **which)

    def p75(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure the 75th percentile of how long requests take."""
        return self._figure("p75", name, **which)

    def p90(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure the 90th percentile of how long requests take."""
        return self._figure("p90", name, **which)

    def p95(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure the 95th percentile of how long requests take."""
        return self._figure("p95", name, **which)

    def p99(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure the 99th percentile of how long requests take."""
        return self._figure("p99", name, **which)

    def quantile(self, quantile: float, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure any quantile of how long requests take."""
        return self._figure("quantile", quantile, name, **which)

    def max(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure how long the longest request took."""
        return self._figure("max", name, **which)

    def error_rate(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Measure which share of requests failed in their service."""
        return self._figure("error_rate", name, **which)

    def failure_rate(self, route: str | None = None, *, service: str | None = None, where: str | None = None) -> Figure:
        """Measure which share of what users asked for failed."""
        return self._figure("failure_rate", route, service=service, where=where)

    def critical_share(self, name: str | None = None, *, of: str | None = None, **which: Unpack[Calls]) -> Figure:
        """Measure which share of the critical paths is spent somewhere."""
        return self._figure("critical_share", name, of=of, **which)

    def requests(
        self,
        name: str | None = None,
        *,
        service: str | None = None,
        route: str | None = None,
        where: str | None = None,
    ) -> Figure:
        """Count requests."""
        return self._figure("requests", name, service=service, route=route, where=where)

    def spans(self, name: str | None = None, **which: Unpack[Entries]) -> Figure:
        """Count spans."""
        return self._figure("spans", name, **which)

    def no_errors(self, name: str | None = None, **which: Unpack[Entries]) -> bool:
        """Let no span fail, those inside services too."""
        __tracebackhide__ = True
        return self._claim("no_errors", name, **which)

    def no_repeated_calls(self, name: str | None = None, *, min: int = 5, **which: Unpack[Calls]) -> bool:  # noqa: A002 - as rules have it
        """Let nothing be called so often below one span."""
        __tracebackhide__ = True
        return self._claim("no_repeated_calls", name, min=min, **which)

    def no_gaps(self, name: str | None = None, *, min: str | timedelta, **which: Unpack[Calls]) -> bool:  # noqa: A002 - as rules have it
        """Let no span have so long a time that no child covers."""
        __tracebackhide__ = True
        return self._claim("no_gaps", name, min=min, **which)

    def no_audit_findings(
        self,
        rule: str | None = None,
        *,
        severity: str = "warning",
        service: str | None = None,
        where: str | None = None,
    ) -> bool:
        """Let the audit find nothing of a severity or a worse one."""
        __tracebackhide__ = True
        return self._claim("no_audit_findings", rule, severity=severity, service=service, where=where)

    def no_new_edges(self, than: Any, *, service: str | None = None, where: str | None = None) -> bool:
        """Let nobody call whom nobody called in other spans."""
        __tracebackhide__ = True
        return self._claim("no_new_edges", against=self._against(than), service=service, where=where)

    def no_new_errors(self, than: Any, *, service: str | None = None, where: str | None = None) -> bool:
        """Let nothing fail in a way that nothing did in other spans."""
        __tracebackhide__ = True
        return self._claim("no_new_errors", against=self._against(than), service=service, where=where)

    def not_slower(
        self,
        name: str | None = None,
        *,
        than: Any,
        by: str | float,
        quantile: float | None = None,
        **which: Unpack[Entries],
    ) -> bool:
        """Let operations take no longer than in other spans, by a share at the most."""
        __tracebackhide__ = True
        return self._claim("not_slower", name, against=self._against(than), by=by, quantile=quantile, **which)

    def not_failing_more(
        self, name: str | None = None, *, than: Any, by: str | float, **which: Unpack[Entries]
    ) -> bool:
        """Let operations fail no more often than in other spans, by so many points at the most."""
        __tracebackhide__ = True
        return self._claim("not_failing_more", name, against=self._against(than), by=by, **which)

    def _against(self, than: Any) -> Evidence:
        return Evidence(self._spans, span_frame(than).lazy().collect(), self._confidence)

    def _figure(self, called: str, *given: Any, **named: Any) -> Figure:
        call, function = call_of(called, given, named)
        return Figure(self._spans, self._evidence, called, call, function)

    def _claim(self, called: str, *given: Any, against: Evidence | None = None, **named: Any) -> bool:
        __tracebackhide__ = True
        call, function = call_of(called, given, named)
        comparison = claimed(function, call.arguments)
        return _held(self._spans, against or self._evidence, (called, call, None, comparison), function)


class Figure:
    """Something that was measured and waits to be compared: a comparison is True, or raises."""

    def __init__(self, spans: pl.DataFrame, evidence: Evidence, called: str, call: Call, function: Function) -> None:
        self._spans, self._evidence = spans, evidence
        self._called, self._call, self._function = called, call, function
        self._compared = False
        self._made_at = _caller()

    def __lt__(self, limit: Any) -> bool:
        __tracebackhide__ = True
        return self._holds("<", limit)

    def __le__(self, limit: Any) -> bool:
        __tracebackhide__ = True
        return self._holds("<=", limit)

    def __gt__(self, limit: Any) -> bool:
        __tracebackhide__ = True
        return self._holds(">", limit)

    def __ge__(self, limit: Any) -> bool:
        __tracebackhide__ = True
        return self._holds(">=", limit)

    def __eq__(self, other: object) -> bool:
        __tracebackhide__ = True
        self._refuse(f"can be compared with <, <=, > or >= alone: {_NOT_EQUAL[self._function.unit]}")

    def __ne__(self, other: object) -> bool:
        __tracebackhide__ = True
        self._refuse(f"can be compared with <, <=, > or >= alone: {_NOT_EQUAL[self._function.unit]}")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:  # noqa: PLE0304 - it is never one
        __tracebackhide__ = True
        self._refuse("was compared with nothing. Write a limit behind it, as in < '800ms'")

    def __repr__(self) -> str:
        return self._said()

    def __del__(self) -> None:
        if not getattr(self, "_compared", True) and not sys.is_finalizing():
            message = f"{visible(self._said())} was compared with nothing, so that nothing was tested."
            warnings.warn_explicit(message, CheckWarning, *self._made_at)

    def _said(self) -> str:
        return spelled(self._called, self._call, None, self._function.unit)

    def _refuse(self, why: str) -> NoReturn:
        __tracebackhide__ = True
        self._compared = True
        raise TracelabError(f"{self._said()} {why}.")

    def _holds(self, operator: Operator, limit: Any) -> bool:
        __tracebackhide__ = True
        self._compared = True
        comparison = comparison_of(self._function, operator, limit)
        asked = (self._called, self._call, comparison, comparison)
        return _held(self._spans, self._evidence, asked, self._function)


def _held(
    spans: pl.DataFrame,
    evidence: Evidence,
    asked: tuple[str, Call, Comparison | None, Comparison],
    function: Function,
) -> bool:
    """Say that something holds, or raise; `asked` is what it is called, and what it is compared with, told and done."""
    __tracebackhide__ = True
    called, call, told, comparison = asked
    text = spelled(called, call, told, function.unit)
    found = judged(Rule(text, call, comparison, name=text), function.unit, evidence)
    if found.verdict == HOLDS:
        return True
    if found.verdict == CANNOT_TELL:
        warn_caller(f"{text}: {found.message()}", CheckWarning)
        return True
    raise ExpectationError(_breach(spans, text, found))


def _breach(spans: pl.DataFrame, text: str, found: Judgement) -> str:
    """Say what was seen, and show the worst trace."""
    exemplars = found.measured.exemplars
    lines = [f"{text} {'fails' if found.measured.value is not None else 'was not tested'}", found.message()]
    if exemplars:
        lines += ["", *picture(spans, exemplars[0])]
    if more := exemplars[1 : 1 + _MORE]:
        lines.append(f"more such traces: {', '.join(more)}")
    return visible("\n".join(lines), keep="\n")


def _caller() -> tuple[str, int]:
    """Give the file and the line outside of this room that asks."""
    frame = sys._getframe(1)  # noqa: SLF001 - inspect.stack reads every source file on the way
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
