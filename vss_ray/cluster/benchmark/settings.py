"""What a benchmark is asked for: where to work, how often, on what, and how long everything is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from vss_ray.errors import ConfigError

LARGER = "random:resnet"
"""SwiftNet on a ResNet-18, 11.8 M parameters, without any training: labels mean nothing, speed does."""
NETWORKS = {"default": "", "larger": LARGER}
"""Name in tables -> ``segmenter.weights``; empty: the operating point's own."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything; the defaults are what figures are quoted from."""

    archive: float = 60.0
    """Seconds of video of each of the three archives, at least."""
    user: float = 3.84
    """Seconds of it that the user's script gets: 96 frames, so that its batches of 8 end even on 2 and 4 cores. It is
    so slow, and its speed so even, that more says nothing new."""
    per_frame: float = 20.0
    """Seconds of it that the network sees frame by frame."""
    alone: float = 10.0
    """Seconds of it that single stages run on in one process."""
    labels: int = 100
    """Label maps that mask codecs write and read."""
    lasting: float = 600.0
    """Seconds of the archive on which plumbing is measured."""
    lengths: tuple[float, ...] = (10.0, 600.0, 3600.0)
    """Seconds of one video, short to long, that memory is measured on; the last only with ``--long``."""
    videos: tuple[int, ...] = (1, 8, 64)
    """How many videos of a minute an archive has that grows."""
    minutes: tuple[float, ...] = (1.0, 10.0, 60.0)
    """How long its one video is; the last only with ``--long``."""
    minute: float = 60.0
    """Seconds of a minute."""
    rendered: float = 5.0
    """Seconds of a scene that are rendered; it is played forward and backward, again and again."""
    peak: int = 34
    """Side of the maps whose convolutions show the processor's peak."""
    followed: int = 60
    """Frames through which objects are followed."""
    copied: int = 256_000_000
    """Bytes whose copy shows the memory's."""


SMOKE = Sizes(
    archive=4.0,
    user=0.4,
    per_frame=2.0,
    alone=2.0,
    labels=10,
    lasting=8.0,
    lengths=(2.0, 8.0, 16.0),
    videos=(1, 2),
    minutes=(1.0, 2.0, 3.0),
    minute=2.0,
    rendered=1.0,
    peak=16,
    followed=3,
    copied=10_000_000,
)
"""Everything runs once and nothing can be quoted."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One call of the benchmark."""

    work: Path
    """Folder for archives, which are kept, and outputs, which are not."""
    console: Console
    """Where to tell what is running."""
    repeats: int = 3
    """Interleaved rounds of what one process measures."""
    rounds: int = 1
    """Interleaved rounds of whole jobs, each with a Ray of its own: minutes."""
    archives: tuple[str, ...] = ("480x360", "1280x720", "2048x1024")
    dashcam: Path | None = None
    """Footage for 1280x720; None: what VSS_TEST_DATA holds, else a rendered scene."""
    footage: tuple[Path, ...] = ()
    """Videos of cameras that stand still; none: what VSS_TEST_DATA holds, else a rendered scene."""
    networks: dict[str, str] = field(default_factory=lambda: dict(NETWORKS))
    """As ``NETWORKS``."""
    overrides: tuple[str, ...] = ()
    """``KEY=VALUE`` that all variants share."""
    long: bool = False
    """The hours too."""
    sizes: Sizes = Sizes()

    def command(self, part: str) -> str:
        """What to type for the same figures; where things lie on this machine is left out."""
        words = ["vss", "benchmark", part]
        words += ["--repeats", str(self.repeats)] if self.repeats != Settings.repeats else []
        words += ["--rounds", str(self.rounds)] if self.rounds != Settings.rounds else []
        for name in self.archives if self.archives != Settings.archives else ():
            words += ["--archive", name]
        for name, weights in self.networks.items() if self.networks != NETWORKS else ():
            known = NETWORKS.get(name) == weights
            words += ["--network", name if known else f"{name}={Path(weights).name}"]
        for option, paths in (("--dashcam", (self.dashcam,)), ("--footage", self.footage)):
            for path in paths:
                words += [option, path.name] if path is not None else []
        words += ["--long"] if self.long else []
        words += ["--smoke"] if self.sizes == SMOKE else []
        for override in self.overrides:
            words += ["--set", override]
        return shlex.join(words)

    def tell(self, message: str) -> None:
        """One line of progress."""
        self.console.print(message, highlight=False, markup=False)

    def of_network(self, name: str) -> list[str]:
        """Overrides with which a variant runs ``name``."""
        weights = self.networks[name]
        return [*self.overrides, *([f"segmenter.weights={weights}"] if weights else [])]


def networks_from(names: Sequence[str]) -> dict[str, str]:
    """Networks by ``NAME`` or ``NAME=WEIGHTS``; none: all that have a name.

    Raises:
        ConfigError: A name without weights that is not known.
    """
    chosen = {}
    for name in names or NETWORKS:
        known, separator, weights = name.partition("=")
        if not separator and known not in NETWORKS:
            raise ConfigError(f"--network {name!r}: wanted {', '.join(NETWORKS)} or NAME=WEIGHTS")
        chosen[known] = weights if separator else NETWORKS[known]
    return chosen
