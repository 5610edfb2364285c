"""Set up the content system, run it under a seeded load, keep the spans that the Collector wrote."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from toolbox import (
    BUILD,
    HERE,
    attributes,
    collector,
    identity,
    node_modules,
    pack,
    python_venv,
    running,
    say,
    spans_in,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = HERE / "content"
GATEWAY_PORT = "18080"
WORKER_PORT = "18081"


def main() -> None:
    otelcol = collector()
    python = python_venv("content", CONTENT / "worker" / "requirements.txt")
    node_modules(CONTENT / "gateway")
    output = BUILD / "content" / "content.otlp.jsonl"
    output.unlink(missing_ok=True)

    ports = {"GATEWAY_PORT": GATEWAY_PORT, "WORKER_PORT": WORKER_PORT}
    worker = ports | identity("analysis-worker", version="2.1.0", host="worker-1")
    gateway = ports | identity("api-gateway", version="1.4.0", host="gateway-1")
    config = ["--config", HERE / "collector" / "traces.yaml"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(running("collector", [otelcol, *config], port=14318, env={"OUTPUT": str(output)}))
        stack.enter_context(
            running("worker", [python, "app.py"], port=int(WORKER_PORT), cwd=CONTENT / "worker", env=worker)
        )
        stack.enter_context(
            running(
                "gateway",
                ["node", "--require", "./tracing.js", "server.js"],
                port=int(GATEWAY_PORT),
                cwd=CONTENT / "gateway",
                env=gateway,
            )
        )
        say("load begins, about a minute")
        subprocess.run([python, CONTENT / "load.py", f"http://127.0.0.1:{GATEWAY_PORT}"], check=True)

    pack(output, HERE / "content.otlp.jsonl.gz")
    report(output)


def report(output: Path) -> None:
    """Say what came out, counted from the file itself."""
    traces: set[str] = set()
    names: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for resource, span in spans_in(output):
        traces.add(span["traceId"])
        names[f"{resource['service.name']} {span['name']}"] += 1
        if span["status"].get("code") == 2:
            failed[f"{span['name']} {attributes(span).get('http.response.status_code', '')}"] += 1
    say(f"{len(traces)} traces, {names.total()} spans")
    for name, count in sorted(names.items()):
        print(f"  {count:6} {name}")
    for name, count in sorted(failed.items()):
        print(f"  {count:6} failed {name}")


if __name__ == "__main__":
    main()
