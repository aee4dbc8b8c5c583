"""One frame of an overlay: the picture in the colors of its classes, and below it what they are and how they change.

From top to bottom: the picture with a badge that tells whether the network saw this very frame; a bar with the share of
each class now; the legend; the clip's keyframes as diamonds; the shares over the whole clip with a line where we are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.labels.taxonomy import Taxonomy

BACKGROUND, TEXT, FAINT, ACCENT = (18, 20, 24), (236, 238, 240), (128, 134, 142), (255, 205, 70)
VISIBLE_SHARE = 0.0003
"""A class is in the legend where it covers at least this much of some frame of the clip."""
SUBPIXEL = 4
"""Bits behind the point in the coordinates of smooth shapes."""


@dataclass(frozen=True, eq=False)
class Passage:
    """What is known of a clip before its frames are drawn; all empty where it is not done."""

    start_seconds: float
    stop_seconds: float
    pts_seconds: NDArray[np.float64]
    """(N,)"""
    is_keyframe: NDArray[np.bool_]
    """(N,)"""
    shares: NDArray[np.float32]
    """(N, C) of the picture."""


@dataclass(frozen=True, eq=False)
class OverlayFrame:
    """What is drawn as one frame."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    ids: NDArray[np.uint8] | NDArray[np.uint16] | None
    """(H, W) class per pixel; None: not processed, the picture stays as it is."""
    pts_seconds: float
    key_distance: int
    """Frames to the nearest keyframe; 0 is one."""
    passage: Passage


