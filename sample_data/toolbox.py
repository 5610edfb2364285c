"""What both sample systems need: set up their languages, start their processes, pack what the Collector wrote."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
BUILD = HERE / "_build"
SEARCH_PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
JAEGER = "github.com/jaegertracing/jaeger/cmd/jaeger"
JAEGER_VERSION = "v1.76.0"  # the same release as Jaeger 2.13
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def python_venv(system: str, requirements: Path) -> Path:
    """Make the system's virtual environment and return its interpreter."""
    folder = BUILD / system / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making a virtual environment for {system}")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
    return python


def node_modules(folder: Path) -> None:
    """Install exactly what the lock file of a Node.js program names."""
    if not (folder / "node_modules").exists():
        say(f"npm ci in {folder.relative_to(HERE)}")
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)


def collector() -> Path:
    """Build the OpenTelemetry Collector with its own builder (some minutes, once)."""
    program = BUILD / "collector" / "otelcol"
    if not program.exists():
        say("building the OpenTelemetry Collector (some minutes, once)")
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "run", BUILDER, "--config", "collector/builder.yaml"], cwd=HERE, check=True)
    return program


def identity(service: str, *, version: str, host: str, **variables: str) -> dict[str, str]:
    """Give the variables by which an OpenTelemetry SDK learns who it is and where the Collector listens."""
    resource = {"service.version": version, "host.name": host, "deployment.environment.name": "sample"}
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={value}" for key, value in resource.items()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:14318",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",  # the stable names: http.request.method, not http.method
    } | variables


def jaeger() -> Path:
    """Build Jaeger, without its web pages.

    Its module has replace directives, so `go install` refuses it; as a tool of a module of ours it builds.
    """
    folder = BUILD / "jaeger"
    program = folder / "jaeger"
    if not program.exists():
        say("building Jaeger (some minutes, once)")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.mod").write_text("module tracelab.example/jaeger\n")
        subprocess.run(["go", "get", "-tool", f"{JAEGER}@{JAEGER_VERSION}"], cwd=folder, check=True)
        subprocess.run(["go", "build", "-o", program, JAEGER], cwd=folder, check=True)
    return program


def go_programs(folder: Path) -> Path:
    """Build all commands of a Go module and return the folder they are in."""
    target = BUILD / "bin"
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", f"{target}/", "./..."], cwd=folder, check=True)
    return target


def debian_packages(commands: Mapping[str, str]) -> None:
    """Install the packages (command: package) whose command is missing; only root can, others are told what to do."""
    missing = [package for command, package in commands.items() if shutil.which(command, path=SEARCH_PATH) is None]
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"please install first: apt-get install {' '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "--quiet"], install):
        subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=True)


@contextlib.contextmanager
def running(
    name: str, command: list[str | Path], *, port: int, cwd: Path = HERE, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a process, wait until it listens on its port; ask it to stop at the end, so that it flushes its spans."""
    log_path = BUILD / "logs" / f"{name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w") as log:
        variables = os.environ | (env or {})
        # A session of its own, so that a process that does not stop can be ended with all its children.
        process = subprocess.Popen(command, cwd=cwd, env=variables, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for_port(name, port, process, log_path)
            yield
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for_port(name: str, port: int, process: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{name} stopped with exit code {process.returncode} before it listened: see {log_path}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    sys.exit(f"{name} does not listen on port {port} after a minute: see {log_path}")


def pack(source: Path, target: Path) -> None:
    """Compress without a time stamp or a name, so that equal data gives equal bytes."""
    with source.open("rb") as plain, target.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        shutil.copyfileobj(plain, packed)


def spans_in(path: Path) -> Iterator[tuple[dict, dict]]:
    """Give (resource attributes, span) for every span of an OTLP JSON lines file."""
    with path.open() as lines:
        for line in lines:
            for resource_spans in json.loads(line)["resourceSpans"]:
                resource = attributes(resource_spans["resource"])
                for scope_spans in resource_spans["scopeSpans"]:
                    for span in scope_spans["spans"]:
                        yield resource, span


def attributes(owner: dict) -> dict:
    """Turn OTLP's list of attributes into a dict; 64-bit integers come as text."""
    return {item["key"]: plain_value(item["value"]) for item in owner.get("attributes", [])}


def plain_value(value: dict) -> object:
    ((kind, content),) = value.items() or [("stringValue", "")]
    return int(content) if kind == "intValue" else content
