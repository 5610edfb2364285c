"""When latency or error rates stepped, and what came at that moment."""
