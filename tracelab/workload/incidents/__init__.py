"""Incidents: two windows of traffic of one made-up system, in the later of which one thing goes wrong."""
