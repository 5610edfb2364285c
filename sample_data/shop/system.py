"""The shop's processes: what runs where, and under which name it reports to the Collector."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from toolbox import BUILD, HERE, SEARCH_PATH, identity, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOP = HERE / "shop"
DATA = BUILD / "shop" / "data"

GATEWAY, PAYMENTS, ORDERS_OLD, ORDERS_NEW = 14100, 14101, 14102, 14103
CATALOGUE_1, CATALOGUE_2, RECOMMENDER, CONTENT, FULFILMENT, MAILER = 14104, 14105, 14106, 14107, 14108, 14109
REDIS, RABBITMQ, RABBITMQ_DISTRIBUTION, RABBITMQ_NAMES = 14379, 14672, 14673, 14674
AMQP_URL = f"amqp://guest:guest@127.0.0.1:{RABBITMQ}/"

CLOCK_OFFSET_MS = -40
FULFILMENT_RATIO = 0.6


@contextlib.contextmanager
def shop(otelcol: Path, go_bin: Path, python: Path, content_python: Path, output: Path) -> Iterator[None]:
    """Start everything, the Collector first and the gateway last; stop in the opposite order."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        up = lambda name, command, port, **more: stack.enter_context(running(name, command, port=port, **more))  # noqa: E731
        config = HERE / "collector" / "traces.yaml"
        up("collector", [otelcol, "--config", config], 14318, env={"OUTPUT": str(output)})
        up("redis", redis_command(), REDIS)
        stack.enter_context(rabbitmq())
        for name, command, port, env in services(go_bin, python):
            up(name, command, port, env=env)
        content = identity("content-analysis", version="2.1.0", host="content-1", WORKER_PORT=str(CONTENT))
        up("content-analysis", [content_python, "app.py"], CONTENT, cwd=HERE / "content" / "worker", env=content)
        gateway = ["node", "--require", "./tracing.js", "server.js"]
        up("gateway", gateway, GATEWAY, cwd=SHOP / "gateway", env=gateway_variables())
        yield


def services(go_bin: Path, python: Path) -> Iterator[tuple[str, list[str | Path], int, dict[str, str]]]:
    """Give (name, command, port, variables) of the services behind the gateway."""
    payments = identity("payments", version="5.0.0", host="payments-1", LISTEN=f"127.0.0.1:{PAYMENTS}")
    yield "payments", [go_bin / "payments"], PAYMENTS, payments
    for version, host, port in (("1.8.0", "orders-1", ORDERS_OLD), ("1.9.0", "orders-2", ORDERS_NEW)):
        orders = identity("orders", version=version, host=host, LISTEN=f"127.0.0.1:{port}", ORDERS_VERSION=version)
        orders |= {"AMQP_URL": AMQP_URL, "PAYMENTS_URL": f"http://127.0.0.1:{PAYMENTS}"}
        yield f"orders-{version}", [go_bin / "orders"], port, orders
    for host, port, offset in (("catalogue-1", CATALOGUE_1, 0), ("catalogue-2", CATALOGUE_2, CLOCK_OFFSET_MS)):
        catalogue = identity("catalogue", version="4.4.1", host=host, LISTEN=f"127.0.0.1:{port}")
        catalogue |= {"DATABASE": str(DATA / "catalogue.sqlite"), "CLOCK_OFFSET_MS": str(offset)}
        yield host, [python, SHOP / "python" / "catalogue.py"], port, catalogue
    recommender = identity("recommender", version="0.9.2", host="recommender-1", PORT=str(RECOMMENDER))
    recommender |= {"CATALOGUE": f"127.0.0.1:{CATALOGUE_1}"}
    del recommender["OTEL_SEMCONV_STABILITY_OPT_IN"]  # nobody has moved this one to the new names yet
    yield "recommender", [python, SHOP / "python" / "recommender.py"], RECOMMENDER, recommender
    stores = {"REDIS_PORT": str(REDIS), "AMQP_URL": AMQP_URL}
    fulfilment = identity("fulfilment", version="2.0.3", host="warehouse-1", PORT=str(FULFILMENT)) | stores
    fulfilment |= {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(FULFILMENT_RATIO)}
    yield "fulfilment", [python, SHOP / "python" / "fulfilment.py"], FULFILMENT, fulfilment
    mailer = identity("mailer", version="1.1.0", host="warehouse-1", PORT=str(MAILER)) | stores
    mailer |= {"OTEL_TRACES_SAMPLER": "always_on"}
    yield "mailer", [python, SHOP / "python" / "mailer.py"], MAILER, mailer


def gateway_variables() -> dict[str, str]:
    return identity("gateway", version="3.2.0", host="web-1") | {
        "GATEWAY_PORT": str(GATEWAY),
        "REDIS_PORT": str(REDIS),
        "CATALOGUES": f"127.0.0.1:{CATALOGUE_1},127.0.0.1:{CATALOGUE_2}",
        "ORDERS_URL": f"http://127.0.0.1:{ORDERS_OLD}",
        "RECOMMENDER_URL": f"http://127.0.0.1:{RECOMMENDER}",
        "CONTENT_URL": f"http://127.0.0.1:{CONTENT}",
    }


def redis_command() -> list[str]:
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(DATA)]
    return ["redis-server", "--port", str(REDIS), *options]


@contextlib.contextmanager
def rabbitmq() -> Iterator[None]:
    """Run RabbitMQ from Debian's package, with every file below our build folder and every port on loopback."""
    home = DATA / "rabbitmq"
    home.mkdir()
    env = {
        "HOME": str(home),
        "RABBITMQ_NODENAME": "tracelab@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(RABBITMQ),
        "RABBITMQ_DIST_PORT": str(RABBITMQ_DISTRIBUTION),
        "RABBITMQ_MNESIA_BASE": str(home),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(RABBITMQ_NAMES),
    }
    # Not the package's wrapper, which would change to the user of the system's own RabbitMQ.
    server = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    try:
        with running("rabbitmq", [server], port=RABBITMQ, env=env):
            yield
    finally:
        epmd = shutil.which("epmd", path=SEARCH_PATH)
        subprocess.run([epmd, "-kill"], env=os.environ | env, check=False, capture_output=True)
