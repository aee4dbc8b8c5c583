"""The columns of the tables, with their units. Columns may be added; a type never changes under one version."""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1
"""Stands in the metadata of both tables; readers refuse another one."""

VERSION_KEY = b"vss.schema_version"
METADATA = {VERSION_KEY: str(SCHEMA_VERSION).encode()}


def _column(name: str, kind: pa.DataType, unit: str, about: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable, {"unit": unit, "about": about})


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
        _column("audit", pa.string(), "JSON", "counts of the audit; null: not audited", True),
        _column("decoded_frames", pa.int64(), "frame", "decoded to get the clip, warm-up included"),
        _column("size_bytes", pa.int64(), "B", "size of the video file"),
        _column("embedding", pa.list_(pa.float32()), "", "pooled encoder features; null: none kept", True),
    ],
    METADATA,
)
"""One row a clip, sorted by video and start."""


def frames_schema(num_classes: int) -> pa.Schema:
    """One row a frame, sorted by video and frame; ``area`` has one share per class, in taxonomy order."""
    return pa.schema(
        [
            _column("video_id", pa.string(), "", "stable name of the video"),
            _column("clip_id", pa.string(), "", "name of the clip in its video"),
            _column("frame", pa.int64(), "frame", "number in the video, from 0"),
            _column("pts_seconds", pa.float64(), "s", "time from the video's first frame"),
            _column("is_keyframe", pa.bool_(), "", "labels come from this very picture"),
            _column("key_distance", pa.int32(), "picture", "to the nearest keyframe used; 0 on a keyframe"),
            _column("unreliable", pa.float32(), "share", "of pixels whose motion is inconsistent"),
            _column(
                "agreement",
                pa.float32(),
                "share",
                "of pixels, carried labels with the network's; null: not audited",
                True,
            ),
            _column(
                "self_agreement",
                pa.float32(),
                "share",
                "of pixels, network with itself a frame earlier; null: not audited",
                True,
            ),
            _column(
                "area",
                pa.list_(pa.float32(), num_classes),
                "share",
                "of the whole picture per class, in taxonomy order",
            ),
        ],
        METADATA,
    )
