"""The program `tracelab`, also as `python -m tracelab`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

_INTERRUPTED = 130  # as shells say it: 128 and the number of the signal


def main() -> NoReturn:
    """Run the command line; Ctrl-C ends it in one line, also while it is still loading."""
    code: int | str | None = 0
    if os.environ.get("COLUMNS", "").strip("0") == "":
        os.environ.pop("COLUMNS", None)  # no width is an unknown one; libraries would take it for one
    try:
        import_module("tracelab.cli").app()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except SystemExit as end:  # typer makes one of Ctrl-C, without a word
        code = end.code
    if code == _INTERRUPTED and sys.stderr is not None:
        sys.stderr.write("error: interrupted\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
