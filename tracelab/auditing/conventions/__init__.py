"""OpenTelemetry's semantic conventions 1.44.0 as tables: what attributes are called, were called, and who carries them.

The tables hold facts of the conventions (names, levels, conditions), put down here anew; the conventions on generative
AI have moved to a repository of their own, and stand here as they are called in both.
"""
