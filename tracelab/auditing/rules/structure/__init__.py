"""Rules about trees: parents that are missing, roots that are none, spans that should stand between."""
