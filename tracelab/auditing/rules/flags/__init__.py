"""Rules about sampling flags and thresholds."""
