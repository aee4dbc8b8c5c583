"""What came of a round, held against a run that nobody disturbed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa

from vss_ray.errors import StorageError
from vss_ray.index.tables import PATHS
from vss_ray.run import FAILED, MANIFEST, RUN
from vss_ray.storage.commit import MASKS, RECORDS, committed, read_record
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import table_of

Key = tuple[str, str]
"""(video_id, clip_id)"""


@dataclass(frozen=True)
class Reference:
    """What the undisturbed run made."""

    clips: dict[Key, str]
    """SHA-256 of the masks of all planned clips."""
    frames: pa.Table
    """The table of frames; what each says of the frames beside it is left out, for those may have been poisoned."""

    @classmethod
    def of(cls, location: Location) -> Reference:
        """Of an OUT."""
        planned = _keys(location, MANIFEST)
        masks = {key: _sha256(location, read_record(location, *key)[0]["mask_path"]) for key in planned}
        return cls(masks, _frames(location))


@dataclass(frozen=True)
class Verdict:
    """All but ``done`` must be empty."""

    done: set[Key]
    """Clips that are committed and right."""
    lost: set[Key]
    """Planned, and without a commit record or a row in the tables; or failed."""
    doubled: set[Key]
    """Twice in a table, or a frame of it is, or committed without having been planned."""
    differing: set[Key]
    """Other mask, other rows, or a record that tells another SHA-256 than that of the file."""
    strays: list[str]
    """Files that a reader of OUT sees and that belong to no clip."""

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.differing or self.strays)

    def __str__(self) -> str:
        bad = {name: sorted(getattr(self, name)) for name in ("lost", "doubled", "differing", "strays")}
        return f"{len(self.done)} clips" + "".join(f", {name} {what}" for name, what in bad.items() if what)


def judge(location: Location, reference: Reference, poisoned: Collection[Key] = ()) -> Verdict:
    """Compare a finished OUT with the reference.

    Args:
        location: OUT.
        reference: What it should hold.
        poisoned: Clips that must have failed, and must be nowhere but in failed.parquet.
    """
    wanted = reference.clips.keys() - set(poisoned)
    records = committed(location)
    clips = _keys(location, PATHS["clips"])
    frames = _frames(location)
    failed = set(_keys(location, FAILED))
    lost = (wanted - records) | (wanted - set(clips)) | (wanted & failed) | (set(poisoned) - failed)
    doubled = {key for key, count in Counter(clips).items() if count > 1} | _repeated(frames) | (records - wanted)
    differing = _other_frames(frames, reference.frames, wanted)
    named = {RUN, MANIFEST, FAILED, *PATHS.values()}
    for key in wanted & records:
        try:
            row, _ = read_record(location, *key)
            digest = _sha256(location, row["mask_path"])
        except StorageError:
            differing.add(key)
            continue
        named |= {row["mask_path"], f"{RECORDS}/{key[0]}/{key[1]}.parquet"}
        if not digest == row["mask_sha256"] == reference.clips[key]:
            differing.add(key)
    strays = [path for path in location.list() if path not in named and not _of(path, poisoned)]
    return Verdict(wanted - lost - doubled - differing, lost, doubled, differing, strays)


def _keys(location: Location, path: str) -> list[Key]:
    return [(row["video_id"], row["clip_id"]) for row in table_of(location.read(path)).to_pylist()]


def _frames(location: Location) -> pa.Table:
    return table_of(location.read(PATHS["frames"])).drop_columns(["lasts", "place"])


def _repeated(frames: pa.Table) -> set[Key]:
    seen = Counter(zip(frames["video_id"].to_pylist(), frames["frame"].to_pylist(), strict=True))
    twice = {frame for frame, count in seen.items() if count > 1}
    columns = (frames[name].to_pylist() for name in ("video_id", "clip_id", "frame"))
    return {(video, clip) for video, clip, frame in zip(*columns, strict=True) if (video, frame) in twice}


def _other_frames(frames: pa.Table, reference: pa.Table, wanted: Collection[Key]) -> set[Key]:
    """Clips whose rows are not those of the reference."""
    if frames.equals(reference):
        return set()
    ours, theirs = _by_clip(frames), _by_clip(reference)
    return {key for key in wanted if ours.get(key) != theirs.get(key)}


def _by_clip(frames: pa.Table) -> dict[Key, list[dict]]:
    rows: dict[Key, list[dict]] = {}
    for row in frames.to_pylist():
        rows.setdefault((row["video_id"], row["clip_id"]), []).append(row)
    return rows


def _of(path: str, poisoned: Collection[Key]) -> bool:
    """A mask without a record: its clip died between the two, and is not done."""
    return any(path.startswith(f"{MASKS}/{video}/{clip}.") for video, clip in poisoned)


def _sha256(location: Location, path: str) -> str:
    return hashlib.sha256(location.read(path)).hexdigest()
