"""Real servers for the tests: found or built once, started on free ports, filled over OTLP.

`python -m tests.live.programs` builds what is missing, which takes minutes: CI does it before the tests. A plain pytest
only looks whether the programs are there, and skips tests of those that are not. `JAEGER`, `JAEGER_V1` and `OTELCOL`
name others.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILDS: Final = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "tracelab-servers"
_MODULE: Final = "github.com/jaegertracing/jaeger"
_COLLECTOR: Final = "go.opentelemetry.io/collector"
_CONTRIB: Final = "github.com/open-telemetry/opentelemetry-collector-contrib/processor"
_PATIENCE: Final = 60.0
_GUARD: Final = "import os, sys; sys.stdin.read(); os.kill(int(sys.argv[1]), 9)"


@dataclass(frozen=True)
class Program:
    """A program that is built from a Go module, or named by a variable."""

    name: str
    package: str
    version: str
    variable: str
    title: str

    @property
    def path(self) -> Path:
        return BUILDS / f"{self.name}-{self.version}" / self.name

    def found(self) -> Path | None:
        named = os.environ.get(self.variable)
        return next((path for path in (Path(named) if named else self.path,) if path.is_file()), None)

    def build(self) -> Path:
        """Build it as a tool of a module of ours: its own module has replace directives, which `go install` refuses."""
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.mod").write_text("module tracelab.example/servers\n")
        for words in (["get", "-tool", f"{self.package}@{self.version}"], ["build", "-o", self.path, self.package]):
            # It names hundreds of modules, which nobody wants to read unless it fails.
            subprocess.run(["go", *words], cwd=folder, check=True, capture_output=True, text=True)
        return self.path


class Collector(Program):
    """A Collector of a few parts, which its own builder puts together."""

    @property
    def path(self) -> Path:
        # Named by its parts too, so that one that lacks some is not taken for it.
        return BUILDS / f"{self.name}-{self.version}-{zlib.crc32(self.parts().encode()):08x}" / self.name

    def parts(self) -> str:
        """Name what it is made of, as the builder reads it."""
        modules = {
            "receivers": [f"{_COLLECTOR}/receiver/otlpreceiver"],
            "processors": [f"{_CONTRIB}/{name}processor" for name in ("probabilisticsampler", "tailsampling")],
            "exporters": [f"{_COLLECTOR}/exporter/otlpexporter", f"{_COLLECTOR}/exporter/otlphttpexporter"],
        }
        lines = []
        for kind, names in modules.items():
            lines += [f"{kind}:", *(f"  - gomod: {name} {self.version}" for name in names)]
        return "\n".join(lines)

    def build(self) -> Path:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        head = f"dist: {{name: {self.name}, version: {self.version[1:]}, output_path: {folder / 'source'}}}"
        (folder / "builder.yaml").write_text(f"{head}\n{self.parts()}\n")
        command = ["go", "run", f"{self.package}@{self.version}", "--config", str(folder / "builder.yaml")]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        shutil.move(folder / "source" / self.name, self.path)
        return self.path


class Ours(Program):
    """A program of our own, whose sources stand among the tests."""

    @property
    def sources(self) -> list[Path]:
        return sorted((Path(__file__).parents[2] / self.package).glob("*"))

    @property
    def path(self) -> Path:
        # Named by its sources too, so that it is built again where they have changed.
        content = b"".join(each.read_bytes() for each in self.sources)
        return BUILDS / f"{self.name}-{zlib.crc32(content):08x}" / self.name

    def build(self) -> Path:
        folder = self.path.parent / "source"
        folder.mkdir(parents=True, exist_ok=True)
        for each in self.sources:
            shutil.copy(each, folder)
        subprocess.run(["go", "build", "-o", self.path, "."], cwd=folder, check=True, capture_output=True, text=True)
        return self.path


JAEGER: Final = Program("jaeger", f"{_MODULE}/cmd/jaeger", "v1.76.0", "JAEGER", "Jaeger 2.13.0")
"""Version 2 of Jaeger: the module's release 1.76 is Jaeger 2.13, the newest one that is to be had as a module."""

JAEGER_V1: Final = Program("all-in-one", f"{_MODULE}/cmd/all-in-one", "v1.62.0", "JAEGER_V1", "Jaeger 1.62.0")
"""Version 1, the all-in-one."""

COLLECTOR: Final = Collector("otelcol", f"{_COLLECTOR}/cmd/builder", "v0.161.0", "OTELCOL", "Collector 0.161.0")
"""The OpenTelemetry Collector with OTLP in, over HTTP and gRPC, both samplers, and OTLP out, over either."""

OTTL: Final = Ours("ottl", "tests/sampling/ottl/reference", "1.4.1", "OTTL", "OTTL 1.4.1 (Collector 0.165)")
"""What the Collector's own OTTL makes of conditions on spans."""

