"""`%%trace`: a cell of a notebook runs as usual, and the timeline of what it did is shown below it."""

from __future__ import annotations

import ast
import inspect
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand
from IPython.display import display

from tracelab import figures, live
from tracelab.display.tables import show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_MAGIC: Final = "trace"
_LINE: Final = f"%%{_MAGIC}"
_NOTHING: Final = (
    "No span was recorded. Spans are made by OpenTelemetry's tracers: by instrumentation of the libraries in use, or "
    'with opentelemetry.trace.get_tracer("name").start_as_current_span("name").'
)


def install(ipython: Any) -> None:
    """Give a notebook `%%trace`."""
    uninstall(ipython)
    cells = _Cells(ipython)
    ipython.register_magic_function(cells.trace, "cell", _MAGIC)
    ipython.input_transformers_cleanup.append(cells.with_await)


def uninstall(ipython: Any) -> None:
    """Take `%%trace` out of a notebook again, if it is ours."""
    transformers = ipython.input_transformers_cleanup
    transformers[:] = [each for each in transformers if not _is_ours(each)]
    magics = ipython.magics_manager.magics["cell"]
    if _is_ours(magics.get(_MAGIC)):
        del magics[_MAGIC]


def _is_ours(function: Any) -> bool:
    return isinstance(getattr(function, "__self__", None), _Cells)


class _Code(NamedTuple):
    """A cell: what is run, and the expression at its end, whose value is shown."""

    body: CodeType
    last: CodeType | None

    def waits(self) -> bool:
        return any(_is_coroutine(code) for code in self if code is not None)


class _Cells:
    """Runs the cells of one notebook."""

    def __init__(self, ipython: Any) -> None:
        self._ipython = ipython

    @no_var_expand
    def trace(self, line: str, cell: str) -> Any:
        """Run a cell and show the timeline of the spans that it made, below it.

        `%%trace NAME` keeps what was captured under that name too: `NAME.frame()` is the span frame.
        """
        __tracebackhide__ = True
        name = line.strip()
        if name and (not name.isidentifier() or iskeyword(name)):
            raise UsageError(f"{_LINE} takes the name of a variable to keep the spans in, or nothing, got {name!r}.")
        code = self._compiled(cell)
        quiet = self._ipython.displayhook.semicolon_at_end_of_expression(cell)
        return self._waiting(name, code, quiet=quiet) if code.waits() else self._value(name, code, quiet=quiet)

    def with_await(self, lines: list[str]) -> list[str]:
        """Let the notebook await a cell that awaits something itself, which a magic alone cannot."""
        if not (lines and lines[0].split(maxsplit=1)[:1] == [_LINE] and self._ipython.autoawait):
            return lines
        cell = "".join(lines[1:])
        try:
            waits = self._compiled(cell).waits()
        except (SyntaxError, ValueError, OverflowError):
            return lines  # running it says what is wrong
        line = lines[0].strip().removeprefix(_LINE).strip()
        return [f"await get_ipython().run_cell_magic({_MAGIC!r}, {line!r}, {cell!r})\n"] if waits else lines

    def _value(self, name: str, code: _Code, *, quiet: bool) -> Any:
        __tracebackhide__ = True
        space = self._ipython.user_ns
        with self._shown(name):
            exec(code.body, space)  # noqa: S102 - it is the user's cell
            value = None if code.last is None else eval(code.last, space)  # noqa: S307 - as above
            return None if quiet else value

    async def _waiting(self, name: str, code: _Code, *, quiet: bool) -> Any:
        __tracebackhide__ = True
        space, value = self._ipython.user_ns, None
        with self._shown(name):
            for part in code:
                if part is not None:
                    value = eval(part, space)  # noqa: S307 - it is the user's cell
                    if _is_coroutine(part):
                        value = await value
            return None if quiet or code.last is None else value

    @contextmanager
    def _shown(self, name: str) -> Iterator[None]:
        """Capture, and show what was captured, also of a cell that fails."""
        __tracebackhide__ = True
        spans = live.capture()
        if name:
            self._ipython.user_ns[name] = spans
        try:
            with spans:
                yield
        finally:
            display(self._picture(spans))  # type: ignore[no-untyped-call]

    def _picture(self, spans: live.Capture) -> Any:
        """Draw a timeline: one to click where there are widgets, and a table where there is no notebook."""
        if not len(spans):
            # Of spans that were left out there is a warning, and a row in the report.
            return _Text(repr(spans) if spans.report().height > 1 else _NOTHING)
        if not self._in_notebook():
            return show(spans.frame())
        if find_spec("anywidget") and find_spec("ipywidgets"):
            return import_module("tracelab.widgets").Gantt(spans.frame())
        return figures.plot_gantt(spans.frame())

    def _in_notebook(self) -> bool:
        return getattr(self._ipython, "kernel", None) is not None

    def _number(self) -> int:
        """Give the number of the cell that runs: newer versions of IPython count it before it does."""
        running = self._ipython.displayhook.exec_result
        return int(getattr(running, "execution_count", None) or self._ipython.execution_count)

    def _compiled(self, cell: str) -> _Code:
        ipython = self._ipython
        # The line of the magic is the first of the cell, and errors name lines.
        text = "\n" + ipython.transform_cell(cell)
        name = ipython.compile.cache(text, self._number(), raw_code=cell)
        with ipython.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if ipython.autoawait else 0):
            tree = ipython.transform_ast(ipython.compile.ast_parse(text, name))
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            body = ipython.compile(tree, name, "exec")
            return _Code(body, last and ipython.compile(ast.Expression(last.value), name, "eval"))


class _Text:
    """A sentence below a cell."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _is_coroutine(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_COROUTINE)
