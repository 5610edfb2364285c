"""Every kind of problem that a loader may report."""

from __future__ import annotations

from typing import Final

from tracelab.loaders.report.findings import Problem

# Harmless: another way to write the same thing.
IDS_UPPER: Final = Problem("ids in upper case", "repaired", "Ids were made lower-case.", notable=False)
IDS_BASE64: Final = Problem("ids in base64", "repaired", "Ids were written as hex.", notable=False)
IDS_SHORT: Final = Problem(
    "ids without leading zeros", "repaired", "Ids were padded with zeros to 32 or 16 characters.", notable=False
)
PARENT_ZERO: Final = Problem(
    "all-zero parent ids", "repaired", "Such a span has no parent; its parent_span_id is null.", notable=False
)
ENUMS_NAMED: Final = Problem("kinds or statuses by name", "repaired", "The names were understood.", notable=False)
SNAKE_CASE: Final = Problem("keys in snake_case", "repaired", "They were read like keys in camelCase.", notable=False)
ATTRIBUTE_MAPS: Final = Problem(
    "attributes as a map", "repaired", "Values got the types that they have in the JSON.", notable=False
)
DEPRECATED: Final = Problem(
    "deprecated field names", "repaired", "They were read like their successors.", notable=False
)
IDS_UUID: Final = Problem("ids as UUIDs", "repaired", "Ids were written as hex, without hyphens.", notable=False)
IDS_DECIMAL: Final = Problem("ids as decimal numbers", "repaired", "Ids were written as hex.", notable=False)
FINER_TIMES: Final = Problem(
    "times finer than a nanosecond", "repaired", "They were rounded to whole nanoseconds.", notable=False
)
FULL_FLOATS: Final = Problem(
    "times that fill a floating-point number",
    "kept",
    "They have as many digits as a double can have; if more were written, these are lost, which is less than half a "
    "microsecond.",
    notable=False,
)
REPLACED_SPANS: Final = Problem(
    "spans in progress that were finished later",
    "dropped",
    "They were sent again when they were finished, which replaces what was sent before.",
    notable=False,
)
OTHER_SIGNALS: Final = Problem(
    "logs, metrics or profiles", "skipped", "They stand between the traces and hold no spans.", notable=False
)
OTHER_OBJECTS: Final = Problem(
    "objects beside the spans", "skipped", "They stand where spans stand but are none.", notable=False
)
BULK_ACTIONS: Final = Problem(
    "actions of a bulk file", "skipped", "They tell Elasticsearch what to do with the next line.", notable=False
)
EMPTY_VALUES: Final = Problem(
    "attributes without a value", "dropped", "An empty value says the same as no attribute.", notable=False
)
MIXED_TYPES: Final = Problem(
    "attributes of mixed types",
    "kept",
    "Values of one key have several types: its column holds text, and the companion column <column>:type their types.",
    notable=False,
)
DROPPED_BY_PRODUCER: Final = Problem(
    "dropped by the producer",
    "kept",
    "The SDK that wrote the spans dropped attributes, events or links above its limits. They are not in the input.",
    notable=False,
)
WARNINGS_KEPT: Final = Problem(
    "warnings in the dump", "kept", "They are in the attribute span.jaeger.warnings.", notable=False
)

TRACE_WARNINGS: Final = Problem(
    "warnings about whole traces",
    "dropped",
    "A span frame has no place for them; the example is the first.",
    notable=False,
)

PARTIAL_ROWS: Final = Problem(
    "partial rows of one span", "repaired", "They were put together into one span.", notable=False
)
SHARED_SPANS: Final = Problem(
    "spans that client and server share",
    "repaired",
    "The server's half got an id of its own and became a child of the client's half.",
    notable=False,
)
SPLIT_SPANS: Final = Problem(
    "spans that hold client and server",
    "repaired",
    "Zipkin v1 keeps both halves in one span; they became two, so there are more spans than in the source.",
    notable=False,
)
LOG_WRAPPERS: Final = Problem(
    "lines wrapped by a log",
    "repaired",
    "What a container's runtime, a service or a job put around every line was taken away; lines are counted as they "
    "stand in the log, entries of a log service's answer in the order of time.",
    notable=False,
)
COLOURS: Final = Problem("colour codes of a terminal", "repaired", "They were taken away.", notable=False)
LOG_LINES: Final = Problem(
    "log lines without spans", "skipped", "They stand between the spans and hold none.", notable=False
)

