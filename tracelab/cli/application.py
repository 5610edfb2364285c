"""The program: its commands, in the order in which its help lists them."""

from __future__ import annotations

import typer

from tracelab.cli.commands.audit import audit
from tracelab.cli.commands.check import check
from tracelab.cli.commands.convert import convert
from tracelab.cli.commands.diff import diff
from tracelab.cli.commands.lab import lab
from tracelab.cli.commands.query import query
from tracelab.cli.commands.receive import receive
from tracelab.cli.commands.report import report
from tracelab.cli.commands.sample import sample
from tracelab.cli.commands.summary import summary
from tracelab.cli.terminal import Commands

app = typer.Typer(
    cls=Commands,
    help="Explore distributed traces: any dump in, answers out.",
    epilog="Exit codes: 0 all went well, 1 something could not be read, 2 the command or the query is wrong, or the "
    "output cannot be written, 3 `audit --fail-on`, `diff --fail-if-slower` or `check` found something, 130 "
    "interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for command in (summary, report, query, convert, sample):
    app.command()(command)
app.command(
    epilog="Exit codes: 0 nothing from --fail-on on was found, 1 the spans could not be read, 2 the command is "
    "wrong or the file cannot be written, 3 something from --fail-on on was found."
)(audit)
app.command(
    epilog="Exit codes: 0 traces do not take longer by more than --fail-if-slower, 1 the spans could not be read or a "
    "side has none to judge by, 2 the command or the query is wrong, 3 they do, and that is no chance."
)(diff)
app.command(
    epilog="Exit codes: 0 no rule fails, 1 the spans could not be read or there are none, 2 the command or a rule is "
    "wrong, or a rule is about something that is not there, 3 a rule fails."
)(check)
for command in (lab, receive):
    app.command()(command)
