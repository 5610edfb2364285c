"""Routes: what a request asked for, by method and route."""

from __future__ import annotations

from typing import Final

import polars as pl

from tracelab.schema import attribute_value

METHOD_KEYS: Final = ("http.request.method", "http.method")
ROUTE_KEYS: Final = ("http.route", "url.template")


def route() -> pl.Expr:
    """Give the expression for the route of a request: method and `http.route`, else the name of the span."""
    method, path = first_of(METHOD_KEYS), first_of(ROUTE_KEYS)
    by_route = pl.when(path.is_not_null()).then(pl.concat_str(method, path, separator=" ", ignore_nulls=True))
    return pl.coalesce(by_route, "name").alias("route")


def first_of(keys: tuple[str, ...]) -> pl.Expr:
    """Take the first of these attributes of the span that has a value."""
    values = [attribute_value(f"span.{key}") for key in keys]
    return pl.coalesce([*(pl.when(value != "").then(value) for value in values), pl.lit(None, dtype=pl.String)])
