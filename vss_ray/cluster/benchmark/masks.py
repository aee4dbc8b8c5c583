"""The mask archive: bytes beside PNG level 6, and what writing and reading a map costs one core.

The maps are those that the operating point makes of the footage, not drawings: codecs differ in how they take them.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import cv2

from vss_ray import config, plugins, stages
from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.archives import archive
from vss_ray.cluster.benchmark.figures import SHARE, Figure, Result
from vss_ray.cluster.benchmark.loaded import clips_of, load
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.media.decode import decode

TITLE = "Masks"
PNG_LEVEL = 6


def run(settings: Settings) -> Result:
    """Every mask plug-in, at 1280x720 where that is among the archives."""
    name = "1280x720" if "1280x720" in settings.archives else settings.archives[0]
    shown = archive(settings, name, settings.sizes.alone)
    settings.tell(f"masks: {name}")
    overrides = [*settings.overrides, limits.AT_EVERY]
    request = (str(shown.path), overrides, settings.sizes.alone, settings.sizes.labels, settings.repeats)
    found = alone(measure, *request, environment=ONE_THREAD)
    default = config.load("evs", overrides).masks.name
    figures = []
    for codec, values in found["codecs"].items():
        case = f"{shown.width}x{shown.height}, {codec}" + (" (the default)" if codec == default else "")
        size, encode, decode = (0.5, 2.0, 800.0) if codec == default and name == "1280x720" else (None, None, None)
        share = (values["bytes"] / found["png_bytes"],)
        figures += [
            Figure(case=case, name="of PNG level 6", unit=SHARE, values=share, better="less", goal=size),
            Figure(case=case, name="written", unit="core ms", values=values["encode_ms"], better="less", goal=encode),
            Figure(case=case, name="read", unit="frames/s", values=values["decoded_per_second"], goal=decode),
        ]
    note = f"PNG level {PNG_LEVEL}: {found['png_bytes']:,.0f} bytes and {found['png_ms']:.1f} core ms a frame"
    return Result(figures, [f"{note}, {found['count']} maps."])


def measure(path: str, overrides: list[str], seconds: float, count: int, repeats: int) -> dict[str, Any]:
    """Bytes and core time of each codec on the labels of a clip's first frames."""
    clip = clips_of(path, seconds)[0]
    loaded = load(overrides, clip)
    pictures = stages.label_clip(loaded.method, loaded.inference, clip, decode(clip))
    maps = [labels.ids for labels in islice(pictures, count)]
    began = time.process_time()
    pngs = [cv2.imencode(".png", ids, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])[1] for ids in maps]
    png_ms = 1000 * (time.process_time() - began) / len(maps)
    codecs: dict[str, Any] = {}
    written = {name: _codec(name) for name in plugins.names("masks")}
    for _ in range(repeats):
        for name, codec in written.items():
            values = codecs.setdefault(name, {"encode_ms": [], "decoded_per_second": []})
            began = time.process_time()
            data = codec.encode(maps)
            between = time.process_time()
            read = sum(1 for _ in codec.decode(data))
            values["encode_ms"].append(1000 * (between - began) / len(maps))
            values["decoded_per_second"].append(read / (time.process_time() - between))
            values["bytes"] = len(data) / len(maps)
    png_bytes = sum(len(png) for png in pngs) / len(maps)
    return {"count": len(maps), "png_bytes": png_bytes, "png_ms": png_ms, "codecs": codecs}


def _codec(name: str) -> Any:
    module = plugins.load("masks", name)
    return module.build(module.Config())
