"""What decoded documents hold, none of whose types can be trusted: envelopes, fields, values, times, statuses."""

from __future__ import annotations
