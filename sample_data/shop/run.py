"""Set up the shop, run it under a seeded load, and write the sample data in every form."""

from __future__ import annotations

import subprocess
import time

from shop import slices, system, truth
from toolbox import (
    BUILD,
    HERE,
    collector,
    debian_packages,
    go_programs,
    jaeger,
    node_modules,
    pack,
    python_venv,
    say,
)

# What is still on its way when the last user has got an answer: fulfilment and mails.
SETTLE_SECONDS = 6


def main() -> None:
    debian_packages({"redis-server": "redis-server", "rabbitmq-server": "rabbitmq-server"})
    otelcol, jaeger_program = collector(), jaeger()
    python = python_venv("shop", system.SHOP / "python" / "requirements.txt")
    content_python = python_venv("content", HERE / "content" / "worker" / "requirements.txt")
    go_bin = go_programs(system.SHOP / "go")
    node_modules(system.SHOP / "gateway")

    output = BUILD / "shop" / "shop.otlp.jsonl"
    output.unlink(missing_ok=True)
    say("starting the shop")
    with system.shop(otelcol, go_bin, python, content_python, output):
        say("load begins, three minutes")
        load = [python, "-m", "shop.load", f"http://127.0.0.1:{system.GATEWAY}"]
        subprocess.run([*load, f"http://127.0.0.1:{system.ORDERS_NEW}", str(system.REDIS)], cwd=HERE, check=True)
        time.sleep(SETTLE_SECONDS)
    say("packing")
    pack(output, HERE / "shop.otlp.jsonl.gz")
    say("writing the slice in every form")
    slice_counts = slices.write(output, otelcol, jaeger_program)
    say("counting the truth")
    truth.write(output, slice_counts)


if __name__ == "__main__":
    main()