class Painter:
    """Draws the frames of one video; every result is ``size``, (height, width), both even."""

    def __init__(self, height: int, width: int, taxonomy: Taxonomy, alpha: float) -> None:
        self._height, self._width, self._taxonomy = height, width, taxonomy
        self._palette = taxonomy.palette()
        self._colors = np.asarray(taxonomy.colors, np.uint8)
        self._alpha = alpha
        # Type grows slower than the picture: it must be legible at 360 lines and modest at 1080.
        self._unit = max(0.7, (min(height, 0.75 * width) / 360) ** 0.75)
        self._bar, self._line, self._keys, self._chart, self._gap = (self._px(n) for n in (7, 16, 12, 26, 6))
        self._margin = min(self._px(8), width // 4)
        self._inside = width - 2 * self._margin
        everything = self._flow(range(len(taxonomy)), rows=2)
        self._rows = 2 if everything is None else everything[-1][1] + 1
        footer = self._bar + self._gap + self._rows * self._line + self._keys + self._chart + self._gap
        self.size = (height + footer + (height + footer) % 2, width + width % 2)
        self._passage: Passage | None = None
        self._footer = self._dimmed = np.zeros((0, 0, 3), np.uint8)

    def draw(self, frame: OverlayFrame) -> NDArray[np.uint8]:
        """The frame, (H + footer, W, 3) RGB."""
        if frame.passage is not self._passage:
            self._passage = frame.passage
            self._footer = self._draw_footer(frame.passage)
            self._dimmed = cv2.addWeighted(self._footer, 0.4, np.full_like(self._footer, BACKGROUND), 0.6, 0)
        canvas = np.empty((*self.size, 3), np.uint8)
        canvas[: self._height, : self._width] = frame.image
        canvas[: self._height, self._width :] = BACKGROUND
        if frame.ids is not None:
            self._color(canvas[: self._height, : self._width], frame.ids)
        canvas[self._height :] = self._footer
        self._draw_shares(canvas, frame)
        self._draw_progress(canvas, frame)
        self._draw_badge(canvas, frame)
        return canvas

    def _color(self, picture: NDArray[np.uint8], ids: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        void = ids == self._taxonomy.void
        plain = picture[void]
        cv2.addWeighted(picture, 1 - self._alpha, self._palette[ids], self._alpha, 0, dst=picture)
        edges = np.zeros(ids.shape, bool)
        edges[:, 1:] |= ids[:, 1:] != ids[:, :-1]
        edges[1:] |= ids[1:] != ids[:-1]
        picture[edges] = picture[edges] // 2 + 110
        picture[void] = plain

    def _draw_footer(self, passage: Passage) -> NDArray[np.uint8]:
        footer = np.full((self.size[0] - self._height, self.size[1], 3), BACKGROUND, np.uint8)
        if len(passage.pts_seconds) == 0:
            return footer
        self._draw_legend(footer, passage)
        top = footer.shape[0] - self._gap - self._chart
        footer[top : top + self._chart, self._margin : self._margin + self._inside] = self._shares_over_time(passage)
        seconds = passage.pts_seconds[passage.is_keyframe]
        places = [self._x(second, passage) for second in seconds]
        crowded = len(places) > 1 and min(np.diff(places)) < self._px(6)
        for x in places:
            self._diamond(footer, (x, top - 0.6 * self._keys), self._px(1) if crowded else self._unit * 3, ACCENT)
        return footer

    def _draw_legend(self, footer: NDArray[np.uint8], passage: Passage) -> None:
        visible = np.flatnonzero(passage.shares.max(0) >= VISIBLE_SHARE)
        by_share = visible[np.argsort(-passage.shares.sum(0)[visible], kind="stable")]
        for count in range(len(by_share), 0, -1):
            chosen = sorted(int(i) for i in by_share[:count])
            if placed := self._flow(chosen, self._rows):
                break
        else:
            return
        for index, (x, row) in zip(chosen, placed, strict=True):
            y = self._bar + self._gap + row * self._line + self._line // 2
            radius = self._px(4)
            center = (x + radius, y)
            cv2.circle(footer, center, radius, FAINT, -1, cv2.LINE_AA)
            cv2.circle(footer, center, max(1, radius - 1), self._taxonomy.colors[index], -1, cv2.LINE_AA)
            self._write(footer, self._taxonomy.classes[index], (x + self._px(12), y), TEXT)

    def _flow(self, indices: range | list[int], rows: int) -> list[tuple[int, int]] | None:
        """(x, row) of each legend entry, set like words in a paragraph; None where they need more rows."""
        x, row = self._margin, 0
        places = []
        for index in indices:
            width = self._px(12) + self._text_width(self._taxonomy.classes[index])
            if x > self._margin and x + width > self._width - self._margin:
                x, row = self._margin, row + 1
            if row >= rows:
                return None
            places.append((x, row))
            x += width + self._px(13)
        return places

    def _shares_over_time(self, passage: Passage) -> NDArray[np.uint8]:
        share = (np.arange(self._inside) + 0.5) / self._inside
        seconds = passage.start_seconds + share * (passage.stop_seconds - passage.start_seconds)
        columns = np.stack([np.interp(seconds, passage.pts_seconds, each) for each in passage.shares.T], 1)
        return self._stacked(columns, self._chart)

    def _stacked(self, shares: NDArray, height: int) -> NDArray[np.uint8]:
        """(W, C) shares as (height, W, 3): classes stacked from the bottom, smooth where they meet."""
        tops = np.cumsum(shares, 1)
        levels = 1 - (np.arange(height * 4) + 0.5) / (height * 4)
        table = np.vstack([self._colors, np.asarray([BACKGROUND], np.uint8)])
        picture = np.stack([table[(tops <= level).sum(1)] for level in levels])
        return cv2.resize(picture, (shares.shape[0], height), interpolation=cv2.INTER_AREA).astype(np.uint8)

    def _draw_shares(self, canvas: NDArray[np.uint8], frame: OverlayFrame) -> None:
        if frame.ids is None:
            return
        counts = np.bincount(frame.ids.ravel(), minlength=len(self._taxonomy))[: len(self._taxonomy)]
        edges = np.rint(np.cumsum(counts) / frame.ids.size * self._width).astype(int)
        bar = canvas[self._height : self._height + self._bar]
        for index, (left, right) in enumerate(zip([0, *edges[:-1]], edges, strict=True)):
            bar[:, left:right] = self._colors[index]

    def _draw_progress(self, canvas: NDArray[np.uint8], frame: OverlayFrame) -> None:
        """What is still to come is dim."""
        below = self._keys + self._chart + self._gap
        x = round(self._x(frame.pts_seconds, frame.passage))
        canvas[-below:, x:] = self._dimmed[-below:, x:]
        cv2.line(canvas, (x, canvas.shape[0] - below), (x, canvas.shape[0] - self._gap), TEXT, max(1, self._px(1)))

    def _draw_badge(self, canvas: NDArray[np.uint8], frame: OverlayFrame) -> None:
        if frame.ids is None:
            text, color = "not processed", FAINT
        elif frame.key_distance == 0:
            text, color = "keyframe", ACCENT
        else:
            text, color = f"carried {frame.key_distance} frame{'s'[: frame.key_distance > 1]}", TEXT
        margin, height, width = self._margin, self._px(19), self._px(26) + self._text_width(text)
        box = canvas[margin : margin + height, margin : margin + width]
        box[:] = cv2.addWeighted(box, 0.35, np.full_like(box, BACKGROUND), 0.65, 0)
        y = margin + height // 2
        self._diamond(canvas, (margin + self._px(10), y), self._unit * 4, color, hollow=color is not ACCENT)
        self._write(canvas, text, (margin + self._px(19), y), color)

    def _diamond(
        self,
        canvas: NDArray[np.uint8],
        center: tuple[float, float],
        radius: float,
        color: tuple[int, int, int],
        hollow: bool = False,
    ) -> None:
        x, y = center
        corners = np.array([(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)])
        points = [np.rint(corners * 2**SUBPIXEL).astype(np.int32)]
        if hollow:
            cv2.polylines(canvas, points, True, color, 1, cv2.LINE_AA, SUBPIXEL)
        else:
            cv2.fillPoly(canvas, points, color, cv2.LINE_AA, SUBPIXEL)

    def _write(
        self, canvas: NDArray[np.uint8], text: str, left_middle: tuple[int, int], color: tuple[int, int, int]
    ) -> None:
        x, y = left_middle
        cv2.putText(canvas, text, (x, y + self._px(4)), cv2.FONT_HERSHEY_SIMPLEX, self._scale, color, 1, cv2.LINE_AA)

    def _text_width(self, text: str) -> int:
        return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, self._scale, 1)[0][0]

    @property
    def _scale(self) -> float:
        return 0.42 * self._unit

    def _px(self, units: float) -> int:
        return max(1, round(units * self._unit))

    def _x(self, seconds: float, passage: Passage) -> float:
        share = (seconds - passage.start_seconds) / ((passage.stop_seconds - passage.start_seconds) or 1)
        return self._margin + min(max(share, 0.0), 1.0) * (self._inside - 1)
