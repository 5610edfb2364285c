"""The program `tracelab`, also as `python -m tracelab`."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run the command line; Ctrl-C while it is still loading ends it in one line too."""
    try:
        import_module("tracelab.cli").app()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
