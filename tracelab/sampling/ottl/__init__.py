"""OTTL, the language of the Collector's conditions, over whole columns of a span frame.

`Conditions` reads conditions as the tail sampler's policy `ottl_condition` takes them, for spans and for span events,
and answers them for every span. The language is that of the Collector 0.165 (OTTL 1.4.1): what it refuses when it
starts is refused when the conditions are read, by a `PolicyError` that points at the place; where it fails on a span,
the answer says so. Conditions only: no statements, and no functions that change spans. Of an older Collector is known
what it does not have (`history.py`), which is refused; what it has is taken to answer as the newest does.

The converters
--------------
Over whole series, where values are of the common kinds:

    `HasPrefix`, `HasSuffix`, `IsBool`, `IsDouble`, `IsInt`, `IsMatch`, `IsRootSpan`, `IsString`, `Len`,
    `Microseconds`, `Milliseconds`, `Nanoseconds`, `UnixMicro`, `UnixMilli`, `UnixNano`, `UnixSeconds`

Once for each combination of values that occurs:

    `Base64Encode`, `Bool`, `Coalesce`, `CommunityID`, `Concat`, `ContainsValue`, `ConvertCase`, `Day`, `Decode`,
    `Double`, `Duration`, `ExtractPatterns`, `FNV`, `Format`, `FormatTime`, `Hex`, `Hour`, `Hours`, `Index`,
    `Int`, `IsEmpty`, `IsInCIDR`, `IsList`, `IsMap`, `IsValidLuhn`, `Keys`, `Log`, `MD5`, `Minute`, `Minutes`,
    `Month`, `Murmur3Hash`, `Murmur3Hash128`, `Nanosecond`, `ParseCSV`, `ParseInt`, `ParseJSON`, `ParseKeyValue`,
    `ParseSeverity`, `ProfileID`, `SHA1`, `SHA256`, `SHA512`, `Second`, `Seconds`, `SliceToMap`, `Sort`, `SpanID`,
    `Split`, `String`, `Substring`, `Time`, `ToCamelCase`, `ToKeyValueString`, `ToLowerCase`, `ToSnakeCase`,
    `ToUpperCase`, `TraceID`, `Trim`, `TrimPrefix`, `TrimSuffix`, `TruncateTime`, `URL`, `Unix`, `Values`,
    `Weekday`, `XXH128`, `XXH3`, `Year`

Unknown: they depend on when the Collector ran, or on chance:

    `Now`, `UUID`, `UUIDv7`

Unknown: they need rules that the Collector was built with:

    `UserAgent`, `ExtractGrokPatterns`

Unknown: they need XPath and a reading of XML as lenient as Go's:

    `ConvertAttributesToElementsXML`, `ConvertTextToElementsXML`, `GetXML`, `InsertXML`, `ParseSimplifiedXML`,
    `ParseXML`, `RemoveXML`

Refused, as the Collector does unless a feature gate is set:

    `All`, `Any`, `Filter`, `Find`, `MapEach`, `MapKeys`, `Reduce`, `When`

What else is unknown
--------------------
Unknown is null, and stays so only where it matters: what is unknown `or` true is true. Unknown are besides:

* what a span frame does not hold: `dropped_..._count`, `schema_url` and all of `otelcol`; ids that are no hexadecimal
  digits of the right length; attributes of events that read like a number, a bool, a list or a map, since only their
  texts are kept;
* the order of maps: `Keys`, `Values` and `ToKeyValueString`, unless they are counted, searched or sorted;
* times without a year, names of months in another language, and what Go writes in a way that is hardly met.

What differs
------------
In a frame ints are doubles in an attribute of which other spans have doubles; a service that is
named `unknown_service` counts as not named; the zone of the machine is taken to be UTC. Regular expressions are Go's,
run by Rust's engine, whose tables of characters are of another version of Unicode.

Limits of our own: 100,000 characters, 60 levels, 100 values in a sum or product; texts are UTF-8.
"""

from __future__ import annotations

from tracelab.sampling.ottl.conditions import Conditions

__all__ = ["Conditions"]
