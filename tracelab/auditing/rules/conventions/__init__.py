"""Rules about the semantic conventions: old and mixed names, attributes at the wrong level, services without name."""
