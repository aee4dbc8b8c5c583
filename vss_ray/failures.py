"""What could not be done, as rows of ``failed.parquet``."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

QUARANTINE = ("WorkerDied", "TimedOut")
"""Errors after which a clip or a file is left alone, see ``cluster.attempts``."""

FAILURES = pa.schema(
    [
        ("video_id", pa.string()),
        ("clip_id", pa.string()),  # null: the whole video
        ("source", pa.string()),
        ("stage", pa.string()),
        ("error", pa.string()),
        ("signal", pa.string()),  # null: none is known
        ("message", pa.string()),
        ("attempts", pa.int32()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A clip, or a whole video, that could not be done."""

    video_id: str
    clip_id: str | None
    source: str
    stage: str
    error: str
    message: str
    attempts: int = 1
    signal: str | None = None
    """That ended its worker the last time."""

    @property
    def is_quarantined(self) -> bool:
        """Whether it takes workers with it: left alone until somebody asks for it."""
        return self.error in QUARANTINE
