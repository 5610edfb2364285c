"""lab: JupyterLab on a notebook about a dump."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tracelab import lab as notebooks
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.terminal import say, stop, usage
from tracelab.files import expanded


@takes_servers
def lab(
    dumps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DUMP]...",
            help="Your own dump, a folder of them, a glob, or several; or the address of a Jaeger or Tempo. Without "
            "it the sample notebooks.",
            show_default=False,
        ),
    ] = None,
    *,
    notebook_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the notebook goes: by default beside the dump; the samples to ./tracelab-notebooks.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where JupyterLab listens, on this machine only.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    server: Server,
) -> None:
    """Open JupyterLab on a notebook about a dump, or on copies of the sample notebooks."""
    if find_spec("jupyterlab") is None:
        stop('JupyterLab is not installed. Install it with: pip install "tracelab-kit[lab]"')
    call = server.call(dumps[0]) if dumps and len(dumps) == 1 else None
    if call is None:
        server.refuse_for_dumps(dumps or [])
    with usage():
        dump = notebooks.dump_named(dumps) if dumps and call is None else None
        if notebook_dir is not None:
            notebook_dir = expanded(notebook_dir)
    if call is not None:
        opened = notebooks.notebook_about(notebooks.served(call), folder=notebook_dir)
    elif dump is None:
        opened = notebooks.sample_notebooks(notebook_dir)
    else:
        notebooks.check(dump)
        opened = notebooks.notebook_about(dump, folder=notebook_dir)

    def listening(address: str, came_to: int) -> None:
        if port not in (came_to, 0):
            say(f"Port {port} is taken, so JupyterLab listens on {came_to}.")
        say(f"JupyterLab: {address}")
        say("Ctrl-C stops it.")

    for line in opened.notes:
        say(line)
    notebooks.serve(opened.notebook, root=opened.root, port=port, browser=browser, listening=listening)
