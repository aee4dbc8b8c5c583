"""All that rounds share: a scratch folder, the archive, a cluster of two nodes, an S3 server, a run to compare with."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from tests.chaos import archive, poison
from tests.chaos.arrangements import Alone, TwoNodes
from tests.chaos.plan import CALM, Plan
from tests.chaos.rounds import Course, Round
from tests.chaos.server import BUCKET, Server
from tests.chaos.verdict import Key, Reference
from tests.chaos.watch import Watch
from vss_ray.storage.location import Location

MARK = "VSS_CHAOS"
"""Variable that all processes started here inherit, and that tells them from those of others."""
PROMPT = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""Ray takes 20 s to notice that a node is gone; here there is no network that may be slow."""
GONE_SECONDS = 20.0
"""Orphans notice so late, at most, that they are alone."""


class Workplace:
    """Use it as a context; everything is gone after it, and ``survivors`` says what had to be ended by force."""

    def __enter__(self) -> Workplace:
        with ExitStack() as stack:
            self._work = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="vss-chaos-", ignore_cleanup_errors=True))
            )
            self.watch = Watch(scratch=self._work / "tmp", sessions=self._work / "ray")
            self.watch.scratch.mkdir()
            os.environ |= {MARK: str(os.getpid()), "TMPDIR": str(self.watch.scratch), "RAY_TMPDIR": str(self._work)}
            os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # for the plug-in
            os.environ |= {"RAY_AUTH_MODE": "disabled", **PROMPT}
            stack.callback(self._end_survivors)
            self._server = Server(self._work / "s3")
            stack.callback(self._server.close)
            self._env = {**os.environ, **self._server.env}
            self._nodes = TwoNodes(self._server.env)
            stack.callback(self._nodes.close)
            archive.make(self._work / "archive")
            self._server.wait()
            videos = {name: self._work / "archive" / name for name in archive.VIDEOS}
            Location.open(self._source(on_s3=True)).write_files(videos)
            calm = self._location(CALM)
            self.calm_seconds = self._play(CALM, calm, 0).seconds
            self.reference = Reference.of(calm)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def requests(self) -> int:
        """That failed between those who work and the S3 server."""
        return self._server.struck

    def play(self, plan: Plan) -> tuple[Course, Location]:
        """A round, and the OUT that it made.

        Raises:
            UnfinishedError: It does not come to its end.
        """
        out = self._location(plan)
        self._server.storm(plan.storm, plan.seed)
        try:
            course = self._play(plan, out, len(self.reference.clips) - len(self.poisoned(plan)))
        finally:
            self._server.storm(0.0, plan.seed)
            self._nodes.mend()
        self.watch.look_around()
        return course, out

    def _play(self, plan: Plan, out: Location, planned: int) -> Course:
        where = self._nodes if plan.arrangement == "two nodes" else Alone()
        options = [*archive.OPTIONS]
        for video_id, clip_id in self.poisoned(plan) if plan.poison else ():
            settings = {"name": poison.__name__, "video_id": video_id, "clip_id": clip_id, "stage": plan.poison.stage}
            options += [f"--set=method.{name}={value}" for name, value in settings.items()]
        log = self._work / "vss.log"
        now = Round(plan, where, self._server, self.watch, env=self._env, log=log, options=options)
        return now.play(self._source(on_s3=plan.source == "s3"), out, planned)

    def poisoned(self, plan: Plan) -> list[Key]:
        """The clip that is poisoned, if one is."""
        clips = sorted(self.reference.clips) if plan.poison else []
        return [clips[int(plan.poison.share * len(clips))]] if plan.poison else []

    def _source(self, *, on_s3: bool) -> str:
        return f"s3://{BUCKET}/archive" if on_s3 else str(self._work / "archive")

    def _location(self, plan: Plan) -> Location:
        name = f"out-{plan.number}"
        return Location.open(f"s3://{BUCKET}/{name}" if plan.storage == "s3" else self._work / name)

    def _end_survivors(self) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        while (found := _marked()) and time.monotonic() < deadline:
            time.sleep(0.5)
        self.survivors = [" ".join(process.info["cmdline"] or ()) for process in found]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _marked() -> list[psutil.Process]:
    """Processes with our mark, this one left aside."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(os.getpid()):
                found.append(process)
    return found
