# What two sides differ in; each room is imported when it is first used.
from .changes.detecting import change_points as change_points
from .comparing import compare as compare
from .paths.diffing import trace_diff as trace_diff
