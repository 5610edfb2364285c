# What the room answers: imported when it is first used.
from .redaction.redacting import redact as redact
from .writing import write as write
