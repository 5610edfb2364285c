"""Traces that servers hold: asked window by window, decoded by the loaders, with a report of what could not be had."""
