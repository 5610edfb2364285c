"""TraceQL over span frames: text to tokens to nodes to polars.

`parse` and `validate` work on the text alone; `query`, `search`, `query_metrics` and `gap` run on a frame.

The language is Tempo's, with what Tempo parses but does not run yet: `parent.x`, `2 < count()`, arithmetic on
aggregates and comparisons between them. Beyond it there are `root.x` (an attribute of the root of the trace) and
filters without braces. Where Tempo's storage gets in the way of its own semantics, the semantics hold:

* `x != nil` and `x = nil` ask whether there is a value; `!(.a = "x")` also holds where there is no `.a`.
* `true` on either side of `||` is enough, and what is missing counts as not true on either side.
* `2 ^ 3` is 8; sums and averages of mixed numbers are floats; missing values do not spoil a sum.
* Durations in metrics are in seconds, whatever they are of.
* Arithmetic on lists, and comparisons between lists, are false instead of an error.
* `with(extrapolate=true)` weighs metrics by `ot=th` in the trace state, and a point that rests on a span without it is
  null. The other hints for sampling are accepted, and everything is counted.

What is hardly meant is answered with a `QueryWarning`: a name that no span has, a comparison that never holds, a
duration beside a number without a unit (`duration > 100` means 100 ns). What is too large is refused at once: beyond
1,000 different conditions joined by `&&` or `||` (comparisons of one field with literals count as one), 300 other
operators, stages or regular expressions, or 100 levels.
"""

from __future__ import annotations

from tracelab.errors import QueryWarning
from tracelab.traceql.explaining import explain
from tracelab.traceql.gaps import gap
from tracelab.traceql.metrics import query_metrics
from tracelab.traceql.querying import query
from tracelab.traceql.searching import search
from tracelab.traceql.syntax.nodes import Query
from tracelab.traceql.syntax.parser import parse
from tracelab.traceql.syntax.validation import validate

__all__ = [
    "Query",
    "QueryWarning",
    "explain",
    "gap",
    "parse",
    "query",
    "query_metrics",
    "search",
    "validate",
]
