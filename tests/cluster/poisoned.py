"""A method that really kills its worker: EVS, but for the videos that have a dose. A plug-in by dotted path."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import ray
import torch

from vss_ray.clips import Clip
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.inference import Base
from vss_ray.inference.every_picture import EveryPicture
from vss_ray.methods import Parts, evs


@dataclass(frozen=True, kw_only=True)
class Config:
    """The doses are files, so that they can be taken away and the operating point stays as it is."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    doses: str
    """Folder with a file for each poisoned video, under its name without suffix: what happens, and in which stage."""


def segfault() -> None:
    ctypes.string_at(0)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def out_of_memory() -> None:
    """What C++ does when an allocation is refused and nobody catches that."""
    new = ctypes.CDLL("libstdc++.so.6")._Znwm
    new.argtypes = [ctypes.c_size_t]
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + (256 << 20), resource.RLIM_INFINITY))
    while True:
        new(16 << 20)


def hang() -> None:
    """In native code that keeps the interpreter's lock."""
    ctypes.PyDLL(None).sleep(1000)


def lose() -> None:
    """The worker for good: Ray does not start an actor again that was told to end."""
    ray.kill(ray.get_runtime_context().current_actor)
    time.sleep(10)


def fill(folder: Path) -> None:
    """What temporary files do to a small disk; they are gone afterwards."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
    finally:
        filler.unlink()


def refused() -> None:
    """The GPU takes no offence at that."""
    raise torch.AcceleratorError("CUDA error: invalid configuration argument\nCUDA kernel errors might be reported")


def lose_gpu() -> None:
    """As CUDA has it: from then on every call of this process fails, for whatever clip."""
    global gpu_is_lost
    gpu_is_lost = True
    use_gpu()


def use_gpu() -> None:
    if gpu_is_lost:
        try:
            raise torch.AcceleratorError(
                "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported at some other call"
            )
        except RuntimeError as error:
            raise ValueError("this batch cannot be inferred") from error


def take(config: Config, clip: Clip, stage: str) -> None:
    """Nothing, for most videos."""
    dose = Path(config.doses, Path(clip.source).stem)
    if dose.exists():
        kind, where = dose.read_text().split()
        if where == stage:
            if kind in ("lose", "once"):
                dose.unlink()  # once
            if kind == "fill":
                fill(dose.parent)
            HARM[kind]()


HARM = {
    "segfault": segfault,
    "killed": killed,
    "memory": out_of_memory,
    "hang": hang,
    "lose": lose,
    "refused": refused,
    "gpu": lose_gpu,
    "once": lose_gpu,
}
gpu_is_lost = False
"""Of this process."""


class Poisoned:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self._config, self._method = config, evs.build(evs.Config(), parts)

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        take(self._config, clip, "prepare")
        return self._method.prepare(clip, frames)

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        take(self._config, prepared.clip, "finish")
        return self._method.finish(prepared, inferred)


class Inference:
    """See the module."""

    def __init__(self, config: Config, base: Base) -> None:
        self._config, self._inference = config, EveryPicture(base)

    def __call__(self, clips: Sequence[Prepared]) -> Sequence[Inferred]:
        use_gpu()
        for prepared in clips:
            take(self._config, prepared.clip, "infer")
        return self._inference(clips)


def build_inference(config: Config, base: Base) -> Inference:
    return Inference(config, base)


build = Poisoned
