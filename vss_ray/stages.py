"""The three stages of an operating point as ordinary functions: one process, no Ray. Everything else calls these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray import engines
from vss_ray.clips import COARSE, Clip
from vss_ray.config import OperatingPoint
from vss_ray.engines import int8
from vss_ray.errors import ConfigError, ModelError
from vss_ray.floor import at_the_floor
from vss_ray.frames import Audit, Frame, Inferred, Labels, Prepared
from vss_ray.index.schema import record_schema
from vss_ray.inference import Base, Inference
from vss_ray.inference.every_picture import EveryPicture
from vss_ray.methods import Method, Parts
from vss_ray.ops.grid import cell_shares, count_cells
from vss_ray.ops.objects import count_objects
from vss_ray.segmenters import Segmenter


def build_method(point: OperatingPoint) -> Method:
    """The method with its flow and its schedule; loads no network."""
    cv2.setNumThreads(1)  # parallelism is Ray's; OpenCV's own threads would fight it
    parts = Parts(
        flow=point.flow.module.build(point.flow.config),
        schedule=point.keyframes.module.build(point.keyframes.config),
        input_size=partial(point.segmenter.module.input_size, point.segmenter.config),
        audit=point.audit,
        cut_threshold=point.cut_threshold,
    )
    return point.labelling.module.build(point.labelling.config, parts)


def build_segmenter(point: OperatingPoint, *, threads: int, device: str, calibrated: bytes | None = None) -> Segmenter:
    """The network, ready to run; see ``build_inference``."""
    segmenter = point.segmenter.module.build(point.segmenter.config, threads=threads, device=device)
    precision = getattr(point.segmenter.config, "precision", None)
    if precision == "measured" or (precision == "int8" and calibrated is None):
        raise ConfigError(
            f"segmenter.precision: {precision} is settled on pictures of an archive, see vss_ray.precision; "
            "`vss segment` does that, elsewhere take auto, fp32 or bf16"
        )
    return segmenter.quantized(int8.unpack(calibrated)) if precision == "int8" and calibrated else segmenter


def build_inference(
    point: OperatingPoint, *, threads: int, device: str, batch: int = 1, calibrated: bytes | None = None
) -> Inference:
    """The second stage with its networks.

    Args:
        point: Resolved.
        threads: Threads of the process that networks may use.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch: Pictures that the device sees at once.
        calibrated: What ``precision.calibrate`` gave; needed by ``segmenter.precision=int8``, unused by the others.

    Raises:
        ConfigError: int8 without that.
        ModelError: Weights are missing, broken, or belong to something else.
    """
    description = point.describe()
    module, config = point.segmenter.module, point.segmenter.config

    def load() -> Any:
        if not hasattr(module, "load_network"):
            raise ModelError(
                f"method {point.method.name} builds on a network of this package; segmenter {point.segmenter.name} has "
                "none to give: take segmenter builtin, or method evs without refine_every"
            )
        return module.load_network(config)[0]

    base = Base(
        segmenter=partial(build_segmenter, point, threads=threads, device=device, calibrated=calibrated),
        load=load,
        description=description,
        compile=partial(engines.build_graph, config, threads=threads, device=device),
        device_name=device,
        batch=batch,
    )
    method = point.labelling
    if hasattr(method.module, "build_inference"):
        return method.module.build_inference(method.config, base)
    return EveryPicture(base)


def networks_of(point: OperatingPoint) -> str:
    """Equal for operating points that can share one ``Inference``."""
    parts = [point.segmenter]
    if hasattr(point.labelling.module, "build_inference"):
        parts.append(point.labelling)
    return json.dumps([part.to_dict() for part in parts], sort_keys=True)


def warm_up(point: OperatingPoint, inference: Inference, height: int, width: int) -> None:
    """Compile what clips of this size will need, by running three pictures of noise."""
    if isinstance(inference, EveryPicture):
        inference.warm_up(height, width)
        return
    noise = np.random.default_rng(0).integers(0, 250, (9, 16, 3), np.uint8)
    image = cv2.resize(noise, (width, height))
    frames = (Frame.from_rgb(image + np.uint8(i), i / 10) for i in range(3))  # alike, but not the same
    clip = Clip.of_pictures("warm-up", 3, 10.0, height, width)
    infer(inference, [build_method(point).prepare(clip, frames)])


def infer(inference: Inference, clips: Sequence[Prepared]) -> list[Inferred | ModelError]:
    """Scores of several clips at once; a clip whose scores are not numbers gets the error that names it instead."""
    results: list[Inferred | ModelError] = []
    for prepared, inferred in zip(clips, inference(clips), strict=True):
        embeddings = () if inferred.embeddings is None else (inferred.embeddings,)
        if all(np.isfinite(array).all() for array in (inferred.scores, *inferred.extra.values(), *embeddings)):
            results.append(inferred)
            continue
        clip = prepared.clip
        results.append(
            ModelError(
                f"{clip.source}, frames {clip.start} to {clip.stop}: the network's scores are not numbers; "
                "try --set segmenter.precision=fp32"
            )
        )
    return results


def label_clip(method: Method, inference: Inference, clip: Clip, frames: Iterable[Frame]) -> Iterator[Labels]:
    """All three stages over one clip: labels of every FRAME in order, repeated frames included.

    Raises:
        ModelError: The scores are not numbers.
    """
    prepared = method.prepare(clip, frames)
    (inferred,) = infer(inference, [prepared])
    if isinstance(inferred, ModelError):
        raise inferred
    pictures = method.finish(prepared, inferred)
    labels, shown = next(pictures), 0
    for picture in prepared.picture_of_frame:
        if picture > shown:
            labels, shown = next(pictures), shown + 1
        yield labels


@dataclass(frozen=True)
class FinishedClip:
    """What the third stage hands over to be committed."""

    mask: bytes
    """Label video, one frame for each of ``frames``."""
    frames: pa.Table
    """One row a frame that was labelled, in order, see ``index.schema.record_schema``."""
    facts: dict[str, Any]
    """The columns of the clip's row that labels decide."""


