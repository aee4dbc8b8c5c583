"""Which classes are made of objects that can be told apart and counted."""

from __future__ import annotations

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


def things(taxonomy: Taxonomy) -> frozenset[int]:
    """The classes whose objects can be counted: those that are things in COCO or Cityscapes, by any of their names."""
    names = zip(taxonomy.classes, taxonomy.aliases, strict=True)
    return frozenset(
        index
        for index, (name, aliases) in enumerate(names)
        if THINGS.intersection(each.lower().replace("_", " ") for each in (name, *aliases))
    )
