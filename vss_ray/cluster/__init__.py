"""The three stages as Ray Data operators; the only importers of Ray."""
