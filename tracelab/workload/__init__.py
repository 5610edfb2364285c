"""Made-up systems under load: what `tracelab.synthetic` draws its spans from."""
