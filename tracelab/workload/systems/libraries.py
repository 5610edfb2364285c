"""Which instrumentation libraries the spans of a language come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

Scope: TypeAlias = tuple[str, str | None]

_GO: Final = "go.opentelemetry.io/contrib/instrumentation"
_NODE: Final = "@opentelemetry/instrumentation"
_PYTHON: Final = "opentelemetry.instrumentation"
_RUBY: Final = "OpenTelemetry::Instrumentation"


@dataclass(frozen=True, slots=True)
class Language:
    """How an SDK of one language calls itself, its libraries and its exceptions.

    `second_client` is the library below the HTTP client, which sees the same call once more where both are installed.
    """

    name: str
    sdk_version: str
    server: Scope
    client: Scope
    second_client: Scope
    second_server: Scope
    rpc_server: Scope
    rpc_client: Scope
    database: Scope
    queue: Scope
    framework: Scope | None
    exceptions: tuple[tuple[str, str], ...]
    trace: str
    route: str


LANGUAGES: Final = (
    Language(
        "python",
        "1.45.0",
        server=(f"{_PYTHON}.flask", "0.66b0"),
        client=(f"{_PYTHON}.requests", "0.66b0"),
        second_client=(f"{_PYTHON}.urllib3", "0.66b0"),
        second_server=(f"{_PYTHON}.wsgi", "0.66b0"),
        rpc_server=(f"{_PYTHON}.grpc", "0.66b0"),
        rpc_client=(f"{_PYTHON}.grpc", "0.66b0"),
        database=(f"{_PYTHON}.psycopg2", "0.66b0"),
        queue=(f"{_PYTHON}.confluent_kafka", "0.66b0"),
        framework=None,
        exceptions=(("ValueError", "quantity must be positive"), ("KeyError", "'sku'"), ("TimeoutError", "timed out")),
        trace='Traceback (most recent call last):\n  File "/app/{}.py", line 88, in handle\n',
        route="<int:id>",
    ),
    Language(
        "java",
        "1.61.0",
        server=("io.opentelemetry.tomcat-10.0", "2.27.0-alpha"),
        client=("io.opentelemetry.apache-httpclient-5.0", "2.27.0-alpha"),
        second_client=("io.opentelemetry.java-http-client", "2.27.0-alpha"),
        second_server=("io.opentelemetry.servlet-5.0", "2.27.0-alpha"),
        rpc_server=("io.opentelemetry.grpc-1.6", "2.27.0-alpha"),
        rpc_client=("io.opentelemetry.grpc-1.6", "2.27.0-alpha"),
        database=("io.opentelemetry.jdbc", "2.27.0-alpha"),
        queue=("io.opentelemetry.kafka-clients-0.11", "2.27.0-alpha"),
        framework=("io.opentelemetry.spring-webmvc-6.0", "2.27.0-alpha"),
        exceptions=(
            ("java.lang.IllegalStateException", "basket is closed"),
            ("java.lang.NullPointerException", "order is null"),
            ("java.util.concurrent.TimeoutException", "no answer in 250 ms"),
        ),
        trace="\tat com.example.{}.Handler.handle(Handler.java:88)\n",
        route="{id}",
    ),
    Language(
        "nodejs",
        "2.9.0",
        server=(f"{_NODE}-http", "0.220.0"),
        client=(f"{_NODE}-http", "0.220.0"),
        second_client=(f"{_NODE}-undici", "0.24.0"),
        second_server=(f"{_NODE}-fastify", "0.58.0"),
        rpc_server=(f"{_NODE}-grpc", "0.220.0"),
        rpc_client=(f"{_NODE}-grpc", "0.220.0"),
        database=(f"{_NODE}-pg", "0.66.0"),
        queue=(f"{_NODE}-kafkajs", "0.23.0"),
        framework=(f"{_NODE}-express", "0.62.0"),
        exceptions=(("TypeError", "Cannot read properties of undefined"), ("RangeError", "page is out of range")),
        trace="    at handle (/app/{}.js:88:13)\n",
        route=":id",
    ),
    Language(
        "go",
        "1.44.0",
        server=(f"{_GO}/net/http/otelhttp", "0.69.0"),
        client=(f"{_GO}/net/http/otelhttp", "0.69.0"),
        second_client=(f"{_GO}/net/http/httptrace/otelhttptrace", "0.69.0"),
        second_server=(f"{_GO}/github.com/gin-gonic/gin/otelgin", "0.69.0"),
        rpc_server=(f"{_GO}/google.golang.org/grpc/otelgrpc", "0.69.0"),
        rpc_client=(f"{_GO}/google.golang.org/grpc/otelgrpc", "0.69.0"),
        database=("github.com/XSAM/otelsql", "0.42.0"),
        queue=("github.com/twmb/franz-go/plugin/kotel", None),
        framework=None,
        exceptions=(
            ("*errors.errorString", "stock is exhausted"),
            ("context.deadlineExceededError", "context deadline exceeded"),
        ),
        trace="goroutine 77 [running]:\nmain.{}(0xc0001)\n\t/app/main.go:88\n",
        route="{id}",
    ),
    Language(
        "dotnet",
        "1.16.0",
        server=("Microsoft.AspNetCore", None),
        client=("System.Net.Http", None),
        second_client=("OpenTelemetry.Instrumentation.Http", "1.16.0"),
        second_server=("OpenTelemetry.Instrumentation.AspNetCore", "1.16.0"),
        rpc_server=("Microsoft.AspNetCore", None),
        rpc_client=("OpenTelemetry.Instrumentation.GrpcNetClient", "1.16.0-beta.1"),
        database=("Npgsql", "10.0.0"),
        queue=("Confluent.Kafka.Extensions.Diagnostics", "0.5.0"),
        framework=None,
        exceptions=(
            ("System.InvalidOperationException", "Sequence contains no elements"),
            ("System.TimeoutException", "The operation has timed out."),
        ),
        trace="   at Shop.{}.Handle() in /src/Handler.cs:line 88\n",
        route="{id:int}",
    ),
    Language(
        "ruby",
        "1.12.0",
        server=(f"{_RUBY}::Rack", "0.30.0"),
        client=(f"{_RUBY}::Net::HTTP", "0.29.0"),
        second_client=(f"{_RUBY}::Faraday", "0.32.0"),
        second_server=(f"{_RUBY}::Sinatra", "0.29.0"),
        rpc_server=(f"{_RUBY}::Grpc", "0.6.0"),
        rpc_client=(f"{_RUBY}::Grpc", "0.6.0"),
        database=(f"{_RUBY}::PG", "0.36.0"),
        queue=(f"{_RUBY}::RubyKafka", "0.25.0"),
        framework=(f"{_RUBY}::ActionPack", "0.17.0"),
        exceptions=(("ArgumentError", "wrong amount"), ("Net::ReadTimeout", "Net::ReadTimeout")),
        trace="/app/{}.rb:88:in `handle'\n",
        route=":id",
    ),
)
"""The languages that services are written in."""

PROXY: Final[Scope] = ("envoy", "1.36.0")
BROWSER_LOAD: Final[Scope] = (f"{_NODE}-document-load", "0.60.0")
BROWSER_FETCH: Final[Scope] = (f"{_NODE}-fetch", "0.220.0")
