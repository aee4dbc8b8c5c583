"""Losses, views, recipes and the one training loop."""