OWN_PARENT: Final = Problem("spans that are their own parents", "repaired", "They have no parent.", notable=False)

KINDS_OF_TYPES: Final = Problem(
    "kinds told from types",
    "guessed",
    "Elastic APM says a span's type only. As Elastic does it: requests are of servers, databases and external calls of "
    "clients, messages of producers and consumers, all else is internal.",
    notable=False,
)

# Repairs that change what was written.
PROCESS_MISSING: Final = Problem(
    "spans without a process", "guessed", "Their service is 'unknown_service': the dump does not name one."
)
STATUS_OF_HTTP: Final = Problem(
    "statuses guessed from status codes of HTTP",
    "guessed",
    "The span has no status of its own; by OpenTelemetry's conventions it is an error from 500 on, for clients and "
    "producers from 400 on.",
)
STATUS_OF_GRPC: Final = Problem(
    "statuses guessed from status codes of gRPC",
    "guessed",
    "The span has no status of its own; by OpenTelemetry's conventions every code but 0 is an error, for servers only "
    "2, 4, 12, 13, 14 and 15.",
)
IDS_NOT_HEX: Final = Problem("ids that are not hex", "kept", "Ids are kept as they are.")
IDS_LONG: Final = Problem("ids that are too long", "kept", "Ids are kept as they are.")
TRACE_ID_HALVES: Final = Problem(
    "spans with half a trace id",
    "guessed",
    "Their trace id is the second half of exactly one other, and spans of the one have parents in the other: they got "
    "the whole id.",
)
TRACE_ID_TAILS: Final = Problem(
    "spans that may have half a trace id",
    "kept",
    "Their trace id is the second half of others, but of several, or no parent of the one is found in the other: they "
    "stay a trace of their own.",
)
TRACE_ID_MISSING: Final = Problem(
    "spans without a trace id",
    "guessed",
    "It is missing, empty or all zeros. Each got one of its own; those that name each other as parents share one.",
)
TRACE_ID_MISSING_ORPHANS: Final = Problem(
    "spans without a trace id whose parent is missing",
    "kept",
    "A parent is looked for in the same trace only, so among spans without a trace id. The parent_span_id is kept.",
)
SPAN_ID_MISSING: Final = Problem(
    "spans without a span id",
    "guessed",
    "It is missing, empty or all zeros. Each got one of its own, in its own trace; no span can name it as its parent.",
)
ENDS_BEFORE_START: Final = Problem("spans that end before they start", "repaired", "Their duration is 0.")
START_MISSING: Final = Problem(
    "spans without a start", "guessed", "They start at their end, or at 1970-01-01 if they have no end either."
)
END_MISSING: Final = Problem("spans without an end", "guessed", "Their duration is 0.")
NAME_MISSING: Final = Problem("spans without a name", "kept", "Their name is empty.")
BAD_TIME: Final = Problem("times that are no times", "dropped", "They were treated as missing.")
INEXACT_TIME: Final = Problem(
    "times as floating-point numbers",
    "guessed",
    "They were rounded to whole numbers and may be off by some hundred ns.",
)
BAD_ENUM: Final = Problem("unknown kinds or statuses", "dropped", "They were read as unspecified or unset.")
BAD_VALUE: Final = Problem(
    "attribute values that do not fit their type", "kept", "They were read as what they look like, or as text."
)
BAD_ATTRIBUTE: Final = Problem("attributes that are none", "dropped", "They have no key, or are no key with a value.")
BAD_FIELD: Final = Problem("fields of the wrong type", "dropped", "They were treated as missing.")
UNKNOWN_COLUMNS: Final = Problem(
    "columns that are not known", "dropped", "The format has no such columns; what they hold is not in the frame."
)
DEDICATED_UNNAMED: Final = Problem(
    "values in dedicated columns without a name",
    "kept",
    "Which attribute a dedicated column holds is said in meta.json beside the block: without it the values are under "
    "tempo.dedicated.<column>. Read the block's folder, with its meta.json in it; unpack it first if it is in "
    "an archive.",
)
TABLES_MISSING: Final = Problem(
    "tables that are not there",
    "skipped",
    "Spans of OTel-Arrow name attributes, events or links in other tables. Read the folder that all of them are in; "
    "unpack it first if it is in an archive, of which every member is read by itself.",
)
ORPHAN_ROWS: Final = Problem(
    "rows whose owner is missing",
    "dropped",
    "Attributes, events or links belong to a span, resource or scope that is not there.",
)
BAD_SPAN: Final = Problem(
    "spans that are none", "skipped", "They are no JSON objects, or have none of a span's fields."
)
ERRORS_ALONE: Final = Problem(
    "errors without their span", "skipped", "The span or the transaction in which they happened is not in the input."
)
RENAMED_KEYS: Final = Problem(
    "attribute keys that no column can have",
    "repaired",
    "An underscore was added to keys that are empty or end in ':type', which names a companion column.",
)
DUPLICATE_KEYS: Final = Problem(
    "keys that a span has twice", "dropped", "The last value counts; if they differ in type, the last of the last type."
)
DUPLICATE_SPANS: Final = Problem(
    "duplicated spans", "dropped", "The same span, with the same content, was already read; one is enough."
)
SHARED_IDS: Final = Problem(
    "spans that share their ids but not their content", "kept", "All are kept: the ids do not name one span."
)
CYCLES: Final = Problem(
    "cycles of parents",
    "repaired",
    "A span cannot be below itself: the one that starts first is taken as the root; its parent_span_id is kept.",
)
SURROGATES: Final = Problem("lone surrogates", "repaired", "They are no characters; each became U+FFFD.")
BAD_UTF8: Final = Problem("bytes that are not UTF-8", "repaired", "Each became U+FFFD.")
UTF16: Final = Problem("text in UTF-16 or UTF-32", "repaired", "It was read as such.")
BAD_JSON: Final = Problem("JSON that cannot be read", "skipped", "Nothing of it is in the frame.")
NO_SPANS_IN_JSON: Final = Problem("JSON that holds no spans", "skipped", "It looks like something else.")
BAD_MESSAGE: Final = Problem("messages that cannot be read", "skipped", "Nothing of them is in the frame.")
TOO_DEEP: Final = Problem("JSON that is nested too deep", "skipped", "Nothing of it is in the frame.")
TOO_LONG: Final = Problem(
    "documents that are too long", "skipped", "One line or object is larger than is read at once."
)
TRUNCATED: Final = Problem(
    "the input ends in the middle", "skipped", "What stands before the break was read. Copy or export the dump again."
)
BAD_SOURCE: Final = Problem("a source that cannot be read", "skipped", "Nothing of it is in the frame.")
BROKEN_OFF: Final = Problem(
    "printed spans that break off",
    "kept",
    "Their text in the log ends in the middle or cannot be understood in places; what can be read is in the frame.",
)
CUT_BY_PRINTING: Final = Problem(
    "values cut short by printing",
    "kept",
    "The console prints `[Array]`, `[Object]` or the beginning instead of a whole value; what was printed is kept.",
)
LINES_JOINED: Final = Problem(
    "lines without a key in printed spans",
    "guessed",
    "They were taken as further lines of the value before them.",
)
EVENT_TIME_MISSING: Final = Problem(
    "events without a time", "guessed", "They are put at the start of their span, or at 1970-01-01 if it has none."
)
EVENT_TIME_AMBIGUOUS: Final = Problem(
    "times of events in a local way to write dates",
    "guessed",
    "Day and month were taken so that the event is nearest to its span. They are whole seconds.",
)
NO_TIMES_PRINTED: Final = Problem(
    "printed spans without times",
    "skipped",
    "Java's LoggingSpanExporter and the Collector's debug exporter below `verbosity: detailed` print no times.",
)
BROKEN_SOURCE: Final = Problem(
    "a source that cannot be read to its end", "skipped", "What was read of it before is in the frame."
)
BROKEN_ARCHIVE: Final = Problem(
    "an archive that cannot be read to its end", "skipped", "The members that could be read are in the frame."
)
PARTIAL: Final = Problem(
    "a trace that the server calls partial", "kept", "Tempo sent what it could; spans are missing from this trace."
)
CUT_TRACES: Final = Problem(
    "traces that are not whole", "kept", "The server left spans of them out, and said so: they were too large."
)
MISSING_TRACES: Final = Problem(
    "traces that the server did not send", "skipped", "The answer names them as asked for but not processed."
)
IDS_FLOAT: Final = Problem(
    "ids as floating-point numbers", "guessed", "A double holds 15 digits of a number for sure: they may be other ids."
)
TIMES_IN_SECONDS: Final = Problem(
    "times taken as seconds", "guessed", "Nanoseconds were expected, but such a number has a fraction and is too small."
)
TIMES_WITHOUT_ZONE: Final = Problem(
    "times without a zone",
    "guessed",
    "They were read as UTC; the writer may have meant its own zone. Differences between them are true.",
    notable=False,
)
LONE_EVENTS: Final = Problem("events of spans that are not there", "dropped", "Their span is not in this input.")

