"""Spans that many rules are tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.conforming import with_tree
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOP = draw("""
web::GET /pay      ====================  kind=server http.method=GET http.route=/pay http.status_code=500
  web::POST        .========             kind=client
    bank::charge   ..======!             kind=server customer=gold
  db::SELECT       ...........=          kind=client
  db::SELECT       .............=        kind=client
  db::SELECT       ...............=      kind=client

web::GET /cart     =====                 kind=server http.method=GET http.route=/cart http.status_code=200
""")


def many(lengths: Sequence[float], *, name: str = "GET /", failing: int = 0) -> pl.DataFrame:
    """Draw a request of so many milliseconds per trace, of which the first so many fail."""
    one = draw(f"web::{name} = kind=server")
    number = pl.int_range(len(lengths))
    status = pl.when(number < failing).then(pl.lit("error")).otherwise(pl.lit("unset")).cast(one["status_code"].dtype)
    spans = pl.concat([one] * len(lengths)).with_columns(
        trace_id=pl.format("{}", number).str.zfill(32),
        duration=pl.Series([round(length * 1e6) for length in lengths]).cast(one["duration"].dtype),
        status_code=status,
    )
    return with_tree(spans)
