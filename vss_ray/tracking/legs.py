"""One way through a video: clip after clip, in one direction, what is known handed on from each to the next.

At every border of clips the tracker is built anew from the state that stands in storage, also where nothing went
wrong: so a leg that was cut off and goes on elsewhere sees the same as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import pyarrow as pa

from vss_ray.clips import Clip
from vss_ray.errors import StorageError, VideoError
from vss_ray.media.backward import decode_backward
from vss_ray.media.decode import decode
from vss_ray.media.limits import Limits
from vss_ray.tracking import checkpoint
from vss_ray.tracking.following import follow, followed_size
from vss_ray.tracking.sightings import to_table
from vss_ray.tracking.store import Store
from vss_ray.tracking.tracker import Tracker

Direction = Literal["forward", "backward"]


@dataclass(frozen=True, kw_only=True)
class Leg:
    """See the module."""

    clips: tuple[Clip, ...]
    """In the order in which they are passed; the first one holds a frame on which an object is known."""
    direction: Direction
    group: int
    """Which of the video's objects: so many are followed together that memory holds them."""
    known: Mapping[int, Mapping[int, bytes]]
    """By number of a frame and id, objects that are known on it; see ``regions.packed``."""
    begun: bool = False
    """Whether the first clip is done, and only the state behind it still needed."""

    @property
    def video_id(self) -> str:
        """Of the video."""
        return self.clips[0].video_id

    @property
    def name(self) -> str:
        """Unique in the video."""
        return f"{self.direction}-{self.group}"

    def rest(self, store: Store) -> Leg | None:
        """What is left of it to do; None: nothing."""
        parts, done = store.parts(self.video_id), store.done()
        for place, clip in enumerate(self.clips):
            if (clip.clip_id, self.name) not in parts and (clip.video_id, clip.clip_id) not in done:
                return self._from(place, store)
        return None

    def _from(self, place: int, store: Store) -> Leg:
        before = self.clips[place - 1].clip_id if place else None
        if before is not None and store.read_state(self.video_id, before, self.name) is None:
            return self
        return replace(self, clips=self.clips[max(0, place - 1) :], begun=place > 0)


@dataclass(frozen=True)
class Passed:
    """A clip of a leg."""

    clip: Clip
    trouble: Exception | None = None
    """Why nothing was seen of it; the objects are looked for behind it."""


class Work(Protocol):
    """What is done with every clip of a leg."""

    def see(self, leg: Leg, clip: Clip, state: bytes | None) -> tuple[bytes, Any]:
        """Follow objects over a clip.

        Args:
            leg: The leg.
            clip: One of its clips.
            state: What is known behind the one before; None: nothing.

        Returns:
            What is known behind this one, and what was seen of it.

        Raises:
            VideoError: The clip cannot be followed through.
            ValueError: The state is none.
        """
        ...

    def keep(self, leg: Leg, clip: Clip, seen: Any, why: str) -> None:
        """Store what was seen of a clip, or why that is None; it is passed then."""
        ...


def travel(
    leg: Leg,
    store: Store,
    work: Work,
    watch: Callable[[Clip], AbstractContextManager[None]],
    deadly: type[Exception] = VideoError,
) -> Iterator[Passed]:
    """Do a leg, clip after clip; what was seen is then in the store.

    Args:
        leg: Or what is left of it.
        store: Of the objects.
        work: What is done with a clip.
        watch: Entered for every clip.
        deadly: What ``watch`` raises where a clip is to be left alone.

    Raises:
        StorageError: The store or the source cannot be read or written; begun again, the leg goes on from there.
    """
    before = leg.clips[0] if leg.begun else None
    for clip in leg.clips[leg.begun :]:
        state = None if before is None else store.read_state(leg.video_id, before.clip_id, leg.name)
        if before is not None and state is None:
            raise StorageError(f"{store.location.root}: the state behind {before.clip_id} is gone; run it again")
        passed, seen = Passed(clip), None
        try:
            with watch(clip):
                state, seen = work.see(leg, clip, state)
        except ValueError as error:
            raise StorageError(f"{store.location.root}: {error}; delete its states and run it again") from error
        except (VideoError, deadly) as error:
            passed = Passed(clip, error)
        store.write_state(leg.video_id, clip.clip_id, leg.name, state or b"")
        work.keep(leg, clip, seen, str(passed.trouble or ""))
        store.drop_states(leg.video_id, leg.name, but=clip.clip_id)
        before = clip
        yield passed
    store.drop_states(leg.video_id, leg.name, but=None)


@dataclass(frozen=True)
class FollowKnown:
    """Objects that are known on some frame, see ``following``."""

    store: Store
    new_tracker: Callable[[], Tracker]
    """Makes one that follows nothing."""
    limits: Limits

    def see(self, leg: Leg, clip: Clip, state: bytes | None) -> tuple[bytes, pa.Table]:
        """See ``Work``."""
        tracker = self.new_tracker()
        if state:
            tracker.resume(checkpoint.from_bytes(state))
        frames = (decode if leg.direction == "forward" else decode_backward)(clip, limits=self.limits)
        seen = follow(tracker, frames, leg.known, followed_size(clip.height, clip.width))
        rows = pa.concat_tables([to_table([]), *map(to_table, seen)])  # packed frame by frame
        return checkpoint.to_bytes(tracker.checkpoint(whole=True)), rows

    def keep(self, leg: Leg, clip: Clip, seen: pa.Table | None, why: str) -> None:
        """See ``Work``."""
        self.store.write_part(leg.video_id, clip.clip_id, leg.name, to_table([]) if seen is None else seen, why)
