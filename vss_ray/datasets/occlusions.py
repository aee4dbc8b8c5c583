"""An object that is hidden for two seconds while others of its kind walk about: rendered, as many scenes as wanted.

Somebody walks behind something that stands in a street. One or two who look much alike are there all the time. Most
come out again, on either side; every fourth stays hidden to the end. Whoever follows the object should say that it is
lost, take nobody else for it, and find it when it is back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vss_ray.datasets import occlusion_cast, scenes
from vss_ray.datasets.mask_files import tight_box
from vss_ray.datasets.occlusion_cast import ALIKE, TARGET, Cast, Timing
from vss_ray.datasets.tracked import TrackedObject, Truth
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame

HEIGHT, WIDTH, RATE = 272, 480, 25.0
SPLITS = {"test": 0, "tune": 1000}
"""First seeds: rules of tracking are chosen on other scenes than those that figures are quoted from."""
TIMING = Timing(before=40, hidden=50, after=35)


@dataclass(frozen=True)
class OcclusionScene:
    """One video; see ``TrackedSequence``. Object 1 is followed, ``ALIKE`` and up look like it."""

    seed: int
    timing: Timing = TIMING

    @property
    def name(self) -> str:
        """Its seed."""
        return f"occlusion-{self.seed}"

    @property
    def rate(self) -> float:
        """Frames a second."""
        return RATE

    @property
    def num_frames(self) -> int:
        """How many there are."""
        return self.timing.num_frames

    @property
    def objects(self) -> Mapping[int, TrackedObject]:
        """The one who is hidden."""
        return {TARGET: TrackedObject(category=self.cast.kind)}

    @property
    def returns(self) -> bool:
        """Whether it is seen again."""
        return self.cast.returns

    @cached_property
    def cast(self) -> Cast:
        """Who is there, and where they are when."""
        return occlusion_cast.draw(self.seed, self.timing, HEIGHT, WIDTH)

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """Frames with the ids of all who look alike, rendered as they are asked for; see ``ALIKE``."""
        street = scenes.Config(
            height=HEIGHT,
            width=WIDTH,
            num_frames=self.num_frames,
            fps=RATE,
            seed=self.seed,
            num_pedestrians=0,
            num_cyclists=0,
            static_camera=True,
        )
        for number, shown in enumerate(scenes.render(street)):
            rgb, ids = self.cast.paint(shown.rgb, number)
            seconds = number / RATE
            yield Frame.from_rgb(rgb, seconds), Truth({TARGET: tight_box(ids == TARGET)}, ids)


def sequences(count: Path, split: str) -> list[OcclusionScene]:
    """``count`` scenes, a number in the place of a folder.

    Raises:
        ConfigError: It is no number, or there is no such split.
    """
    if split not in SPLITS:
        raise ConfigError(f"occlusions has no split {split!r}; there is {', '.join(SPLITS)}")
    if not str(count).isdecimal() or int(str(count)) < 1:
        raise ConfigError(f"occlusions are rendered, not read: got {count}; give how many, such as 50")
    return [OcclusionScene(SPLITS[split] + number) for number in range(int(str(count)))]


__all__ = ["ALIKE", "TARGET", "OcclusionScene", "sequences"]
