"""How steady labels are over time, where the truth is steady (VSPW, Miao et al., CVPR 2021; definition of its code).

Where code and paper differ the code is followed, so that figures compare with published ones:

- The paper's formula (DCFM's equation 13 as well) can be read as "label and prediction agree". The code asks only that
  the prediction does not change; it need not be right. Frozen predictions score high: report it beside the mIoU.
- A video of N frames has N - n + 1 windows of n frames; the code leaves the last one out.
- The mean goes over the windows of all videos, windows without a steady pixel left out (``nanmean``); the paper's text
  takes the mean of each video first. A video of n frames or fewer has no window.
- Pixels without a label count as a label of their own. VSPW's code reads files in which "others" (0) and void (255)
  differ; here both are 255, and a change between them is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class VideoConsistency:
    """VC_n for several n in one pass over a video, in constant memory: every pixel remembers since when it is steady.

    A frame without truth ends every window.
    """

    def __init__(self, windows: Sequence[int]) -> None:
        """``windows``: the values of n."""
        self.values: dict[int, list[float]] = {window: [] for window in windows}
        """n -> VC_n of every window in order; NaN where no pixel of the truth is steady."""
        self._last: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None
        self._steady = np.zeros((2, 0, 0), np.uint16)
        self._length = 0

    def add(self, truth: NDArray[np.integer] | None, predicted: NDArray[np.integer]) -> None:
        """The next frame: (H, W) truth and prediction."""
        if truth is None:
            self._last, self._length = None, 0
            return
        if self._last is None:
            self._steady, self._length = np.ones((2, *truth.shape), np.uint16), 1
        else:
            self._close_windows()
            for steady, now, before in zip(self._steady, (truth, predicted), self._last, strict=True):
                same = np.equal(now, before)
                steady *= same
                steady += 1
            self._length += 1
        self._last = truth, predicted

    def _close_windows(self) -> None:
        """Count the windows that end on the last frame; only now, because the last one of a video is not counted."""
        for window, values in self.values.items():
            if self._length >= window:
                constant = self._steady[0] >= window
                both = constant & (self._steady[1] >= window)
                values.append(float(both.sum() / constant.sum()) if constant.any() else float("nan"))


def video_consistency(
    truth: Sequence[NDArray[np.integer]], predicted: Sequence[NDArray[np.integer]], window: int
) -> NDArray[np.float64]:
    """VC_n of every window of n consecutive frames: |A and B| / |A|.

    A is the pixels whose true label is constant over the window, B those whose prediction is constant; being right is
    not asked for, so report it beside the mIoU. mVC_n is the mean over the windows of all videos.

    Args:
        truth: n or more (H, W) label maps.
        predicted: As many, same shapes.
        window: n.

    Returns:
        (len(truth) - n,) as the original code counts windows: it leaves out the last one. NaN where A is empty.

    Raises:
        ValueError: The sequences differ in length.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"truth and prediction differ in length: {len(truth) = }, {len(predicted) = }")
    running = VideoConsistency([window])
    for labels, ids in zip(truth, predicted, strict=True):
        running.add(labels, ids)
    return np.array(running.values[window])
