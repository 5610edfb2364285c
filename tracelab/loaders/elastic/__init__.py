"""Elastic APM: transactions and spans as Elasticsearch holds them, and as agents send them."""

from __future__ import annotations
