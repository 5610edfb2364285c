# What the room answers: imported when it is first used.
from .correcting import correct_skew as correct_skew
from .skews import clock_skew as clock_skew
