"""Labelled footage and its layouts."""
