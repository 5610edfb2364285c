"""Rules about the names of spans."""
