"""Tokens to nodes: one method per rule of the grammar, whose docstring is the rule.

What stands between parentheses can be a spanset, a pipeline, a number or a metric, and only what follows tells which.
So operands are parsed first and their kinds are checked where an operator joins them; no text is read twice.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from typing import Final, cast

from tracelab.errors import QueryError, QuerySyntaxError
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.advice import corrected
from tracelab.traceql.syntax.cursor import shortened
from tracelab.traceql.syntax.fields import VALUE_WORDS, FieldParser
from tracelab.traceql.syntax.folding import folded_sign
from tracelab.traceql.syntax.limits import plain_recursion
from tracelab.traceql.syntax.operands import COMPARING, LEVELS, STRUCTURAL, Node, Operand, compared, joined
from tracelab.traceql.syntax.tokens import BARE_INTRINSICS, Token

AGGREGATES: Final = ("count", "min", "max", "avg", "sum")
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
_MAX_ADVISED: Final = 2_000
"""Characters of a query that is rewritten as it was perhaps meant; a longer one nobody would read."""

_NEVER_BARE: Final = re.compile(rf"\{{|({'|'.join(AGGREGATES)})\s*\(")
"""What stands in no filter without braces, so that a complaint about it is none about the filter."""


class Parser(FieldParser):
    """A recursive descent over the tokens of one query."""

    def query(self) -> n.Query:
        """`query := body { with ( hint {, hint} ) }`."""
        body = self.body(self.stages(inside=False))
        return self.ended(body)

    def bare_query(self) -> n.Query:
        """`bareQuery := fieldExpr { "|" stage } { with ( hint {, hint} ) }`: a filter without its braces."""
        self.bare = True
        at = self.token.start
        expression = self.field_expression()
        if self.token.text in STRUCTURAL:
            sign = self.token.text
            self.fail(f"`{sign}` joins sets of spans; put each condition into braces: {{ a }} {sign} {{ b }}")
        first = Operand("spanset", n.Filter(expression, at), at)
        return self.ended(self.body(self.stages_after(first, inside=False)))

    def ended(self, body: n.Pipeline | n.MetricsPipeline | n.MetricsOperation) -> n.Query:
        """`hints := { with ( name = static {, name = static} ) }`, then the end of the text."""
        hints: list[n.Hint] = []
        while self.accept_word("with"):
            self.expect("(", "`(` after with")
            hints = [self.hint()]
            while self.accept(","):
                hints.append(self.hint())
            self.expect(")", "`)` after the hints")
        if self.token.kind != "end":
            self.fail(f"expected `|`, an operator or the end of the query, found `{self.token.text}`")
        return n.Query(body, tuple(hints), self.source)

    def hint(self) -> n.Hint:
        """`hint := name = static`."""
        token = self.token
        if token.kind != "word":
            self.fail("expected the name of a hint")
        self.advance()
        self.expect("=", "`=` after the hint's name")
        return n.Hint(token.text, self.static(), token.start)

    def body(self, operand: Operand) -> n.Pipeline | n.MetricsPipeline | n.MetricsOperation:
        """`body := pipeline | pipeExpr | scalarPipeFilter | metric stage2* | metricsExpr stage2*`."""
        node = operand.node
        match node:
            case n.MetricsPipeline() | n.MetricsOperation() | n.Pipeline():
                return node
            case n.Filter() | n.SpansetOperation() | n.ScalarFilter() | n.GroupBy() | n.Select() | n.Coalesce():
                return n.Pipeline((node,), operand.at)
            case n.Static():
                self.fail("expected spans in braces, such as { duration > 1s }", operand.at)
        return self.fail(f"`{node}` is a number; compare it with one, for instance `{node} > 1`", operand.at)

    def stages(self, *, inside: bool) -> Operand:
        """`pipeline := first { "|" next }`."""
        return self.stages_after(self.expression(1, first=True), inside=inside)

    def stages_after(self, first: Operand, *, inside: bool) -> Operand:
        """`next := spansetExpr | scalarFilter | by | select | coalesce | metric stage2*` after each `|`."""
        items = [first]
        while self.accept("|"):
            last = items[-1]
            if last.kind == "metric":
                last.node = self.ranked(cast("n.MetricsPipeline", last.node))
            elif self.token.kind == "word" and self.token.text in METRICS:
                items = [self.metric_pipeline(items)]
            else:
                items.append(self.expression(1))
        if len(items) == 1:
            return items[0]
        *front, last = items
        if inside and last.kind == "scalar" and isinstance(last.node, n.Aggregate):
            return Operand("scalar", n.ScalarPipeline(self.checked_stages(front), last.node, first.at), first.at)
        return Operand("pipeline", n.Pipeline(self.checked_stages(items), first.at), first.at)

    def checked_stages(self, items: list[Operand]) -> tuple[n.Stage, ...]:
        """Refuse what cannot be a stage: a number that nothing compares, a pipeline in parentheses, a metric."""
        stages: list[n.Stage] = []
        for item in items:
            match item.node:
                case n.Filter() | n.ScalarFilter() | n.GroupBy() | n.Select() | n.Coalesce():
                    stages.append(item.node)
                case n.SpansetOperation() if item.kind == "spanset":
                    stages.append(item.node)
                case n.Aggregate() | n.ScalarOperation() | n.ScalarPipeline():
                    self.fail(
                        f"`{item.node}` is a number; compare it with one, for instance `{item.node} > 1`", item.at
                    )
                case n.Static():
                    self.fail("a number alone is no stage of a pipeline", item.at)
                case _:
                    self.fail("a pipeline in parentheses cannot be a stage of another pipeline", item.at)
        return tuple(stages)

    def expression(self, minimum: int, *, first: bool = False) -> Operand:
        """`expr := operand { operator operand }`, by precedence: `&& ||`, relations, `+ -`, `* / %`, `^`."""
        self.enter()
        left = self.operand(first=first)
        while (level := self.level()) >= minimum:
            steps: list[tuple[Token, Operand]] = []
            while self.level() == level:
                sign = self.advance()
                if left.kind == "metric":
                    self.refuse_value(sign)
                steps.append((sign, self.right_of(sign, level)))
            left = joined(left, steps, self.fail)
        self.leave()
        return left

    def right_of(self, sign: Token, level: int) -> Operand:
        """`^` takes all that follows on its level; the others leave it to the loop."""
        if sign.text != "^":
            return self.expression(level + 1)
        with self.nested(sign):
            return self.expression(level)

    def level(self) -> int:
        return LEVELS.get(self.token.text, 0) if self.token.kind == "operator" else 0

    def operand(self, *, first: bool) -> Operand:
        """`operand := { } | { fieldExpr } | ( pipeline ) | agg | by | select | coalesce | number | - number`."""
        token = self.token
        at = token.start
        if token.text == "{" and token.kind == "operator":
            return Operand("spanset", self.filter(), at)
        if self.accept("("):
            with self.nested(token):
                inner = self.stages(inside=True)
            self.expect(")", "`)`")
            return Operand(inner.kind, inner.node, at, wrapped=True)
        if token.kind in ("int", "float", "duration"):
            self.advance()
            return Operand("number", n.Static(cast("int | float", token.value), token.kind, at), at)
        if self.accept("-"):
            return self.signed_number(token)
        if token.kind == "word":
            if token.text in AGGREGATES:
                return Operand("scalar", self.aggregate(), at)
            if token.text in ("by", "select"):
                return Operand("stage", self.group() if token.text == "by" else self.selection(), at)
            if token.text == "coalesce" and not first:
                self.advance()
                self.call_without_arguments("coalesce")
                return Operand("stage", n.Coalesce(at), at)
            self.refuse_word(token)
        return self.fail_here("expected spans in braces, such as { duration > 1s }")

    def refuse_word(self, token: Token) -> None:
        if token.text == "coalesce":
            self.fail("a pipeline cannot start with coalesce(); there is nothing yet to bring together")
        if token.text in METRICS:
            self.fail(f"a metric needs spans to count: {{ }} | {token.text}(...)")
        if token.text in ("topk", "bottomk"):
            self.fail(f"{token.text}(...) follows a metric: {{ }} | rate() by (name) | {token.text}(5)")

    def signed_number(self, sign: Token) -> Operand:
        """`- number`: the minus belongs to the number alone, so `-1 * x` is `(-1) * x`."""
        with self.nested(sign):
            operand = self.operand(first=False)
        negative = folded_sign(operand.node) if isinstance(operand.node, n.Static) else None
        if negative is not None:
            return Operand("number", replace(negative, at=sign.start), sign.start)
        if operand.kind in ("metric", "scalar"):
            self.fail(f"only a number can be negative here; write -1 * {n.operand_text(operand.node)}", sign.start)
        return self.fail("only a number can be negative here", sign.start)

    def refuse_value(self, sign: Token) -> None:
        """Refuse what is no number to the right of a metric."""
        token = self.token
        word = token.kind == "word" and token.text in ("nil", *VALUE_WORDS, *BARE_INTRINSICS)
        if not word and token.kind not in ("string", "attribute", "intrinsic", "name"):
            return
        found = shortened(token.text)
        if sign.text in COMPARING:
            self.fail(f"a metric can only be compared with a number or a duration, not with {found}")
        self.fail(f"a metric can only be combined with numbers and other metrics, not with {found}")

    def aggregate(self) -> n.Aggregate:
        """`agg := count() | (max|min|avg|sum)(fieldExpr)`."""
        token = self.advance()
        if token.text == "count":
            self.call_without_arguments("count")
            return n.Aggregate("count", None, token.start)
        self.expect("(", f"`(` after {token.text}")
        argument = self.field_expression()
        self.expect(")", f"`)` after what {token.text} is taken of")
        return n.Aggregate(token.text, argument, token.start)

    def group(self) -> n.GroupBy:
        """`by ( fieldExpr )`."""
        token = self.advance()
        self.expect("(", "`(` after by")
        expression = self.field_expression()
        if self.token.text == ",":
            self.fail("by() takes one expression here; write `by(a) | by(b)` to group by both")
        self.expect(")", "`)` after by(")
        return n.GroupBy(expression, token.start)

    def selection(self) -> n.Select:
        """`select ( attr {, attr} )`."""
        token = self.advance()
        return n.Select(self.attributes("select"), token.start)

    def metric_pipeline(self, items: list[Operand]) -> Operand:
        """`pipeline "|" metric { CMP number }`."""
        stages = self.checked_stages(items)
        metric = self.metric()
        operand = Operand("metric", n.MetricsPipeline(stages, metric, (), items[0].at), items[0].at)
        while self.token.kind == "operator" and self.token.text in COMPARING:
            operand = self.threshold(operand)
        return operand

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

    def threshold(self, metric: Operand) -> Operand:
        """`CMP number` after a metric."""
        sign = self.advance()
        self.refuse_value(sign)
        return compared(metric, sign, self.expression(3), self.fail)

    def ranked(self, node: n.MetricsPipeline | n.MetricsOperation) -> Node:
        """`stage2 := topk(INT) | bottomk(INT)`."""
        token = self.token
        if token.kind != "word" or token.text not in ("topk", "bottomk"):
            self.fail_here("after a metric only topk(n), bottomk(n) or a comparison can follow")
        self.advance()
        self.expect("(", f"`(` after {token.text}")
        rank = n.Rank(token.text, self.whole(f"how many series to keep, as in {token.text}(5)"), token.start)
        self.expect(")", f"`)` after {token.text}(")
        ranked = replace(node, second=(*node.second, rank))
        operand = Operand("metric", ranked, node.at)
        while self.token.kind == "operator" and self.token.text in COMPARING:
            operand = self.threshold(operand)
        return operand.node


def parse(traceql: str) -> n.Query:
    """Read a TraceQL query.

    A filter may stand without its braces (`duration > 2s | count() > 3`); there a dotted name without a scope
    (`service.name`) is an attribute of the span or else of its resource.

    Returns
    -------
    The query as frozen nodes. `str(query)` is its canonical text.

    Raises
    ------
    QuerySyntaxError
        The text is no query; the message shows the place and, where it can be guessed, what was meant.
    QueryTypeError
        A metric is combined with a duration.
    QueryError
        It is no text at all.

    Examples
    --------
    >>> str(parse("{span.http.status_code>=500}|count()>2"))
    '{ span.http.status_code >= 500 }|(count()) > 2'
    >>> str(parse('service.name = "checkout" && duration > 2s'))
    '{ (.service.name = `checkout`) && (duration > 2s) }'
    """
    if not isinstance(traceql, str):
        raise QueryError(_no_text(traceql))
    try:
        with plain_recursion():
            return _parsed(traceql)
    except QuerySyntaxError as error:
        meant = corrected(traceql) if len(traceql) <= _MAX_ADVISED else traceql
        if meant == traceql or traceql.strip().isidentifier() or error.position is None:
            raise
        try:
            _parsed(meant)
        except QuerySyntaxError:
            raise error from None
        complaint = str(error).partition("\n")[0]
        raise QuerySyntaxError(f"{complaint}. Write: {meant}", source=traceql, position=error.position) from None


def _no_text(query: object) -> str:
    """Say what to pass instead of something that is no text."""
    example = "a query is a text such as '{ duration > 1s }'"
    match query:
        case bytes() | bytearray():
            return f"{example}, not bytes; decode them first: query.decode()"
        case n.Query():
            return f"{example}, not what parse() gives; pass str(query)"
        case None:
            return f"{example}, not None"
    return f"{example}, not {shortened(repr(query))} of type {type(query).__name__}"


def _parsed(source: str) -> n.Query:
    """Read a query, or a filter without braces."""
    try:
        return Parser(source).query()
    except QuerySyntaxError as error:
        if source.lstrip("( \t\r\n").startswith("{"):
            raise
        complaint = error
    bare = Parser(source)
    try:
        query = bare.bare_query()
    except QuerySyntaxError as error:
        # Whoever got further has understood more of what was meant.
        place = error.position or 0
        further = place > (complaint.position or 0) and not _NEVER_BARE.match(source, place)
        raise (error if further else complaint) from None
    # A filter that reads nothing of the spans, such as `true` or `5 > 3`, was hardly meant as one.
    filter_ = takewhile(lambda token: token.text != "|", bare.tokens)
    if any(token.kind in ("attribute", "intrinsic", "name") or token.text in BARE_INTRINSICS for token in filter_):
        return query
    raise complaint
