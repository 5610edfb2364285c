"""Rules about failures: spans whose status, codes, exceptions and `error.type` contradict each other."""
