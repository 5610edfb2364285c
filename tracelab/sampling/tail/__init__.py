"""Tail sampling: what the Collector's `tail_sampling` processor would keep, replayed on whole traces."""
