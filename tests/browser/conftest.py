"""A real JupyterLab with settings of its own, and a browser that opens notebooks in it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    OpenNotebook = Callable[..., Page]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def open_notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenNotebook]:
    """Give a function that opens a notebook of some code cells, none of which was run."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    folder = tmp_path_factory.mktemp("lab")
    with _jupyterlab(folder) as url, playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))

        def opened(name: str, *sources: str) -> Page:
            (folder / f"{name}.ipynb").write_text(json.dumps(_notebook(sources)), encoding="utf-8")
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(f"{url}/lab/tree/{name}.ipynb?reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE, state="attached")
            page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)
            return page  # type: ignore[no-any-return]

        yield opened
        browser.close()


def _notebook(sources: tuple[str, ...]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


@contextmanager
def _jupyterlab(folder: Path) -> Iterator[str]:
    settings = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{place}_DIR": str(folder / f".{place}") for place in ("CONFIG", "DATA", "RUNTIME")}
    root = str(Path(__file__).parents[2])
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    with (folder / "log").open("w") as out:
        environment = {**os.environ, **own, "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"), "PYTHONPATH": root}
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urlopen(url, timeout=1).close()  # noqa: S310  (our own server)
        except URLError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("JupyterLab did not start")
