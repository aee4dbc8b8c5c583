"""What the numbers in exported masks mean, as a file beside them."""

from __future__ import annotations

import json

from vss_ray.labels.taxonomy import Taxonomy

# COCO's 80 things, and those of Cityscapes that are not among them.
# fmt: off
THINGS = frozenset({
    "airplane", "apple", "backpack", "banana", "baseball bat", "baseball glove", "bear", "bed", "bench", "bicycle",
    "bird", "boat", "book", "bottle", "bowl", "broccoli", "bus", "cake", "car", "carrot", "cat", "cell phone", "chair",
    "clock", "couch", "cow", "cup", "dining table", "dog", "donut", "elephant", "fire hydrant", "fork", "frisbee",
    "giraffe", "hair drier", "handbag", "horse", "hot dog", "keyboard", "kite", "knife", "laptop", "microwave",
    "motorcycle", "mouse", "orange", "oven", "parking meter", "person", "pizza", "potted plant", "refrigerator",
    "remote", "sandwich", "scissors", "sheep", "sink", "skateboard", "skis", "snowboard", "spoon", "sports ball",
    "stop sign", "suitcase", "surfboard", "teddy bear", "tennis racket", "tie", "toaster", "toilet", "toothbrush",
    "traffic light", "train", "truck", "tv", "umbrella", "vase", "wine glass", "zebra",
    "caravan", "rider", "trailer",
})
# fmt: on


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


def things(taxonomy: Taxonomy) -> frozenset[int]:
    """The classes whose objects can be counted: those that are things in COCO or Cityscapes, by any of their names."""
    names = zip(taxonomy.classes, taxonomy.aliases, strict=True)
    return frozenset(
        index
        for index, (name, aliases) in enumerate(names)
        if THINGS.intersection(each.lower().replace("_", " ") for each in (name, *aliases))
    )
