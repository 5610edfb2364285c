"""Where the ids of traces lead: to a timeline of the page, or to the pages of a tracing server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from tracelab.errors import TracelabError
from tracelab.options import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACE: Final = "{trace_id}"
_EXAMPLE: Final = "Write one such as 'http://jaeger:16686/trace/{trace_id}'."
_SAFE: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Links:
    """Where traces are shown.

    Attributes
    ----------
    drawn
        The traces that have a timeline in the page, in its order.
    trace_url
        The address of a trace in the pages of a server, with `{trace_id}` where the id goes; None if there is none.
    """

    drawn: Sequence[str]
    trace_url: str | None = None

    def trace(self, trace_id: str) -> str | None:
        """Say where the id of a trace in a table leads; None for a trace that is shown nowhere."""
        return self.server(trace_id) or self.timeline(trace_id)

    def timeline(self, trace_id: str) -> str | None:
        """Say where in the page a trace is drawn."""
        return f"#{self.anchor(trace_id)}" if trace_id in self.drawn else None

    def server(self, trace_id: str) -> str | None:
        """Say where the server shows a trace."""
        return self.trace_url and self.trace_url.replace(_PLACE, quote(trace_id, safe=""))

    def anchor(self, trace_id: str) -> str:
        """Name the place of a timeline; ids that are no ids are numbered."""
        return f"trace-{trace_id}" if _SAFE.fullmatch(trace_id) else f"trace.{self.drawn.index(trace_id)}"


def checked_url(trace_url: str | None) -> str | None:
    """Give back the address of traces at a server.

    Raises
    ------
    TracelabError
        It is no address of the web, or does not say where the id of a trace goes.
    """
    if trace_url is None:
        return None
    if not isinstance(trace_url, str):
        raise TracelabError(f"`trace_url` must be an address as text, got {shown(trace_url)}. {_EXAMPLE}")
    address = trace_url.strip()
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host or not address.isprintable() or " " in address:
        raise TracelabError(
            f"`trace_url` must be an address that begins with http:// or https://, got {shown(trace_url)}. {_EXAMPLE}"
        )
    if _PLACE not in address[len(f"{parts.scheme}://{parts.netloc}") :]:
        raise TracelabError(
            f"`trace_url` must say with {_PLACE} where the id of a trace goes, got {shown(trace_url)}. {_EXAMPLE}"
        )
    return address
