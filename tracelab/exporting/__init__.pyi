# What the room answers: imported when it is first used.
from .flattening import flatten as flatten
from .markdown import to_markdown as to_markdown
from .redaction.redacting import redact as redact
from .writing import write as write
