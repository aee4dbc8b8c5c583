"""64 searches and 32 viewers at once on an OUT that ``vss segment`` writes and whose tables are replaced meanwhile.

Every answer is checked against what had been committed when it was given:

- a hit lies in clips whose records stand, and never outside of what is the answer in the end;
- who asks again never gets less than before: the tables move forward only;
- masks are there, whole, exactly for clips whose records stand; ranges are the bytes of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from tests.load.archive import CLIPS, FRAMES, many_videos
from tests.load.command import answer, started
from tests.load.figures import Figure, exactly
from tests.load.many_clips import OVERRIDES
from vss_ray.cluster.benchmark.alone import alone
from vss_ray.index.build import compact
from vss_ray.index.search import Hit, search
from vss_ray.run import Run
from vss_ray.storage.commit import passes
from vss_ray.storage.location import Location

PART = "crowd"
SEARCHES, VIEWERS = 64, 32
QUERY = "road > 5%"
COMPACT_EVERY = 5.0
PATIENCE = 60.0
"""Seconds that a browser would wait."""

Frames = set[tuple[str, int]]
"""(video_id, frame)."""


@dataclass
class Seen:
    """What all of them met, together."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long each kind of request took."""
    wrong: list[str] = field(default_factory=list)
    """Errors, and answers that are false, in words."""
    answers: list[Frames] = field(default_factory=list)
    """Those that differ, for the check at the end."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, kind: str, ask: Callable[[], object]) -> None:
        """Ask, and note how long it took or what went wrong."""
        began = time.perf_counter()
        try:
            ask()
        except Exception as error:  # whatever it is, it is what this looks for
            with self.lock:
                self.wrong.append(f"{kind}: {type(error).__name__}: {error}")
        with self.lock:
            self.seconds[kind].append(time.perf_counter() - began)


def run(work: Path, videos: int) -> list[Figure]:
    """Begin a run, let the crowd in once the first tables stand, go on until all clips are done."""
    source, out = many_videos(work, videos), work / "out"
    seen, over = Seen(), threading.Event()
    answer("segment", str(source), str(out), *OVERRIDES, "--limit", str(CLIPS))
    run = Run.open(Location.open(out))
    with (work / "segment.log").open("w") as log:
        segmenting = started("segment", str(source), str(out), *OVERRIDES, stdout=log, stderr=log)
    viewing = started("view", str(out), "--port", "0", stdout=subprocess.PIPE)
    address = viewing.stdout.readline().split()[0]
    crowd = [Searcher(run, seen) for _ in range(SEARCHES)]
    crowd += [Viewer(run, source, address, number, seen) for number in range(VIEWERS)]
    threads = [threading.Thread(target=_again_and_again, args=(each, over)) for each in crowd]
    compactions = 0
    try:
        for thread in threads:
            thread.start()
        while segmenting.poll() is None:
            if over.wait(COMPACT_EVERY):
                break
            alone(tables_anew, str(out))
            compactions += 1
    finally:
        over.set()
        for thread in threads:
            thread.join()
        viewing.terminate()
        viewing.wait()
        if segmenting.poll() is None:
            segmenting.terminate()
            segmenting.wait()
    final = frames_of(search(run.location, QUERY, run.taxonomy))
    outside = sum(len(each - final) for each in seen.answers)
    for sentence, count in Counter(seen.wrong).most_common(8):
        print(f"{count} x {sentence}", file=sys.stderr)
    figures = [
        exactly(PART, "vss segment ends with", segmenting.returncode, 0),
        exactly(PART, "clips done", len(passes(run.location)), videos * CLIPS),
        Figure(PART, "compactions meanwhile", compactions, "", at_least=1),
        exactly(PART, "errors and wrong answers", len(seen.wrong), 0),
        exactly(PART, "frames that are no answer in the end", outside, 0),
    ]
    for kind, seconds in sorted(seen.seconds.items()):
        figures.append(Figure(PART, f"{kind}: asked", len(seconds), "times", at_least=1))
        named = [("p50", np.percentile(seconds, 50)), ("p95", np.percentile(seconds, 95)), ("max", max(seconds))]
        figures += [Figure(PART, f"{kind}: {name}", float(value), "s") for name, value in named]
    return figures


def tables_anew(out: str) -> int:
    """Replace the tables, as a command does when it ends."""
    return compact(Location.open(out)).num_clips


def _again_and_again(ask: Callable[[], None], over: threading.Event) -> None:
    while not over.is_set():
        ask()


def frames_of(hits: list[Hit]) -> Frames:
    """The frames that the spans cover."""
    return {(hit.video_id, frame) for hit in hits for frame in range(hit.first_frame, hit.last_frame + 1)}


class Searcher:
    """Asks one question over and over."""

    def __init__(self, run: Run, seen: Seen) -> None:
        self._run, self._seen = run, seen
        self._before: Frames = set()

    def __call__(self) -> None:
        """Once."""
        self._seen.timed("search", self._ask)

    def _ask(self) -> None:
        here = frames_of(search(self._run.location, QUERY, self._run.taxonomy))
        if not self._before <= here:
            raise AssertionError("what was an answer before is none any more")
        if here != self._before:
            done = committed_frames(self._run.location)
            if not here <= done:
                raise AssertionError("a hit lies in clips that are not committed")
            with self._seen.lock:
                self._seen.answers.append(here)
        self._before = here


def committed_frames(location: Location) -> Frames:
    """The frames of all clips whose records stand."""
    spans = ((video, clip.split("-")) for video, clip in passes(location))
    return {(video, frame) for video, (start, stop) in spans for frame in range(int(start), int(stop))}


class Viewer:
    """A browser: page, question, player, table of frames, masks, a range of the file; of one video after another."""

    def __init__(self, run: Run, source: Path, address: str, number: int, seen: Seen) -> None:
        self._run, self._seen, self._next = run, seen, number
        self._client = httpx.Client(base_url=address, timeout=PATIENCE)
        rows = run.manifest_rows()
        self._videos = sorted({(row["video_id"], row["source"]) for row in rows})
        self._clips = {key: [row for row in rows if row["video_id"] == key] for key, _ in self._videos[:VIEWERS]}

    def __call__(self) -> None:
        """One round."""
        self._next = (self._next + 1) % len(self._clips)
        video_id, path = self._videos[self._next]
        clip_id = self._clips[video_id][self._next % CLIPS]["clip_id"]
        for kind, ask in (
            ("page", lambda: self._get("/")),
            ("hits", self._hits),
            ("player", lambda: self._get(f"/video/{video_id}")),
            ("frames table", lambda: self._about(video_id)),
            ("masks", lambda: self._masks(video_id, clip_id)),
            ("range", lambda: self._range(video_id, Path(path))),
        ):
            self._seen.timed(kind, ask)

    def _get(self, path: str, status: int = 200, **options) -> httpx.Response:
        reply = self._client.get(path, **options)
        if reply.status_code != status:
            raise AssertionError(f"{path.split('/')[1] or 'page'} answers {reply.status_code}: {reply.text[:200]}")
        return reply

    def _hits(self) -> None:
        hits = [Hit(**each) for each in self._get("/hits", params={"q": QUERY}).json()["hits"]]
        if not frames_of(hits) <= committed_frames(self._run.location):
            raise AssertionError("the viewer shows hits in clips that are not committed")

    def _about(self, video_id: str) -> None:
        for clip_id, _, _, of_pass in self._get(f"/about/{video_id}").json()["clips"]:
            if of_pass is not None and (video_id, clip_id) not in passes(self._run.location):
                raise AssertionError(f"{video_id}/{clip_id} is shown as done and is not")

    def _masks(self, video_id: str, clip_id: str) -> None:
        was_there = (video_id, clip_id) in passes(self._run.location)
        reply = self._client.get(f"/masks/{video_id}/{clip_id}")
        if reply.status_code == 404 and not was_there:
            return
        if reply.status_code != 200:
            raise AssertionError(f"masks answer {reply.status_code}: {reply.text[:200]}")
        size = int.from_bytes(reply.content[:4], "little")
        if json.loads(reply.content[4 : 4 + size])["frames"] != FRAMES:
            raise AssertionError(f"the masks of {video_id}/{clip_id} are not {FRAMES} frames")

    def _range(self, video_id: str, path: Path) -> None:
        reply = self._get(f"/source/{video_id}", 206, headers={"Range": "bytes=100-299"})
        if reply.content != path.read_bytes()[100:300]:
            raise AssertionError(f"{video_id}: a range is not what the file holds there")
