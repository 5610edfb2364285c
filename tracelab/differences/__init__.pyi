# What two sides differ in; each room is imported when it is first used.
from .causes.ranking import root_causes as root_causes
from .comparing import compare as compare
from .paths.diffing import trace_diff as trace_diff
