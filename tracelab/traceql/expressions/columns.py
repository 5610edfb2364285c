"""Where a frame keeps what a query names: attributes and intrinsics as values."""

from __future__ import annotations

from typing import Final

import polars as pl

from tracelab.columns import filled
from tracelab.errors import QueryError, SchemaError
from tracelab.schema import TYPE_SUFFIX
from tracelab.traceql.expressions.events import COLUMNS as ITEM_COLUMNS
from tracelab.traceql.expressions.events import first_item
from tracelab.traceql.expressions.maps import MapKeys, found_value, looked_up
from tracelab.traceql.expressions.tree_intrinsics import child_count, nested_set, parent_row, root_row, trace_duration
from tracelab.traceql.expressions.values import Value, column_value, first_of, mixed_value, where
from tracelab.traceql.syntax import nodes as n

UNSCOPED: Final = ("span", "resource", "event", "link", "instrumentation")
"""Where an attribute without a scope is looked for, in this order."""

MAX_HELPERS: Final = 150
"""Columns that are worked out before a filter."""

_NO_PARENT: Final = "0" * 16
_SERVICE_NAME: Final = ("resource", "service.name")
_NEEDS: Final = {
    "duration": ("duration",),
    "name": ("name",),
    "status": ("status_code",),
    "statusMessage": ("status_message",),
    "kind": ("kind",),
    "span:id": ("span_id",),
    "span:parentID": ("parent_span_id",),
    "span:childCount": ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right"),
    "trace:id": ("trace_id",),
    "traceDuration": ("trace_id", "start_time", "duration"),
    "rootName": ("trace_id", "parent_span_id", "tree_left", "links", "name"),
    "rootServiceName": ("trace_id", "parent_span_id", "tree_left", "links", "service_name"),
    "nestedSetLeft": ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right"),
    "nestedSetRight": ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right"),
    "nestedSetParent": ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right"),
    "event:name": ("events",),
    "event:timeSinceStart": ("events", "start_time"),
    "link:traceID": ("links",),
    "link:spanID": ("links",),
    "instrumentation:name": ("scope_name",),
    "instrumentation:version": ("scope_version",),
    "parent": ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right"),
}
"""The columns that each intrinsic is made of."""


