"""The columns of the tables, with their units. Columns may be added; a type never changes under one version.

A commit record holds the rows of ``record_schema``: those of ``frames_schema``, and an embedding on keyframes. What
compaction writes is ``stored_schema``: there every number of a frame has a column of its own, so that a question about
one class reads that class alone; ``area``, which other programs read, is there as the list, too. The view ``frames``
shows all as lists again, as ``frames_schema`` has them.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 3
"""Stands in the metadata of all tables; readers refuse another one."""

VERSION_KEY = b"vss.schema_version"
BUILD_KEY = b"vss.build"
"""Digest of the records that a table was made from; tables with different ones do not belong together."""

METADATA = {VERSION_KEY: str(SCHEMA_VERSION).encode()}

CELLS = 9
"""Of a picture: three rows of three; cell = row * 3 + column."""

FULL = "full"
"""``pass`` of a row that all stages made; the other one is ``coarse``."""


def _column(name: str, kind: pa.DataType, unit: str, about: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable, {"unit": unit, "about": about})


_PASS = _column("pass", pa.string(), "", "which pass made the row: full or coarse")
_AGREEMENTS = [
    _column(
        "agreement", pa.float32(), "share", "of pixels, carried labels with the network's; null: not audited", True
    ),
    _column(
        "self_agreement",
        pa.float32(),
        "share",
        "of pixels, network with itself a frame earlier; null: not audited",
        True,
    ),
]

CLIPS = pa.schema(
    [
        _column("video_id", pa.string(), "", "stable name of the video"),
        _column("clip_id", pa.string(), "", "name of the clip in its video"),
        _column("source", pa.string(), "", "path or URL of the video file"),
        _column("start", pa.int64(), "frame", "first frame of the clip"),
        _column("stop", pa.int64(), "frame", "frame after the last"),
        _column("start_seconds", pa.float64(), "s", "time of the first frame from the video's first frame"),
        _column("stop_seconds", pa.float64(), "s", "time of the frame after the last, or the end of the video"),
        _column("width", pa.int32(), "px", "of the upright picture and of the masks"),
        _column("height", pa.int32(), "px", "of the upright picture and of the masks"),
        _column("num_frames", pa.int64(), "frame", "in the mask file"),
        _column("num_keyframes", pa.int32(), "picture", "whose labels were carried to the others"),
        _column("num_network", pa.int32(), "frame", "on which the network ran: keyframes and audited frames"),
        _column("mask_path", pa.string(), "", "label video, relative to OUT"),
        _column("mask_bytes", pa.int64(), "B", "size of the label video"),
        _column("mask_sha256", pa.string(), "", "of the label video, hexadecimal"),
        _column("prepare_seconds", pa.float64(), "CPU s", "decoding, motion, choice of keyframes"),
        _column("infer_seconds", pa.float64(), "CPU s", "networks"),
        _column("finish_seconds", pa.float64(), "CPU s", "propagation, labels, encoding, counting"),
        _column("prepared_bytes", pa.int64(), "B", "sent from the first stage to the second"),
        _column("inferred_bytes", pa.int64(), "B", "sent from the second stage to the third"),
        _column("peak_memory_bytes", pa.int64(), "B", "most memory of a stage's process while it had the clip"),
        *_AGREEMENTS,
        _column("audit", pa.string(), "JSON", "counts of the audit; null: not audited", True),
        _column("decoded_frames", pa.int64(), "frame", "decoded to get the clip, warm-up included"),
        _column("size_bytes", pa.int64(), "B", "size of the video file"),
        _column(
            "embedding", pa.list_(pa.float32()), "", "mean of its keyframes' embeddings, length 1; null: none", True
        ),
        _PASS,
        _column("damaged", pa.string(), "", "what is wrong with the video file in this clip; null: nothing", True),
        _column("interlaced", pa.bool_(), "", "some frames are two fields; they are labeled as they are"),
        _column("sample_aspect_ratio", pa.string(), "", "width to height of a pixel, as 4:3; null: not stated", True),
        _column("stream_index", pa.int32(), "", "which stream of the file this is"),
        _column("num_video_streams", pa.int32(), "", "how many the file has, cover art not among them"),
        _column("least", pa.list_(pa.float32()), "share", "smallest area of each class over the clip's frames"),
        _column("peak", pa.list_(pa.float32()), "share", "largest area of each class over the clip's frames"),
        _column("most_objects", pa.list_(pa.uint16()), "object", "most objects of each class in one of the frames"),
    ],
    METADATA,
)
"""One row a clip, sorted by video and start."""


_FRAME = [
    _column("video_id", pa.string(), "", "stable name of the video"),
    _column("clip_id", pa.string(), "", "name of the clip in its video"),
    _column("frame", pa.int64(), "frame", "number in the video, from 0"),
    _column("pts_seconds", pa.float64(), "s", "time from the video's first frame"),
    _column("is_keyframe", pa.bool_(), "", "labels come from this very picture"),
    _column("key_distance", pa.int32(), "picture", "to the nearest keyframe used; 0 on a keyframe"),
    _column("unreliable", pa.float32(), "share", "of pixels whose motion is inconsistent"),
    *_AGREEMENTS,
    _PASS,
]
_TIMES = [
    _column("lasts", pa.float64(), "s", "how long, most often until the next one begins; see index.times"),
    _column("place", pa.int64(), "", "ascending in the table; one more than the row before if no frame is missing"),
]
_AREA = ("share", "of the whole picture per class")
_GRID = ("1/255", "share of each cell of a 3x3 grid per class, rounded up: 0 means none")
_OBJECTS = ("object", "connected regions of the class of at least 0.05 % of the picture")


def frames_schema(num_classes: int) -> pa.Schema:
    """One row a frame, sorted by video and frame.

    ``area`` and ``objects`` have one value per class in taxonomy order, ``grid`` one per cell and class, at
    ``(row * 3 + column) * num_classes + class``.
    """
    lists = [
        _areas(num_classes),
        _column("grid", pa.list_(pa.uint8(), CELLS * num_classes), *_GRID),
        _column("objects", pa.list_(pa.uint16(), num_classes), *_OBJECTS),
    ]
    return pa.schema([*_FRAME, *lists], METADATA)


def _areas(num_classes: int) -> pa.Field:
    return _column("area", pa.list_(pa.float32(), num_classes), *_AREA)


def record_schema(num_classes: int) -> pa.Schema:
    """The rows of a commit record."""
    embedding = _column("embedding", pa.list_(pa.float16()), "", "see keyframes_schema; null: none", True)
    return frames_schema(num_classes).append(embedding)


def keyframes_schema(size: int) -> pa.Schema:
    """One row a keyframe whose network gave an embedding, sorted by video and frame."""
    return pa.schema(
        [
            *_FRAME[:4],
            _column("embedding", pa.list_(pa.float16(), size), "", "mean over the picture of deep features, length 1"),
        ],
        METADATA,
    )


def stored_schema(num_classes: int) -> pa.Schema:
    """The frames table as it is stored: ``area_3``, ``objects_3`` of class 3, ``grid_4_3`` of it in the middle cell."""
    classes = range(num_classes)
    return pa.schema(
        [
            *_FRAME,
            *_TIMES,
            _areas(num_classes),
            *(_column(f"area_{i}", pa.float32(), *_AREA) for i in classes),
            *(_column(f"objects_{i}", pa.uint16(), *_OBJECTS) for i in classes),
            *(_column(f"grid_{cell}_{i}", pa.uint8(), *_GRID) for cell in range(CELLS) for i in classes),
        ],
        METADATA,
    )


_POSITION = [
    _column("track", pa.int32(), "", "the object: 1 to 1000 where somebody pointed at it, more where it was found"),
    _column("class_name", pa.string(), "", "its class; null: not known", True),
    _column("left", pa.int32(), "px", "of the box around what is seen of it; null: nothing is", True),
    _column("top", pa.int32(), "px", "of the same", True),
    _column("right", pa.int32(), "px", "of the same, outside", True),
    _column("bottom", pa.int32(), "px", "of the same, outside", True),
    _column("x", pa.float32(), "share", "center of mass, of the width; null: nothing is seen", True),
    _column("y", pa.float32(), "share", "the same, of the height", True),
    _column("area", pa.float32(), "share", "of the picture"),
    _column("score", pa.float32(), "", "how sure it is that this is the object, about 0 to 1"),
    _column("state", pa.string(), "", "tracked, occluded (away for moments), lost, or found (the first frame after)"),
]

TRACK_RECORD = pa.schema([*_FRAME[:4], pa.field("tracks", pa.list_(pa.struct(_POSITION)), False)])
"""Frame rows of a commit record of objects: every object of the video on every frame."""

TRACKS = pa.schema([*_FRAME[:4], *_POSITION], METADATA)
"""One row for every object and frame, sorted by video, frame and object."""
