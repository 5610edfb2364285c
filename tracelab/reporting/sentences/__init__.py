"""Findings in sentences: one file per subject."""
