# What the room answers: imported when it is first used.
