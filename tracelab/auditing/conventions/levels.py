"""Which attributes describe a resource and which a span: what stands at the other level stands wrong."""

from __future__ import annotations

from typing import Final

RESOURCE_ONLY: Final = frozenset(
    {
        "service.name",
        "service.namespace",
        "service.instance.id",
        "service.version",
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "telemetry.distro.name",
        "telemetry.distro.version",
        "deployment.environment",
        "deployment.environment.name",
        "host.arch",
        "host.id",
        "host.name",
        "host.type",
        "os.type",
        "os.version",
        "process.runtime.name",
        "process.runtime.version",
    }
)
"""What says who made the telemetry. On a span it contradicts the resource, or repeats it span by span."""

RESOURCE_MOSTLY: Final = frozenset(
    {
        "cloud.account.id",
        "cloud.availability_zone",
        "cloud.platform",
        "cloud.provider",
        "cloud.region",
        "container.id",
        "container.image.name",
        "container.name",
        "k8s.cluster.name",
        "k8s.container.name",
        "k8s.deployment.name",
        "k8s.namespace.name",
        "k8s.node.name",
        "k8s.pod.name",
        "k8s.pod.uid",
    }
)
"""What describes a resource, but may also be what a span is about: a controller's pod, the region that is called."""

SPAN_ONLY: Final = (
    "client.",
    "db.",
    "enduser.",
    "error.type",
    "exception.",
    "graphql.",
    "http.",
    "messaging.",
    "net.peer.",
    "network.peer.",
    "rpc.",
    "url.",
)
"""How attributes begin that tell of one operation: on a resource they are those of all operations, or of the first."""

UNKNOWN_SERVICE: Final = r"^unknown_service($|[:_])"
"""What SDKs call a service that nobody named: with the name of the program behind it, where that is known."""
