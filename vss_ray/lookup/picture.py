"""A picture file as the run's own network sees it, so that the archive can be asked for what looks like it."""

from __future__ import annotations

import os

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from vss_ray import stages
from vss_ray.errors import ModelError, VideoError
from vss_ray.frames import Frame
from vss_ray.media.formats import opening
from vss_ray.media.limits import Limits
from vss_ray.media.remote import RemoteFile
from vss_ray.run import Run, check_programs


def embed_picture(run: Run, path: str) -> NDArray[np.float16]:
    """The embedding (E,) of a picture, comparable with those of the run's keyframes.

    Args:
        run: Its operating point says which network.
        path: A file that FFmpeg can read: JPEG, PNG, WebP; of a video, the first frame.

    Raises:
        ModelError: The weights are not those of the run any more, or their segmenter gives no embeddings.
        VideoError: The file is no picture.
        StorageError: The network is a program that the user has not named.
    """
    check_programs(run)
    frame = read_picture(path)
    digest, wanted = run.point.describe().digest, run.content()["weights_sha256"]
    if digest != wanted:
        raise ModelError(
            f"{run.location.root} was made with weights {wanted[:12]}, here are {digest[:12]}: what they see cannot be "
            "compared; bring the weights of the run back"
        )
    threads = os.cpu_count() or 1
    segmenter = stages.build_segmenter(run.point, threads=threads, device="cpu", calibrated=run.calibrated())
    embed = getattr(segmenter, "score_and_embed", None)
    embeddings = embed(frame.rgb(*segmenter.input_size(*frame.size))[None])[1] if embed else None
    if embeddings is None:
        raise ModelError(
            f"segmenter {run.point.segmenter.name} gives no embeddings, so nothing can be compared; "
            "those of segmenter builtin, torchvision and transformers do"
        )
    return embeddings[0]


def read_picture(path: str) -> Frame:
    """A picture file, upright.

    Raises:
        VideoError: It cannot be read.
    """
    try:
        # As a file without a name: FFmpeg would make an address of it, or a pattern of names.
        options = {**opening(is_remote=True), "max_pixels": str(Limits().pixels)}
        with open(path, "rb") as file, av.open(RemoteFile(file), "r", options=options) as container:
            picture = next(container.decode(video=0))
    except (FFmpegError, OSError, IndexError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise VideoError(f"{path}: no picture can be read of it: {reason}; wanted a JPEG, PNG or WebP file") from error
    return Frame(0.0, picture, round(picture.rotation / 90) % 4 * 90)
