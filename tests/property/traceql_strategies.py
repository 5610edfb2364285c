"""TraceQL texts from the grammar, and frames with the attributes that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from hypothesis import strategies as st

from tests.strategies import span_frames
from tracelab.conforming import conform
from tracelab.schema import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable

STRUCTURAL = (">", "<", ">>", "<<", "~", "!>", "!<", "!>>", "!<<", "!~", "&>", "&<", "&>>", "&<<", "&~")
COMPARING = ("=", "!=", "<", "<=", ">", ">=")

numbers = st.one_of(
    st.integers(-3, 9).map(str), st.sampled_from(("0.5", "2.0", "-1.5", "1e1")), st.sampled_from(("2ns", "5ns", "1us"))
)
strings = st.sampled_from(('"get"', '"x"', "`put`", '""'))
numeric_fields = st.sampled_from(
    (".a", "span.a", ".m", ".n", "parent.a", "root.a", "duration", "span:childCount", "traceDuration",
     "nestedSetLeft", "nestedSetRight", "nestedSetParent")
)  # fmt: skip
text_fields = st.sampled_from((".b", "resource.b", ".m", "name", "rootName", "resource.service.name", "parent.b"))
dynamic_fields = st.sampled_from(
    (".a", ".b", ".m", ".n", ".ok", "span.b", "resource.b", ".missing", "parent.m", "root.b")
)


def arithmetic(operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        operands,
        st.builds("{} {} {}".format, operands, st.sampled_from("+-*/%"), operands),
        st.builds(
            "({} {} {}) {} {}".format, operands, st.sampled_from("+-"), operands, st.sampled_from("*-"), operands
        ),
        operands.map("-({})".format),
    )


numeric = arithmetic(st.one_of(numeric_fields, numbers))
comparisons = st.one_of(
    st.builds("{} {} {}".format, numeric, st.sampled_from(COMPARING), numeric),
    st.builds("{} {} {}".format, text_fields, st.sampled_from(COMPARING), strings),
    st.builds(
        "{} {} {}".format, text_fields, st.sampled_from(("=~", "!~")), st.sampled_from(('"g.*"', '"x|put"', '"."'))
    ),
    st.builds("{} {} {}".format, st.just("status"), st.sampled_from(("=", "!=")), st.sampled_from(("ok", "error"))),
    st.builds("{} {} {}".format, st.just("kind"), st.sampled_from(("=", "!=")), st.sampled_from(("server", "client"))),
    st.builds("{} {} nil".format, dynamic_fields, st.sampled_from(("=", "!="))),
    st.builds("{} {} {}".format, dynamic_fields, st.sampled_from(COMPARING), dynamic_fields),
    st.sampled_from((".ok", "!.ok", "true", "false", ".a", ".ok = true")),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(("&&", "||")), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(("&&", "||")), inner),
        inner.map("!({})".format),
    ),
    max_leaves=5,
)
filters = st.one_of(conditions.map("{{ {} }}".format), st.just("{ }"))
spansets = st.recursive(
    filters,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from((*STRUCTURAL, "&&", "||")), inner),
        inner.map("({})".format),
    ),
    max_leaves=4,
)
aggregates = st.one_of(
    st.just("count()"), st.builds("{}({})".format, st.sampled_from(("min", "max", "avg", "sum")), numeric_fields)
)
scalar_filters = st.one_of(
    st.builds("{} {} {}".format, aggregates, st.sampled_from(COMPARING), numbers),
    st.builds("{} {} {}".format, st.integers(0, 4), st.sampled_from(COMPARING), aggregates),
    st.builds("{} {} {} > {}".format, aggregates, st.sampled_from("+-*"), aggregates, aggregates),
)
stages = st.one_of(
    scalar_filters,
    filters,
    spansets,
    st.sampled_from(
        (
            "by(name)",
            "by(.m)",
            "by(.a + 1)",
            "by(resource.service.name)",
            "by(status)",
            "coalesce()",
            "select(.a, name)",
        )
    ),
)
pipelines = st.builds(
    lambda first, rest: " | ".join([first, *rest]), st.one_of(spansets, scalar_filters), st.lists(stages, max_size=3)
)
metrics = st.one_of(
    st.sampled_from(("rate()", "count_over_time()", "quantile_over_time(duration, 0.5, .9)", "sum_over_time(.a)")),
    st.sampled_from(("rate() by (name, .b)", "compare({ status = error }, 3)", "avg_over_time(duration) by (kind)")),
)
second_stages = st.lists(st.sampled_from(("| topk(2)", "| bottomk(1)", "> 5", "<= 1.5", "!= 2s")), max_size=2).map(
    " ".join
)
metric_queries = st.builds("{} | {} {}".format, pipelines, metrics, second_stages)
metric_arithmetic = st.builds(
    "({} | rate()) {} {} {}".format,
    filters,
    st.sampled_from("+-*/"),
    st.one_of(numbers.filter(lambda text: "s" not in text), filters.map("({} | count_over_time() by (name))".format)),
    second_stages,
)
hints = st.sampled_from(("", " with(sample=true)", " with(sample=0.5, most_recent=true)"))
queries = st.builds("{}{}".format, st.one_of(pipelines, pipelines, metric_queries, metric_arithmetic), hints)


@st.composite
def attributed_frames(draw: Callable[[st.SearchStrategy[Any]], Any], *, cycles: bool = True) -> pl.DataFrame:
    """Draw a frame whose spans have attributes of every kind: typed columns, a mix, and some without a column."""
    frame = draw(span_frames(cycles=cycles))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.one_of(st.none(), values), min_size=frame.height, max_size=frame.height))  # type: ignore[no-any-return]

    mixed = column(st.sampled_from((("1", "int"), ("2", "int"), ("x", "string"), ("0.5", "double"), ("true", "bool"))))
    more = column(st.sampled_from((("3", "int"), ("get", None), ("1.5", "double"))))
    entries = [
        None if one is None else {"span.n": one[0], **({"span.n:type": one[1]} if one[1] else {})} for one in more
    ]
    columns = {
        "span.a": pl.Series(column(st.integers(-2, 5)), dtype=pl.Int64),
        "span.b": pl.Series(column(st.sampled_from(("get", "x"))), dtype=pl.String),
        "resource.b": pl.Series(column(st.sampled_from(("put", "x", ""))), dtype=pl.String),
        "span.ok": pl.Series(column(st.booleans()), dtype=pl.Boolean),
        "span.m": pl.Series([one and one[0] for one in mixed], dtype=pl.String),
        "span.m:type": pl.Series([one and one[1] for one in mixed], dtype=pl.String),
        "more_attributes": pl.Series(entries, dtype=ATTRIBUTES),
    }
    framed: pl.DataFrame = conform(frame.with_columns(**columns))
    return framed
