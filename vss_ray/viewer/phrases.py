"""Words of the query language as the search box offers them, each with what it is for."""

from __future__ import annotations

PHRASES = (
    ("and", "both"),
    ("or", "either"),
    ("not", "the opposite"),
    ("for 2s", "shortest span"),
    ("gap 1s", "longest hole inside a span"),
    ("in left half", "part of the picture"),
    ("in right half", "part of the picture"),
    ("in top third", "part of the picture"),
    ("in bottom 30%", "part of the picture"),
    ("in center 50%", "part of the picture"),
    ('in "*.mp4"', "only these videos"),
    ("after 1:30", "from this time of the video on"),
    ("before 60s", "up to this time of the video"),
    ("enters frame", "the moment it appears"),
    ("leaves frame", "the moment it is gone"),
    ("sort by peak desc", "largest share first"),
    ("sort by duration desc", "longest span first"),
    ("sort by confidence desc", "surest first"),
)
"""What may follow a condition; each stands behind ``CLASS`` as it is."""

OPENINGS = (("count(", "number of objects"), ("changes in", "by how much within a second"))
"""What stands in front of a class."""
