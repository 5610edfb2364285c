"""Random systems: services in several languages, the calls between them, and what a healthy one would export."""
