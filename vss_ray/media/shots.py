"""Where one shot ends and the next begins: the content detector of PySceneDetect, one frame at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scenedetect import ContentDetector, FrameTimecode


class ShotDetector:
    """Tells of every frame whether it starts a new shot, from that frame and the one before alone.

    Only brightness is compared. Hue and saturation of what is nearly black or gray are noise: with them every frame of
    a dim night drive would count as a cut, and so would a fade from black.
    """

    def __init__(self, threshold: float = 27.0) -> None:
        """Start before the first frame.

        Args:
            threshold: Mean change of brightness from frame to frame that makes a cut, 0 to 255.
        """
        # No shortest shot: the filter for it would report a cut late, or swallow one of two.
        self._detector = ContentDetector(threshold=threshold, min_scene_len=0, luma_only=True)
        self._time = FrameTimecode(0, fps=25.0)

    def is_cut(self, bgr: NDArray[np.uint8]) -> bool:
        """Whether this frame starts a new shot; never the first.

        Args:
            bgr: (h, w, 3) picture, every time of the same size; 160x90 does as well as a larger one.
        """
        return bool(self._detector.process_frame(self._time, bgr))
