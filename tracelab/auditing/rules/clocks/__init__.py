"""Rules about time: clocks that differ, and spans and events that lie outside of where they belong."""
