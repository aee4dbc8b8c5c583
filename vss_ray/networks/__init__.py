"""Pure torch modules; no weights, no files."""