class Columns:
    """The columns of one frame, read by TraceQL's names.

    What costs something to find, or needs other spans, becomes a helper column: `with_helpers` adds those that were
    asked for, so that each is computed once.
    """

    def __init__(self, schema: pl.Schema, spans: pl.DataFrame | None = None) -> None:
        self.schema = schema
        self.spans = spans
        self.map_keys = None if spans is None else MapKeys(spans)
        self.helpers: dict[str, pl.Expr] = {}

    @classmethod
    def of(cls, spans: pl.DataFrame | pl.LazyFrame) -> Columns:
        """Read a frame; an eager one is also looked into, so that nothing is searched for that is not there."""
        if isinstance(spans, pl.DataFrame):
            return cls(spans.schema, spans)
        return cls(spans.collect_schema())

    def anew(self) -> Columns:
        """Begin without helper columns on the same frame; what was found out about it stays known."""
        columns = Columns(self.schema)
        columns.spans, columns.map_keys = self.spans, self.map_keys
        return columns

    def value(self, node: n.Attribute | n.Intrinsic) -> Value:
        """Give the value of an attribute or intrinsic on every span."""
        if isinstance(node, n.Intrinsic):
            self.require(str(node), *_NEEDS[node.name])
            return self.intrinsic(node)
        if node.of:
            return self.relative(node)
        if (items := n.item_scope(node)) is not None:
            self.require(str(node), ITEM_COLUMNS[items])
            return first_item(node, items)
        if node.scope:
            own = self.own_column(node.scope, node.name)
            return self.found(node.name, [node.scope], []) if own is None else own
        return self.unscoped(node.name)

    def own_column(self, scope: str, name: str) -> Value | None:
        """Give an attribute that has a column; None if it has none."""
        if (scope, name) == _SERVICE_NAME:
            self.require("resource.service.name", "service_name")
            return Value({n.STRING: self._whole("service_name")})
        column = f"{scope}.{name}"
        if column not in self.schema:
            return None
        if column + TYPE_SUFFIX in self.schema:
            return mixed_value(pl.col(column), pl.col(column + TYPE_SUFFIX))
        return column_value(pl.col(column), self.schema[column])

    def has_column(self, scope: str, name: str) -> bool:
        """Tell whether some span has the attribute, in a column of its own."""
        column = "service_name" if (scope, name) == _SERVICE_NAME else f"{scope}.{name}"
        if column not in self.schema:
            return False
        return self.spans is None or self.spans[column].null_count() < self.spans.height

    def unscoped(self, name: str, scopes: tuple[str, ...] = UNSCOPED) -> Value:
        """Give an attribute of whatever scope has it first."""
        values: list[Value] = []
        searched: list[str] = []
        for scope in scopes:
            own = None if scope in ITEM_COLUMNS else self.own_column(scope, name)
            if own is None:
                searched.append(scope)
                continue
            values.append(self.found(name, searched, values))
            searched = []
            before = [value for value in values if value.kinds]
            values.append(where(_missing(before), own) if before else own)
        values.append(self.found(name, searched, values))
        return first_of(values)

    def found(self, name: str, scopes: list[str], before: list[Value]) -> Value:
        """Give an attribute without a column, where the values before do not give it."""
        scopes = [scope for scope in scopes if self.may_hold(scope, name)]
        if not scopes:
            return Value()
        before = [value for value in before if value.kinds]
        missing = _missing(before) if before else pl.lit(True)
        key = f"{'|'.join(scopes)}.{name}"
        return found_value(self.helper(key, looked_up(name, scopes, missing=missing)))

    def may_hold(self, scope: str, name: str) -> bool:
        """Tell whether an attribute without a column can be there at all; of a lazy frame one cannot know."""
        if ITEM_COLUMNS.get(scope, "more_attributes") not in self.schema:
            return False
        return self.map_keys is None or self.map_keys.holds(scope, name)

    def relative(self, node: n.Attribute) -> Value:
        """Give an attribute of the parent, or of the root of the trace."""
        row = self.row_of(node.of, str(node))
        own = self.value(n.Attribute(node.scope, node.name))
        return Value({kind: expression.gather(row) for kind, expression in own.kinds.items()})

    def row_of(self, relative: str, name: str) -> pl.Expr:
        self.require(name, "trace_id", "parent_span_id", "tree_left")
        if relative == "parent":
            self.require(name, "depth", "tree_right")
            return self.helper("parent", parent_row())
        self.require(name, "links")
        return self.helper("root", root_row())

    def helper(self, key: str, expression: pl.Expr) -> pl.Expr:
        """Ask for a column that is computed once, whatever uses it; of hundreds polars plans for seconds."""
        name = f"traceql {key}"
        if name not in self.helpers and len(self.helpers) >= MAX_HELPERS:
            raise QueryError(
                f"this query needs more than {MAX_HELPERS} columns that the frame does not have; split it up, or give "
                "attributes their columns first: tracelab.with_attributes(spans, ...)"
            )
        self.helpers.setdefault(name, expression)
        return pl.col(name)

    def with_helpers(self, spans: pl.LazyFrame) -> pl.LazyFrame:
        """Add the helper columns that were asked for; later ones may read earlier ones.

        Those that read none of each other are added at once: polars plans slowly for hundreds of steps.
        """
        places: dict[str, int] = {}
        steps: list[list[pl.Expr]] = []
        for name, expression in self.helpers.items():
            read = [places[root] for root in expression.meta.root_names() if root in places]
            places[name] = max(read, default=-1) + 1
            if places[name] == len(steps):
                steps.append([])
            steps[places[name]].append(expression.alias(name))
        for step in steps:
            spans = spans.with_columns(step)
        return spans

    def require(self, name: str, *columns: str) -> None:
        """Refuse a frame that lacks what a name is made of."""
        missing = [column for column in columns if column not in self.schema]
        if missing:
            raise SchemaError(
                f"`{name}` is read from the column {missing[0]!r}, which this frame does not have. "
                "Keep the columns of the span frame, or make them anew with tracelab.conform."
            )

    def intrinsic(self, node: n.Intrinsic) -> Value:
        """Give the value of an intrinsic."""
        match node.name:
            case "status":
                return Value({n.STATUS: self._whole("status_code")})
            case "kind":
                return Value({n.KIND: self._whole("kind")})
            case "span:childCount":
                return Value({n.INT: self.helper(node.name, child_count())})
            case "traceDuration":
                return Value({n.DURATION: self.helper(node.name, trace_duration())})
            case "rootName" | "rootServiceName":
                column = "name" if node.name == "rootName" else "service_name"
                return Value({n.STRING: pl.col(column).gather(self.row_of("root", node.name)).fill_null("")})
            case "nestedSetLeft" | "nestedSetRight" | "nestedSetParent":
                part = node.name.removeprefix("nestedSet").lower()
                return Value({n.INT: self.helper("nested set", nested_set()).struct.field(part)})
            case "parent":
                return Value({n.INT: self.row_of("parent", node.name).cast(pl.Int64)})
        of = n.item_scope(node)
        return _intrinsic(node.name) if of is None else first_item(node, of)

    def _whole(self, column: str) -> pl.Expr:
        """Read a column that has no nulls; that of a lazy frame is checked only after the filter that this is for."""
        return filled(column) if self.spans is None else pl.col(column)


def _missing(values: list[Value]) -> pl.Expr:
    return ~pl.any_horizontal(value.present for value in values)


def _intrinsic(name: str) -> Value:
    match name:
        case "duration":
            return Value({n.DURATION: pl.col("duration")})
        case "name":
            return Value({n.STRING: pl.col("name")})
        case "statusMessage":
            return Value({n.STRING: pl.col("status_message").fill_null("")})
        case "span:id":
            return Value({n.STRING: pl.col("span_id")}, identifier=True)
        case "span:parentID":
            return Value({n.STRING: pl.col("parent_span_id").fill_null(_NO_PARENT)}, identifier=True)
        case "trace:id":
            return Value({n.STRING: pl.col("trace_id").str.strip_chars_start("0")}, identifier=True)
        case "instrumentation:name":
            return Value({n.STRING: pl.col("scope_name")})
        case "instrumentation:version":
            return Value({n.STRING: pl.col("scope_version")})
    raise AssertionError(name)
