# What traces would have taken; each room is imported when it is first used.
from .answering import what_if as what_if
from .optimising import optimise as optimise
from .slack import with_slack as with_slack
from .tracing import retime as retime