# Recordings of threads, which know no traces.
OTHER_EVENTS: Final = Problem(
    "events that are no slices", "skipped", "Counters, samples, objects and memory dumps are no spans.", notable=False
)
FILE_METADATA: Final = Problem(
    "metadata of the whole file", "dropped", "A span frame has no place for it.", notable=False
)
CLOCK_UNKNOWN: Final = Problem(
    "times without a date",
    "guessed",
    "Nothing says when their clock began: they are counted from 1970, and only differences between them are true.",
    notable=False,
)
CLOCK_OF_1970: Final = Problem(
    "times taken as since 1970",
    "guessed",
    "Nothing says when their clock began, but so they are in this century.",
    notable=False,
)
UNNAMED_PROCESSES: Final = Problem(
    "processes without a name", "guessed", "Their service is named after their number.", notable=False
)
LONE_INSTANTS: Final = Problem(
    "instants outside of slices", "kept", "They are spans without a duration.", notable=False
)
UNENDED_SLICES: Final = Problem(
    "slices that do not end",
    "guessed",
    "They end where a slice around them ends, or else with the last event of their thread.",
)
LOOSE_EVENTS: Final = Problem(
    "ends without a begin, events without a time",
    "dropped",
    "They belong to no slice, often because it began before the recording.",
)
LOOSE_FLOWS: Final = Problem(
    "flows that lead nowhere", "dropped", "One of their ends lies in no slice, or they have only one.", notable=False
)
OVERLAPPING_SLICES: Final = Problem(
    "slices that overlap but do not nest",
    "kept",
    "They have the same parent; slices after that are sought in the later one.",
    notable=False,
)

