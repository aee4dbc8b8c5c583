"""Taxonomies: class names, colors, synonyms."""
