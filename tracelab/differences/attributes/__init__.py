"""Which attribute values, services, operations and call paths set one side apart from the other."""
