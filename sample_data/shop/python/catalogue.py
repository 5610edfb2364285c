"""The catalogue: a gRPC server over SQLite. Its listing asks the database once for every product (N+1)."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import threading
from concurrent import futures
from pathlib import Path

import telemetry

sys.path.insert(0, str(Path(__file__).parent.parent / "proto"))
provider = telemetry.start()

import grpc  # noqa: E402 - instrumented below, before anything is made with it
from opentelemetry.instrumentation.grpc import GrpcInstrumentorServer  # noqa: E402
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor  # noqa: E402

GrpcInstrumentorServer().instrument()

DATABASE = os.environ["DATABASE"]
CATEGORIES = ("books", "garden", "toys", "music", "kitchen", "bicycles")
PRODUCTS = 80
DAYS = 240

messages, services = grpc.protos_and_services("catalogue.proto")
per_thread = threading.local()


def fill_database() -> None:
    """Make products and their daily prices, the same ones in every run."""
    rng = random.Random(80)
    with sqlite3.connect(DATABASE) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, category TEXT, stock INTEGER)")
        # No index on product_id: every look at a price reads the whole table.
        database.execute("CREATE TABLE prices (product_id INTEGER, day INTEGER, cents INTEGER)")
        for number in range(1, PRODUCTS + 1):
            category = CATEGORIES[number % len(CATEGORIES)]
            database.execute(
                "INSERT INTO products VALUES (?, ?, ?, 100000)", (number, f"{category} no. {number}", category)
            )
            prices = [(number, day, rng.randrange(200, 20_000)) for day in range(DAYS)]
            database.executemany("INSERT INTO prices VALUES (?, ?, ?)", prices)


def query(statement: str, *values: object) -> list[tuple]:
    if not hasattr(per_thread, "database"):
        per_thread.database = sqlite3.connect(DATABASE, timeout=10)
    cursor = per_thread.database.cursor()
    try:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
        per_thread.database.commit()
        return rows
    finally:
        cursor.close()


def with_price(number: int, name: str, category: str):
    latest = "SELECT cents FROM prices WHERE product_id = ? ORDER BY day DESC LIMIT 1"
    return messages.Product(id=number, name=name, category=category, cents=query(latest, number)[0][0])


class Catalogue(services.CatalogueServicer):
    def ListProducts(self, request, _context):  # noqa: N802 - gRPC's spelling
        rows = query("SELECT id, name, category FROM products WHERE category = ?", request.category)
        return messages.ProductList(products=[with_price(*row) for row in rows])

    def GetProduct(self, request, context):  # noqa: N802
        rows = query("SELECT id, name, category FROM products WHERE id = ?", request.id)
        if not rows:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no product {request.id}")
        return with_price(*rows[0])

    def Reserve(self, request, _context):  # noqa: N802
        query("UPDATE products SET stock = stock - ? WHERE id = ?", request.quantity, request.id)
        left = query("SELECT stock FROM products WHERE id = ?", request.id)
        return messages.Reservation(left=left[0][0])


def main() -> None:
    if not Path(DATABASE).exists():
        fill_database()
    SQLite3Instrumentor().instrument()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    services.add_CatalogueServicer_to_server(Catalogue(), server)
    server.add_insecure_port(os.environ["LISTEN"])
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=2))
    server.wait_for_termination()
    provider.shutdown()


if __name__ == "__main__":
    main()
