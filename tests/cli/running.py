from __future__ import annotations

import os
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tracelab.cli import app
from tracelab.synthetic import draw

SHOP = Path(__file__).parents[2] / "sample_data" / "shop.otlp.jsonl.gz"


SPANS = draw("""
web::GET /   =====  kind=server
  db::SELECT .==!   kind=client
""")


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


EVIL = "=cmd\x1b[31m\u202e\x9b2J\u200b\r\x00"


ACTING = set("\x1b\u202e\x9b\u200b\x00\r")


def program(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the real program, its streams no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "tracelab", *words],
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", **environment},
    )


def on_a_terminal(columns: int, *words: str, **environment: str) -> str:
    """Run the real program on a terminal of so many columns, and give what it showed there."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "tracelab", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**known, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    shown = b""
    with suppress(OSError):  # what Linux says at the end
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    assert process.wait() == 0, shown
    return shown.decode()
