# What two sides differ in; each room is imported when it is first used.
from .attributes.comparing import compare as compare
from .causes.ranking import root_causes as root_causes
from .changes.detecting import change_points as change_points
from .paths.diffing import trace_diff as trace_diff
