"""Answers of `check` with verdicts of every kind, and with names that would do something."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracelab.checking.judging import CHECKED

EVIL = (
    "]]></x><script>alert(1)</script> | `a` [x](javascript:1) ![i](http://e/p) @somebody #12 www.e.example "
    "http://e.example **b** $x$ \\| &amp; \x1b[31m\u202e\x00\ufffe\r\n# h\n- l"
)


def checked(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {
        "rule": "no_errors", "check": "no_errors", "severity": "error", "verdict": "holds", "value": 0.0,
        "limit": 0.0, "unit": "count", "n": 3, "counted": "span", "message": "none of 3 spans failed.",
        "exemplar_trace_ids": [],
    }  # fmt: skip
    return pl.DataFrame([{**usual, **row} for row in rows], schema=CHECKED)


ALL = checked(
    {"rule": "fine"},
    {"rule": "slow", "verdict": "fails", "message": "p95 9 s", "exemplar_trace_ids": ["a" * 32, "b" * 32], "line": 4},
    {"rule": "warned", "verdict": "fails", "severity": "warning"},
    {"rule": "few", "verdict": "cannot tell", "message": "cannot tell, n = 40: p99 9 s"},
    {"rule": "optional", "verdict": "cannot tell", "value": None, "n": 0},
    {"rule": "gone", "verdict": "not tested", "value": None, "n": 0},
    {
        "rule": EVIL, "check": EVIL, "where": EVIL, "verdict": "fails", "message": EVIL, "exemplar_trace_ids": [EVIL],
    },
)  # fmt: skip