HEAD: Final = Ours("head", "tests/sampling/head/reference", "0.161.0", "HEAD", "Go SDK 1.47.0, Collector 0.161.0")
"""What Go's SDK samples, and what the Collector's probabilistic sampler keeps."""

ANSWERED: Final[list[str]] = []
"""The servers that ran, with their versions; the summary of a test run names them."""


@dataclass(frozen=True)
class Running:
    """A server that answers: its pages and API, where it takes OTLP, and its process."""

    url: str
    otlp: str
    process: subprocess.Popen[bytes]


@contextmanager
def jaeger(folder: Path) -> Iterator[Running]:
    """Run Jaeger 2, which keeps traces in memory; skip the test where it is not built."""
    query, otlp, grpc = free_ports(3)
    config = folder / "jaeger.yaml"
    config.write_text(
        f"""
extensions:
  jaeger_storage: {{backends: {{memory: {{memory: {{max_traces: 100000}}}}}}}}
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
"""
    )
    with _running(JAEGER, ["--config", str(config)], query, otlp, folder) as server:
        yield server


@contextmanager
def jaeger_v1(folder: Path) -> Iterator[Running]:
    """Run Jaeger 1, all in one; skip the test where it is not built."""
    query, otlp, *others = free_ports(12)
    hosts = ("query.grpc-server", "collector.otlp.grpc", "collector.grpc-server", "collector.http-server", "admin.http")
    names = [f"{host}.host-port" for host in (*hosts, "http-server")]
    names += [f"processor.{each}.server-host-port" for each in ("jaeger-compact", "jaeger-binary", "zipkin-compact")]
    options = [f"--{name}=127.0.0.1:{port}" for name, port in zip(names, others, strict=False)]
    options += [
        f"--query.http-server.host-port=127.0.0.1:{query}",
        f"--collector.otlp.http.host-port=127.0.0.1:{otlp}",
        "--memory.max-traces=100000",
    ]
    with _running(JAEGER_V1, options, query, otlp, folder) as server:
        yield server


@contextmanager
def collector(
    folder: Path,
    exporters: dict[str, dict[str, Any]],
    *,
    processors: dict[str, dict[str, Any]] | None = None,
    gates: str = "",
) -> Iterator[Running]:
    """Run a Collector that hands on what it gets to these exporters; skip the test where it is not built.

    With processors each has a pipeline of its own, which ends in the exporter that has its place.
    """
    (otlp,) = free_ports(1)
    config = folder / "collector.yaml"
    pipelines: dict[str, Any] = {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}}
    if processors:
        pairs = zip(processors, exporters, strict=True)
        pipelines = {
            f"traces/{number}": {"receivers": ["otlp"], "processors": [processor], "exporters": [exporter]}
            for number, (processor, exporter) in enumerate(pairs)
        }
    config.write_text(
        f"""
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
processors: {json.dumps(processors or {})}
exporters: {json.dumps(exporters)}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {json.dumps(pipelines)}
"""
    )
    options = ["--config", f"file:{config}", *([f"--feature-gates={gates}"] if gates else [])]
    with _running(COLLECTOR, options, otlp, otlp, folder) as server:
        yield server


def send(server: Running, content: bytes) -> None:
    """Send OTLP JSON to a server."""
    request = urllib.request.Request(  # noqa: S310 - it is our own
        f"{server.otlp}/v1/traces", content, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextmanager
def _running(program: Program, options: list[str], query: int, otlp: int, folder: Path) -> Iterator[Running]:
    path = program.found()
    if path is None:
        pytest.skip(f"no {program.name} {program.version} is built (python -m tests.live.programs does it)")
    log = folder / f"{program.name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen([path, *options], cwd=folder, stdout=out, stderr=out)
        # Ends the server when our end of the pipe is gone, also where the tests were killed.
        guard = subprocess.Popen([sys.executable, "-c", _GUARD, str(process.pid)], stdin=subprocess.PIPE)
        try:
            for port in (query, otlp):
                _wait_for(port, process, log)
            ANSWERED.append(program.title if path == program.path else f"{program.title.split()[0]} at {path}")
            yield Running(f"http://127.0.0.1:{query}", f"http://127.0.0.1:{otlp}", process)
        finally:
            guard.kill()
            guard.communicate()
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nothing listens on port {port}: {log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    if shutil.which("go") is None:
        sys.exit("There is no go to build servers with: their tests will be skipped.")
    for each in (JAEGER, JAEGER_V1, COLLECTOR, OTTL, HEAD):
        if each.found() is None:
            begun = time.monotonic()
            print(f"building {each.title} (some minutes, once)", flush=True)  # noqa: T201
            try:
                each.build()
            except (subprocess.CalledProcessError, OSError) as error:
                why = getattr(error, "stderr", "")[-2000:]
                print(f"it cannot be built, so its tests will be skipped: {error}\n{why}", flush=True)  # noqa: T201
            else:
                print(f"built in {time.monotonic() - begun:.0f} s", flush=True)  # noqa: T201
