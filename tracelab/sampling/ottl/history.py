"""Which version of the Collector has what of OTTL, where the oldest of them, 0.100, has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.sampling.releases import since

if TYPE_CHECKING:
    from tracelab.sampling.releases import Since

CONVERTERS: Final[dict[str, Since]] = {
    **dict.fromkeys(("Day", "Hex", "Minute", "Month", "URL", "Year"), since(105, 100)),
    **dict.fromkeys(
        ("Decode", "ExtractGrokPatterns", "Format", "MD5", "SHA512", "Sort", "UserAgent"),
        since(110, 105),
    ),
    **dict.fromkeys(
        (
            "ConvertAttributesToElementsXML",
            "ConvertTextToElementsXML",
            "GetXML",
            "InsertXML",
            "ParseSimplifiedXML",
            "RemoveXML",
            "SliceToMap",
            "ToKeyValueString",
        ),
        since(115, 110),
    ),
    **dict.fromkeys(
        ("FormatTime", "Nanosecond", "Second", "ToCamelCase", "ToLowerCase", "ToSnakeCase", "ToUpperCase", "Trim"),
        since(120, 115),
    ),
    **dict.fromkeys(("IsValidLuhn", "Murmur3Hash", "Murmur3Hash128", "Weekday"), since(125, 120)),
    **dict.fromkeys(
        ("ContainsValue", "HasPrefix", "HasSuffix", "Keys", "ParseInt", "ProfileID"),
        since(130, 125),
    ),
    **dict.fromkeys(("Index", "UUIDv7", "Values"), since(135, 130)),
    **dict.fromkeys(("XXH128", "XXH3"), since(140, 135)),
    **dict.fromkeys(("CommunityID", "ParseSeverity", "TrimPrefix", "TrimSuffix"), since(142, 140)),
    **dict.fromkeys(("Base64Encode", "Bool", "IsInCIDR"), since(147, 142)),
    "Coalesce": since(152, 147),
    "IsEmpty": since(157, 152),
    "IsRootSpan": since(110, 100),
}
"""Converters that came later."""

CONTEXTS: Final[dict[str, Since]] = {
    "span": since(130, 120),
    "spanevent": since(130, 120),
    "scope": since(130, 120),
    "otelcol": since(147, 142),
}
"""Names that paths may begin with; `span` is an old one in conditions about its events."""

PATHS: Final[dict[tuple[str, str], Since]] = {
    ("span", "flags"): since(147, 142),
    ("spanevent", "event_index"): since(125, 120),
    ("resource", "schema_url"): since(105, 100),
    ("scope", "schema_url"): since(105, 100),
}
"""Paths that came later, by what they are within."""

ADDED: Final[dict[tuple[str, str], Since]] = {
    ("Substring", "Utf8Safe"): since(157, 152),
    ("Time", "Locale"): since(110, 105),
    ("Time", "Location"): since(105, 100),
}
"""Parameters that came later."""

LEFT_OUT: Final[dict[tuple[str, str], Since]] = {("SliceToMap", "KeyPath"): since(135, 130)}
"""Parameters that had to be given before."""

OPENED: Final[dict[tuple[str, str], Since]] = {
    ("Concat", "Delimiter"): since(140, 135),
    ("Concat", "Vals"): since(161, 157),
    ("Decode", "Encoding"): since(140, 135),
    ("ExtractGrokPatterns", "Pattern"): since(140, 135),
    ("ExtractPatterns", "Pattern"): since(140, 135),
    ("HasPrefix", "Prefix"): since(140, 135),
    ("HasSuffix", "Suffix"): since(140, 135),
    ("IsMatch", "Pattern"): since(140, 135),
    ("ProfileID", "Target"): since(142, 140),
    ("SpanID", "Target"): since(142, 140),
    ("Split", "Delimiter"): since(140, 135),
    ("TraceID", "Target"): since(142, 140),
}
"""Parameters whose arguments had to be written out before: a list with brackets, bytes of ids as `0x01`, or a text."""

COMPUTED_KEYS: Final = since(120, 115)
"""Keys in brackets that are paths, calls or sums."""

MAPS: Final = since(110, 105)
"""Maps that are written out."""

SIGNS: Final = since(147, 142)
"""A sign before a path or a call."""
