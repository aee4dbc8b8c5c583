"""A run as somebody else's format."""
