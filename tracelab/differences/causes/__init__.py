"""What to look at first: the likely causes of why some traces are worse than others."""
