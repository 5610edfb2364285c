"""Rules about what should not be in traces at all: secrets and personal data."""
