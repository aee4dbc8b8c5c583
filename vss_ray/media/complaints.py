"""What FFmpeg complains about, which is often all that tells a picture that was made up from one that was there.

HEVC leaves pictures out, MJPEG and FFV1 fill in what is missing: neither raises an error, nor marks the frame.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

logging.getLogger("libav").addHandler(logging.NullHandler())  # what another thread's FFmpeg says meanwhile


@contextmanager
def overheard() -> Iterator[list[tuple[int, str, str]]]:
    """Yield a list that fills while the body runs: level, who complains (``h264``, ``matroska,webm``), of what.

    Only for calls that return: an FFmpeg thread that complains while PyAV frees its decoder would wait for ever.
    """
    level = av.logging.get_level()
    av.logging.set_skip_repeated(False)  # the same words again are about another picture
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as told:
            yield told
    finally:
        av.logging.set_level(level)
