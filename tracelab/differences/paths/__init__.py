"""Two cohorts of traces, call path by call path."""
