"""JupyterLab on one folder, with kernels that run the interpreter we run in."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ipykernel.kernelspec import KERNEL_NAME, write_kernel_spec
from jupyterlab.labapp import LabApp

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTALLED: Final = ("site-packages", "dist-packages")


def serve(notebook: Path, *, root: Path, port: int, browser: bool, listening: Callable[[str, int], object]) -> None:
    """Open a notebook in JupyterLab, until it is stopped.

    Parameters
    ----------
    notebook
        The notebook, somewhere below `root`.
    root
        The folder that JupyterLab shows.
    port
        Where to listen, on this machine only; where it is taken, on one of the next.
    browser
        Open a browser.
    listening
        Is told the address, and the port that it came to.
    """
    options = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{quote(notebook.relative_to(root).as_posix())}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={browser}",
        f"--ExtensionApp.open_browser={browser}",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        # Jupyter refuses to run as root, which in a container is who everybody is.
        *(["--ServerApp.allow_root=True"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with TemporaryDirectory(prefix="tracelab-lab-") as own:
        kernels = f"{own}/kernels"
        write_kernel_spec(f"{kernels}/{KERNEL_NAME}", overrides={"env": environment()})
        # The tabs that JupyterLab remembers are of another folder: they are neither opened here nor forgotten.
        server = LabApp.initialize_server(argv=[*options, f"--LabApp.workspaces_dir={own}/workspaces"])
        # A kernel of that name that somebody registered earlier may be any other Python, without tracelab in it.
        server.kernel_spec_manager.kernel_dirs = [kernels, *server.kernel_spec_manager.kernel_dirs]
        address = server.local_url
        # Jupyter begins to listen in the first callback of its loop: what is said then is true.
        server.io_loop.add_callback(listening, address, server.port)
        # Jupyter would say the address once more, in eight lines.
        server.log.addFilter(lambda record: address not in record.getMessage())
        # Jupyter asks back at a terminal, and without one leaves its kernels running: let Ctrl-C stop it as kill does.
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))
        server.start()


def environment() -> dict[str, str]:
    """Let a kernel, which starts in another folder, find the modules that we found."""
    given = os.environ.get("PYTHONPATH", "")
    paths = [os.path.abspath(path) for path in given.split(os.pathsep)] if given else []  # noqa: PTH100
    home = str(Path(__file__).parents[2])
    if Path(home).name not in _INSTALLED:
        paths = [home, *(path for path in paths if path != home)]
    # Jupyter reads $NAME in these values as a variable.
    return {"PYTHONPATH": os.pathsep.join(paths).replace("$", "$$")} if paths else {}
