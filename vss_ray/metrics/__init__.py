"""Counts first, ratios last, so that counts add across workers."""
