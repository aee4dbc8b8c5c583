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
from vss_ray.errors import ModelError
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


def build_segmenter(point: OperatingPoint, *, threads: int, device: str) -> Segmenter:
    """The network, ready to run."""
    return point.segmenter.module.build(point.segmenter.config, threads=threads, device=device)


def build_inference(point: OperatingPoint, *, threads: int, device: str, batch: int = 1) -> Inference:
    """The second stage with its networks.

    Args:
        point: Resolved.
        threads: Threads of the process that networks may use.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch: Pictures that the device sees at once.

    Raises:
        ModelError: Weights are missing, broken, or belong to something else.
    """
    import torch

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
        segmenter=partial(build_segmenter, point, threads=threads, device=device),
        load=load,
        description=description,
        compile=partial(engines.build_graph, config, threads=threads, device=device),
        device=torch.device(device),
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


def finish_clip(point: OperatingPoint, method: Method, prepared: Prepared, inferred: Inferred) -> FinishedClip:
    """Labels at full size, encoded and counted one picture at a time.

    Of a coarse pass the frames are the clip's ``coarse_frames``: mask n belongs to row n, and the row says which frame
    of the video that is, and when.
    """
    clip, num_classes = prepared.clip, inferred.scores.shape[3]
    writer = point.masks.module.build(point.masks.config).writer(clip.height, clip.width, num_classes)
    num_frames = len(prepared.picture_of_frame)
    milliseconds = np.rint((prepared.pts_seconds - prepared.pts_seconds[0]) * 1000).astype(np.int64).tolist()
    names = ("is_keyframe", "key_distance", "unreliable", "area", "grid", "objects", "embedding")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    audits: list[tuple[int, int, NDArray[np.float32], Audit]] = []
    embeddings = _of_keyframes(prepared, inferred)
    pictures = method.finish(prepared, inferred)
    shown = -1
    labels, counted = None, {}
    for frame, picture in enumerate(prepared.picture_of_frame):
        if picture > shown or labels is None:
            labels, shown = next(pictures), int(picture)
            counted = _counted(labels, num_classes)
            if labels.audit is not None:
                audits.append((frame, labels.key_distance, counted["area"], labels.audit))
        writer.add(labels.ids, milliseconds[frame])
        columns["is_keyframe"].append(labels.is_keyframe)
        columns["key_distance"].append(labels.key_distance)
        columns["unreliable"].append(labels.unreliable)
        columns["embedding"].append(embeddings.pop(shown, None))
        for name, values in counted.items():
            columns[name].append(values)
    agreement = {frame: audit.agreeing.sum() / audit.pixels.sum() for frame, _, _, audit in audits}
    ceiling = {frame: audit.repeated.sum() / audit.pixels.sum() for frame, _, _, audit in audits}
    table = pa.table(
        {
            "video_id": [clip.video_id] * num_frames,
            "clip_id": [clip.clip_id] * num_frames,
            "frame": clip.coarse_frames if point.pass_ == COARSE else range(clip.start, clip.start + num_frames),
            "pts_seconds": prepared.pts_seconds,
            "is_keyframe": columns["is_keyframe"],
            "key_distance": columns["key_distance"],
            "unreliable": columns["unreliable"],
            "agreement": [agreement.get(frame) for frame in range(num_frames)],
            "self_agreement": [ceiling.get(frame) for frame in range(num_frames)],
            "pass": [point.pass_] * num_frames,
            **{name: _lists(columns[name]) for name in ("area", "grid", "objects")},
            "embedding": columns["embedding"],
        },
        schema=record_schema(num_classes),
    )
    facts = {
        "num_frames": num_frames,
        "num_keyframes": len(prepared.keyframes),
        "num_network": len(prepared.network_pictures),
        "agreement": float(np.mean(list(agreement.values()))) if audits else None,
        "self_agreement": float(np.mean(list(ceiling.values()))) if audits else None,
        "audit": json.dumps([_audit_row(*each) for each in audits]) if audits else None,
        "pass": point.pass_,
    }
    return FinishedClip(writer.finish(), table, facts)


def _of_keyframes(prepared: Prepared, inferred: Inferred) -> dict[int, NDArray[np.float16]]:
    """Embedding of every keyframe that has one, by picture."""
    if inferred.embeddings is None:
        return {}
    rows = dict(zip(prepared.network_pictures.tolist(), inferred.embeddings, strict=True))
    return {picture: rows[picture] for picture in prepared.keyframes.tolist()}


def _counted(labels: Labels, num_classes: int) -> dict[str, NDArray]:
    """The columns that count a picture's labels."""
    counts = count_cells(labels.ids, num_classes)
    return {
        "area": (counts.sum(0) / np.float32(labels.ids.size)).astype(np.float32),
        "grid": cell_shares(counts, *labels.ids.shape).ravel(),
        "objects": count_objects(labels.ids, num_classes),
    }


def _lists(rows: list[NDArray]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(rows)), len(rows[0]))


def _audit_row(frame: int, distance: int, area: NDArray[np.float32], audit: Audit) -> dict[str, Any]:
    return {
        "frame": frame,
        "distance": distance,
        "carried": np.rint(area * audit.pixels.sum()).astype(np.int64).tolist(),
        "pixels": audit.pixels.tolist(),
        "agreeing": audit.agreeing.tolist(),
        "repeated": audit.repeated.tolist(),
    }
