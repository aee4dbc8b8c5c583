"""OUT/objects: what is kept while the objects of a video are followed, and what comes of it.

``videos/<video_id>.json`` says with which known masks, weights and rules; when that changes, all that was made of the
video goes. ``states`` hold what is handed from clip to clip, ``parts`` what one direction saw of a clip; both go when
they have served. ``masks`` and ``commits`` are those of ``storage.commit``: a clip is done when its record is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from vss_ray.documents import read_mapping
from vss_ray.errors import StorageError
from vss_ray.storage.commit import MASKS, RECORDS, committed
from vss_ray.storage.location import Location, MissingError
from vss_ray.storage.parquet import bytes_of, table_of

PARTS, STATES, VIDEOS = "parts", "states", "videos"
WHY = b"vss.failure"
"""In the metadata of a part: why there is nothing in it."""


@dataclass(frozen=True)
class Store:
    """See the module."""

    location: Location
    """OUT/objects, or another folder of the same form."""

    def begin(self, video_id: str, described: dict[str, Any]) -> None:
        """Say what is done with a video; what was made of it in another way goes.

        Raises:
            StorageError: The folder cannot be read or written.
        """
        path = f"{VIDEOS}/{video_id}.json"
        content = json.dumps(described, indent=2, sort_keys=True).encode()
        try:
            if self.location.read(path) == content:
                return
        except MissingError:
            pass
        # Records first: a mask without one is nothing, a record without its mask would be a lie.
        for folder in (RECORDS, MASKS, PARTS, STATES):
            for each in self.location.list(f"{folder}/{video_id}"):
                self.location.delete(each)
        self.location.write(path, content)

    def described(self, video_id: str) -> dict[str, Any]:
        """What ``begin`` was told.

        Raises:
            StorageError: It is no such file.
        """
        path = f"{VIDEOS}/{video_id}.json"
        try:
            return read_mapping(self.location.read(path))
        except ValueError as error:
            raise StorageError(f"{self.location.url(path)}: {error}; delete it and run `vss track` again") from error

    def done(self) -> set[tuple[str, str]]:
        """(video_id, clip_id) of the clips that have a record."""
        return committed(self.location)

    def parts(self, video_id: str) -> set[tuple[str, str]]:
        """(clip_id, name of a leg) of the parts that wait."""
        names = (path.rsplit("/", 1)[-1].removesuffix(".parquet") for path in self.location.list(f"{PARTS}/{video_id}"))
        return {(clip_id, leg) for clip_id, _, leg in (name.partition(".") for name in names)}

    def write_part(self, video_id: str, clip_id: str, leg: str, rows: pa.Table, failure: str = "") -> None:
        """Keep what a leg saw of a clip, or why it saw nothing."""
        table = rows.replace_schema_metadata({WHY: failure.encode()})
        self.location.write(_part(video_id, clip_id, leg), bytes_of(table))

    def read_part(self, video_id: str, clip_id: str, leg: str, schema: pa.Schema) -> tuple[pa.Table, str]:
        """What ``write_part`` kept.

        Raises:
            StorageError: There is none, or it is another file.
        """
        path = _part(video_id, clip_id, leg)
        data = self.location.read(path)
        try:
            table = table_of(data, schema)
        except ValueError as error:
            raise StorageError(f"{self.location.url(path)}: {error}; delete it and run `vss track` again") from error
        return table, (table.schema.metadata or {}).get(WHY, b"").decode(errors="replace")

    def drop_parts(self, video_id: str, clip_id: str, legs: list[str]) -> None:
        """When they have served."""
        for leg in legs:
            self.location.delete(_part(video_id, clip_id, leg))

    def write_state(self, video_id: str, clip_id: str, leg: str, state: bytes) -> None:
        """Keep what a leg knows behind a clip."""
        self.location.write(_state(video_id, clip_id, leg), state)

    def read_state(self, video_id: str, clip_id: str, leg: str) -> bytes | None:
        """What ``write_state`` kept."""
        try:
            return self.location.read(_state(video_id, clip_id, leg))
        except MissingError:
            return None

    def drop_states(self, video_id: str, leg: str, but: str | None) -> None:
        """All states of a leg but that behind one clip."""
        kept = None if but is None else _state(video_id, but, leg)
        for path in self.location.list(f"{STATES}/{video_id}"):
            if path != kept and path.endswith(f".{leg}.safetensors"):
                self.location.delete(path)


def _part(video_id: str, clip_id: str, leg: str) -> str:
    return f"{PARTS}/{video_id}/{clip_id}.{leg}.parquet"


def _state(video_id: str, clip_id: str, leg: str) -> str:
    return f"{STATES}/{video_id}/{clip_id}.{leg}.safetensors"
