"""Run the command line as `python -m tracelab`."""

from __future__ import annotations

from tracelab.cli import app

app()
