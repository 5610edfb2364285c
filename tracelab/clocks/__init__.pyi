# What the room answers: imported when it is first used.
from .skews import clock_skew as clock_skew
