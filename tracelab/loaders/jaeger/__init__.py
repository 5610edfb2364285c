"""Jaeger in all its JSON: the API and the UI, its storage model, its documents in Elasticsearch."""

from __future__ import annotations
