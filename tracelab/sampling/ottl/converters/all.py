"""All converters, those that can be replayed and those that cannot."""

from __future__ import annotations

from typing import Final

from tracelab.sampling.ottl.converters import (
    addresses,
    collections,
    hashes,
    kinds,
    names,
    parsing,
    printing,
    strings,
    times,
    urls,
    xxhash,
)
from tracelab.sampling.ottl.converters.registry import CONVERTERS as REGISTERED
from tracelab.sampling.ottl.converters.registry import Converter, unreplayable

MODULES: Final = (addresses, collections, hashes, kinds, names, parsing, printing, strings, times, urls, xxhash)
"""Where converters stand, by subject; importing them makes them known."""

_XML: Final = "it needs XPath and a reading of XML as lenient as Go's"


def is_root_span() -> bool:
    """Is answered for whole columns only."""
    raise AssertionError


REGISTERED["IsRootSpan"] = Converter("IsRootSpan", (), is_root_span, only_in="span")
unreplayable("Now", why="it depends on when the Collector ran")
unreplayable("UUID", why="it is random")
unreplayable("UUIDv7", why="it is random and depends on when the Collector ran")
unreplayable(
    "UserAgent", "UserAgent: string", why="it needs the rules for user agents that the Collector was built with"
)
unreplayable(
    "ExtractGrokPatterns",
    "Target: string",
    "Pattern: string",
    "NamedCapturesOnly?: bool!",
    "PatternDefinitions?: texts!",
    why="it needs the patterns that the Collector was built with",
)
unreplayable("ParseXML", "Target: string", why=_XML)
unreplayable("ParseSimplifiedXML", "Target: string", why=_XML)
unreplayable("GetXML", "Target: string", "XPath: text!", why=_XML)
unreplayable("RemoveXML", "Target: string", "XPath: text!", why=_XML)
unreplayable("InsertXML", "Target: string", "XPath: text!", "SubDocument: string", why=_XML)
unreplayable("ConvertAttributesToElementsXML", "Target: string", "XPath?: text!", why=_XML)
unreplayable("ConvertTextToElementsXML", "Target: string", "XPath?: text!", "ElementName?: text!", why=_XML)

CONVERTERS: Final[dict[str, Converter]] = dict(sorted(REGISTERED.items()))
"""Name to converter, in the order of the alphabet."""
