"""The command line: a dump in, tables, a report, a query's answer or a notebook out."""

from __future__ import annotations

from tracelab.cli.application import app as app
