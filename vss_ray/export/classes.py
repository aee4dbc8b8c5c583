"""What the numbers in exported masks mean, as a file beside them."""

from __future__ import annotations

import json

from vss_ray.labels.taxonomy import Taxonomy


def classes_json(taxonomy: Taxonomy, offset: int = 0) -> bytes:
    """Name and color of every value in a mask.

    Args:
        taxonomy: The classes.
        offset: What was added to their ids.
    """
    rows = enumerate(zip(taxonomy.classes, taxonomy.colors, strict=True), offset)
    content = {
        "classes": [{"value": value, "name": name, "color": list(color)} for value, (name, color) in rows],
        "void": 0 if offset else taxonomy.void,
    }
    return (json.dumps(content, indent=2) + "\n").encode()
