"""Single-image networks behind one call."""
