"""Who calls whom: the service graph, the services that matter, and calls that are made again and again."""

from __future__ import annotations
