"""Rules about the ids of traces and spans: valid, unique, and random."""
