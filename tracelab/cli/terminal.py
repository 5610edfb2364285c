"""How the command line speaks: messages and exit codes, closed pipes, Ctrl-C, terminals that lack characters."""

from __future__ import annotations

import codecs
import errno
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text
from typer.core import TyperGroup

from tracelab.display.tables import shown
from tracelab.errors import (
    LoadWarning,
    OutputError,
    PolicyError,
    QueryError,
    RuleError,
    SamplingWarning,
    SkewWarning,
    TracelabError,
)
from tracelab.markup import visible
from tracelab.traceql import QueryWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

UNREADABLE: Final = 1
USAGE: Final = 2
FOUND: Final = 3
STOPPED: Final = 130

_OURS: Final = (LoadWarning, QueryWarning, SamplingWarning, SkewWarning)
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
_TICK: Final = 0.5
_NOW_AND_THEN: Final = 10.0
_ENCODABLE: Final = "tracelab.encodable"
_INSTEAD: Final = {"µ": "u", "…": "...", "\N{EN DASH}": "-", "─": "-", "∞": "inf"} | dict(
    zip("▁▂▃▄▅▆▇█", "12345678", strict=True)
)


class _Console(Console):
    """A console that leaves it to its caller what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


out: Final = _Console(highlight=False, markup=False, emoji=False)
err: Final = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


class Commands(TyperGroup):
    """Commands that end in one line and an exit code, whatever happens to them but a bug."""

    def invoke(self, ctx: Any) -> Any:
        _have_streams()
        _hear_ctrl_c()
        try:
            with _our_warnings():
                result = super().invoke(ctx)
            sys.stdout.flush()
        except TracelabError as error:
            _stop_with(error, USAGE if isinstance(error, QueryError | OutputError) else UNREADABLE)
        except BrokenPipeError:
            _close_quietly(sys.stdout, sys.stderr)
            raise typer.Exit(0) from None  # whoever read has seen enough
        except OSError as error:
            if error.errno not in _FULL:
                raise
            # What is still held would be written once more at the end.
            _close_quietly(sys.stdout)
            stop(f"the output cannot be written: {error.strerror}", code=USAGE)
        return result


def stop(message: str, code: int = UNREADABLE, *, below: Sequence[str] = ()) -> NoReturn:
    """End with a message of one line on the error stream, and lines that show a place below it."""
    for line in (f"error: {message}", *below):
        err.print(Text(visible(line), style="red"))
    raise typer.Exit(code)


@contextmanager
def usage() -> Iterator[None]:
    """Take what is refused here for a mistake in the command: exit code 2."""
    try:
        yield
    except TracelabError as error:
        _stop_with(error, USAGE)


@contextmanager
def overheard() -> Iterator[list[str]]:
    """List what is warned of meanwhile, which is shown all the same."""
    said: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def hear(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            said.append(str(message))
            show(message, category, *place, **more)

        warnings.showwarning = hear
        yield said


def say(message: str, *, style: str = "") -> None:
    """Print a line."""
    out.print(Text(visible(message), style=style), soft_wrap=True)


def paragraph(message: str, *, style: str = "", indent: int = 0, mark: str = "") -> None:
    """Print a text in lines as wide as the terminal, so many characters from its left, the first behind a mark."""
    left = " " * indent + mark
    for line in Text(visible(message), style=style).wrap(out, max(out.width - len(left), 1)):
        line.rstrip()
        out.print(Text(left) + line)
        left = " " * len(left)


def note(message: str) -> None:
    """Print a line beside the output, which may be for a program."""
    err.print(Text(visible(message), style="dim"))


def table(title: str, frame: pl.DataFrame, *, rows: int, note: str = "", hint: str = "") -> None:
    """Print the first rows of a frame, as many columns as there is room for."""
    out.print(Text.assemble((visible(title), "bold"), (f"  {note}" if note else "", "dim")))
    out.print(shown(frame, rows=rows, hint=hint))
    out.print()


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Take Ctrl-C, and what `kill` sends, for the wish to end in order; a second one ends at once."""
    stopping = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear(_number: int, _frame: Any) -> None:
        stopping.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # Whoever was started to ignore a signal, in the background of a script, say, goes on to ignore it.
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, hear)
    try:
        yield stopping
    finally:
        restore()


def follow(words: Callable[[], str], stopping: threading.Event) -> None:
    """Show what goes on in one line that changes; where nobody watches, in a line now and then."""
    if out.is_terminal and not out.is_dumb_terminal:
        with Live(console=out, auto_refresh=False, transient=True) as line:
            while not stopping.wait(_TICK):
                line.update(Text(visible(words()), no_wrap=True, overflow="ellipsis"), refresh=True)
        return
    said, since = words(), 0.0
    while not stopping.wait(_TICK):
        since += _TICK
        now = words()
        if now != said and since >= _NOW_AND_THEN:
            said, since = now, 0.0
            say(now)
            sys.stdout.flush()


def write(text: str) -> None:
    """Write what is for programs: UTF-8, whatever the terminal says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def is_output(path: Path) -> bool:
    """Say whether what is printed goes to a file, a pipe or a terminal that has this path, too."""
    try:
        return not os.path.samefile(path, os.devnull) and os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))  # noqa: PTH121 - devnull is a text
    except (OSError, ValueError):  # there is no such file, or no such output
        return False


@contextmanager
def _our_warnings() -> Iterator[None]:
    """Print our own warnings as a line each; those of others are for developers, who ask for them with `-W`."""
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        for category in _OURS:
            warnings.simplefilter("always", category)
        warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
    named = "" if issubclass(category, _OURS) else f"{category.__name__}: "
    err.print(Text(f"warning: {named}{visible(message)}", style="yellow"))


def _stop_with(error: TracelabError, code: int) -> NoReturn:
    """End with an error of ours; one that points into a query or a condition has two lines for that."""
    points = isinstance(error, PolicyError) or (
        isinstance(error, QueryError | RuleError) and error.position is not None
    )
    message, *below = str(error).rsplit("\n", 2) if points else [str(error)]
    stop(message, code, below=below)


def _have_streams() -> None:
    """Let no missing stream and no character that the terminal has no code for end the program."""
    codecs.register_error(_ENCODABLE, _instead)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it: `>&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors=_ENCODABLE)


def _hear_ctrl_c() -> None:
    """Let Ctrl-C interrupt a read that waits: polars, once imported, has the system start such reads again."""
    if hasattr(signal, "siginterrupt"):
        signal.siginterrupt(signal.SIGINT, True)


def _instead(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_INSTEAD.get(each) or each.encode("unicode_escape").decode() for each in missing), error.end


def _close_quietly(*streams: TextIO) -> None:
    """Point streams elsewhere, so that Python's own last flush does not complain once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