def finish_clip(
    point: OperatingPoint,
    method: Method,
    prepared: Prepared,
    inferred: Inferred,
    numbers: Sequence[int] | None = None,
) -> FinishedClip:
    """Labels at full size, encoded and counted one picture at a time.

    Mask n belongs to row n, and the row says which frame of the video that is, and when.

    Args:
        point: The run's.
        method: Its method.
        prepared: The clip.
        inferred: Its scores.
        numbers: Of the clip's frames, where some of those planned did not decode. Planned are all, and in a coarse pass
            the clip's ``coarse_frames``.
    """
    clip, num_classes = prepared.clip, inferred.scores.shape[3]
    writer = point.masks.module.build(point.masks.config).writer(clip.height, clip.width, num_classes)
    shows, num_frames = prepared.picture_of_frame, len(prepared.picture_of_frame)
    if numbers is None:
        numbers = clip.coarse_frames if point.pass_ == COARSE else range(clip.start, clip.start + num_frames)
    begins = np.flatnonzero(np.diff(shows, prepend=-1))  # frame that shows each picture first
    milliseconds = np.rint((prepared.pts_seconds - prepared.pts_seconds[0]) * 1000).astype(np.int64)
    rows, audits = [], []
    pictures = zip(method.finish(prepared, inferred), np.split(milliseconds, begins[1:]), begins.tolist(), strict=True)
    for labels, times, frame in pictures:
        cells, objects = count_cells(labels.ids, num_classes), count_objects(labels.ids, num_classes)
        rows.append((labels.is_keyframe, labels.key_distance, labels.unreliable, cells, objects))
        if labels.audit is not None:
            audits.append((frame, labels.key_distance, labels.audit))
        with at_the_floor():
            for time in times.tolist():
                writer.add(labels.ids, time)
    is_keyframe, key_distance, unreliable, cells, objects = (np.array(each)[shows] for each in zip(*rows, strict=True))
    area = (cells.sum(1) / np.float32(clip.height * clip.width)).astype(np.float32)
    agreement = {frame: audit.agreeing.sum() / audit.pixels.sum() for frame, _, audit in audits}
    ceiling = {frame: audit.repeated.sum() / audit.pixels.sum() for frame, _, audit in audits}
    table = pa.table(
        {
            "video_id": [clip.video_id] * num_frames,
            "clip_id": [clip.clip_id] * num_frames,
            "frame": numbers,
            "pts_seconds": prepared.pts_seconds,
            "is_keyframe": is_keyframe,
            "key_distance": key_distance,
            "unreliable": unreliable,
            "agreement": [agreement.get(frame) for frame in range(num_frames)],
            "self_agreement": [ceiling.get(frame) for frame in range(num_frames)],
            "pass": [point.pass_] * num_frames,
            "area": _lists(area),
            "grid": _lists(cell_shares(cells, clip.height, clip.width)),
            "objects": _lists(objects),
            "embedding": _embeddings(prepared, inferred),
        },
        schema=record_schema(num_classes),
    )
    counts = [_audit_row(frame, distance, area[frame], audit) for frame, distance, audit in audits]
    facts = {
        "num_frames": num_frames,
        "num_keyframes": len(prepared.keyframes),
        "num_network": len(prepared.network_pictures),
        "agreement": float(np.mean(list(agreement.values()))) if audits else None,
        "self_agreement": float(np.mean(list(ceiling.values()))) if audits else None,
        "audit": json.dumps(counts) if audits else None,
        "pass": point.pass_,
    }
    with at_the_floor():
        mask = writer.finish()
    return FinishedClip(mask, table, facts)


def _embeddings(prepared: Prepared, inferred: Inferred) -> list[NDArray[np.float16] | None]:
    """Of every frame: of a keyframe that has one where it is first shown, else None."""
    rows: list[NDArray[np.float16] | None] = [None] * len(prepared.picture_of_frame)
    if inferred.embeddings is not None:
        place = {picture: i for i, picture in enumerate(prepared.network_pictures.tolist())}
        shown = np.searchsorted(prepared.picture_of_frame, prepared.keyframes)
        for frame, picture in zip(shown.tolist(), prepared.keyframes.tolist(), strict=True):
            rows[frame] = inferred.embeddings[place[picture]]
    return rows


def _lists(rows: NDArray) -> pa.FixedSizeListArray:
    """One list a row of an array of two or more axes."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows[0].size)


def _audit_row(frame: int, distance: int, area: NDArray[np.float32], audit: Audit) -> dict[str, Any]:
    return {
        "frame": frame,
        "distance": distance,
        "carried": np.rint(area * audit.pixels.sum()).astype(np.int64).tolist(),
        "pixels": audit.pixels.tolist(),
        "agreeing": audit.agreeing.tolist(),
        "repeated": audit.repeated.tolist(),
    }
