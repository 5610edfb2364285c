"""The part of the grammar that speaks of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.fields import FieldParser

if TYPE_CHECKING:
    from tracelab.traceql.syntax.tokens import Token

SIMPLE_METRICS: Final = ("rate", "count_over_time")
FIELD_METRICS: Final = (
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "histogram_over_time",
    "quantile_over_time",
)
METRICS: Final = (*SIMPLE_METRICS, *FIELD_METRICS, "compare")


class MetricParser(FieldParser):
    """The rules for what stands at the end of a metrics query."""

    def metric(self) -> n.Metric | n.Compare:
        """`metric := (rate() | count_over_time() | fn_over_time(attr {, q})) [by ( attr {, attr} )] | compare`."""
        token = self.advance()
        if token.text == "compare":
            return self.compare(token)
        argument, quantiles = None, []
        if token.text in SIMPLE_METRICS:
            self.call_without_arguments(token.text)
        else:
            self.expect("(", f"`(` after {token.text}")
            argument = self.attribute(token.text)
            while token.text == "quantile_over_time" and self.accept(","):
                quantiles.append(self.quantile())
            if token.text == "quantile_over_time" and not quantiles:
                self.fail("quantile_over_time needs quantiles, such as quantile_over_time(duration, 0.9, 0.99)")
            self.expect(")", f"`)` after {token.text}({argument}")
        by = self.attributes("by") if self.accept_word("by") else ()
        return n.Metric(token.text, argument, tuple(quantiles), by, token.start)

    def quantile(self) -> float:
        """`q := INT | FLOAT`."""
        token = self.token
        if token.kind not in ("int", "float"):
            self.fail("expected a quantile, a number from 0 to 1")
        self.advance()
        return float(cast("float", token.value))

    def compare(self, token: Token) -> n.Compare:
        """`compare ( filter [, INT [, INT, INT]] )`."""
        self.expect("(", "`(` after compare")
        if self.token.text != "{":
            self.fail_here("expected the selection in braces, such as compare({ status = error })")
        selection = self.filter()
        numbers: list[int] = []
        while self.accept(","):
            numbers.append(self.whole("a whole number"))
        if len(numbers) not in (0, 1, 3):
            self.fail("compare takes a filter, how many values to show, and a start and an end in nanoseconds")
        self.expect(")", "`)` after compare(")
        if self.token.kind == "word" and self.token.text == "by":
            self.fail("compare() looks at every attribute by itself; it takes no by()")
        top, start, end = (*numbers, *(10, 0, 0)[len(numbers) :])
        return n.Compare(selection, top, start, end, token.start)

    def whole(self, expected: str) -> int:
        token = self.token
        if token.kind != "int":
            self.fail_here(f"expected {expected}")
        self.advance()
        return cast("int", token.value)
