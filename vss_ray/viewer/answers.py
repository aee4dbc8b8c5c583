"""The answers: each reads from OUT, or from a source that the manifest names, never from a path that it is given."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from vss_ray.errors import QueryError, StorageError, VideoError
from vss_ray.index.query import KEYWORDS
from vss_ray.index.search import search
from vss_ray.index.similar import similar
from vss_ray.index.tables import TRACKS_PATH
from vss_ray.run import Run
from vss_ray.viewer import sources
from vss_ray.viewer.archive import Archives
from vss_ray.viewer.boxes import boxes, objects
from vss_ray.viewer.entries import VideoEntry
from vss_ray.viewer.maskpack import mask_pack
from vss_ray.viewer.pages import environment
from vss_ray.viewer.parameters import number_of, seconds_of, status_of
from vss_ray.viewer.phrases import OPENINGS, PHRASES
from vss_ray.viewer.pictures import jpeg, picture, thumbnail
from vss_ray.viewer.remembered import Remembered
from vss_ray.viewer.watch import describe

ROWS = 24
"""Videos of a list that are sent at once."""
STRIP_COLUMNS = 720
"""Of the player's strips."""
HITS, MOST_HITS, MOMENTS = 60, 2000, 12
SEARCH_SECONDS = 60.0
"""Two searches run at a time: one that does not end would be in the way of everybody."""
THUMBNAIL_WIDTH, STILL_WIDTH = 320, 960
PICTURE_BYTES, PACK_BYTES, ANSWER_BYTES = 64 * 2**20, 128 * 2**20, 32 * 2**20
"""What is remembered at most."""


