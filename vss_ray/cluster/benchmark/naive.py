"""What a user would write instead: the yardstick of the benchmark, kept honest and plain.

ray.data, PyAV, torch fp32 on every frame, scores enlarged and argmaxed by torch, a PNG a frame, areas as Parquet. It
has the same network at the same input size, and an actor a core, so that every core works.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray.data
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext

from vss_ray.cluster.summary import STAGES
from vss_ray.config import OperatingPoint

BATCH = 8
BLOCK_BYTES = 4 * 2**20
"""So that a short file reaches every core, too; Ray Data's own blocks are of 128 MB, which favors long ones."""


def run(files: list[str], out: Path, point: OperatingPoint, cpus: int) -> dict[str, float]:
    """Segment every frame of ``files``; costs by name."""
    out.mkdir(parents=True, exist_ok=True)
    context = DataContext.get_current()
    context.wait_for_min_actors_s = 600  # its network loads before the clock starts
    context.target_max_block_size = BLOCK_BYTES
    frames = ray.data.from_items([{"path": path} for path in files]).flat_map(_decode, num_cpus=0.25 * cpus)
    labelled = frames.map_batches(
        _Network,
        fn_constructor_args=(point, str(out)),
        compute=ActorPoolStrategy(size=cpus),
        batch_size=BATCH,
        num_cpus=0.75,
    )
    labelled.write_parquet(str(out / "areas"))
    rows = pq.read_table(out / "areas")
    first, last = pc.min(rows["started_at"]).as_py(), pc.max(rows["finished_at"]).as_py()  # type: ignore[attr-defined]
    total = {name: pc.sum(rows[f"{name}_seconds"]).as_py() for name in STAGES}  # type: ignore[attr-defined]
    return {
        "frames": float(len(rows)),
        "first": first,
        "seconds": last - first,
        **total,
        "peak_memory_bytes": pc.max(rows["memory"]).as_py(),  # type: ignore[attr-defined]
    }


def _decode(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    started_at = time.time()
    with av.open(str(row["path"])) as container:
        before = time.process_time()
        for i, frame in enumerate(container.decode(video=0)):
            rgb = frame.to_ndarray(format="rgb24")
            cost, before = time.process_time() - before, time.process_time()
            yield {"path": row["path"], "frame": i, "rgb": rgb, "started_at": started_at, "prepare_seconds": cost}


class _Network:
    def __init__(self, point: OperatingPoint, out: str) -> None:
        from vss_ray.segmenters.builtin import load_network

        self._point, self._out = point, Path(out)
        self._network = load_network(point.segmenter.config)[0].eval()

    def __call__(self, batch: dict[str, NDArray]) -> dict[str, Any]:
        import torch
        from torch.nn import functional as F

        from vss_ray.networks.pixels import normalize

        began = time.process_time()
        height, width = batch["rgb"].shape[1:3]
        side = self._point.segmenter.module.input_size(self._point.segmenter.config, height, width)
        small = np.stack([cv2.resize(image, side[::-1], interpolation=cv2.INTER_AREA) for image in batch["rgb"]])
        with torch.inference_mode():
            logits = self._network(normalize(torch.from_numpy(small)))
            ids = F.interpolate(logits, (height, width), mode="bilinear").argmax(1).byte().numpy()
        labelled = time.process_time()
        areas = []
        for path, frame, mask in zip(batch["path"], batch["frame"], ids, strict=True):
            cv2.imwrite(str(self._out / f"{Path(path).stem}_{frame:06d}.png"), mask)
            areas.append(np.bincount(mask.ravel(), minlength=logits.shape[1]) / mask.size)
        count = len(ids)
        return {
            "path": batch["path"],
            "frame": batch["frame"],
            "area": np.array(areas, np.float32),
            "started_at": batch["started_at"],
            "finished_at": np.full(count, time.time()),
            "prepare_seconds": batch["prepare_seconds"],
            "infer_seconds": np.full(count, (labelled - began) / count),
            "finish_seconds": np.full(count, (time.process_time() - labelled) / count),
            "memory": np.full(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
        }