# Rows of tables, whose columns are known by their names.
TIME_UNITS: Final = Problem(
    "units of times guessed",
    "guessed",
    "The column's name told the unit, or the size of its numbers. Where it is wrong, say it with "
    "columns={'start_time': (column, unit)}.",
    notable=False,
)
DURATION_UNITS: Final = Problem(
    "units of durations guessed",
    "guessed",
    "The column's name told the unit. Where it is wrong, say it with columns={'duration': (column, unit)}.",
    notable=False,
)
DURATION_WITHOUT_UNIT: Final = Problem(
    "durations without a unit",
    "guessed",
    "Nothing in the file says it: it is that of the ends, else that of the tool that has such columns, else that of "
    "the numbers of the start, else the smallest in which most traces last until their last span starts, else "
    "milliseconds; a finer one where most spans would last for hours. Say it with "
    "columns={'duration': (column, unit)}.",
)
DURATIONS_OF_DAYS: Final = Problem(
    "durations of days",
    "kept",
    "In the unit that the column's name says, most spans last for more than a day. If another one is meant, say it "
    "with columns={'duration': (column, unit)}.",
)
DURATION_DISAGREES: Final = Problem(
    "durations that do not fit start and end",
    "kept",
    "The duration is that from start to end; the other one is in an attribute under the column's name.",
)
PARENT_IS_TRACE: Final = Problem(
    "parents that are the trace",
    "repaired",
    "The parent has the id of the trace, and no span has that: such a span has no parent.",
    notable=False,
)
OTHER_WORDS: Final = Problem(
    "kinds or statuses in other words", "kept", "They are in an attribute under the column's name.", notable=False
)
STATUS_OF_ERROR: Final = Problem(
    "statuses guessed from errors",
    "guessed",
    "The column of errors describes one, so the status is error; what it says is in an attribute under its name.",
    notable=False,
)
TYPES_OF_TEXT: Final = Problem(
    "types guessed from text",
    "guessed",
    "Text alone has no types: columns of which all values are numbers, or true and false, became such.",
    notable=False,
)
ROWS_WITHOUT_SPANS: Final = Problem(
    "rows that are no spans", "skipped", "They have neither the id of a span nor a duration or end."
)
LONG_ROWS: Final = Problem(
    "rows with more fields than the header", "kept", "What is too much is in attributes named column_<number>."
)
SHORT_ROWS: Final = Problem("rows with fewer fields than the header", "kept", "What is missing is null.")
BAD_ROWS: Final = Problem("rows that cannot be read", "skipped", "Their quotes do not end.")
BEFORE_HEADER: Final = Problem(
    "lines before the header", "skipped", "They name no columns, so they hold no spans.", notable=False
)
HEADER_AGAIN: Final = Problem(
    "headers between the rows", "skipped", "Such files were put one after another.", notable=False
)
ROW_NUMBERS: Final = Problem(
    "numbers of rows",
    "dropped",
    "The first column has no name and counts the rows, as pandas writes it.",
    notable=False,
)
THOUSANDS: Final = Problem(
    "numbers with commas between thousands", "repaired", "They were read without the commas.", notable=False
)
DAY_OR_MONTH: Final = Problem(
    "dates of which the day or the month may come first",
    "guessed",
    "Nothing in the column decides it, or its dates contradict each other: the month was taken as the first where it "
    "can be one.",
)
COLUMNS_BY_PLACE: Final = Problem(
    "rows without names of columns",
    "guessed",
    "Their columns were taken to be those of the table that OpenTelemetry's exporter makes, in its order. Export them "
    "with names, such as FORMAT JSONEachRow.",
)
DECIMAL_COMMAS: Final = Problem(
    "numbers with decimal commas", "repaired", "They were read as numbers with a decimal point.", notable=False
)

# What servers did not give.
MISSING_TIME: Final = Problem(
    "windows of time that could not be had",
    "skipped",
    "The server did not answer for them, so traces are missing. Fetch that time again.",
)
UNFETCHED_TRACES: Final = Problem(
    "traces that could not be had", "skipped", "The server has them, but did not give them. Fetch them again."
)
PARTIAL_TRACES: Final = Problem(
    "traces of which the server gave a part",
    "kept",
    "It says itself that spans are missing: they are too large for it.",
)
CUT_ANSWERS: Final = Problem(
    "answers that stay cut",
    "skipped",
    "So many traces are in the shortest time that can be asked for that the server does not give all of them.",
)
NOT_SEARCHED: Final = Problem(
    "answers from a part of the data",
    "kept",
    "The server says itself that it did not look at everything, so traces may be missing. Fetch that time again.",
)
INTERRUPTED: Final = Problem(
    "questions that were not asked after an interruption",
    "skipped",
    "Fetching was stopped; what had come until then was kept.",
)