class Viewer:
    """The answers, and what is kept between them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._archives = Archives(run)
        self._archives.now()
        self._pages = environment()
        at_once = max(2, os.cpu_count() or 1)
        self._pictures = Remembered(PICTURE_BYTES, at_once)
        self._packs = Remembered(PACK_BYTES, at_once)
        self._answers = Remembered(ANSWER_BYTES, 2)

    def archive(self, request: Request) -> Response:
        """The list of videos; with ``q`` the spans that answer it."""
        query = request.query_params.get("q", "").strip()
        if query:
            return self._results(request, query)
        archive = self._archives.now()
        return self._page("archive.html", total=len(archive.videos), **self._rows("", 0))

    def rows(self, request: Request) -> Response:
        """Some rows of the list, as markup: ``name`` filters, ``first`` is the number of the first one."""
        first = number_of(request.query_params, "first", 0, 0, 10**9)
        return self._page("rows.html", **self._rows(request.query_params.get("name", ""), first))

    def _rows(self, name: str, first: int) -> dict[str, Any]:
        wanted = name.strip().casefold()
        archive = self._archives.now()
        found = [video for video in archive.videos if wanted in video.name.casefold()] if wanted else archive.videos
        videos = found[first : first + ROWS]
        drawn = archive.timelines(videos)
        return {"videos": videos, "timelines": drawn, "first": first, "num_found": len(found), "rows": ROWS}

    def _results(self, request: Request, query: str) -> Response:
        most = number_of(request.query_params, "n", HITS, 1, MOST_HITS)
        try:
            hits, problem, status = self._search(query, most + 1), None, 200
        except QueryError as error:
            hits, problem, status = [], str(error), 400
        videos = self._archives.now().by_id
        hits = [hit for hit in hits if hit["video_id"] in videos]
        return self._page(
            "results.html",
            status,
            query=query,
            hits=hits[:most],
            videos=videos,
            more=most + HITS if len(hits) > most else None,
            problem=problem,
        )

    def hits(self, request: Request) -> Response:
        """The same spans as JSON, for going from one to the next."""
        most = number_of(request.query_params, "n", MOST_HITS, 1, MOST_HITS)
        return JSONResponse({"hits": self._search(request.query_params.get("q", ""), most)})

    def _search(self, query: str, limit: int) -> list[dict[str, Any]]:
        """Spans by ``Hit.to_dict``; the same question over the same tables is asked once."""
        run, archive = self._run, self._archives.now()

        def answer() -> bytes:
            hits = search(run.location, query, run.taxonomy, limit, SEARCH_SECONDS)
            return json.dumps([hit.to_dict() for hit in hits]).encode()

        return json.loads(self._answers.get((archive.version, query, limit), answer))

    def words(self, request: Request) -> Response:
        """What a query is made of."""
        taxonomy = self._run.taxonomy
        rows = zip(taxonomy.classes, taxonomy.colors, taxonomy.aliases, strict=True)
        classes = [{"name": name, "color": list(color), "aliases": list(aliases)} for name, color, aliases in rows]
        answer = {"classes": classes, "phrases": PHRASES, "openings": OPENINGS, "keywords": sorted(KEYWORDS)}
        return JSONResponse(answer)

    def player(self, request: Request) -> Response:
        """One video."""
        video, origin = self._video(request), 0.0
        try:
            played = sources.playability(video.source, video.size_bytes)
            origin = self._archives.now().clip_at(video, 0.0).origin_pts * played.time_base
            reason, is_changed = played.reason, sources.size(video.source) != video.size_bytes
        except (StorageError, VideoError) as error:
            reason, is_changed = str(error), False
        return self._page(
            "player.html",
            video=video,
            query=request.query_params.get("q", "").strip(),
            reason=reason,
            origin=origin,
            is_changed=is_changed,
            has_similar=self._archives.now().has_embeddings,
            has_objects=self._run.location.exists(TRACKS_PATH),
        )

    def about(self, request: Request) -> Response:
        """Clips, keyframes and timeline of a video, as JSON."""
        video = self._video(request)
        clips = self._archives.now().clips(video)
        followed = objects(self._run, video.video_id)
        return JSONResponse({**describe(self._run, video, clips, STRIP_COLUMNS), "objects": followed})

    def boxes(self, request: Request) -> Response:
        """Where objects are on the frames of a clip, as JSON."""
        video, clip_id = self._video(request), request.path_params["clip_id"]
        if not self._archives.now().has_clip(video, clip_id):
            raise HTTPException(404, "no such clip")
        return JSONResponse(boxes(self._run, video.video_id, clip_id))

    def masks(self, request: Request) -> Response:
        """The masks of a clip; see ``maskpack``."""
        video, clip_id = self._video(request), request.path_params["clip_id"]
        archive = self._archives.now()
        if not archive.has_clip(video, clip_id):
            raise HTTPException(404, "no such clip")
        key = (archive.version, video.video_id, clip_id)
        data = self._packs.get(key, lambda: mask_pack(self._run.location, video.video_id, clip_id))
        headers = {"Content-Encoding": "gzip", "Cache-Control": "private, max-age=60"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    def source(self, request: Request) -> Response:
        """The video file, or a range of it."""
        video = self._video(request)
        media_type = sources.playability(video.source, video.size_bytes).media_type
        return sources.respond(video.source, media_type, request.headers.get("range"), is_head=request.method == "HEAD")

    def thumbnail(self, request: Request) -> Response:
        """A small picture in the colors of its classes."""
        return self._picture(request, THUMBNAIL_WIDTH, in_colors=True)

    def still(self, request: Request) -> Response:
        """A picture as it is in the source, for videos that no browser plays."""
        return self._picture(request, STILL_WIDTH, in_colors=False)

    def similar(self, request: Request) -> Response:
        """Moments that look like one."""
        seconds, video, run = seconds_of(request.query_params), self._video(request), self._run
        videos = self._archives.now().by_id
        moments = [
            {
                "video_id": each.video_id,
                "name": videos[each.video_id].name,
                "seconds": each.seconds,
                "score": each.score,
            }
            for each in similar(run.location, run.taxonomy, video.video_id, min(seconds, video.seconds), MOMENTS)
            if each.video_id in videos
        ]
        return JSONResponse({"moments": moments})

    def _picture(self, request: Request, width: int, *, in_colors: bool) -> Response:
        video, seconds = self._video(request), seconds_of(request.query_params)
        archive, run = self._archives.now(), self._run

        def make() -> bytes:
            clip = archive.clip_at(video, seconds)
            if in_colors:
                return thumbnail(run.location, run.taxonomy, clip, seconds, width)
            return jpeg(picture(clip, seconds, width))

        data = self._pictures.get((archive.version, video.video_id, round(seconds, 4), in_colors), make)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    def problem(self, request: Request, error: Exception) -> Response:
        """What went wrong, as a page where a page was asked for."""
        status = status_of(error)
        sentence = error.detail if isinstance(error, HTTPException) else str(error)
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"problem": sentence}, status)
        return self._page("problem.html", status, title=HTTPStatus(status).phrase, problem=sentence)

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        videos = self._archives.now().videos
        shared = {"query": "", "run": self._run, "num_videos": len(videos), "hours": sum(v.seconds for v in videos)}
        content = self._pages.get_template(template).render({**shared, **values})
        return HTMLResponse(content, status, {"Cache-Control": "no-cache"})

    def _video(self, request: Request) -> VideoEntry:
        video = self._archives.now().by_id.get(request.path_params["video_id"])
        if video is None:
            raise HTTPException(404, "no such video in this run")
        return video
