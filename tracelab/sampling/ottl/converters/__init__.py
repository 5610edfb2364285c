"""The converters of OTTL, one value at a time, with Go's semantics."""
