# What the room answers: imported when it is first used.
from .writing import write as write
